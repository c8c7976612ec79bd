"""What a reader of weather hands on: the values as the file has them, and what the file says about its clock.

A reader knows one format: it names columns, turns units, and states where in time a value stands. It judges nothing.
:mod:`layers.weather_prepare` judges, for all formats alike.

::

    stamp                                   the label in the file
      |---------- start_min ---->|------ step ------|        mean: the interval a value of radiation stands for
      |---------- start_min ---->*                           reading: the moment it was read (``instant``)
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import Finding, InputError, Severity

Floats = npt.NDArray[np.float64]
RADIATION = ("ghi_w_per_m2", "dni_w_per_m2", "dhi_w_per_m2")
STATE = ("temp_air_c", "wind_speed_m_per_s", "pressure_pa")
SECOND_WIND = "wind_speed_second_m_per_s"
OPTIONAL = ("wind_from_degree", SECOND_WIND, "albedo")
BEAM_HORIZONTAL = "bhi_w_per_m2"
"""Beam on the horizontal: what some files have instead of DNI."""
DEFAULT_ROUGHNESS_M = 0.1
"""Roughness around a station at the edge of a town [m]; assumed, weather files seldom say."""
TYPICAL_YEAR = 2023
"""A common year for the calendar of typical years."""

_QUANTITY = {"temp_air_c": "temperature", "pressure_pa": "pressure", "wind_speed_m_per_s": "speed",
             SECOND_WIND: "speed", "wind_from_degree": "angle", "albedo": "share"}  # fmt: skip


@dataclass(frozen=True)
class Report:
    """Makes findings about one file. ``prefix`` begins the rule's id."""

    shown_path: str
    prefix: str = "weather"

    def __call__(self, severity: Severity, rule: str, item: str, value: object, message: str, remedy: str) -> Finding:
        return Finding(severity, f"{self.prefix}.{rule}", self.shown_path, "weather", item, str(value), message, remedy)

    def refuse(self, rule: str, item: str, value: object, message: str, remedy: str) -> InputError:
        """An error to raise where nothing further can be read."""
        return InputError([self("error", rule, item, value, message, remedy)])


@dataclass(frozen=True)
class RawWeather:
    """One place as its file has it.

    Attributes
    ----------
    table : DataFrame
        DatetimeIndex of the file's stamps with the file's zone; columns of the weather contract (and
        ``bhi_w_per_m2``) in their units, NaN for what is missing. A typical year stands in :data:`TYPICAL_YEAR`.
    start_min, state_start_min : float
        Minutes from the stamp to the start of the interval (or the moment) of radiation, and of all other columns.
    step_min : float
        Length of the interval; distance of the stamps.
    instant : bool
        Radiation is read at the moment, not a mean of the interval.
    typical : bool
        A year stitched from months of several years, its hours cyclic.
    years : tuple of int
        Years that the months of a typical year come from.
    notes : tuple of (rule, words)
        What the user should know about the source; changes nothing.
    hour_end_names : bool
        Findings name an hour as the file does: month-day and the hour that ends then.
    """

    format: str
    title: str
    latitude: float
    longitude: float
    altitude_m: float
    table: pd.DataFrame
    zone_h: float
    start_min: float = 0.0
    state_start_min: float = 0.0
    step_min: float = 60.0
    instant: bool = False
    typical: bool = False
    wind_height_m: float = 10.0
    second_wind_height_m: float = float("nan")
    roughness_length_m: float = DEFAULT_ROUGHNESS_M
    years: tuple[int, ...] = ()
    corrections: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    hour_end_names: bool = False
    cell_suffix: str = ""


@dataclass(frozen=True)
class Options:
    """What a study says about a weather file beyond the file itself.

    ``columns`` maps contract columns (and ``time``) to the file's own; ``units`` gives the unit of those that are not
    in the contract's. ``label`` is where the stamp stands in its interval. ``zone_h`` is the zone of stamps without
    one [h east of UTC]. ``bounds`` (west, south, east, north in degrees) choose points of a grid. ``years`` choose
    among the years of a series. ``labels`` 'as_filed' keeps radiation where the file has it whatever the sun says.
    """

    format: str = "auto"
    year: int = TYPICAL_YEAR
    years: tuple[int, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    label: str = "start"
    zone_h: float | None = None
    latitude: float | None = None
    longitude: float | None = None
    altitude_m: float | None = None
    wind_height_m: float | None = None
    second_wind_height_m: float | None = None
    roughness_length_m: float | None = None
    bounds: tuple[float, float, float, float] | None = None
    labels: str = "by_sun"


def content_of(path: Path, report: Report) -> bytes:
    """The file's bytes, unpacked where it is a gzip.

    Raises
    ------
    InputError
        ``file_missing`` or ``unreadable``.
    """
    remedy = "Put a readable weather file there."
    if not path.is_file():
        raise report.refuse("file_missing", "path", report.shown_path, "the file does not exist.", remedy)
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, EOFError, zlib.error) as error:
        reason = type(error).__name__
        raise report.refuse(
            "unreadable", "path", report.shown_path, f"cannot be unpacked ({reason}).", remedy
        ) from error


def text_of(content: bytes) -> str:
    """Text of a file; bytes that are no UTF-8 become replacement signs, they only occur in names."""
    return content.decode("utf-8-sig", errors="replace")


def numbers(table: pd.DataFrame, report: Report) -> pd.DataFrame:
    """All columns as numbers; text becomes NaN and is named.

    Returns
    -------
    DataFrame
        float64, same index.

    Raises
    ------
    InputError
        ``text_in_numbers``, one finding a column: empty cells are missing values, words are not.
    """
    found = []
    result = {}
    for name in table.columns:
        column = table[name]
        value = pd.to_numeric(column, errors="coerce")
        words = value.isna() & column.notna() & ~column.astype(str).str.strip().str.lower().isin(("", "nan", "na"))
        if words.any():
            rows = np.flatnonzero(words.to_numpy())
            found.append(
                report("error", "text_in_numbers", f"row {rows[0] + 1}", column.iloc[rows[0]],
                       f"{name} has {rows.size} cells that are no numbers.", "Correct them or leave them empty.")
            )  # fmt: skip
        result[name] = value.astype(float)
    if found:
        raise InputError(found)
    return pd.DataFrame(result, index=table.index)


@cache
def limits() -> pd.DataFrame:
    """``weather_limits.csv``: by column, what can be true, what stands for "missing", and which mean is usual."""
    table = pd.read_csv(Path(__file__).with_name("weather_limits.csv"), dtype={"sentinels": str})
    table["sentinels"] = [tuple(float(word) for word in words.split(";")) for words in table["sentinels"]]
    return table.set_index("column")


@cache
def _units() -> pd.DataFrame:
    table = pd.read_csv(Path(__file__).with_name("weather_units.csv"), dtype=str, keep_default_na=False)
    return table.set_index(["quantity", "unit"])


def known_units(column: str) -> tuple[str, ...]:
    """Units that :func:`in_contract_unit` turns for a column."""
    quantity = _QUANTITY.get(column, "irradiance")
    return tuple(unit for kind, unit in _units().index if kind == quantity)


def in_contract_unit(values: Floats, column: str, unit: str, step_min: float) -> Floats:
    """Values of a column in the contract's unit.

    Parameters
    ----------
    values : ndarray
    column : str
        Column of the weather contract.
    unit : str
        One of :func:`known_units`; spelling of ``**``, ``^``, spaces and dots does not matter.
    step_min : float
        Length of the interval; energies (J/m2, Wh/m2) become its mean power.

    Raises
    ------
    KeyError
        If the unit is not known for the column.
    """
    quantity = _QUANTITY.get(column, "irradiance")
    spelled = {plain_unit(name): name for kind, name in _units().index if kind == quantity}
    row = _units().loc[(quantity, spelled[plain_unit(unit)])]
    words = str(row["factor"]).split()
    factor = float(words[0]) if words[0] != "per_hour" else 1.0
    if "per_hour" in words:
        factor *= 60.0 / step_min
    return np.asarray(values * factor + float(row["offset"]), np.float64)


_SPELLINGS = {"c": "degc", "degreesc": "degc", "celsius": "degc", "degreecelsius": "degc", "kelvin": "k",
              "ms1": "m/s", "ms-1": "m/s", "wm2": "w/m2", "wm-2": "w/m2", "jm-2": "j/m2", "jm2": "j/m2",
              "whm2": "wh/m2", "whm-2": "wh/m2", "kw-hr/m2": "kwh/m2", "kw-hr/m2/day": "kwh/m2/day",
              "0-1": "1", "(0-1)": "1", "": "1", "dimensionless": "1", "w/m2/hr": "w/m2", "degrees": "degree",
              "deg": "degree", "kts": "knot", "mb": "mbar", "unitless": "1", "%": "percent"}  # fmt: skip


def plain_unit(unit: str) -> str:
    """A unit without the ways of writing it: ``'J m**-2'``, ``'J m-2'`` and ``'J/m^2'`` are ``'j/m2'``."""
    plain = re.sub(r"[\s*^.]", "", unit.lower()).replace("²", "2").replace("⁻", "-")
    return _SPELLINGS.get(plain, plain)


def ticks(index: pd.DatetimeIndex) -> npt.NDArray[np.int64]:
    """Stamps as whole nanoseconds of UTC."""
    plain = index if index.tz is None else index.tz_convert("UTC").tz_localize(None)
    return np.asarray(plain, "datetime64[ns]").astype(np.int64)


def first_names(names: Iterable[str], shown: int = 5) -> str:
    """The first names of a list, and how many more there are."""
    every = list(names)
    return ", ".join(every[:shown]) + (f" and {len(every) - shown} more" if len(every) > shown else "")


def hour_names(index: pd.DatetimeIndex, *, typical: bool, hour_end: bool) -> list[str]:
    """How findings call hours: '07-16 hour 12' (the hour that ends then), '07-16 11:00' or '2019-07-16 11:00'."""
    if hour_end:
        return [f"{stamp:%m-%d} hour {stamp.hour + 1}" for stamp in index]
    return [f"{stamp:{'%m-%d %H:%M' if typical else '%Y-%m-%d %H:%M'}}" for stamp in index]
