"""How flows, losses and voltages answer to injections and outages: PTDF, LODF, loss and voltage factors.

DC factors are of the case's live branches; AC factors of a solved state. Every function solves blocks of
right-hand sides on one sparse factor, so a few columns of a large network stay cheap.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import networkx as nx
import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import SuperLU, splu

from grid.contracts import Status
from grid.jacobian import power_derivatives, reduced_jacobian
from grid.model.arrays import (
    Bools,
    CaseArrays,
    Complexes,
    Floats,
    Ints,
    admittance_matrix,
    admittances,
    compile_case,
    injections,
    node_shunts,
)
from grid.model.contracts import BusBranch
from grid.solve import find_references
from grid.solve_records import Solution

BLOCK = 256
"""Right-hand sides solved at once."""


# ---------------------------------------------------------------- DC


@dataclass(frozen=True)
class DcModel:
    """The DC load flow of a case: P = B theta on the nodes, phase shifts as injections.

    ``weight`` is the slack at the nodes (sum 1 a part); parts without a reference carry nothing.
    """

    arrays: CaseArrays
    live: Bools
    susceptance: Floats
    """1 / (x ratio) of each branch [pu], 0 where not live."""
    anchors: Ints
    """Reference node of each part: its angle is 0."""
    free: Ints
    """The other energised nodes, in the factor's order."""
    factor: SuperLU
    weight: Floats
    part: Ints
    """Part of each node, -1 where not energised."""

    @property
    def column(self) -> Ints:
        """Place of each node in the factor, -1 for anchors and dead nodes."""
        place = np.full(self.arrays.n_node, -1)
        place[self.free] = np.arange(len(self.free))
        return place


def dc_model(case: BusBranch | CaseArrays, slack_weight: Floats | None = None) -> DcModel:
    """DC model of a case.

    Parameters
    ----------
    slack_weight
        Slack at the buses, shape (buses,), made to sum 1 in each part; None puts it on the reference buses.

    Raises
    ------
    ValueError
        If a live branch has no reactance, or no bus can be a reference.
    """
    arrays = case if isinstance(case, CaseArrays) else compile_case(case)
    references = find_references(arrays, np.ones(arrays.n_branch, dtype=bool))
    if not references.members:
        raise ValueError("no part has a reference")
    part = np.full(arrays.n_node, -1)
    weight = np.zeros(arrays.n_node)
    given = None if slack_weight is None else np.bincount(arrays.node, slack_weight, arrays.n_node)
    for k, (members, own) in enumerate(zip(references.members, references.by_part, strict=True)):
        part[members] = k
        if given is not None and given[members].sum() > 0:
            weight[members] = given[members] / given[members].sum()
        else:
            weight[own] = 1 / len(own)
    live = arrays.live & (part[arrays.f] >= 0)
    x = arrays.branch.z_pu.imag
    if (x[live] == 0).any():
        name = arrays.case.branches["branch_id"].to_numpy()[live & (x == 0)][0]
        raise ValueError(f"branch {name} has no reactance")
    b = np.where(live, 1 / np.where(live, x * arrays.branch.ratio, 1.0), 0.0)
    anchors = np.array([own[0] for own in references.by_part], dtype=np.int64)
    free = np.setdiff1d(np.flatnonzero(part >= 0), anchors)
    f, t = arrays.f[live], arrays.t[live]
    values = np.concatenate([b[live], -b[live], -b[live], b[live]])
    rows, columns = np.concatenate([f, f, t, t]), np.concatenate([f, t, f, t])
    matrix = sp.csr_matrix((values, (rows, columns)), shape=(arrays.n_node, arrays.n_node))
    return DcModel(arrays, live, b, anchors, free, splu(matrix[free][:, free].tocsc()), weight, part)


def dc_flows(model: DcModel, injections_mw: Floats | None = None) -> Floats:
    """Flow of each branch [MW], positive from f to t; 0 where not live, shape (branches,).

    Parameters
    ----------
    injections_mw
        Injection of each bus, shape (buses,) or (buses, cases); None takes the case's schedule. What they sum to in a
        part is taken by its slack.
    """
    arrays = model.arrays
    per_bus = injections(arrays).real * arrays.base_mva if injections_mw is None else np.asarray(injections_mw, float)
    single = per_bus.ndim == 1
    table = per_bus[:, None] if single else per_bus
    p = np.zeros((arrays.n_node, table.shape[1]))
    np.add.at(p, arrays.node, table / arrays.base_mva)
    moved = model.susceptance * arrays.branch.shift_rad
    turned = np.bincount(arrays.f, moved, arrays.n_node) - np.bincount(arrays.t, moved, arrays.n_node)
    for k in range(len(model.anchors)):
        own = model.part == k
        p[own] -= model.weight[own][:, None] * p[own].sum(axis=0)
    theta = np.zeros_like(p)
    if len(model.free):
        theta[model.free] = model.factor.solve(np.ascontiguousarray(p[model.free] + turned[model.free][:, None]))
    difference = theta[arrays.f] - theta[arrays.t] - arrays.branch.shift_rad[:, None]
    flows = np.where(model.live[:, None], model.susceptance[:, None] * difference, 0.0) * arrays.base_mva
    return np.asarray(flows[:, 0] if single else flows, dtype=np.float64)


def ptdf(model: DcModel, branches: Iterable[int] | None = None, buses: Iterable[int] | None = None) -> Floats:
    """MW on a branch per MW injected at a bus and taken by the slack of its part, shape (branches, buses).

    Parameters
    ----------
    branches, buses
        Row numbers in the case's tables; None is all. The cheaper side is solved.

    Notes
    -----
    PTDF = b A B^-1 (I - w 1'), with w the slack. Injections at buses that are cut off have no effect: 0.
    """
    arrays = model.arrays
    rows = np.arange(arrays.n_branch) if branches is None else np.asarray(list(branches), dtype=np.int64)
    columns = np.arange(arrays.n_bus) if buses is None else np.asarray(list(buses), dtype=np.int64)
    place = model.column
    result = np.zeros((len(rows), len(columns)))
    node = arrays.node[columns]
    for first in range(0, len(rows), BLOCK):
        block = rows[first : first + BLOCK]
        by_node = np.zeros((arrays.n_node, len(block)))
        right = np.zeros((len(model.free), len(block)))
        for sign, end in ((1.0, arrays.f[block]), (-1.0, arrays.t[block])):
            at = place[end]
            use = np.flatnonzero((at >= 0) & model.live[block])
            np.add.at(right, (at[use], use), sign * model.susceptance[block[use]])
        if len(model.free):
            by_node[model.free] = model.factor.solve(right)
        for k in range(len(model.anchors)):
            own = model.part == k
            by_node[own] -= model.weight[own] @ by_node[own]
        result[first : first + BLOCK] = by_node[node].T
    return result


def find_bridges(arrays: CaseArrays, alive: Bools | None = None) -> Ints:
    """Rows of the live branches whose loss separates nodes; one of two parallel circuits never does."""
    use = arrays.live if alive is None else arrays.live & alive
    graph: nx.Graph = nx.Graph()
    graph.add_nodes_from(range(arrays.n_node))
    circuits: dict[tuple[int, int], list[int]] = {}
    for k in np.flatnonzero(use).tolist():
        f, t = int(arrays.f[k]), int(arrays.t[k])
        if f != t:
            graph.add_edge(f, t)
            circuits.setdefault((min(f, t), max(f, t)), []).append(k)
    single = (circuits[(min(u, v), max(u, v))] for u, v in nx.bridges(graph))
    return np.array(sorted(own[0] for own in single if len(own) == 1), dtype=np.int64)


@dataclass(frozen=True)
class Lodf:
    """``factors[l, j]``: share of outage j's flow that branch l takes over, shape (branches, outages).

    NaN columns are outages that split the network (``bridges``): there is no factor for them, and they are never
    secure by default. A branch that is not live has no flow to give: its column is 0.
    """

    factors: Floats
    outages: Ints
    bridges: Ints


def lodf(model: DcModel, outages: Iterable[int] | None = None) -> Lodf:
    """Line outage distribution factors, LODF_lk = h_lk / (1 - h_kk), h_lk = PTDF_l,f(k) - PTDF_l,t(k); LODF_kk = -1.

    Parameters
    ----------
    outages
        Branch rows; None is all.
    """
    arrays = model.arrays
    columns = np.arange(arrays.n_branch) if outages is None else np.asarray(list(outages), dtype=np.int64)
    bridges = np.intersect1d(find_bridges(arrays, model.live), columns)
    factors = np.zeros((arrays.n_branch, len(columns)))
    place = model.column
    for first in range(0, len(columns), BLOCK):
        block = columns[first : first + BLOCK]
        right = np.zeros((len(model.free), len(block)))
        for sign, end in ((1.0, arrays.f[block]), (-1.0, arrays.t[block])):
            at = place[end]
            use = np.flatnonzero((at >= 0) & model.live[block])
            np.add.at(right, (at[use], use), sign)
        theta = np.zeros((arrays.n_node, len(block)))
        if len(model.free):
            theta[model.free] = model.factor.solve(right)
        h = model.susceptance[:, None] * (theta[arrays.f] - theta[arrays.t])
        own = np.arange(len(block))
        through = h[block, own]
        splits = np.isin(block, bridges)
        factors[:, first : first + BLOCK] = np.where(splits, np.nan, h / np.where(splits, 1.0, 1 - through))
        factors[block, first + own] = np.where(splits, np.nan, np.where(model.live[block], -1.0, 0.0))
    return Lodf(factors, columns, bridges)


# ---------------------------------------------------------------- AC


@dataclass(frozen=True)
class AcPoint:
    """A solved state with its factored Jacobian; injections move angles everywhere and magnitudes where not held."""

    arrays: CaseArrays
    ybus: sp.csr_matrix
    voltage: Complexes
    angles: Ints
    magnitudes: Ints
    anchors: Ints
    factor: SuperLU


def ac_point(solution: Solution) -> AcPoint:
    """Jacobian of a solution, the slack on the first reference of each part.

    Raises
    ------
    ValueError
        If the solution diverged: there is no state.
    """
    if solution.status is Status.DIVERGED:
        raise ValueError("a diverged load flow has no sensitivities")
    arrays = compile_case(solution.case)
    references = find_references(arrays, np.ones(arrays.n_branch, dtype=bool))
    voltage = np.full(arrays.n_node, np.nan + 0j)
    voltage[arrays.node] = solution.voltage
    on = np.isfinite(voltage)
    alive = np.isfinite(solution.p_from_mw)
    ports = admittances(arrays, solution.ratio)
    ybus = admittance_matrix(arrays, ports, node_shunts(arrays, solution.shunt_b_mvar / arrays.base_mva), alive)
    stuck = set(solution.at_limit)
    free_machine = np.array([g in stuck for g in arrays.case.generators["generator_id"]], dtype=bool)
    held = np.zeros(arrays.n_node, dtype=bool)
    held[arrays.node[arrays.generator_bus[arrays.holds & ~free_machine]]] = True
    anchors = np.array([own[0] for own in references.by_part if on[own[0]]], dtype=np.int64)
    angles = np.setdiff1d(np.flatnonzero(on), anchors)
    magnitudes = np.flatnonzero(on & ~held)
    members = np.flatnonzero(on)
    local = np.full(arrays.n_node, -1)
    local[members] = np.arange(len(members))
    inside = ybus[members][:, members].tocsr()
    jacobian = reduced_jacobian(inside, voltage[members], local[angles], local[magnitudes])
    return AcPoint(arrays, ybus, voltage, angles, magnitudes, anchors, splu(jacobian))


@dataclass(frozen=True)
class VoltageSensitivity:
    """pu per MW and pu per Mvar injected, shape (monitored buses, injection buses); 0 where a generator holds."""

    per_mw: Floats
    per_mvar: Floats


def voltage_sensitivity(
    point: AcPoint, monitored: Iterable[int] | None = None, buses: Iterable[int] | None = None
) -> VoltageSensitivity:
    """d|V| at the monitored buses by injections at ``buses`` (bus rows, None is all), slack at the reference."""
    arrays = point.arrays
    seen = np.arange(arrays.n_bus) if monitored is None else np.asarray(list(monitored), dtype=np.int64)
    at = np.arange(arrays.n_bus) if buses is None else np.asarray(list(buses), dtype=np.int64)
    n, angles = len(point.angles) + len(point.magnitudes), len(point.angles)
    p_row, q_row = np.full(arrays.n_node, -1), np.full(arrays.n_node, -1)
    p_row[point.angles] = np.arange(angles)
    q_row[point.magnitudes] = angles + np.arange(len(point.magnitudes))
    result = []
    for row in (p_row, q_row):
        answer = np.zeros((len(seen), len(at)))
        place, wanted = row[arrays.node[at]], q_row[arrays.node[seen]]
        for first in range(0, len(at), BLOCK):
            block = place[first : first + BLOCK]
            right = np.zeros((n, len(block)))
            use = np.flatnonzero(block >= 0)
            right[block[use], use] = 1 / arrays.base_mva
            moved = point.factor.solve(right)
            answer[:, first : first + BLOCK] = np.where((wanted >= 0)[:, None], moved[wanted], 0.0)
        result.append(answer)
    return VoltageSensitivity(*result)


@dataclass(frozen=True)
class LossSensitivity:
    """Change of losses (with what shunts take) per MW and per Mvar injected at each bus, shape (buses,)."""

    per_mw: Floats
    per_mvar: Floats


def loss_sensitivity(point: AcPoint) -> LossSensitivity:
    """d losses / d injection, the balance taken by the reference.

    One adjoint solve: with x the state and r the references' active power, d losses / dP_i = 1 + dr/dx J^-1 e_i.
    At a reference bus it is 0: what is injected there is taken there.
    """
    arrays = point.arrays
    on = np.isfinite(point.voltage)
    by_angle, by_magnitude = power_derivatives(point.ybus, np.where(on, point.voltage, 1.0))
    rows = np.zeros(arrays.n_node)
    rows[point.anchors] = 1.0
    gradient = np.concatenate([(rows @ by_angle.real)[point.angles], (rows @ by_magnitude.real)[point.magnitudes]])
    adjoint = point.factor.solve(gradient, trans="T")
    per_mw, per_mvar = np.zeros(arrays.n_node), np.zeros(arrays.n_node)
    per_mw[point.angles] = 1 + adjoint[: len(point.angles)]
    per_mvar[point.magnitudes] = adjoint[len(point.angles) :]
    return LossSensitivity(per_mw[arrays.node], per_mvar[arrays.node])
