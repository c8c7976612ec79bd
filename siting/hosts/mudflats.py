"""Mudflats: land between low and high water, out of a raster of the bed's elevation, or as given polygons.

::

    high water  ~~~~~~~~~~~~~~~~~~~~~~~~~~~~
                        ____________           eligible: low water <= bed < high water
    low water   ~~~~___/   mudflat  \\___
                ___/                    \\__
"""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely

from layers.contracts import Finding, InputError, Origin, RasterLayer, VectorLayer


def intertidal(bed: RasterLayer, low_water_m: float, high_water_m: float, layer_id: str) -> VectorLayer:
    """Polygons of the cells whose bed lies between low and high water.

    Parameters
    ----------
    bed : RasterLayer
        Elevation of the bed [m], positive up, on the same datum as the water levels. NaN is not known and is no
        mudflat.
    low_water_m, high_water_m : float
        Mean low and high water [m]; ``low_water_m <= bed < high_water_m``.
    layer_id : str
        Id of the result.

    Returns
    -------
    VectorLayer
        One polygon for each patch of cells that share edges, from north to south; origin ``modelled``, since the line
        between the levels is drawn by the raster.

    Raises
    ------
    InputError
        If high water is not above low water.
    """
    if not low_water_m < high_water_m:
        message = "high water is not above low water."
        value = f"{low_water_m:g}..{high_water_m:g}"
        raise InputError(
            [Finding("error", "hosts.tide", "study", bed.id, "high_water_m", value, message, "Correct the levels.")]
        )
    from rasterio import features

    values = np.asarray(bed.values)
    with np.errstate(invalid="ignore"):
        flat = (values >= low_water_m) & (values < high_water_m)
    found = features.shapes(flat.astype(np.uint8), mask=flat, connectivity=4, transform=bed.frame.transform)
    shapes = [shapely.geometry.shape(shape) for shape, _ in found]
    table = gpd.GeoDataFrame(geometry=np.array(shapes, dtype=object), crs=bed.frame.crs)
    return VectorLayer(layer_id, table, Origin.MODELLED, bed.card)


def unknown_km2(bed: RasterLayer) -> float:
    """Area of the raster whose bed is not known [km2]."""
    return float(np.isnan(np.asarray(bed.values)).sum()) * bed.frame.resolution_m**2 / 1e6
