"""What each bus takes of a new plant: its N-1 hosting capacity over the plant's share of its capacity in each case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from grid.contracts import Case


def case_share(case: Case, technology: str) -> float:
    """Output of a new plant per grid capacity in ``case``: the wind share for wind, else the PV share."""
    return case.wind_share if technology.startswith("wind") else case.pv_share


def headroom_mw(hosting: pd.DataFrame, cases: Sequence[Case], technology: str, mode: str = "n_1") -> pd.Series:
    """Grid capacity that each bus takes, alone: the least over the cases of HC / share.

    Index ``bus_id``; infinite where the technology is at rest in every case.
    """
    rows = hosting[hosting["mode"] == mode]
    share = rows["case"].map({case.id: case_share(case, technology) for case in cases}).to_numpy(float)
    with np.errstate(divide="ignore"):
        room = np.where(share > 0, rows["capacity_mw"].to_numpy(float) / np.where(share > 0, share, 1.0), np.inf)
    return pd.Series(room, index=rows["bus_id"].to_numpy()).groupby(level=0).min()


def headrooms(hosting: pd.DataFrame, cases: Sequence[Case], technologies: Sequence[str], buses: pd.Series) -> Any:
    """N-1 grid capacity that each bus takes alone, shape (technologies, buses); 0 where the bus was not studied."""
    return {
        t: headroom_mw(hosting, cases, t).reindex(buses).fillna(0.0).to_numpy(float) for t in sorted(set(technologies))
    }
