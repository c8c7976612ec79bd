"""A case as a MATPOWER file, format version 2: ``.m`` (numbers that read back exactly) or ``.mat``."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.model.contracts import BusBranch, LossItem
from grid.model.star import expand_three_winding

Floats = npt.NDArray[np.float64]

TIE_X_PU = 1e-6
"""Reactance that stands for a closed tie, which MATPOWER does not know."""
TYPES = {"pq": 1.0, "pv": 2.0, "ref": 3.0, "isolated": 4.0}
HEADERS = {
    "bus": "bus_i type Pd Qd Gs Bs area Vm Va baseKV zone Vmax Vmin",
    "gen": "bus Pg Qg Qmax Qmin Vg mBase status Pmax Pmin Pc1 Pc2 Qc1min Qc1max Qc2min Qc2max ramp_agc ramp_10 ramp_30 "
    "ramp_q apf",
    "branch": "fbus tbus r x b rateA rateB rateC ratio angle status angmin angmax",
    "dcline": "fbus tbus status Pf Pt Qf Qt Vf Vt Pmin Pmax QminF QmaxF QminT QmaxT loss0 loss1",
}
WORD_OF = {"gas": "ng", "pv": "solar"}


@dataclass(frozen=True)
class _Matrices:
    base_mva: float
    matrices: dict[str, Floats]
    names: tuple[str, ...]
    fuels: tuple[str, ...]


def write_matpower(case: BusBranch, path: Path) -> tuple[LossItem, ...]:
    """Write ``case`` to ``path`` (``.m`` or ``.mat``); returns what the format could not hold. Same case, same bytes.

    Loads of a bus are one. Three-winding units become stars; conductances and end shunts of branches become bus
    shunts of the same flow; constant-current loads become constant power at the stored voltage; ties get a small
    reactance; tap changers, switched steps and remote regulation are left out. Each of these is told.
    """
    losses: list[LossItem] = []
    content = _matrices(case, losses)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() == ".mat":
        path.write_bytes(_mat_bytes(content))
    else:
        path.write_text(_text(_function_name(path.stem), content), encoding="utf-8", newline="\n")
    return tuple(losses)


def _function_name(stem: str) -> str:
    name = "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in stem)
    return name if name[:1].isalpha() else f"case_{name}"


def _matrices(case: BusBranch, losses: list[LossItem]) -> _Matrices:
    for unit in case.three_winding["transformer_id"]:
        losses.append(LossItem(f"three_winding {unit}", "", "converted", "star of three branches", ""))
    case = expand_three_winding(case)
    row = {int(b): k for k, b in enumerate(case.buses["bus_id"])}
    shunt = _shunts(case, row, losses)
    matrices = {"bus": _bus_matrix(case, row, shunt, losses), "gen": _gen_matrix(case, losses)}
    matrices["branch"] = _branch_matrix(case, losses)
    if len(case.hvdc):
        matrices["dcline"] = _dcline_matrix(case, losses)
    fuels = tuple(WORD_OF.get(f, f) for f in case.generators["fuel"])
    return _Matrices(case.base_mva, matrices, tuple(case.buses["name"]), fuels)


def _at(row: dict[int, int], ids: pd.Series) -> npt.NDArray[np.int64]:
    return np.array([row[int(i)] for i in ids], dtype=np.int64)


def _shunts(case: BusBranch, row: dict[int, int], losses: list[LossItem]) -> npt.NDArray[np.complex128]:
    """g + jb of each bus [MW, Mvar]: its own, shunt rows, admittance loads, and what branches have to give away."""
    n, base = len(case.buses), case.base_mva
    total = case.buses["gs_mw"].to_numpy(float) + 1j * case.buses["bs_mvar"].to_numpy(float)
    own = case.shunts[case.shunts["in_service"].to_numpy(bool)]
    np.add.at(total, _at(row, own["bus_id"]), own["g_mw"].to_numpy(float) + 1j * own["b_mvar"].to_numpy(float))
    for s in own.to_dict("records"):
        if s["control"] != "fixed":
            losses.append(LossItem(f"shunt {s['shunt_id']}", "steps", "dropped", "", "Written as switched now."))
    loads = case.loads[case.loads["in_service"].to_numpy(bool)]
    np.add.at(
        total, _at(row, loads["bus_id"]), loads["p_z_mw"].to_numpy(float) - 1j * loads["q_z_mvar"].to_numpy(float)
    )
    branches = case.branches
    live = branches["in_service"].to_numpy(bool)
    ratio = branches["ratio"].to_numpy(float)
    inner = branches["g_pu"].to_numpy(float) / 2
    for end, scale in (("from", ratio**-2), ("to", np.ones(len(branches)))):
        g, b = branches[f"g_{end}_pu"].to_numpy(float), branches[f"b_{end}_pu"].to_numpy(float)
        given = np.where(live, inner * scale + g + 1j * b, 0) * base
        np.add.at(total, _at(row, branches[f"{end}_bus"]), given)
        for k in np.flatnonzero(given != 0):
            name = f"branch {branches['branch_id'].iloc[k]}"
            losses.append(LossItem(name, f"g, b at {end}", "converted", "bus shunt that an outage leaves behind", ""))
    return np.asarray(total[:n], dtype=np.complex128)


def _bus_matrix(
    case: BusBranch, row: dict[int, int], shunt: npt.NDArray[np.complex128], losses: list[LossItem]
) -> Floats:
    buses, loads = case.buses, case.loads[case.loads["in_service"].to_numpy(bool)]
    at = _at(row, loads["bus_id"])
    vm = np.nan_to_num(buses["vm_pu"].to_numpy(float), nan=1.0)
    p = loads["p_mw"].to_numpy(float) + loads["p_i_mw"].to_numpy(float) * vm[at]
    q = loads["q_mvar"].to_numpy(float) + loads["q_i_mvar"].to_numpy(float) * vm[at]
    for name in loads.loc[(loads["p_i_mw"] != 0) | (loads["q_i_mvar"] != 0), "load_id"]:
        losses.append(LossItem(f"load {name}", "p_i, q_i", "converted", "constant power at the stored voltage", ""))
    n = len(buses)
    holds = case.generators[(case.generators["control"] == "voltage") & case.generators["in_service"].astype(bool)]
    held = set(holds["bus_id"].tolist())
    kinds = [TYPES["pv"] if k == "pq" and b in held else TYPES["pq"] if k == "pv" and b not in held else TYPES[k]
             for k, b in zip(buses["kind"], buses["bus_id"], strict=True)]  # fmt: skip
    limits = {"vm_max_pu": 1.1, "vm_min_pu": 0.9}
    for name, value in limits.items():
        if buses[name].isna().any():
            losses.append(LossItem("buses", name, "defaulted", f"{value:g} pu", "Give the operating limits."))
    return np.column_stack(
        [
            buses["bus_id"].to_numpy(float),
            kinds,
            np.bincount(at, p, n),
            np.bincount(at, q, n),
            shunt.real,
            shunt.imag,
            np.maximum(buses["area"].to_numpy(float), 1.0),
            vm,
            np.nan_to_num(buses["va_degree"].to_numpy(float)),
            buses["vn_kv"].to_numpy(float),
            np.maximum(buses["zone"].to_numpy(float), 1.0),
            *(buses[name].fillna(value).to_numpy(float) for name, value in limits.items()),
        ]
    )


def _gen_matrix(case: BusBranch, losses: list[LossItem]) -> Floats:
    g = case.generators
    fixed_at_held = (g["control"] == "power") & g["bus_id"].isin(
        g.loc[(g["control"] == "voltage") & g["in_service"].astype(bool), "bus_id"]
    )
    for name in g.loc[fixed_at_held, "generator_id"]:
        remedy = "MATPOWER lets every generator of a PV bus hold the voltage."
        losses.append(LossItem(f"generator {name}", "control", "converted", "power -> voltage", remedy))
    for x in g[(g["regulated_bus_id"] != g["bus_id"]) & (g["control"] == "voltage")].to_dict("records"):
        value, remedy = f"bus {x['regulated_bus_id']}", "The set point is held at its own bus."
        losses.append(LossItem(f"generator {x['generator_id']}", "regulated_bus_id", "dropped", value, remedy))
    p = g["p_mw"].to_numpy(float)
    zeros = np.zeros(len(g))
    return np.column_stack(
        [
            g["bus_id"].to_numpy(float),
            p,
            g["q_mvar"].to_numpy(float),
            g["q_max_mvar"].to_numpy(float),
            g["q_min_mvar"].to_numpy(float),
            g["vm_pu"].fillna(1.0).to_numpy(float),
            g["sn_mva"].fillna(case.base_mva).to_numpy(float),
            g["in_service"].to_numpy(float),
            g["p_max_mw"].fillna(pd.Series(np.maximum(p, 0.0))).to_numpy(float),
            g["p_min_mw"].fillna(pd.Series(np.minimum(p, 0.0))).to_numpy(float),
            *([zeros] * 10),
            g["slack_weight"].to_numpy(float),
        ]
    )


def _branch_matrix(case: BusBranch, losses: list[LossItem]) -> Floats:
    b = case.branches
    x = b["x_pu"].to_numpy(float).copy()
    tie = (np.hypot(b["r_pu"].to_numpy(float), x) < 1e-9) if len(b) else np.zeros(0, dtype=bool)
    for name in b.loc[tie, "branch_id"]:
        losses.append(LossItem(f"branch {name}", "x", "converted", f"0 -> {TIE_X_PU:g} pu", "A tie needs a reactance."))
    for name in b.loc[b["tap_positions"] > 0, "branch_id"]:
        losses.append(LossItem(f"branch {name}", "tap range", "dropped", "", "Written at its present ratio."))
    kind = (b["kind"] == "transformer").to_numpy(bool)
    return np.column_stack(
        [
            b["from_bus"].to_numpy(float),
            b["to_bus"].to_numpy(float),
            b["r_pu"].to_numpy(float),
            np.where(tie, TIE_X_PU, x),
            b["b_pu"].to_numpy(float),
            *(b[f"rating_{k}_mva"].fillna(0.0).to_numpy(float) for k in "abc"),
            np.where(kind | (b["ratio"].to_numpy(float) != 1), b["ratio"].to_numpy(float), 0.0),
            b["shift_degree"].to_numpy(float),
            b["in_service"].to_numpy(float),
            np.full(len(b), -360.0),
            np.full(len(b), 360.0),
        ]
    )


def _dcline_matrix(case: BusBranch, losses: list[LossItem]) -> Floats:
    """PF into the link at the from bus; LOSS0 is what does not arrive."""
    h = case.hvdc[(case.hvdc["from_bus"] != -1) & (case.hvdc["to_bus"] != -1)]
    for name in sorted(set(case.hvdc["hvdc_id"]) - set(h["hvdc_id"])):
        losses.append(
            LossItem(f"hvdc {name}", "", "dropped", "an end outside", "Write its end as a generator or load.")
        )
    pf, pt = -h["p_from_mw"].to_numpy(float), h["p_to_mw"].to_numpy(float)
    qf, qt = h["q_from_mvar"].to_numpy(float), h["q_to_mvar"].to_numpy(float)
    one, zero = np.ones(len(h)), np.zeros(len(h))
    ends = [h["from_bus"].to_numpy(float), h["to_bus"].to_numpy(float), h["in_service"].to_numpy(float)]
    return np.column_stack(
        [*ends, pf, pt, qf, qt, one, one, np.minimum(pf, 0), np.maximum(pf, 0), qf, qf, qt, qt, pf - pt, zero]
    )


def _number(value: float) -> str:
    if np.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))


def _cells(name: str, words: Sequence[str]) -> str:
    body = "".join("\t'" + w.replace("'", "''").replace("\n", " ") + "';\n" for w in words)
    return f"mpc.{name} = {{\n{body}}};\n"


def _text(name: str, content: _Matrices) -> str:
    parts = [f"function mpc = {name}\n", "mpc.version = '2';\n", f"mpc.baseMVA = {_number(content.base_mva)};\n"]
    for table, matrix in content.matrices.items():
        header = "\t".join(HEADERS[table].split())
        rows = "".join("\t" + "\t".join(_number(v) for v in row) + ";\n" for row in matrix)
        parts.append(f"\n%\t{header}\nmpc.{table} = [\n{rows}];\n")
    if any(content.names):
        parts.append("\n" + _cells("bus_name", content.names))
    if any(f != "other" for f in content.fuels):
        parts.append("\n" + _cells("genfuel", content.fuels))
    return "".join(parts)


def _mat_bytes(content: _Matrices) -> bytes:
    from scipy.io import savemat

    struct: dict[str, Any] = {"version": "2", "baseMVA": content.base_mva, **content.matrices}
    if any(content.names):
        struct["bus_name"] = np.array(content.names, dtype=object)
    if any(f != "other" for f in content.fuels):
        struct["genfuel"] = np.array(content.fuels, dtype=object)
    buffer = io.BytesIO()
    savemat(buffer, {"mpc": struct}, do_compression=True, oned_as="column")
    # the first 116 bytes are a free text in which scipy writes the time of day
    return b"MATLAB 5.0 MAT-file".ljust(116) + buffer.getvalue()[116:]
