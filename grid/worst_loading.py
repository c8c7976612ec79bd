"""Highest loading of every branch over many outages, gathered while they are computed."""

from __future__ import annotations

import numpy as np
import pandas as pd

from grid.admittance import GridModel
from grid.contracts import BRANCH_N_1, Status
from grid.engine import Solution

OVER_PERCENT = 100.0


class WorstLoading:
    """Sees the states after outages one by one; :meth:`table` tells what each branch had to carry at most."""

    def __init__(self, model: GridModel) -> None:
        self._model = model
        count = len(model.element_ids)
        self._highest = np.full(count, np.nan)
        self._outage = np.full(count, "", dtype=object)
        self._over = np.zeros(count, dtype=np.int64)

    def see(self, outage: str, state: Solution) -> None:
        """Take the state after ``outage`` into account; a diverged one has no loadings."""
        if state.status is Status.DIVERGED:
            return
        loading = np.asarray(state.loading_percent, dtype=float)
        higher = np.isfinite(loading) & ~(loading <= self._highest)
        self._highest[higher] = loading[higher]
        self._outage[higher] = outage
        self._over += np.nan_to_num(loading) > OVER_PERCENT

    def table(self, case: str) -> pd.DataFrame:
        """:data:`grid.contracts.BRANCH_N_1` of one case, branches in the model's order."""
        if not len(self._highest):
            return BRANCH_N_1.empty()
        return pd.DataFrame(
            {
                "case": case,
                "element": list(self._model.element_ids),
                "kind": np.where(self._model.is_transformer, "transformer", "line").astype(object),
                "loading_max_percent": self._highest,
                "outage": self._outage,
                "outages_over": self._over,
            }
        )
