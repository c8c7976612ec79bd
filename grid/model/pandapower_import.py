"""A pandapower net as a case, mapped here and not by way of pandapower's internal matrices.

Differences to pandapower, on purpose: ``parallel = n`` becomes n rows (an outage takes one); a tap away from neutral
counts even where ``tap_changer_type`` is missing; three-phase (asymmetric) loads count with their sum. Each of these
is in the list of losses.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from grid.model.acceptance import accept
from grid.model.contracts import DEFAULTS, BusBranch, Source, make_case
from grid.model.pandapower_branches import read_branches
from grid.model.pandapower_draft import Draft, Record, add_branch, add_generator, number_of, records, text_of, whole_of

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

UNREAD = ("svc", "tcsc", "ssc", "vsc", "vsc_bipolar", "line_dc", "bus_dc", "source_dc", "load_dc", "b2b_vsc")


def from_pandapower(net: pandapowerNet, source: Source | None = None) -> BusBranch:
    """A case out of a net. Bus numbers are the net's indices, or its column ``bus_id`` where there is one.

    Parameters
    ----------
    source
        Identity shown in findings; a net in memory if None.

    Raises
    ------
    InputError
        If the net's numbers or references are broken.
    """
    draft = Draft(net)
    _read_buses(draft)
    _read_loads(draft)
    _read_static(draft)
    _read_machines(draft)
    _read_wards(draft)
    _read_shunts(draft)
    read_branches(draft)
    for name in UNREAD:
        if name in net and len(net[name]):
            draft.note(name, "", "dropped", f"{len(net[name])} rows", "Not read: their effect is missing.")
    for row in draft.rows["buses"]:
        if row["bus_id"] in draft.reference_angle:
            row["kind"], row["va_degree"] = "ref", draft.reference_angle[row["bus_id"]]
    tables = {name: _columns(rows) for name, rows in draft.rows.items() if rows}
    return accept(
        make_case(
            str(net.get("name") or "pandapower net"),
            draft.base,
            source or Source("pandapower"),
            tables,
            frequency_hz=float(net.f_hz),
            losses=draft.losses,
        )
    )


def _columns(rows: list[Record]) -> dict[str, Any]:
    """Columns that any row has; a gap takes the table's default by way of the first row's type."""
    defaults: Record = {}
    for table in DEFAULTS.values():
        for key, value in table.items():
            defaults.setdefault(key, value)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name, defaults.get(name)) for row in rows] for name in names}


def _read_buses(draft: Draft) -> None:
    for index, row in records(draft.net, "bus"):
        lon, lat = _place(row.get("geo"))
        draft.rows["buses"].append(
            {
                "bus_id": draft.number[index],
                "name": text_of(row),
                "vn_kv": draft.vn[index],
                "kind": "pq" if bool(row["in_service"]) else "isolated",
                "zone": whole_of(row, "zone"),
                "area": whole_of(row, "area"),
                "vm_min_pu": number_of(row, "min_vm_pu"),
                "vm_max_pu": number_of(row, "max_vm_pu"),
                "lon": lon,
                "lat": lat,
                "station": text_of(row, "station"),
                "is_star": bool(row.get("is_star", False)) is True,
                "va_degree": np.nan,
            }
        )


def _place(geo: Any) -> tuple[float, float]:
    """Longitude and latitude of a GeoJSON point; NaN where there is none or the numbers are no degrees."""
    try:
        x, y = (float(v) for v in json.loads(geo)["coordinates"][:2])
    except (TypeError, ValueError, KeyError):
        return np.nan, np.nan
    return (x, y) if abs(x) <= 180 and abs(y) <= 90 else (np.nan, np.nan)


def _read_loads(draft: Draft) -> None:
    for index, row in records(draft.net, "load"):
        scale = number_of(row, "scaling", 1.0)
        p, q = number_of(row, "p_mw") * scale, number_of(row, "q_mvar", 0.0) * scale
        shares = {k: number_of(row, f"const_{k}_percent", 0.0) / 100 for k in ("z_p", "i_p", "z_q", "i_q")}
        _add_load(
            draft, f"load {index}", row,
            p * (1 - shares["z_p"] - shares["i_p"]), q * (1 - shares["z_q"] - shares["i_q"]),
            p_i_mw=p * shares["i_p"], q_i_mvar=q * shares["i_q"], p_z_mw=p * shares["z_p"], q_z_mvar=q * shares["z_q"],
        )  # fmt: skip
    for index, row in records(draft.net, "asymmetric_load"):
        scale = number_of(row, "scaling", 1.0)
        total = [
            sum(number_of(row, f"{k}_{ph}_{u}", 0.0) for ph in "abc") * scale for k, u in (("p", "mw"), ("q", "mvar"))
        ]
        _add_load(draft, f"asymmetric_load {index}", row, *total)
        draft.note(f"asymmetric_load {index}", "phases", "converted", "sum of three phases")
    for index, row in records(draft.net, "motor"):
        p = number_of(row, "pn_mech_mw") / (number_of(row, "efficiency_percent", 100.0) / 100)
        p *= number_of(row, "loading_percent", 100.0) / 100 * number_of(row, "scaling", 1.0)
        _add_load(draft, f"motor {index}", row, p, p * np.tan(np.arccos(number_of(row, "cos_phi", 1.0))))
        draft.note(f"motor {index}", "", "converted", "load of constant power")


def _add_load(draft: Draft, name: str, row: Record, p_mw: float, q_mvar: float, **parts: float) -> None:
    draft.rows["loads"].append(
        {
            "load_id": name,
            "bus_id": draft.number.get(int(row["bus"]), int(row["bus"])),
            "p_mw": p_mw,
            "q_mvar": q_mvar,
            "p_i_mw": 0.0,
            "q_i_mvar": 0.0,
            "p_z_mw": 0.0,
            "q_z_mvar": 0.0,
            **parts,
            "in_service": bool(row["in_service"]),
            "name": text_of(row),
        }
    )


def _read_static(draft: Draft) -> None:
    for index, row in records(draft.net, "sgen"):
        scale = number_of(row, "scaling", 1.0)
        p, q = number_of(row, "p_mw") * scale, number_of(row, "q_mvar", 0.0) * scale
        add_generator(draft, f"sgen {index}", row, int(row["bus"]), "power", p_mw=p, q_mvar=q)
    for index, row in records(draft.net, "storage"):
        # pandapower's storage is positive when it charges
        scale = -number_of(row, "scaling", 1.0)
        p, q = number_of(row, "p_mw") * scale, number_of(row, "q_mvar", 0.0) * scale
        add_generator(draft, f"storage {index}", row, int(row["bus"]), "power", p_mw=p, q_mvar=q, fuel="storage")
    for index, row in records(draft.net, "asymmetric_sgen"):
        scale = number_of(row, "scaling", 1.0)
        p, q = (
            sum(number_of(row, f"{k}_{ph}_{u}", 0.0) for ph in "abc") * scale for k, u in (("p", "mw"), ("q", "mvar"))
        )
        add_generator(draft, f"asymmetric_sgen {index}", row, int(row["bus"]), "power", p_mw=p, q_mvar=q)
        draft.note(f"asymmetric_sgen {index}", "phases", "converted", "sum of three phases")


def _read_machines(draft: Draft) -> None:
    for index, row in records(draft.net, "gen"):
        bus = int(row["bus"])
        add_generator(
            draft, f"gen {index}", row, bus, "voltage", p_mw=number_of(row, "p_mw") * number_of(row, "scaling", 1.0),
            vm_pu=number_of(row, "vm_pu"), slack_weight=max(number_of(row, "slack_weight", 0.0), 0.0),
        )  # fmt: skip
        if bool(row.get("slack", False)) and bool(row["in_service"]):
            draft.reference_angle.setdefault(draft.number.get(bus, bus), 0.0)
    for index, row in records(draft.net, "ext_grid"):
        bus = int(row["bus"])
        fuel = {} if text_of(row, "fuel") else {"fuel": "infeed"}
        add_generator(
            draft, f"ext_grid {index}", row, bus, "voltage", p_mw=number_of(row, "p_mw", 0.0),
            vm_pu=number_of(row, "vm_pu"), slack_weight=max(number_of(row, "slack_weight", 1.0), 0.0), **fuel,
        )  # fmt: skip
        if bool(row["in_service"]):
            draft.reference_angle[draft.number.get(bus, bus)] = number_of(row, "va_degree", 0.0)


def _read_wards(draft: Draft) -> None:
    for table in ("ward", "xward"):
        for index, row in records(draft.net, table):
            name, bus = f"{table} {index}", int(row["bus"])
            _add_load(
                draft, name, row, number_of(row, "ps_mw"), number_of(row, "qs_mvar"),
                p_z_mw=number_of(row, "pz_mw"), q_z_mvar=number_of(row, "qz_mvar"),
            )  # fmt: skip
            draft.note(name, "", "converted", "load" if table == "ward" else "load and a machine behind an impedance")
            if table == "xward":
                running = bool(row["in_service"])
                inner = draft.auxiliary_bus(name, draft.vn[bus], "pq" if running else "isolated")
                add_generator(draft, name, row, inner, "voltage", p_mw=0.0, vm_pu=number_of(row, "vm_pu"))
                ohm = draft.vn[bus] ** 2 / draft.base
                add_branch(
                    draft, name, row, draft.number[bus], inner,
                    number_of(row, "r_ohm") / ohm, number_of(row, "x_ohm") / ohm,
                )  # fmt: skip


def _read_shunts(draft: Draft) -> None:
    for index, row in records(draft.net, "shunt"):
        bus = int(row["bus"])
        scale = number_of(row, "step", 1.0) * (draft.vn[bus] / number_of(row, "vn_kv", draft.vn[bus])) ** 2
        draft.rows["shunts"].append(
            {
                "shunt_id": f"shunt {index}",
                "bus_id": draft.number[bus],
                "g_mw": number_of(row, "p_mw") * scale,
                "b_mvar": -number_of(row, "q_mvar") * scale,
                "regulated_bus_id": draft.number[bus],
                "in_service": bool(row["in_service"]),
                "name": text_of(row),
            }
        )
