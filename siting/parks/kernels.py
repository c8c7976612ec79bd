"""Compiled run of a park's storage, hour after hour."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def storage_step(surplus_mw, content_mwh, power_mw, energy_mwh, one_way):  # type: ignore[no-untyped-def]
    """(charge, discharge, content at the end) of one hour: surplus goes in, deficit comes out, within the limits.

    Parameters
    ----------
    surplus_mw : float
        Own generation less load; below 0 a deficit.
    content_mwh, power_mw, energy_mwh : float
        Content at the start, greatest power, greatest content.
    one_way : float
        Efficiency of one direction: the square root of that of the circle.

    Notes
    -----
    Content and limits are clipped after the sum, so that rounding leads to no content below 0 or above the greatest.
    """
    if surplus_mw > 0.0:
        charge = min(surplus_mw, power_mw, (energy_mwh - content_mwh) / one_way)
        return charge, 0.0, min(content_mwh + charge * one_way, energy_mwh)
    discharge = min(-surplus_mw, power_mw, content_mwh * one_way)
    return 0.0, discharge, max(content_mwh - discharge / one_way, 0.0)


@njit(cache=True, nogil=True)
def run_storage(surplus_mw, power_mw, energy_mwh, one_way):  # type: ignore[no-untyped-def]
    """Charge [MW], discharge [MW] and content at the end [MWh] of every hour, shape (hours,); it starts empty."""
    count = len(surplus_mw)
    charge, discharge, stored = np.zeros(count), np.zeros(count), np.zeros(count)
    content = 0.0
    for hour in range(count):
        charge[hour], discharge[hour], content = storage_step(surplus_mw[hour], content, power_mw, energy_mwh, one_way)
        stored[hour] = content
    return charge, discharge, stored
