"""Wind power of many series, and wakes of many turbines, as fused loops (numba).

Every kernel does what a plain function elsewhere says; the tests hold it to that function.

=====================  ========================================================================
power_kernel           :func:`siting.wind.curves.power_from_speed`, ``running`` and the density of
                       :func:`siting.wind.library.air_density`; windpowerlib's own correction
wake_kernel            the definition in :mod:`siting.wind.wake`
=====================  ========================================================================

The loops over hours hold no branch and no call, so that the compiler turns them into vector instructions: roots,
logarithms and exponentials near one are short polynomials. Values that are not numbers are counted before.
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
# Quintic through the cube root on the range (Chebyshev points), good to 3e-4; one step of Halley makes it 1e-10.
_AT = 1.0 + 0.6 * np.cos(np.pi * (np.arange(6) + 0.5) / 6)
_R0, _R1, _R2, _R3, _R4, _R5 = (
    np.float32(c) for c in np.polynomial.Polynomial.fit(_AT, np.cbrt(_AT), 5).convert().coef
)
# Single-precision constants keep the loops in single precision; a plain number would widen them.
_ZERO, _ONE, _TWO = np.float32(0), np.float32(1), np.float32(2)
_THIRD, _FIFTH, _SEVENTH, _NINTH = (np.float32(1 / k) for k in (3, 5, 7, 9))
_E2, _E3, _E4, _E5, _E6, _E7 = (np.float32(1 / math.factorial(k)) for k in range(2, 8))
_CHUNK = 512
_LOW_KNEE, _PER_KNEE = np.float32(7.5), np.float32(1 / 5.0)
# What is not a number is counted before a cell is computed, so the loops may take for granted that all are.
_FAST = {"nnan", "ninf", "nsz", "arcp", "contract"}


@njit(cache=True, nogil=True, inline="always")
def _cube_root(x: Any) -> Any:
    y = _R0 + x * (_R1 + x * (_R2 + x * (_R3 + x * (_R4 + x * _R5))))
    cube = y * y * y
    return y * (cube + _TWO * x) / (_TWO * cube + x)


@njit(cache=True, nogil=True, inline="always")
def _log_near_one(x: Any) -> Any:
    """``2 artanh((x - 1) / (x + 1))`` for 0.73..1.17, to the last digit of single precision."""
    z = (x - _ONE) / (x + _ONE)
    s = z * z
    return _TWO * z * (_ONE + s * (_THIRD + s * (_FIFTH + s * (_SEVENTH + s * _NINTH))))


@njit(cache=True, nogil=True, inline="always")
def _small_exp(x: Any) -> Any:
    """Exponential within +-0.32, to the last digit of single precision."""
    return _ONE + x * (_ONE + x * (_E2 + x * (_E3 + x * (_E4 + x * (_E5 + x * (_E6 + x * _E7))))))


@njit(cache=True, nogil=True, inline="always")
def _knee_share(v: Any) -> Any:
    """0 up to 7.5 m/s, 1 from 12.5 m/s on."""
    return min(max((v - _LOW_KNEE) * _PER_KNEE, _ZERO), _ONE)


@njit(cache=True, nogil=True)
def _faults(speed: Any) -> int:
    """How many wind speeds are negative, endless or not a number."""
    count = 0
    for t in range(speed.shape[0]):
        count += not (speed[t] >= 0.0 and speed[t] < 200.0)
    return count


@njit(cache=True, nogil=True)
def _thin_or_thick(temp_c: Any, pressure_pa: Any) -> int:
    """How many hours have air that cannot be (NaN included), at the ground, with a margin for hub height."""
    count = 0
    for t in range(temp_c.shape[0]):
        x = pressure_pa[t] / (_GAS_J_PER_KG_K * _REFERENCE_DENSITY * (temp_c[t] + _KELVIN))
        count += not (x > 0.45 and x < 1.55)
    return count


@njit(cache=True, nogil=True, fastmath=_FAST)
def _plain(speed: Any, up: float, offset: Any, slope: Any, per: float, end: float, out: Any) -> None:
    for t in range(speed.shape[0]):
        v = speed[t] * up
        w = min(v, end)
        at = np.int32(w * per)
        power = min(offset[at] + slope[at] * w, _ONE)
        out[t] = power if v <= end else _ZERO


@njit(cache=True, nogil=True, fastmath=_FAST)
def _iec(
    speed: Any, up: float, temp: Any, pressure: Any, fall_k: float, fall_pa: float, per_gas: float,
    offset: Any, slope: Any, per: float, end: float, out: Any,
) -> None:  # fmt: skip
    for t in range(speed.shape[0]):
        v = speed[t] * up
        x = (pressure[t] - fall_pa) * per_gas / (temp[t] + fall_k)
        w = min(v * _cube_root(x), end)
        at = np.int32(w * per)
        power = min(offset[at] + slope[at] * w, _ONE)
        out[t] = power if v <= end else _ZERO


@njit(cache=True, nogil=True, fastmath=_FAST)
def _svenningsen(
    speed: Any, up: float, temp: Any, pressure: Any, fall_k: float, fall_pa: float, per_gas: float,
    nodes: Any, share: Any, first: Any, last: int, per: float, out: Any,
) -> None:  # fmt: skip
    """Nodes moved by ``(rho_0 / rho)**p``, p from 1/3 at 7.5 m/s to 2/3 at 12.5 m/s; straight lines between them.

    With r the cube root of rho/rho_0 a node u moves to ``u / r * exp(-q(u) ln r)``, q from 0 to 1. The segment is found
    by the inverse of this: one step of fixed point, one of Newton, right to 1e-4 m/s. On a wrong segment next to its
    end the line is continued by that much. Chunks keep the looking up, which is one hour after the other, apart from
    the arithmetic, which is many hours at once.
    """
    lowest, highest = nodes[0], nodes[last]
    roots, logs, segment = np.empty(_CHUNK, np.float32), np.empty(_CHUNK, np.float32), np.empty(_CHUNK, np.int32)
    ends = np.empty((4, _CHUNK), np.float32)
    low_node, high_node, low_share, high_share = ends[0], ends[1], ends[2], ends[3]
    for start in range(0, speed.shape[0], _CHUNK):
        count = min(_CHUNK, speed.shape[0] - start)
        v_, t_ = speed[start : start + count], temp[start : start + count]
        p_, o_ = pressure[start : start + count], out[start : start + count]
        for t in range(count):
            x = (p_[t] - fall_pa) * per_gas / (t_[t] + fall_k)
            root = _cube_root(x)
            log_root = _log_near_one(root)
            low = v_[t] * up * root
            u = low * _small_exp(_knee_share(low) * log_root)
            moved = low * _small_exp(_knee_share(u) * log_root)
            u = u - (u - moved) / (_ONE - moved * log_root * _PER_KNEE)
            roots[t], logs[t] = _ONE / root, log_root
            segment[t] = np.int32(min(max(u, lowest), highest) * per)
        for t in range(count):
            at = first[segment[t]]
            low_node[t], high_node[t] = nodes[at], nodes[at + 1]
            low_share[t], high_share[t] = share[at], share[at + 1]
        for t in range(count):
            v = v_[t] * up
            left = low_node[t] * roots[t] * _small_exp(-_knee_share(low_node[t]) * logs[t])
            right = high_node[t] * roots[t] * _small_exp(-_knee_share(high_node[t]) * logs[t])
            power = low_share[t] + (high_share[t] - low_share[t]) * (v - left) / (right - left)
            end = highest * roots[t] * _small_exp(-_knee_share(highest) * logs[t])
            # above the moved end, or below the moved start: nothing
            power = power if v <= end else _ZERO
            power = power if v >= lowest * roots[t] else _ZERO
            o_[t] = min(max(power, _ZERO), _ONE)


@njit(cache=True, nogil=True)
def _wait_after_storms(speed: Any, up: float, end: float, back: float, out: Any) -> None:
    """Zero from a cut-out until the wind is down to the re-cut-in speed."""
    stopped = False
    for t in range(speed.shape[0]):
        v = speed[t] * up
        if v > end:
            stopped = True
        elif v <= back:
            stopped = False
        if stopped:
            out[t] = 0.0


def at_hub(hub_m: Any) -> tuple[Any, Any, float]:
    """``fall_k``, ``fall_pa`` and ``per_gas`` of :func:`power_kernel`, with the constants of windpowerlib."""
    kelvin = _KELVIN - _LAPSE_K_PER_M * (hub_m - _TEMPERATURE_HEIGHT_M)
    return kelvin, _PRESSURE_FALL_PA_PER_M * hub_m, 1 / (_GAS_J_PER_KG_K * _REFERENCE_DENSITY)


@njit(cache=True, nogil=True)
def power_kernel(
    speed: Any,
    factor: Any,
    temp_c: Any,
    pressure_pa: Any,
    fall_k: Any,
    fall_pa: Any,
    per_gas: float,
    correction: int,
    offset: Any,
    slope: Any,
    nodes: Any,
    share: Any,
    first: Any,
    per_m_per_s: float,
    lasts: Any,
    cut_out: Any,
    recut_in: Any,
    out: Any,
) -> int:
    """Power by rated power of every cell, variant and hour.

    Parameters
    ----------
    speed, temp_c, pressure_pa : array, shape (cells, hours)
        Wind at its own height, air temperature at 2 m, station pressure. The last two are not read without
        correction. All figures float32.
    factor : array, shape (cells, variants)
        Wind at hub height by ``speed``: shear and long-run mean.
    fall_k, fall_pa : array, shape (variants,)
        What makes temperature [degC] absolute at hub height, and pressure less: see :func:`at_hub`.
    per_gas : float
        1 / (287.058 * 1.225).
    lasts, cut_out, recut_in : array, shape (variants,)
        ``lasts`` is the number of the last node in use.
    offset, slope : array, shape (variants, buckets)
        Curve as one straight line in each bucket of 1/``per_m_per_s`` m/s; nodes stand on the buckets' ends.
    nodes, share : array, shape (variants, nodes)
        The same curve as points, padded.
    first : array, shape (variants, buckets)
        Segment in which each bucket starts.
    out : array, shape (cells, variants, hours)
        Written; void if faults are returned.

    Returns
    -------
    int
        Number of hours with values that are no numbers or cannot be.
    """
    faults = 0
    for cell in range(speed.shape[0]):
        faults += _faults(speed[cell])
        if correction != NO_CORRECTION:
            faults += _thin_or_thick(temp_c[cell], pressure_pa[cell])
        if faults:
            continue
        for k in range(factor.shape[1]):
            up, end, result = factor[cell, k], cut_out[k], out[cell, k]
            if correction == NO_CORRECTION:
                _plain(speed[cell], up, offset[k], slope[k], per_m_per_s, end, result)
            elif correction == IEC:
                _iec(
                    speed[cell], up, temp_c[cell], pressure_pa[cell], fall_k[k], fall_pa[k], per_gas,
                    offset[k], slope[k], per_m_per_s, end, result,
                )  # fmt: skip
            else:
                _svenningsen(
                    speed[cell], up, temp_c[cell], pressure_pa[cell], fall_k[k], fall_pa[k], per_gas,
                    nodes[k], share[k], first[k], lasts[k], per_m_per_s, result,
                )  # fmt: skip
            if recut_in[k] < end:
                _wait_after_storms(speed[cell], up, end, recut_in[k], result)
    return faults


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
