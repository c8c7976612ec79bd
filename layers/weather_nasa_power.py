"""NASA POWER hourly point files, JSON and CSV: means of the hour, stamped at its start."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from layers.weather_raw import SECOND_WIND, RawWeather, Report, in_contract_unit, numbers, text_of

_COLUMNS = {
    "ALLSKY_SFC_SW_DWN": "ghi_w_per_m2",
    "ALLSKY_SFC_SW_DNI": "dni_w_per_m2",
    "ALLSKY_SFC_SW_DIFF": "dhi_w_per_m2",
    "T2M": "temp_air_c",
    "PS": "pressure_pa",
    "WS10M": "wind_speed_m_per_s",
    "WD10M": "wind_from_degree",
    "ALLSKY_SRF_ALB": "albedo",
}
_HIGH_WIND = {"WS50M": "wind_speed_m_per_s", "WD50M": "wind_from_degree"}
_DEFAULT_UNITS = {"temp_air_c": "C", "pressure_pa": "kPa", "wind_speed_m_per_s": "m/s", "wind_from_degree": "degree",
                  SECOND_WIND: "m/s", "albedo": "1"}  # fmt: skip
_MISSING = -999.0


def raw_nasa_power(content: bytes, report: Report) -> RawWeather:
    """The hours of a POWER file in UTC.

    Wind at 50 m is taken where the file has it (10 m is the second level then), else at 10 m.

    Raises
    ------
    InputError
        ``time_zone`` for files in local solar time, ``unit`` for units that are not known, ``text_in_numbers``.
    """
    text = text_of(content)
    data, units, head = _json(text) if text.lstrip().startswith("{") else _csv(text)
    if "UTC" not in head["time_standard"].upper():
        remedy = "Ask POWER for the time standard UTC; local solar time has no hours in common with a network."
        raise report.refuse(
            "time_zone", "time standard", head["time_standard"], "the stamps are no clock time.", remedy
        )
    high = "WS50M" in data
    names = _COLUMNS | (_HIGH_WIND if high else {})
    if high:
        names |= {"WS10M": SECOND_WIND}
        names.pop("WD10M")
    table = numbers(data[[name for name in names if name in data]], report)
    table = table.mask(table == head["fill_value"])
    result = {}
    for theirs in table:
        ours = names[str(theirs)]
        unit = units.get(str(theirs), _DEFAULT_UNITS.get(ours, "W/m2"))
        try:
            result[ours] = in_contract_unit(table[theirs].to_numpy(float), ours, unit, 60.0)
        except KeyError:
            remedy = "Ask POWER for the community RE."
            raise report.refuse("unit", str(theirs), unit, "this unit is not known.", remedy) from None
    return RawWeather(
        format="NASA POWER",
        title=f"NASA POWER at {head['latitude']:g} N {head['longitude']:g} E",
        latitude=head["latitude"],
        longitude=head["longitude"],
        altitude_m=head["altitude_m"],
        table=pd.DataFrame(result, index=table.index),
        zone_h=0.0,
        wind_height_m=50.0 if high else 10.0,
        second_wind_height_m=10.0 if high and "WS10M" in data else float("nan"),
    )


def _json(text: str) -> tuple[pd.DataFrame, dict[str, str], dict[str, Any]]:
    reply: Mapping[str, Any] = json.loads(text)
    data = pd.DataFrame(reply["properties"]["parameter"])
    data.index = pd.to_datetime(data.index, format="%Y%m%d%H", utc=True)
    longitude, latitude, *altitude = reply["geometry"]["coordinates"]
    header = reply["header"]
    head = {
        "time_standard": str(header.get("time_standard", "UTC")),
        "fill_value": float(header.get("fill_value", _MISSING)),
        "latitude": float(latitude),
        "longitude": float(longitude),
        "altitude_m": float(altitude[0]) if altitude else float("nan"),
    }
    units = {name: str(about.get("units", "")) for name, about in reply.get("parameters", {}).items()}
    return data, units, head


_CSV_PLACE = re.compile(r"latitude\s+(-?[\d.]+)\s+longitude\s+(-?[\d.]+)", re.IGNORECASE)
_CSV_HEIGHT = re.compile(r"elevation.*=\s*(-?[\d.]+)", re.IGNORECASE)
_CSV_MISSING = re.compile(r"missing.*?(-\d+)", re.IGNORECASE)
_CSV_TIME = re.compile(r"\bin\s+(UTC|LST)\b", re.IGNORECASE)
_CSV_UNIT = re.compile(r"^(\w+)\s.*\(([^()]*)\)\s*$", re.MULTILINE)


def _csv(text: str) -> tuple[pd.DataFrame, dict[str, str], dict[str, Any]]:
    begin, _, rows = text.partition("-END HEADER-")
    place, height = _CSV_PLACE.search(begin), _CSV_HEIGHT.search(begin)
    missing, standard = _CSV_MISSING.search(begin), _CSV_TIME.search(begin)
    if place is None:
        raise ValueError("the header names no latitude and longitude")
    data = pd.read_csv(io.StringIO(rows.strip()))
    data.index = pd.DatetimeIndex(
        pd.to_datetime({"year": data["YEAR"], "month": data["MO"], "day": data["DY"], "hour": data["HR"]}, utc=True)
    )
    head = {
        "time_standard": standard.group(1) if standard else "UTC",
        "fill_value": float(missing.group(1)) if missing else _MISSING,
        "latitude": float(place.group(1)),
        "longitude": float(place.group(2)),
        "altitude_m": float(height.group(1)) if height else float(np.nan),
    }
    return data, dict(_CSV_UNIT.findall(begin)), head
