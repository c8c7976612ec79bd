"""The master problem: a mixed-integer linear programme of plants, measures, storage and curtailment, solved by HiGHS.

::

    min   sum_s w_s [ sum_o c_o x_os + f_o b_os + sum_m a_m y_ms + storage + curtailed energy ]      (least_cost)
    s.t.  x_os <= cap b_os,  x_os >= least b_os,  x, b, y never fall from stage to stage
          targets and quotas (elastic: what is missing is paid at PENALTY), storage share, budgets, utilisation floor
          p_bhs = sum_o a_oh x_os - curtailed_bhs + storage_bhs + agreements_bhs                 injections
          g . p_hs <= limit + sum_m relief_m (1 if the measure stands otherwise than in the row)  rows of the network

A relief that has no bound is the least that makes the row idle for every plan: what it could reach with all lots at
full output. Money is in
million CNY inside, so that all numbers are of the order of one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import highspy
import numpy as np

from grid.plan.agreements import AgreementColumns
from grid.plan.contracts import Cut, Decision, Floats, Ints, PlanProblem, PlanTarget
from grid.plan.programme import INF, MILLION, Columns, Rows, highs_of, quiet_highs
from grid.plan.storage_columns import StorageColumns

PENALTY_PER_MW = 200.0
"""Million CNY a year for a MW that is missing of a target: some five hundred times what a MW costs, so that a target
that can be reached is not missed by a part of a MW for the sake of a measure."""
MOST_NODES = 2000
"""Nodes of one mixed-integer solve: an end that does not depend on the machine."""
SMALL_COST = 1e-3
"""Weight of cost where the objective is energy or power, so that of equal plans the cheaper one is taken."""
ROOM_PERCENT = 3.0
ROOM_PU = 3e-3
"""What rows found in other networks leave open once a network's own rows are to decide."""
FEASIBLE = 2
"""HiGHS's status of a solution that keeps every row and bound."""


@dataclass(frozen=True)
class Solved:
    """Answer of one solve. ``objective`` and ``bound`` as minimised, in million CNY (or negative GWh, MW); ``cost``
    and ``quantity`` (energy [MWh] or power [MW] of the mean stage) are recomputed from the columns."""

    decision: Decision
    objective: float
    bound: float
    cost_cny: float
    quantity: float
    prices: Floats
    optimal: bool
    columns: Floats


class Unsolved(Exception):
    """HiGHS ended without a plan although every target is elastic: the budgets or shares contradict each other."""


class Master:
    """The programme of one problem. Network rows are added as they are found; nothing is ever taken away.

    ``frozen`` fixes measures and built lots, ``missing_at_most`` bounds what targets may lack (and drops the
    penalty). ``price_per_mw`` is the trial value of the objective CNY per MW.
    """

    def __init__(self, problem: PlanProblem) -> None:
        self.problem = problem
        self._table = Columns()
        self._layout()
        rows = Rows()
        self._plant_rows(rows)
        self._bay_rows(rows)
        self._measure_rows(rows)
        self.storage.add_rows(rows)
        self._year_rows(rows)
        self.agreements.add_rows(rows, self.x, self.y, self.curtailed)
        self._goal_rows(rows)
        self.first_cut_row = len(rows.lower)
        self.cuts: list[tuple[Cut, int]] = []
        self._uppers: list[float] = []
        self.price_per_mw = 0.0
        self.cost_weight = SMALL_COST
        self._highs = highs_of(self._table, rows, self._objective(penalty=True))

    # ---------------------------------------------------------------- columns

    def _layout(self) -> None:
        p, s = self.problem, len(self.problem.stages)
        weight = np.array([stage.weight for stage in p.stages])
        lots = [p.lots[k] for k, _ in p.offers]
        cost = np.array([lot.cost_cny_per_mw_a + a.cny_per_mw_a for lot, (_, a) in zip(lots, p.offers, strict=True)])
        energy = p.settings.objective == "most_energy"
        gain = np.array([lot.energy_mwh_per_mw if energy else 1.0 for lot in lots])
        capacity = np.array([lot.capacity_mw for lot in lots])
        n = len(p.offers)
        self.x = self._table.add(
            (n, s),
            np.repeat(capacity[:, None], s, 1),
            np.outer(cost, weight) / MILLION,
            quantity=np.outer(gain, weight),
        )
        self.lumpy = np.array(
            [lot.least_mw > 0 or a.fixed_cny_per_a > 0 for lot, (_, a) in zip(lots, p.offers, strict=True)], dtype=bool
        )
        fixed = np.array([a.fixed_cny_per_a for _, a in p.offers])[self.lumpy]
        self.b = self._table.add((int(self.lumpy.sum()), s), 1.0, np.outer(fixed, weight) / MILLION, whole=True)
        allowed = np.array(
            [[p.settings.measures_allowed and stage.year >= m.first_year for stage in p.stages] for m in p.measures],
            dtype=float,
        ).reshape(len(p.measures), s)
        price = np.array([m.cost_cny_per_a for m in p.measures])
        self.y = self._table.add((len(p.measures), s), allowed, np.outer(price, weight) / MILLION, whole=True)
        collectors = np.array([c.cost_cny_per_a for c in p.collectors])
        self.q = self._table.add((len(p.collectors), s), 1.0, np.outer(collectors, weight) / MILLION, whole=True)
        self.storage = StorageColumns(p, self._table, weight)
        self.curtailed = self._curtailed_columns(weight)
        self.agreements = AgreementColumns(p, self._table, weight)
        self.missing = self._table.add((len(p.targets),), INF, PENALTY_PER_MW)
        floor = int(p.settings.objective == "least_cny_per_mw")
        self.below_floor = self._table.add((floor,), INF, PENALTY_PER_MW)

    def _curtailed_columns(self, weight: Floats) -> Ints:
        """Curtailed power of each bus; a point where nothing may be curtailed has an upper bound of 0."""
        p = self.problem
        hours = np.array([point.weight_h for point in p.points])
        allowed = np.array([INF if point.curtailable else 0.0 for point in p.points])
        shape = (len(p.buses), len(p.points), len(p.stages))
        price = p.settings.curtailed_cny_per_mwh / MILLION
        energy = p.settings.objective == "most_energy"
        return self._table.add(
            shape,
            np.broadcast_to(allowed[None, :, None], shape),
            np.broadcast_to(price * hours[None, :, None] * weight, shape),
            quantity=np.broadcast_to(-hours[None, :, None] * weight, shape) if energy else 0.0,
        )

    # ---------------------------------------------------------------- rows

    def _plant_rows(self, rows: Rows) -> None:
        p, place = self.problem, np.cumsum(self.lumpy) - 1
        by_lot: dict[int, list[int]] = {}
        by_collector: dict[str, list[int]] = {}
        for o, (k, access) in enumerate(p.offers):
            by_lot.setdefault(k, []).append(o)
            if access.collector_id:
                by_collector.setdefault(access.collector_id, []).append(o)
        for s in range(len(p.stages)):
            for o, (k, access) in enumerate(p.offers):
                lot, x = p.lots[k], self.x[o, s]
                if self.lumpy[o]:
                    b = self.b[place[o], s]
                    rows.add(-INF, 0.0, (x, b), (1.0, -lot.capacity_mw))
                    if lot.least_mw > 0:
                        rows.add(0.0, INF, (x, b), (1.0, -min(lot.least_mw, lot.capacity_mw)))
                    if s:
                        rows.add(0.0, INF, (b, self.b[place[o], s - 1]), (1.0, -1.0))
                if s:
                    rows.add(0.0, INF, (x, self.x[o, s - 1]), (1.0, -1.0))
                if access.requires:
                    y = self.y[p.measure_row[access.requires], s]
                    rows.add(-INF, 0.0, (x, y), (1.0, -lot.capacity_mw))
            for k, offers in by_lot.items():
                if len(offers) > 1:
                    rows.add(-INF, p.lots[k].capacity_mw, self.x[offers, s], [1.0] * len(offers))
                    lumps = [self.b[place[o], s] for o in offers if self.lumpy[o]]
                    rows.add(-INF, 1.0, lumps, [1.0] * len(lumps))
            for c, collector in enumerate(p.collectors):
                offers = by_collector.get(collector.id, [])
                index = [*self.x[offers, s], self.q[c, s]]
                rows.add(-INF, 0.0, index, [1.0] * len(offers) + [-collector.capacity_mw])
                if s:
                    rows.add(0.0, INF, (self.q[c, s], self.q[c, s - 1]), (1.0, -1.0))

    def _bay_rows(self, rows: Rows) -> None:
        """Bays of a new station's bus: no more are taken than it has, none before the station stands."""
        p, place = self.problem, np.cumsum(self.lumpy) - 1
        for bus, count in p.bays.items():
            there = [(o, access) for o, (_, access) in enumerate(p.offers) if access.bus_id == bus and access.requires]
            if not there:
                continue
            measure = p.measure_row[there[0][1].requires]
            share = [1.0 if self.lumpy[o] else 1.0 / p.lots[p.offer_lot[o]].capacity_mw for o, _ in there]
            value = [access.bays * part for (_, access), part in zip(there, share, strict=True)]
            for s in range(len(p.stages)):
                index = [int(self.b[place[o], s] if self.lumpy[o] else self.x[o, s]) for o, _ in there]
                rows.add(-INF, 0.0, [*index, int(self.y[measure, s])], [*value, -float(count)])

    def _measure_rows(self, rows: Rows) -> None:
        p = self.problem
        groups: dict[str, list[int]] = {}
        for m, measure in enumerate(p.measures):
            if measure.exclusive_group:
                groups.setdefault(measure.exclusive_group, []).append(m)
            for s in range(len(p.stages)):
                if s:
                    rows.add(0.0, INF, (self.y[m, s], self.y[m, s - 1]), (1.0, -1.0))
                for needed in measure.requires:
                    rows.add(-INF, 0.0, (self.y[m, s], self.y[p.measure_row[needed], s]), (1.0, -1.0))
        for members in groups.values():
            for s in range(len(p.stages)):
                rows.add(-INF, 1.0, self.y[members, s], [1.0] * len(members))

    def _year_rows(self, rows: Rows) -> None:
        """Nothing is curtailed beyond what a bus produces, nor beyond the utilisation floor."""
        p = self.problem
        at_bus: dict[int, list[int]] = {}
        for o, bus in enumerate(p.offer_bus.tolist()):
            at_bus.setdefault(bus, []).append(o)
        hours = np.array([point.weight_h for point in p.points])
        full = p.availability[p.offer_lot]
        for s in range(len(p.stages)):
            for h, point in enumerate(p.points):
                if not point.curtailable:
                    continue
                for bus in range(len(p.buses)):
                    offers = at_bus.get(bus, [])
                    rows.add(-INF, 0.0, [self.curtailed[bus, h, s], *self.x[offers, s]], [1.0, *-full[offers, h]])
            if hours.sum() > 0:
                lost = 1 - p.settings.utilisation_floor
                columns = self.curtailed[:, :, s]
                weights = np.broadcast_to(hours, columns.shape)
                held, held_h = self.agreements.held_back(s)
                rows.add(
                    -INF,
                    0.0,
                    [*columns.ravel(), *held, *self.x[:, s]],
                    [*weights.ravel(), *held_h, *(-lost * (full @ hours))],
                )

    def _goal_rows(self, rows: Rows) -> None:
        p, settings = self.problem, self.problem.settings
        for t, target in enumerate(p.targets):
            if target.group == "storage":
                index, value = self.storage.power[:, target.stage].tolist(), [1.0] * len(self.storage.power)
            else:
                offers = [o for o, (k, _) in enumerate(p.offers) if counts_for(p, k, target)]
                index = self.x[offers, target.stage].tolist()
                value = [p.lots[p.offers[o][0]].installed_per_mw for o in offers]
            if target.ceiling:
                rows.add(-INF, target.new_mw, [*index, self.missing[t]], [*value, -1.0])
            else:
                rows.add(target.new_mw, INF, [*index, self.missing[t]], [*value, 1.0])
        for s in range(len(p.stages)):
            if settings.storage_share > 0 and p.storage is not None:
                plants, stores = self.x[:, s].tolist(), self.storage.power[:, s].tolist()
                rows.add(0.0, INF, [*stores, *plants], [1.0] * len(stores) + [-settings.storage_share] * len(plants))
                rows.add(
                    0.0,
                    INF,
                    [*self.storage.content[:, s], *plants],
                    [1.0] * len(stores) + [-settings.storage_share * settings.storage_hours] * len(plants),
                )
            if np.isfinite(settings.budget_cny_per_a):
                index, value = self._cost_of(s)
                rows.add(-INF, settings.budget_cny_per_a / MILLION, index, value)
        if np.isfinite(settings.grid_budget_cny):
            last = len(p.stages) - 1
            spent = [m.investment_cny / MILLION for m in p.measures]
            stored = p.storage.investment_cny_per_mwh / MILLION if p.storage else 0.0
            rows.add(
                -INF,
                settings.grid_budget_cny / MILLION,
                [*self.y[:, last], *self.storage.content[:, last]],
                [*spent, *([stored] * len(self.storage.content))],
            )
        if settings.objective == "least_cny_per_mw":
            index = [*self.x[:, -1], *self.below_floor]
            rows.add(settings.least_mw, INF, index, [1.0] * len(index))

    def _cost_of(self, stage: int) -> tuple[list[int], list[float]]:
        """Columns and yearly cost [million CNY] of one stage."""
        weight = self.problem.stages[stage].weight
        blocks = (
            self.x,
            self.b,
            self.y,
            self.q,
            self.storage.power,
            self.storage.content,
            self.curtailed,
            self.agreements.called,
        )
        index = [int(i) for block in blocks for i in np.asarray(block)[..., stage].ravel()]
        return index, [self._table.cost[i] / weight for i in index]

    # ---------------------------------------------------------------- network rows

    def add_cuts(self, cuts: Sequence[Cut]) -> None:
        """Add rows of the network to every stage whose load they belong to."""
        rows = Rows()
        for cut in cuts:
            for s, stage in enumerate(self.problem.stages):
                if stage.load_factor == cut.load_factor:
                    index, value, upper = self._cut_row(cut, s)
                    rows.add(-INF, upper, index, value)
                    self.cuts.append((cut, s))
                    self._uppers.append(upper)
        rows.add_to(self._highs)

    def leans_on_others(self, solved: Solved, configs: Sequence[frozenset[str]]) -> bool:
        """Whether a row has a price in a solution that says little about its stage's network."""
        rows = zip(solved.prices, self.cuts, strict=False)
        return any(price > 0 and self._is_foreign(cut, configs[s]) for price, (cut, s) in rows)

    def hold_to(self, configs: Sequence[frozenset[str]] | None) -> None:
        """Let rows that say little about these stages' networks lead no closer than :data:`ROOM_PERCENT`, so that the
        networks' own rows decide; None: all rows as they are."""
        for k, ((cut, s), upper) in enumerate(zip(self.cuts, self._uppers, strict=True)):
            foreign = configs is not None and self._is_foreign(cut, configs[s])
            room = (ROOM_PU if cut.kind.startswith("voltage") else ROOM_PERCENT) if foreign else 0.0
            self._highs.changeRowBounds(self.first_cut_row + k, -INF, upper + room)

    def _is_foreign(self, cut: Cut, config: frozenset[str]) -> bool:
        """Whether a row was found in a network in which other measures stood that move it, or in none."""
        measures = self.problem.measures
        moved = any((measures[need.measure].id in config) != need.built for need in cut.needs)
        return not cut.exact or (cut.config != config and moved)

    def _cut_row(self, cut: Cut, s: int) -> tuple[list[int], list[float], float]:
        p = self.problem
        used = np.flatnonzero(cut.gradient)
        offers = np.flatnonzero(np.isin(p.offer_bus, used))
        output = p.availability[p.offer_lot[offers], cut.point]
        value = cut.gradient[p.offer_bus[offers]] * output
        index = self.x[offers, s].tolist()
        values = value.tolist()
        if p.points[cut.point].curtailable:
            index += self.curtailed[used, cut.point, s].tolist()
            values += (-cut.gradient[used]).tolist()
        for block in (self.storage, self.agreements):
            more, slopes = block.in_cut(cut, s)
            index += more
            values += slopes
        upper = cut.limit
        if cut.needs:
            idle = self._idle(cut, s, value, offers)
            for need in cut.needs:
                relief = min(idle, need.relief)
                # row <= limit + relief (1 - y) where the measure stands, + relief y where it does not
                index.append(int(self.y[need.measure, s]))
                values.append(relief if need.built else -relief)
                upper += relief if need.built else 0.0
        return index, values, upper

    def _idle(self, cut: Cut, stage: int, value: Floats, offers: Ints) -> float:
        """What the row can reach beyond its limit: every lot at full capacity where that raises it, all else too."""
        p = self.problem
        capacity = np.array([p.lots[k].capacity_mw for k in p.offer_lot[offers]])
        reach = float((np.maximum(value, 0.0) * capacity).sum())
        reach += self.storage.reach(cut) + self.agreements.reach(cut, stage)
        if p.points[cut.point].curtailable:
            reach += float((np.maximum(-value, 0.0) * capacity).sum())
        return max(0.0, reach - cut.limit)

    # ---------------------------------------------------------------- solving

    def _objective(self, *, penalty: bool) -> Floats:
        cost, kind = np.array(self._table.cost), self.problem.settings.objective
        if not penalty:
            cost[self.missing] = 0.0
        if kind == "least_cost":
            return cost
        if kind == "least_cny_per_mw":
            return cost - self.price_per_mw / MILLION * np.array(self._table.quantity)
        scale = 1e-3 if kind == "most_energy" else 1.0
        money = cost * self.cost_weight
        money[self.missing] = cost[self.missing] * (100.0 if kind == "most_energy" else 1.0)
        return money - scale * np.array(self._table.quantity)

    def solve(
        self,
        *,
        whole: bool,
        measures: np.ndarray | None = None,
        built: np.ndarray | None = None,
        missing_at_most: Floats | None = None,
        gap: float = 1e-6,
        room: float = 1e-6,
        time_limit_s: float = 60.0,
        start: Floats | None = None,
    ) -> Solved:
        """Solve with or without integrality, measures, built lots and collectors fixed where given; a whole solve ends
        within ``gap`` of the objective or, by the objective's unit, within ``room`` of the bound.

        Raises
        ------
        Unsolved
            If HiGHS finds no plan.
        """
        highs = self._highs
        lower, upper = np.array(self._table.lower), np.array(self._table.upper)
        for block, fixed in ((self.y, measures), (np.concatenate([self.b, self.q]), built)):
            if fixed is not None:
                lower[block] = upper[block] = np.asarray(fixed, float)
        if missing_at_most is not None:
            upper[self.missing] = missing_at_most
        every = np.arange(len(lower), dtype=np.int32)
        highs.changeColsBounds(len(every), every, lower, upper)
        highs.changeColsCost(len(every), every, self._objective(penalty=missing_at_most is None))
        kind = np.zeros(len(every), dtype=np.uint8)
        if whole:
            kind[self._table.whole] = int(highspy.HighsVarType.kInteger)
        highs.changeColsIntegrality(len(every), every, kind)
        if whole:
            # a fresh solver: HiGHS counts the time limit from the first run of an object
            highs = quiet_highs()
            highs.passModel(self._highs.getLp())
            highs.setOptionValue("mip_rel_gap", gap)
            highs.setOptionValue("mip_abs_gap", max(room, 1e-6))
            highs.setOptionValue("mip_max_nodes", MOST_NODES)
            highs.setOptionValue("time_limit", time_limit_s)
            if start is not None:
                guess = highspy.HighsSolution()
                guess.col_value = start.tolist()
                highs.setSolution(guess)
        highs.run()
        if _optimal_in_scale_alone(highs):
            _run_unscaled(highs)
        return self._answer(highs, whole)

    def _answer(self, highs: highspy.Highs, whole: bool) -> Solved:
        status, info = highs.getModelStatus(), highs.getInfo()
        if info.primal_solution_status != FEASIBLE:
            raise Unsolved(f"HiGHS: {highs.modelStatusToString(status)}")
        solution = highs.getSolution()
        columns = np.array(solution.col_value)
        prices = np.zeros(0) if whole else np.abs(np.array(solution.row_dual)[self.first_cut_row :])
        cost = np.array(self._table.cost)
        cost[self.missing] = cost[self.below_floor] = 0.0
        objective = float(info.objective_function_value)
        return Solved(
            self._decision(columns),
            objective,
            float(info.mip_dual_bound) if whole and self._table.whole else objective,  # 0 where nothing is whole
            float(cost @ columns) * MILLION,
            float(np.array(self._table.quantity) @ columns),
            prices,
            status == highspy.HighsModelStatus.kOptimal,
            columns,
        )

    def _decision(self, v: Floats) -> Decision:
        mw = np.maximum(v[self.x], 0.0)
        mw[mw < 1e-6] = 0.0
        return Decision(
            mw,
            v[self.y] > 0.5,
            np.maximum(v[self.storage.power], 0.0),
            np.maximum(v[self.storage.content], 0.0),
            np.maximum(v[self.curtailed], 0.0),
            v[self.storage.discharge] - v[self.storage.charge],
            np.maximum(v[self.missing], 0.0),
            v[self.q] > 0.5,
            self.agreements.of_measures(v),
        )

    def most(self, missing_at_most: Floats) -> float:
        """LP bound of the quantity itself, without the small weight of cost: energy [MWh] or power [MW]."""
        self.cost_weight = 0.0
        try:
            return self.solve(whole=False, missing_at_most=missing_at_most).quantity
        finally:
            self.cost_weight = SMALL_COST

    def built_of(self, columns: Floats) -> np.ndarray:
        """The lots and collectors that stand, as :meth:`solve` takes them."""
        return np.asarray(np.round(columns[np.concatenate([self.b, self.q])]), dtype=np.float64)


def _optimal_in_scale_alone(highs: highspy.Highs) -> bool:
    """Whether HiGHS calls optimal what breaks a row in the programme's own units: its check was made after scaling."""
    optimal = highs.getModelStatus() == highspy.HighsModelStatus.kOptimal
    return optimal and highs.getInfo().primal_solution_status != FEASIBLE


def _run_unscaled(highs: highspy.Highs) -> None:
    """Solve from nothing without scaling: the basis of the run before and its scale are dropped."""
    _, usual = highs.getOptionValue("simplex_scale_strategy")
    highs.clearSolver()
    highs.setOptionValue("simplex_scale_strategy", 0)
    highs.run()
    highs.setOptionValue("simplex_scale_strategy", usual)


def counts_for(problem: PlanProblem, lot: int, target: PlanTarget) -> bool:
    """Whether a lot counts towards a target."""
    one = problem.lots[lot]
    return (
        (target.group == "renewable" or one.group == target.group)
        and (not target.districts or one.district_code in target.districts)
        and (not target.technologies or one.technology in target.technologies)
    )
