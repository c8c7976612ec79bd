"""ERA5 and MERRA-2 as netCDF: one weather cell for each grid point in or near the region.

ERA5 radiation is an energy (J/m2) gathered over the hour that ends at the stamp, its other fields hold at the stamp.
MERRA-2 means are stamped in the middle of their hour. Wind is taken from the highest level the file has,
the next one is the second level.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from layers.weather_raw import (
    BEAM_HORIZONTAL,
    DEFAULT_ROUGHNESS_M,
    SECOND_WIND,
    Floats,
    Options,
    RawWeather,
    Report,
    in_contract_unit,
    ticks,
)

if TYPE_CHECKING:
    import xarray as xr

MOST_POINTS = 400
"""More grid points than this need ``bounds``: a province has some hundred."""

_ERA5_BIAS = (
    "pv_bias_of_era5",
    "PV computed from ERA5 radiation alone came out some 15 % high against records in published comparisons "
    "(factors 0.85 to 0.86 are in use); nothing is corrected here. Compare with a station or with SARAH.",
)


@dataclass(frozen=True)
class _Dataset:
    """Names and clock of one product. ``winds`` is (height in m, eastward, northward), highest first."""

    name: str
    latitude: str
    longitude: str
    fields: dict[str, str]
    winds: tuple[tuple[float, str, str], ...]
    start_min: float
    state_start_min: float
    notes: tuple[tuple[str, str], ...]


_ERA5 = _Dataset(
    "ERA5",
    "latitude",
    "longitude",
    {"ssrd": "ghi_w_per_m2", "fdir": BEAM_HORIZONTAL, "t2m": "temp_air_c", "sp": "pressure_pa", "fal": "albedo"},
    ((100.0, "u100", "v100"), (10.0, "u10", "v10")),
    -60.0,
    0.0,
    (_ERA5_BIAS,),
)
_MERRA2 = _Dataset(
    "MERRA-2",
    "lat",
    "lon",
    {"SWGDN": "ghi_w_per_m2", "T2M": "temp_air_c", "PS": "pressure_pa", "ALBEDO": "albedo"},
    ((50.0, "U50M", "V50M"), (10.0, "U10M", "V10M")),
    -30.0,
    -30.0,
    (),
)
_TIMES = ("valid_time", "time")
_ROUGHNESS = "fsr"
_GEOPOTENTIAL = "z"
_GRAVITY = 9.80665


def raw_netcdf(content: bytes, options: Options, report: Report) -> list[RawWeather]:
    """Every grid point in ``options.bounds`` and one grid step around them, south to north, west to east.

    Raises
    ------
    InputError
        ``product`` where the file is neither ERA5 nor MERRA-2, ``bounds`` where no point or too many are chosen,
        ``unit``, ``step`` where the hours are not hourly.
    """
    import xarray as xr

    engine = "h5netcdf" if content[:4] == b"\x89HDF" else "scipy"
    with xr.open_dataset(io.BytesIO(content), engine=engine) as opened:
        product = _product(opened, report)
        data = _flat(opened, product)
        stamps = pd.DatetimeIndex(data[_time_of(data)].to_numpy()).tz_localize("UTC")
        step = np.median(np.diff(ticks(stamps))) / 1e9 if len(stamps) > 1 else 0.0
        if step != 3600.0:
            remedy = "Fetch every hour: radiation is gathered over one hour."
            raise report.refuse("step", "time", f"{step / 60:g} min", "the file is not hourly.", remedy)
        return [_point(data, product, row, col, stamps, report) for row, col in _points(data, product, options, report)]


def _product(data: xr.Dataset, report: Report) -> _Dataset:
    for product in (_ERA5, _MERRA2):
        if next(iter(product.fields)) in data and product.latitude in data.coords:
            return product
    remedy = "ERA5 needs ssrd with latitude and longitude, MERRA-2 needs SWGDN with lat and lon."
    names = ", ".join(sorted(map(str, data.data_vars)))
    raise report.refuse("product", "variables", names[:80], "this is neither ERA5 nor MERRA-2.", remedy)


def _time_of(data: xr.Dataset) -> str:
    return next(name for name in _TIMES if name in data.coords)


def _flat(data: xr.Dataset, product: _Dataset) -> xr.Dataset:
    """Only time, latitude, longitude: the first member; preliminary months stand behind final ones."""
    if "expver" in data.dims:
        first, *later = (data.isel(expver=i, drop=True) for i in range(data.sizes["expver"]))
        for more in later:
            first = first.fillna(more)
        data = first
    keep = {_time_of(data), product.latitude, product.longitude}
    return data.isel({name: 0 for name in data.dims if name not in keep}, drop=True)


def _points(data: xr.Dataset, product: _Dataset, options: Options, report: Report) -> list[tuple[int, int]]:
    latitude = np.atleast_1d(data[product.latitude].to_numpy().astype(float))
    longitude = np.atleast_1d(data[product.longitude].to_numpy().astype(float))
    if options.bounds is None:
        rows, cols = np.arange(latitude.size), np.arange(longitude.size)
    else:
        west, south, east, north = options.bounds
        down, across = _spacing(latitude), _spacing(longitude)
        rows = np.flatnonzero((latitude >= south - down) & (latitude <= north + down))
        cols = np.flatnonzero((longitude >= west - across) & (longitude <= east + across))
    count = rows.size * cols.size
    if not 0 < count <= MOST_POINTS:
        extent = f"{longitude.min():g} to {longitude.max():g} E, {latitude.min():g} to {latitude.max():g} N"
        what = f"{count} grid points are chosen of a file that reaches from {extent}."
        remedy = f"Use a file that covers the region; at most {MOST_POINTS} points, give bounds for fewer."
        raise report.refuse("bounds", "grid", count, what, remedy)
    rows = rows[np.argsort(latitude[rows], kind="stable")]
    return [(int(row), int(col)) for row in rows for col in cols[np.argsort(longitude[cols], kind="stable")]]


def _spacing(axis: Floats) -> float:
    return float(np.abs(np.diff(axis)).max()) if axis.size > 1 else 0.5


def _point(
    data: xr.Dataset, product: _Dataset, row: int, col: int, stamps: pd.DatetimeIndex, report: Report
) -> RawWeather:
    latitude = float(np.atleast_1d(data[product.latitude].to_numpy())[row])
    longitude = float(np.atleast_1d(data[product.longitude].to_numpy())[col])
    time = _time_of(data)

    def series(name: str) -> Floats:
        field = data[name]
        chosen = field.isel({k: v for k, v in ((product.latitude, row), (product.longitude, col)) if k in field.dims})
        return np.broadcast_to(np.asarray(chosen.to_numpy(), np.float64), stamps.shape)

    table = {}
    for theirs, ours in product.fields.items():
        if theirs not in data or time not in data[theirs].dims:
            continue
        unit = str(data[theirs].attrs.get("units", ""))
        try:
            table[ours] = in_contract_unit(series(theirs), ours, unit, 60.0)
        except KeyError:
            raise report.refuse(
                "unit", theirs, unit, "this unit is not known.", "Fetch the file as the producer has it."
            ) from None
    levels = [(level, series(east), series(north)) for level, east, north in product.winds
              if east in data and north in data]  # fmt: skip
    for column, (_, u, v) in zip(("wind_speed_m_per_s", SECOND_WIND), levels, strict=False):
        table[column] = np.hypot(u, v)
    for _, u, v in levels[:1]:
        table["wind_from_degree"] = np.degrees(np.arctan2(-u, -v)) % 360.0
    heights = [level for level, _, _ in levels] + [10.0, float("nan")][len(levels) :]
    roughness = float(np.nanmean(series(_ROUGHNESS))) if _ROUGHNESS in data else DEFAULT_ROUGHNESS_M
    altitude = float(np.nanmean(series(_GEOPOTENTIAL))) / _GRAVITY if _GEOPOTENTIAL in data else float("nan")
    return RawWeather(
        format=product.name,
        title=f"{product.name} at {latitude:g} N {longitude:g} E",
        latitude=latitude,
        longitude=longitude,
        altitude_m=altitude,
        table=pd.DataFrame(table, index=stamps),
        zone_h=0.0,
        start_min=product.start_min,
        state_start_min=product.state_start_min,
        wind_height_m=heights[0],
        second_wind_height_m=heights[1],
        roughness_length_m=max(roughness, 2e-4),
        notes=product.notes,
        cell_suffix=f"_{latitude:.2f}N_{longitude:.2f}E",
    )
