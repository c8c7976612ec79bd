"""AC states of one named case with plants at several buses: intact and after every outage, against the limits.

Everything stands in the numbering of the solved part: ``Rows`` of :mod:`grid.capacity.rows`. State 0 is the intact
network. Loadings are shares of each branch's own limit in that state (1: at its limit).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from grid.batch import BatchSolver
from grid.batch_kernels import branch_extremes
from grid.capacity.kernels import NEVER
from grid.capacity.rows import Rows, build_rows, refuse_without_ratings
from grid.capacity.settings import CapacitySettings
from grid.capacity.together_records import NamedCase, Site, TogetherOptions
from grid.contracts import Status
from grid.model.arrays import Bools, CaseArrays, Complexes, Floats, Ints, compile_case
from grid.solve import solve_arrays
from grid.solve_records import Solution, SolveOptions
from layers.contracts import Finding, InputError

FROM_ZERO = np.zeros(0)


@dataclass(frozen=True)
class States:
    """AC states at one point. ``voltage``: (nodes, states), NaN where cut off or unsolved."""

    solver: BatchSolver
    voltage: Complexes
    solved: Bools


@dataclass(frozen=True)
class Measured:
    """Values of all rows: loading (branches, states), voltage (nodes, states), reverse flow (branches,)."""

    loading: Floats
    voltage: Floats
    reverse: Floats


@dataclass
class CaseModel:
    """A named case and its limits; make it by :meth:`of`.

    ``branches``: lost branch of each state (row of the case's table), -1 in state 0. ``at``: their numbers among the
    limited rows. ``loading_top`` and ``reverse_top`` are 1 or, where the case stands higher before anything is added,
    its own value with the slack of the settings.
    """

    id: str
    settings: CapacitySettings
    options: TogetherOptions
    solve_options: SolveOptions
    arrays: CaseArrays
    rows: Rows
    branches: Ints
    at: Ints
    nodes: Ints
    """Node of each site, -1 outside the solved part."""
    power: Complexes
    """Injection [pu] per MW of each site's capacity."""
    base: States
    start: Measured
    loading_top: Floats
    high: Floats
    low: Floats
    reverse_top: Floats
    unsolved: Bools
    """States without solution before anything is added."""
    not_followed: tuple[str, ...]
    ac_states: int = 0

    @classmethod
    def of(
        cls, named: NamedCase, sites: Sequence[Site], settings: CapacitySettings, options: TogetherOptions,
        solve_options: SolveOptions | None = None,
    ) -> CaseModel:  # fmt: skip
        """Solve a case and all its outages with nothing added.

        Raises
        ------
        InputError
            If ratings are missing, a site's bus or an outage is not in the case, or the states need too much memory.
        ValueError
            If the case itself does not converge.
        """
        refuse_without_ratings(named.case, settings.rating)
        chosen = solve_options or SolveOptions()
        arrays = compile_case(named.case)
        solved = solve_arrays(arrays, chosen)
        if solved.status is Status.DIVERGED:
            raise ValueError(f"case {named.id} did not converge: {solved.detail}")
        arrays, fixed = _frozen(arrays, solved), replace(chosen, taps=False, shunt_steps=False)
        solver = BatchSolver.at(arrays, fixed, solved)
        rows = build_rows(solver, settings)
        at, not_followed = _outages(named, solver, rows, options)
        branches = np.concatenate([[-1], rows.branch[at[1:]]]).astype(np.int64)
        _refuse_size(named, rows, len(branches), options)
        nodes = _site_nodes(named, sites, solver)
        output = np.array([named.output_of(site.id) for site in sites])
        power = np.asarray(settings.direction * output / arrays.base_mva, dtype=np.complex128)
        nothing = Measured(FROM_ZERO, FROM_ZERO, FROM_ZERO)
        model = cls(named.id, settings, options, fixed, arrays, rows, branches, at, nodes, power,
                    States(solver, np.empty((0, 0), complex), np.empty(0, bool)), nothing, FROM_ZERO, FROM_ZERO,
                    FROM_ZERO, FROM_ZERO, np.empty(0, bool), not_followed)  # fmt: skip
        model.base = model._sweep(solver)
        model.unsolved = ~model.base.solved
        model.start = model.measure(model.base)
        model._set_tops()
        return model

    @property
    def count(self) -> int:
        return len(self.branches)

    def states(self, mw: Floats, near: States | None = None) -> States | None:
        """All states with ``mw`` at the sites; None where the intact network has no solution."""
        solver = (near or self.base).solver
        arrays = with_plants(self.arrays, self.injected(mw), solver.members)
        solution = solve_arrays(arrays, self.solve_options, solver.base.voltage)
        self.ac_states += 1
        if solution.status is Status.DIVERGED:
            return None
        return self._sweep(BatchSolver.at(arrays, self.solve_options, solution))

    def injected(self, mw: Floats) -> Complexes:
        """Added injection of each node of the part [pu]."""
        added = np.zeros(self.rows.n_node, complex)
        inside = self.nodes >= 0
        np.add.at(added, self.nodes[inside], (self.power * mw)[inside])
        return added

    def _sweep(self, solver: BatchSolver) -> States:
        members = solver.members
        voltage = np.full((len(members), self.count), np.nan + 0j)
        voltage[:, 0] = solver.voltage
        wanted = np.arange(1, self.count)
        if len(self.unsolved):  # what has no solution with nothing added is not tried again
            wanted = np.flatnonzero(~self.unsolved)[1:]
        solved = np.zeros(self.count, dtype=bool)
        solved[0] = True
        for block in solver.outages(self.branches[wanted]):
            here = wanted[block.first : block.first + len(block.status)]
            voltage[:, here] = block.node_voltage[members]
            solved[here] = [status is not Status.DIVERGED for status in block.status]
        self.ac_states += len(wanted)
        return States(solver, voltage, solved)

    def measure(self, states: States) -> Measured:
        """Values of all rows; 0 loading and NaN voltage where there is nothing."""
        rows, v = self.rows, states.voltage
        re, im = np.ascontiguousarray(v.real), np.ascontiguousarray(v.imag)
        loading = np.empty((rows.n_branch, self.count))
        for part, scale in ((slice(0, 1), self.scale(False)), (slice(1, None), self.scale(True))):
            found = np.empty((rows.n_branch, len(self.at[part])))
            branch_extremes(rows.f, rows.t, rows.yf, rows.yt, scale, np.ascontiguousarray(re[:, part]),
                            np.ascontiguousarray(im[:, part]), self.at[part], found)  # fmt: skip
            loading[:, part] = np.nan_to_num(found)
        return Measured(loading, np.abs(v), self._reverse(v[:, 0]))

    def scale(self, after_outage: bool) -> Floats:
        """Share of its limit that 1 pu of current takes of each branch; 0 without limit."""
        limit = self.rows.limit_1 if after_outage else self.rows.limit_0
        return np.asarray(np.where(limit < NEVER, np.sqrt(self.rows.scale / np.minimum(limit, NEVER)), 0.0))

    def _reverse(self, v: Complexes) -> Floats:
        rows = self.rows
        y = rows.yf[0::2] + 1j * rows.yf[1::2]
        power = (v[rows.f] * np.conj(y[0] * v[rows.f] + y[1] * v[rows.t])).real
        return np.asarray(
            np.where(rows.reverse_limit < NEVER, -rows.reverse_sign * power / rows.reverse_limit, -np.inf)
        )

    def _set_tops(self) -> None:
        room, room_pu, step = self.settings.slack_percent / 100, self.settings.slack_pu, self.settings.voltage_step_pu
        rows, start = self.rows, self.start
        slack = np.where(np.arange(self.count) == 0, 1.0, 0.0)
        share_0, share_1 = np.sqrt(rows.limit_0), np.sqrt(rows.limit_1)
        with np.errstate(divide="ignore", invalid="ignore"):
            loose = np.where(slack[None, :] > 0, room / share_0[:, None], room / share_1[:, None])
        self.loading_top = np.maximum(1.0, start.loading + loose)
        high = np.repeat(rows.high_1[:, None], self.count, axis=1)
        low = np.repeat(rows.low_1[:, None], self.count, axis=1)
        high[:, 0], low[:, 0] = rows.high_0, rows.low_0
        high, low = np.fmax(high, start.voltage + room_pu), np.fmin(low, start.voltage - room_pu)
        if step is not None:
            high, low = np.fmin(high, start.voltage + step), np.fmax(low, start.voltage - step)
        self.high, self.low = high, low
        self.reverse_top = np.maximum(1.0, start.reverse + room)

    def name(self, state: int) -> str:
        """Branch that is lost in a state."""
        k = self.branches[state]
        return "" if k < 0 else str(self.arrays.case.branches["branch_id"].iloc[k])

    def cut_off(self) -> Ints:
        """First state in which each site is cut off, 0 none, shape (sites,)."""
        dead = np.isnan(self.base.voltage) & self.base.solved[None, :]
        first = np.zeros(len(self.nodes), np.int64)
        for s, node in enumerate(self.nodes.tolist()):
            if node >= 0 and dead[node].any():
                first[s] = int(dead[node].argmax())
        return first


def with_plants(arrays: CaseArrays, added: Complexes, members: Ints) -> CaseArrays:
    """The same arrays with constant injections at nodes of the part (``added``: of its nodes, pu)."""
    use = np.flatnonzero(added)
    first = np.full(arrays.n_node, -1)
    first[arrays.node[::-1]] = np.arange(arrays.n_bus)[::-1]
    return replace(
        arrays,
        hvdc_bus=np.concatenate([arrays.hvdc_bus, first[members[use]]]),
        hvdc_pu=np.concatenate([arrays.hvdc_pu, added[use]]),
    )


def _frozen(arrays: CaseArrays, solved: Solution) -> CaseArrays:
    """Taps and shunts as the base state has them."""
    branch = replace(arrays.branch, ratio=solved.ratio)
    return replace(arrays, branch=branch, shunt_b_pu=solved.shunt_b_mvar / arrays.base_mva)


def _outages(
    named: NamedCase, solver: BatchSolver, rows: Rows, options: TogetherOptions
) -> tuple[Ints, tuple[str, ...]]:
    """Numbers among the rows of the lost branches, -1 first; names of outages that move the reference."""
    names = named.case.branches["branch_id"].astype(str)
    table = solver.arrays.case.branches["branch_id"].astype(str).to_numpy()
    if not options.n_1:
        return np.array([-1]), ()
    wanted = np.arange(rows.n_branch)
    if options.outages is not None:
        unknown = sorted(set(options.outages) - set(table) - set(names))
        if unknown:
            raise InputError(
                Finding("error", "together.outage", named.case.source.shown_path, "branches", name, name,
                        "There is no such branch.", "Correct the name.") for name in unknown
            )  # fmt: skip
        wanted = np.flatnonzero(np.isin(table[rows.branch], options.outages))
    moved = np.array([solver.reference_lost(int(k)) for k in rows.branch[wanted]], dtype=bool)
    kept = wanted[~moved] if len(wanted) else wanted
    lost = tuple(str(n) for n in table[rows.branch[wanted[moved]]]) if len(wanted) else ()
    return np.concatenate([[-1], kept]).astype(np.int64), lost


def _site_nodes(named: NamedCase, sites: Sequence[Site], solver: BatchSolver) -> Ints:
    a, place = solver.arrays, {int(b): i for i, b in enumerate(solver.arrays.bus_ids)}
    missing = [site for site in sites if int(site.bus_id) not in place]
    if missing:
        raise InputError(
            Finding("error", "together.bus", named.case.source.shown_path, "sites", s.id, str(s.bus_id),
                    "There is no such bus.", "Correct the bus.") for s in missing
        )  # fmt: skip
    local = np.full(a.n_node, -1)
    local[solver.members] = np.arange(len(solver.members))
    rows = np.array([place[int(s.bus_id)] for s in sites], dtype=np.int64)
    return np.where(a.off[rows], -1, local[a.node[rows]])


def _refuse_size(named: NamedCase, rows: Rows, states: int, options: TogetherOptions) -> None:
    """Voltages of two points, limits and values of all rows."""
    needed = states * 8.0 * (rows.n_node * (2 * 2 + 3) + rows.n_branch * 4)
    if needed > options.most_bytes:
        raise InputError([
            Finding("error", "together.memory", named.case.source.shown_path, "outages", named.id, str(states),
                    f"The states of all outages need {needed / 1e9:.1f} GB, more than"
                    f" {options.most_bytes / 1e9:.1f} GB.", "Name the outages that matter, or raise most_bytes.")
        ])  # fmt: skip
