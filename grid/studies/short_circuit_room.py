"""Room for further converters below the breakers: every bus in one pass of the impedance matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grid.model.arrays import Bools, Complexes, Floats, Ints
from grid.studies.short_circuit_data import FaultData
from grid.studies.short_circuit_matrix import (
    Currents,
    matrix_currents,
    positive_sequence,
    voltages_of_converters,
)

FAULTS = ("3ph", "1ph")
_BLOCK = 32
"""Columns of the impedance matrix at a time."""


@dataclass(frozen=True)
class FirstBreakers:
    """First breaker at its limit for converters at each bus asked for, arrays of shape (asked,).

    ``limit_ka`` and ``currents`` are of every bus row.
    """

    rating_mva: Floats
    """Largest rating; 0 where a breaker within reach is at its limit already, NaN where none has a rating."""
    at: Ints
    """Bus row of that breaker, -1 none."""
    fault: Ints
    """Index into :data:`FAULTS`."""
    unrated: Ints
    """Buses within reach without breaker rating."""
    fed: Bools
    """Whether any source feeds the bus."""
    limit_ka: Floats
    currents: Currents

    def present_ka(self, fault: int) -> Floats:
        """Current at every bus row without the new converters."""
        return self.currents.ikss_3ph_ka if fault == 0 else self.currents.ikss_1ph_ka


def first_breakers(
    data: FaultData, rows: Ints, k: float, limit_share: float, reach_share: float, worsen_share: float = 0.0
) -> FirstBreakers:
    """Largest rating of converters at each of some bus rows until a breaker within reach is at its limit.

    Parameters
    ----------
    rows : array, shape (asked,)
        Bus rows that the converters may stand at, one at a time.
    k
        Short-circuit over rated current of the new converters.
    limit_share
        Share of the breaker rating that a current may reach.
    reach_share
        A bus is within reach if a fault there draws at least this share of the new converters' own current.
    worsen_share
        By how much of its rating a breaker that is beyond its limit already may get worse.

    Notes
    -----
    Converters of rating s at bus j turn the current at bus i into ``I_i + f_i |a_i + b_ij s|``: I of the machines,
    a the converters already there, ``b_ij = k Z1_ij exp(-j arg Z1_jj) / Z1_ii`` and f = 1, or
    ``|3 Z1_ii| / |2 Z1_ii + Z0_ii|`` for single-phase faults (superposition of current sources, IEC 60909-0:2016).
    The largest s is the root of a quadratic, linear where there is no converter yet.
    """
    arrays = data.arrays
    positive = positive_sequence(data)
    found = matrix_currents(data)
    z1_node = positive.diagonal()
    told = np.flatnonzero(~arrays.case.buses["is_star"].to_numpy(bool) & np.isfinite(found.z1_pu))
    z1, base_ka, nodes = found.z1_pu[told], data.base_ka[told], arrays.node[told]
    limit = limit_share * data.breaker_ka
    worst = np.fmax(found.ikss_3ph_ka, found.ikss_1ph_ka)
    with np.errstate(invalid="ignore"):
        beyond = (worst >= limit) & (worsen_share > 0)
    limit = np.where(beyond, worst + worsen_share * data.breaker_ka, limit)
    now = voltages_of_converters(data, positive, z1_node)[nodes] / z1 * base_ka
    factor = np.abs(3 * z1) / np.abs(2 * z1 + found.z0_pu[told])
    rooms = (limit[told] - found.machines_3ph_ka[told], (limit[told] - found.machines_1ph_ka[told]) / factor)
    count = len(rows)
    rating, at, fault = np.full(count, np.nan), np.full(count, -1), np.zeros(count, np.int64)
    unrated = np.zeros(count, np.int64)
    fed = (positive.place[arrays.node[rows]] >= 0) & ~arrays.off[rows]
    asked = np.flatnonzero(fed)
    for first in range(0, len(asked), _BLOCK):
        block = asked[first : first + _BLOCK]
        own = arrays.node[rows[block]]
        transfer = positive.columns(own)[positive.place[nodes]] / z1[:, None]
        within = np.abs(transfer) >= reach_share
        per_mva = k / arrays.base_mva * np.exp(-1j * np.angle(z1_node[own])) * transfer * base_ka[:, None]
        unrated[block] = (within & np.isnan(limit[told])[:, None]).sum(axis=0)
        i, j = np.nonzero(within)
        for number, room in enumerate(rooms):
            filled = np.full(within.shape, np.inf)
            most = _largest(now[i], per_mva[i, j], room[i])
            filled[i, j] = np.where(np.isnan(most), np.inf, most)
            worst = filled.argmin(axis=0)
            value = filled[worst, np.arange(len(block))]
            better = value < np.nan_to_num(rating[block], nan=np.inf)
            rating[block[better]], at[block[better]] = value[better], told[worst[better]]
            fault[block[better]] = number
    return FirstBreakers(rating, at, fault, unrated, fed, limit, found)


def _largest(now: Complexes, per_mva: Complexes, room: Floats) -> Floats:
    """Largest s with ``|now + per_mva s| <= room``; 0 where there is no room, NaN where something is unknown."""
    slope, middle = np.abs(per_mva) ** 2, np.real(now * np.conj(per_mva))
    with np.errstate(divide="ignore", invalid="ignore"):
        under = np.maximum(middle**2 + slope * (room**2 - np.abs(now) ** 2), 0.0)
        root = (np.sqrt(under) - middle) / slope
    root = np.where(room <= np.abs(now), 0.0, root)
    return np.asarray(np.where(np.isnan(root) | ~(slope > 0), np.nan, root), dtype=np.float64)
