"""A network's tables as arrays in per unit: branch admittances, ratings, and one case's injections.

::

    f o---+---[ series ]---+---o t        every branch is  |If|   |yff yft| |Vf|
          |                |                               |It| = |ytf ytt| |Vt|
        [shunt]         [shunt]           currents into the element, 100 MVA base

Lines are pi sections. Transformers are pandapower's T model (leakage split in halves around the magnetising
branch, turned into a pi by star-delta), with the ratio and the vector group's shift on the high side; a tap on the
low side also rescales the impedance, as pandapower does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp

from grid.contracts import Case, Network

BASE_MVA = 100.0
FREQUENCY_HZ = 50.0

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class GridModel:
    """Arrays of a network. Branches are the lines, then the transformers, in table order; f is from or hv.

    ``percent_f`` and ``percent_t`` turn a per-unit current magnitude at that end into per cent of the rating;
    ``base_ka_f`` and ``base_ka_t`` turn it into kA.
    """

    bus_ids: tuple[str, ...]
    station_ids: tuple[str, ...]
    vn_kv: Floats
    vm_min_pu: Floats
    vm_max_pu: Floats
    element_ids: tuple[str, ...]
    is_transformer: Bools
    f: Ints
    t: Ints
    yff: Complexes
    yft: Complexes
    ytf: Complexes
    ytt: Complexes
    shift_rad: Floats
    rating_mva: Floats
    percent_f: Floats
    percent_t: Floats
    base_ka_f: Floats
    base_ka_t: Floats
    shunt_pu: Complexes
    """Admittance of the shunts at each bus; part of ``ybus``."""
    ybus: sp.csr_matrix

    @property
    def n_bus(self) -> int:
        return len(self.bus_ids)

    @property
    def n_branch(self) -> int:
        return len(self.element_ids)

    def bus_index(self, bus_id: str) -> int:
        return self.bus_ids.index(bus_id)

    def element_index(self, element_id: str) -> int:
        return self.element_ids.index(element_id)


def _line_admittances(network: Network, vn_from_kv: Floats) -> tuple[Complexes, ...]:
    lines = network.lines
    base_ohm = vn_from_kv**2 / BASE_MVA
    length = lines["length_km"].to_numpy(float)
    z = (lines["r_ohm_per_km"].to_numpy(float) + 1j * lines["x_ohm_per_km"].to_numpy(float)) * length / base_ohm
    b = 2 * np.pi * FREQUENCY_HZ * lines["c_nf_per_km"].to_numpy(float) * 1e-9 * length * base_ohm
    series = 1 / z
    return series + 0.5j * b, -series, -series, series + 0.5j * b


def _transformer_admittances(network: Network, vn_hv_bus_kv: Floats, vn_lv_bus_kv: Floats) -> tuple[Complexes, ...]:
    """T model of each unit as (yff, yft, ytf, ytt); see the module's picture and pandapower's documentation."""
    units = network.transformers
    column = {name: units[name].to_numpy(float) for name in units.columns if units[name].dtype.kind == "f"}
    tap = 1 + (column["tap_pos"] - column["tap_neutral"]) * column["tap_step_percent"] / 100
    on_hv = (units["tap_side"] == "hv").to_numpy()
    vn_hv = column["vn_hv_kv"] * np.where(on_hv, tap, 1.0)
    vn_lv = column["vn_lv_kv"] * np.where(on_hv, 1.0, tap)
    ratio = (vn_hv / vn_lv) / (vn_hv_bus_kv / vn_lv_bus_kv)
    turns = ratio * np.exp(1j * np.deg2rad(column["shift_degree"]))
    to_base = (vn_lv / vn_lv_bus_kv) ** 2 * BASE_MVA / column["sn_mva"]
    z_abs, r = column["vk_percent"] / 100 * to_base, column["vkr_percent"] / 100 * to_base
    z = r + 1j * np.sqrt(z_abs**2 - r**2)
    no_load_mw = column["pfe_kw"] / 1000
    magnetising_mvar = np.sqrt(np.maximum((column["i0_percent"] / 100 * column["sn_mva"]) ** 2 - no_load_mw**2, 0.0))
    shunt = (no_load_mw - 1j * magnetising_mvar) / BASE_MVA * (vn_lv_bus_kv / vn_lv) ** 2
    # star-delta of half - shunt - half: series z + z^2/4*y, shunt y/2 / (1 + z*y/4) at each end
    series = 1 / (z + z**2 * shunt / 4)
    end = shunt / (2 + z * shunt / 2)
    return (series + end) / ratio**2, -series / np.conj(turns), -series / turns, series + end


def shunts_mvar(network: Network, load_share: float) -> Floats:
    """Reactive power per bus at nominal voltage [Mvar] of the shunts that are in at a load share; positive consumes."""
    shunts = network.shunts
    position = {bus: i for i, bus in enumerate(network.buses["bus_id"])}
    low, high = shunts["load_share_min"].to_numpy(float), shunts["load_share_max"].to_numpy(float)
    switched_in = (low <= load_share) & (load_share <= high)
    return _per_bus(
        len(position), _positions(shunts["bus_id"], position), shunts["q_mvar"].to_numpy(float) * switched_in
    )


def compile_model(network: Network, line_factor: float = 1.0, load_share: float = 1.0) -> GridModel:
    """Arrays of ``network``; line ratings are ``max_i_ka * line_factor``, transformer ratings ``sn_mva``.

    Shunts that are in at ``load_share`` are part of the admittances.

    A transformer's loading is the larger of both ends' currents over the unit's rated current at that end
    (pandapower's ``trafo_loading="current"``).
    """
    buses, lines, units = network.buses, network.lines, network.transformers
    position = {bus: i for i, bus in enumerate(buses["bus_id"])}
    vn = buses["vn_kv"].to_numpy(float)
    line_f, line_t = _positions(lines["from_bus"], position), _positions(lines["to_bus"], position)
    unit_f, unit_t = _positions(units["hv_bus"], position), _positions(units["lv_bus"], position)
    f, t = np.concatenate([line_f, unit_f]), np.concatenate([line_t, unit_t])
    blocks = zip(
        _line_admittances(network, vn[line_f]),
        _transformer_admittances(network, vn[unit_f], vn[unit_t]),
        strict=True,
    )
    yff, yft, ytf, ytt = (np.concatenate(pair) for pair in blocks)
    base_ka_f, base_ka_t = BASE_MVA / (np.sqrt(3) * vn[f]), BASE_MVA / (np.sqrt(3) * vn[t])
    line_ka = lines["max_i_ka"].to_numpy(float) * line_factor
    sn = units["sn_mva"].to_numpy(float)
    rated_f = np.concatenate([line_ka, sn / (np.sqrt(3) * units["vn_hv_kv"].to_numpy(float))])
    rated_t = np.concatenate([line_ka, sn / (np.sqrt(3) * units["vn_lv_kv"].to_numpy(float))])
    n, entries = len(vn), np.concatenate([yff, yft, ytf, ytt])
    ybus = sp.csr_matrix(
        (entries, (np.concatenate([f, f, t, t]), np.concatenate([f, t, f, t]))), shape=(n, n), dtype=complex
    )
    shunt_pu = np.asarray(-1j * shunts_mvar(network, load_share) / BASE_MVA, dtype=np.complex128)
    if shunt_pu.any():
        ybus = (ybus + sp.diags(shunt_pu)).tocsr()
    return GridModel(
        bus_ids=tuple(buses["bus_id"]),
        station_ids=tuple(buses["station_id"]),
        vn_kv=vn,
        vm_min_pu=buses["vm_min_pu"].to_numpy(float),
        vm_max_pu=buses["vm_max_pu"].to_numpy(float),
        element_ids=(*lines["line_id"], *units["transformer_id"]),
        is_transformer=np.arange(len(f)) >= len(line_f),
        f=f,
        t=t,
        yff=yff,
        yft=yft,
        ytf=ytf,
        ytt=ytt,
        shift_rad=np.concatenate([np.zeros(len(line_f)), np.deg2rad(units["shift_degree"].to_numpy(float))]),
        rating_mva=np.concatenate([np.sqrt(3) * vn[line_f] * line_ka, sn]),
        percent_f=100 * base_ka_f / rated_f,
        percent_t=100 * base_ka_t / rated_t,
        base_ka_f=base_ka_f,
        base_ka_t=base_ka_t,
        shunt_pu=shunt_pu,
        ybus=ybus,
    )


def _positions(ids: pd.Series, position: dict[str, int]) -> Ints:
    return np.array([position[i] for i in ids], dtype=np.int64)


@dataclass(frozen=True)
class OperatingPoint:
    """Injections of one case per bus, in MW and Mvar; positive feeds the network unless the name says load.

    ``controlled`` marks buses whose voltage is held (running 'voltage' generators and infeeds); ``vm_set_pu`` is
    their set point. ``q_min_mvar`` and ``q_max_mvar`` are the sums of the running voltage controllers there,
    unlimited at infeeds. ``slack_weight`` sums to one; ``reference`` is the first infeed's bus.
    """

    load_mw: Floats
    load_mvar: Floats
    generation_mw: Floats
    controlled: Bools
    vm_set_pu: Floats
    q_min_mvar: Floats
    q_max_mvar: Floats
    infeed: Bools
    slack_weight: Floats
    reference: int
    reference_va_rad: float


def fuel_share(case: Case, fuel: str) -> float:
    """Output of existing plants of ``fuel`` per installed capacity in ``case``."""
    listed = {share.fuel: share.share for share in case.fuel_shares}
    return listed.get(fuel, {"pv": case.pv_share, "wind": case.wind_share}.get(fuel, 0.0))


def operating_point(network: Network, case: Case, model: GridModel) -> OperatingPoint:
    """Injections of ``case``. A generator whose fuel runs at 0 is off and holds no voltage."""
    n = model.n_bus
    position = {bus: i for i, bus in enumerate(model.bus_ids)}
    load_bus = _positions(network.loads["bus_id"], position)
    gens = network.generators
    share = np.array([fuel_share(case, fuel) for fuel in gens["fuel"]], dtype=float)
    gen_bus, gen_mw = _positions(gens["bus_id"], position), gens["p_max_mw"].to_numpy(float) * share
    holds = (gens["control"] == "voltage").to_numpy(bool) & (share != 0)
    infeed_bus = _positions(network.infeeds["bus_id"], position)

    vm_set = np.full(n, np.nan)
    for bus, vm in zip(gen_bus[holds][::-1], gens["vm_pu"].to_numpy(float)[holds][::-1], strict=True):
        vm_set[bus] = vm
    for bus, vm in zip(infeed_bus[::-1], network.infeeds["vm_pu"].to_numpy(float)[::-1], strict=True):
        vm_set[bus] = vm
    infeed = np.zeros(n, dtype=bool)
    infeed[infeed_bus] = True
    q_min = _per_bus(n, gen_bus[holds], gens["q_min_mvar"].to_numpy(float)[holds])
    q_max = _per_bus(n, gen_bus[holds], gens["q_max_mvar"].to_numpy(float)[holds])
    weight = _per_bus(n, infeed_bus, network.infeeds["slack_weight"].to_numpy(float))
    if weight.sum() <= 0:
        weight = np.where(np.arange(n) == infeed_bus[0], 1.0, 0.0)
    return OperatingPoint(
        load_mw=_per_bus(n, load_bus, network.loads["p_mw"].to_numpy(float)) * case.load_share,
        load_mvar=_per_bus(n, load_bus, network.loads["q_mvar"].to_numpy(float)) * case.load_share,
        generation_mw=_per_bus(n, gen_bus, gen_mw),
        controlled=np.isfinite(vm_set),
        vm_set_pu=vm_set,
        q_min_mvar=np.where(infeed, -np.inf, q_min),
        q_max_mvar=np.where(infeed, np.inf, q_max),
        infeed=infeed,
        slack_weight=weight / weight.sum(),
        reference=int(infeed_bus[0]),
        reference_va_rad=float(np.deg2rad(network.infeeds["va_degree"].to_numpy(float)[0])),
    )


def _per_bus(n: int, bus: Ints, values: Floats) -> Floats:
    return np.bincount(bus, weights=values, minlength=n).astype(float) if len(bus) else np.zeros(n)
