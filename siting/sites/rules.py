"""What the rules took from the land around each site: why its outline runs where it runs.

Read from the reasons that the land evaluation noted for every cell, so that nothing is evaluated again.
"""

from __future__ import annotations

import math
from typing import Any

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.ndimage import maximum_filter
from shapely.geometry.base import BaseGeometry

from layers.frame import Frame, Tile
from layers.mask_store import MaskStore, rows_of
from layers.tables import Table, column
from siting.contracts import LandResult

Bits = npt.NDArray[Any]

REACH_M = 300.0
"""How far around a site cells are looked at, to the east, west, north and south."""

_WHOLE_CELLS = 60_000_000
"""Up to here the reasons of a host type are unpacked whole, which is quicker; beyond it, by the rows of each site."""

SITE_RULES = Table(
    "site_rules",
    "Host land beside each site that a rule takes: within 300 m of its outline, counted in whole cells.",
    {
        "candidate_id": column(str, "", "site"),
        "rule": column(str, "", "rule id"),
        "taken_km2": column(float, "km2", "cells in which the rule takes host land, all or a part of it", ge=0),
        "alone_km2": column(float, "km2", "of these, cells in which no other rule does", ge=0),
    },
)


def site_rules(land: LandResult, candidates: gpd.GeoDataFrame, reach_m: float = REACH_M) -> pd.DataFrame:
    """Cells around every site in which a rule takes host land.

    Parameters
    ----------
    land
        Evaluated land; host types without noted reasons have no rows.
    candidates
        :data:`siting.contracts.CANDIDATES`, in the CRS of the land's frame.
    reach_m
        How far around the outline [m].

    Returns
    -------
    Table :data:`SITE_RULES`, in the order of the candidates, the rule that takes most first.
    """
    rows: dict[str, list[tuple[str, float, float]]] = {}
    for entry in land.lands:
        if entry.reasons is None or not entry.rules:
            continue
        small = land.frame.height * land.frame.width <= _WHOLE_CELLS
        reasons = np.asarray(entry.reasons) if small else entry.reasons
        own = candidates[candidates["host_type"] == entry.host_type]
        for candidate, shape in zip(own["candidate_id"], own.geometry, strict=True):
            rows[candidate] = _taken(reasons, entry.rules, land.frame, shape, reach_m)
    table = [(candidate, *taken) for candidate in candidates["candidate_id"] for taken in rows.get(candidate, ())]
    return SITE_RULES.validate(pd.DataFrame(table, columns=list(SITE_RULES.columns)) if table else SITE_RULES.empty())


def _taken(
    reasons: MaskStore | Bits, rules: tuple[str, ...], frame: Frame, shape: BaseGeometry, reach_m: float
) -> list[tuple[str, float, float]]:
    """(rule, km2 taken, km2 taken alone) around one outline, most first."""
    near, tile = _near(frame, shape, reach_m)
    cells = np.asarray(rows_of(reasons, tile.row0, tile.row1))[:, tile.col0 : tile.col1]
    bits, count = np.unique(cells[near], return_counts=True)
    cell_km2 = frame.resolution_m**2 / 1e6
    found = []
    for j, rule in enumerate(rules):
        flag = bits.dtype.type(1 << j)
        taken, alone = int(count[(bits & flag) != 0].sum()), int(count[bits == flag].sum())
        if taken:
            found.append((rule, taken * cell_km2, alone * cell_km2))
    return sorted(found, key=lambda row: (-row[1], row[0]))


def _near(frame: Frame, shape: BaseGeometry, reach_m: float) -> tuple[npt.NDArray[np.bool_], Tile]:
    """Cells of the outline and around it, and the tile that they lie in."""
    from rasterio.features import rasterize

    r, steps = frame.resolution_m, max(math.ceil(reach_m / frame.resolution_m), 1)
    west, south, east, north = shape.bounds
    row0, row1 = (math.floor((frame.top - y) / r) for y in (north, south))
    col0, col1 = (math.floor((x - frame.left) / r) for x in (west, east))
    rows = max(row0 - steps, 0), min(row1 + steps + 1, frame.height)
    cols = max(col0 - steps, 0), min(col1 + steps + 1, frame.width)
    tile = Tile(*rows, *cols)
    window = frame.part(tile)
    inside = rasterize([(shape, 1)], window.shape, transform=window.transform, all_touched=True, dtype=np.uint8)
    return maximum_filter(inside, size=2 * steps + 1, mode="constant") > 0, tile
