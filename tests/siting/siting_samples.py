"""A small made-up region: 6 km x 4 km in one or two districts, 30 m cells, with square features."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely

from layers.contracts import Origin, Region, VectorLayer
from layers.frame import Frame
from layers.submask import rasterize_submask

CRS = "EPSG:4548"
LEFT, BOTTOM = 500_010.0, 3_700_020.0


def box(x0: float, y0: float, x1: float, y1: float) -> shapely.Polygon:
    """A rectangle in metres from the region's south-west corner."""
    return shapely.box(LEFT + x0, BOTTOM + y0, LEFT + x1, BOTTOM + y1)


def layer(name: str, *shapes: shapely.Geometry, origin: Origin = Origin.GENERATED) -> VectorLayer:
    return VectorLayer(name, gpd.GeoDataFrame({"n": range(len(shapes))}, geometry=list(shapes), crs=CRS), origin)


def region(width_m: float = 6000, height_m: float = 4000, *, x0: float = 0.0, resolution_m: float = 30) -> Region:
    """Two districts side by side; cell areas are those of the plane, so that sums can be done by hand."""
    shapes = [box(x0, 0, x0 + width_m / 2, height_m), box(x0 + width_m / 2, 0, x0 + width_m, height_m)]
    bounds = shapely.union_all(shapes).bounds
    frame = Frame.from_bounds(bounds, resolution_m, CRS)
    districts = gpd.GeoDataFrame(
        {
            "district_code": ["A", "B"],
            "name_zh": ["甲县", "乙县"],
            "name_en": ["Jia", "Yi"],
            "area_km2": [s.area / 1e6 for s in shapes],
            "population": [1.0, 2.0],
        },
        geometry=shapes,
        crs=CRS,
    )
    masks = [rasterize_submask([shape], frame) for shape in shapes]
    index = np.where(np.bitwise_count(masks[0]) >= 8, 1, np.where(np.bitwise_count(masks[1]) >= 8, 2, 0))
    area = np.full(frame.height, frame.resolution_m**2)
    return Region(frame, districts, index.astype(np.int16), masks[0] | masks[1], area)
