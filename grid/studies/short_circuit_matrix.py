"""Short-circuit currents in closed form: diagonal and columns of the bus impedance matrices.

    I"k3 = c / |Z1|          I"k1 = 3 c / |2 Z1 + Z0|          Z = Y^-1, one sparse factorisation per sequence

Converters j of current ``i_j`` add ``|sum_j Z1_ij i_j| / |Z1_ii|`` to a three-phase fault at i (IEC 60909-0:2016,
current sources) and ``3 |sum_j Z1_ij i_j| / |2 Z1_ii + Z0_ii|`` to a single-phase one; each at the angle that pushes
straight into its own bus, as pandapower does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import SuperLU, splu

from grid.model.arrays import Bools, Complexes, Floats, Ints
from grid.studies.short_circuit_data import FaultData
from grid.studies.short_circuit_zero import DELTA, EARTHED_FROM, EARTHED_TO, LINE, THROUGH

_BLOCK = 32
"""Right-hand sides at a time: the quickest size, and below it BLAS starts no threads, which fight on a busy machine."""


@dataclass(frozen=True)
class Currents:
    """Initial symmetrical currents at each bus row [kA], split into machines with infeeds, and converters.

    NaN: no source feeds the bus, or (single-phase) no earthed neutral does. ``z1_pu`` and ``z0_pu`` are the
    impedances seen from the bus.
    """

    machines_3ph_ka: Floats
    converters_3ph_ka: Floats
    machines_1ph_ka: Floats
    converters_1ph_ka: Floats
    z1_pu: Complexes
    z0_pu: Complexes

    @property
    def ikss_3ph_ka(self) -> Floats:
        return self.machines_3ph_ka + self.converters_3ph_ka

    @property
    def ikss_1ph_ka(self) -> Floats:
        return self.machines_1ph_ka + self.converters_1ph_ka


@dataclass(frozen=True)
class Sequence:
    """One sequence network: its factor over the nodes that a source feeds, and their places (-1 for others)."""

    factor: SuperLU | None
    place: Ints
    n: int

    def columns(self, nodes: Ints) -> Complexes:
        """Columns of the impedance matrix, shape (fed nodes, nodes); of nodes that are fed."""
        if self.factor is None:
            return np.zeros((0, len(nodes)), dtype=complex)
        right = np.zeros((self.n, len(nodes)), dtype=complex)
        right[self.place[nodes], np.arange(len(nodes))] = 1
        return np.asarray(self.factor.solve(right), dtype=np.complex128)

    def diagonal(self) -> Complexes:
        """Z_ii of every node, shape (nodes,); NaN where no source feeds it."""
        seen = np.full(len(self.place), np.nan + 1j * np.nan)
        fed = np.flatnonzero(self.place >= 0)
        for start in range(0, len(fed), _BLOCK):
            nodes = fed[start : start + _BLOCK]
            seen[nodes] = self.columns(nodes)[self.place[nodes], np.arange(len(nodes))]
        return seen


def positive_sequence(data: FaultData) -> Sequence:
    """Branch impedances with their factors and the sources' admittances; no shunts, no ratios."""
    arrays = data.arrays
    live = np.flatnonzero(arrays.live)
    return _sequence(
        arrays.n_node, arrays.f[live], arrays.t[live], 1 / data.z1_pu[live],
        arrays.node[data.sources.bus], data.sources.y1_pu,
    )  # fmt: skip


def zero_sequence(data: FaultData) -> Sequence:
    """Zero-sequence network; what no earthed neutral reaches is not part of it."""
    arrays, kind, z0 = data.arrays, data.zero_kind, data.z0_pu
    live = arrays.live
    earths_bus, earths_y = [arrays.node[data.sources.bus]], [data.sources.y0_pu]
    for name, end in ((EARTHED_FROM, arrays.f), (EARTHED_TO, arrays.t)):
        use = live & (kind == name)
        earths_bus.append(end[use])
        earths_y.append(1 / z0[use])
    plain = live & ((kind == LINE) | (kind == THROUGH))
    f, t, y = [arrays.f[plain]], [arrays.t[plain]], [1 / z0[plain]]
    delta = live & (kind == DELTA)
    if delta.any():
        share = _high_side_share(data, delta)
        z_from, z_to, z_delta = share * z0[delta], (1 - share) * z0[delta], 1j * data.delta_pu[delta]
        product = z_from * z_to + z_to * z_delta + z_delta * z_from
        f, t, y = [*f, arrays.f[delta]], [*t, arrays.t[delta]], [*y, z_delta / product]
        earths_bus += [arrays.f[delta], arrays.t[delta]]
        earths_y += [z_to / product, z_from / product]
    joined = [np.concatenate(part) for part in (f, t, y, earths_bus, earths_y)]
    return _sequence(arrays.n_node, *joined)


def high_side_share_of(data: FaultData) -> Floats:
    """Share of each delta unit's reactance between its from side and its star point, shape (branches,)."""
    share = np.full(data.arrays.n_branch, 0.5)
    delta = data.zero_kind == DELTA
    share[delta] = _high_side_share(data, delta)
    return share


def _high_side_share(data: FaultData, delta: Bools) -> Floats:
    from grid.studies.short_circuit_assumptions import fault_rules

    arrays, high = data.arrays, fault_rules()["delta_hv_share"]
    vn = arrays.case.buses["vn_kv"].to_numpy(float)
    from_is_high = vn[arrays.f_bus[delta]] >= vn[arrays.t_bus[delta]]
    return np.where(from_is_high, high, 1 - high)


def _sequence(n_node: int, f: Ints, t: Ints, y: Complexes, earth: Ints, y_earth: Complexes) -> Sequence:
    graph = sp.coo_matrix((np.ones(len(f)), (f, t)), shape=(n_node, n_node))
    label = connected_components(graph, directed=False)[1]
    fed = np.isin(label, label[earth[y_earth != 0]])
    place = np.full(n_node, -1, dtype=np.int64)
    place[fed] = np.arange(int(fed.sum()))
    n = int(fed.sum())
    if n == 0:
        return Sequence(None, place, 0)
    inside, grounded = fed[f], fed[earth]
    a, b = place[f[inside]], place[t[inside]]
    y, e, y_earth = y[inside], place[earth[grounded]], y_earth[grounded]
    matrix = sp.csc_matrix(
        (np.concatenate([y, y, -y, -y, y_earth]),
         (np.concatenate([a, b, a, b, e]), np.concatenate([a, b, b, a, e]))), shape=(n, n), dtype=complex,
    )  # fmt: skip
    try:
        return Sequence(splu(matrix), place, n)
    except RuntimeError:  # exactly singular: a series resonance of the data
        return Sequence(None, np.full(n_node, -1, dtype=np.int64), 0)


def converter_currents(data: FaultData, z1_diagonal: Complexes) -> Complexes:
    """Current of the converters at each node [pu], against its own bus's impedance angle, shape (nodes,)."""
    arrays, own = data.arrays, data.converters
    size = np.bincount(arrays.node[own.bus], own.k * own.sn_mva / arrays.base_mva, arrays.n_node)
    known = np.isfinite(z1_diagonal)
    turn = np.where(known, np.exp(-1j * np.angle(np.where(known, z1_diagonal, 1j))), 0)
    return np.asarray(size * turn, dtype=np.complex128)


def voltages_of_converters(data: FaultData, z1: Sequence, z1_diagonal: Complexes) -> Complexes:
    """sum_j Z1_ij i_j at each node, shape (nodes,); 0 where no source feeds it."""
    raised = np.zeros(data.arrays.n_node, dtype=complex)
    fed = z1.place >= 0
    if z1.factor is not None:
        raised[fed] = z1.factor.solve(converter_currents(data, z1_diagonal)[fed])
    return raised


def matrix_currents(data: FaultData) -> Currents:
    """Currents at every bus row in closed form; see the module's head."""
    arrays, c = data.arrays, data.c
    positive, zero = positive_sequence(data), zero_sequence(data)
    z1_node, z0_node = positive.diagonal(), zero.diagonal()
    raised = np.abs(voltages_of_converters(data, positive, z1_node))[arrays.node]
    z1, z0 = z1_node[arrays.node], np.where(data.earthed, z0_node[arrays.node], np.nan)
    z1 = np.where(arrays.off, np.nan, z1)
    ka, loop = data.base_ka, np.abs(2 * z1 + z0)
    return Currents(
        machines_3ph_ka=c / np.abs(z1) * ka,
        converters_3ph_ka=raised / np.abs(z1) * ka,
        machines_1ph_ka=3 * c / loop * ka,
        converters_1ph_ka=3 * raised / loop * ka,
        z1_pu=np.asarray(z1, dtype=np.complex128),
        z0_pu=np.asarray(z0, dtype=np.complex128),
    )
