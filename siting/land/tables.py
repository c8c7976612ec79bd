"""Tables of the land stage from exact sums: states and waterfall of the region and of each district."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.tables import Table
from siting.contracts import CO_USED_LAND, STATES, STATES_BY_DISTRICT, WATERFALL, WATERFALL_BY_DISTRICT
from siting.land.strips import LandPlan, StripOutcome, area_km2, fixed_area

Fixed = npt.NDArray[np.object_]
_OWN, _ELIGIBLE, _UNKNOWN, _OWNED, _PER_HOST, _PER_RULE = 0, 1, 2, 3, 4, 3
"""Rows of the sums, as in :mod:`siting.land.kernels` (which is not imported here: it needs the compiler)."""


class LandSums:
    """Sums of all strips; added as integers, hence free of order."""

    def __init__(self, plan: LandPlan, districts: int) -> None:
        self.plan = plan
        self._region = np.zeros((1, districts, 2), np.int64)
        self._hosts = [np.zeros((_PER_HOST + _PER_RULE * len(h.rules), districts, 2), np.int64) for h in plan.hosts]
        self._shared = np.zeros((len(plan.co_use), districts, 2), np.int64)

    def add(self, outcome: StripOutcome) -> None:
        self._region += outcome.region
        self._shared += outcome.shared
        for mine, found in zip(self._hosts, outcome.hosts, strict=True):
            mine += found.sums

    def states(self) -> pd.DataFrame:
        region = fixed_area(self._region)[0].sum()
        rows = [(name, *_state_row(fixed.sum(axis=1), region)) for name, fixed in self._fixed()]
        return _table(STATES, rows, 1)

    def states_by_district(self, codes: Sequence[str]) -> pd.DataFrame:
        region = fixed_area(self._region)[0]
        rows = [
            (code, name, *_state_row(fixed[:, k], region[k]))
            for k, code in enumerate(codes)
            for name, fixed in self._fixed()
        ]
        return _table(STATES_BY_DISTRICT, rows, 2)

    def waterfall(self) -> pd.DataFrame:
        rows = [row[:-1] for row in self._rule_rows(None)]
        return _table(WATERFALL, rows, 2)

    def waterfall_by_district(self, codes: Sequence[str]) -> pd.DataFrame:
        rows = [("", *row) for row in self._rule_rows(None)]
        rows += [(code, *row) for k, code in enumerate(codes) for row in self._rule_rows(k)]
        return _table(WATERFALL_BY_DISTRICT, rows, 3)

    def co_used(self) -> pd.DataFrame:
        shared = fixed_area(self._shared)
        rows = [(*pair, area_km2(shared[k].sum())) for k, pair in enumerate(self.plan.co_use)]
        return _table(CO_USED_LAND, rows, 2)

    def _fixed(self) -> list[tuple[str, Fixed]]:
        return [(h.type.host_type, fixed_area(s)) for h, s in zip(self.plan.hosts, self._hosts, strict=True)]

    def _rule_rows(self, district: int | None) -> list[tuple[object, ...]]:
        """host type, rule, lost, sole, shared, regained of the region (None) or of one district."""
        rows: list[tuple[object, ...]] = []
        for host, (name, fixed) in zip(self.plan.hosts, self._fixed(), strict=True):
            place = fixed.sum(axis=1) if district is None else fixed[:, district]
            for j, rule in enumerate(host.rules):
                lost, sole, regained = place[_PER_HOST + _PER_RULE * j :][:_PER_RULE]
                rows.append((name, rule.id, *map(area_km2, (lost, sole, lost - sole, regained))))
        return rows


def _state_row(fixed: Fixed, region: int) -> tuple[float, ...]:
    own, eligible, unknown, owned = fixed[_OWN], fixed[_ELIGIBLE], fixed[_UNKNOWN], fixed[_OWNED]
    return tuple(map(area_km2, (eligible, region - eligible - unknown, unknown, region, own, owned)))


def _table(contract: Table, rows: Sequence[tuple[object, ...]], labels: int) -> pd.DataFrame:
    names = list(contract.columns)
    table = pd.DataFrame(rows, columns=names)
    return contract.validate(table.astype({name: object if k < labels else float for k, name in enumerate(names)}))
