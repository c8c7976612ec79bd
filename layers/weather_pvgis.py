"""PVGIS files, TMY and hourly, JSON and CSV, read by pvlib.

Stamps are UTC. Radiation from satellites is read at a moment of the hour (hh:10, hh:09, ... or, in a TMY, hh:00 plus
the stated offset); radiation from ERA5 is the mean of the hour around hh:30. Components of an hourly file are those
of a plane, which must be horizontal.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from layers.weather_raw import BEAM_HORIZONTAL, RawWeather, Report, numbers, text_of
from layers.weather_tmy3 import in_typical_year

_TMY = {
    "ghi": "ghi_w_per_m2",
    "dni": "dni_w_per_m2",
    "dhi": "dhi_w_per_m2",
    "temp_air": "temp_air_c",
    "pressure": "pressure_pa",
    "wind_speed": "wind_speed_m_per_s",
    "wind_direction": "wind_from_degree",
}
_HOURLY = {
    "poa_global": "ghi_w_per_m2",
    "poa_direct": BEAM_HORIZONTAL,
    "poa_sky_diffuse": "dhi_w_per_m2",
    "temp_air": "temp_air_c",
    "wind_speed": "wind_speed_m_per_s",
}
_MEANS = "ERA5"
_HALF_HOUR = 30.0


def raw_pvgis_tmy(content: bytes, report: Report) -> RawWeather:
    """The typical year of a PVGIS file. Where it states no offset of the radiation, the sun decides later."""
    from pvlib.iotools import read_pvgis_tmy

    kind, stream = _stream(content)
    data, meta = read_pvgis_tmy(stream, pvgis_format=kind)
    latitude, longitude, altitude_m = _place(meta["inputs"])
    table = numbers(data[[name for name in _TMY if name in data]].rename(columns=_TMY), report)
    table, findings = in_typical_year(table, pd.DatetimeIndex(data.index), report)
    offset_h = _number(meta["inputs"], "offset")
    return RawWeather(
        format="PVGIS TMY",
        title=f"PVGIS typical year at {latitude:g} N {longitude:g} E",
        latitude=latitude,
        longitude=longitude,
        altitude_m=altitude_m,
        table=table,
        zone_h=0.0,
        start_min=0.0 if offset_h is None else 60.0 * offset_h,
        instant=offset_h is not None,
        typical=True,
        years=tuple(sorted({int(month["year"]) for month in meta["months_selected"]})),
        findings=tuple(findings),
    )


def raw_pvgis_hourly(content: bytes, report: Report) -> RawWeather:
    """The series of a PVGIS file on a horizontal plane.

    Raises
    ------
    InputError
        ``plane`` if the plane is tilted, ``zone_or_stamp`` if the stamps have several minutes.
    """
    from pvlib.iotools import read_pvgis_hourly

    kind, stream = _stream(content)
    data, meta = read_pvgis_hourly(stream, pvgis_format=kind)
    latitude, longitude, altitude_m = _place(meta["inputs"])
    slope = _number(meta["inputs"], "slope")
    if slope:
        remedy = "Ask PVGIS for a slope of 0 degrees with radiation components."
        raise report.refuse("plane", "slope", slope, "the radiation is that of a tilted plane.", remedy)
    table = numbers(data[[name for name in _HOURLY if name in data]].rename(columns=_HOURLY), report)
    stamps = pd.DatetimeIndex(data.index)
    minutes = np.unique(stamps.minute)
    if minutes.size != 1:
        remedy = "Use one radiation database for the whole series."
        what = "the stamps stand at several minutes of the hour."
        raise report.refuse("step", "time", ", ".join(map(str, minutes)), what, remedy)
    database = _database(meta["inputs"])
    minute = float(minutes[0])
    means = _MEANS in database.upper()
    return RawWeather(
        format="PVGIS hourly",
        title=f"{database or 'PVGIS'} at {latitude:g} N {longitude:g} E",
        latitude=latitude,
        longitude=longitude,
        altitude_m=altitude_m,
        table=table.set_axis(stamps.floor("h")),
        zone_h=0.0,
        # a mean is stamped in its middle, a reading at its moment; rows are named by their hour
        start_min=minute - _HALF_HOUR if means else minute,
        instant=not means,
    )


def _stream(content: bytes) -> tuple[str, io.StringIO | io.BytesIO]:
    text = text_of(content)
    if text.lstrip().startswith("{"):
        return "json", io.StringIO(text)
    # pvlib reads the CSV of a typical year as bytes, that of a series as text
    return "csv", io.BytesIO(content) if "time(UTC)" in text else io.StringIO(text)


def _place(inputs: Mapping[str, Any]) -> tuple[float, float, float]:
    place = inputs.get("location", inputs)
    latitude, longitude = float(place["latitude"]), float(place["longitude"])
    elevation = place.get("elevation")
    return latitude, longitude, float("nan") if elevation is None else float(elevation)


def _database(inputs: Mapping[str, Any]) -> str:
    return str(inputs.get("meteo_data", {}).get("radiation_db", inputs.get("radiation_database", "")))


def _number(inputs: Mapping[str, Any], word: str) -> float | None:
    """First number whose key holds ``word``, at any depth; None where there is none."""
    for key, value in inputs.items():
        if key == "descriptions":
            continue
        if isinstance(value, Mapping):
            inside = value.get("value") if word in key.lower() and "value" in value else _number(value, word)
            if inside is not None:
                return float(inside)
        elif word in key.lower():
            match = re.search(r"-?\d+(\.\d+)?", str(value))
            if match:
                return float(match.group())
    return None
