"""Inner loops of the curtailment curves: a year of one plant with storage, and the capacity at a curtailed share."""

from __future__ import annotations

import numba as nb
import numpy as np

_PASSES = 60
_CLOSE = 1e-7


@nb.njit(cache=True, nogil=True)
def simulate(limit, profile, capacity, power, energy, into, out):  # type: ignore[no-untyped-def]
    """(available, curtailed, delivered, left in the storage) of a year [MWh]; hours of one hour.

    The storage charges what would be curtailed and discharges as soon as there is room below ``limit``. ``into``,
    ``out``: efficiency of charging and discharging.
    """
    available, curtailed, delivered, stored = 0.0, 0.0, 0.0, 0.0
    for h in range(limit.shape[0]):
        output = capacity * profile[h]
        available += output
        room = limit[h] - output
        if room < 0:
            taken = min(-room, power, (energy - stored) / into)
            stored += taken * into
            curtailed += -room - taken
            delivered += limit[h]
        else:
            given = min(room, power, stored * out)
            stored -= given / out
            delivered += output + given
    return available, curtailed, delivered, stored


@nb.njit(cache=True, nogil=True)
def capacity_at(limit, profile, share, low, fixed, per_mw, hours, into, out):  # type: ignore[no-untyped-def]
    """Largest capacity at which the curtailed share is ``share``; ``low`` is one at which it is not exceeded.

    Storage of ``fixed + per_mw * capacity`` MW and so many hours. The share never falls with the capacity
    (:mod:`grid.capacity.flexible`): one root, found by secants and halvings in turn, which keep their bracket.
    """
    high = max(2 * low, 1.0)
    gap_low, gap_high = -share, 0.0
    for _ in range(200):
        power = fixed + per_mw * high
        available, curtailed, _, _ = simulate(limit, profile, high, power, power * hours, into, out)
        gap_high = curtailed / available - share if available > 0 else -share
        if gap_high > 0:
            break
        low, gap_low = high, gap_high
        high *= 2
    if gap_high <= 0:
        return np.inf
    for turn in range(_PASSES):
        if high - low <= _CLOSE * high:
            break
        middle = 0.5 * (low + high)
        if turn % 2 == 0 and gap_low < 0:
            secant = (low * gap_high - high * gap_low) / (gap_high - gap_low)
            if low < secant < high:
                middle = secant
        power = fixed + per_mw * middle
        available, curtailed, _, _ = simulate(limit, profile, middle, power, power * hours, into, out)
        gap = curtailed / available - share
        if gap > 0:
            high, gap_high = middle, gap
        else:
            low, gap_low = middle, gap
    return low
