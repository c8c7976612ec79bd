"""A square region with a lattice of wind sites, and plants on it."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

CRS = "EPSG:4548"  # CGCS2000, 117 E
LEFT, BOTTOM, SIDE = 450_000.0, 3_700_000.0, 40_000.0
REGION = gpd.GeoDataFrame(geometry=[shapely.box(LEFT, BOTTOM, LEFT + SIDE, BOTTOM + SIDE)], crs=CRS)


def sites(seed: int = 0, across: int = 8) -> tuple[gpd.GeoDataFrame, pd.DataFrame]:
    """64 wind sites of unlike size on a lattice of 5 km, scores at random and independent of size."""
    rng = np.random.default_rng(seed)
    step = SIDE / across
    number = np.arange(across**2)
    x, y = LEFT + (number % across + 0.5) * step, BOTTOM + (number // across + 0.5) * step
    half = rng.uniform(500, 2000, across**2)
    table = gpd.GeoDataFrame(
        {
            "candidate_id": [f"k{n:02d}" for n in number],
            "kind": "wind",
            "capacity_mw": (2 * half / 1000) ** 2 * 3,
        },
        geometry=shapely.box(x - half, y - half, x + half, y + half),
        crs=CRS,
    )
    return table, pd.DataFrame({"candidate_id": table["candidate_id"], "score": rng.uniform(size=across**2)})


def plants_at(x: np.ndarray, y: np.ndarray, technology: str = "wind", approximate: bool = False) -> pd.DataFrame:
    lonlat = gpd.GeoSeries(gpd.points_from_xy(x, y), crs=CRS).to_crs("EPSG:4326")
    return pd.DataFrame(
        {
            "name": [f"p{n}" for n in range(len(x))],
            "technology": technology,
            "capacity_mw": 50.0,
            "lon": lonlat.x,
            "lat": lonlat.y,
            "approximate": approximate,
        }
    )
