"""Many AC states around one solved state: hours with other injections, outages of single branches.

One Jacobian is factored at the base state. Every other state is found by Newton steps with that factor (a chord) on
its own exact AC mismatch, many states side by side; the answers are AC answers, to the same tolerance as a full
Newton. Loss of a branch changes the Jacobian in at most four rows and columns, which a 4 x 4 system per outage takes
into account (Woodbury)::

    J_k = J - E B F'        E: the P and Q rows at the branch's ends,  F: their angles and magnitudes
    J_k^-1 b = y + Z M y_F  y = J^-1 b,   Z = J^-1 E,   M = (I - B Z_F)^-1 B

What does not settle, or leaves the generators' reactive range when limits are kept, is solved again by the full load
flow, state by state; a failed state never stops the rest. A branch whose loss cuts the network is *split*: the side
without reference is lost, the other is solved all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from grid.batch_factor import STATES, Factor, Places, base_jacobian
from grid.batch_outages import Lost, cut_sides
from grid.batch_work import MOST_STEPS, REPACK, Work
from grid.contracts import Status
from grid.model.arrays import (
    CaseArrays,
    admittance_matrix,
    admittances,
    at_nodes,
    compile_case,
    injections,
    node_shunts,
)
from grid.model.contracts import BusBranch
from grid.solve import find_references, slack_weights, solve_arrays
from grid.solve_records import Solution, SolveOptions

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class States:
    """Solved states of one block. ``node_voltage``: (nodes, states); ``status`` and ``steps``: (states,).

    Lost nodes of split states, and all nodes of diverged ones, are NaN.
    """

    first: int
    node_voltage: Complexes
    status: tuple[Status, ...]
    steps: Ints
    again: Bools
    """States that the full load flow solved because the chord did not."""
    slack_mw: Floats
    """What the slack gives beyond the base state, summed over the nodes that share it."""


@dataclass
class BatchSolver:
    """Base state, its factor, and everything that is the same for all states. Make it by :meth:`of_case`."""

    arrays: CaseArrays
    options: SolveOptions
    base: Solution
    members: Ints
    """Nodes of the part with the first reference, on which the batch works."""
    voltage: Complexes
    ybus: sp.csr_matrix
    held: Bools
    weight: Floats
    injected: Complexes
    current: Complexes
    """Constant-current draw [pu at 1 pu] of each node of the part."""
    reference: int
    factor: Factor
    ports: Complexes
    """yff, yft, ytf, ytt of every branch, shape (4, branches)."""
    threads: int = 1
    _local: Ints = field(default_factory=lambda: np.empty(0, np.int64))

    @classmethod
    def of_case(cls, case: BusBranch, options: SolveOptions | None = None, threads: int = 1) -> BatchSolver:
        """Solve the case and factor its Jacobian.

        Parameters
        ----------
        case : BusBranch
        options : SolveOptions
            As for :func:`grid.solve.solve`; taps and shunt steps stand still in all other states.
        threads : int
            Blocks of states worked on at a time; the results do not depend on it.

        Raises
        ------
        ValueError
            If the base state does not converge.
        """
        arrays = compile_case(case)
        chosen = options or SolveOptions()
        base = solve_arrays(arrays, chosen)
        if base.status is Status.DIVERGED:
            raise ValueError(f"the base case did not converge: {base.detail}")
        return cls.at(arrays, chosen, base, threads)

    @classmethod
    def at(cls, arrays: CaseArrays, options: SolveOptions, base: Solution, threads: int = 1) -> BatchSolver:
        """Around a solved state of compiled arrays."""
        alive = np.ones(arrays.n_branch, dtype=bool)
        references = find_references(arrays, alive)
        members, shared = references.members[0], references.by_part[0]
        ports = admittances(arrays, base.ratio)
        shunts = node_shunts(arrays, base.shunt_b_mvar / arrays.base_mva)
        ybus = admittance_matrix(arrays, ports, shunts)[members][:, members].tocsr()
        node_v = np.full(arrays.n_node, np.nan + 0j)
        node_v[arrays.node] = base.voltage
        weight = slack_weights(arrays, options, shared, members)[members]
        voltage, held, injected, current = _scheduled(arrays, base, node_v, members, weight)
        local = np.full(arrays.n_node, -1)
        local[members] = np.arange(len(members))
        solver = cls(
            arrays, options, base, members, voltage, ybus, held, weight, injected, current, int(local[shared[0]]),
            Factor.of(base_jacobian(ybus, voltage, held, weight, int(local[shared[0]]))),
            np.stack([ports.yff, ports.yft, ports.ytf, ports.ytt]), threads,
        )  # fmt: skip
        solver._local = local
        return solver

    # hours

    def injections(self, change: Complexes, progress: Progress | None = None) -> Iterator[States]:
        """States with other injections.

        Parameters
        ----------
        change : array, shape (buses, states)
            What is added to the scheduled injections [MW, Mvar as real and imaginary], buses in the case's order;
            positive into the network. The reactive part counts nothing where the voltage is held.

        Yields
        ------
        States
            Blocks in order.
        """
        nodes = self._node_sum()
        count = change.shape[1]
        starts = range(0, count, STATES)

        def block(first: int) -> States:
            added = np.asarray(nodes @ change[:, first : first + STATES]) / self.arrays.base_mva
            return self._block(first, self.injected[:, None] + added, None)

        yield from self._all(block, starts, count, progress)

    # outages

    def outages(self, branches: Ints, progress: Progress | None = None) -> Iterator[States]:
        """States after the loss of single branches (rows of the case's branch table), in the order given."""
        cut = self._cut_sides()
        starts = range(0, len(branches), STATES)

        def block(first: int) -> States:
            return self._block(first, self.injected[:, None], Lost.of(self, branches[first : first + STATES], cut))

        yield from self._all(block, starts, len(branches), progress)

    def first_order(self, change: Complexes, branches: Ints) -> Iterator[tuple[int, Floats, Floats]]:
        """First-order answer of the states after single outages to one change of injections.

        Parameters
        ----------
        change : array, shape (members,)
            Added injection of each node of the part [pu].
        branches : array
            Rows of the branch table that are lost, one a state; -1: none.

        Yields
        ------
        tuple
            First state of the block; change of the angles [rad] and of the magnitudes [pu] of the part's nodes, shape
            (members, states). Slopes are those of the base state with the branch taken out.
        """
        from grid.batch_kernels import correct_for_outage

        cut, places = self._cut_sides(), self._places
        angle, magnitude = places.angle >= 0, places.magnitude >= 0
        for first in range(0, len(branches), STATES):
            block = branches[first : first + STATES]
            lost = Lost.of(self, block, cut)
            b = np.zeros((len(self.members) + int((~self.held).sum()), len(block)))
            b[places.row_p] = change.real[:, None]
            b[places.row_q[magnitude]] = change.imag[magnitude][:, None]
            self.factor.solve(b)
            correct_for_outage(b, lost.z, lost.inner, lost.row, len(block))
            turned, grown = np.zeros((2, len(self.members), len(block)))
            turned[angle], grown[magnitude] = b[places.angle[angle]], b[places.magnitude[magnitude]]
            yield first, turned, grown

    def reference_after(self, branch: int) -> int:
        """Node of the part (its number there) that holds the angle after an outage; -1 for none lost: as before."""
        if branch < 0 or not self.reference_lost(branch):
            return self.reference
        side = self._cut_sides()[int(branch)]
        return int(side[int(np.argmax(self._load_and_plants[1][side]))])

    def outages_at(self, change: Complexes, branches: Ints, progress: Progress | None = None) -> Iterator[States]:
        """States that differ from the base in both: column k has injections ``change[:, k]`` (as for
        :meth:`injections`) and has lost branch row ``branches[k]``, -1 none."""
        nodes, cut = self._node_sum(), self._cut_sides()

        def block(first: int) -> States:
            added = np.asarray(nodes @ change[:, first : first + STATES]) / self.arrays.base_mva
            lost = Lost.of(self, branches[first : first + STATES], cut)
            return self._block(first, self.injected[:, None] + added, lost)

        yield from self._all(block, range(0, len(branches), STATES), len(branches), progress)

    def _node_sum(self) -> sp.csr_matrix:
        """Sums values of buses at the nodes of the part."""
        a = self.arrays
        ones = (np.ones(a.n_bus), (a.node, np.arange(a.n_bus)))
        return sp.csr_matrix(ones, shape=(a.n_node, a.n_bus))[self.members]

    def reference_lost(self, branch: int) -> bool:
        """Whether the loss of a bridge cuts the reference off from the larger part of the load; then the largest
        plant of that part takes over, as dispatchers would have it, and the reference's side is the lost one."""
        side = self._cut_sides().get(int(branch))
        if side is None:
            return False
        load, plants = self._load_and_plants
        return bool(2 * load[side].sum() > load.sum() and plants[side].max(initial=0.0) > 0)

    @property
    def _load_and_plants(self) -> tuple[Floats, Floats]:
        """Load and the largest voltage-holding plant of each node of the part [pu]."""
        if not hasattr(self, "_made_load"):
            a = self.arrays
            load, plants = np.zeros(a.n_node), np.zeros(a.n_node)
            power = np.where(a.load_on, a.load_pu.real + a.load_current_pu.real, 0.0)
            np.add.at(load, a.node[a.load_bus], power)
            size = np.where(a.holds, np.maximum(np.abs(a.generator_pu.real), 1e-9), 0.0)
            np.maximum.at(plants, a.node[a.generator_bus], size)
            self._made_load = load[self.members], plants[self.members]
        return self._made_load

    def lost_nodes(self, branch: int) -> Ints:
        """Nodes of the part that the loss of a branch cuts off; empty for all but bridges."""
        side = self._cut_sides().get(int(branch), np.empty(0, np.int64))
        return np.setdiff1d(np.arange(len(self.members)), side) if self.reference_lost(branch) else side

    def _cut_sides(self) -> dict[int, Ints]:
        """Nodes (numbers within the part) cut off by the loss of each bridge, by branch row."""
        if not hasattr(self, "_bridges"):
            self._bridges = cut_sides(self)
        return self._bridges

    # the work

    def _all(
        self, block: Callable[[int], States], starts: Sequence[int], count: int, progress: Progress | None
    ) -> Iterator[States]:
        if self.threads > 1:
            with ThreadPoolExecutor(self.threads) as pool:
                for first, states in zip(starts, pool.map(block, starts), strict=True):
                    if progress:
                        progress("states", min(1.0, (first + STATES) / count))
                    yield states
            return
        for first in starts:
            states = block(first)
            if progress:
                progress("states", min(1.0, (first + STATES) / count))
            yield states

    def _block(self, first: int, injected: Complexes, lost: Lost | None) -> States:
        count = injected.shape[1] if lost is None else len(lost.branch)
        work = Work.of(self, injected, lost, count)
        v = np.empty((len(self.members), count), complex)
        settled, steps, sigma = np.zeros(count, dtype=bool), np.zeros(count, np.int64), np.zeros(count)
        for k in range(MOST_STEPS + 1):
            done, good = work.judge(self, k)
            if done.all() or done.mean() > REPACK or k == MOST_STEPS:
                at = work.state[done]
                v[:, at] = work.voltage(done)
                settled[at], sigma[at] = good[done], work.sigma[done]
                if done.all() or k == MOST_STEPS:
                    rest = work.state[~done]
                    v[:, rest] = work.voltage(~done)
                    break
                work = work.part(~done)
                done = np.zeros(len(work.state), dtype=bool)
            steps[work.state[~done]] = k + 1
            work.advance(self, done)
        return self._finished(first, v, settled, steps, sigma, injected, lost)

    def _finished(
        self, first: int, v: Complexes, settled: Bools, steps: Ints, sigma: Floats, injected: Complexes,
        lost: Lost | None,
    ) -> States:  # fmt: skip
        count = v.shape[1]
        status = [Status.SOLVED] * count
        node_v = np.full((self.arrays.n_node, count), np.nan + 0j)
        node_v[self.members] = v
        again = ~settled
        if self.options.reactive_limits:
            again = again | self._outside_reactive_range(v, injected, lost)
        slack = sigma * self.arrays.base_mva
        if lost is not None:
            for s, dead in lost.dead.items():
                status[s] = Status.SPLIT
                node_v[self.members[dead], s] = np.nan
                again[s] |= self.reference_lost(lost.branch[s])
        for s in np.flatnonzero(again).tolist():
            status[s], node_v[:, s], slack[s] = self._full(injected[:, min(s, injected.shape[1] - 1)], lost, s)
        return States(first, node_v, tuple(status), steps, again, slack)

    def _full(self, injected: Complexes, lost: Lost | None, s: int) -> tuple[Status, Complexes, float]:
        """The full load flow of one state."""
        alive = np.ones(self.arrays.n_branch, dtype=bool)
        if lost is not None and lost.branch[s] >= 0:
            alive[lost.branch[s]] = False
        extra = np.zeros(self.arrays.n_node, complex)
        extra[self.members] = injected - self.injected
        arrays = with_extra(self.arrays, extra)
        if lost is not None and self.reference_lost(lost.branch[s]):
            node = self.members[self.reference_after(int(lost.branch[s]))]
            at_node = self.arrays.node[self.arrays.generator_bus] == node
            bus = self.arrays.generator_bus[self.arrays.holds & at_node][:1]
            arrays = replace(arrays, reference=bus)
        solution = solve_arrays(arrays, self.options, self.base.voltage, alive)
        node_v = np.full(self.arrays.n_node, np.nan + 0j)
        if solution.status is not Status.DIVERGED:
            node_v[self.arrays.node] = solution.voltage
        return solution.status, node_v, float(np.nansum(solution.slack_mw) - np.nansum(self.base.slack_mw))

    def _outside_reactive_range(self, v: Complexes, injected: Complexes, lost: Lost | None) -> Bools:
        """States whose generators do not stay as they stand in the base state."""
        limits = self._reactive
        s = v * np.conj(self.ybus @ v)
        q = (s - injected).imag + self.current.imag[:, None] * np.abs(v)
        if lost is not None:
            q = q - lost.flows_at(v)
        held_out = (q > limits.high[:, None] + 1e-6) | (q < limits.low[:, None] - 1e-6)
        magnitude = np.abs(v)
        freed = (limits.at_high[:, None] & (magnitude > limits.set_point[:, None] + 1e-6)) | (
            limits.at_low[:, None] & (magnitude < limits.set_point[:, None] - 1e-6)
        )
        return np.asarray((held_out & self.held[:, None]).any(axis=0) | freed.any(axis=0))

    @property
    def _places(self) -> Places:
        if not hasattr(self, "_made_places"):
            self._made_places = Places.of(self.held, self.reference, self.factor)
        return self._made_places

    @property
    def _csr(self) -> tuple[Ints, Ints, Floats, Floats]:
        if not hasattr(self, "_made_csr"):
            y = self.ybus
            self._made_csr = (y.indptr.astype(np.int64), y.indices.astype(np.int64),
                              np.ascontiguousarray(y.data.real), np.ascontiguousarray(y.data.imag))  # fmt: skip
        return self._made_csr

    @property
    def _reactive(self) -> _Reactive:
        if not hasattr(self, "_made_reactive"):
            self._made_reactive = _Reactive.of(self)
        return self._made_reactive


@dataclass(frozen=True)
class _Reactive:
    """Reactive range of each node's generators [pu] beyond their output in the base state, which the schedule holds,
    and who stands at a limit there."""

    low: Floats
    high: Floats
    at_low: Bools
    at_high: Bools
    set_point: Floats

    @classmethod
    def of(cls, solver: BatchSolver) -> _Reactive:
        a, n = solver.arrays, len(solver.members)
        low, high, set_point = np.zeros(n), np.zeros(n), np.full(n, np.nan)
        at = solver._local[a.node[a.generator_bus]]
        use = a.holds & (at >= 0)
        np.add.at(low, at[use], a.q_min_pu[use])
        np.add.at(high, at[use], a.q_max_pu[use])
        set_point[at[use]] = a.vm_set_pu[use]
        out = np.zeros(n)
        np.add.at(out, at[use], np.nan_to_num(solver.base.generator_q_mvar[use]) / a.base_mva)
        fixed = ~solver.held & np.isfinite(set_point)
        at_low, at_high = fixed & (out <= low + 1e-6), fixed & (out >= high - 1e-6)
        return cls(low - out, high - out, at_low, at_high, set_point)


def _scheduled(
    arrays: CaseArrays, base: Solution, node_v: Complexes, members: Ints, weight: Floats
) -> tuple[Complexes, Bools, Complexes, Complexes]:
    """Voltage, holding nodes, scheduled injections (slack included) and current draw of the part."""
    voltage = np.asarray(node_v[members], dtype=np.complex128)
    use = np.where(arrays.load_on, arrays.load_current_pu, 0)
    draw = np.zeros(arrays.n_bus, complex)
    np.add.at(draw, arrays.load_bus, use)
    current = at_nodes(arrays, draw)[members]
    scheduled = at_nodes(arrays, injections(arrays))[members]
    node = arrays.node[arrays.generator_bus]
    q = np.zeros(arrays.n_node)
    on = arrays.generator_on & arrays.holds
    np.add.at(q, node[on], np.nan_to_num(base.generator_q_mvar[on]) / arrays.base_mva)
    slack = float(np.nansum(base.slack_mw)) / arrays.base_mva
    scheduled = scheduled + weight * slack + 1j * q[members]
    holds = np.zeros(arrays.n_node, dtype=bool)
    own = arrays.node[arrays.regulated_bus] == node
    at_set = np.abs(np.abs(node_v[node]) - arrays.vm_set_pu) < 1e-7
    holds[node[on & own & at_set]] = True
    held = holds[members]
    return voltage, held, np.asarray(scheduled, dtype=np.complex128), np.asarray(current, dtype=np.complex128)


def with_extra(arrays: CaseArrays, extra: Complexes) -> CaseArrays:
    """The same arrays with further injections at nodes, as constant exchange."""
    nodes = np.flatnonzero(extra)
    first_bus = {int(node): bus for bus, node in reversed(list(enumerate(arrays.node)))}
    buses = np.array([first_bus[int(node)] for node in nodes], dtype=np.int64)
    return replace(
        arrays,
        hvdc_bus=np.concatenate([arrays.hvdc_bus, buses]),
        hvdc_pu=np.concatenate([arrays.hvdc_pu, extra[nodes]]),
    )
