"""The staircase: how many GW the network takes for how much money, step by step, cheapest step first.

*Step 0* is the most grid capacity that passes every row of the firm points (the named cases, as a rule) on the network
as it is, proved by AC: what can be had without upgrades, at whichever sites it fits best. It asks for no target, so it
is no plan; a plan below it needs no measure unless its targets name places that are full.

*Each further step* builds the measure with the least investment by MW that it unlocks on top of those before it. Rows
rank the measures, AC proves what each brings: the cheapest by rows is proved first, then those that could still be
cheaper by rows than what was proved. Where no measure brings a MW alone, the cheapest set that does is one step.
Agreements (curtailment contracts, demand response) come after all that is built: what they add is held back or called
in the firm points.

Every proof starts from the rows of its own path, so that a step and the one before it are measured alike; rows of all
proofs together rank. *Beside* the steps stands every other measure with what it brings alone and why it is no step.
The work ends by a number of AC states, never by the clock: the same problem gives the same staircase on any machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from grid.plan.agreements import agreement_cny
from grid.plan.contracts import Bools, Cut, PlanMeasure, PlanProblem, Stage
from grid.plan.model import Master
from grid.plan.search import LEAST_PRICE, Clean, Search
from grid.plan.wanted import with_measures

LEAST_GAIN_MW = 1.0
LEAST_GAIN_SHARE = 1e-3
"""What a step unlocks, at least: so many MW, and this share of what the network takes as it is. Less is within what
tangents keep from the limits."""
MOST_STATES = 60_000
"""AC states of outages for the whole staircase (:attr:`grid.plan.rows.NetworkBook.effort`): about a minute."""
MOST_PROVED = 2
"""Measures that bring something, proved for one step; the cheapest of them is the step."""
MOST_SETS = 3
"""Sets of measures tried where no single one brings anything."""
TOLD = 3
"""Limits named for a step."""

Why = Literal["alternative", "covered", "nothing", "not_tried"]
"""Why a measure is no step: another one of its group is built; what it brings alone is brought by the steps already;
not even alone does it bring what counts; the work ended before it."""


@dataclass(frozen=True)
class Step:
    """Measures of a step (none: the network as it is), what is deliverable with them and all before [MW], what they
    cost (a year: with what the step calls of agreements more than the one before), whether AC proves it, the dearest
    limits that bind then and how many bind."""

    measure_ids: tuple[str, ...]
    deliverable_mw: float
    investment_cny: float
    annual_cost_cny: float
    proved: bool
    binds: tuple[Cut, ...] = ()
    binding_rows: int = 0


@dataclass(frozen=True)
class Beside:
    """A measure that is no step: why, what is built ``instead`` where it is an alternative, and what it unlocks alone
    on the network as it is [MW], proved by AC; NaN where it was not tried."""

    measure_id: str
    why: Why
    instead: str
    alone_mw: float


@dataclass(frozen=True)
class Staircase:
    """``problem`` is the one whose points the limits of the steps speak of; its measures are all that were
    considered. What brings less than ``least_mw`` counts as nothing."""

    problem: PlanProblem
    steps: tuple[Step, ...]
    beside: tuple[Beside, ...] = ()
    least_mw: float = LEAST_GAIN_MW

    def step_of(self, measure_id: str) -> int | None:
        """Number of the step that builds a measure."""
        return next((k for k, step in enumerate(self.steps) if measure_id in step.measure_ids), None)

    @property
    def order(self) -> tuple[str, ...]:
        """Measures in the order of the steps."""
        return tuple(name for step in self.steps for name in step.measure_ids)


def staircase(search: Search, most_states: int = MOST_STATES) -> Staircase:
    """The staircase of a finished search, in its last stage, without targets, budgets and storage."""
    wide = _without_goals(search)
    most = wide.book.effort + most_states
    clean = wide.clean("staircase", np.zeros((len(wide.problem.measures), 1), dtype=bool), None, None)
    first = _step((), clean, wide.master, 0.0, 0.0)
    wide = with_measures(wide, clean)
    climb = _Climb(wide, most, tuple(wide.cuts), [first])
    climb.ask_openings()
    while climb.goes_on():
        search.progress("plan staircase", climb.done)
    return Staircase(wide.problem, tuple(climb.steps), tuple(climb.beside()), climb.least_mw)


@dataclass(frozen=True)
class _Proof:
    """A set of measures at its AC states: what is deliverable, and the rows of its path."""

    rows: frozenset[int]
    clean: Clean
    cuts: tuple[Cut, ...]
    master: Master

    @property
    def mw(self) -> float:
        return self.clean.solved.quantity


@dataclass
class _Climb:
    """The way up. ``wide.master`` holds the rows of all proofs and ranks; ``path`` those of the steps so far."""

    wide: Search
    most_effort: float
    path: tuple[Cut, ...]
    steps: list[Step]
    built: frozenset[int] = frozenset()
    called_cny: float = 0.0
    base_path: tuple[Cut, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.base_path = self.path

    @property
    def problem(self) -> PlanProblem:
        return self.wide.problem

    @property
    def least_mw(self) -> float:
        """What brings less brings nothing."""
        return max(LEAST_GAIN_MW, LEAST_GAIN_SHARE * self.steps[0].deliverable_mw)

    @property
    def exhausted(self) -> bool:
        """Whether no more AC states are to be asked for."""
        return self.wide.book.effort >= self.most_effort

    @property
    def done(self) -> float:
        """Share of the measures that are built or out."""
        return min(0.99, len(self.built) / max(1, len(self.problem.measures)))

    def ask_openings(self) -> None:
        """No row speaks of the plants at a new station before it is built: what it brings is asked of AC once, so that
        rows can rank it."""
        for name in sorted(self.problem.opening & set(self.problem.measure_row)):
            if not self.exhausted:
                self._proof(self._with_required(self.problem.measure_row[name]), self.path)

    def goes_on(self) -> bool:
        """Build the next step; False at the top."""
        proof = None if self.exhausted else self._single() or self._set()
        if proof is None:
            return False
        new = sorted(proof.rows - self.built)
        measures = [self.problem.measures[row] for row in new]
        investment = sum(m.investment_cny for m in measures)
        called = float(agreement_cny(self.problem, proof.clean.solved.decision.called_mw, 0).sum())
        yearly = sum(m.cost_cny_per_a for m in measures) + called - self.called_cny
        ids = tuple(m.id for m in measures)
        self.steps.append(_step(ids, proof.clean, proof.master, investment, yearly))
        self.built, self.path, self.called_cny = proof.rows, proof.cuts, called
        return True

    # ------------------------------------------------------------ one measure

    def _single(self) -> _Proof | None:
        """The measure that unlocks the cheapest MW, proved; None where none brings any."""
        best: tuple[tuple[bool, float], _Proof] | None = None
        proved = 0
        for price, rows in self._ranked():
            if self.exhausted or proved >= MOST_PROVED or (best is not None and price >= best[0]):
                break
            proof = self._proof(rows, self.path)
            gain = proof.mw - self.steps[-1].deliverable_mw
            if gain < self.least_mw:
                continue
            proved += 1
            found = self._price(rows, gain)
            if best is None or found < best[0]:
                best = found, proof
        return None if best is None else best[1]

    def _ranked(self) -> list[tuple[tuple[bool, float], frozenset[int]]]:
        """Sets of one measure and what it requires that promise a gain by the rows, the cheapest MW first."""
        options = []
        for row in self._free():
            rows = self.built | self._with_required(row)
            gain = self._gain(self.built, rows)
            if gain >= self.least_mw:
                options.append((self._price(rows, gain), row, rows))
        return [(price, rows) for price, _, rows in sorted(options, key=lambda one: one[:2])]

    def _price(self, rows: frozenset[int], gain_mw: float) -> tuple[bool, float]:
        """What orders the steps: agreements last, by their yearly cost; all else by investment a MW."""
        new = [self.problem.measures[row] for row in rows - self.built]
        agreed = any(m.agreement is not None for m in new)
        cny = sum(m.cost_cny_per_a if agreed else m.investment_cny for m in new)
        return agreed, cny / gain_mw

    def _free(self) -> list[int]:
        """Measures that are not built and whose group has nothing built."""
        return [row for row in range(len(self.problem.measures)) if row not in self.built and not self._instead(row)]

    def _instead(self, row: int) -> str:
        """The measure of the same group that is built; empty where there is none."""
        group = self.problem.measures[row].exclusive_group
        members = [k for k in self.built if k != row and self.problem.measures[k].exclusive_group == group]
        return self.problem.measures[min(members)].id if group and members else ""

    def _with_required(self, row: int) -> frozenset[int]:
        found, open_rows = {row}, [row]
        while open_rows:
            needed = {self.problem.measure_row[r] for r in self.problem.measures[open_rows.pop()].requires} - found
            found |= needed
            open_rows += sorted(needed)
        return frozenset(found)

    # ------------------------------------------------------------ several measures

    def _set(self) -> _Proof | None:
        """The cheapest set that brings something where no single measure does; None at the top."""
        for _ in range(MOST_SETS):
            rows = self._cheapest_set()
            if rows is None or self.exhausted:
                return None
            proof = self._proof(rows, self.path)
            if proof.mw - self.steps[-1].deliverable_mw >= self.least_mw:
                return proof
        return None

    def _cheapest_set(self) -> frozenset[int] | None:
        """All that is free, the largest of each group, less what makes its MW dearer; None where all bring nothing."""
        chosen = self.built | _one_of_each_group(self.problem.measures, self._free())
        gain = self._gain(self.built, chosen)
        if gain < self.least_mw:
            return None
        price = self._price(chosen, gain)
        while True:
            cheaper = []
            for row in sorted(chosen - self.built):
                fewer = frozenset(k for k in chosen if row not in self._with_required(k))
                gain = self._gain(self.built, fewer)
                if gain >= self.least_mw:
                    cheaper.append((self._price(fewer, gain), row, fewer))
            least = min(cheaper, key=lambda one: one[:2], default=None)
            if least is None or least[0] >= price:
                return chosen
            price, _, chosen = least

    # ------------------------------------------------------------ rows and proofs

    def _gain(self, before: frozenset[int], rows: frozenset[int]) -> float:
        """What the rows of all proofs promise [MW]."""
        return self._by_rows(rows) - self._by_rows(before)

    def _by_rows(self, rows: frozenset[int]) -> float:
        return self.wide.master.solve(whole=False, measures=self._columns(rows)).quantity

    def _columns(self, rows: Iterable[int]) -> Bools:
        built = np.zeros((len(self.problem.measures), 1), dtype=bool)
        built[list(rows), 0] = True
        return built

    def _proof(self, rows: frozenset[int], path: Sequence[Cut]) -> _Proof:
        master = Master(self.problem)
        master.add_cuts(path)
        one = replace(self.wide, master=master, cuts=list(path))
        clean = one.clean("staircase", self._columns(rows), None, None)
        self.wide.master.add_cuts(one.cuts[len(path) :])
        return _Proof(rows, clean, tuple(one.cuts), master)

    # ------------------------------------------------------------ what is no step

    def beside(self) -> list[Beside]:
        """Every measure that is no step."""
        found = []
        for row, measure in enumerate(self.problem.measures):
            if row in self.built:
                continue
            instead = self._instead(row)
            alone = self._alone(row)
            why: Why = "covered" if alone > 0 else "nothing"
            if instead or np.isnan(alone):
                why = "alternative" if instead else "not_tried"
            found.append(Beside(measure.id, why, instead, alone))
        return found

    def _alone(self, row: int) -> float:
        """What a measure unlocks on the network as it is [MW], proved where the rows promise any; NaN: not tried."""
        rows = self._with_required(row)
        if self._gain(frozenset(), rows) < self.least_mw:
            return 0.0
        if self.exhausted:
            return float("nan")
        gain = self._proof(rows, self.base_path).mw - self.steps[0].deliverable_mw
        return gain if gain >= self.least_mw else 0.0


def _one_of_each_group(measures: Sequence[PlanMeasure], rows: Sequence[int]) -> frozenset[int]:
    """Of each group among ``rows`` the dearest measure of the network, without what requires one that is left out."""
    chosen: dict[str, int] = {}
    for row in sorted(rows, key=lambda k: (measures[k].investment_cny, k)):
        if measures[row].agreement is None:
            chosen[measures[row].exclusive_group or measures[row].id] = row
    ids = {measures[row].id for row in chosen.values()}
    return frozenset(row for row in chosen.values() if set(measures[row].requires) <= ids)


def _step(ids: tuple[str, ...], clean: Clean, master: Master, investment: float, yearly: float) -> Step:
    prices = clean.solved.prices
    binding: dict[tuple[str, str, str], Cut] = {}
    for at in np.argsort(-prices, kind="stable").tolist():
        if prices[at] <= LEAST_PRICE:
            break
        cut = master.cuts[at][0]
        binding.setdefault((cut.kind, cut.element, cut.outage), cut)
    proved = not clean.violations and not clean.diverged
    told = tuple(binding.values())[:TOLD]
    return Step(ids, clean.solved.quantity, investment, yearly, proved, told, len(binding))


def _without_goals(search: Search) -> Search:
    problem = search.problem
    last = problem.stages[-1]
    settings = replace(
        problem.settings,
        objective="most_mw",
        budget_cny_per_a=np.inf,
        grid_budget_cny=np.inf,
        storage_share=0.0,
        time_limit_s=1e9,  # the number of AC states ends it
        measures_allowed=True,
    )
    measures = tuple(replace(m, first_year=0) for m in problem.measures)
    # firm points decide what is deliverable: in the others plants can be held back
    firm = [h for h, point in enumerate(problem.points) if not point.curtailable] or list(range(len(problem.points)))
    wide = replace(
        problem,
        points=tuple(problem.points[h] for h in firm),
        availability=problem.availability[:, firm],
        stages=(Stage(last.year, 1.0, last.load_factor),),
        targets=(),
        settings=settings,
        storage=None,
        storage_buses=(),
        measures=measures,
    )
    # no rows of the plan: what the network takes as it is must not depend on what was planned
    return Search(wide, Master(wide), search.book.of(wide), lambda label, share: None)
