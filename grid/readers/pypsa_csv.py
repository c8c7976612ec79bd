"""A PyPSA network saved as a folder of CSV files, at one snapshot (made for scigrid-de).

PyPSA knows no bus numbers and no dispatch before it is optimised. Buses are numbered from 1 in table order and keep
their name; plants run in the order of their marginal cost up to the snapshot's load (a copper plate), which is a
planning state and is told as such in the list of losses.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.model.acceptance import accept
from grid.model.contracts import BusBranch, LossItem, Source, make_case
from grid.readers.csv_columns import numbers, read_columns, texts
from grid.readers.source import fault
from layers.contracts import Finding, InputError

RULE = "pypsa_csv"
LINE_TYPES = Path(__file__).with_name("pypsa_line_types.csv")
BASE_MVA = 100.0
FREQUENCY_HZ = 50.0
NEEDED = {
    "buses": ("name", "v_nom", "x", "y"),
    "lines": ("name", "bus0", "bus1", "type", "s_nom", "length", "num_parallel"),
    "transformers": ("name", "bus0", "bus1", "x", "s_nom"),
    "loads": ("name", "bus"),
    "generators": ("name", "bus", "p_nom", "carrier", "marginal_cost"),
}
FUELS = {
    "Gas": "gas", "Hard Coal": "coal", "Brown Coal": "coal", "Nuclear": "nuclear", "Wind Onshore": "wind",
    "Wind Offshore": "wind", "Run of River": "hydro", "Storage Hydro": "hydro", "Pumped Hydro": "pumped",
    "Solar": "pv", "Waste": "biomass",
}  # fmt: skip
HOLDING = ("gas", "coal", "nuclear", "hydro")
"""Fuels whose running plants hold the voltage."""


@dataclass(frozen=True)
class PypsaOptions:
    """What the tables do not say. ``power_factor`` is of the loads, ``vm_pu`` the set point of plants."""

    snapshot: int = 0
    power_factor: float = 0.98
    vm_pu: float = 1.02


def read_pypsa_csv(folder: Path, shown: str | None = None, options: PypsaOptions | None = None) -> BusBranch:
    """Read a folder at one snapshot.

    A line with ``num_parallel`` n becomes n circuits of its ``type`` (``pypsa_line_types.csv``), as PyPSA does.
    Reactive power of loads, set points and dispatch are assumptions; ``losses`` names them. The reference is the bus
    with the largest running plant, and running plants that hold the voltage share the slack by size.

    Raises
    ------
    InputError
        With every fault of the tables.
    """
    settings = options or PypsaOptions()
    label = shown if shown is not None else folder.name
    findings: list[Finding] = []
    sheet = {
        name: read_columns(folder / f"{name}.csv", f"{label}/{name}.csv", columns, RULE, findings)
        for name, columns in NEEDED.items()
    }
    series = {
        name: read_columns(folder / f"{name}.csv", f"{label}/{name}.csv", (), RULE, findings, index=True)
        for name in ("loads-p_set", "generators-p_max_pu")
    }
    if not findings:
        for name, table in series.items():
            if not 0 <= settings.snapshot < len(table):
                message = f"There is no snapshot {settings.snapshot}: the table has {len(table)}."
                findings.append(fault(RULE, f"{label}/{name}.csv", "snapshot", "", message, "Choose another."))
    if findings:
        raise InputError(findings)
    number = {name: k + 1 for k, name in enumerate(texts(sheet["buses"], "name"))}
    _refuse_unknown(sheet, number, label, findings)
    loads = _loads(sheet["loads"], series["loads-p_set"], number, settings, label, findings)
    generators = _generators(sheet["generators"], series["generators-p_max_pu"], number, settings, label, findings)
    buses, branches = _buses(sheet["buses"], label, findings), _branches(sheet, number, label, findings)
    if findings:
        raise InputError(findings)
    _dispatch(generators, float(loads["p_mw"].sum()))
    largest = int(np.argmax(np.where(generators["control"] == "voltage", generators["p_mw"], -1.0)))
    buses["kind"] = np.where(np.arange(len(number)) + 1 == generators["bus_id"][largest], "ref", "pq")
    factor = f"power factor {settings.power_factor:g}"
    losses = [
        LossItem("loads", "q_mvar", "defaulted", factor, "PyPSA's table has active power only."),
        LossItem("generators", "p_mw", "defaulted", "merit order", "Copper plate at the snapshot's load."),
        LossItem("generators", "vm_pu", "defaulted", f"{settings.vm_pu:g} pu", "PyPSA's table has no set points."),
        LossItem("storage_units", "", "dropped", "", "Storage stands still."),
    ]
    tables = {"buses": buses, "loads": loads, "generators": generators, "branches": branches}
    return accept(make_case(folder.name, BASE_MVA, Source(RULE, "", label), tables, FREQUENCY_HZ, losses))


def _refuse_unknown(
    sheet: dict[str, pd.DataFrame], number: dict[str, int], label: str, findings: list[Finding]
) -> None:
    for name, columns in {"lines": ("bus0", "bus1"), "transformers": ("bus0", "bus1"), "loads": ("bus",),
                          "generators": ("bus",)}.items():  # fmt: skip
        for column in columns:
            for k, bus in enumerate(texts(sheet[name], column)):
                if bus not in number:
                    item = f"row {k + 2}, column {column}"
                    message = "No such bus."
                    findings.append(
                        fault(RULE, f"{label}/{name}.csv", "unknown_bus", bus, message, "Correct it.", "", item)
                    )
    if findings:
        raise InputError(findings[:200])


def _at(number: dict[str, int], names: list[str]) -> npt.NDArray[np.int64]:
    return np.array([number[n] for n in names], dtype=np.int64)


def _buses(buses: pd.DataFrame, label: str, findings: list[Finding]) -> dict[str, Any]:
    file = f"{label}/buses.csv"
    return {
        "bus_id": np.arange(1, len(buses) + 1),
        "name": texts(buses, "name"),
        "vn_kv": numbers(buses, "v_nom", file, RULE, findings),
        "lon": numbers(buses, "x", file, RULE, findings),
        "lat": numbers(buses, "y", file, RULE, findings),
    }


def _at_snapshot(
    series: pd.DataFrame, names: list[str], snapshot: int, file: str, findings: list[Finding], default: float
) -> npt.NDArray[np.float64]:
    row = series.iloc[[snapshot]].T
    row.columns = ["value"]
    row = row.reindex(names, fill_value=str(default))
    return numbers(row, "value", file, RULE, findings)


def _loads(
    loads: pd.DataFrame,
    series: pd.DataFrame,
    number: dict[str, int],
    o: PypsaOptions,
    label: str,
    findings: list[Finding],
) -> dict[str, Any]:
    names = texts(loads, "name")
    p = _at_snapshot(series, names, o.snapshot, f"{label}/loads-p_set.csv", findings, 0.0)
    return {
        "load_id": names,
        "bus_id": _at(number, texts(loads, "bus")),
        "p_mw": p,
        "q_mvar": p * np.tan(np.arccos(o.power_factor)),
    }


def _generators(
    gens: pd.DataFrame,
    series: pd.DataFrame,
    number: dict[str, int],
    o: PypsaOptions,
    label: str,
    findings: list[Finding],
) -> dict[str, Any]:
    file, names = f"{label}/generators.csv", texts(gens, "name")
    p_nom = numbers(gens, "p_nom", file, RULE, findings)
    available = p_nom * _at_snapshot(series, names, o.snapshot, f"{label}/generators-p_max_pu.csv", findings, 1.0)
    fuel = [FUELS.get(c, "other") for c in texts(gens, "carrier")]
    return {
        "generator_id": names,
        "bus_id": _at(number, texts(gens, "bus")),
        "p_mw": numbers(gens, "marginal_cost", file, RULE, findings),  # replaced by the dispatch
        "p_max_mw": available,
        "p_min_mw": np.zeros(len(names)),
        "sn_mva": p_nom,
        "vm_pu": np.full(len(names), o.vm_pu),
        "q_min_mvar": -0.5 * p_nom,
        "q_max_mvar": 0.5 * p_nom,
        "control": np.where(np.isin(fuel, HOLDING), "voltage", "power").astype(object),
        "fuel": fuel,
    }


def _dispatch(generators: dict[str, Any], load_mw: float) -> None:
    """Cheapest first until the load is met; what stands still is out of service and holds no voltage."""
    cost, available = generators["p_mw"], generators["p_max_mw"]
    order = np.argsort(cost, kind="stable")
    before = np.concatenate([[0.0], np.cumsum(available[order])[:-1]])
    output = np.empty(len(cost))
    output[order] = np.clip(load_mw - before, 0.0, available[order])
    generators["p_mw"] = output
    generators["in_service"] = output > 0
    generators["slack_weight"] = np.where((generators["control"] == "voltage") & (output > 0), available, 0.0)


def _of_type(lines: pd.DataFrame, file: str, findings: list[Finding]) -> dict[str, npt.NDArray[np.float64]]:
    """r, x and c of one circuit by the line's type; an unknown type is a finding."""
    known = pd.read_csv(LINE_TYPES, index_col="name")
    kinds = texts(lines, "type")
    for kind in sorted(set(kinds) - set(known.index)):
        message = "The line type is not known."
        findings.append(fault(RULE, file, "line_type", kind, message, f"Add it to {LINE_TYPES.name}.", "", "type"))
    rows = known.reindex(kinds)
    return {c: rows[c].to_numpy(float) for c in ("r_ohm_per_km", "x_ohm_per_km", "c_nf_per_km")}


def _branches(
    sheet: dict[str, pd.DataFrame], number: dict[str, int], label: str, findings: list[Finding]
) -> dict[str, Any]:
    lines, units = sheet["lines"], sheet["transformers"]
    file = f"{label}/lines.csv"
    kv = dict(zip(texts(sheet["buses"], "name"), numbers(sheet["buses"], "v_nom", "", RULE, []), strict=True))
    count = np.maximum(np.round(numbers(lines, "num_parallel", file, RULE, findings, 1.0)), 1).astype(int)
    value = {c: numbers(lines, c, file, RULE, findings) for c in ("length", "s_nom")} | _of_type(lines, file, findings)
    row = np.repeat(np.arange(len(lines)), count)
    circuit = np.concatenate([np.arange(1, n + 1) for n in count]) if len(count) else np.zeros(0, dtype=int)
    n, length = count[row], value["length"][row]
    bus0 = [texts(lines, "bus0")[k] for k in row]
    bus1 = [texts(lines, "bus1")[k] for k in row]
    ohm = np.array([kv[b] for b in bus0]) ** 2 / BASE_MVA
    unit_file = f"{label}/transformers.csv"
    s_nom, x = (numbers(units, c, unit_file, RULE, findings) for c in ("s_nom", "x"))
    names, unit_names = texts(lines, "name"), texts(units, "name")
    m = len(units)
    return {
        "branch_id": [*(f"line {names[k]}/{c}" for k, c in zip(row, circuit, strict=True)),
                      *(f"transformer {u}" for u in unit_names)],
        "circuit": [*(str(c) for c in circuit), *(["1"] * m)],
        "kind": ["line"] * len(row) + ["transformer"] * m,
        "from_bus": np.concatenate([_at(number, bus0), _at(number, texts(units, "bus0"))]),
        "to_bus": np.concatenate([_at(number, bus1), _at(number, texts(units, "bus1"))]),
        "r_pu": np.concatenate([value["r_ohm_per_km"][row] * length / ohm, np.zeros(m)]),
        "x_pu": np.concatenate([value["x_ohm_per_km"][row] * length / ohm, x * BASE_MVA / s_nom]),
        "b_pu": np.concatenate(
            [2 * np.pi * FREQUENCY_HZ * value["c_nf_per_km"][row] * 1e-9 * length * ohm, np.zeros(m)]
        ),
        "rating_a_mva": np.concatenate([value["s_nom"][row] / n, s_nom]),
        "length_km": np.concatenate([length, np.full(m, np.nan)]),
    }  # fmt: skip
