"""The same currents by pandapower's ``calc_sc``, on a net built from the case.

pandapower corrects two-winding transformers itself. Machines and infeeds come as ``ext_grid`` rows of the power that
their corrected impedance gives (it keeps one factor K_G a bus, the last machine's), legs of three-winding units with
its factor divided out (IEC 60909 corrects the pairs).

Its single-phase currents of converters are the three-phase ones, whatever Z0 is; here the positive-sequence source sees
2 Z1 + Z0, as in IEC 60909-0:2016, and converters are left out of its single-phase run.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from grid.model.arrays import Bools, Floats
from grid.model.contracts import (
    CASE_GENERATORS,
    CASE_HVDC,
    CASE_LOADS,
    CASE_SHUNT_STEPS,
    CASE_SHUNTS,
    BusBranch,
)
from grid.model.nameplate import nameplate_percent
from grid.studies.short_circuit_assumptions import fault_rules, is_transformer
from grid.studies.short_circuit_data import FaultData
from grid.studies.short_circuit_matrix import Currents, high_side_share_of
from grid.studies.short_circuit_zero import DELTA, EARTHED_FROM, EARTHED_TO, OPEN, THROUGH

_GROUPS = {THROUGH: "YNyn", DELTA: "YNyn", EARTHED_FROM: "YNd", EARTHED_TO: "Dyn", OPEN: "Dd"}
_NO_DELTA_PERCENT = 1e12
_FAR = 1e9
"""Zero over positive sequence reactance of a source without earthed neutral."""
_WEAK_MVA, _WEAK_X0X = 1e-6, 1e-3
"""An earth that changes nothing, where no neutral is earthed: without it the zero-sequence matrix is singular."""


def pandapower_currents(data: FaultData) -> Currents:
    """Currents at every bus row by ``calc_sc`` (case max, 3ph and 1ph); NaN as in :class:`Currents`.

    Raises
    ------
    Exception
        Whatever pandapower raises; the study takes the closed form then and says so.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandapower warns of its own use of pandas and numpy
        net = fault_net(data)
        three = _run(net, "3ph")
        net.sgen["in_service"] = False
        _earth_the_rest(net, data)
        one = _run(net, "1ph")
    case = data.arrays.case
    ohm = case.buses["vn_kv"].to_numpy(float) ** 2 / data.arrays.base_mva
    z1 = (three["rk_ohm"].to_numpy(float) + 1j * three["xk_ohm"].to_numpy(float)) / ohm
    z0 = (one["rk0_ohm"].to_numpy(float) + 1j * one["xk0_ohm"].to_numpy(float)) / ohm
    z1 = np.where(data.arrays.off | ~np.isfinite(z1), np.nan, z1)
    blind = ~data.earthed | ~np.isfinite(z1) | ~_reached_by_earth(data)
    z0 = np.where(blind | ~np.isfinite(z0), np.nan, z0)
    machines = data.c / np.abs(z1) * data.base_ka
    converters = np.maximum(three["ikss_ka"].to_numpy(float) - machines, 0.0)
    if not len(data.converters.bus):
        converters = np.where(np.isnan(machines), np.nan, 0.0)
    return Currents(
        machines_3ph_ka=machines,
        converters_3ph_ka=converters,
        machines_1ph_ka=np.where(np.isnan(z0), np.nan, one["ikss_ka"].to_numpy(float)),
        converters_1ph_ka=converters * np.abs(3 * z1) / np.abs(2 * z1 + z0),
        z1_pu=np.asarray(z1, dtype=np.complex128),
        z0_pu=np.asarray(z0, dtype=np.complex128),
    )


def fault_net(data: FaultData) -> Any:
    """The pandapower net: branches at nominal ratio, sources, converters, zero-sequence data."""
    import pandapower as pp

    from grid.model.pandapower_export import to_pandapower

    arrays, rules = data.arrays, fault_rules()
    net = to_pandapower(_bare(data)).net
    sources, c = data.sources, data.c
    for row, y1, y0 in zip(sources.bus.tolist(), sources.y1_pu, sources.y0_pu, strict=True):
        z1 = 1 / y1
        z0 = 1 / y0 if y0 != 0 else complex(0.0, _FAR * z1.imag)
        pp.create_ext_grid(
            net, row, s_sc_max_mva=c * abs(y1) * arrays.base_mva, rx_max=z1.real / z1.imag,
            x0x_max=z0.imag / z1.imag, r0x0_max=z0.real / z0.imag,
        )  # fmt: skip
    own = data.converters
    for row, sn, k in zip(own.bus.tolist(), own.sn_mva.tolist(), own.k.tolist(), strict=True):
        pp.create_sgen(net, row, p_mw=0.0, sn_mva=sn, k=k, current_source=True)
    _line_data(net, data)
    _transformer_data(net, data, rules["transformer_x0_over_x1"])
    return net


def _bare(data: FaultData) -> BusBranch:
    """The expanded case with nothing but buses and series impedances; everything at nominal ratio."""
    case = data.arrays.case
    branches = case.branches.copy()
    branches["kind"] = np.where(is_transformer(data.arrays), "transformer", "line")
    for name in ("g_pu", "b_pu", "g_from_pu", "b_from_pu", "g_to_pu", "b_to_pu", "shift_degree"):
        branches[name] = 0.0
    branches["r_pu"], branches["x_pu"] = data.leakage_pu.real, data.leakage_pu.imag
    branches["ratio"], branches["tap_positions"] = 1.0, 0
    branches["in_service"] = data.arrays.live | data.arrays.tie
    buses = case.buses.assign(gs_mw=0.0, bs_mvar=0.0)
    return replace(
        case, buses=buses, branches=branches, loads=CASE_LOADS.empty(), generators=CASE_GENERATORS.empty(),
        shunts=CASE_SHUNTS.empty(), shunt_steps=CASE_SHUNT_STEPS.empty(), hvdc=CASE_HVDC.empty(),
    )  # fmt: skip


def _line_data(net: Any, data: FaultData) -> None:
    if not len(net.line):
        return
    rows = net.line["branch_row"].to_numpy(int)
    vn = data.arrays.case.buses["vn_kv"].to_numpy(float)
    ohm = vn[data.arrays.f_bus[rows]] ** 2 / data.arrays.base_mva
    z0 = data.z0_pu[rows] * ohm / net.line["length_km"].to_numpy(float)
    net.line["r0_ohm_per_km"], net.line["x0_ohm_per_km"], net.line["c0_nf_per_km"] = z0.real, z0.imag, 0.0


def _transformer_data(net: Any, data: FaultData, x0_over_x1: float) -> None:
    if not len(net.trafo):
        return
    arrays = data.arrays
    rows = net.trafo["branch_row"].to_numpy(int)
    base, z = arrays.base_mva, data.leakage_pu[rows]
    net.trafo["sn_mva"] = data.rating_mva[rows]
    leg = data.star_leg[rows]
    if leg.any():
        z, sn = _legs(data, rows, leg, z)
        net.trafo["sn_mva"] = sn
    sn = net.trafo["sn_mva"].to_numpy(float)
    net.trafo["vk_percent"], net.trafo["vkr_percent"] = nameplate_percent(z, sn, base)
    zero = z.real + 1j * x0_over_x1 * z.imag
    net.trafo["vk0_percent"], net.trafo["vkr0_percent"] = nameplate_percent(zero, sn, base)
    kind = data.zero_kind[rows]
    net.trafo["vector_group"] = [_GROUPS[k] for k in kind]
    size = np.abs(zero)
    percent = np.where(kind == DELTA, 100 * data.delta_pu[rows] / np.where(size > 0, size, 1), _NO_DELTA_PERCENT)
    net.trafo["mag0_percent"], net.trafo["mag0_rx"] = percent, 0.0
    net.trafo["si0_hv_partial"] = high_side_share_of(data)[rows]


def _legs(data: FaultData, rows: np.ndarray, leg: Bools, z: np.ndarray) -> tuple[np.ndarray, Floats]:
    """Impedances of legs that pandapower's factor turns into the wanted z: z' = z / (a - 0.6 x), as
    a z' / (1 + 0.6 x') = z; on a rating at which the leg has 10 %, where the factor is far from 0."""
    rules = fault_rules()
    base, wanted = data.arrays.base_mva, data.z1_pu[rows]
    sn = np.where(leg, 0.1 / np.maximum(np.abs(wanted), 1e-12) * base, data.rating_mva[rows])
    a = rules["transformer_correction"] * rules["voltage_factor"]
    factor = a - 0.6 * np.abs(wanted.imag) * sn / base
    return np.where(leg, wanted / np.where(leg, factor, 1.0), z), np.asarray(sn, dtype=np.float64)


def _earth_the_rest(net: Any, data: FaultData) -> None:
    import pandapower as pp

    for row in np.flatnonzero(~_reached_by_earth(data) & ~data.arrays.off).tolist():
        pp.create_ext_grid(net, row, s_sc_max_mva=_WEAK_MVA, rx_max=0.1, x0x_max=_WEAK_X0X, r0x0_max=0.1)


def _reached_by_earth(data: FaultData) -> Bools:
    from grid.studies.short_circuit_matrix import zero_sequence

    return np.asarray(zero_sequence(data).place[data.arrays.node] >= 0)


def _run(net: Any, fault: str) -> Any:
    from pandapower.shortcircuit import calc_sc

    calc_sc(net, fault=fault, case="max", lv_tol_percent=10)
    return net.res_bus_sc
