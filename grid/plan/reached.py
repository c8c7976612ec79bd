"""A set of AC states that the search has reached."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grid.plan.contracts import Floats
from grid.sweep import CaseSweep


@dataclass(frozen=True)
class Reached:
    """AC states of all outages at ``share`` times the injections asked for (1: all of them)."""

    sweep: CaseSweep
    injections_mw: Floats
    share: float

    @property
    def excess(self) -> Floats:
        """Values beyond their limits, shape (rows, scenarios)."""
        return np.asarray(self.sweep.base_values - self.sweep.limits, dtype=np.float64)
