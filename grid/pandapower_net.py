"""The network as a pandapower net: the reference engine, and the door to everything that reads pandapower.

Every circuit and every unit is a row of its own (``parallel`` is 1), ``name`` holds our ids and rows keep our
order. The first infeed is the ``ext_grid``, the other infeeds are ``gen`` rows that share the slack power by
``slack_weight``: solve with :data:`SOLVE_OPTIONS`, or with :func:`solve_pandapower`. lightsim2grid's own reader
of pandapower nets must not be used on the result: it drops rated voltages that differ from the bus voltages
(220/121 kV becomes 220/110 kV).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from grid.ampacity import season_rating_factor
from grid.contracts import Case, Network

if TYPE_CHECKING:
    from pandapower.auxiliary import pandapowerNet

BASE_MVA = 100.0
SOLVE_OPTIONS: dict[str, Any] = {
    "algorithm": "nr",
    "init": "dc",
    "max_iteration": 30,
    "tolerance_mva": 1e-8,
    "calculate_voltage_angles": True,
    "distributed_slack": True,
    "trafo_model": "t",
    "trafo_loading": "current",
    "numba": False,
    "lightsim2grid": False,
}


def fuel_output_share(case: Case, fuel: str) -> float:
    """Output of existing plants of one fuel in a case, as a share of installed capacity."""
    listed = {entry.fuel: entry.share for entry in case.fuel_shares}
    follows = {"pv": case.pv_share, "wind": case.wind_share}
    return float(listed.get(fuel, follows.get(fuel, 0.0)))


def to_pandapower(network: Network, case: Case) -> pandapowerNet:
    """A pandapower net of one operating point.

    Loads are ``load`` rows scaled by ``case.load_share``. Plants run at ``p_max_mw`` times the share of their fuel:
    power-controlled ones are ``sgen`` rows at unity power factor, voltage-controlled ones ``gen`` rows; one that
    runs at 0 is out of service and holds no voltage. Line ratings are those of the case's season.

    Every transformer has ``tap_changer_type = "Ratio"``: without it pandapower ignores ``tap_pos``. Reactive
    limits are written, and enforced by pandapower only when ``enforce_q_lims=True`` is asked for.

    Raises
    ------
    KeyError
        If an element names a bus that does not exist (``grid.checks.check_network`` finds these before).
    """
    import pandapower as pp

    net = pp.create_empty_network(name=network.name, f_hz=50.0, sn_mva=BASE_MVA)
    buses = network.buses
    places = network.stations.set_index("station_id")[["lon", "lat"]]
    pp.create_buses(
        net,
        len(buses),
        vn_kv=buses["vn_kv"].to_numpy(float),
        name=list(buses["bus_id"]),
        min_vm_pu=buses["vm_min_pu"].to_numpy(float),
        max_vm_pu=buses["vm_max_pu"].to_numpy(float),
        geodata=[tuple(map(float, places.loc[station])) for station in buses["station_id"]],
    )
    index = pd.Series(net.bus.index, index=net.bus["name"])
    _add_lines(net, network, case, index)
    _add_transformers(net, network, index)
    _add_loads(net, network, case, index)
    _add_generators(net, network, case, index)
    _add_infeeds(net, network, index)
    _add_shunts(net, network, case, index)
    return net


def _at(index: pd.Series, ids: pd.Series) -> np.ndarray:
    return index.loc[list(ids)].to_numpy(int)


def _add_lines(net: pandapowerNet, network: Network, case: Case, index: pd.Series) -> None:
    import pandapower as pp

    lines = network.lines
    if lines.empty:
        return
    pp.create_lines_from_parameters(
        net,
        from_buses=_at(index, lines["from_bus"]),
        to_buses=_at(index, lines["to_bus"]),
        length_km=lines["length_km"].to_numpy(float),
        r_ohm_per_km=lines["r_ohm_per_km"].to_numpy(float),
        x_ohm_per_km=lines["x_ohm_per_km"].to_numpy(float),
        c_nf_per_km=lines["c_nf_per_km"].to_numpy(float),
        max_i_ka=lines["max_i_ka"].to_numpy(float) * season_rating_factor(case.season),
        name=list(lines["line_id"]),
        type=["ol"] * len(lines),
    )


def _add_transformers(net: pandapowerNet, network: Network, index: pd.Series) -> None:
    import pandapower as pp

    units = network.transformers
    if units.empty:
        return
    same_name = (
        "sn_mva",
        "vn_hv_kv",
        "vn_lv_kv",
        "vk_percent",
        "vkr_percent",
        "pfe_kw",
        "i0_percent",
        "shift_degree",
        "tap_neutral",
        "tap_min",
        "tap_max",
        "tap_step_percent",
        "tap_pos",
    )
    pp.create_transformers_from_parameters(
        net,
        hv_buses=_at(index, units["hv_bus"]),
        lv_buses=_at(index, units["lv_bus"]),
        name=list(units["transformer_id"]),
        tap_side=list(units["tap_side"]),
        tap_changer_type=["Ratio"] * len(units),
        **{column: units[column].to_numpy(float) for column in same_name},
    )


def _add_loads(net: pandapowerNet, network: Network, case: Case, index: pd.Series) -> None:
    import pandapower as pp

    loads = network.loads
    if loads.empty:
        return
    pp.create_loads(
        net,
        _at(index, loads["bus_id"]),
        p_mw=loads["p_mw"].to_numpy(float) * case.load_share,
        q_mvar=loads["q_mvar"].to_numpy(float) * case.load_share,
        name=list(loads["load_id"]),
    )


def _add_generators(net: pandapowerNet, network: Network, case: Case, index: pd.Series) -> None:
    import pandapower as pp

    plants = network.generators
    if plants.empty:
        return
    share = np.array([fuel_output_share(case, fuel) for fuel in plants["fuel"]], dtype=float)
    output_mw = plants["p_max_mw"].to_numpy(float) * share
    holds = (plants["control"] == "voltage").to_numpy(bool)
    for k in np.flatnonzero(~holds):
        row = plants.iloc[k]
        pp.create_sgen(
            net, index[row["bus_id"]], p_mw=output_mw[k], q_mvar=0.0, name=row["generator_id"], type=row["fuel"]
        )
    for k in np.flatnonzero(holds):
        row = plants.iloc[k]
        pp.create_gen(
            net,
            index[row["bus_id"]],
            p_mw=output_mw[k],
            vm_pu=row["vm_pu"],
            min_q_mvar=row["q_min_mvar"],
            max_q_mvar=row["q_max_mvar"],
            name=row["generator_id"],
            type=row["fuel"],
            in_service=bool(share[k] != 0),
        )


def _add_infeeds(net: pandapowerNet, network: Network, index: pd.Series) -> None:
    import pandapower as pp

    for k, row in enumerate(network.infeeds.to_dict("records")):
        if k == 0:
            pp.create_ext_grid(
                net,
                index[row["bus_id"]],
                vm_pu=row["vm_pu"],
                va_degree=row["va_degree"],
                name=row["infeed_id"],
                slack_weight=row["slack_weight"],
                s_sc_max_mva=row["s_sc_mva"],
                rx_max=0.1,
            )
        else:
            pp.create_gen(
                net,
                index[row["bus_id"]],
                p_mw=0.0,
                vm_pu=row["vm_pu"],
                name=row["infeed_id"],
                slack=True,
                slack_weight=row["slack_weight"],
                type="infeed",
            )


def _add_shunts(net: pandapowerNet, network: Network, case: Case, index: pd.Series) -> None:
    import pandapower as pp

    for row in network.shunts.to_dict("records"):
        switched_in = row["load_share_min"] <= case.load_share <= row["load_share_max"]
        pp.create_shunt(
            net, index[row["bus_id"]], q_mvar=row["q_mvar"], p_mw=0.0, name=row["shunt_id"], in_service=switched_in
        )


def solve_pandapower(net: pandapowerNet, **changed_options: Any) -> bool:
    """Solve in place with :data:`SOLVE_OPTIONS`; True when it converged.

    pandapower drops islands without a reference silently (their buses become NaN): compare the load served with
    the load asked for.
    """
    import pandapower as pp

    options = {**SOLVE_OPTIONS, **changed_options}
    try:
        pp.runpp(net, **options)
    except pp.LoadflowNotConverged:
        return False
    return True
