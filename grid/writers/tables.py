"""A case in the simple table format of :mod:`grid.readers.tables`: a folder of CSV files or one GeoPackage."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.model.contracts import BusBranch, LossItem
from grid.model.nameplate import Pi, nameplate_no_load, nameplate_percent, pi_to_t
from grid.model.star import expand_three_winding
from grid.readers.tables import FORMAT

Columns = dict[str, npt.NDArray[Any]]


def write_network_tables(case: BusBranch, path: Path) -> tuple[LossItem, ...]:
    """Write ``case`` to a folder, or to a ``.gpkg``; returns what the format could not hold. Same case, same bytes.

    Three-winding units become stars (``is_star`` buses, ``unit_of`` windings). Lines have a ratio of 1 and no shift;
    any other branch is a transformer. Shunts at the ends of branches and switched shunts become fixed shunts.
    """
    losses: list[LossItem] = []
    tables = _tables(case, losses)
    if path.suffix.lower() == ".gpkg":
        _write_gpkg(tables, path)
    else:
        path.mkdir(parents=True, exist_ok=True)
        for name, columns in tables.items():
            (path / f"{name}.csv").write_bytes(_csv(name, columns))
    return tuple(losses)


def _tables(case: BusBranch, losses: list[LossItem]) -> dict[str, Columns]:
    for unit in case.three_winding["transformer_id"]:
        losses.append(LossItem(f"three_winding {unit}", "", "converted", "star of three transformers", ""))
    case = expand_three_winding(case)
    vn = dict(zip(case.buses["bus_id"].tolist(), case.buses["vn_kv"].tolist(), strict=True))
    b = case.branches
    z = b["r_pu"].to_numpy(float) + 1j * b["x_pu"].to_numpy(float)
    line = ((b["ratio"] == 1) & (b["shift_degree"] == 0)).to_numpy(bool)
    line &= (b["kind"] == "line").to_numpy(bool) | (np.abs(z) == 0)
    for name in b.loc[~line & (b["kind"] == "line").to_numpy(bool), "branch_id"]:
        losses.append(LossItem(f"branch {name}", "kind", "converted", "line -> transformer", ""))
    generators: Columns = {c: case.generators[c].to_numpy() for c in FORMAT["generators"] if c in case.generators}
    same = (case.generators["regulated_bus_id"] == case.generators["bus_id"]).to_numpy(bool)
    generators["regulated_bus"] = np.where(same, 0, case.generators["regulated_bus_id"].to_numpy(int))
    tables: dict[str, Columns] = {
        "case": {
            "name": np.array([case.name], dtype=object),
            "base_mva": np.array([case.base_mva]),
            "frequency_hz": np.array([case.frequency_hz]),
        },
        "buses": {c: case.buses[c].to_numpy() for c in FORMAT["buses"]},
        "lines": _lines(b[line], vn, case),
        "transformers": _transformers(b[~line], vn, case),
        "loads": {c: case.loads[c].to_numpy() for c in FORMAT["loads"]},
        "generators": generators,
    }
    shunts = _shunts(case, losses)
    if len(shunts["shunt_id"]):
        tables["shunts"] = shunts
    if len(case.hvdc):
        tables["hvdc"] = {c: case.hvdc[c].to_numpy() for c in FORMAT["hvdc"]}
    return tables


def _kv(vn: Mapping[int, float], buses: pd.Series) -> npt.NDArray[np.float64]:
    return np.array([vn[int(i)] for i in buses], dtype=float)


def _lines(b: pd.DataFrame, vn: Mapping[int, float], case: BusBranch) -> Columns:
    kv = _kv(vn, b["from_bus"])
    ohm, length = kv**2 / case.base_mva, b["length_km"].to_numpy(float)
    length = np.where(length > 0, length, 1.0)
    return {
        "line_id": b["branch_id"].to_numpy(),
        "name": b["name"].to_numpy(),
        "circuit": b["circuit"].to_numpy(),
        "from_bus": b["from_bus"].to_numpy(),
        "to_bus": b["to_bus"].to_numpy(),
        "length_km": length,
        "r_ohm_per_km": b["r_pu"].to_numpy(float) * ohm / length,
        "x_ohm_per_km": b["x_pu"].to_numpy(float) * ohm / length,
        "c_nf_per_km": b["b_pu"].to_numpy(float) / ohm / length / (2 * np.pi * case.frequency_hz) * 1e9,
        "g_us_per_km": b["g_pu"].to_numpy(float) / ohm / length * 1e6,
        **{
            f"max_i{s}_ka": b[f"rating_{k}_mva"].to_numpy(float) / (np.sqrt(3) * kv)
            for s, k in (("", "a"), ("_b", "b"), ("_c", "c"))
        },
        "in_service": b["in_service"].to_numpy(),
    }


def _transformers(b: pd.DataFrame, vn: Mapping[int, float], case: BusBranch) -> Columns:
    hv, lv, base = _kv(vn, b["from_bus"]), _kv(vn, b["to_bus"]), case.base_mva
    z = b["r_pu"].to_numpy(float) + 1j * b["x_pu"].to_numpy(float)
    leakage, magnetising = pi_to_t(Pi(z, b["g_pu"].to_numpy(float) + 1j * b["b_pu"].to_numpy(float)))
    rating, ratio = b["rating_a_mva"].to_numpy(float), b["ratio"].to_numpy(float)
    sn = np.where(rating > 0, rating, base)
    vk, vkr = nameplate_percent(leakage, sn, base)
    pfe, i0 = nameplate_no_load(magnetising, sn, base)
    low, high = b["ratio_min"].to_numpy(float), b["ratio_max"].to_numpy(float)
    count = b["tap_positions"].to_numpy(int)
    ranged = (count > 1) & np.isfinite(low) & np.isfinite(high)
    step = np.where(ranged, (high - low) / np.maximum(count - 1, 1), 0.0)
    place = np.where(ranged, np.round((ratio - low) / np.where(step > 0, step, 1.0)), 0.0)
    return {
        "transformer_id": b["branch_id"].to_numpy(),
        "name": b["name"].to_numpy(),
        "circuit": b["circuit"].to_numpy(),
        "hv_bus": b["from_bus"].to_numpy(),
        "lv_bus": b["to_bus"].to_numpy(),
        "sn_mva": sn,
        "vn_hv_kv": hv * ratio,
        "vn_lv_kv": lv,
        "vk_percent": vk,
        "vkr_percent": vkr,
        "pfe_kw": pfe,
        "i0_percent": i0,
        "shift_degree": b["shift_degree"].to_numpy(float),
        "tap_pos": place,
        "tap_neutral": place,
        "tap_min": np.where(ranged, 0.0, np.nan),
        "tap_max": np.where(ranged, count - 1.0, np.nan),
        "tap_step_percent": step / ratio * 100,
        "tap_control": b["tap_control"].to_numpy(),
        "controlled_bus": b["controlled_bus_id"].to_numpy(),
        "vm_target_pu": b["vm_target_pu"].to_numpy(float),
        "vm_band_pu": b["vm_band_pu"].to_numpy(float),
        "rating_a_mva": np.where(np.isnan(rating), np.inf, rating),
        "rating_b_mva": b["rating_b_mva"].to_numpy(float),
        "rating_c_mva": b["rating_c_mva"].to_numpy(float),
        "in_service": b["in_service"].to_numpy(),
        "unit_of": b["transformer_id"].to_numpy(),
    }


def _shunts(case: BusBranch, losses: list[LossItem]) -> Columns:
    rows: list[tuple[str, int, float, float, bool, str]] = []
    for bus in case.buses.to_dict("records"):
        if bus["gs_mw"] or bus["bs_mvar"]:
            rows.append((f"bus {bus['bus_id']}", bus["bus_id"], bus["gs_mw"], bus["bs_mvar"], True, bus["name"]))
    for s in case.shunts.to_dict("records"):
        if s["control"] != "fixed":
            losses.append(LossItem(f"shunt {s['shunt_id']}", "steps", "dropped", "", "Written as switched now."))
        rows.append((s["shunt_id"], s["bus_id"], s["g_mw"], s["b_mvar"], s["in_service"], s["name"]))
    for x in case.branches.to_dict("records"):
        for end in ("from", "to"):
            g, b = x[f"g_{end}_pu"] * case.base_mva, x[f"b_{end}_pu"] * case.base_mva
            if g or b:
                name = f"{x['branch_id']} {end}"
                rows.append((name, x[f"{end}_bus"], g, b, x["in_service"], ""))
                losses.append(LossItem(name, "g, b", "converted", "shunt that an outage leaves behind", ""))
    names = ("shunt_id", "bus_id", "g_mw", "b_mvar", "in_service", "name")
    return {name: np.array([row[k] for row in rows], dtype=object) for k, name in enumerate(names)}


def _text(value: Any) -> str:
    if value is None or (isinstance(value, (float, np.floating)) and np.isnan(value)):
        return ""
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    return str(value)


def _cell(value: Any, default: Any) -> str:
    """Text of a value; an infinite limit is an empty cell where that is the column's default."""
    if isinstance(value, (float, np.floating)) and isinstance(default, float) and value == default:
        return ""
    return _text(value)


def _csv(name: str, columns: Columns) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    fields = [c for c in FORMAT[name] if c in columns]
    writer.writerow(fields)
    infinite = {c: FORMAT[name][c].default for c in fields}
    endless = {c: d if isinstance(d, float) and np.isinf(d) else None for c, d in infinite.items()}
    for row in zip(*(columns[c] for c in fields), strict=True):
        writer.writerow([_cell(v, endless[c]) for c, v in zip(fields, row, strict=True)])
    return text.getvalue().encode("utf-8-sig")


def _write_gpkg(tables: Mapping[str, Columns], path: Path) -> None:
    """Buses with a place are points (EPSG:4326); numbers that are infinite limits stay empty."""
    import geopandas as gpd
    import pyogrio

    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    for name, columns in tables.items():
        frame = pd.DataFrame({c: pd.Series(columns[c]).infer_objects() for c in FORMAT[name] if c in columns})
        for c, spec in FORMAT[name].items():
            if c in frame and spec.dtype is float:
                endless = isinstance(spec.default, float) and np.isinf(spec.default)
                frame[c] = frame[c].astype(float).where(~np.isinf(frame[c].astype(float)) | (not endless))
        if name == "buses":
            points = gpd.points_from_xy(frame["lon"], frame["lat"])
            known = np.isfinite(frame["lon"]) & np.isfinite(frame["lat"])
            frame = gpd.GeoDataFrame(frame, geometry=[p if k else None for p, k in zip(points, known, strict=True)],
                                     crs=4326)  # fmt: skip
        pyogrio.write_dataframe(
            frame, path, layer=name, append=path.exists(), driver="GPKG",
            geometry_type="Point" if name == "buses" else None,
        )  # fmt: skip
