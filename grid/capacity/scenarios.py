"""The intact case and every single branch outage, solved and factored once, for all buses of a study.

Scenario 0 is the intact case. A bridge's loss is a split: the side without reference is *dead* and masked, the other
is held to its limits. A scenario runs on the base Jacobian with a rank-4 correction (see :mod:`grid.batch`), or on a
factor of its own where the network is small or the chord is slow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from grid.batch import BatchSolver
from grid.batch_factor import STATES, Factor, Places, base_jacobian
from grid.batch_outages import woodbury
from grid.capacity.kernels import chord, voltage_slopes
from grid.capacity.rows import Rows, build_rows
from grid.capacity.settings import CapacitySettings
from grid.contracts import Status
from grid.model.contracts import BusBranch
from grid.solve_records import SolveOptions

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Progress = Callable[[str, float], None]

OWN_FACTOR_NODES = 350
"""Up to this size every outage has a factor of its own: exact slopes, fewer steps."""
SLOW_STEPS = 9
SETTLED_PU = 1e-7
"""Largest mismatch of a state: 1e-7 pu is 0.00001 MVA."""
MOST_STEPS = 30
REFACTORED = 3
"""Factors made for one stubborn state before it counts as having no solution."""
WILD_PU = 3.0
"""Voltage beyond which a state is not followed any further."""
CORRECTION_BYTES = 1_500_000_000
"""Kept corrections of outages; beyond it they are computed whenever they are needed."""


@dataclass(frozen=True)
class Scenario:
    """One outage (or none). ``voltage`` (nodes,) is its state without any plant; ``dead`` its cut-off nodes."""

    branch: int
    """Row of the case's branch table; -1: intact."""
    at: int
    """Number of the branch among the limited rows; -1: intact."""
    voltage: Complexes
    dead: Bools
    f: int
    t: int
    y: Floats
    """yff, yft, ytf, ytt of the lost branch as 8 reals."""
    sees: Floats
    own: tuple[Factor, Places] | None
    """Factor at this scenario's own state, where it has one."""


@dataclass
class Basis:
    """One operating point, ready for any number of buses. Make it by :meth:`of_case`."""

    solver: BatchSolver
    settings: CapacitySettings
    rows: Rows
    scenarios: tuple[Scenario, ...]
    diverged: tuple[str, ...]
    """Outages without a solution before anything is added."""
    unswept: tuple[str, ...]
    """Outages that cut the reference from the larger load: solved in N-1 studies, not followed here."""
    ac_states: int = 0
    """AC states solved so far."""
    _corrections: dict[int, tuple[Floats, Floats, Ints]] = field(default_factory=dict)
    _bytes: int = 0

    @classmethod
    def of_case(
        cls,
        case: BusBranch,
        settings: CapacitySettings | None = None,
        options: SolveOptions | None = None,
        *,
        n_1: bool = True,
        threads: int = 1,
        progress: Progress | None = None,
    ) -> Basis:
        """Solve the case and, with ``n_1``, each of its outages.

        Raises
        ------
        ValueError
            If the case itself does not converge.
        """
        settings = settings or CapacitySettings()
        solver = BatchSolver.of_case(case, options, threads)
        return cls.at(solver, settings, n_1=n_1, progress=progress)

    @classmethod
    def at(
        cls, solver: BatchSolver, settings: CapacitySettings, *, n_1: bool = True, progress: Progress | None = None
    ) -> Basis:
        """Around a solved base state."""
        rows = build_rows(solver, settings)
        intact = Scenario(
            -1, -1, solver.voltage, np.zeros(rows.n_node, dtype=bool), -1, -1, np.zeros(8), np.zeros(2), None
        )
        basis = cls(solver, settings, rows, (intact,), (), ())
        if n_1:
            basis._add_outages(progress)
        return basis

    @property
    def case(self) -> BusBranch:
        return self.solver.arrays.case

    @property
    def base_mva(self) -> float:
        return float(self.solver.arrays.base_mva)

    def outage_name(self, scenario: int) -> str:
        branch = self.scenarios[scenario].branch
        return "" if branch < 0 else str(self.case.branches["branch_id"].iloc[branch])

    def node_of(self, bus_id: int) -> int:
        """Node of a bus in the part's numbering; -1 where the bus is off or cut off."""
        a = self.solver.arrays
        at = np.flatnonzero(a.bus_ids == bus_id)
        if not len(at):
            raise KeyError(f"no bus {bus_id}")
        return -1 if a.off[at[0]] else int(self.solver._local[a.node[at[0]]])

    def _add_outages(self, progress: Progress | None) -> None:
        solver, rows = self.solver, self.rows
        names = self.case.branches["branch_id"].to_numpy()
        own = rows.n_node <= OWN_FACTOR_NODES
        found, diverged, unswept = [], [], []
        for block in solver.outages(rows.branch, progress):
            for s, status in enumerate(block.status):
                at = block.first + s
                branch = int(rows.branch[at])
                if solver.reference_lost(branch):
                    unswept.append(str(names[branch]))
                    continue
                if status is Status.DIVERGED:
                    diverged.append(str(names[branch]))
                    continue
                voltage = block.node_voltage[solver.members, s]
                slow = bool(block.again[s]) or int(block.steps[s]) > SLOW_STEPS
                made = self._scenario(at, branch, voltage, own or slow)
                if made is None:
                    unswept.append(str(names[branch]))
                else:
                    found.append(made)
        self.ac_states += len(rows.branch)
        self.scenarios = (*self.scenarios, *found)
        self.diverged, self.unswept = tuple(diverged), tuple(unswept)

    def _scenario(self, at: int, branch: int, voltage: Complexes, own: bool) -> Scenario | None:
        """The scenario of one outage; None where its dead side cannot be followed."""
        solver, rows = self.solver, self.rows
        dead = np.zeros(rows.n_node, dtype=bool)
        dead[solver.lost_nodes(branch)] = True
        f, t = int(rows.f[at]), int(rows.t[at])
        y = np.concatenate([rows.yf[:, at], rows.yt[:, at]])
        sees = np.array([float(not dead[f]), float(not dead[t])])
        made = Scenario(branch, at, voltage, dead, f, t, y, sees, None)
        if dead.any():
            return self._with_dead_side(made)
        if not own:
            return made
        ybus = _without(solver.ybus, made)
        factor = Factor.of(base_jacobian(ybus, voltage, solver.held, solver.weight, solver.reference))
        places = Places.of(solver.held, solver.reference, factor)
        return replace(made, own=(factor, places))

    def _with_dead_side(self, made: Scenario) -> Scenario | None:
        """Voltages of the dead side too: it still sees the other's voltage and so stays solvable, unchecked."""
        solver = self.solver
        start = replace(made, voltage=solver.voltage)
        correction = self._corrections_of([start])[0]
        v = tuple(x[:, None].copy() for x in (start.voltage.real, start.voltage.imag, np.abs(start.voltage)))
        injected = (solver.injected.real[:, None].copy(), solver.injected.imag[:, None].copy())
        base = (solver.factor, solver._places)
        if self._chord(start, base, correction, v, injected, np.array([0]), np.zeros(1))[0]:
            return replace(made, voltage=v[0][:, 0] + 1j * v[1][:, 0])
        settled, vr, vi = self._again(start, start.voltage, solver.injected.real, solver.injected.imag, 0, 0.0)
        return replace(made, voltage=vr + 1j * vi) if settled else None

    def correction(self, scenario: int) -> tuple[Floats, Floats, Ints]:
        """(Z, M, places of the unknowns) that turn the base factor into the outage's; empty where none is needed."""
        one = self.scenarios[scenario]
        if one.branch < 0 or one.own is not None:
            return np.empty((0, 4)), np.zeros((4, 4)), np.full(4, -1, np.int64)
        if scenario not in self._corrections:
            made = self._corrections_of([one])[0]
            if self._bytes > CORRECTION_BYTES:
                return made
            self._corrections[scenario] = made
            self._bytes += made[0].nbytes
        return self._corrections[scenario]

    def _corrections_of(self, some: list[Scenario]) -> list[tuple[Floats, Floats, Ints]]:
        ports = self.solver.ports[:, [one.branch for one in some]]
        f, t = np.array([one.f for one in some]), np.array([one.t for one in some])
        sees = np.stack([one.sees for one in some], axis=1)
        z, inner, row = woodbury(self.solver, f, t, ports, sees)
        count = len(some)
        return [
            (np.ascontiguousarray(z[:, s::count]), np.ascontiguousarray(inner[:, :, s]), row[:, s].copy())
            for s in range(count)
        ]

    def prepare(self, progress: Progress | None = None) -> None:
        """Compute the corrections of all outages that fit the memory bound, many at a time."""
        wanted = [k for k, one in enumerate(self.scenarios) if one.own is None and k and k not in self._corrections]
        size = 4 * 8 * len(self.solver.factor.diagonal)
        wanted = wanted[: max(0, (CORRECTION_BYTES - self._bytes) // size)]
        for first in range(0, len(wanted), STATES):
            some = wanted[first : first + STATES]
            self._corrections |= dict(zip(some, self._corrections_of([self.scenarios[k] for k in some]), strict=True))
            if progress:
                progress("outages", min(1.0, (first + STATES) / max(1, len(wanted))))
        self._bytes += size * len(wanted)

    def factor_of(self, scenario: int) -> tuple[Factor, Places]:
        own = self.scenarios[scenario].own
        return own if own is not None else (self.solver.factor, self.solver._places)

    def unit_injection(self, nodes: Ints) -> Floats:
        """Power of one pu of plant at each node's equations in the base factor's order, shape (equations, lanes)."""
        return _unit_injection(self.solver._places, len(self.solver.factor.diagonal), nodes, self.settings.direction)

    def slopes(self, scenario: int, nodes: Ints, solved: Floats) -> tuple[Floats, Floats, Floats]:
        """dV (real, imaginary) and d|V| per pu of plant at each lane's node, shape (nodes, lanes).

        ``solved``: :meth:`unit_injection` solved with the base factor.
        """
        from grid.capacity.kernels import correct_shared

        one = self.scenarios[scenario]
        factor, places = self.factor_of(scenario)
        if one.own is not None:
            y = _unit_injection(places, len(factor.diagonal), nodes, self.settings.direction)
            factor.solve(y)
        elif one.branch >= 0:
            y = solved.copy()
            correct_shared(y, *self.correction(scenario))
        else:
            y = solved
        shape = (self.rows.n_node, len(nodes))
        dr, di, dm = np.empty(shape), np.empty(shape), np.empty(shape)
        v = one.voltage
        voltage_slopes(y, places.angle, places.magnitude, v.real.copy(), v.imag.copy(), dr, di, dm)
        return dr, di, dm

    def solve(
        self, scenario: int, nodes: Ints, p: Floats, slopes: tuple[Floats, Floats, Floats]
    ) -> tuple[Floats, Floats, Bools]:
        """AC states with ``p`` [pu] of plant at each lane's node; voltages (real, imaginary) and which settled."""
        one, solver = self.scenarios[scenario], self.solver
        factor, places = self.factor_of(scenario)
        dr, di, _ = slopes
        m = len(nodes)
        vr = one.voltage.real[:, None] + p * dr
        vi = one.voltage.imag[:, None] + p * di
        vm = np.hypot(vr, vi)
        held = solver.held
        if held.any():  # a straight step leaves the circle of a held voltage
            back = np.abs(one.voltage[held])[:, None] / vm[held]
            vr[held], vi[held] = vr[held] * back, vi[held] * back
            vm[held] = np.abs(one.voltage[held])[:, None]
        lanes = np.arange(m)
        p0 = np.repeat(solver.injected.real[:, None], m, axis=1)
        q0 = np.repeat(solver.injected.imag[:, None], m, axis=1)
        unit = self.settings.direction
        p0[nodes, lanes] += unit.real * p
        control = self.settings.plant
        q0[nodes, lanes] += 0.0 if control.droop_per_pu > 0 else unit.imag * p
        start = vr + 1j * vi
        settled = self._chord(one, (factor, places), self.correction(scenario), (vr, vi, vm), (p0, q0), nodes, p)
        self.ac_states += m
        for s in np.flatnonzero(~settled).tolist():
            p_lane, q_lane = p0[:, s].copy(), solver.injected.imag.copy()
            q_lane[nodes[s]] += 0.0 if control.droop_per_pu > 0 else unit.imag * p[s]
            settled[s], vr[:, s], vi[:, s] = self._again(one, start[:, s], p_lane, q_lane, int(nodes[s]), float(p[s]))
        return vr, vi, settled

    def _chord(
        self, one: Scenario, factor_places: tuple[Factor, Places], correction: tuple[Floats, Floats, Ints],
        v: tuple[Floats, Floats, Floats], injected: tuple[Floats, Floats], nodes: Ints, p: Floats,
    ) -> Bools:  # fmt: skip
        """Newton with a fixed factor, all lanes; voltages are changed in place."""
        solver, control, m = self.solver, self.settings.plant, len(nodes)
        factor, places = factor_places
        slope = control.droop_per_pu
        droop = (control.u_ref_pu, control.dead_band_pu, slope, control.q_max)
        lost = (np.full(m, one.f), np.full(m, one.t), np.repeat(one.y[:, None], m, axis=1),
                np.repeat(one.sees[:, None], m, axis=1))  # fmt: skip
        settled: Bools = chord(
            solver._csr, v, injected, (solver.current.real.copy(), solver.current.imag.copy()), lost,
            solver.weight, (places.row_p, places.row_q, places.angle, places.magnitude, places.sigma),
            (factor.lp, factor.li, factor.lx, factor.up, factor.ui, factor.ux, factor.diagonal),
            correction, nodes, p * self.settings.direction.real, droop, SETTLED_PU, MOST_STEPS,
        )  # fmt: skip
        return settled

    def _again(
        self, one: Scenario, start: Complexes, p0: Floats, q0: Floats, node: int, p: float
    ) -> tuple[bool, Floats, Floats]:
        """One state with a factor made where it starts; after that from the outage's own state, refactored often."""
        solver = self.solver
        ybus = solver.ybus if one.branch < 0 else _without(solver.ybus, one)
        nothing = (np.empty((0, 4)), np.zeros((4, 4)), np.full(4, -1, np.int64))
        nodes, power = np.array([node]), np.array([p])
        for shares in ((1.0,), (0.5, 1.0)):
            voltage = start if len(shares) == 1 else one.voltage
            for share in shares:
                p_part = solver.injected.real + share * (p0 - solver.injected.real)
                q_part = solver.injected.imag + share * (q0 - solver.injected.imag)
                for _ in range(REFACTORED):
                    try:
                        factor = Factor.of(base_jacobian(ybus, voltage, solver.held, solver.weight, solver.reference))
                    except RuntimeError:
                        break
                    places = Places.of(solver.held, solver.reference, factor)
                    v = tuple(x[:, None].copy() for x in (voltage.real, voltage.imag, np.abs(voltage)))
                    injected = (p_part[:, None].copy(), q_part[:, None].copy())
                    settled = bool(self._chord(one, (factor, places), nothing, v, injected, nodes, share * power)[0])
                    if settled or not np.isfinite(v[0]).all() or float(np.abs(v[2]).max()) > WILD_PU:
                        break
                    voltage = v[0][:, 0] + 1j * v[1][:, 0]
                if not settled:
                    break
                voltage = v[0][:, 0] + 1j * v[1][:, 0]
            if settled:
                return True, voltage.real, voltage.imag
        return False, start.real, start.imag


def _unit_injection(places: Places, size: int, nodes: Ints, unit: complex) -> Floats:
    lanes = np.arange(len(nodes))
    b = np.zeros((size, len(nodes)))
    b[places.row_p[nodes], lanes] = unit.real
    free = places.row_q[nodes] >= 0
    b[places.row_q[nodes][free], lanes[free]] = unit.imag
    return b


def _without(ybus: sp.csr_matrix, one: Scenario) -> sp.csr_matrix:
    """Admittances as the seeing sides have them after the loss."""
    y = one.y[0::2] + 1j * one.y[1::2]
    values = np.array([y[0] * one.sees[0], y[1] * one.sees[0], y[2] * one.sees[1], y[3] * one.sees[1]])
    rows, columns = [one.f, one.f, one.t, one.t], [one.f, one.t, one.f, one.t]
    return (ybus - sp.csr_matrix((values, (rows, columns)), shape=ybus.shape)).tocsr()
