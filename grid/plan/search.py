"""Programme and AC states in turn: what every step of the plan's search is made of."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np

from grid.plan.contracts import Bools, Cut, Decision, Floats, PlanProblem, Round, Violation
from grid.plan.model import Master, Solved
from grid.plan.reached import Reached
from grid.plan.rows import NetworkBook, broken

Progress = Callable[[str, float], None]

MOST_ROUNDS = 40
"""Rounds of one programme and AC states."""
LEAST_PRICE = 1e-6
"""Price of a row [million CNY by row unit] below which it does not bind."""


@dataclass
class Search:
    """State of one search: the master, the network's book, what was found so far."""

    problem: PlanProblem
    master: Master
    book: NetworkBook
    progress: Progress
    started: float = field(default_factory=time.perf_counter)
    started_cpu: float = field(default_factory=time.process_time)
    cuts: list[Cut] = field(default_factory=list)
    rounds: list[Round] = field(default_factory=list)

    @classmethod
    def of(cls, problem: PlanProblem, progress: Progress | None = None) -> Search:
        return cls(problem, Master(problem), NetworkBook(problem), progress or (lambda label, share: None))

    @property
    def used_s(self) -> float:
        """Processor time since the search began: other work on the machine does not end a search."""
        return time.process_time() - self.started_cpu

    @property
    def left_s(self) -> float:
        """Seconds left of the time limit."""
        return self.problem.settings.time_limit_s - self.used_s

    def clean(
        self,
        what: str,
        measures: Bools | None,
        built: np.ndarray | None,
        missing: Floats | None,
        worse_than: float = np.inf,
    ) -> Clean:
        """Programme and AC states in turn until no limit is broken; measures and built lots are fixed.

        Points that were broken in the last round are asked first (in the first round those that ever were); the rest
        only once these are clean. Rows that were found in other networks lead the way; where a clean plan leans on
        one, they give way, and the network's own rows decide. Rows only ever raise the objective: as soon as it is
        not below ``worse_than``, the choice cannot be the best one and is left.
        """
        try:
            return self._clean(what, measures, built, missing, worse_than)
        finally:
            self.master.hold_to(None)

    def _clean(
        self, what: str, measures: Bools | None, built: np.ndarray | None, missing: Floats | None, worse_than: float
    ) -> Clean:
        hot = {cut.point for cut in self.cuts}
        held = measures is None
        for _ in range(MOST_ROUNDS):
            begun = time.perf_counter()
            solved = self.master.solve(whole=False, measures=measures, built=built, missing_at_most=missing)
            if solved.objective >= worse_than:
                self.note(what, solved, 0, 0, begun)
                return Clean(solved, [], 0, proved=False)
            configs = [solved.decision.config(self.problem, s) for s in range(len(self.problem.stages))]
            self.book.keep_near(configs)
            answer = self.ask(solved.decision, hot or None)
            if hot and not answer.cuts:
                answer = self.ask(solved.decision)
            self.note(what, solved, len(answer.cuts), len(answer.violations), begun)
            hot = {cut.point for cut in answer.cuts}
            if self.left_s < -0.5 * self.problem.settings.time_limit_s:
                break
            if not hot and (held or not self.master.leans_on_others(solved, configs)):
                break
            if not hot:
                self.master.hold_to(configs)
                held = True
        return Clean(solved, answer.violations, answer.diverged)

    def ask(self, decision: Decision, points: Iterable[int] | None = None) -> Asked:
        """AC states of some points (None: all) in every stage: new rows, which join the master, and broken limits."""
        cuts: list[Cut] = []
        violations: list[Violation] = []
        diverged = 0
        done: set[tuple[object, ...]] = set()
        for s, stage in enumerate(self.problem.stages):
            config = decision.config(self.problem, s)
            for h in range(len(self.problem.points)) if points is None else sorted(points):
                injections = decision.injections_mw(self.problem, h, s)
                key = (config, h, stage.load_factor, injections.round(9).tobytes())
                if key in done:
                    continue
                done.add(key)
                reached = self.book.reach(config, h, stage.load_factor, injections)
                if reached is None:
                    diverged += 1
                    continue
                diverged += reached.share < 1
                cuts += self.book.cuts(config, h, stage.load_factor, reached)
                violations += violations_of(reached, s, self.problem.points[h].id)
        self.cuts += cuts
        self.master.add_cuts(cuts)
        return Asked(cuts, violations, diverged)

    def note(self, what: str, solved: Solved, cuts: int, violations: int, begun: float) -> None:
        missing = float(solved.decision.missing_mw.sum())
        seconds = time.perf_counter() - begun
        self.rounds.append(Round(what, solved.cost_cny, solved.bound, missing, cuts, violations, seconds))
        used = 1 - max(0.0, self.left_s) / self.problem.settings.time_limit_s
        self.progress(f"plan {what}", min(0.99, used))


@dataclass(frozen=True)
class Asked:
    """What the AC states of one decision say."""

    cuts: list[Cut]
    violations: list[Violation]
    diverged: int


@dataclass(frozen=True)
class Clean:
    """The end of rounds: a plan, and what is still broken (nothing, unless the rounds ended early). Not ``proved``:
    left before the proof, since another plan is better."""

    solved: Solved
    violations: list[Violation]
    diverged: int
    proved: bool = True


@dataclass(frozen=True)
class Best:
    """Best clean plan and best bound so far, as minimised."""

    clean: Clean
    bound: float


def violations_of(reached: Reached, stage: int, point: str) -> list[Violation]:
    """Worst outage of each broken row."""
    sweep, over = reached.sweep, broken(reached)
    found = []
    for row in np.flatnonzero(over.any(axis=1)).tolist():
        k = int(np.where(over[row], reached.excess[row], -np.inf).argmax())
        kind, element = sweep.constraint_rows.name(row, sweep.model)
        value, limit = float(sweep.base_values[row, k]), float(sweep.limits[row, k])
        found.append(Violation(stage, point, kind, element, sweep.outage_name(k), value, limit))
    return found
