"""The simple table format: a folder of CSV files, or one GeoPackage, in physical units.

::

    case.csv          name, base_mva, frequency_hz                                  (optional, one row)
    buses             bus_id, name, vn_kv, kind, vm_min_pu, vm_max_pu, area, zone, lon, lat, station
    lines             line_id, name, from_bus, to_bus, length_km, r_ohm_per_km, x_ohm_per_km, c_nf_per_km, max_i_ka ...
    transformers      transformer_id, name, hv_bus, lv_bus, sn_mva, vn_hv_kv, vn_lv_kv, vk_percent, vkr_percent ...
    loads             load_id, bus_id, p_mw, q_mvar ...
    generators        generator_id, bus_id, p_mw, vm_pu, control, q_min_mvar, q_max_mvar, slack_weight, fuel ...
    shunts, hvdc      optional

:data:`FORMAT` is the whole promise: unit, meaning and default of every column. A column may be absent if it has a
default; taking it is noted. A cell may be empty if its column has a default. One bus needs ``kind = ref``.
"""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.model.acceptance import accept
from grid.model.contracts import BUS_KINDS, FUELS, BusBranch, LossItem, Source, make_case
from grid.model.nameplate import leakage_pu, magnetising_pu, t_to_pi
from grid.readers.source import SourceFile, fault, open_source, unreadable
from layers.contracts import Finding, InputError

RULE = "network_table"
Floats = npt.NDArray[np.float64]
_TRUTH = {"true": True, "1": True, "yes": True, "是": True, "false": False, "0": False, "no": False, "否": False}
_NONE = object()


@dataclass(frozen=True)
class Field:
    """One column of the table format. Without default the cell must be filled in."""

    dtype: type
    unit: str
    description: str
    default: Any = _NONE
    isin: tuple[str, ...] = ()


def _f(unit: str, description: str, default: Any = _NONE) -> Field:
    return Field(float, unit, description, default)


_TEXT = Field(str, "", "label", "")
_ON = Field(bool, "", "connected", True)
NAN = float("nan")
FORMAT: Mapping[str, Mapping[str, Field]] = {
    "buses": {
        "bus_id": Field(int, "", "bus number"),
        "name": _TEXT,
        "vn_kv": _f("kV", "nominal voltage"),
        "kind": Field(str, "", "pq, pv, ref or isolated; ref holds the angle", "pq", BUS_KINDS),
        "vm_min_pu": _f("pu", "lower operating limit", NAN),
        "vm_max_pu": _f("pu", "upper operating limit", NAN),
        "area": Field(int, "", "area number", 0),
        "zone": Field(int, "", "zone number", 0),
        "vm_pu": _f("pu", "stored state", NAN),
        "va_degree": _f("degree", "stored state; at ref the angle held", NAN),
        "lon": _f("degree", "WGS-84", NAN),
        "lat": _f("degree", "WGS-84", NAN),
        "station": _TEXT,
        "is_star": Field(bool, "", "fictitious bus", False),
    },
    "lines": {
        "line_id": Field(str, "", "stable id, one a circuit"),
        "name": _TEXT,
        "circuit": Field(str, "", "circuit number", "1"),
        "from_bus": Field(int, "", "bus number"),
        "to_bus": Field(int, "", "bus number"),
        "length_km": _f("km", "length"),
        "r_ohm_per_km": _f("ohm/km", "positive sequence"),
        "x_ohm_per_km": _f("ohm/km", "positive sequence"),
        "c_nf_per_km": _f("nF/km", "positive sequence", 0.0),
        "g_us_per_km": _f("uS/km", "positive sequence", 0.0),
        "max_i_ka": _f("kA", "continuous rating; empty: none", NAN),
        "max_i_b_ka": _f("kA", "long-term emergency rating", NAN),
        "max_i_c_ka": _f("kA", "short-term emergency rating", NAN),
        "in_service": _ON,
    },
    "transformers": {
        "transformer_id": Field(str, "", "stable id, one a unit"),
        "name": _TEXT,
        "circuit": Field(str, "", "unit number", "1"),
        "hv_bus": Field(int, "", "bus number; the tapped side where there are taps"),
        "lv_bus": Field(int, "", "bus number"),
        "sn_mva": _f("MVA", "rating and base of the percentages"),
        "vn_hv_kv": _f("kV", "rated voltage at neutral tap, hv side"),
        "vn_lv_kv": _f("kV", "rated voltage, lv side"),
        "vk_percent": _f("%", "short-circuit voltage; negative: negative reactance"),
        "vkr_percent": _f("%", "resistive part"),
        "pfe_kw": _f("kW", "no-load losses", 0.0),
        "i0_percent": _f("%", "no-load current; negative: capacitive", 0.0),
        "shift_degree": _f("degree", "lv behind hv", 0.0),
        "tap_pos": _f("", "position of the hv tap", 0.0),
        "tap_neutral": _f("", "neutral position", 0.0),
        "tap_min": _f("", "lowest position; empty: no changer", NAN),
        "tap_max": _f("", "highest position", NAN),
        "tap_step_percent": _f("%", "step of the hv turns", 0.0),
        "tap_control": Field(str, "", "none or voltage", "none", ("none", "voltage")),
        "controlled_bus": Field(int, "", "bus the tap holds; 0: lv_bus", 0),
        "vm_target_pu": _f("pu", "middle of its band", NAN),
        "vm_band_pu": _f("pu", "half width of its band", NAN),
        "rating_a_mva": _f("MVA", "continuous rating; empty: sn_mva; inf: none", NAN),
        "rating_b_mva": _f("MVA", "long-term emergency rating", NAN),
        "rating_c_mva": _f("MVA", "short-term emergency rating", NAN),
        "in_service": _ON,
        "unit_of": Field(str, "", "three-winding unit this is a winding of", ""),
    },
    "loads": {
        "load_id": Field(str, "", "stable id"),
        "bus_id": Field(int, "", "bus number"),
        "p_mw": _f("MW", "consumed, constant power"),
        "q_mvar": _f("Mvar", "consumed, constant power", 0.0),
        "p_i_mw": _f("MW", "constant current part at 1 pu", 0.0),
        "q_i_mvar": _f("Mvar", "constant current part at 1 pu", 0.0),
        "p_z_mw": _f("MW", "constant admittance part at 1 pu", 0.0),
        "q_z_mvar": _f("Mvar", "constant admittance part at 1 pu", 0.0),
        "in_service": _ON,
        "name": _TEXT,
    },
    "generators": {
        "generator_id": Field(str, "", "stable id"),
        "bus_id": Field(int, "", "bus number"),
        "p_mw": _f("MW", "produced"),
        "q_mvar": _f("Mvar", "produced; the start where the voltage is held", 0.0),
        "control": Field(str, "", "voltage or power", "power", ("voltage", "power")),
        "vm_pu": _f("pu", "set point", NAN),
        "q_min_mvar": _f("Mvar", "lower limit; empty: none", -np.inf),
        "q_max_mvar": _f("Mvar", "upper limit; empty: none", np.inf),
        "p_min_mw": _f("MW", "lower limit", NAN),
        "p_max_mw": _f("MW", "upper limit", NAN),
        "sn_mva": _f("MVA", "machine base", NAN),
        "regulated_bus": Field(int, "", "bus whose voltage is held; 0: its own", 0),
        "slack_weight": _f("", "share of the slack power", 0.0),
        "fuel": Field(str, "", "class of the plant", "other", FUELS),
        "in_service": _ON,
        "name": _TEXT,
    },
    "shunts": {
        "shunt_id": Field(str, "", "stable id"),
        "bus_id": Field(int, "", "bus number"),
        "g_mw": _f("MW", "consumed at 1 pu", 0.0),
        "b_mvar": _f("Mvar", "produced at 1 pu, capacitor positive"),
        "in_service": _ON,
        "name": _TEXT,
    },
    "hvdc": {
        "hvdc_id": Field(str, "", "stable id"),
        "from_bus": Field(int, "", "bus number; -1 outside"),
        "to_bus": Field(int, "", "bus number; -1 outside"),
        "p_from_mw": _f("MW", "injected at from_bus (sending: negative)"),
        "q_from_mvar": _f("Mvar", "injected at from_bus", 0.0),
        "p_to_mw": _f("MW", "injected at to_bus"),
        "q_to_mvar": _f("Mvar", "injected at to_bus", 0.0),
        "in_service": _ON,
        "name": _TEXT,
    },
    "case": {
        "name": _TEXT,
        "base_mva": _f("MVA", "power base of the calculation", 100.0),
        "frequency_hz": _f("Hz", "frequency", 50.0),
    },
}
OPTIONAL = ("shunts", "hvdc", "case", "transformers")


def read_network_tables(path: Path, shown: str | None = None) -> BusBranch:
    """Read a folder of ``<table>.csv`` (UTF-8 or GBK) or a ``.gpkg`` with layers of these names.

    A geometry of the GeoPackage's buses that is a WGS-84 point fills in ``lon`` and ``lat``.

    Raises
    ------
    InputError
        With every fault of every table; rows count as in a spreadsheet, the header is row 1.
    """
    label = shown if shown is not None else path.name
    cells = _gpkg_cells(path, label) if path.suffix.lower() == ".gpkg" else _folder_cells(path, label)
    findings: list[Finding] = []
    losses: list[LossItem] = []
    tables: dict[str, dict[str, npt.NDArray[Any]]] = {}
    for name, fields in FORMAT.items():
        sheet = cells.get(name)
        if sheet is None:
            if name not in OPTIONAL:
                message = f"The table {name} is absent."
                findings.append(_fault(label, "table_missing", name, "", message, "Add it; it may be empty."))
            continue
        tables[name] = _parsed(label, name, fields, sheet, findings, losses)
    if findings:
        raise InputError(findings)
    return _case(label, path, tables, losses)


def _fault(label: str, what: str, layer: str, value: str, message: str, remedy: str, item: str = "") -> Finding:
    return fault(RULE, label, what, value, message, remedy, layer, item)


Sheet = dict[str, list[str]]


def _folder_cells(path: Path, label: str) -> dict[str, Sheet]:
    if not path.is_dir():
        raise unreadable(RULE, label, "file_missing", "", "There is no such folder of tables.", "Correct the path.")
    found = {name: path / f"{name}.csv" for name in FORMAT if (path / f"{name}.csv").is_file()}
    return {name: _csv_cells(open_source(file, f"{label}/{name}.csv", RULE), name) for name, file in found.items()}


def _csv_cells(source: SourceFile, name: str) -> Sheet:
    try:
        rows = [r for r in csv.reader(io.StringIO(source.text().replace("\x00", ""))) if any(c.strip() for c in r)]
    except csv.Error as error:
        raise unreadable(RULE, source.shown, "not_csv", str(error), "The file is no table of commas.") from error
    if not rows:
        return {column: [] for column in FORMAT[name]}
    header = [h.strip() for h in rows[0]]
    wrong = [k for k, row in enumerate(rows[1:], start=2) if len(row) != len(header)]
    if wrong or len(set(header)) != len(header):
        message = f"The header has {len(header)} columns (each name once); some rows have another number of cells."
        item = f"rows {', '.join(map(str, wrong[:10]))}" if wrong else "header"
        raise unreadable(RULE, source.shown, "ragged_row", "", message, "Repair the rows.", name, item)
    return {column: [row[j].strip() for row in rows[1:]] for j, column in enumerate(header)}


def _gpkg_cells(path: Path, label: str) -> dict[str, Sheet]:
    import pyogrio

    open_source(path, label, RULE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # what GDAL warns of is an error or harmless
            layers = [str(name) for name in pyogrio.list_layers(path)[:, 0]]
            frames = {name: pyogrio.read_dataframe(path, layer=name) for name in FORMAT if name in layers}
    except Exception as error:
        # GDAL tells every fault of a file by its own exceptions
        raise unreadable(RULE, label, "not_gpkg", type(error).__name__, "The file is no GeoPackage.") from error
    cells: dict[str, Sheet] = {}
    for name, frame in frames.items():
        if "geometry" in frame:
            points = frame.geometry
            if name == "buses" and points.geom_type.eq("Point").all() and getattr(frame, "crs", None) is not None:
                degrees = points.to_crs(4326)
                frame["lon"], frame["lat"] = degrees.x, degrees.y
            frame = pd.DataFrame(frame.drop(columns="geometry"))
        cells[name] = {str(c): [_cell_text(v) for v in frame[c]] for c in frame.columns if c != "fid"}
    return cells


def _cell_text(value: Any) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    return repr(float(value)) if isinstance(value, (float, np.floating)) else str(value)


def _parsed(
    label: str, name: str, fields: Mapping[str, Field], sheet: Sheet, findings: list[Finding], losses: list[LossItem]
) -> dict[str, npt.NDArray[Any]]:
    n = len(next(iter(sheet.values()), []))
    for column in sheet:
        if column not in fields:
            losses.append(LossItem(name, column, "dropped", "", "Not a column of this format."))
    parsed: dict[str, npt.NDArray[Any]] = {}
    for column, spec in fields.items():
        if column not in sheet:
            if spec.default is _NONE and n:
                message = f"The column {column} is absent: {spec.description}."
                findings.append(_fault(label, "column_missing", name, "", message, "Add the column.", column))
            elif spec.default is not _NONE and n and not _silent(spec):
                losses.append(LossItem(name, column, "defaulted", str(spec.default), f"Add it: {spec.description}."))
            default = spec.dtype() if spec.default is _NONE else spec.default
            parsed[column] = np.full(n, default, dtype=object if spec.dtype is str else spec.dtype)
            continue
        values = []
        for k, text in enumerate(sheet[column]):
            value, problem = _cell(text, spec)
            if problem and len(findings) < 500:
                findings.append(_fault(label, *problem[:1], name, text, *problem[1:], f"row {k + 2}, column {column}"))
            values.append(value)
        parsed[column] = np.array(values, dtype=object if spec.dtype is str else spec.dtype)
    return parsed


def _silent(spec: Field) -> bool:
    """Defaults that claim nothing: no label, no value, connected."""
    return spec.default in ("", True, False, 0) or (isinstance(spec.default, float) and not np.isfinite(spec.default))


def _cell(text: str, spec: Field) -> tuple[Any, tuple[str, str, str] | None]:
    if not text:
        if spec.default is _NONE:
            return spec.dtype(), ("empty_cell", "The cell is empty; unknown is not zero.", f"Give {spec.description}.")
        return spec.default, None
    if spec.dtype is str:
        if spec.isin and text not in spec.isin:
            return text, ("not_allowed", f"Allowed: {', '.join(spec.isin)}.", "Use one of the allowed values.")
        return text, None
    if spec.dtype is bool:
        if text.lower() not in _TRUTH:
            return False, ("not_a_truth", "The value is neither true nor false.", "Write true or false.")
        return _TRUTH[text.lower()], None
    try:
        number = float(text)
    except ValueError:
        return spec.dtype(), ("not_a_number", "The cell is not a number.", f"Give a plain number in {spec.unit}.")
    if spec.dtype is int:
        if not np.isfinite(number) or number != int(number) or abs(number) > 2**53:
            return 0, ("not_whole", "A whole number belongs here.", "Give a whole number.")
        return int(number), None
    return number, None


def _case(label: str, path: Path, tables: dict[str, dict[str, npt.NDArray[Any]]], losses: list[LossItem]) -> BusBranch:
    case = tables.get("case", {})
    one = bool(case) and len(case["base_mva"]) == 1
    base = float(case["base_mva"][0]) if one else 100.0
    frequency = float(case["frequency_hz"][0]) if one else 50.0
    name = str(case["name"][0]) if one and case["name"][0] else path.stem
    vn = dict(zip(tables["buses"]["bus_id"].tolist(), tables["buses"]["vn_kv"].tolist(), strict=True))
    findings = _unusable(label, tables, vn, base, frequency)
    if findings:
        raise InputError(findings)
    lines, units = _line_columns(tables["lines"], vn, base, frequency), _unit_columns(tables, vn, base)
    branches = {c: np.concatenate([lines[c], units[c]]) for c in lines}
    generators = dict(tables["generators"])
    regulated = generators.pop("regulated_bus")
    generators["regulated_bus_id"] = np.where(regulated == 0, generators["bus_id"], regulated)
    return accept(
        make_case(
            name,
            base,
            Source("tables", "1", label),
            {
                "buses": tables["buses"],
                "loads": tables["loads"],
                "generators": generators,
                "branches": branches,
                **{k: tables[k] for k in ("shunts", "hvdc") if k in tables},
            },
            frequency_hz=frequency,
            losses=losses,
        )
    )


def _unusable(
    label: str, tables: dict[str, dict[str, npt.NDArray[Any]]], vn: Mapping[int, float], base: float, hz: float
) -> list[Finding]:
    """What the conversion to per unit divides by, and the buses it looks up."""
    findings = []
    positive = {
        "buses": ("vn_kv",), "lines": ("length_km",), "transformers": ("sn_mva", "vn_hv_kv", "vn_lv_kv"),
    }  # fmt: skip
    for name, columns in positive.items():
        for column in columns:
            values = tables.get(name, {}).get(column, np.array([]))
            for k in np.flatnonzero(~((values > 0) & np.isfinite(values)))[:50]:
                item = f"row {k + 2}, column {column}"
                message = "The value must be a number above 0."
                findings.append(_fault(label, "out_of_range", name, str(values[k]), message, "Correct it.", item))
    ends = {"lines": ("from_bus", "to_bus"), "transformers": ("hv_bus", "lv_bus")}
    for name, columns in ends.items():
        for column in columns:
            for k, bus in enumerate(tables.get(name, {}).get(column, np.array([])).tolist()):
                if bus not in vn and len(findings) < 500:
                    item = f"row {k + 2}, column {column}"
                    findings.append(_fault(label, "unknown_bus", name, str(bus), "No such bus.", "Correct it.", item))
    if not (base > 0 and hz > 0 and np.isfinite(base) and np.isfinite(hz)):
        message = "Base and frequency must be above 0."
        findings.append(_fault(label, "out_of_range", "case", f"{base}, {hz}", message, "Correct it."))
    return findings


def _kv(vn: Mapping[int, float], buses: npt.NDArray[Any]) -> Floats:
    return np.array([vn[int(b)] for b in buses], dtype=float)


def _line_columns(line: dict[str, npt.NDArray[Any]], vn: Mapping[int, float], base: float, hz: float) -> dict[str, Any]:
    kv = _kv(vn, line["from_bus"])
    ohm, length, n = kv**2 / base, line["length_km"], len(kv)
    mva = np.sqrt(3) * kv
    nan = np.full(n, np.nan)
    return {
        "branch_id": line["line_id"],
        "name": line["name"],
        "circuit": line["circuit"],
        "kind": np.full(n, "line", dtype=object),
        "from_bus": line["from_bus"],
        "to_bus": line["to_bus"],
        "r_pu": line["r_ohm_per_km"] * length / ohm,
        "x_pu": line["x_ohm_per_km"] * length / ohm,
        "g_pu": line["g_us_per_km"] * 1e-6 * length * ohm,
        "b_pu": 2 * np.pi * hz * line["c_nf_per_km"] * 1e-9 * length * ohm,
        "ratio": np.ones(n),
        "shift_degree": np.zeros(n),
        "rating_a_mva": line["max_i_ka"] * mva,
        "rating_b_mva": line["max_i_b_ka"] * mva,
        "rating_c_mva": line["max_i_c_ka"] * mva,
        "in_service": line["in_service"],
        "length_km": length,
        "tap_control": np.full(n, "none", dtype=object),
        "controlled_bus_id": line["to_bus"],
        "ratio_min": nan,
        "ratio_max": nan,
        "tap_positions": np.zeros(n, dtype=np.int64),
        "vm_target_pu": nan,
        "vm_band_pu": nan,
        "transformer_id": np.full(n, "", dtype=object),
    }


def _unit_columns(
    tables: dict[str, dict[str, npt.NDArray[Any]]], vn: Mapping[int, float], base: float
) -> dict[str, Any]:
    absent: dict[str, npt.NDArray[Any]] = {
        c: np.zeros(0, dtype=object if s.dtype is str else s.dtype) for c, s in FORMAT["transformers"].items()
    }
    unit = tables.get("transformers", absent)
    hv, lv = _kv(vn, unit["hv_bus"]), _kv(vn, unit["lv_bus"])
    low = unit["vn_lv_kv"] / lv
    z = leakage_pu(unit["vk_percent"], unit["vkr_percent"], unit["sn_mva"], base) * low**2
    y = magnetising_pu(unit["pfe_kw"], unit["i0_percent"], unit["sn_mva"], base) / low**2
    pi = t_to_pi(z, y)
    nominal, step = unit["vn_hv_kv"] / hv / low, unit["tap_step_percent"] / 100

    def at(position: Floats) -> Floats:
        return np.asarray(nominal * (1 + (position - unit["tap_neutral"]) * step), dtype=np.float64)

    rating = unit["rating_a_mva"]
    ranged = np.isfinite(unit["tap_min"]) & np.isfinite(unit["tap_max"]) & (step > 0)
    return {
        "branch_id": unit["transformer_id"],
        "name": unit["name"],
        "circuit": unit["circuit"],
        "kind": np.full(len(hv), "transformer", dtype=object),
        "from_bus": unit["hv_bus"],
        "to_bus": unit["lv_bus"],
        "r_pu": pi.z_pu.real,
        "x_pu": pi.z_pu.imag,
        "g_pu": pi.y_pu.real,
        "b_pu": pi.y_pu.imag,
        "ratio": at(unit["tap_pos"]),
        "shift_degree": unit["shift_degree"],
        "rating_a_mva": np.where(np.isnan(rating), unit["sn_mva"], np.where(np.isinf(rating), np.nan, rating)),
        "rating_b_mva": unit["rating_b_mva"],
        "rating_c_mva": unit["rating_c_mva"],
        "in_service": unit["in_service"],
        "length_km": np.full(len(hv), np.nan),
        "tap_control": unit["tap_control"],
        "controlled_bus_id": np.where(unit["controlled_bus"] == 0, unit["lv_bus"], unit["controlled_bus"]),
        "ratio_min": np.where(ranged, at(unit["tap_min"]), np.nan),
        "ratio_max": np.where(ranged, at(unit["tap_max"]), np.nan),
        "tap_positions": np.where(ranged, np.nan_to_num(unit["tap_max"] - unit["tap_min"]) + 1, 0).astype(np.int64),
        "vm_target_pu": unit["vm_target_pu"],
        "vm_band_pu": unit["vm_band_pu"],
        "transformer_id": unit["unit_of"],
    }
