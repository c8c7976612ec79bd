"""A case as a pandapower net: the reference engine's input and the pandapower JSON.

Every row keeps its own circuit (``parallel`` is 1). What pandapower has no field for becomes something of the same
effect, and the list of losses says so: capacitive or active shunts of transformers and end shunts of lines become
shunts, HVDC ends static generators, three-winding units stars. Extra columns (``bus_id``, ``branch_row``,
``generator_row``) hold where a row came from; ``bus_id`` is read back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.model.contracts import BusBranch, LossItem
from grid.model.nameplate import Pi, nameplate_no_load, nameplate_percent, pi_to_t
from grid.model.star import expand_three_winding

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
TIE_PU = 1e-9


@dataclass(frozen=True)
class Exported:
    """The net and what its making cost."""

    net: pandapowerNet
    losses: tuple[LossItem, ...]
    moved_pu: Complexes
    """Admittance that belongs to a branch and stands in the net as a shunt, at from and to, shape (2, branches)."""


def to_pandapower(
    case: BusBranch, slack_weight: Floats | None = None, keep_schedule_at_references: bool = False
) -> Exported:
    """A pandapower net of ``case``.

    Parameters
    ----------
    slack_weight
        Shares of the slack power per generator, shape (generators,), for ``distributed_slack=True``; None takes the
        table's.
    keep_schedule_at_references
        An ``ext_grid`` has no scheduled power, so the schedule of its generator stands beside it as an ``sgen``:
        needed where several share the slack.

    Notes
    -----
    Solve with ``calculate_voltage_angles=True`` and ``trafo_model="t"``; other settings drop phase shifts or change
    the transformer. The first voltage-holding generator of every reference bus is an ``ext_grid``.
    """
    import pandapower as pp

    expanded = expand_three_winding(case)
    losses = [
        LossItem(f"three_winding {unit}", "", "converted", "star of three transformers", "")
        for unit in case.three_winding["transformer_id"]
    ]
    net = pp.create_empty_network(name=case.name, f_hz=case.frequency_hz, sn_mva=case.base_mva)
    _add_buses(net, expanded)
    row = {int(b): k for k, b in enumerate(expanded.buses["bus_id"])}
    _add_loads(net, expanded, row, losses)
    _add_generators(net, expanded, row, slack_weight, keep_schedule_at_references, losses)
    _add_hvdc(net, expanded, row, losses)
    shunts = _bus_shunts(expanded, row)
    moved = _add_branches(net, expanded, row, shunts, losses)
    _add_shunts(net, expanded, shunts)
    return Exported(net, tuple(losses), moved)


def _add_buses(net: pandapowerNet, case: BusBranch) -> None:
    import pandapower as pp

    buses = case.buses
    pp.create_buses(
        net,
        len(buses),
        vn_kv=buses["vn_kv"].to_numpy(float),
        name=list(buses["name"]),
        in_service=(buses["kind"] != "isolated").to_numpy(bool),
        min_vm_pu=buses["vm_min_pu"].to_numpy(float),
        max_vm_pu=buses["vm_max_pu"].to_numpy(float),
    )
    for column in ("bus_id", "area", "station", "is_star"):
        net.bus[column] = buses[column].to_numpy()
    net.bus["zone"] = buses["zone"].astype(str).to_numpy(object)
    places = zip(buses["lon"], buses["lat"], strict=True)
    net.bus["geo"] = [
        f'{{"coordinates": [{x!r}, {y!r}], "type": "Point"}}' if np.isfinite(x) and np.isfinite(y) else None
        for x, y in places
    ]


def _at(row: dict[int, int], ids: pd.Series) -> np.ndarray:
    return np.array([row[int(i)] for i in ids], dtype=np.int64)


def _add_loads(net: pandapowerNet, case: BusBranch, row: dict[int, int], losses: list[LossItem]) -> None:
    """Constant power as loads; admittance parts are shunts. Where a bus has current parts, its loads are one row:
    pandapower averages the percentages of the loads of a bus, so several rows would not mean what they say."""
    import pandapower as pp

    loads = case.loads
    current = loads[(loads["p_i_mw"] != 0) | (loads["q_i_mvar"] != 0)]
    merged = set(current.loc[current["in_service"], "bus_id"])
    plain = loads[~(loads["bus_id"].isin(merged) & loads["in_service"])]
    if len(plain):
        pp.create_loads(
            net,
            _at(row, plain["bus_id"]),
            p_mw=plain["p_mw"].to_numpy(float),
            q_mvar=plain["q_mvar"].to_numpy(float),
            name=list(plain["load_id"]),
            in_service=plain["in_service"].to_numpy(bool),
        )
    for bus in sorted(merged):
        own = loads[(loads["bus_id"] == bus) & loads["in_service"]]
        p, q = float(own["p_mw"].sum() + own["p_i_mw"].sum()), float(own["q_mvar"].sum() + own["q_i_mvar"].sum())
        pp.create_load(
            net,
            row[bus],
            p_mw=p,
            q_mvar=q,
            name=own["load_id"].iloc[0],
            const_i_p_percent=100 * float(own["p_i_mw"].sum()) / p if p else 0.0,
            const_i_q_percent=100 * float(own["q_i_mvar"].sum()) / q if q else 0.0,
        )
        losses.append(LossItem(f"bus {bus}", "loads", "converted", f"{len(own)} loads as one", ""))


def _add_generators(
    net: pandapowerNet,
    case: BusBranch,
    row: dict[int, int],
    slack_weight: Floats | None,
    keep_schedule: bool,
    losses: list[LossItem],
) -> None:
    import pandapower as pp

    # pandapower divides by the range of the limits: no limit is NaN there, not infinite
    table = case.generators.replace([np.inf, -np.inf], np.nan)
    weight = table["slack_weight"].to_numpy(float) if slack_weight is None else slack_weight
    angle = dict(zip(case.buses["bus_id"], case.buses["va_degree"], strict=True))
    holding = (table["control"] == "voltage").to_numpy(bool)
    running = table["in_service"].to_numpy(bool)
    for k in np.flatnonzero(holding & (table["regulated_bus_id"] != table["bus_id"]).to_numpy(bool)):
        value = f"bus {table['regulated_bus_id'].iloc[k]}"
        name = table["generator_id"].iloc[k]
        losses.append(LossItem(name, "regulated_bus_id", "dropped", value, "It holds its own bus."))
    at_reference = holding & running & table["bus_id"].isin(case.buses.loc[case.buses["kind"] == "ref", "bus_id"])
    first = np.unique(table["bus_id"].to_numpy()[at_reference], return_index=True)[1]
    ext_grids = np.sort(np.flatnonzero(at_reference)[first])
    rows = {
        "ext_grid": ext_grids,
        "gen": np.setdiff1d(np.flatnonzero(holding), ext_grids),
        "sgen": np.flatnonzero(~holding),
    }
    for k in rows["ext_grid"]:
        g = table.iloc[k]
        va = float(angle[g["bus_id"]])
        pp.create_ext_grid(
            net, row[int(g["bus_id"])], vm_pu=g["vm_pu"], va_degree=va if np.isfinite(va) else 0.0,
            name=g["generator_id"], slack_weight=float(weight[k]), min_q_mvar=g["q_min_mvar"],
            max_q_mvar=g["q_max_mvar"], min_p_mw=g["p_min_mw"], max_p_mw=g["p_max_mw"],
        )  # fmt: skip
    for name, create in (("gen", pp.create_gens), ("sgen", pp.create_sgens)):
        taken = rows[name]
        if not len(taken):
            continue
        own = table.iloc[taken]
        special: dict[str, Any] = {"q_mvar": own["q_mvar"].to_numpy(float)}
        if name == "gen":
            shares = weight[taken]
            special = {"vm_pu": own["vm_pu"].to_numpy(float), "slack_weight": shares,
                       "slack": (shares > 0) if slack_weight is not None else np.zeros(len(taken), bool)}  # fmt: skip
        create(
            net, _at(row, own["bus_id"]), p_mw=own["p_mw"].to_numpy(float), name=list(own["generator_id"]),
            in_service=running[taken], min_q_mvar=own["q_min_mvar"].to_numpy(float),
            max_q_mvar=own["q_max_mvar"].to_numpy(float), min_p_mw=own["p_min_mw"].to_numpy(float),
            max_p_mw=own["p_max_mw"].to_numpy(float), sn_mva=own["sn_mva"].to_numpy(float), type=list(own["fuel"]),
            **special,
        )  # fmt: skip
    for name, taken in rows.items():
        net[name]["generator_row"] = taken
        for column in ("p_mw", "q_mvar", "fuel"):
            if column not in net[name] or name == "ext_grid":
                net[name][column] = table[column].to_numpy()[taken]
    if keep_schedule:
        for k in rows["ext_grid"]:
            pp.create_sgen(net, row[int(table["bus_id"].iloc[k])], p_mw=float(table["p_mw"].iloc[k]), q_mvar=0.0,
                           name=f"{table['generator_id'].iloc[k]} schedule")  # fmt: skip
            net.sgen.loc[net.sgen.index[-1], "generator_row"] = -1


def _add_hvdc(net: pandapowerNet, case: BusBranch, row: dict[int, int], losses: list[LossItem]) -> None:
    import pandapower as pp

    for link in case.hvdc.to_dict("records"):
        losses.append(LossItem(f"hvdc {link['hvdc_id']}", "", "converted", "a static generator at each end", ""))
        for end in ("from", "to"):
            if int(link[f"{end}_bus"]) != -1:
                pp.create_sgen(
                    net, row[int(link[f"{end}_bus"])], p_mw=link[f"p_{end}_mw"], q_mvar=link[f"q_{end}_mvar"],
                    name=f"{link['hvdc_id']} {end}", in_service=bool(link["in_service"]), type="hvdc",
                )  # fmt: skip
                net.sgen.loc[net.sgen.index[-1], "generator_row"] = -1


def _bus_shunts(case: BusBranch, row: dict[int, int]) -> list[tuple[int, str, float, float, bool]]:
    """(bus row, name, g MW, b Mvar, in service) of everything that is a shunt already."""
    listed: list[tuple[int, str, float, float, bool]] = []
    for k, b in enumerate(case.buses.to_dict("records")):
        if b["gs_mw"] or b["bs_mvar"]:
            listed.append((k, f"bus {b['bus_id']}", b["gs_mw"], b["bs_mvar"], True))
    for s in case.shunts.to_dict("records"):
        listed.append((row[int(s["bus_id"])], s["shunt_id"], s["g_mw"], s["b_mvar"], bool(s["in_service"])))
    for x in case.loads.to_dict("records"):
        if x["p_z_mw"] or x["q_z_mvar"]:
            listed.append((row[int(x["bus_id"])], x["load_id"], x["p_z_mw"], -x["q_z_mvar"], bool(x["in_service"])))
    return listed


def _add_shunts(net: pandapowerNet, case: BusBranch, shunts: list[tuple[int, str, float, float, bool]]) -> None:
    import pandapower as pp

    if not shunts:
        return
    rows, names, g, b, running = (list(x) for x in zip(*shunts, strict=True))
    vn = case.buses["vn_kv"].to_numpy(float)
    pp.create_shunts(
        net, rows, q_mvar=[-x for x in b], p_mw=g, vn_kv=[float(vn[k]) for k in rows], name=names, in_service=running
    )  # fmt: skip


def _add_branches(
    net: pandapowerNet,
    case: BusBranch,
    row: dict[int, int],
    shunts: list[tuple[int, str, float, float, bool]],
    losses: list[LossItem],
) -> Complexes:
    import pandapower as pp

    branches, base = case.branches, case.base_mva
    moved = np.zeros((2, len(branches)), dtype=complex)
    vn = case.buses["vn_kv"].to_numpy(float)
    f, t = _at(row, branches["from_bus"]), _at(row, branches["to_bus"])
    z = branches["r_pu"].to_numpy(float) + 1j * branches["x_pu"].to_numpy(float)
    y = branches["g_pu"].to_numpy(float) + 1j * branches["b_pu"].to_numpy(float)
    ratio, running = branches["ratio"].to_numpy(float), branches["in_service"].to_numpy(bool)
    shift, rating = branches["shift_degree"].to_numpy(float), branches["rating_a_mva"].to_numpy(float)
    tie = np.abs(z) < TIE_PU
    line = (branches["kind"] == "line").to_numpy(bool) & (ratio == 1) & (shift == 0) & ~tie
    for k in np.flatnonzero(tie).tolist():
        pp.create_switch(net, int(f[k]), int(t[k]), et="b", closed=bool(running[k]), name=branches["branch_id"].iloc[k])
    for k in np.flatnonzero(~tie).tolist():
        for end, bus in (("from", int(f[k])), ("to", int(t[k]))):
            g, b = (float(branches[f"{q}_{end}_pu"].iloc[k]) * base for q in ("g", "b"))
            if g or b:
                name = f"{branches['branch_id'].iloc[k]} {end}"
                shunts.append((bus, name, g, b, bool(running[k])))
                moved[0 if end == "from" else 1, k] += complex(g, b) / base
                losses.append(LossItem(name, "g, b", "converted", "shunt that an outage leaves behind", ""))
    own = np.flatnonzero(line)
    if len(own):
        ohm = vn[f[own]] ** 2 / base
        length = branches["length_km"].to_numpy(float)[own]
        length = np.where(length > 0, length, 1.0)
        pp.create_lines_from_parameters(
            net, f[own], t[own], length_km=length, r_ohm_per_km=z.real[own] * ohm / length,
            x_ohm_per_km=z.imag[own] * ohm / length,
            c_nf_per_km=y.imag[own] / ohm / length / (2 * np.pi * case.frequency_hz) * 1e9,
            g_us_per_km=y.real[own] / ohm / length * 1e6, max_i_ka=rating[own] / (np.sqrt(3) * vn[f[own]]),
            name=list(branches["branch_id"].iloc[own]), in_service=running[own],
        )  # fmt: skip
    net.line["branch_row"] = own
    units = np.flatnonzero(~line & ~tie)
    if not len(units):
        return moved
    leakage, magnetising = pi_to_t(Pi(z[units], y[units]))
    plain = (magnetising.imag <= 0) & (magnetising.real >= 0)
    for i in np.flatnonzero(~plain).tolist():
        k = int(units[i])
        half = y[k] / 2 * base
        name = branches["branch_id"].iloc[k]
        moved[:, k] += np.array([1 / ratio[k] ** 2, 1.0]) * half / base
        shunts.append(
            (int(f[k]), f"{name} from", half.real / ratio[k] ** 2, half.imag / ratio[k] ** 2, bool(running[k]))
        )
        shunts.append((int(t[k]), f"{name} to", half.real, half.imag, bool(running[k])))
        losses.append(LossItem(name, "b_pu", "converted", "shunts that an outage leaves behind", ""))
    leakage = np.where(plain, leakage, z[units])
    magnetising = np.where(plain, magnetising, 0)
    sn = np.where(rating[units] > 0, rating[units], base)
    vk, vkr = nameplate_percent(leakage, sn, base)
    pfe, i0 = nameplate_no_load(magnetising, sn, base)
    pp.create_transformers_from_parameters(
        net, f[units], t[units], sn_mva=sn, vn_hv_kv=vn[f[units]] * ratio[units], vn_lv_kv=vn[t[units]],
        vk_percent=vk, vkr_percent=vkr, pfe_kw=pfe, i0_percent=i0, shift_degree=shift[units],
        name=list(branches["branch_id"].iloc[units]), in_service=running[units],
        **_tap_columns(branches.iloc[units], ratio[units]),
    )  # fmt: skip
    net.trafo["branch_row"] = units
    return moved


def _tap_columns(branches: pd.DataFrame, ratio: Floats) -> dict[str, Any]:
    """Tap data with the present position as neutral, so that ``vn_hv_kv`` holds the ratio and a step is exact."""
    low, high = branches["ratio_min"].to_numpy(float), branches["ratio_max"].to_numpy(float)
    count = branches["tap_positions"].to_numpy(int)
    tapped = (count > 1) & np.isfinite(low) & (high > low)
    step = np.where(tapped, (high - low) / np.maximum(count - 1, 1), np.nan)
    place = np.where(tapped, np.round((ratio - low) / step), np.nan)
    return {
        "tap_side": [("hv" if x else None) for x in tapped],
        "tap_changer_type": [("Ratio" if x else None) for x in tapped],
        "tap_neutral": place,
        "tap_pos": place,
        "tap_min": np.where(tapped, 0.0, np.nan),
        "tap_max": np.where(tapped, count - 1.0, np.nan),
        "tap_step_percent": step / ratio * 100,
        "tap_step_degree": np.where(tapped, 0.0, np.nan),
    }
