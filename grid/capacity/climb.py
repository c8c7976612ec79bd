"""First exits of many buses at once: screened, then certified.

*Screen*: values and slopes of every row in every outage's AC state give an estimated exit of each (bus, outage,
element); nothing is left out. *Settle*: the outages that bind first are solved by AC at the estimate and their
quadratics go through the new point, until the estimate stands still. *Certify*: every outage is solved by AC at the
answer; whatever binds earlier sends the bus back to *settle*.

Exits are in pu of added power. An outage whose states end before any row breaks exits where they end (*diverged*).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from grid.capacity.kernels import refit, screen
from grid.capacity.lanes import slopes_of, states_of, unit_injection
from grid.capacity.rows import DIVERGED, NOTHING, Rows
from grid.capacity.scenarios import Basis

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Progress = Callable[[str, float], None]

LANES = 64
"""Buses worked on side by side."""
TOLERANCE_MW = 0.02
"""The answer lies at most this far below the first exit."""
FIRST_LOOK = 8
"""Outages solved by AC at an estimate before the full sweep."""
NEAR = 1.05
"""Outages whose estimated exit lies within this factor of the least one are solved by AC."""
SETTLE_ROUNDS = 24
MOST_SWEEPS = 30
MOST_BUMPS = 2
FIRST_PROBE = 0.4
LOOK = 1.3
"""Exits beyond the cap by more than this factor are left out."""
NOSE_MW = 0.2


@dataclass
class Climb:
    """Exits of one hand of buses, shape (lanes, scenarios); ``cap`` (lanes,) is how far is looked."""

    basis: Basis
    nodes: Ints
    cap: Floats
    exits: Floats
    rows: Ints
    exits_2: Floats
    rows_2: Ints
    solved_at: Floats
    """Power of the last AC state; 0 where there is none."""
    good: Floats
    """Largest power with an AC state that breaks nothing."""
    bad: Floats
    """Least power with an AC state that breaks something, and the row that it breaks."""
    bad_row: Ints
    ends: Floats
    """Least power without an AC state."""
    bumps: Ints
    alive: Bools
    """Whether the plant is still connected in that outage."""
    solved: Floats
    """Unit injections solved with the base factor."""
    last: tuple[Floats, Floats] | None = None
    """Last solved voltages of each lane (nodes, lanes), kept where the climb is in one scenario alone."""

    @classmethod
    def of(cls, basis: Basis, nodes: Ints, cap: Floats, scenarios: Ints) -> Climb:
        """Screen of ``nodes`` in the scenarios given (numbers of ``basis.scenarios``), all others never exit."""
        shape = (len(nodes), len(basis.scenarios))
        solved = unit_injection(basis, nodes)
        basis.solver.factor.solve(solved)
        climb = cls(
            basis, nodes, cap, np.full(shape, np.inf), np.full(shape, NOTHING), np.full(shape, np.inf),
            np.full(shape, NOTHING), np.zeros(shape), np.zeros(shape), np.full(shape, np.inf),
            np.full(shape, NOTHING), np.full(shape, np.inf),
            np.zeros(shape, np.int64), np.ones(shape, dtype=bool), solved,
        )  # fmt: skip
        intact = len(scenarios) == 1
        if intact:
            v = np.repeat(basis.scenarios[int(scenarios[0])].voltage[:, None], len(nodes), axis=1)
            climb.last = (v.real.copy(), v.imag.copy())
        curve = None if intact else climb._intact_curve()
        for k in scenarios.tolist():
            climb._screen(k, curve)
        if intact:  # a first state on the way bends the straight estimates
            climb._solve(np.isfinite(climb.exits) & (climb.least > 0)[:, None], FIRST_PROBE * climb.least)
        return climb

    @property
    def tolerance(self) -> float:
        return TOLERANCE_MW / self.basis.base_mva

    @property
    def least(self) -> Floats:
        """First exit of each lane over all scenarios, at most its cap, shape (lanes,)."""
        return np.asarray(np.minimum(self.exits.min(axis=1), self.cap))

    def to_try(self) -> Floats:
        """Answer to try: just below the first exit, or the cap itself, shape (lanes,)."""
        least = self.least
        return np.asarray(np.where(least >= self.cap, self.cap, np.maximum(0.0, least - self.tolerance / 2)))

    def _intact_curve(self) -> tuple[Floats, Floats]:
        """Second-order change of the intact network's voltages per pu^2, (nodes, lanes), from a state at the cap.

        What an added power costs in reactive power bends the voltages; after an outage much the same.
        """
        basis, cap = self.basis, np.maximum(self.cap, 1e-6)
        slopes = self._slopes(0, np.arange(len(self.nodes)))
        vr, vi, settled = states_of(basis, 0, self.nodes, cap, slopes)
        v, known = basis.scenarios[0].voltage, np.where(settled, 1 / cap**2, 0.0)
        return (
            (vr - v.real[:, None] - slopes[0] * cap) * known,
            (vi - v.imag[:, None] - slopes[1] * cap) * known,
        )

    def _screen(self, k: int, curve: tuple[Floats, Floats] | None) -> None:
        basis, one = self.basis, self.basis.scenarios[k]
        self.alive[:, k] = ~one.dead[self.nodes]
        lanes = np.flatnonzero(self.alive[:, k])
        if not len(lanes):
            return
        slopes = self._slopes(k, lanes)
        v, cap = one.voltage, self.cap[lanes]
        first, second = np.full(len(lanes), np.inf), np.full(len(lanes), np.inf)
        row, row_2 = np.full(len(lanes), NOTHING), np.full(len(lanes), NOTHING)
        limits, base = limit_arguments(basis, k), (v.real.copy(), v.imag.copy())
        look = LOOK * cap + 0.1
        if curve is None:
            screen(*limits, *base, *slopes, look, first, second, row, row_2)  # type: ignore[call-arg]
        else:
            wr = base[0][:, None] + cap * (slopes[0] + cap * curve[0][:, lanes])
            wi = base[1][:, None] + cap * (slopes[1] + cap * curve[1][:, lanes])
            everywhere = np.ones(len(lanes), dtype=bool)
            refit(*limits, *base, *slopes, wr, wi, cap, np.zeros(len(lanes)), everywhere, look,  # type: ignore[call-arg]
                  first, second, row, row_2, np.zeros(len(lanes), dtype=bool))  # fmt: skip
        self.exits[lanes, k], self.rows[lanes, k] = first, row
        self.exits_2[lanes, k], self.rows_2[lanes, k] = second, row_2

    def _slopes(self, k: int, lanes: Ints) -> tuple[Floats, Floats, Floats]:
        solved = self.solved if len(lanes) == len(self.nodes) else np.ascontiguousarray(self.solved[:, lanes])
        return slopes_of(self.basis, k, self.nodes[lanes], solved)

    def settle(self, lanes: Bools) -> None:
        """AC states of the outages that bind first until the least exit of every lane stands still."""
        for turn in range(SETTLE_ROUNDS):
            least = self.least
            tight = np.minimum(NEAR * least + 10 * self.tolerance, self.cap)
            near = (self.exits <= tight[:, None]) & lanes[:, None]
            near &= np.abs(self.solved_at - least[:, None]) > self.tolerance / 4
            near &= least[:, None] > 0
            near &= ~((self.rows == DIVERGED) & (self.ends - self.good <= NOSE_MW / self.basis.base_mva))
            self._keep_first(near, FIRST_LOOK * (1 + turn // 4))
            if not near.any():
                return
            self._solve(near, least)

    def _keep_first(self, near: Bools, most: int) -> None:
        """Leave of each lane's outages the first ones; more of them the longer a lane does not stand still."""
        many = np.flatnonzero(near.sum(axis=1) > most)
        for lane in many.tolist():
            columns = np.flatnonzero(near[lane])
            order = np.argsort(self.exits[lane, columns], kind="stable")
            near[lane, columns[order[most:]]] = False

    def sweep(self, lanes: Bools, answer: Floats, progress: Progress | None = None) -> Bools:
        """AC states of every outage at the answers; lanes in which nothing is broken, shape (lanes,)."""
        wanted = self.alive & lanes[:, None] & (answer > 0)[:, None]
        wanted &= np.abs(self.solved_at - answer[:, None]) > 1e-12
        broken = self._solve(wanted, answer, progress)
        return np.asarray(lanes & ~broken)

    def _solve(self, wanted: Bools, p: Floats, progress: Progress | None = None) -> Bools:
        """AC at ``p`` (lanes,) of the wanted (lane, scenario) pairs; lanes in which something is broken there."""
        columns = np.flatnonzero(wanted.any(axis=0))
        broken = np.zeros(len(self.nodes), dtype=bool)
        jobs = columns.tolist()
        if self.basis.solver.threads > 1 and len(jobs) > 1:
            from concurrent.futures import ThreadPoolExecutor

            with ThreadPoolExecutor(self.basis.solver.threads) as pool:
                for found in pool.map(lambda k: self._solve_one(k, np.flatnonzero(wanted[:, k]), p), jobs):
                    broken[found] = True
            return broken
        for number, k in enumerate(jobs):
            broken[self._solve_one(k, np.flatnonzero(wanted[:, k]), p)] = True
            if progress and number % 50 == 0:
                progress("certify", number / len(jobs))
        return broken

    def _solve_one(self, k: int, lanes: Ints, p: Floats) -> Ints:
        """AC of one scenario's lanes, exits fitted again; lanes with something broken."""
        basis, one = self.basis, self.basis.scenarios[k]
        at = np.ascontiguousarray(p[lanes])
        slopes = self._slopes(k, lanes)
        near = None
        if self.last is not None:
            near = (self.last[0][:, lanes], self.last[1][:, lanes], self.solved_at[lanes, k])
        wr, wi, settled = states_of(basis, k, self.nodes[lanes], at, slopes, near)
        if self.last is not None:
            done = lanes[settled]
            self.last[0][:, done], self.last[1][:, done] = wr[:, settled], wi[:, settled]
        m = len(lanes)
        first, second = np.full(m, np.inf), np.full(m, np.inf)
        row, row_2 = np.full(m, NOTHING), np.full(m, NOTHING)
        over = np.zeros(m, dtype=bool)
        v = one.voltage
        refit(*limit_arguments(basis, k), v.real.copy(), v.imag.copy(), *slopes,  # type: ignore[call-arg]
              wr, wi, np.where(settled, at, 0.0), np.ascontiguousarray(self.good[lanes, k]),
              self.bumps[lanes, k] < MOST_BUMPS, LOOK * self.cap[lanes] + 0.1, first, second, row, row_2,
              over)  # fmt: skip
        self._note(k, lanes, at, settled, over, (first, second, row, row_2))
        return lanes[over | ~settled]

    def _note(
        self, k: int, lanes: Ints, at: Floats, settled: Bools, over: Bools,
        found: tuple[Floats, Floats, Ints, Ints],
    ) -> None:  # fmt: skip
        first, second, row, row_2 = found
        ok, failed = lanes[settled], lanes[~settled]
        self.solved_at[ok, k] = at[settled]
        self.exits[ok, k], self.rows[ok, k] = first[settled], row[settled]
        self.exits_2[ok, k], self.rows_2[ok, k] = second[settled], row_2[settled]
        fine = settled & ~over
        bump = fine & (first < at)
        self.bumps[lanes[bump], k] += 1
        clear = fine & ~bump
        self.good[lanes[clear], k] = np.maximum(self.good[lanes[clear], k], at[clear])
        self._bracket(k, lanes[settled], at[settled], over[settled])
        self.ends[failed, k] = np.minimum(self.ends[failed, k], at[~settled])
        beyond = np.isfinite(self.ends[lanes, k]) & (self.exits[lanes, k] >= self.ends[lanes, k])
        beyond |= ~settled
        for lane in lanes[beyond].tolist():  # no state there: look half way to the last one with
            reached = max(
                self.good[lane, k], self.solved_at[lane, k] if self.solved_at[lane, k] < self.ends[lane, k] else 0
            )
            gap = self.ends[lane, k] - reached
            small = gap <= NOSE_MW / self.basis.base_mva
            self.exits[lane, k] = reached if small else reached + gap / 2
            self.rows[lane, k] = DIVERGED

    def _bracket(self, k: int, lanes: Ints, at: Floats, over: Bools) -> None:
        """Keep each exit between the last power that holds and the first known one that does not."""
        worse = over & (at < self.bad[lanes, k])
        self.bad[lanes[worse], k], self.bad_row[lanes[worse], k] = at[worse], self.rows[lanes[worse], k]
        good, bad, exits = self.good[lanes, k], self.bad[lanes, k], self.exits[lanes, k]
        above = np.isfinite(bad) & (good < bad)
        gap = np.where(above, bad - good, 0.0)
        lost = above & ((exits > bad) | (exits < good + gap / 100))
        close = lost & (gap <= self.tolerance / 2)
        self.exits[lanes[lost], k] = np.where(close, good + self.tolerance / 2, good + gap / 2)[lost]
        self.rows[lanes[lost], k] = self.bad_row[lanes[lost], k]


def limit_arguments(basis: Basis, k: int) -> tuple[Any, ...]:
    """What both kernels take of the limits of scenario k."""
    rows, settings, one = basis.rows, basis.settings, basis.scenarios[k]
    limit, high, low, reverse = rows.limits(one.branch >= 0)
    if settings.voltage_step_pu is not None:
        size = np.abs(one.voltage)
        high, low = np.minimum(high, size + settings.voltage_step_pu), np.maximum(low, size - settings.voltage_step_pu)
    slack = (settings.slack_percent / 100, settings.slack_pu)
    return (rows.f, rows.t, rows.yf, rows.yt, rows.scale, limit, one.at, high, low, ~one.dead, rows.reverse_sign,
            reverse, slack)  # fmt: skip


@dataclass(frozen=True)
class Answers:
    """Answers of one hand of buses, arrays (lanes,): capacity [pu], what binds, and whether all outages were checked.

    ``estimated`` is the first exit by slopes alone, before any AC state with the plant; ``screened`` the answer before
    certification; ``next_*`` is the next different row on the way up.
    """

    capacity: Floats
    row: Ints
    scenario: Ints
    next_capacity: Floats
    next_row: Ints
    next_scenario: Ints
    estimated: Floats
    screened: Floats
    certified: Bools


def climb_buses(
    basis: Basis, nodes: Ints, cap: Floats, scenarios: Ints, certify: Bools, progress: Progress | None = None
) -> Answers:
    """First exits of ``nodes`` over ``scenarios``, certified where asked for.

    Parameters
    ----------
    nodes : array of int, shape (lanes,)
    cap : array, shape (lanes,)
        Largest power looked at [pu].
    scenarios : array of int
        Numbers of ``basis.scenarios``.
    certify : array of bool, shape (lanes,)
    """
    climb = Climb.of(basis, nodes, cap, scenarios)
    others = np.setdiff1d(np.arange(len(basis.scenarios)), scenarios)
    climb.alive[:, others] = False
    everyone = np.ones(len(nodes), dtype=bool)
    estimated = climb.least.copy()
    climb.settle(everyone)
    screened = climb.least.copy()
    certified = np.zeros(len(nodes), dtype=bool)
    answer = climb.to_try()
    if len(scenarios) == 1:
        certify = everyone
    for _ in range(MOST_SWEEPS):
        open_ = certify & ~certified
        if not open_.any():
            break
        answer[open_] = climb.to_try()[open_]
        clear = climb.sweep(open_, answer, progress)
        # clear is not enough: the exit itself must lie there, by quadratics that all go through this very point
        found = climb.least
        held = clear & (found >= answer) & ((found <= answer + 2 * climb.tolerance) | (answer >= cap))
        certified |= held
        climb.settle(open_ & ~held)
    return _answers(climb, answer, estimated, screened, certified)


def _answers(climb: Climb, answer: Floats, estimated: Floats, screened: Floats, certified: Bools) -> Answers:
    m = len(climb.nodes)
    scenario, row = np.full(m, 0), np.full(m, NOTHING)
    after, next_row, next_scenario = np.full(m, np.inf), np.full(m, NOTHING), np.full(m, 0)
    for lane in range(m):
        order = np.argsort(climb.exits[lane], kind="stable")
        best = int(order[0])
        if climb.exits[lane, best] > climb.cap[lane]:
            answer[lane] = climb.cap[lane]
            continue
        scenario[lane], row[lane] = best, climb.rows[lane, best]
        candidates = [(climb.exits_2[lane, best], climb.rows_2[lane, best], best)]
        for k in order[1:].tolist():
            if not same_element(climb.basis.rows, int(climb.rows[lane, k]), int(row[lane])):
                candidates.append((climb.exits[lane, k], climb.rows[lane, k], k))
                break
        after[lane], next_row[lane], next_scenario[lane] = min(candidates, key=lambda c: c[0])
    return Answers(answer, row, scenario, after, next_row, next_scenario, estimated, screened, certified)


def same_element(rows: Rows, one: int, other: int) -> bool:
    """Whether two rows are the same limit of the same element (either end of a branch)."""
    nb = rows.n_branch
    if 0 <= one < 2 * nb and 0 <= other < 2 * nb:
        return one % nb == other % nb
    return one == other
