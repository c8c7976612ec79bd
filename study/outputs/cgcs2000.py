"""Places in the CGCS2000 zone of the study, as Chinese surveying writes them.

Chinese plane coordinates name the northing x and the easting y, the other way round than most software. The easting
has 500 km at the central meridian and no zone number in front; with it, 39 stands before the y of zone 39.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyproj

from layers.frame import cgcs2000_zone

COLUMNS = ("cgcs2000_zone", "cgcs2000_x_m", "cgcs2000_y_m")
_FIRST_EPSG, _LAST_EPSG, _FIRST_NUMBER = 4534, 4554, 25
"""EPSG:4534 has the meridian 75 E, zone 25; EPSG:4554 has 135 E, zone 45."""


def zone_number(crs: str) -> int | None:
    """Number of the 3-degree zone that ``crs`` is; None where it is no such zone.

    >>> zone_number("EPSG:4548")
    39
    """
    authority, _, code = crs.partition(":")
    if authority != "EPSG" or not code.isdecimal() or not _FIRST_EPSG <= int(code) <= _LAST_EPSG:
        return None
    return int(code) - _FIRST_EPSG + _FIRST_NUMBER


def cgcs2000_columns(table: pd.DataFrame, frame_crs: str | None) -> pd.DataFrame:
    """Zone, x (north) and y (east) of the points ``lon``, ``lat`` of a table, on its index.

    Parameters
    ----------
    table
        Columns ``lon`` and ``lat``, WGS-84 degrees; to a map's accuracy they are CGCS2000 degrees.
    frame_crs
        CRS of the study. Where it is no CGCS2000 3-degree zone, the zone of the middle longitude is taken, one for
        the whole table; where that lies outside China the table has no columns.
    """
    crs = frame_crs if frame_crs and zone_number(frame_crs) else _zone_of(table)
    if crs is None:
        return pd.DataFrame(index=table.index)
    to_zone = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    east, north = to_zone.transform(table["lon"].to_numpy(float), table["lat"].to_numpy(float))
    number = np.full(len(table), zone_number(crs), dtype=np.int64)
    return pd.DataFrame(dict(zip(COLUMNS, (number, north, east), strict=True)), index=table.index)


def _zone_of(table: pd.DataFrame) -> str | None:
    lon = table["lon"].to_numpy(float)
    if not len(lon):
        return None
    try:
        return cgcs2000_zone(float((lon.min() + lon.max()) / 2))
    except ValueError:
        return None
