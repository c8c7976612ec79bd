"""Roofs where no footprint is mapped: estimated from the class of the land use, and marked as modelled.

The estimate is ``roof_share x ground`` of each land-use polygon. Mapped footprints are taken off first, their ground
and their roof area, so that no roof counts twice: what is left is spread over the ground that no footprint covers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import shapely

from layers.contracts import Finding, InputError, Origin, VectorLayer
from siting.technologies.small_tables import TECHNOLOGIES_FOLDER, read_small_table

STOCK_FILE = TECHNOLOGIES_FOLDER / "roof_stock.csv"
SHARE_COLUMN = "roof_share"


@dataclass(frozen=True)
class RoofStock:
    """One row of ``roof_stock.csv``."""

    land_use: str
    roof_class: str
    roof_share: float
    """Roof area per ground of the land use."""
    low: float
    high: float
    source: str
    confidence: str


@cache
def load_roof_stock(path: Path = STOCK_FILE) -> tuple[RoofStock, ...]:
    """Rows of ``roof_stock.csv``."""
    texts = {"land_use": None, "roof_class": None, "source": None, "confidence": ("A", "B", "C")}
    rows = read_small_table(path, texts, dict.fromkeys(("roof_share", "low", "high"), (0.0, 1.0)))
    return tuple(RoofStock(**row) for row in rows)


def roof_stock(land_use: str) -> RoofStock:
    """The row of a land use.

    Raises
    ------
    InputError
        If there is none, naming the known ones.
    """
    for row in load_roof_stock():
        if row.land_use == land_use:
            return row
    known = ", ".join(row.land_use for row in load_roof_stock())
    raise InputError(
        [
            Finding("error", "roof_stock.unknown", "siting/technologies/roof_stock.csv", "roof_stock", "land_use",
                    land_use, f"There is no land use {land_use!r}.", f"Known: {known}.")
        ]
    )  # fmt: skip


def modelled_roofs(
    land: VectorLayer, layer_id: str, roof_share: float, footprints: Sequence[VectorLayer] = ()
) -> VectorLayer:
    """Land use without its mapped roofs, with the share of it that is roof nobody mapped.

    Parameters
    ----------
    land : VectorLayer
        Land-use polygons; where they overlap, the first one counts.
    layer_id : str
        Id of the result.
    roof_share : float
        Roof area per ground of the land use.
    footprints : sequence of VectorLayer
        Mapped roofs.

    Returns
    -------
    VectorLayer
        Origin ``modelled``; column ``roof_share``: ``max(0, roof_share A - F) / (A - F)`` of a polygon of area A with
        F of mapped roofs. Polygons that are all roof are left out.
    """
    shapes = land.features.geometry.to_numpy()
    mapped = np.concatenate([layer.features.geometry.to_numpy() for layer in footprints] or [np.zeros(0, object)])
    mapped = mapped[shapely.get_dimensions(mapped) == 2] if len(mapped) else mapped
    free = shapes.copy()
    roof_m2 = np.zeros(len(shapes))
    if len(mapped):
        tree = shapely.STRtree(mapped)
        land_no, roof_no = tree.query(shapes, predicate="intersects")
        for k in np.unique(land_no):
            roofs = shapely.union_all(mapped[np.sort(roof_no[land_no == k])])
            free[k] = shapely.difference(shapes[k], roofs)
            roof_m2[k] = shapely.area(shapes[k]) - shapely.area(free[k])
    ground = shapely.area(free)
    wanted = np.maximum(0.0, roof_share * shapely.area(shapes) - roof_m2)
    share = np.divide(wanted, ground, out=np.zeros(len(shapes)), where=ground > 0)
    keep = (ground > 0) & (share > 0)
    table = gpd.GeoDataFrame({SHARE_COLUMN: np.minimum(share[keep], 1.0)}, geometry=free[keep], crs=land.features.crs)
    return VectorLayer(layer_id, table, Origin.MODELLED, land.card)
