"""The intact case and every single branch outage, solved and factored once, for all buses of a study.

Scenario 0 is the intact case. A bridge's loss is a split: the side without reference is *dead* and masked, the other
is held to its limits. A scenario runs on the base Jacobian with a rank-4 correction (see :mod:`grid.batch`), or on a
factor of its own where the network is small, the chord is slow, or generators stand at other reactive limits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from grid.batch import BatchSolver
from grid.batch_factor import STATES, Factor, JacobianPattern, Places
from grid.batch_outages import woodbury
from grid.capacity.lanes import (
    NO_CORRECTION,
    Correction,
    admittances_without,
    lane_schedule,
    reactive_drawn,
    run_chord,
)
from grid.capacity.modes import ModeKey, Ranges
from grid.capacity.rows import Rows, build_rows
from grid.capacity.settings import CapacitySettings
from grid.contracts import Status
from grid.model.contracts import BusBranch
from grid.solve_records import SolveOptions

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Bools = npt.NDArray[np.bool_]
Progress = Callable[[str, float], None]
ModeParts = tuple[Bools, Complexes, Factor, Places, Correction]
"""Held nodes, schedule, factor, its places, and the correction that goes with it."""

OWN_FACTOR_NODES = 350
"""Up to this size every outage has a factor of its own: exact slopes, fewer steps."""
SLOW_STEPS = 9
CORRECTION_BYTES = 1_500_000_000
"""Kept corrections of outages; beyond it they are computed whenever they are needed."""
MOST_MODES = 4000
"""Factors of further modes kept at a time."""
_NO_KEY: ModeKey = ((), ())


@dataclass(frozen=True)
class Scenario:
    """One outage (or none). ``voltage`` (nodes,) is its state without any plant; ``dead`` its cut-off nodes."""

    branch: int
    """Row of the case's branch table; -1: intact."""
    at: int
    """Number of the branch among the limited rows; -1: intact."""
    voltage: Complexes
    dead: Bools
    f: int = -1
    t: int = -1
    y: Floats = field(default_factory=lambda: np.zeros(8))
    """yff, yft, ytf, ytt of the lost branch as 8 reals."""
    sees: Floats = field(default_factory=lambda: np.zeros(2))
    """1 where the f and the t side no longer see the branch."""
    own: tuple[Factor, Places] | None = None
    """Factor at this scenario's own state, where it has one."""
    key: ModeKey = _NO_KEY
    """Generators at reactive limits without any plant."""


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
    ranges: Ranges | None = None
    """Reactive ranges of the generators, where the study keeps them."""
    ac_states: int = 0
    """AC states solved so far."""
    _corrections: dict[int, Correction] = field(default_factory=dict)
    _bytes: int = 0
    _modes: dict[tuple[int, ModeKey], ModeParts] = field(default_factory=dict)
    _patterns: dict[bytes, JacobianPattern] = field(default_factory=dict)

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
        return cls.at(BatchSolver.of_case(case, options, threads), settings, n_1=n_1, progress=progress)

    @classmethod
    def at(
        cls, solver: BatchSolver, settings: CapacitySettings, *, n_1: bool = True, progress: Progress | None = None
    ) -> Basis:
        """Around a solved base state."""
        rows = build_rows(solver, settings)
        ranges = Ranges.of(solver) if solver.options.reactive_limits else None
        key = _NO_KEY if ranges is None else ranges.key
        intact = Scenario(-1, -1, solver.voltage, np.zeros(rows.n_node, dtype=bool), key=key)
        basis = cls(solver, settings, rows, (intact,), (), (), ranges)
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
        """Node of a bus in the part's numbering; -1 where the bus is off or cut off.

        Raises
        ------
        KeyError
            If there is no such bus.
        """
        a = self.solver.arrays
        at = np.flatnonzero(a.bus_ids == bus_id)
        if not len(at):
            raise KeyError(f"no bus {bus_id}")
        inside = np.flatnonzero(self.solver.members == a.node[at[0]])
        return -1 if a.off[at[0]] or not len(inside) else int(inside[0])

    # building

    def _add_outages(self, progress: Progress | None) -> None:
        solver, rows = self.solver, self.rows
        names = self.case.branches["branch_id"].to_numpy()
        found: list[Scenario] = []
        diverged, unswept = [], []
        for block in solver.outages(rows.branch, progress):
            for s, status in enumerate(block.status):
                at = block.first + s
                branch, name = int(rows.branch[at]), str(names[rows.branch[at]])
                if status is Status.DIVERGED:
                    diverged.append(name)
                    continue
                slow = bool(block.again[s]) or int(block.steps[s]) > SLOW_STEPS
                voltage = block.node_voltage[solver.members, s]
                made = None if solver.reference_lost(branch) else self._scenario(at, branch, voltage, slow)
                if made is None:
                    unswept.append(name)
                else:
                    found.append(made)
        self.ac_states += len(rows.branch)
        self.scenarios = (*self.scenarios, *found)
        self.diverged, self.unswept = tuple(diverged), tuple(unswept)

    def _scenario(self, at: int, branch: int, voltage: Complexes, slow: bool) -> Scenario | None:
        """The scenario of one outage; None where its dead side cannot be followed."""
        rows = self.rows
        dead = np.zeros(rows.n_node, dtype=bool)
        dead[self.solver.lost_nodes(branch)] = True
        f, t = int(rows.f[at]), int(rows.t[at])
        y = np.concatenate([rows.yf[:, at], rows.yt[:, at]])
        sees = np.array([float(not dead[f]), float(not dead[t])])
        key = self.scenarios[0].key
        made: Scenario | None = Scenario(branch, at, voltage, dead, f, t, y, sees, None, key)
        assert made is not None
        if dead.any():
            made = self._with_dead_side(made)
        if made is None:
            return None
        if self.ranges is not None:
            made = replace(made, key=self._key_of(made))
        if slow or made.key != key or rows.n_node <= OWN_FACTOR_NODES:
            return replace(made, own=self._own_factor(made, made.key))
        return made

    def _with_dead_side(self, made: Scenario) -> Scenario | None:
        """Voltages of the dead side too: it still sees the other's voltage and so stays solvable, unchecked."""
        solver = self.solver
        start = replace(made, voltage=solver.voltage)
        nobody, nothing = np.array([0]), np.zeros(1)
        injected = lane_schedule(self.settings, solver.injected, nobody, nothing)
        for factor, correction in (
            ((solver.factor, solver._places), self._corrections_of([start])[0]),
            (self._own_factor(start, made.key), NO_CORRECTION),
        ):
            vr, vi = solver.voltage.real[:, None].copy(), solver.voltage.imag[:, None].copy()
            v = (vr, vi, np.hypot(vr, vi))
            parts = (injected[0].copy(), injected[1].copy())
            if run_chord(solver, self.settings, start, factor, correction, v, parts, nobody, nothing)[0]:
                whole = np.where(np.isnan(made.voltage), v[0][:, 0] + 1j * v[1][:, 0], made.voltage)
                return replace(made, voltage=np.asarray(whole, dtype=np.complex128))
        return None

    def _key_of(self, made: Scenario) -> ModeKey:
        """Generators at their limits in an outage's solved state."""
        ranges, solver = self.ranges, self.solver
        assert ranges is not None
        size = np.abs(made.voltage)
        away = np.abs(size - np.where(np.isfinite(ranges.set_point), ranges.set_point, size)) > 1e-7
        loose = away & ~made.dead
        output = reactive_drawn(solver, made, made.voltage[:, None])[:, 0] - solver.injected.imag + ranges.base
        upper = loose & (np.abs(output - ranges.high) <= np.abs(output - ranges.low))
        still = [np.isin(np.flatnonzero(made.dead), side) for side in ranges.key]
        dead = np.flatnonzero(made.dead)
        return (
            tuple(sorted({*np.flatnonzero(upper).tolist(), *dead[still[0]].tolist()})),
            tuple(sorted({*np.flatnonzero(loose & ~upper).tolist(), *dead[still[1]].tolist()})),
        )

    def _own_factor(self, one: Scenario, key: ModeKey) -> tuple[Factor, Places]:
        solver = self.solver
        held = solver.held if self.ranges is None else self.ranges.held(solver, key)
        factor = Factor.of(self.pattern(held).matrix(admittances_without(self, one), one.voltage))
        return factor, Places.of(held, solver.reference, factor)

    # what the lanes ask for

    def pattern(self, held: Bools) -> JacobianPattern:
        """Where the Jacobian's entries come from with some nodes holding their voltage."""
        name = held.tobytes()
        if name not in self._patterns:
            solver = self.solver
            self._patterns[name] = JacobianPattern.of(solver.ybus, held, solver.weight, solver.reference)
        return self._patterns[name]

    def mode(self, scenario: int, key: ModeKey) -> ModeParts:
        """Held nodes, schedule, factor, places and correction of a scenario whose generators stand at some limits."""
        one, solver = self.scenarios[scenario], self.solver
        if self.ranges is None:
            factor, places = one.own if one.own is not None else (solver.factor, solver._places)
            return solver.held, solver.injected, factor, places, self.correction(scenario)
        if (scenario, key) not in self._modes:
            if len(self._modes) >= MOST_MODES:
                self._modes.clear()
            held, schedule = self.ranges.held(solver, key), self.ranges.schedule(solver, key)
            if key == one.key and one.own is not None:
                made = (held, schedule, *one.own, NO_CORRECTION)
            elif key == one.key == self.scenarios[0].key:
                made = (held, schedule, solver.factor, solver._places, self.correction(scenario))
            else:
                made = (held, schedule, *self._own_factor(one, key), NO_CORRECTION)
            self._modes[scenario, key] = made
        return self._modes[scenario, key]

    def correction(self, scenario: int) -> Correction:
        """(Z, M, places of the unknowns) that turn the base factor into the outage's; empty where none is needed."""
        one = self.scenarios[scenario]
        if one.branch < 0 or one.own is not None:
            return NO_CORRECTION
        if scenario not in self._corrections:
            made = self._corrections_of([one])[0]
            if self._bytes > CORRECTION_BYTES:
                return made
            self._corrections[scenario] = made
            self._bytes += made[0].nbytes
        return self._corrections[scenario]

    def _corrections_of(self, some: list[Scenario]) -> list[Correction]:
        ports = self.solver.ports[:, [one.branch for one in some]]
        f, t = np.array([one.f for one in some]), np.array([one.t for one in some])
        z, inner, row = woodbury(self.solver, f, t, ports, np.stack([one.sees for one in some], axis=1))
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
