"""One walk of the greedy plan: offers in the order of what they cost, each as far as goals, rows and money go."""

from __future__ import annotations

import numpy as np

from grid.plan.contracts import Access, Bools, Floats, Ints, PlanProblem
from grid.plan.model import counts_for

ROOM = 1 - 1e-9
"""Part of what fits that is taken: nothing stands above a limit by rounding."""
LEAST_MW = 1e-6


class Money:
    """What measures, plants and the storage that goes with them cost by stage, and what the budgets leave.

    Storage is ``max(asked, share x new MW)``, each with the same hours of content. What targets ask of it is cut to
    what the buses, the ceilings and the budgets take.
    """

    def __init__(self, p: PlanProblem, measures: Bools) -> None:
        self.p, settings, terms = p, p.settings, p.storage
        self.share = settings.storage_share if terms is not None else 0.0
        self.hours = max(terms.least_hours, settings.storage_hours if self.share > 0 else 0.0) if terms else 0.0
        self.store_cny = terms.cny_per_mw_a + self.hours * terms.cny_per_mwh_a if terms else 0.0
        self.store_invest = self.hours * terms.investment_cny_per_mwh if terms else 0.0
        prices = np.array([m.cost_cny_per_a for m in p.measures])
        invested = sum(m.investment_cny for m, b in zip(p.measures, measures[:, -1], strict=True) if b)
        self.spent = prices @ measures if len(prices) else np.zeros(len(p.stages))
        self.grid_left = settings.grid_budget_cny - invested
        self.most = np.full(len(p.stages), len(p.storage_buses) * terms.most_mw_per_bus if terms else 0.0)
        for t in p.targets:
            if t.group == "storage" and t.ceiling:
                self.most[: t.stage + 1] = np.minimum(self.most[: t.stage + 1], t.new_mw)
        self.asked = self._asked()

    def _asked(self) -> Floats:
        """Storage [MW] that targets ask for by stage, as far as it can be had; it never falls."""
        floors = [t for t in self.p.targets if t.group == "storage" and not t.ceiling]
        asked = np.array(
            [max((t.new_mw for t in floors if t.stage <= s), default=0.0) for s in range(len(self.p.stages))]
        )
        room = np.maximum(self.p.settings.budget_cny_per_a - self.spent, 0.0)
        most = np.minimum(self.most, room / self.store_cny if self.store_cny > 0 else np.inf)
        if self.store_invest > 0:
            most = np.minimum(most, max(0.0, self.grid_left) / self.store_invest)
        return np.minimum.accumulate(np.minimum(asked, most)[::-1])[::-1]

    def storage_mw(self, total_mw: Floats) -> Floats:
        """Storage by stage [MW] beside so much new grid capacity by stage."""
        return np.maximum(self.asked, self.share * total_mw)

    def yearly(self, plants_cny: Floats, total_mw: Floats) -> Floats:
        """Yearly cost of each stage [CNY]."""
        return self.spent + plants_cny + self.store_cny * self.storage_mw(total_mw)

    def affords(self, plants_cny: Floats, total_mw: Floats, stage: int, unit_cny: float, fixed_cny: Floats) -> float:
        """MW more that budgets and storage allow from a stage on; ``fixed_cny`` by stage is paid with the first MW."""
        now = self.yearly(plants_cny, total_mw)
        free = self.asked / self.share - total_mw if self.share > 0 else np.full(len(now), np.inf)
        most = np.inf
        for s in range(stage, len(now)):
            left = self.p.settings.budget_cny_per_a - now[s] - fixed_cny[s]
            most = min(most, _bought(left, unit_cny, self.share * self.store_cny, float(free[s])))
            if self.share > 0:
                most = min(most, self.most[s] / self.share - total_mw[s])
        stored = self.store_invest * self.storage_mw(total_mw)[-1]
        return min(most, _bought(self.grid_left - stored, 0.0, self.share * self.store_invest, float(free[-1])))

    def storage(self, total_mw: Floats) -> tuple[Floats, Floats]:
        """MW and MWh by bus and stage, bus by bus up to what a bus takes; at rest it loads nothing."""
        shape = (len(self.p.storage_buses) if self.p.storage else 0, len(self.p.stages))
        power = np.zeros(shape)
        left = self.storage_mw(total_mw)
        for k in range(shape[0]):
            assert self.p.storage is not None
            power[k] = np.minimum(left, self.p.storage.most_mw_per_bus)
            left = left - power[k]
        return power, power * self.hours


def _bought(left_cny: float, unit_cny: float, rate_cny: float, free_mw: float) -> float:
    """MW w with ``unit x w + rate x max(0, w - free) = left``; infinite where nothing costs anything."""
    if left_cny < 0:
        return 0.0
    if not np.isfinite(left_cny):
        return np.inf
    free_mw = max(0.0, free_mw)
    if unit_cny * free_mw >= left_cny and unit_cny > 0:
        return left_cny / unit_cny
    dear = unit_cny + rate_cny
    if dear <= 0 or not np.isfinite(free_mw):
        return np.inf if unit_cny <= 0 else left_cny / unit_cny
    return (left_cny + rate_cny * free_mw) / dear


class Walk:
    """Offers taken so far: ``mw`` (offers, stages), rooms of the rows, money.

    ``gradient`` (rows, offers), ``room`` (rows) and ``stage_of`` (rows) are the network's rows with the measures.
    """

    def __init__(self, p: PlanProblem, measures: Bools, gradient: Floats, room: Floats, stage_of: Ints) -> None:
        self.p, self.room, self.stage_of = p, room, stage_of
        self.gradient = gradient
        self.money = Money(p, measures)
        self.mw = np.zeros((len(p.offers), len(p.stages)))
        self.plants_cny = np.zeros(len(p.stages))
        self.used: set[int] = set()
        self.bays = dict(p.bays)
        self.stands = measures
        self.floors = [t for t in p.targets if not t.ceiling and t.group != "storage"]
        self.ceilings = [t for t in p.targets if t.ceiling and t.group != "storage"]
        self.have, self.under = np.zeros(len(self.floors)), np.zeros(len(self.ceilings))
        lots = [p.lots[k] for k, _ in p.offers]
        self.unit = np.array(
            [lot.cost_cny_per_mw_a + a.cny_per_mw_a for lot, (_, a) in zip(lots, p.offers, strict=True)]
        )
        self.fixed = np.array([a.fixed_cny_per_a for _, a in p.offers])
        self.capacity = np.array([lot.capacity_mw for lot in lots])
        self.by_mw = self.unit + self.fixed / self.capacity + self.money.share * self.money.store_cny
        energy = np.array([max(lot.energy_mwh_per_mw, 1e-9) for lot in lots])
        by_power = p.settings.objective in ("most_mw", "least_cny_per_mw")
        self.order = np.argsort(self.by_mw if by_power else self.by_mw / energy, kind="stable").tolist()

    def towards_targets(self) -> None:
        """Stage by stage what targets (and the floor of MW) ask."""
        for s in range(len(self.p.stages)):
            for o in self.order:
                self._take(o, s, self._asked(o, s))

    def fill(self) -> None:
        """Everything that still fits; where the mean cost by MW counts, only what is cheaper than the mean."""
        mean_counts = self.p.settings.objective == "least_cny_per_mw"
        for s in range(len(self.p.stages)):
            for o in self.order:
                if not mean_counts or self.by_mw[o] < self._mean_cny_per_mw():
                    self._take(o, s, np.inf)

    def _mean_cny_per_mw(self) -> float:
        """Cost by MW of what stands; nothing stands for nothing."""
        weight = np.array([stage.weight for stage in self.p.stages])
        total = self.mw.sum(axis=0)
        mw = float(weight @ total)
        return float(weight @ self.money.yearly(self.plants_cny, total)) / mw if mw > 0 else 0.0

    def _asked(self, o: int, s: int) -> float:
        """MW that the goals of a stage still want of an offer; what an earlier one lacks cannot be made good."""
        k = int(self.p.offer_lot[o])
        wanted: list[float] = [
            float(t.new_mw - have) / self.p.lots[k].installed_per_mw
            for t, have in zip(self.floors, self.have, strict=True)
            if t.stage == s and counts_for(self.p, k, t)
        ]
        if self.p.settings.objective == "least_cny_per_mw" and s == len(self.p.stages) - 1:
            wanted.append(self.p.settings.least_mw - float(self.mw[:, -1].sum()))
        return max(wanted, default=0.0)

    def _opened(self, access: Access, s: int, connected: bool) -> bool:
        """Whether an access is there: its station stands and, for who is not connected yet, has bays left."""
        if not access.requires:
            return True
        stands = bool(self.stands[self.p.measure_row[access.requires], s])
        return stands and (connected or self.bays.get(access.bus_id, access.bays) >= access.bays)

    def _take(self, o: int, s: int, want: float) -> None:
        """As much of ``want`` [MW] of an offer from a stage on as its lot, ceilings, budgets and rows leave."""
        k, access = self.p.offers[o]
        lot, standing = self.p.lots[k], float(self.mw[o, -1])
        elsewhere = k in self.used and standing == 0
        want = min(want, lot.capacity_mw - standing)
        if want <= LEAST_MW or elsewhere or access.collector_id or not self._opened(access, s, standing > 0):
            return
        for t, have in zip(self.ceilings, self.under, strict=True):
            if t.stage >= s and counts_for(self.p, k, t):
                want = min(want, (t.new_mw - have) / lot.installed_per_mw)
        total, first = self.mw.sum(axis=0), self.fixed[o] * (self.mw[o] == 0)
        want = min(want, self.money.affords(self.plants_cny, total, s, float(self.unit[o]), first))
        now = self.stage_of >= s
        slope, left = self.gradient[now, o], self.room[now]
        rising = slope > 1e-12
        if rising.any():
            want = min(want, float((left[rising] / slope[rising]).min()))
        if want <= LEAST_MW or self.mw[o, s] + want < lot.least_mw:
            return
        want *= ROOM
        self.plants_cny[s:] += want * self.unit[o] + first[s:]
        self.mw[o, s:] += want
        self.room[now] = left - slope * want
        self.used.add(k)
        if access.requires and not standing and access.bus_id in self.bays:
            self.bays[access.bus_id] -= access.bays
        for goals, reached in ((self.floors, self.have), (self.ceilings, self.under)):
            for i, t in enumerate(goals):
                reached[i] += want * lot.installed_per_mw * (t.stage >= s and counts_for(self.p, k, t))
