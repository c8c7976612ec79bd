"""Storage in the programme: power and content by bus, charge and discharge by point."""

from __future__ import annotations

import numpy as np

from grid.plan.contracts import Cut, Floats, PlanProblem
from grid.plan.programme import INF, MILLION, Columns, Rows


class StorageColumns:
    """Columns of storage; none where the problem has no storage."""

    def __init__(self, problem: PlanProblem, columns: Columns, weight: Floats) -> None:
        self.problem = problem
        s, h, terms = len(problem.stages), len(problem.points), problem.storage
        count = len(problem.storage_buses) if terms else 0
        mw = terms.cny_per_mw_a * weight / MILLION if terms else weight
        mwh = terms.cny_per_mwh_a * weight / MILLION if terms else weight
        most = terms.most_mw_per_bus if terms else 0.0
        self.power = columns.add((count, s), most, np.broadcast_to(mw, (count, s)))
        self.content = columns.add((count, s), INF, np.broadcast_to(mwh, (count, s)))
        self.charge = columns.add((count, h, s), INF)
        self.discharge = columns.add((count, h, s), INF)

    def add_rows(self, rows: Rows) -> None:
        """Hours of content, nothing taken down, energy kept by the year."""
        p, terms = self.problem, self.problem.storage
        if terms is None:
            return
        hours = np.array([point.weight_h for point in p.points])
        for k in range(len(p.storage_buses)):
            for s in range(len(p.stages)):
                power, content = self.power[k, s], self.content[k, s]
                rows.add(0.0, INF, (content, power), (1.0, -terms.least_hours))
                rows.add(-INF, 0.0, (content, power), (1.0, -terms.most_hours))
                if s:
                    rows.add(0.0, INF, (power, self.power[k, s - 1]), (1.0, -1.0))
                    rows.add(0.0, INF, (content, self.content[k, s - 1]), (1.0, -1.0))
                ch, dis = self.charge[k, :, s], self.discharge[k, :, s]
                for h in range(len(p.points)):
                    rows.add(-INF, 0.0, (ch[h], dis[h], power), (1.0, 1.0, -1.0))
                    rows.add(-INF, 0.0, (ch[h], content), (1.0, -1 / terms.sustain_h))
                    rows.add(-INF, 0.0, (dis[h], content), (1.0, -1 / terms.sustain_h))
                rows.add(0.0, 0.0, [*ch, *dis], [*(hours * terms.efficiency), *-hours])
                share = hours.sum() / 8760
                rows.add(-INF, 0.0, [*ch, content], [*hours, -terms.cycles_per_a * share])

    def in_cut(self, cut: Cut, stage: int) -> tuple[list[int], list[float]]:
        """Columns and values of a row of the network."""
        index: list[int] = []
        values: list[float] = []
        for k in range(len(self.power)):
            slope = float(cut.gradient[self.problem.bus_row[self.problem.storage_buses[k]]])
            if slope:
                index += [int(self.charge[k, cut.point, stage]), int(self.discharge[k, cut.point, stage])]
                values += [-slope, slope]
        return index, values

    def reach(self, cut: Cut) -> float:
        """By how much storage can raise a row."""
        terms = self.problem.storage
        if terms is None:
            return 0.0
        at = [self.problem.bus_row[bus] for bus in self.problem.storage_buses]
        return float(np.abs(cut.gradient[at]).sum()) * terms.most_mw_per_bus
