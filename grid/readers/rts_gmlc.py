"""The RTS-GMLC test system from its source tables (bus.csv, branch.csv, gen.csv, dc_branch.csv).

Per-unit values of the tables are on 100 MVA. Field meanings: RTS_Data/SourceData/README.md of GridMod/RTS-GMLC.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from grid.model.acceptance import accept
from grid.model.contracts import BusBranch, LossItem, Source, make_case
from grid.readers.csv_columns import numbers, read_columns, texts, whole
from grid.readers.matpower import circuit_numbers
from layers.contracts import Finding, InputError

RULE = "rts_gmlc"
BASE_MVA = 100.0
KINDS = {"PQ": "pq", "PV": "pv", "Ref": "ref"}
FUELS = {
    "Coal": "coal", "NG": "gas", "Oil": "other", "Nuclear": "nuclear", "Hydro": "hydro", "Solar": "pv",
    "Wind": "wind", "Storage": "storage", "Sync_Cond": "other",
}  # fmt: skip
NEEDED = {
    "bus": ("Bus ID", "Bus Name", "BaseKV", "Bus Type", "MW Load", "MVAR Load", "V Mag", "V Angle", "MW Shunt G",
            "MVAR Shunt B", "Area", "Zone", "lat", "lng"),
    "branch": ("UID", "From Bus", "To Bus", "R", "X", "B", "Cont Rating", "LTE Rating", "STE Rating", "Tr Ratio",
               "Length"),
    "gen": ("GEN UID", "Bus ID", "Fuel", "MW Inj", "MVAR Inj", "V Setpoint p.u.", "PMax MW", "PMin MW", "QMax MVAR",
            "QMin MVAR", "Base MVA"),
    "dc_branch": ("UID", "From Bus", "To Bus", "MW Load"),
}  # fmt: skip


def read_rts_gmlc(folder: Path, shown: str | None = None) -> BusBranch:
    """Read the source tables.

    Returns
    -------
    BusBranch
        A DC line carries its scheduled ``MW Load`` from its from bus to its to bus without loss and without reactive
        power, as in the MATPOWER file of the same system. A branch of length 0 or with ``Tr Ratio`` is a transformer.

    Raises
    ------
    InputError
        With every fault of the tables.
    """
    label = shown if shown is not None else folder.name
    findings: list[Finding] = []
    sheets = {
        name: read_columns(folder / f"{name}.csv", f"{label}/{name}.csv", columns, RULE, findings)
        for name, columns in NEEDED.items()
    }
    if findings:
        raise InputError(findings)
    bus, branch, gen, link = (sheets[name] for name in NEEDED)
    tables: dict[str, dict[str, Any]] = {
        "buses": _buses(bus, label, findings),
        "loads": _loads(bus, label, findings),
        "generators": _generators(gen, label, findings),
        "branches": _branches(branch, label, findings),
        "hvdc": {
            "hvdc_id": texts(link, "UID"),
            "from_bus": whole(link, "From Bus", f"{label}/dc_branch.csv", RULE, findings),
            "to_bus": whole(link, "To Bus", f"{label}/dc_branch.csv", RULE, findings),
            "p_from_mw": -numbers(link, "MW Load", f"{label}/dc_branch.csv", RULE, findings),
            "q_from_mvar": np.zeros(len(link)),
            "p_to_mw": numbers(link, "MW Load", f"{label}/dc_branch.csv", RULE, findings),
            "q_to_mvar": np.zeros(len(link)),
        },
    }
    if findings:
        raise InputError(findings)
    kind = dict(zip(tables["buses"]["bus_id"], tables["buses"]["kind"], strict=True))
    tables["generators"]["control"] = [
        "voltage" if kind.get(b) in ("pv", "ref") else "power" for b in tables["generators"]["bus_id"]
    ]
    losses = [
        LossItem(f"dc_branch {x}", "converters", "dropped", "", "A link injects its scheduled power.")
        for x in tables["hvdc"]["hvdc_id"]
    ]
    return accept(make_case("RTS-GMLC", BASE_MVA, Source(RULE, "", label), tables, 60.0, losses))


def _buses(bus: pd.DataFrame, label: str, findings: list[Finding]) -> dict[str, Any]:
    file = f"{label}/bus.csv"

    def number(name: str) -> Any:
        return numbers(bus, name, file, RULE, findings)

    return {
        "bus_id": whole(bus, "Bus ID", file, RULE, findings),
        "name": texts(bus, "Bus Name"),
        "vn_kv": number("BaseKV"),
        "kind": [KINDS.get(k, k) for k in texts(bus, "Bus Type")],
        "area": whole(bus, "Area", file, RULE, findings),
        "zone": whole(bus, "Zone", file, RULE, findings),
        "vm_min_pu": 0.95,
        "vm_max_pu": 1.05,
        "gs_mw": number("MW Shunt G"),
        "bs_mvar": number("MVAR Shunt B"),
        "vm_pu": number("V Mag"),
        "va_degree": number("V Angle"),
        "lon": number("lng"),
        "lat": number("lat"),
    }


def _loads(bus: pd.DataFrame, label: str, findings: list[Finding]) -> dict[str, Any]:
    file = f"{label}/bus.csv"
    p, q = (numbers(bus, name, file, RULE, findings) for name in ("MW Load", "MVAR Load"))
    number = whole(bus, "Bus ID", file, RULE, findings)
    loaded = (p != 0) | (q != 0)
    return {
        "load_id": [f"L{b}" for b in number[loaded]],
        "bus_id": number[loaded],
        "p_mw": p[loaded],
        "q_mvar": q[loaded],
    }


def _generators(gen: pd.DataFrame, label: str, findings: list[Finding]) -> dict[str, Any]:
    file = f"{label}/gen.csv"

    def number(name: str) -> Any:
        return numbers(gen, name, file, RULE, findings)

    return {
        "generator_id": texts(gen, "GEN UID"),
        "bus_id": whole(gen, "Bus ID", file, RULE, findings),
        "p_mw": number("MW Inj"),
        "q_mvar": number("MVAR Inj"),
        "q_min_mvar": number("QMin MVAR"),
        "q_max_mvar": number("QMax MVAR"),
        "vm_pu": number("V Setpoint p.u."),
        "p_min_mw": number("PMin MW"),
        "p_max_mw": number("PMax MW"),
        "sn_mva": number("Base MVA"),
        "fuel": [FUELS.get(f, "other") for f in texts(gen, "Fuel")],
    }


def _branches(branch: pd.DataFrame, label: str, findings: list[Finding]) -> dict[str, Any]:
    file = f"{label}/branch.csv"

    def number(name: str) -> Any:
        return numbers(branch, name, file, RULE, findings)

    f, t = (whole(branch, name, file, RULE, findings) for name in ("From Bus", "To Bus"))
    ratio, length = number("Tr Ratio"), number("Length")
    unit = (ratio != 0) | (length == 0)
    return {
        "branch_id": texts(branch, "UID"),
        "circuit": circuit_numbers(f.astype(float), t.astype(float)),
        "kind": np.where(unit, "transformer", "line"),
        "from_bus": f,
        "to_bus": t,
        "r_pu": number("R"),
        "x_pu": number("X"),
        "b_pu": number("B"),
        "ratio": np.where(ratio == 0, 1.0, ratio),
        "rating_a_mva": number("Cont Rating"),
        "rating_b_mva": number("LTE Rating"),
        "rating_c_mva": number("STE Rating"),
        "length_km": np.where(unit, np.nan, length * 1.609344),
    }
