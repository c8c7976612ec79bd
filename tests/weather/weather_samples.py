"""One place, one sky, written in every format that a reader knows; made here, nothing copied."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from layers.contracts import CHINA_STANDARD_TIME, Origin, SourceCard
from layers.weather_checks import mean_cos_zenith

LATITUDE, LONGITUDE, ALTITUDE_M = 30.0, 120.0, 12.0
LOCAL = pd.date_range("2019-01-01", periods=8760, freq="h", tz=CHINA_STANDARD_TIME)


@dataclass(frozen=True)
class Sky:
    """8760 hours in UTC+08:00, means labelled by their start; components close with the mean of cos(zenith)."""

    ghi: np.ndarray
    dni: np.ndarray
    dhi: np.ndarray
    temp: np.ndarray
    pressure: np.ndarray
    wind: np.ndarray
    direction: np.ndarray


@cache
def sky(offset_min: float = 30.0) -> Sky:
    """Random clouds over a sun that stands ``offset_min`` after the label. Whole numbers where formats need them."""
    sun = mean_cos_zenith(LATITUDE, LONGITUDE, offset_min)
    rng = np.random.default_rng(7)
    clear = rng.uniform(0.2, 0.95, 8760)
    dni = np.where(sun > 0.05, np.round(750 * clear, 2), 0.0)
    dhi = np.round(150 * sun * (1.2 - 0.5 * clear), 2)
    hour = np.arange(8760)
    return Sky(
        ghi=np.round(dhi + dni * sun, 2),
        dni=dni,
        dhi=dhi,
        temp=np.round(15 - 10 * np.cos(hour / 8760 * 2 * np.pi) + 4 * np.sin((hour % 24 - 9) / 24 * 2 * np.pi), 1),
        pressure=np.round(101_300 + 500 * np.sin(hour / 200), -1),
        wind=np.round(4 + 2 * np.sin(hour / 37) + rng.uniform(0, 1, 8760), 1),
        direction=np.round(180 + 170 * np.sin(hour / 91)),
    )


def card(path: Path, **changes: object) -> SourceCard:
    arguments = {"origin": Origin.MODELLED} | changes
    return SourceCard("weather", path, f"data/{path.name}", "none", **arguments)  # type: ignore[arg-type]


def to_utc(values: np.ndarray) -> np.ndarray:
    """Local hours in the order of a UTC year (a circle)."""
    return np.roll(values, -8)


# --- writers ----------------------------------------------------------------------------------------------------


def epw(path: Path, s: Sky) -> Path:
    rows = ["LOCATION,Toy,Zhejiang,CHN,CSWD,1," + f"{LATITUDE},{LONGITUDE},8.0,{ALTITUDE_M}", *["HEADER"] * 7]
    for i, t in enumerate(LOCAL):
        row = ["9999"] * 35
        row[:6] = ["2019", str(t.month), str(t.day), str(t.hour + 1), "0", "?"]
        row[6], row[9], row[13], row[14], row[15] = map(str, (s.temp[i], s.pressure[i], s.ghi[i], s.dni[i], s.dhi[i]))
        row[20], row[21] = str(s.direction[i]), str(s.wind[i])
        rows.append(",".join(row))
    path.write_text("\n".join(rows) + "\n")
    return path


def tmy3(path: Path, s: Sky) -> Path:
    rows = [f'581,"Toy",ZJ,8.0,{LATITUDE},{LONGITUDE},{ALTITUDE_M}',
            "Date (MM/DD/YYYY),Time (HH:MM),GHI (W/m^2),DNI (W/m^2),DHI (W/m^2),Dry-bulb (C),Pressure (mbar),"
            "Wdir (degrees),Wspd (m/s),Alb (unitless)"]  # fmt: skip
    for i, t in enumerate(LOCAL):
        year = 2000 + t.month  # every month from another year
        rows.append(
            f"{t.month:02d}/{t.day:02d}/{year},{t.hour + 1:02d}:00,{s.ghi[i]},{s.dni[i]},{s.dhi[i]},{s.temp[i]},"
            f"{s.pressure[i] / 100},{s.direction[i]:.0f},{s.wind[i]},-9900"
        )
    path.write_text("\n".join(rows) + "\n")
    return path


_PVGIS = {"T2m": "temp", "G(h)": "ghi", "Gb(n)": "dni", "Gd(h)": "dhi", "WS10m": "wind", "WD10m": "direction",
          "SP": "pressure"}  # fmt: skip


def _tmy_rows(s: Sky) -> list[dict[str, object]]:
    columns = {theirs: to_utc(getattr(s, ours)) for theirs, ours in _PVGIS.items()}
    utc = pd.date_range("2019-01-01", periods=8760, freq="h")
    return [
        {"time(UTC)": f"{2005 + t.month}{t:%m%d:%H%M}"} | {name: float(v[i]) for name, v in columns.items()}
        for i, t in enumerate(utc)
    ]


def pvgis_tmy_json(path: Path, s: Sky, offset_h: float | None = None) -> Path:
    place = {"latitude": LATITUDE, "longitude": LONGITUDE, "elevation": ALTITUDE_M}
    if offset_h is not None:
        place["irradiance_time_offset"] = offset_h
    reply = {
        "inputs": {"location": place, "meteo_data": {"radiation_db": "PVGIS-SARAH3"}},
        "outputs": {
            "months_selected": [{"month": m, "year": 2005 + m} for m in range(1, 13)],
            "tmy_hourly": _tmy_rows(s),
        },
        "meta": {"inputs": {"location": {}}, "outputs": {}},
    }
    path.write_text(json.dumps(reply))
    return path


def pvgis_tmy_csv(path: Path, s: Sky, offset_h: float | None = None) -> Path:
    lines = [f"Latitude (decimal degrees): {LATITUDE}", f"Longitude (decimal degrees): {LONGITUDE}",
             f"Elevation (m): {ALTITUDE_M}"]  # fmt: skip
    if offset_h is not None:
        lines.append(f"Irradiance Time Offset (h): {offset_h}")
    lines += ["month,year", *(f"{m},{2005 + m}" for m in range(1, 13))]
    rows = _tmy_rows(s)
    lines += [",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows)]
    lines += ["", "T2m: 2-m air temperature (degree Celsius)", "PVGIS (c) European Union"]
    path.write_text("\r\n".join(lines) + "\r\n")
    return path


def _hourly_rows(s: Sky, minute: int, start: str) -> list[dict[str, object]]:
    sun = mean_cos_zenith(LATITUDE, LONGITUDE, 30.0)
    beam = to_utc(np.round(s.dni * sun, 4))
    columns = {"G(i)": to_utc(s.ghi), "Gb(i)": beam, "Gd(i)": to_utc(s.dhi), "T2m": to_utc(s.temp),
               "WS10m": to_utc(s.wind)}  # fmt: skip
    columns["H_sun"] = np.zeros(8760)
    stamps = pd.date_range(start, periods=8760, freq="h") + pd.Timedelta(minutes=minute)
    return [
        {"time": f"{t:%Y%m%d:%H%M}"} | {name: float(v[i]) for name, v in columns.items()} | {"Int": 0.0}
        for i, t in enumerate(stamps)
    ]


def pvgis_hourly_json(
    path: Path, s: Sky, minute: int = 30, database: str = "PVGIS-ERA5", slope: float = 0, start: str = "2019-01-01"
) -> Path:
    reply = {
        "inputs": {
            "location": {"latitude": LATITUDE, "longitude": LONGITUDE, "elevation": ALTITUDE_M},
            "meteo_data": {"radiation_db": database, "meteo_db": "ERA5"},
            "mounting_system": {"fixed": {"slope": {"value": slope, "optimal": False}, "azimuth": {"value": 0}}},
        },
        "outputs": {"hourly": _hourly_rows(s, minute, start)},
        "meta": {"inputs": {}, "outputs": {}},
    }
    path.write_text(json.dumps(reply))
    return path


def pvgis_hourly_csv(path: Path, s: Sky, minute: int = 30, database: str = "PVGIS-ERA5") -> Path:
    rows = _hourly_rows(s, minute, "2019-01-01")
    lines = [f"Latitude (decimal degrees):\t{LATITUDE}", f"Longitude (decimal degrees):\t{LONGITUDE}",
             f"Elevation (m):\t{ALTITUDE_M}", f"Radiation database:\t{database}", "", "",
             "Slope: 0 deg.", "Azimuth: 0 deg.",
             ",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows), "",
             "G(i): Global irradiance on the inclined plane (W/m2)"]  # fmt: skip
    path.write_text("\r\n".join(lines) + "\r\n")
    return path


def _power(s: Sky) -> dict[str, np.ndarray]:
    return {"ALLSKY_SFC_SW_DWN": to_utc(s.ghi), "ALLSKY_SFC_SW_DNI": to_utc(s.dni),
            "ALLSKY_SFC_SW_DIFF": to_utc(s.dhi), "T2M": to_utc(s.temp), "PS": to_utc(s.pressure) / 1000,
            "WS10M": to_utc(s.wind), "WD10M": to_utc(s.direction)}  # fmt: skip


def power_reply(s: Sky, years: tuple[int, ...] = (2019,), standard: str = "UTC") -> dict[str, object]:
    stamps = [t for year in years for t in pd.date_range(f"{year}-01-01", periods=8760, freq="h")]
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [LONGITUDE, LATITUDE, ALTITUDE_M]},
        "properties": {
            "parameter": {
                name: {f"{t:%Y%m%d%H}": float(values[i % 8760]) for i, t in enumerate(stamps)}
                for name, values in _power(s).items()
            }
        },
        "header": {"title": "toy", "fill_value": -999.0, "time_standard": standard},
        "parameters": {"ALLSKY_SFC_SW_DWN": {"units": "Wh/m^2"}, "T2M": {"units": "C"}, "PS": {"units": "kPa"}},
        "times": {"data": 0.1},
    }


def power_json(path: Path, s: Sky, **changes: object) -> Path:
    path.write_text(json.dumps(power_reply(s, **changes)))  # type: ignore[arg-type]
    return path


def power_csv(path: Path, s: Sky) -> Path:
    values = _power(s)
    lines = ["-BEGIN HEADER-", "NASA/POWER Hourly Data", "Dates (month/day/year): 01/01/2019 through 12/31/2019 in UTC",
             f"Location: Latitude  {LATITUDE}   Longitude {LONGITUDE}",
             f"Elevation from MERRA-2: Average for the grid box = {ALTITUDE_M} meters",
             "The value for missing source data is: -999",
             "ALLSKY_SFC_SW_DWN     All Sky Surface Shortwave Downward Irradiance (Wh/m^2)",
             "PS                    Surface Pressure (kPa)", "-END HEADER-",
             "YEAR,MO,DY,HR," + ",".join(values)]  # fmt: skip
    for i, t in enumerate(pd.date_range("2019-01-01", periods=8760, freq="h")):
        lines.append(f"{t.year},{t.month},{t.day},{t.hour}," + ",".join(f"{v[i]}" for v in values.values()))
    path.write_text("\n".join(lines) + "\n")
    return path


CSV_COLUMNS = {
    "time": "when",
    "ghi_w_per_m2": "GHI",
    "dni_w_per_m2": "DNI",
    "dhi_w_per_m2": "DHI",
    "temp_air_c": "T",
    "pressure_pa": "p",
    "wind_speed_m_per_s": "v",
    "wind_from_degree": "dir",
}


def frame(s: Sky, label: str = "start", minutes: int = 60) -> pd.DataFrame:
    """The table of a plain CSV; shorter steps repeat the hour."""
    parts = 60 // minutes
    shift = {"start": 0, "end": minutes, "centre": minutes // 2}[label]
    when = pd.date_range("2019-01-01", periods=8760 * parts, freq=f"{minutes}min") + pd.Timedelta(minutes=shift)
    values = {"GHI": s.ghi, "DNI": s.dni, "DHI": s.dhi, "T": s.temp, "p": s.pressure / 100, "v": s.wind,
              "dir": s.direction}  # fmt: skip
    return pd.DataFrame(
        {"when": when.strftime("%Y-%m-%d %H:%M")} | {name: np.repeat(v, parts) for name, v in values.items()}
    )


def csv(path: Path, table: pd.DataFrame) -> Path:
    path.write_text(table.to_csv(index=False))
    return path


def era5(path: Path, s: Sky, points: tuple[tuple[float, float], ...] = ((LATITUDE, LONGITUDE),)) -> Path:
    """Energies of the hour before the stamp, fields at the stamp; every point has the same sky."""
    import xarray as xr

    latitude, longitude = sorted({p[0] for p in points}, reverse=True), sorted({p[1] for p in points})
    utc = pd.date_range("2019-01-01", periods=8760, freq="h")
    sun = mean_cos_zenith(LATITUDE, LONGITUDE, 30.0)
    angle = np.radians(s.direction)
    fields = {
        "ssrd": (np.roll(to_utc(s.ghi), 1) * 3600, "J m**-2"),
        "fdir": (np.roll(to_utc(s.dni * sun), 1) * 3600, "J m**-2"),
        "t2m": (to_utc(s.temp) + 273.15, "K"),
        "sp": (to_utc(s.pressure), "Pa"),
        "u100": (to_utc(-s.wind * np.sin(angle)), "m s**-1"),
        "v100": (to_utc(-s.wind * np.cos(angle)), "m s**-1"),
        "u10": (to_utc(s.wind * 0), "m s**-1"),
        "v10": (to_utc(s.wind * 0), "m s**-1"),
    }
    shape = (8760, len(latitude), len(longitude))
    data = xr.Dataset(
        {
            name: (("valid_time", "latitude", "longitude"), np.broadcast_to(v[:, None, None], shape), {"units": unit})
            for name, (v, unit) in fields.items()
        },
        {"valid_time": utc, "latitude": latitude, "longitude": longitude},
    )
    data.to_netcdf(path, engine="h5netcdf")
    return path


def merra2(path: Path, s: Sky) -> Path:
    import xarray as xr

    utc = pd.date_range("2019-01-01 00:30", periods=8760, freq="h")
    fields = {"SWGDN": (to_utc(s.ghi), "W m-2"), "T2M": (to_utc(s.temp) + 273.15, "K"),
              "PS": (to_utc(s.pressure), "Pa"), "U50M": (to_utc(s.wind), "m s-1"),
              "V50M": (to_utc(s.wind * 0), "m s-1"), "ALBEDO": (np.full(8760, 0.2), "1")}  # fmt: skip
    data = xr.Dataset(
        {name: (("time", "lat", "lon"), v[:, None, None], {"units": unit}) for name, (v, unit) in fields.items()},
        {"time": utc, "lat": [LATITUDE], "lon": [LONGITUDE]},
    )
    data.to_netcdf(path, engine="h5netcdf")
    return path


def text_of(table: pd.DataFrame) -> str:
    stream = io.StringIO()
    table.to_csv(stream, index=False)
    return stream.getvalue()
