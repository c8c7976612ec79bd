"""How strong the network outside is: equivalents of one outside, set by the level of the strongest boundary station.

::

    all equivalents together = one outside              Y_r   network inside, seen from the boundary buses
      s w_1     s w_2     s w_3                         w_i   share of boundary bus i
        |         |         |                           s     one factor for all of them
    ----o---------o---------o----  boundary             y     admittance of 1 MVA
    [      network inside       ]
                                                        I"k_i(s) = c / |(Y_r + s y diag(w))^-1|_ii

A short-circuit level is one of the whole bus: what machines inside and the other equivalents give is part of it. An
equivalent of the full level at every cut line would count the same outside as often as lines lead there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from grid.contracts import Case, FuelShare, Network
from grid.model.arrays import Complexes, Floats
from grid.model.contracts import BusBranch
from grid.standards_tables import standard_table
from grid.studies.short_circuit_assumptions import ShortCircuitOptions, fault_rules, nearest_level
from grid.studies.short_circuit_data import fault_data, infeed_admittances
from grid.studies.short_circuit_matrix import positive_sequence

LEAST_MVA = 1.0
"""Power of an equivalent where machines inside bring a boundary bus to its level alone."""
_STEPS = 80
_NEAR = 1e-9
"""Factor so small that only machines inside are seen; above 0, since a network without any has no inverse."""


@dataclass(frozen=True)
class BoundaryLevel:
    """The network with its equivalents set, and what their buses see."""

    network: Network
    level_ka: float
    """Stated level of the strongest boundary bus."""
    inside_ka: Floats
    """Current of machines inside alone at each infeed's bus, shape (infeeds,)."""
    total_ka: Floats
    """Current of machines and equivalents there, shape (infeeds,)."""

    @property
    def strongest(self) -> int:
        """Row of the infeed whose bus has the largest current."""
        return int(np.argmax(self.total_ka))


def all_running(network: Network) -> BusBranch:
    """The network with every source in service at its rating: the state of the largest currents."""
    from grid.model.planning import from_network

    shares = tuple(FuelShare(fuel, 1.0) for fuel in sorted({*network.generators["fuel"], "pv", "wind"}))
    return from_network(network, Case("all_running", "全部机组运行", "All sources running", 1.0, 1.0, 1.0, shares))


def infeed_powers(network: Network) -> dict[str, float]:
    """Short-circuit power [MVA] of the equivalents by id, as :class:`ShortCircuitOptions` takes it."""
    return dict(zip(network.infeeds["infeed_id"], network.infeeds["s_sc_mva"].astype(float), strict=True))


def boundary_level_ka(vn_kv: float) -> float:
    """Stated three-phase level of the strongest boundary station [kA], row of the nearest voltage."""
    table = standard_table("boundary_levels")
    row = int(nearest_level(np.array([vn_kv]), table["vn_kv"].to_numpy(float))[0])
    return float(table["level_ka"].iloc[row])


def with_boundary_level(network: Network) -> BoundaryLevel:
    """Scale all infeeds by one factor until the strongest of their buses has the stated level of its voltage.

    Parameters
    ----------
    network : Network
        ``s_sc_mva`` of its infeeds are shares: their ratios stay.

    Returns
    -------
    BoundaryLevel
        No infeed's bus is above its level, unless machines inside bring it there alone; then every infeed has
        :data:`LEAST_MVA`. Load flow does not change. Currents of converters come on top.

    Notes
    -----
    Transfer impedances through the outside are left out, so boundary stations away from the strongest have rather
    too little than too much.
    """
    infeeds = network.infeeds
    data = fault_data(all_running(network), ShortCircuitOptions(infeed_s_sc_mva=infeed_powers(network)))
    names = data.arrays.case.buses["name"].tolist()
    nodes = data.arrays.node[[names.index(bus) for bus in infeeds["bus_id"]]]
    at, own = np.unique(nodes, return_inverse=True)
    given = np.bincount(own, infeeds["s_sc_mva"].to_numpy(float), len(at))
    per_mva = infeed_admittances(1.0, data.arrays.base_mva, fault_rules())[0]
    sequence = positive_sequence(data)
    seen = sequence.columns(at)[sequence.place[at]]
    shares: Complexes = np.asarray(given * per_mva, dtype=np.complex128)
    inside: Complexes = np.asarray(np.linalg.inv(seen) - np.diag(shares), dtype=np.complex128)
    vn = network.buses.set_index("bus_id").loc[infeeds["bus_id"], "vn_kv"].to_numpy(float)
    levels = np.array([boundary_level_ka(float(v)) for v in vn])
    base_ka = data.arrays.base_mva / (np.sqrt(3) * vn)
    first = np.array([int(np.flatnonzero(own == k)[0]) for k in range(len(at))])
    most = levels[first] / (data.c * base_ka[first])
    factor = boundary_factor(inside, shares, most)
    powers = np.maximum(infeeds["s_sc_mva"].to_numpy(float) * factor, LEAST_MVA)
    final: Complexes = np.asarray(np.bincount(own, powers, len(at)) * per_mva, dtype=np.complex128)
    total = data.c * base_ka * currents_at_boundary(inside, final)[own]
    alone = data.c * base_ka * currents_at_boundary(inside, shares * _NEAR)[own]
    strongest = int(np.argmax(total))
    scaled = replace(network, infeeds=infeeds.assign(s_sc_mva=powers.round(1)))
    return BoundaryLevel(scaled, float(levels[strongest]), alone, total)


def currents_at_boundary(inside: Complexes, outside: Complexes) -> Floats:
    """1 / |Z_ii| at each boundary bus [pu].

    Parameters
    ----------
    inside : array, shape (boundary, boundary)
        Admittance matrix of the network inside, reduced to the boundary buses.
    outside : array, shape (boundary,)
        Admittances of the equivalents.
    """
    return np.asarray(1 / np.abs(np.diag(np.linalg.inv(inside + np.diag(outside)))), dtype=np.float64)


def boundary_factor(inside: Complexes, shares: Complexes, most: Floats) -> float:
    """Largest factor of all equivalents with which no boundary bus is above ``most`` [pu]; 0 where none is.

    More infeed never lowers a current, so bisection finds it.
    """

    def beyond(factor: float) -> bool:
        return bool((currents_at_boundary(inside, shares * factor) > most).any())

    low, high = 0.0, 1.0
    if beyond(_NEAR):
        return 0.0
    while not beyond(high):
        low, high = high, 2 * high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if beyond(middle) else (middle, high)
    return low
