"""The search: master problem and AC states in turn until the plan is clean and the gap is closed.

1. *Without measures.* The master (a linear programme, no measure allowed) and the AC states of every point take turns
   until no limit is broken. The rows found are those of the network as it is.
2. *With measures.* The mixed-integer master chooses measures and lumpy lots; its bound holds for every plan. With that
   choice fixed, the linear programme and the AC states take turns until the plan is clean: a plan that can be built.
   Its rows join the master. This is repeated until the best clean plan is within the gap of the bound, or time is up;
   at last each measure is left out in turn, and stays out where the plan is better so.
3. *Missing targets.* Where even the best plan lacks MW of a target, what is missing is kept at its least and step 2 is
   repeated for the cost alone, so that cost and bound speak of money only.

The bound is that of the linearised network (tangents at AC states, margins included); the plan itself is proved by AC
load flow of every outage in every point.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from grid.plan.contracts import (
    Bools,
    Cut,
    Decision,
    Floats,
    PlanAnswer,
    PlanMeasure,
    PlanProblem,
    Point,
    Round,
    Violation,
    Wanted,
)
from grid.plan.expected import expected_rows
from grid.plan.influence import Probe
from grid.plan.model import SMALL_COST, Master, Solved, Unsolved
from grid.plan.reached import Reached
from grid.plan.rows import NetworkBook, broken

Progress = Callable[[str, float], None]

MOST_ROUNDS = 40
"""Rounds of one programme and AC states."""
MOST_CHOICES = 30
"""Choices of measures that are built and proved."""
MISSING_ROOM = 1e-3
"""MW by which a target may lack more in step 3 than in the best plan of step 2."""
DINKELBACH_ROUNDS = 6
LEAST_QUANTITY_MW = 1e-3
"""A plan of less is none."""
MASTER_TIME_S = 20.0
"""Least seconds by the clock for one choice; it ends by its number of nodes, so that only a machine that is many times
slower than others answers otherwise."""
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


def solve_plan(problem: PlanProblem, progress: Progress | None = None) -> PlanAnswer:
    """The plan of a problem, proved by AC.

    Raises
    ------
    grid.plan.model.Unsolved
        If budgets, shares and prerequisites contradict each other so that not even the empty plan is allowed.
    """
    return finish(*search_plan(Search.of(problem, progress)))


def search_plan(search: Search) -> tuple[Search, Best]:
    """Steps 1 to 3; the search that is given back holds the menu's measures and all rows."""
    first = without_measures(search)
    search = with_measures(search, first)
    if search.problem.settings.objective == "least_cny_per_mw":
        return search, pared(search, _cheapest_mw(search), None)
    best = _choices(search, None, _as_it_is(search))
    missing: Floats | None = best.clean.solved.decision.missing_mw
    if missing is not None and missing.sum() > MISSING_ROOM and search.problem.settings.objective == "least_cost":
        missing = missing + MISSING_ROOM
        best = _choices(search, missing, best)
    else:
        missing = None
    return search, pared(search, best, missing)


def without_measures(search: Search) -> Clean:
    """Step 1: the best plan on the network as it is."""
    problem = search.problem
    none = np.zeros((len(problem.measures), len(problem.stages)), dtype=bool)
    return search.clean("without measures", none, None, None)


def _as_it_is(search: Search) -> Best | None:
    """The plan without measures once more, its lots whole: what a menu has to be better than. None where there is no
    menu, or no such plan."""
    none = np.zeros((len(search.problem.measures), len(search.problem.stages)), dtype=bool)
    if not len(none):
        return None
    try:
        whole = search.master.solve(whole=True, measures=none, gap=search.problem.settings.gap / 3)
        clean = search.clean("without measures", none, search.master.built_of(whole.columns), None)
    except Unsolved:  # a share or a quota asks for more than the network as it is can have
        return None
    return None if clean.violations else Best(clean, -np.inf)


def with_measures(search: Search, first: Clean) -> Search:
    """The same search with the menu for what binds, the rows found so far bound to the measures that move them."""
    problem = search.problem
    if not problem.settings.measures_allowed:
        return search
    wanted: tuple[PlanMeasure, ...] = problem.measures
    if problem.menu is not None:
        known = {m.id for m in wanted}
        wanted += tuple(m for m in problem.menu(what_is_wanted(search, first.solved)) if m.id not in known)
    of_network = tuple(m for m in wanted if m.agreement is None)
    agreements = tuple(m for m in wanted if m.agreement is not None)
    # stations that plants may connect at are in whatever binds; the others are those for the dearest rows
    opening = tuple(m for m in of_network if m.id in problem.opening)
    others = tuple(m for m in of_network if m.id not in problem.opening)
    wanted = _closed(opening + others[: problem.settings.most_measures] + agreements, wanted)
    if not wanted:
        return search
    problem = replace(problem, measures=wanted)
    book = NetworkBook(problem)
    book.take_over(search.book)
    book.influence.probe_at(probes(search, first.solved))
    hot = sorted({(cut.point, cut.load_factor) for cut in search.cuts})
    states = [Probe(h, factor, np.zeros(len(problem.buses))) for h, factor in hot]
    cuts = book.with_needs([*search.cuts, *expected_rows(problem, book.influence.reliefs, states)])
    master = Master(problem)
    master.add_cuts(cuts)
    return replace(search, problem=problem, master=master, book=book, cuts=cuts)


def _closed(chosen: tuple[PlanMeasure, ...], every: tuple[PlanMeasure, ...]) -> tuple[PlanMeasure, ...]:
    """The chosen measures with all that they require."""
    ids = {m.id for m in chosen}
    while True:
        more = {r for m in every if m.id in ids for r in m.requires} - ids
        if not more:
            return tuple(m for m in every if m.id in ids)
        ids |= more


def what_is_wanted(search: Search, solved: Solved) -> Wanted:
    """What the menu is asked for: elements of the rows at their limit, then the outages under which they bind, the
    dearest first; buses by what a MW less of new plants in firm points, or of load, is worth at all rows together."""
    elements: dict[str, None] = {}
    outages: dict[str, None] = {}
    problem = search.problem
    held, fed = np.zeros(len(problem.buses)), np.zeros(len(problem.buses))
    for at in np.argsort(-solved.prices, kind="stable").tolist():
        if solved.prices[at] <= LEAST_PRICE:
            break
        cut, _ = search.master.cuts[at]
        elements[cut.element] = None
        if cut.outage:
            outages[cut.outage] = None
        worth = solved.prices[at] * cut.gradient
        fed -= worth
        if not problem.points[cut.point].curtailable:
            output = np.zeros(len(problem.buses))
            np.add.at(output, problem.offer_bus, problem.availability[problem.offer_lot, cut.point])
            held += np.where(output > 0, worth, 0.0)
    return Wanted(
        (*elements, *(o for o in outages if o not in elements)), _ranked(problem, held), _ranked(problem, fed)
    )


def _ranked(problem: PlanProblem, worth: Floats) -> tuple[str, ...]:
    """Buses of a positive worth, the largest first."""
    order = np.argsort(-worth, kind="stable")
    return tuple(problem.buses[k] for k in order.tolist() if worth[k] > 0)


def probes(search: Search, solved: Solved) -> list[Probe]:
    """Where the influence of measures is looked at: the point whose rows cost most, and the dearest one in which the
    new plants feed in less than half as much, if any row binds there (other branches bind at night than at noon)."""
    problem, decision = search.problem, solved.decision
    last = len(problem.stages) - 1
    worth = np.zeros(len(problem.points))
    for price, (cut, _) in zip(solved.prices, search.master.cuts, strict=False):
        worth[cut.point] += price if price > LEAST_PRICE else 0.0
    sums = np.array([decision.injections_mw(problem, h, last).sum() for h in range(len(problem.points))])
    order = np.lexsort((-sums, -worth)).tolist()
    other = [h for h in order if worth[h] > 0 and sums[h] < 0.5 * sums[order[0]]]
    factor = problem.stages[last].load_factor
    return [Probe(h, factor, decision.injections_mw(problem, h, last)) for h in (order[0], *other[:1])]


def _cheapest_mw(search: Search) -> Best:
    """Dinkelbach: the price at which cost - price x MW is least zero is the least cost by MW. The best plan of a round
    is what the next one begins with, so that none is worse."""
    best = None
    for _ in range(DINKELBACH_ROUNDS):
        best = _choices(search, None, best)
        solved = best.clean.solved
        nothing = solved.quantity < LEAST_QUANTITY_MW
        price = _dearest_mw(search.problem) if nothing else solved.cost_cny / solved.quantity
        if abs(price - search.master.price_per_mw) <= 1e-6 * price:
            break
        search.master.price_per_mw = price
    assert best is not None
    return best


def _dearest_mw(problem: PlanProblem) -> float:
    """Yearly cost of the dearest candidate by MW: at this price something is worth building."""
    return max(
        problem.lots[k].cost_cny_per_mw_a + access.cny_per_mw_a + access.fixed_cny_per_a / problem.lots[k].capacity_mw
        for k, access in problem.offers
    )


def _choices(search: Search, missing: Floats | None, known: Best | None = None) -> Best:
    """Step 2: choose by the mixed-integer master, make clean, compare with the bound."""
    gap, by_mw = search.problem.settings.gap, search.problem.settings.objective == "least_cny_per_mw"
    best: Clean | None = None
    bound = -np.inf
    guess = None
    if known is not None:
        best = priced(search, known.clean, missing) if by_mw or missing is not None else known.clean
        guess = best.solved.columns
    tried: set[bytes] = set()
    for _ in range(MOST_CHOICES):
        begun = time.perf_counter()
        try:
            chosen = search.master.solve(
                whole=True,
                missing_at_most=missing,
                gap=gap / 3,
                room=gap / 3 * (best.solved.cost_cny / 1e6 if best is not None and by_mw else 0.0),
                time_limit_s=max(MASTER_TIME_S, search.left_s),
                start=guess,
            )
        except Unsolved:
            if best is None:
                raise
            break
        search.note("choice", chosen, 0, 0, begun)
        bound = max(bound, chosen.bound)
        clean_best = best is not None and not best.violations
        if best is not None and clean_best and _gap(search, best.solved, bound) <= gap:
            break
        measures, built = chosen.decision.measures, search.master.built_of(chosen.columns)
        worse_than = best.solved.objective if best is not None and clean_best else np.inf
        try:
            clean = search.clean("proof", measures, built, missing, worse_than)
        except Unsolved:  # what is missing was fixed, and this choice cannot keep it any more
            if search.left_s < 0:
                break
            continue
        if best is None or (
            clean.proved and not clean.violations and (not clean_best or clean.solved.objective < worse_than)
        ):
            best, guess = clean, clean.solved.columns
        if not best.violations and _gap(search, best.solved, bound) <= gap:
            break
        key = measures.tobytes() + built.tobytes()
        if search.left_s < 0 or (key in tried and chosen.optimal):
            break
        if key in tried:  # the search for a better choice ended by its nodes: try what it did not
            less = pared(search, Best(best, bound), missing).clean
            if less is best:
                break
            best, guess = less, less.solved.columns
        tried.add(key)
    assert best is not None
    if not np.isfinite(bound):
        bound = search.master.solve(whole=False, missing_at_most=missing).bound
    return Best(best, min(bound, best.solved.objective))


def priced(search: Search, clean: Clean, missing: Floats | None) -> Clean:
    """A clean plan once more, valued by cost alone: its measures and lots fixed, what is missing bounded."""
    solved = clean.solved
    built = search.master.built_of(solved.columns)
    return search.clean("cost alone", solved.decision.measures, built, missing)


def pared(search: Search, best: Best, missing: Floats | None) -> Best:
    """The plan without those measures that do not pay: each is left out in turn, the dearest first, and stays out where
    the plan is better so. A choice within the gap of the bound may hold measures that nobody needs."""
    problem, clean = search.problem, best.clean
    if clean.violations:
        return best
    measures, built = clean.solved.decision.measures, search.master.built_of(clean.solved.columns)
    price = np.array([m.cost_cny_per_a for m in problem.measures])
    for row in np.argsort(-price, kind="stable").tolist():
        if not measures[row].any():
            continue
        left = measures.copy()
        left[[k for k, m in enumerate(problem.measures) if k == row or problem.measures[row].id in m.requires]] = False
        try:
            one = search.clean("one measure less", left, built, missing, clean.solved.objective)
        except Unsolved:  # a lot or a share needs it
            continue
        if one.proved and not one.violations:
            clean, measures = one, left
    return replace(best, clean=clean, bound=min(best.bound, clean.solved.objective))


def _gap(search: Search, solved: Solved, bound: float) -> float:
    """Distance of the bound from a plan's objective, by the objective's size; where cost less price by MW is minimised,
    which ends at zero, by the plan's cost: a share of the cost by MW."""
    by_mw = search.problem.settings.objective == "least_cny_per_mw"
    size = solved.cost_cny / 1e6 if by_mw else abs(solved.objective)
    return max(0.0, solved.objective - bound) / max(size, 1e-9)


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


def finish(search: Search, best: Best) -> PlanAnswer:
    """The answer of a search."""
    problem, solved = search.problem, best.clean.solved
    lowest = search.master.solve(whole=False)
    in_money = problem.settings.objective == "least_cost"
    penalty = float(solved.decision.missing_mw.sum())
    bound = best.bound * 1e6 if in_money else np.nan
    objective = solved.cost_cny
    if in_money and penalty > 0:
        bound = min(bound, objective)
    gap = 100 * _gap(search, solved, best.bound)
    most, most_lp = _most(search, best)
    notes = (f"{best.clean.diverged} states ended before the plan's injections",) if best.clean.diverged else ()
    return PlanAnswer(
        problem,
        solved.decision,
        objective,
        bound,
        solved.quantity,
        most,
        lowest.objective * 1e6 if in_money else most_lp,
        gap,
        time.perf_counter() - search.started,
        tuple(best.clean.violations),
        tuple(search.cuts),
        tuple(search.rounds),
        search.book.states_checked,
        best.clean.diverged,
        notes,
    )


def _most(search: Search, best: Best) -> tuple[float, float]:
    """Bounds of a maximised quantity, of the search and of the LP, for plans that lack no more than this one; NaN where
    cost is the objective.

    What is minimised holds a small weight of cost beside the quantity, so that its bound is below the
    quantity's by that of the dearest plan; without a budget the LP bound stands for both.
    """
    problem, solved = search.problem, best.clean.solved
    scale = {"most_energy": 1e3, "most_mw": 1.0}.get(problem.settings.objective, np.nan)
    if np.isnan(scale):
        return scale, scale
    missing = solved.decision.missing_mw
    most_lp = search.master.most(missing + MISSING_ROOM)
    if missing.sum() > MISSING_ROOM:
        return most_lp, most_lp
    most = scale * (SMALL_COST * problem.settings.budget_cny_per_a / 1e6 - best.bound)
    return min(most, most_lp), most_lp


def with_points(search: Search, best: Best, points: tuple[Point, ...], availability: Floats) -> tuple[Search, Best]:
    """The search with further points, and its plan made clean there too; measures and lumpy lots stay.

    The bound stays what it was: more points can only cost more.
    """
    old = search.problem
    together = np.hstack([old.availability, availability])
    problem = replace(old, points=(*old.points, *points), availability=together)
    master = Master(problem)
    master.price_per_mw = search.master.price_per_mw
    master.add_cuts(search.cuts)
    wider = replace(search, problem=problem, master=master, book=search.book.of(problem))
    solved = best.clean.solved
    lacking = solved.decision.missing_mw
    missing = lacking + MISSING_ROOM if lacking.sum() > MISSING_ROOM else None
    built = search.master.built_of(solved.columns)
    clean = wider.clean("extreme hours", solved.decision.measures, built, missing)
    return wider, Best(clean, min(best.bound, clean.solved.objective))
