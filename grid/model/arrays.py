"""A case's tables as arrays in per unit: nodes, branch admittances, injections.

Buses joined by closed ties (r = x = 0) are one *node*; everything is solved on nodes and told on buses. Node and
branch numbers are internal, so bus numbers of any size cost nothing.

:func:`injections` is the one place where produced and consumed meet: positive feeds the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from grid.model.acceptance import refuse_faults
from grid.model.contracts import BusBranch
from grid.model.star import expand_three_winding
from layers.contracts import Finding, InputError

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

TIE_PU = 1e-9
"""Branches whose impedance is smaller are closed ties."""


@dataclass(frozen=True)
class BranchArrays:
    """Parameters of every branch in table order, shape (branches,)."""

    z_pu: Complexes
    y_pu: Complexes
    y_from_pu: Complexes
    y_to_pu: Complexes
    ratio: Floats
    shift_rad: Floats


@dataclass(frozen=True)
class Admittances:
    """Two-port of every branch: currents into it are yff vf + yft vt and ytf vf + ytt vt; zero for ties."""

    yff: Complexes
    yft: Complexes
    ytf: Complexes
    ytt: Complexes


@dataclass(frozen=True)
class CaseArrays:
    """Arrays of one case. ``n_bus`` buses lie on ``n_node`` nodes; ``f`` and ``t`` are nodes, ``f_bus`` bus rows.

    ``live`` marks branches that carry current by their admittance, ``tie`` closed ones without impedance; neither
    has an end on a bus that the source isolates. ``generator_on`` and the like mark what runs at a bus that is on.
    """

    case: BusBranch
    base_mva: float
    bus_ids: Ints
    node: Ints
    n_node: int
    off: Bools
    f_bus: Ints
    t_bus: Ints
    f: Ints
    t: Ints
    live: Bools
    tie: Bools
    branch: BranchArrays
    load_bus: Ints
    load_on: Bools
    load_pu: Complexes
    """Constant power part, consumed."""
    load_current_pu: Complexes
    """Constant current part, consumed at 1 pu."""
    generator_bus: Ints
    generator_on: Bools
    generator_pu: Complexes
    holds: Bools
    """Generators that hold a voltage."""
    regulated_bus: Ints
    vm_set_pu: Floats
    q_min_pu: Floats
    q_max_pu: Floats
    slack_weight: Floats
    hvdc_bus: Ints
    hvdc_pu: Complexes
    """Both ends of every running link: injected power and bus row."""
    shunt_bus: Ints
    shunt_on: Bools
    shunt_g_pu: Floats
    shunt_b_pu: Floats
    fixed_shunt_pu: Complexes
    """Admittance at each bus of its own shunt and the constant-admittance loads, shape (buses,)."""
    reference: Ints
    """Bus rows that the source names as reference and that are on, in table order."""
    vm_stored_pu: Floats
    va_stored_rad: Floats

    @property
    def n_bus(self) -> int:
        return len(self.bus_ids)

    @property
    def n_branch(self) -> int:
        return len(self.f)


def compile_case(case: BusBranch) -> CaseArrays:
    """Arrays of a case; three-winding units are expanded into stars first.

    Raises
    ------
    InputError
        If ids, numbers or references of the tables are broken, or a tie (r = x = 0) has a ratio, shift or shunt.
    """
    refuse_faults(case)
    case = expand_three_winding(case)
    buses, branches, base = case.buses, case.branches, case.base_mva
    position = {int(b): i for i, b in enumerate(buses["bus_id"])}
    off = (buses["kind"] == "isolated").to_numpy(bool)
    f_bus, t_bus = _rows(branches["from_bus"], position), _rows(branches["to_bus"], position)
    parameters = _branch_arrays(branches)
    closed = branches["in_service"].to_numpy(bool) & ~off[f_bus] & ~off[t_bus]
    tie = closed & (np.abs(parameters.z_pu) < TIE_PU)
    _refuse_impossible_ties(case, branches, parameters, tie)
    n_node, node = _nodes(len(buses), f_bus[tie], t_bus[tie])

    loads, generators, shunts = case.loads, case.generators, case.shunts
    load_bus, generator_bus = _rows(loads["bus_id"], position), _rows(generators["bus_id"], position)
    load_on = loads["in_service"].to_numpy(bool) & ~off[load_bus]
    generator_on = generators["in_service"].to_numpy(bool) & ~off[generator_bus]
    shunt_bus = _rows(shunts["bus_id"], position)
    shunt_on = shunts["in_service"].to_numpy(bool) & ~off[shunt_bus]
    hvdc_bus, hvdc_pu = _hvdc(case, position, off)
    admittance = _power(loads, "p_z_mw", "q_z_mvar", base)
    fixed = (buses["gs_mw"].to_numpy(float) + 1j * buses["bs_mvar"].to_numpy(float)) / base
    fixed = fixed + _sum_at(load_bus, np.where(load_on, np.conj(admittance), 0), len(buses))
    return CaseArrays(
        case=case,
        base_mva=base,
        bus_ids=buses["bus_id"].to_numpy(np.int64),
        node=node,
        n_node=n_node,
        off=off,
        f_bus=f_bus,
        t_bus=t_bus,
        f=node[f_bus],
        t=node[t_bus],
        live=closed & ~tie,
        tie=tie,
        branch=parameters,
        load_bus=load_bus,
        load_on=load_on,
        load_pu=_power(loads, "p_mw", "q_mvar", base),
        load_current_pu=_power(loads, "p_i_mw", "q_i_mvar", base),
        generator_bus=generator_bus,
        generator_on=generator_on,
        generator_pu=_power(generators, "p_mw", "q_mvar", base),
        holds=(generators["control"] == "voltage").to_numpy(bool) & generator_on,
        regulated_bus=_rows(generators["regulated_bus_id"], position),
        vm_set_pu=generators["vm_pu"].to_numpy(float),
        q_min_pu=generators["q_min_mvar"].to_numpy(float) / base,
        q_max_pu=generators["q_max_mvar"].to_numpy(float) / base,
        slack_weight=np.where(generator_on, generators["slack_weight"].to_numpy(float), 0.0),
        hvdc_bus=hvdc_bus,
        hvdc_pu=hvdc_pu,
        shunt_bus=shunt_bus,
        shunt_on=shunt_on,
        shunt_g_pu=shunts["g_mw"].to_numpy(float) / base,
        shunt_b_pu=shunts["b_mvar"].to_numpy(float) / base,
        fixed_shunt_pu=fixed,
        reference=np.flatnonzero((buses["kind"] == "ref").to_numpy(bool)),
        vm_stored_pu=buses["vm_pu"].to_numpy(float),
        va_stored_rad=np.deg2rad(buses["va_degree"].to_numpy(float)),
    )


def _rows(ids: pd.Series, position: Mapping[int, int]) -> Ints:
    return np.array([position[int(i)] for i in ids], dtype=np.int64)


def _power(frame: pd.DataFrame, p: str, q: str, base_mva: float) -> Complexes:
    return np.asarray((frame[p].to_numpy(float) + 1j * frame[q].to_numpy(float)) / base_mva, dtype=np.complex128)


def _sum_at(where: Ints, values: Complexes, n: int) -> Complexes:
    return np.asarray(np.bincount(where, values.real, n) + 1j * np.bincount(where, values.imag, n), dtype=np.complex128)


def _branch_arrays(branches: pd.DataFrame) -> BranchArrays:
    def pair(real: str, imaginary: str) -> Complexes:
        return _power(branches, real, imaginary, 1.0)

    return BranchArrays(
        z_pu=pair("r_pu", "x_pu"),
        y_pu=pair("g_pu", "b_pu"),
        y_from_pu=pair("g_from_pu", "b_from_pu"),
        y_to_pu=pair("g_to_pu", "b_to_pu"),
        ratio=branches["ratio"].to_numpy(float),
        shift_rad=np.deg2rad(branches["shift_degree"].to_numpy(float)),
    )


def _refuse_impossible_ties(case: BusBranch, branches: pd.DataFrame, p: BranchArrays, tie: Bools) -> None:
    """A tie makes its buses one node: it cannot turn the voltage or hold a shunt of its own."""
    odd = tie & ((p.ratio != 1) | (p.shift_rad != 0) | (p.y_pu != 0) | (p.y_from_pu != 0) | (p.y_to_pu != 0))
    if odd.any():
        raise InputError(
            Finding(
                "error",
                "case.tie_with_ratio",
                case.source.shown_path,
                "branches",
                branches["branch_id"].iloc[k],
                f"r = x = 0, ratio {p.ratio[k]:g}, shift {np.rad2deg(p.shift_rad[k]):g} degree",
                "A branch without impedance joins its buses and can have neither ratio, shift nor shunt.",
                "Give the branch its impedance.",
            )
            for k in np.flatnonzero(odd)
        )


def _nodes(n_bus: int, f: Ints, t: Ints) -> tuple[int, Ints]:
    if not len(f):
        return n_bus, np.arange(n_bus)
    graph = sp.coo_matrix((np.ones(len(f)), (f, t)), shape=(n_bus, n_bus))
    count, label = connected_components(graph, directed=False)
    return int(count), np.asarray(label, dtype=np.int64)


def _hvdc(case: BusBranch, position: Mapping[int, int], off: Bools) -> tuple[Ints, Complexes]:
    links = case.hvdc[case.hvdc["in_service"].to_numpy(bool)]
    buses, power = [], []
    for end in ("from", "to"):
        inside = (links[f"{end}_bus"] != -1).to_numpy(bool)
        rows = _rows(links.loc[inside, f"{end}_bus"], position)
        s = _power(links[inside], f"p_{end}_mw", f"q_{end}_mvar", case.base_mva)
        buses.append(rows[~off[rows]])
        power.append(s[~off[rows]])
    return np.concatenate(buses), np.concatenate(power)


def injections(arrays: CaseArrays) -> Complexes:
    """Scheduled power injected at each bus [pu], positive into the network, shape (buses,).

    Generators and HVDC ends produce, constant-power loads consume; shunts and other loads are not in it. The
    reactive part of generators that hold a voltage counts 0.
    """
    produced = np.where(arrays.generator_on, arrays.generator_pu, 0)
    produced = np.where(arrays.holds, produced.real, produced)
    n = arrays.n_bus
    return (
        _sum_at(arrays.generator_bus, np.asarray(produced, dtype=np.complex128), n)
        + _sum_at(arrays.hvdc_bus, arrays.hvdc_pu, n)
        - _sum_at(arrays.load_bus, np.where(arrays.load_on, arrays.load_pu, 0), n)
    )


def at_nodes(arrays: CaseArrays, values: Complexes) -> Complexes:
    """Sums of bus values at the nodes, shape (nodes,)."""
    return _sum_at(arrays.node, np.asarray(values, dtype=np.complex128), arrays.n_node)


def admittances(arrays: CaseArrays, ratio: Floats | None = None) -> Admittances:
    """Two-ports of all branches, with changed turns ratios if given; branches that are not live are zero."""
    p = arrays.branch
    turns = p.ratio if ratio is None else ratio
    series = np.where(arrays.live, 1 / np.where(arrays.live, p.z_pu, 1), 0)
    inner = np.where(arrays.live, p.y_pu / 2, 0)
    tap = turns * np.exp(1j * p.shift_rad)
    return Admittances(
        yff=np.asarray((series + inner) / turns**2 + np.where(arrays.live, p.y_from_pu, 0), dtype=np.complex128),
        yft=-series / np.conj(tap),
        ytf=-series / tap,
        ytt=series + inner + np.where(arrays.live, p.y_to_pu, 0),
    )


def node_shunts(arrays: CaseArrays, shunt_b_pu: Floats | None = None) -> Complexes:
    """Shunt admittance at each node, shape (nodes,); with changed susceptances of the shunt table if given."""
    b = arrays.shunt_b_pu if shunt_b_pu is None else shunt_b_pu
    switched = np.where(arrays.shunt_on, arrays.shunt_g_pu + 1j * b, 0)
    return at_nodes(arrays, arrays.fixed_shunt_pu + _sum_at(arrays.shunt_bus, switched, arrays.n_bus))


def admittance_matrix(
    arrays: CaseArrays, ports: Admittances, shunts: Complexes, alive: Bools | None = None
) -> sp.csr_matrix:
    """Bus admittance matrix on the nodes, shape (nodes, nodes); only branches in ``alive`` if given."""
    use = arrays.live if alive is None else arrays.live & alive
    f, t, diagonal = arrays.f[use], arrays.t[use], np.arange(arrays.n_node)
    entries = np.concatenate([ports.yff[use], ports.yft[use], ports.ytf[use], ports.ytt[use], shunts])
    rows, columns = np.concatenate([f, f, t, t, diagonal]), np.concatenate([f, t, f, t, diagonal])
    return sp.csr_matrix((entries, (rows, columns)), shape=(arrays.n_node, arrays.n_node), dtype=complex)


def parts(arrays: CaseArrays, alive: Bools | None = None) -> Ints:
    """Label of the connected part of each node, shape (nodes,)."""
    use = arrays.live if alive is None else arrays.live & alive
    graph = sp.coo_matrix(
        (np.ones(int(use.sum())), (arrays.f[use], arrays.t[use])), shape=(arrays.n_node, arrays.n_node)
    )
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)
