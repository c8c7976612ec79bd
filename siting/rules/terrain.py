"""Slope and aspect from an elevation raster, and whether that raster is fine enough for them.

::

    +----+----+----+      rise to the east  = ((ne + 2 e + se) - (nw + 2 w + sw)) / (8 cell)
    | nw | n  | ne |      rise to the south = ((sw + 2 s + se) - (nw + 2 n + ne)) / (8 cell)
    +----+----+----+      slope             = atan(hypot(east, south))
    | w  | .. | e  |      aspect            = azimuth of the steepest descent
    +----+----+----+
    | sw | s  | se |
    +----+----+----+

B. K. P. Horn, Hill shading and the reflectance map, Proc. IEEE 69 (1981) 14-47, doi:10.1109/PROC.1981.11918; the
weights of GDAL and ArcGIS. Elevations are on the metric frame of the study, never on degrees.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from layers.contracts import Finding, SourceCard
from layers.frame import Frame

Values = npt.NDArray[np.float32]

COARSE_CELLS = 3.0
"""An elevation raster with cells of more than so many cells of the frame is too coarse for slopes."""

LEVEL_DEGREE = 1.0
"""Ground gentler than this faces nowhere: its aspect is noise and of no matter to a row of modules."""

LEVEL = -1.0
"""Aspect of level ground."""

SLOPE_UNIT = "degree"
ASPECT_UNIT = "degree from north"

_METRES = ("m", "metre", "metres", "meter", "meters")


def with_halo(frame: Frame) -> Frame:
    """The frame grown by the one cell on each side that slopes at its rim need."""
    r = frame.resolution_m
    return Frame(frame.crs, r, frame.left - r, frame.top + r, frame.height + 2, frame.width + 2)


def slope_degree(elevation: Values, cell_m: float) -> Values:
    """Slope of each inner cell.

    Parameters
    ----------
    elevation : ndarray of float32, shape (h + 2, w + 2)
        Metres, with one cell around (:func:`with_halo`); NaN where not known.
    cell_m : float
        Edge of a cell [m].

    Returns
    -------
    ndarray of float32, shape (h, w)
        0 to 90 degrees; NaN where the cell or one of its eight neighbours is not known.
    """
    from siting.rules.terrain_kernels import slope_rows

    out = _inner(elevation)
    slope_rows(np.ascontiguousarray(elevation, np.float32), float(cell_m), out)
    return out


def aspect_degree(elevation: Values, cell_m: float, *, level_degree: float = LEVEL_DEGREE) -> Values:
    """Direction that each inner cell faces: azimuth of the steepest descent.

    Parameters
    ----------
    elevation, cell_m
        As in :func:`slope_degree`.
    level_degree : float
        Gentler ground counts as level.

    Returns
    -------
    ndarray of float32, shape (h, w)
        0 (north) to below 360, clockwise; -1 on level ground; NaN where not known.
    """
    from siting.rules.terrain_kernels import aspect_rows

    out = _inner(elevation)
    level_rise = math.tan(math.radians(level_degree))
    aspect_rows(np.ascontiguousarray(elevation, np.float32), float(cell_m), level_rise, out)
    return out


def _inner(elevation: Values) -> Values:
    height, width = elevation.shape
    if height < 3 or width < 3:
        raise ValueError(f"slopes need neighbours: an array of at least 3 x 3, got {height} x {width}")
    return np.empty((height - 2, width - 2), np.float32)


def native_resolution_m(card: SourceCard, place: tuple[float, float] | None = None) -> float:
    """Size of a pixel of a raster file on the ground [m], the longer edge.

    Parameters
    ----------
    card : SourceCard
        With a CRS in the file.
    place : (lon, lat), optional
        Where to measure, degrees WGS-84; by default in the middle of the raster.
    """
    import pyproj
    import rasterio

    with rasterio.open(card.path) as source:
        crs = "EPSG:4326" if source.crs is None else source.crs.to_wkt()
        to_degrees = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
        west, south, east, north = source.bounds
        x, y = (
            ((west + east) / 2, (south + north) / 2)
            if place is None
            else to_degrees.transform(*place, direction=pyproj.enums.TransformDirection.INVERSE)
        )
        dx, dy = source.res
    lon, lat = to_degrees.transform([x, x + dx, x], [y, y, y + dy])
    geod = pyproj.Geod(ellps="WGS84")
    _, _, metres = geod.inv([lon[0], lon[0]], [lat[0], lat[0]], lon[1:], lat[1:])
    return float(max(metres))


def terrain_findings(card: SourceCard, resolution_m: float, place: tuple[float, float] | None = None) -> list[Finding]:
    """What is wrong with an elevation raster as a source of slopes on cells of ``resolution_m``.

    An error where it is not in metres. A warning where it is coarser than three cells: slope from a coarse DEM
    understates, because it averages a hillside over the pixel and hills become land for PV.
    """
    found = []
    if card.unit is not None and card.unit.casefold() not in _METRES:
        message = "slopes are rises in metres over metres: the elevations are not in metres."
        remedy = f'Convert the file to metres and set unit = "m" on source {card.id!r}.'
        found.append(_finding(card, "error", "unit", "unit", card.unit, message, remedy))
    native = native_resolution_m(card, place)
    if native > COARSE_CELLS * resolution_m:
        message = (
            f"the elevation raster has cells of {native:,.0f} m, {native / resolution_m:,.0f} cells of the study: "
            "slope from a coarse DEM understates, and hills pass for level land."
        )
        remedy = f"Use a DEM of {COARSE_CELLS * resolution_m:g} m or finer (SRTM, ASTER, Copernicus: 30 m)."
        found.append(_finding(card, "warning", "coarse_dem", "resolution", f"{native:.0f} m", message, remedy))
    return found


def _finding(card: SourceCard, severity: str, rule: str, item: str, value: str, message: str, remedy: str) -> Finding:
    where = card.layer or card.id
    return Finding(severity, f"terrain.{rule}", card.shown_path, where, item, value, message, remedy)  # type: ignore[arg-type]
