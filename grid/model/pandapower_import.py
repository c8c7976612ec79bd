"""A pandapower net as a case, mapped here and not by way of pandapower's internal matrices.

Differences to pandapower, on purpose: ``parallel = n`` becomes n rows (an outage takes one); a tap away from neutral
counts even where ``tap_changer_type`` is missing; three-phase (asymmetric) loads count with their sum. Each of these
is in the list of losses.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.model.acceptance import accept
from grid.model.contracts import FUELS, BusBranch, LossItem, Source, make_case
from grid.model.nameplate import (
    leakage_pu,
    magnetising_pu,
    pair_impedances_pu,
    smaller_of_pairs,
    star_impedances,
    t_to_pi,
)

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

Floats = npt.NDArray[np.float64]
Record = dict[str, Any]
UNREAD = ("svc", "tcsc", "ssc", "vsc", "vsc_bipolar", "line_dc", "bus_dc", "source_dc", "load_dc", "b2b_vsc")


class _Draft:
    """Rows by table while a net is read; auxiliary buses are numbered above the net's own."""

    def __init__(self, net: pandapowerNet) -> None:
        self.net = net
        self.base = float(net.sn_mva)
        own = "bus_id" in net.bus and net.bus["bus_id"].notna().all() and net.bus["bus_id"].is_unique
        numbers = net.bus["bus_id"] if own else pd.Series(net.bus.index, index=net.bus.index)
        self.number: dict[int, int] = {int(i): int(n) for i, n in zip(net.bus.index, numbers, strict=True)}
        self.vn = {int(i): float(v) for i, v in zip(net.bus.index, net.bus["vn_kv"], strict=True)}
        self.next_bus = max(self.number.values(), default=0) + 1
        self.rows: dict[str, list[Record]] = {
            name: [] for name in ("buses", "loads", "generators", "branches", "three_winding", "shunts")
        }
        self.losses: list[LossItem] = []
        self.reference_angle: dict[int, float] = {}

    def note(self, element: str, field: str, action: Any, value: Any, remedy: str = "") -> None:
        self.losses.append(LossItem(element, field, action, str(value), remedy))

    def auxiliary_bus(self, name: str, vn_kv: float, kind: str = "pq") -> int:
        number, self.next_bus = self.next_bus, self.next_bus + 1
        self.rows["buses"].append({"bus_id": number, "name": name, "vn_kv": vn_kv, "kind": kind, "is_star": True})
        return number


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
    draft = _Draft(net)
    _read_buses(draft)
    _read_loads(draft)
    _read_static(draft)
    _read_machines(draft)
    _read_wards(draft)
    _read_shunts(draft)
    ends = _open_ends(draft)
    _read_lines(draft, ends)
    _read_transformers(draft, ends)
    _read_three_winding(draft, ends)
    _read_impedances(draft)
    _read_dclines(draft)
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
    from grid.model.contracts import DEFAULTS

    defaults: Record = {}
    for table in DEFAULTS.values():
        for key, value in table.items():
            defaults.setdefault(key, value)
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name, defaults.get(name)) for row in rows] for name in names}


def _records(net: pandapowerNet, table: str) -> Iterator[tuple[int, Record]]:
    if table in net and len(net[table]):
        for index, row in zip(net[table].index, net[table].to_dict("records"), strict=True):
            yield int(index), row


def _known(value: Any) -> bool:
    return value is not None and not (isinstance(value, float) and np.isnan(value)) and value is not pd.NA


def _number(row: Record, name: str, default: float = np.nan) -> float:
    value = row.get(name)
    return float(value) if _known(value) else default  # type: ignore[arg-type]


def _text(row: Record, name: str = "name") -> str:
    value = row.get(name)
    return str(value) if _known(value) else ""


def _whole(row: Record, name: str) -> int:
    text = _text(row, name)
    return int(float(text)) if text.replace(".", "", 1).lstrip("-").isdigit() else 0


def _read_buses(draft: _Draft) -> None:
    for index, row in _records(draft.net, "bus"):
        lon, lat = _place(row.get("geo"))
        draft.rows["buses"].append(
            {
                "bus_id": draft.number[index],
                "name": _text(row),
                "vn_kv": draft.vn[index],
                "kind": "pq" if bool(row["in_service"]) else "isolated",
                "zone": _whole(row, "zone"),
                "area": _whole(row, "area"),
                "vm_min_pu": _number(row, "min_vm_pu"),
                "vm_max_pu": _number(row, "max_vm_pu"),
                "lon": lon,
                "lat": lat,
                "station": _text(row, "station"),
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


def _read_loads(draft: _Draft) -> None:
    for index, row in _records(draft.net, "load"):
        scale = _number(row, "scaling", 1.0)
        p, q = _number(row, "p_mw") * scale, _number(row, "q_mvar", 0.0) * scale
        shares = {k: _number(row, f"const_{k}_percent", 0.0) / 100 for k in ("z_p", "i_p", "z_q", "i_q")}
        _add_load(
            draft, f"load {index}", row,
            p * (1 - shares["z_p"] - shares["i_p"]), q * (1 - shares["z_q"] - shares["i_q"]),
            p_i_mw=p * shares["i_p"], q_i_mvar=q * shares["i_q"], p_z_mw=p * shares["z_p"], q_z_mvar=q * shares["z_q"],
        )  # fmt: skip
    for index, row in _records(draft.net, "asymmetric_load"):
        scale = _number(row, "scaling", 1.0)
        total = [
            sum(_number(row, f"{k}_{ph}_{u}", 0.0) for ph in "abc") * scale for k, u in (("p", "mw"), ("q", "mvar"))
        ]
        _add_load(draft, f"asymmetric_load {index}", row, *total)
        draft.note(f"asymmetric_load {index}", "phases", "converted", "sum of three phases")
    for index, row in _records(draft.net, "motor"):
        p = _number(row, "pn_mech_mw") / (_number(row, "efficiency_percent", 100.0) / 100)
        p *= _number(row, "loading_percent", 100.0) / 100 * _number(row, "scaling", 1.0)
        _add_load(draft, f"motor {index}", row, p, p * np.tan(np.arccos(_number(row, "cos_phi", 1.0))))
        draft.note(f"motor {index}", "", "converted", "load of constant power")


def _add_load(draft: _Draft, name: str, row: Record, p_mw: float, q_mvar: float, **parts: float) -> None:
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
            "name": _text(row),
        }
    )


def _fuel(row: Record) -> str:
    word = _text(row, "fuel") or _text(row, "type")
    return word.lower() if word.lower() in FUELS else {"wp": "wind", "solar": "pv"}.get(word.lower(), "other")


def _add_generator(draft: _Draft, identity: str, row: Record, bus: int, control: str, **values: Any) -> None:
    number = draft.number.get(bus, bus)
    draft.rows["generators"].append(
        {
            "generator_id": identity,
            "bus_id": number,
            "regulated_bus_id": number,
            "control": control,
            "q_mvar": 0.0,
            "q_min_mvar": _number(row, "min_q_mvar", -np.inf),
            "q_max_mvar": _number(row, "max_q_mvar", np.inf),
            "p_min_mw": _number(row, "min_p_mw"),
            "p_max_mw": _number(row, "max_p_mw"),
            "sn_mva": _number(row, "sn_mva"),
            "vm_pu": np.nan,
            "slack_weight": 0.0,
            "fuel": _fuel(row),
            "in_service": bool(row.get("in_service", True)),
            "name": _text(row),
            **values,
        }
    )


def _read_static(draft: _Draft) -> None:
    for index, row in _records(draft.net, "sgen"):
        scale = _number(row, "scaling", 1.0)
        p, q = _number(row, "p_mw") * scale, _number(row, "q_mvar", 0.0) * scale
        _add_generator(draft, f"sgen {index}", row, int(row["bus"]), "power", p_mw=p, q_mvar=q)
    for index, row in _records(draft.net, "storage"):
        # pandapower's storage is positive when it charges
        scale = -_number(row, "scaling", 1.0)
        p, q = _number(row, "p_mw") * scale, _number(row, "q_mvar", 0.0) * scale
        _add_generator(draft, f"storage {index}", row, int(row["bus"]), "power", p_mw=p, q_mvar=q, fuel="storage")
    for index, row in _records(draft.net, "asymmetric_sgen"):
        scale = _number(row, "scaling", 1.0)
        p, q = (
            sum(_number(row, f"{k}_{ph}_{u}", 0.0) for ph in "abc") * scale for k, u in (("p", "mw"), ("q", "mvar"))
        )
        _add_generator(draft, f"asymmetric_sgen {index}", row, int(row["bus"]), "power", p_mw=p, q_mvar=q)
        draft.note(f"asymmetric_sgen {index}", "phases", "converted", "sum of three phases")


def _read_machines(draft: _Draft) -> None:
    for index, row in _records(draft.net, "gen"):
        bus = int(row["bus"])
        _add_generator(
            draft, f"gen {index}", row, bus, "voltage", p_mw=_number(row, "p_mw") * _number(row, "scaling", 1.0),
            vm_pu=_number(row, "vm_pu"), slack_weight=max(_number(row, "slack_weight", 0.0), 0.0),
        )  # fmt: skip
        if bool(row.get("slack", False)) and bool(row["in_service"]):
            draft.reference_angle.setdefault(draft.number.get(bus, bus), 0.0)
    for index, row in _records(draft.net, "ext_grid"):
        bus = int(row["bus"])
        fuel = {} if _text(row, "fuel") else {"fuel": "infeed"}
        _add_generator(
            draft, f"ext_grid {index}", row, bus, "voltage", p_mw=_number(row, "p_mw", 0.0),
            vm_pu=_number(row, "vm_pu"), slack_weight=max(_number(row, "slack_weight", 1.0), 0.0), **fuel,
        )  # fmt: skip
        if bool(row["in_service"]):
            draft.reference_angle[draft.number.get(bus, bus)] = _number(row, "va_degree", 0.0)


def _read_wards(draft: _Draft) -> None:
    for table in ("ward", "xward"):
        for index, row in _records(draft.net, table):
            name, bus = f"{table} {index}", int(row["bus"])
            _add_load(
                draft, name, row, _number(row, "ps_mw"), _number(row, "qs_mvar"),
                p_z_mw=_number(row, "pz_mw"), q_z_mvar=_number(row, "qz_mvar"),
            )  # fmt: skip
            draft.note(name, "", "converted", "load" if table == "ward" else "load and a machine behind an impedance")
            if table == "xward":
                running = bool(row["in_service"])
                inner = draft.auxiliary_bus(name, draft.vn[bus], "pq" if running else "isolated")
                _add_generator(draft, name, row, inner, "voltage", p_mw=0.0, vm_pu=_number(row, "vm_pu"))
                ohm = draft.vn[bus] ** 2 / draft.base
                _add_branch(
                    draft, name, row, draft.number[bus], inner,
                    _number(row, "r_ohm") / ohm, _number(row, "x_ohm") / ohm,
                )  # fmt: skip


def _read_shunts(draft: _Draft) -> None:
    for index, row in _records(draft.net, "shunt"):
        bus = int(row["bus"])
        scale = _number(row, "step", 1.0) * (draft.vn[bus] / _number(row, "vn_kv", draft.vn[bus])) ** 2
        draft.rows["shunts"].append(
            {
                "shunt_id": f"shunt {index}",
                "bus_id": draft.number[bus],
                "g_mw": _number(row, "p_mw") * scale,
                "b_mvar": -_number(row, "q_mvar") * scale,
                "regulated_bus_id": draft.number[bus],
                "in_service": bool(row["in_service"]),
                "name": _text(row),
            }
        )


# ---------------------------------------------------------------- branches


def _open_ends(draft: _Draft) -> dict[tuple[str, int], set[int]]:
    """Buses at which a line ('l'), transformer ('t', 't3') is switched off; bus-bus switches become ties."""
    ends: dict[tuple[str, int], set[int]] = {}
    for index, row in _records(draft.net, "switch"):
        closed, kind = bool(row["closed"]), str(row["et"])
        if kind == "b":
            z_ohm = _number(row, "z_ohm", 0.0)
            if closed:
                ohm = draft.vn[int(row["bus"])] ** 2 / draft.base
                a, b = draft.number[int(row["bus"])], draft.number[int(row["element"])]
                _add_branch(draft, f"switch {index}", row, a, b, z_ohm / ohm, 0.0, in_service=True)
        elif not closed:
            ends.setdefault((kind, int(row["element"])), set()).add(int(row["bus"]))
    return ends


def _add_branch(draft: _Draft, name: str, row: Record, f: int, t: int, r: float, x: float, **values: Any) -> None:
    draft.rows["branches"].append(
        {
            "branch_id": name,
            "name": _text(row),
            "circuit": "1",
            "kind": "line",
            "from_bus": f,
            "to_bus": t,
            "controlled_bus_id": t,
            "r_pu": r,
            "x_pu": x,
            "in_service": bool(row.get("in_service", True)),
            **values,
        }
    )


def _parallel(row: Record) -> int:
    return max(int(_number(row, "parallel", 1.0)), 1)


def _circuit_name(name: str, k: int) -> str:
    return name if k == 0 else f"{name}/{k + 1}"


def _read_lines(draft: _Draft, ends: dict[tuple[str, int], set[int]]) -> None:
    for index, row in _records(draft.net, "line"):
        name, f, t = f"line {index}", int(row["from_bus"]), int(row["to_bus"])
        length, ohm = _number(row, "length_km"), draft.vn[f] ** 2 / draft.base
        opened = ends.get(("l", index), set())
        running = bool(row["in_service"]) and not {f, t} <= opened
        count = _parallel(row)
        if count > 1:
            draft.note(name, "parallel", "converted", f"{count} circuits")
        for k in range(count):
            own = _circuit_name(name, k)
            number = {f: draft.number[f], t: draft.number[t]}
            for bus in sorted(opened & {f, t}) if running else ():
                number[bus] = draft.auxiliary_bus(f"{own} open end", draft.vn[bus])
            rating = _number(row, "max_i_ka") * _number(row, "df", 1.0) * np.sqrt(3) * draft.vn[f]
            _add_branch(
                draft, own, row, number[f], number[t], _number(row, "r_ohm_per_km") * length / ohm,
                _number(row, "x_ohm_per_km") * length / ohm, circuit=str(k + 1),
                b_pu=2 * np.pi * float(draft.net.f_hz) * _number(row, "c_nf_per_km") * 1e-9 * length * ohm,
                g_pu=_number(row, "g_us_per_km", 0.0) * 1e-6 * length * ohm, rating_a_mva=rating, length_km=length,
                in_service=running,
            )  # fmt: skip


def _tap(draft: _Draft, name: str, row: Record, suffix: str = "") -> tuple[str, complex, Record]:
    """(side, factor on that side's rated voltage as magnitude and angle, tap range relative to neutral)."""
    side, position = _text(row, f"tap{suffix}_side"), _number(row, f"tap{suffix}_pos")
    neutral = _number(row, f"tap{suffix}_neutral", 0.0)
    step = _number(row, f"tap{suffix}_step_percent", 0.0) / 100
    degree = _number(row, f"tap{suffix}_step_degree", 0.0)
    kind = _text(row, f"tap{suffix}_changer_type")
    if row.get("tap_dependency_table") is True or kind == "Tabular":
        draft.note(name, "tap_dependency_table", "dropped", "", "Write the position's ratio into vn_hv_kv.")
    if not np.isfinite(position) or not side or (position == neutral and kind in ("", "None")):
        return side or "hv", 1.0 + 0j, {}
    if kind in ("", "None"):
        value = f"position {position:g}, neutral {neutral:g}"
        draft.note(name, f"tap{suffix}_changer_type", "defaulted", value, "Taken as Ratio; pandapower ignores the tap.")
    difference = position - neutral
    if kind == "Ideal":
        angle = difference * degree if degree else 2 * np.rad2deg(np.arcsin(difference * step / 2))
        return side, complex(np.exp(1j * np.deg2rad(angle))), {}
    tap_range = {}
    low, high = _number(row, f"tap{suffix}_min"), _number(row, f"tap{suffix}_max")
    if degree == 0 and step > 0 and np.isfinite(low) and np.isfinite(high) and high > low:
        tap_range = {"low": 1 + (low - neutral) * step, "high": 1 + (high - neutral) * step, "n": int(high - low) + 1}
    return side, 1 + difference * step * complex(np.exp(1j * np.deg2rad(degree))), tap_range


def _read_transformers(draft: _Draft, ends: dict[tuple[str, int], set[int]]) -> None:
    for index, row in _records(draft.net, "trafo"):
        name, hv, lv = f"trafo {index}", int(row["hv_bus"]), int(row["lv_bus"])
        running = bool(row["in_service"]) and not ends.get(("t", index))
        high, low, angle = _number(row, "vn_hv_kv") / draft.vn[hv], _number(row, "vn_lv_kv") / draft.vn[lv], 0.0
        tap_range: Record = {}
        side = "hv"
        for suffix in ("", "2") if "tap2_pos" in row else ("",):
            at, factor, moved = _tap(draft, name, row, suffix)
            if at == "lv":
                low *= abs(factor)
                angle -= float(np.rad2deg(np.angle(factor)))
            else:
                high *= abs(factor)
                angle += float(np.rad2deg(np.angle(factor)))
            if not suffix and moved:
                side, tap_range = at, {k: v / abs(factor) if k != "n" else v for k, v in moved.items()}
        sn, base = _number(row, "sn_mva"), draft.base
        plate = {k: np.array([_number(row, k)]) for k in ("vk_percent", "vkr_percent", "pfe_kw", "i0_percent")}
        z = leakage_pu(plate["vk_percent"], plate["vkr_percent"], np.array([sn]), base)
        y = magnetising_pu(plate["pfe_kw"], plate["i0_percent"], np.array([sn]), base)
        # pandapower keeps the impedance per unit of the tapped low side; seen from the high side it is constant
        pi = t_to_pi(z * low**2, y / low**2)
        z_pu, y_pu, ratio, shift = pi.z_pu[0], pi.y_pu[0], high / low, _number(row, "shift_degree", 0.0) + angle
        f, t = draft.number[hv], draft.number[lv]
        if side == "lv":
            z_pu, y_pu, ratio, shift, f, t = z_pu * ratio**2, y_pu / ratio**2, 1 / ratio, -shift, t, f
        count = _parallel(row)
        if count > 1:
            draft.note(name, "parallel", "converted", f"{count} units")
        for k in range(count):
            _add_branch(
                draft, _circuit_name(name, k), row, f, t, z_pu.real, z_pu.imag, kind="transformer", circuit=str(k + 1),
                g_pu=y_pu.real, b_pu=y_pu.imag, ratio=ratio, shift_degree=shift, in_service=running,
                rating_a_mva=sn * _number(row, "df", 1.0), ratio_min=ratio * tap_range.get("low", np.nan),
                ratio_max=ratio * tap_range.get("high", np.nan), tap_positions=tap_range.get("n", 0),
            )  # fmt: skip


def _read_three_winding(draft: _Draft, ends: dict[tuple[str, int], set[int]]) -> None:
    for index, row in _records(draft.net, "trafo3w"):
        name = f"trafo3w {index}"
        sides = ("hv", "mv", "lv")
        buses = [int(row[f"{s}_bus"]) for s in sides]
        sn = np.array([[_number(row, f"sn_{s}_mva")] for s in sides])
        pair_base = smaller_of_pairs(sn)
        vk = np.array([[_number(row, f"vk_{s}_percent")] for s in sides])
        vkr = np.array([[_number(row, f"vkr_{s}_percent")] for s in sides])
        pairs = pair_impedances_pu(vk, vkr, pair_base, draft.base)
        legs = list(star_impedances(pairs[0], pairs[1], pairs[2]))
        ratios = [_number(row, f"vn_{s}_kv") / draft.vn[b] for s, b in zip(sides, buses, strict=True)]
        shifts = [0.0, -_number(row, "shift_mv_degree", 0.0), -_number(row, "shift_lv_degree", 0.0)]
        side, factor, _ = _tap(draft, name, row)
        k = sides.index(side) if side in sides else 0
        ratios[k] *= abs(factor)
        shifts[k] += float(np.rad2deg(np.angle(factor)))
        if bool(row.get("tap_at_star_point", False)):
            # the turns change on the star's side: the leg's impedance stays on the terminal's side
            legs[k] = legs[k] / abs(factor) ** 2
            if factor != 1:
                draft.note(name, "tap_at_star_point", "converted", f"factor {abs(factor):g}")
        if _text(row, "loss_side") not in ("", "hv"):
            draft.note(name, "loss_side", "converted", f"{row['loss_side']} -> hv")
        y = magnetising_pu(
            np.array([_number(row, "pfe_kw")]), np.array([_number(row, "i0_percent")]), sn[0], draft.base
        )
        z_12, z_23, z_31 = legs[0] + legs[1], legs[1] + legs[2], legs[2] + legs[0]
        running = bool(row["in_service"]) and not ends.get(("t3", index))
        draft.rows["three_winding"].append(
            {
                "transformer_id": name,
                "name": _text(row),
                **{f"bus_{i + 1}": draft.number[b] for i, b in enumerate(buses)},
                **{f"r_{p}_pu": float(z[0].real) for p, z in (("12", z_12), ("23", z_23), ("31", z_31))},
                **{f"x_{p}_pu": float(z[0].imag) for p, z in (("12", z_12), ("23", z_23), ("31", z_31))},
                "g_mag_pu": float(y[0].real),
                "b_mag_pu": float(y[0].imag),
                "magnetising": "t",
                **{f"ratio_{i + 1}": r for i, r in enumerate(ratios)},
                **{f"shift_{i + 1}_degree": s for i, s in enumerate(shifts)},
                **{f"rating_{i + 1}_mva": float(sn[i, 0]) for i in range(3)},
                **{f"in_service_{i}": running for i in (1, 2, 3)},
            }
        )


def _read_impedances(draft: _Draft) -> None:
    for index, row in _records(draft.net, "impedance"):
        name, scale = f"impedance {index}", draft.base / _number(row, "sn_mva")
        r, x = _number(row, "rft_pu") * scale, _number(row, "xft_pu") * scale
        back = (_number(row, "rtf_pu") * scale, _number(row, "xtf_pu") * scale)
        if back != (r, x):
            draft.note(
                name, "rtf_pu, xtf_pu", "dropped", f"{back[0]:g}, {back[1]:g}", "A branch is the same both ways."
            )
        ends = {
            f"{k}_{e}_pu": _number(row, f"{k}{s}_pu", 0.0) / scale
            for k in "gb"
            for e, s in (("from", "f"), ("to", "t"))
        }
        f, t = (draft.number[int(row[f"{e}_bus"])] for e in ("from", "to"))
        _add_branch(draft, name, row, f, t, r, x, rating_a_mva=_number(row, "sn_mva"), **ends)


def _read_dclines(draft: _Draft) -> None:
    """Both ends hold their voltage in pandapower, so each is a generator of fixed power."""
    for index, row in _records(draft.net, "dcline"):
        name, p = f"dcline {index}", _number(row, "p_mw")
        arriving = abs(p) * (1 - _number(row, "loss_percent", 0.0) / 100) - _number(row, "loss_mw", 0.0)
        power = {"from": -abs(p), "to": arriving} if p > 0 else {"from": arriving, "to": -abs(p)}
        for end in ("from", "to"):
            limits = {"min_q_mvar": row.get(f"min_q_{end}_mvar"), "max_q_mvar": row.get(f"max_q_{end}_mvar")}
            _add_generator(
                draft, f"{name} {end}", {**limits, "in_service": row["in_service"]}, int(row[f"{end}_bus"]), "voltage",
                p_mw=power[end], vm_pu=_number(row, f"vm_{end}_pu"), name=_text(row),
            )  # fmt: skip
        draft.note(name, "", "converted", "a generator of fixed power at each end")
