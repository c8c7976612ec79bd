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


@njit(cache=True, nogil=True)
def sweep_sizes(load_mw, pv_mw, wind_mw, storage_mw, duration_h, one_way, import_limit_mw, export_limit_mw):  # type: ignore[no-untyped-def]
    """Year of every combination of PV, wind and storage: the same rule of an hour as :func:`run_storage`.

    Parameters
    ----------
    load_mw : array, shape (hours,)
    pv_mw, wind_mw : array, shapes (pv sizes, hours), (wind sizes, hours)
        Hourly power of each size.
    storage_mw : array, shape (storages,)
        Power; content is power times ``duration_h``.
    one_way : float
        Efficiency of one direction.
    import_limit_mw, export_limit_mw : float

    Returns
    -------
    array, shape (pv sizes, wind sizes, storages, 5)
        Import, export, curtailed, not served [MWh] and highest import [MW].
    """
    hours = len(load_mw)
    found = np.zeros((len(pv_mw), len(wind_mw), len(storage_mw), 5))
    surplus = np.empty(hours)
    for i in range(len(pv_mw)):
        for j in range(len(wind_mw)):
            for hour in range(hours):
                surplus[hour] = pv_mw[i, hour] + wind_mw[j, hour] - load_mw[hour]
            for k in range(len(storage_mw)):
                power, energy = storage_mw[k], storage_mw[k] * duration_h
                content, bought, sold, lost, lacking, peak = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
                for hour in range(hours):
                    charge, discharge, content = storage_step(surplus[hour], content, power, energy, one_way)
                    rest = surplus[hour] - charge + discharge
                    if rest >= 0.0:
                        out = min(rest, export_limit_mw)
                        sold += out
                        lost += rest - out
                    else:
                        taken = min(-rest, import_limit_mw)
                        bought += taken
                        lacking += -rest - taken
                        peak = max(peak, taken)
                found[i, j, k] = bought, sold, lost, lacking, peak
    return found
