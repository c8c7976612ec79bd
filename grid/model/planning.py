"""The planning network (:class:`grid.contracts.Network`) in one case, as a bus-branch case."""

from __future__ import annotations

import numpy as np

from grid.admittance import fuel_share, shunts_mvar
from grid.ampacity import season_rating_factor
from grid.contracts import Case, Network
from grid.model.acceptance import accept
from grid.model.contracts import BusBranch, Source, make_case
from grid.model.nameplate import leakage_pu, magnetising_pu, t_to_pi

BASE_MVA = 100.0


def from_network(network: Network, case: Case) -> BusBranch:
    """One operating point of a planning network.

    Loads are scaled by ``case.load_share``, plants run at their fuel's share of installed capacity (one that runs at
    0 is off and holds no voltage), line ratings are the season's. Buses are numbered from 1 in table order and keep
    their id as name. Infeeds become voltage-holding generators at reference buses, unlimited in reactive power, and
    share the slack by their weights.

    Raises
    ------
    InputError
        If the tables do not fit together.
    """
    buses = network.buses
    number = {bus: k + 1 for k, bus in enumerate(buses["bus_id"])}
    stations = network.stations.set_index("station_id")
    infeeds, plants = network.infeeds, network.generators
    angle = dict(zip(infeeds["bus_id"], infeeds["va_degree"], strict=True))
    share = np.array([fuel_share(case, fuel) for fuel in plants["fuel"]], dtype=float)
    vn = {bus: float(v) for bus, v in zip(buses["bus_id"], buses["vn_kv"], strict=True)}
    return accept(
        make_case(
            f"{network.name} {case.id}",
            BASE_MVA,
            Source("network", title=network.name),
            {
                "buses": {
                    "bus_id": np.arange(1, len(buses) + 1),
                    "name": buses["bus_id"].to_numpy(object),
                    "vn_kv": buses["vn_kv"].to_numpy(float),
                    "kind": ["ref" if b in angle else "pq" for b in buses["bus_id"]],
                    "bs_mvar": -shunts_mvar(network, case.load_share),
                    "vm_min_pu": buses["vm_min_pu"].to_numpy(float),
                    "vm_max_pu": buses["vm_max_pu"].to_numpy(float),
                    "va_degree": [float(angle.get(b, np.nan)) for b in buses["bus_id"]],
                    "lon": stations.loc[buses["station_id"], "lon"].to_numpy(float),
                    "lat": stations.loc[buses["station_id"], "lat"].to_numpy(float),
                    "station": buses["station_id"].to_numpy(object),
                },
                "loads": {
                    "load_id": network.loads["load_id"].to_numpy(object),
                    "bus_id": _numbers(network.loads["bus_id"], number),
                    "p_mw": network.loads["p_mw"].to_numpy(float) * case.load_share,
                    "q_mvar": network.loads["q_mvar"].to_numpy(float) * case.load_share,
                },
                "generators": {
                    "generator_id": [*plants["generator_id"], *infeeds["infeed_id"]],
                    "bus_id": np.concatenate([_numbers(plants["bus_id"], number), _numbers(infeeds["bus_id"], number)]),
                    "p_mw": np.concatenate([plants["p_max_mw"].to_numpy(float) * share, np.zeros(len(infeeds))]),
                    "q_min_mvar": np.concatenate([plants["q_min_mvar"], np.full(len(infeeds), -np.inf)]),
                    "q_max_mvar": np.concatenate([plants["q_max_mvar"], np.full(len(infeeds), np.inf)]),
                    "control": [*plants["control"], *(["voltage"] * len(infeeds))],
                    "vm_pu": np.concatenate([plants["vm_pu"], infeeds["vm_pu"]]).astype(float),
                    "p_max_mw": np.concatenate([plants["p_max_mw"], np.full(len(infeeds), np.nan)]),
                    "slack_weight": np.concatenate([np.zeros(len(plants)), infeeds["slack_weight"]]),
                    "fuel": [*plants["fuel"], *(["infeed"] * len(infeeds))],
                    "in_service": np.concatenate([share != 0, np.ones(len(infeeds), dtype=bool)]),
                },
                "branches": _branches(network, case, number, vn),
            },
        )
    )


def _numbers(ids: object, number: dict[str, int]) -> np.ndarray:
    return np.array([number[b] for b in ids], dtype=np.int64)  # type: ignore[attr-defined]


def _branches(network: Network, case: Case, number: dict[str, int], vn: dict[str, float]) -> dict[str, object]:
    lines, units = network.lines, network.transformers
    kv = np.array([vn[b] for b in lines["from_bus"]])
    base_ohm, length = kv**2 / BASE_MVA, lines["length_km"].to_numpy(float)
    susceptance = 2 * np.pi * 50.0 * lines["c_nf_per_km"].to_numpy(float) * 1e-9 * length * base_ohm
    hv = np.array([vn[b] for b in units["hv_bus"]])
    lv = np.array([vn[b] for b in units["lv_bus"]])
    value = {name: units[name].to_numpy(float) for name in units.columns if units[name].dtype.kind == "f"}
    on_hv = (units["tap_side"] == "hv").to_numpy(bool)
    step, none = value["tap_step_percent"] / 100, np.full(len(lines), np.nan)
    tap = 1 + (value["tap_pos"] - value["tap_neutral"]) * step
    # the tapped side is the from side: its turns change, the impedance on the other side does not
    high, low = value["vn_hv_kv"] / hv, value["vn_lv_kv"] / lv
    nominal = np.where(on_hv, high / low, low / high)
    rated = np.where(on_hv, low, high)
    pi = t_to_pi(
        leakage_pu(value["vk_percent"], value["vkr_percent"], value["sn_mva"], BASE_MVA) * rated**2,
        magnetising_pu(value["pfe_kw"], value["i0_percent"], value["sn_mva"], BASE_MVA) / rated**2,
    )
    hv_number, lv_number = _numbers(units["hv_bus"], number), _numbers(units["lv_bus"], number)
    rating = np.sqrt(3) * kv * lines["max_i_ka"].to_numpy(float) * season_rating_factor(case.season)
    m = len(lines)
    return {
        "branch_id": [*lines["line_id"], *units["transformer_id"]],
        "name": [*lines["name_zh"], *units["transformer_id"]],
        "kind": ["line"] * m + ["transformer"] * len(units),
        "from_bus": np.concatenate([_numbers(lines["from_bus"], number), np.where(on_hv, hv_number, lv_number)]),
        "to_bus": np.concatenate([_numbers(lines["to_bus"], number), np.where(on_hv, lv_number, hv_number)]),
        "r_pu": np.concatenate([lines["r_ohm_per_km"].to_numpy(float) * length / base_ohm, pi.z_pu.real]),
        "x_pu": np.concatenate([lines["x_ohm_per_km"].to_numpy(float) * length / base_ohm, pi.z_pu.imag]),
        "g_pu": np.concatenate([np.zeros(m), pi.y_pu.real]),
        "b_pu": np.concatenate([susceptance, pi.y_pu.imag]),
        "ratio": np.concatenate([np.ones(m), nominal * tap]),
        "shift_degree": np.concatenate([np.zeros(m), np.where(on_hv, 1.0, -1.0) * value["shift_degree"]]),
        "rating_a_mva": np.concatenate([rating, value["sn_mva"]]),
        "length_km": np.concatenate([length, np.full(len(units), np.nan)]),
        "ratio_min": np.concatenate([none, nominal * (1 + (value["tap_min"] - value["tap_neutral"]) * step)]),
        "ratio_max": np.concatenate([none, nominal * (1 + (value["tap_max"] - value["tap_neutral"]) * step)]),
        "tap_positions": np.concatenate(
            [np.zeros(m), np.where(step > 0, value["tap_max"] - value["tap_min"] + 1, 0)]
        ).astype(np.int64),
    }
