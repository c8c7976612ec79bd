"""Wind power of many series, and wakes of many turbines, as fused loops (numba).

Every kernel does what a plain function elsewhere says; the tests hold it to that function.

=====================  ========================================================================
power_kernel           :func:`siting.wind_curves.power_from_speed`, ``running`` and the density of
                       :func:`siting.wind_library.air_density`; windpowerlib's own correction
wake_kernel            the definition in :mod:`siting.wake`
=====================  ========================================================================
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

NO_CORRECTION, IEC, SVENNINGSEN = 0, 1, 2
JENSEN, GAUSS = 0, 1

_KELVIN = 273.15
_LAPSE_K_PER_M = 0.0065
_TEMPERATURE_HEIGHT_M = 2.0
_PRESSURE_FALL_PA_PER_M = 12.5
_GAS_J_PER_KG_K = 287.058
_REFERENCE_DENSITY = 1.225
_LOW_KNEE, _HIGH_KNEE = 7.5, 12.5


@njit(cache=True, nogil=True, inline="always")
def _segment(v: float, nodes: Any, first: Any, per_m_per_s: float, last: int) -> int:
    """Number of the node at or below ``v`` (at most the last but one)."""
    at = first[int(v * per_m_per_s)]
    while at < last - 1 and v >= nodes[at + 1]:
        at += 1
    return int(at)


@njit(cache=True, nogil=True, inline="always")
def _read(v: float, nodes: Any, share: Any, slope: Any, first: Any, per_m_per_s: float, last: int) -> float:
    """Curve at ``v``; nothing below the first node, nothing above the last."""
    if v < nodes[0] or v > nodes[last]:
        return 0.0
    at = _segment(v, nodes, first, per_m_per_s, last)
    return float(share[at] + slope[at] * (v - nodes[at]))


@njit(cache=True, nogil=True, inline="always")
def _moved_node(node: float, cube_root: float, log_ratio: float) -> float:
    """Node of a curve at the site's density: ``v (rho_0 / rho)**p(v)``, p from 1/3 at 7.5 m/s to 2/3 at 12.5 m/s."""
    if node <= _LOW_KNEE:
        return node * cube_root
    if node >= _HIGH_KNEE:
        return node * cube_root * cube_root
    return node * math.exp(log_ratio * (1 / 3 + (node - _LOW_KNEE) / (3 * (_HIGH_KNEE - _LOW_KNEE))))


@njit(cache=True, nogil=True)
def _read_moved(v: float, ratio: float, nodes: Any, share: Any, slope: Any, first: Any, per: float, last: int) -> float:
    """Curve whose nodes are moved to the site's density, interpolated between the moved nodes (as windpowerlib)."""
    cube_root = ratio ** (1 / 3)
    low = v / cube_root
    if low < nodes[0]:
        return 0.0
    if low <= _LOW_KNEE:
        at = _segment(low, nodes, first, per, last)
        if nodes[at + 1] <= _LOW_KNEE:
            return float(share[at] + slope[at] * (low - nodes[at]))
    log_ratio = math.log(ratio)
    guess = low
    if low > _LOW_KNEE:
        # inverse of v = u ratio**p(u), one Newton-like step from u = low: near enough to find the segment
        p = 2 / 3 if low >= _HIGH_KNEE else 1 / 3 + (low - _LOW_KNEE) / (3 * (_HIGH_KNEE - _LOW_KNEE))
        guess = v * math.exp(-log_ratio * p)
    at = _segment(min(max(guess, nodes[0]), nodes[last]), nodes, first, per, last)
    left = _moved_node(nodes[at], cube_root, log_ratio)
    while v < left and at > 0:
        at -= 1
        left = _moved_node(nodes[at], cube_root, log_ratio)
    right = _moved_node(nodes[at + 1], cube_root, log_ratio)
    while v > right:
        if at == last - 1:
            return 0.0
        at += 1
        left = right
        right = _moved_node(nodes[at + 1], cube_root, log_ratio)
    if v < left:
        return 0.0
    return float(share[at] + (share[at + 1] - share[at]) * (v - left) / (right - left))


@njit(cache=True, nogil=True)
def power_kernel(
    speed: Any,
    factor: Any,
    temp_c: Any,
    pressure_pa: Any,
    hub_m: Any,
    correction: int,
    nodes: Any,
    share: Any,
    slope: Any,
    first: Any,
    per_m_per_s: Any,
    lasts: Any,
    cut_out: Any,
    recut_in: Any,
    out: Any,
) -> None:
    """Power by rated power of every cell, variant and hour.

    Parameters
    ----------
    speed, temp_c, pressure_pa : array, shape (cells, hours)
        Wind at its own height, air temperature at 2 m, station pressure. The last two are not read without
        correction.
    factor : array, shape (cells, variants)
        Wind at hub height by ``speed``: shear and long-run mean.
    hub_m, per_m_per_s, lasts, cut_out, recut_in : array, shape (variants,)
    nodes, share, slope : array, shape (variants, nodes)
        Padded; ``lasts`` is the number of the last node in use.
    first : array, shape (variants, buckets)
        Segment in which each bucket of 1/``per_m_per_s`` m/s starts.
    out : array, shape (cells, variants, hours)
        Written.
    """
    for cell in range(speed.shape[0]):
        for k in range(factor.shape[1]):
            v_nodes, v_share, v_slope, v_first = nodes[k], share[k], slope[k], first[k]
            last, per, end, back = lasts[k], per_m_per_s[k], cut_out[k], recut_in[k]
            up, f = factor[cell, k], hub_m[k]
            fall_k = _KELVIN - _LAPSE_K_PER_M * (f - _TEMPERATURE_HEIGHT_M)
            fall_pa = _PRESSURE_FALL_PA_PER_M * f
            stopped = False
            for t in range(speed.shape[1]):
                v = speed[cell, t] * up
                if v > end:
                    stopped = True
                elif v <= back:
                    stopped = False
                if stopped:
                    out[cell, k, t] = 0.0
                    continue
                if correction == NO_CORRECTION:
                    power = _read(v, v_nodes, v_share, v_slope, v_first, per, last)
                else:
                    kelvin = temp_c[cell, t] + fall_k
                    density = (pressure_pa[cell, t] - fall_pa) / (_GAS_J_PER_KG_K * kelvin)
                    if correction == IEC:
                        same = v * (density / _REFERENCE_DENSITY) ** (1 / 3)
                        power = _read(min(same, end), v_nodes, v_share, v_slope, v_first, per, last)
                    else:
                        power = _read_moved(
                            v, _REFERENCE_DENSITY / density, v_nodes, v_share, v_slope, v_first, per, last
                        )
                out[cell, k, t] = min(power, 1.0)


@njit(cache=True, nogil=True)
def plain_power_kernel(
    speed: Any,
    factor: Any,
    nodes: Any,
    share: Any,
    slope: Any,
    first: Any,
    per: Any,
    lasts: Any,
    cut_out: Any,
    out: Any,
) -> None:
    """:func:`power_kernel` without density correction and without hysteresis: no state, one look into the table."""
    for cell in range(speed.shape[0]):
        for k in range(factor.shape[1]):
            v_nodes, v_share, v_slope, v_first = nodes[k], share[k], slope[k], first[k]
            last, scale, end, up = lasts[k], per[k], cut_out[k], factor[cell, k]
            for t in range(speed.shape[1]):
                v = speed[cell, t] * up
                power = 0.0
                if v <= end:
                    power = _read(v, v_nodes, v_share, v_slope, v_first, scale, last)
                out[cell, k, t] = min(power, 1.0)


@njit(cache=True, nogil=True)
def _overlap(distance: float, wake_radius: float, rotor_radius: float) -> float:
    """Share of a rotor's disc that lies inside a wake's disc."""
    if distance >= wake_radius + rotor_radius:
        return 0.0
    if distance <= wake_radius - rotor_radius:
        return 1.0
    a = math.acos((distance**2 + rotor_radius**2 - wake_radius**2) / (2 * distance * rotor_radius))
    b = math.acos((distance**2 + wake_radius**2 - rotor_radius**2) / (2 * distance * wake_radius))
    lens = rotor_radius**2 * (a - math.sin(2 * a) / 2) + wake_radius**2 * (b - math.sin(2 * b) / 2)
    return lens / (math.pi * rotor_radius**2)


@njit(cache=True, nogil=True)
def wake_kernel(
    x_m: Any,
    y_m: Any,
    rotor_m: float,
    from_degree: Any,
    speeds: Any,
    ct_speed: Any,
    ct: Any,
    model: int,
    growth: float,
    out: Any,
) -> None:
    """Wind speed at every turbine in the wakes of the others, by ratio of the free wind.

    Parameters
    ----------
    x_m, y_m : array, shape (turbines,)
        East and north.
    from_degree : array, shape (directions,)
        Where the wind comes from, clockwise from north.
    speeds : array, shape (speeds,)
        Free wind [m/s].
    ct_speed, ct : array
        Thrust coefficient as points.
    out : array, shape (directions, speeds, turbines)
        Written: 0..1.
    """
    count, radius = x_m.shape[0], rotor_m / 2
    down, across, thrust = np.empty(count), np.empty(count), np.empty(count)
    overlap = np.zeros((count, count))
    for d in range(from_degree.shape[0]):
        angle = math.radians(from_degree[d])
        for i in range(count):
            # the wind blows towards (-sin, -cos)
            down[i] = -(x_m[i] * math.sin(angle) + y_m[i] * math.cos(angle))
            across[i] = x_m[i] * math.cos(angle) - y_m[i] * math.sin(angle)
        order = np.argsort(down, kind="mergesort")
        if model == JENSEN:
            for a in range(count):
                for b in range(a):
                    distance = down[order[a]] - down[order[b]]
                    wide = radius + growth * distance
                    side = abs(across[order[a]] - across[order[b]])
                    overlap[a, b] = (radius / wide) ** 2 * _overlap(side, wide, radius) if distance > 0 else 0.0
        for s in range(speeds.shape[0]):
            for a in range(count):
                i = order[a]
                squares = 0.0
                for b in range(a):
                    if model == JENSEN:
                        deficit = (1 - math.sqrt(1 - thrust[b])) * overlap[a, b]
                    else:
                        j = order[b]
                        distance = (down[i] - down[j]) / rotor_m
                        if distance <= 0.0 or thrust[b] == 0.0:
                            continue
                        root = math.sqrt(1 - thrust[b])
                        sigma = growth * distance + 0.2 * math.sqrt((1 + root) / (2 * root))
                        inside = 1 - thrust[b] / (8 * sigma**2)
                        centre = 1 - math.sqrt(inside) if inside > 0 else 1.0
                        deficit = centre * math.exp(-((abs(across[i] - across[j]) / (sigma * rotor_m)) ** 2) / 2)
                    squares += deficit**2
                out[d, s, i] = max(1 - math.sqrt(squares), 0.0)
                thrust[a] = np.interp(speeds[s] * out[d, s, i], ct_speed, ct)
