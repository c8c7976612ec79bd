"""Existing wind and PV plants from a CSV, GeoPackage or GeoJSON of any of the usual lists.

Columns and words of WRI's list, of Global Energy Monitor's trackers and of OpenStreetMap are understood
(``layers/plant_columns.csv``, ``layers/plant_words.csv``); another list needs rows there, no Python. What is left out
is named: plants without position, doubles, plants that do not run. Positions that are only approximate stay, marked.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import Finding, FindingLog, InputError
from layers.tables import Table, column

PLANTS = Table(
    "existing_plants",
    "Existing wind and PV plants, one row each.",
    {
        "name": column(str, "", "name in the list; empty where it has none"),
        "technology": column(str, "", "pv or wind", isin=("pv", "wind")),
        "capacity_mw": column(float, "MW", "as listed; NaN where not known", nullable=True, gt=0),
        "lon": column(float, "degree", "WGS-84", ge=-180, le=180),
        "lat": column(float, "degree", "WGS-84", ge=-90, le=90),
        "approximate": column(bool, "", "the list says so, or gives at most two decimals (about 1 km)"),
    },
)

_FOLDER = Path(__file__).parent
_NEEDED = ("lon", "lat", "technology")
_COARSE_DECIMALS = 2
_DOUBLE_KM = 0.5
_NAMED_AT_MOST = 5


def read_plants(path: Path, *, log: FindingLog, shown_path: str | None = None) -> pd.DataFrame:
    """Wind and PV plants of a list (:data:`PLANTS`), in the order of the file.

    Parameters
    ----------
    path : Path
        ``.csv`` (also ``.csv.gz``) with longitude and latitude in WGS-84, or a vector file that GDAL reads; of
        polygons the inner point counts.
    log : FindingLog
        Gets a warning or note for everything that was left out or is not as it should be.
    shown_path : str, optional
        Name in the findings; the file name where not given.

    Raises
    ------
    InputError
        If the file cannot be read or lacks position or technology; names the columns that were looked for.
    """
    shown = shown_path or path.name
    raw = _read(path, shown)
    fields = _fields(raw, shown)
    technology = _meaning(raw[fields["technology"]], "technology", within=True)
    chosen = raw[technology.isin(("pv", "wind"))]
    table = pd.DataFrame(
        {
            "name": _texts(chosen, fields.get("name")),
            "technology": technology[chosen.index].astype(object),
            "capacity_mw": _numbers(chosen, fields.get("capacity_mw")),
            "lon": _numbers(chosen, fields["lon"]),
            "lat": _numbers(chosen, fields["lat"]),
            "approximate": _approximate(chosen, fields),
            "status": _meaning(_texts(chosen, fields.get("status")), "status"),
        }
    )
    table.loc[~(table["capacity_mw"] > 0), "capacity_mw"] = np.nan
    table = _without_position(table, shown, log)
    table = _running(table, shown, log)
    table = _without_doubles(table, shown, log)
    _tell(log, "note", "plants.approximate", shown, table[table["approximate"]], "stand at an approximate position",
          "Give exact positions, or a wider search for them.")  # fmt: skip
    return PLANTS.validate(table[list(PLANTS.columns)].reset_index(drop=True))


def _read(path: Path, shown: str) -> pd.DataFrame:
    """The list as text, so that the decimals of a position can be counted."""
    try:
        if path.suffix == ".csv" or path.name.endswith(".csv.gz"):
            return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        import pyogrio

        features = pyogrio.read_dataframe(path)
    except Exception as error:  # GDAL and pandas raise many kinds
        message, remedy = f"the file cannot be read: {error}.", "Give a CSV, GeoPackage or GeoJSON."
        raise InputError([Finding("error", "plants.unreadable", shown, "plants", "", "", message, remedy)]) from error
    if features.crs is None:
        message, remedy = "no CRS is declared.", "Declare it, WGS-84 as a rule."
        raise InputError([Finding("error", "plants.crs_missing", shown, "plants", "crs", "none", message, remedy)])
    points = features.to_crs("EPSG:4326").geometry.representative_point()
    plain = pd.DataFrame(features.drop(columns="geometry")).astype(object)
    plain = plain.where(plain.notna(), "").astype(str)
    return plain.assign(lon=[f"{x:.6f}" for x in points.x], lat=[f"{y:.6f}" for y in points.y])


@cache
def _columns() -> Mapping[str, tuple[str, ...]]:
    """Column names by field, in the order of the file: the first one that a list has counts."""
    found: dict[str, tuple[str, ...]] = {}
    for row in _rows("plant_columns.csv"):
        found[row["field"]] = (*found.get(row["field"], ()), row["column"])
    return found


@cache
def _words(field: str) -> Mapping[str, str]:
    return {row["word"]: row["meaning"] for row in _rows("plant_words.csv") if row["field"] == field}


def _rows(name: str) -> list[dict[str, str]]:
    with (_FOLDER / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _fields(raw: pd.DataFrame, shown: str) -> dict[str, str]:
    found = {
        field: next(name for name in names if name in raw.columns)
        for field, names in _columns().items()
        if any(name in raw.columns for name in names)
    }
    findings = [
        Finding(
            "error", "plants.column_missing", shown, "plants", field, "", f"no column holds the {field}.",
            f"Name it one of {', '.join(_columns()[field])}.",
        )
        for field in _NEEDED
        if field not in found
    ]  # fmt: skip
    if findings:
        raise InputError(findings)
    return found


def _texts(table: pd.DataFrame, name: str | None) -> pd.Series:
    if name is None:
        return pd.Series("", index=table.index, dtype=object)
    return table[name].astype(str).str.strip().astype(object)


def _numbers(table: pd.DataFrame, name: str | None) -> pd.Series:
    return pd.to_numeric(_texts(table, name), errors="coerce").astype(float)


def _meaning(texts: pd.Series, field: str, *, within: bool = False) -> pd.Series:
    """What each text means; empty where no word is known. ``within``: the word may stand in a longer text."""
    words = _words(field)

    def meaning(text: object) -> str:
        plain = str(text).strip().lower()
        if not within:
            return words.get(plain, "")
        return next((means for word, means in words.items() if word in plain), "")

    return pd.Series([meaning(text) for text in texts], index=texts.index, dtype=object)


def _approximate(table: pd.DataFrame, fields: Mapping[str, str]) -> pd.Series:
    """Approximate if the list says so, or if both coordinates have two decimals at most."""
    said = _meaning(_texts(table, fields.get("accuracy")), "accuracy")
    decimals = np.maximum(*(_decimals(_texts(table, fields[name])) for name in ("lon", "lat")))
    return (said == "approximate") | ((said != "exact") & (decimals <= _COARSE_DECIMALS))


def _decimals(texts: pd.Series) -> npt.NDArray[np.int64]:
    """Decimals of a number as it was written, zeros at the end not counted."""
    return np.array([len(t.partition(".")[2].rstrip("0")) for t in texts], np.int64)


def _without_position(table: pd.DataFrame, shown: str, log: FindingLog) -> pd.DataFrame:
    good = table["lon"].between(-180, 180) & table["lat"].between(-90, 90)
    good &= ~((table["lon"] == 0) & (table["lat"] == 0))
    _tell(log, "warning", "plants.no_position", shown, table[~good], "have no position", "Look the positions up.")
    return table[good]


def _running(table: pd.DataFrame, shown: str, log: FindingLog) -> pd.DataFrame:
    good = table["status"] != "not_operating"
    _tell(log, "note", "plants.not_operating", shown, table[~good], "do not run", "Nothing, they are left out.")
    return table[good]


def _without_doubles(table: pd.DataFrame, shown: str, log: FindingLog) -> pd.DataFrame:
    """Keep the first of plants of one technology within half a kilometre with the same name or capacity."""
    import shapely

    if table.empty:
        return table
    east = table["lon"].to_numpy(float) * np.cos(np.radians(table["lat"].mean())) * 111.195
    north = table["lat"].to_numpy(float) * 111.195
    points = np.asarray(shapely.points(east, north), object)
    one, other = shapely.STRtree(points).query(points, predicate="dwithin", distance=_DOUBLE_KM)
    kind, name = table["technology"].to_numpy(str), table["name"].to_numpy(str)
    capacity = table["capacity_mw"].to_numpy(float)
    alike = (kind[one] == kind[other]) & (
        ((name[one] == name[other]) & (name[one] != "")) | (capacity[one] == capacity[other])
    )
    double = np.unique(one[alike & (other < one)])
    kept = np.ones(len(table), bool)
    kept[double] = False
    _tell(log, "warning", "plants.double", shown, table[~kept], "stand twice within half a kilometre", "Keep one each.")
    return table[kept]


def _tell(log: FindingLog, severity: str, rule: str, shown: str, plants: pd.DataFrame, what: str, remedy: str) -> None:
    """One finding for all plants that share a fault, naming the first of them."""
    if plants.empty:
        return
    names = [name or f"row {index + 2}" for index, name in zip(plants.index, plants["name"], strict=True)]
    first = ", ".join(names[:_NAMED_AT_MOST]) + (", ..." if len(names) > _NAMED_AT_MOST else "")
    message = f"{len(names)} plant(s) {what}."
    log.add(Finding(severity, rule, shown, "plants", first, str(len(names)), message, remedy))  # type: ignore[arg-type]
