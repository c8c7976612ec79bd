"""A made-up region with everything the engine meets: overlapping layers, setbacks, gaps, co-use, two districts."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely

from layers.contracts import Origin, RasterLayer, Region, VectorLayer
from layers.frame import Frame
from layers.region import build_region
from siting.contracts import HostLayer, Rule
from siting.hosts.types import load_host_types

CRS = "EPSG:4548"
LEFT, BOTTOM = 500_010.0, 3_700_020.0
HOSTS = load_host_types()
HOST_LAYERS = (
    HostLayer("fish_pond", "pond"), HostLayer("barren_hill", "hill"), HostLayer("wind_plain", "field"),
    HostLayer("roof_rural", "town"),
)  # fmt: skip


def box(x0: float, y0: float, x1: float, y1: float) -> shapely.Polygon:
    return shapely.box(LEFT + x0, BOTTOM + y0, LEFT + x1, BOTTOM + y1)


def layer(name: str, *shapes: shapely.Geometry) -> VectorLayer:
    return VectorLayer(
        name, gpd.GeoDataFrame({"n": range(len(shapes))}, geometry=list(shapes), crs=CRS), Origin.GENERATED
    )


def region(
    x0: float = 0.0, x1: float = 6000.0, y0: float = 0.0, y1: float = 8000.0, resolution_m: float = 30.0
) -> Region:
    """Three districts with a bent border, clipped to a window; cell areas are those of the plane."""
    border = shapely.LineString([(LEFT + x, BOTTOM + 3000 + 400 * np.sin(x / 500)) for x in range(-2000, 9001, 50)])
    parts = shapely.ops.split(box(-1000, -1000, 8000, 9000), border).geoms
    south, north = sorted(parts, key=lambda part: part.centroid.y)
    shapes = [
        south,
        north.intersection(box(-1000, -1000, 2500, 9000)),
        north.intersection(box(2500, -1000, 8000, 9000)),
    ]
    window = box(x0, y0, x1, y1)
    table = gpd.GeoDataFrame({"code": ["A", "B", "C"], "name": ["A", "B", "C"]}, geometry=shapes, crs=CRS)
    table.geometry = table.geometry.intersection(window)
    table = table[~table.geometry.is_empty]
    found = build_region(
        VectorLayer("districts", table, Origin.GENERATED), code_column="code", name_zh_column="name",
        name_en_column=None, population=None, resolution_m=resolution_m,
    )  # fmt: skip
    return Region(found.frame, found.districts, found.district_index, found.mask,
                  np.full(found.frame.height, resolution_m**2))  # fmt: skip


def layers(seed: int) -> list[VectorLayer]:
    """Turned rectangles, lines and points over and around the region."""
    draw = np.random.default_rng(seed)
    found = []
    for name, count, size in (
        ("pond", 9, 700),
        ("hill", 6, 1800),
        ("field", 6, 2500),
        ("town", 9, 500),
        ("red", 4, 900),
    ):
        shapes = []
        for _ in range(count):
            x, y = draw.uniform(-800, 6800), draw.uniform(-800, 8800)
            w, h = draw.uniform(0.2, 1, 2) * size
            shapes.append(shapely.affinity.rotate(box(x - w, y - h, x + w, y + h), draw.uniform(0, 90)))
        found.append(layer(name, *shapes))
    at = np.column_stack([LEFT + draw.uniform(-500, 6500, 12), BOTTOM + draw.uniform(-500, 8500, 12)])
    found.append(layer("well", *shapely.points(at)))
    found.append(layer("road", *shapely.linestrings(np.stack([at, at[::-1] + 1], axis=1))))
    found.append(layer("survey", box(-900, -900, 5000, 7000)))
    return found


def rasters(frame: Frame, seed: int = 0) -> list[RasterLayer]:
    """Slope with a gap and class codes, by position on the ground, so that two frames agree where they meet."""
    x = frame.left + (np.arange(frame.width) + 0.5) * frame.resolution_m - LEFT
    y = frame.top - (np.arange(frame.height) + 0.5) * frame.resolution_m - BOTTOM
    wave = np.sin(x[None, :] / 700 + seed) * np.cos(y[:, None] / 900) * 20
    slope = np.abs(wave).astype(np.float32)
    slope[(np.abs(x[None, :] - 3000) < 400) & (np.abs(y[:, None] - 5000) < 900)] = np.nan
    cover = (np.floor(x[None, :] / 400) + np.floor(y[:, None] / 600)) % 5
    return [
        RasterLayer("slope", frame, slope, "degree", Origin.GENERATED),
        RasterLayer("cover", frame, cover.astype(np.float32), "code", Origin.GENERATED),
    ]


RULES = (
    Rule("red", "", "", "red", ()),
    Rule("well", "", "", "well", ("fish_pond", "barren_hill"), setback_m=333.0),
    Rule("road", "", "", "road", ("wind_plain", "barren_hill"), setback_m=120.0),
    Rule("town", "", "", "town", ("wind_plain",), setback_m=500.0),
    Rule("steep", "", "", "slope", ("barren_hill", "wind_plain"), kind="raster_above", limit=15.0),
    Rule("cover", "", "", "cover", ("fish_pond",), kind="raster_classes", classes=("3",)),
    Rule("half", "", "", "pond", ("barren_hill",), kind="cell_share", share=0.5),
    Rule("survey", "", "", "red", ("roof_rural",), setback_m=50.0, known_within="survey"),
)
