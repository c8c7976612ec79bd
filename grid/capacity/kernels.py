"""Inner loops of the capacity engine: one outage, many buses side by side (one lane each).

Every limit is a function h of the added power p of its lane, followed as a quadratic ``a + b p + c p^2``: squared
current at each branch end, voltage magnitude, reverse flow. The first exit is the smallest positive root of
``h = limit`` over all of them.
"""

from __future__ import annotations

import numba as nb
import numpy as np

from grid.batch_kernels import lu_solve, mismatch, step

_FAST = {"contract", "reassoc", "nsz", "arcp"}
NEVER = 1e30
"""Limit of what is not limited."""
ROOM = 1e-7
"""Numerical room of a check, in squared loading or pu: a value this far beyond its limit is not yet broken."""


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def correct_shared(y, z, inner, row):  # type: ignore[no-untyped-def]
    """``y += Z (M y[rows])`` for one outage and all lanes: J^-1 becomes J_k^-1 (Woodbury)."""
    n, m = y.shape
    part = np.zeros((4, m))
    for a in range(4):
        for c in range(4):
            if row[c] >= 0:
                value = inner[a, c]
                for s in range(m):
                    part[a, s] += value * y[row[c], s]
    for i in range(n):
        z0, z1, z2, z3 = z[i, 0], z[i, 1], z[i, 2], z[i, 3]
        if z0 == 0.0 and z1 == 0.0 and z2 == 0.0 and z3 == 0.0:
            continue
        for s in range(m):
            y[i, s] += z0 * part[0, s] + z1 * part[1, s] + z2 * part[2, s] + z3 * part[3, s]


@nb.njit(cache=True, nogil=True)
def droop_power(v, u_ref, dead_band, droop, q_max):  # type: ignore[no-untyped-def]
    """Reactive power of a plant in Q(U) control per unit of its active power, positive into the network."""
    away = v - u_ref
    if abs(away) <= dead_band:
        return 0.0
    beyond = away - dead_band if away > 0 else away + dead_band
    return min(q_max, max(-q_max, -droop * beyond))


@nb.njit(cache=True, nogil=True)
def _add_droop(b, by_q, at, magnitude, vm, added, droop):  # type: ignore[no-untyped-def]
    """The Newton step with the slope of Q(U) in the Jacobian (Sherman and Morrison, one lane at a time)."""
    u_ref, dead_band, slope, q_max = droop
    for s in range(b.shape[1]):
        place = magnitude[at[s]]
        away = abs(vm[at[s], s] - u_ref) - dead_band
        if place < 0 or away <= 0.0 or slope * away >= q_max:
            continue
        gain = added[s] * slope
        share = gain * b[place, s] / (1.0 + gain * by_q[place, s])
        for i in range(b.shape[0]):
            b[i, s] -= share * by_q[i, s]


@nb.njit(cache=True, nogil=True)
def chord(  # type: ignore[no-untyped-def]
    y_csr, v, injected, current, lost, weight, places, factor, woodbury, at, added, droop, tolerance, most
):
    """Newton steps with a fixed Jacobian for all lanes; True where a lane has settled.

    ``v``: (vr, vi, vm), changed in place; ``injected``: (p0, q0) with the lanes' plants in; ``at``, ``added``: bus and
    active power of each lane's plant, for Q(U); ``woodbury``: (z, inner, row), empty z where the factor is its own.
    """
    yp, yi, yr, yx = y_csr
    vr, vi, vm = v
    p0, q0 = injected
    cp, cq = current
    out_f, out_t, out_y, sees = lost
    row_p, row_q, angle, magnitude, place_sigma = places
    lp, li, lx, up, ui, ux, diagonal = factor
    z, inner, row = woodbury
    u_ref, dead_band, slope, q_max = droop
    n, m = vr.shape
    sigma = np.zeros(m)
    b = np.zeros((len(diagonal), m))
    settled, given_up = np.zeros(m, np.bool_), np.zeros(m, np.bool_)
    best = np.full(m, np.inf)
    q_base = np.empty(m)
    for s in range(m):
        q_base[s] = q0[at[s], s]
    by_q = np.zeros((0, m))
    if slope != 0.0:  # answer of the unknowns to reactive power at the plant, for the slope of Q(U)
        by_q = np.zeros((len(diagonal), m))
        for s in range(m):
            if row_q[at[s]] >= 0:
                by_q[row_q[at[s]], s] = 1.0
        lu_solve(lp, li, lx, up, ui, ux, diagonal, by_q)
        if z.shape[0]:
            correct_shared(by_q, z, inner, row)
    for k in range(most + 1):
        if slope != 0.0:
            for s in range(m):
                q0[at[s], s] = q_base[s] + added[s] * droop_power(vm[at[s], s], u_ref, dead_band, slope, q_max)
        error = mismatch(yp, yi, yr, yx, vr, vi, vm, p0, q0, cp, cq, out_f, out_t, out_y, sees, sigma, weight,
                         row_p, row_q, b)  # fmt: skip
        busy = False
        for s in range(m):
            if settled[s] or given_up[s]:
                continue
            if error[s] <= tolerance:
                settled[s] = True
                for i in range(n):
                    if not vm[i, s] > 0:
                        settled[s], given_up[s] = False, True
            elif not error[s] < 1e3 or (k > 6 and error[s] > 0.9 * best[s]):
                given_up[s] = True
            else:
                busy = True
            best[s] = min(best[s], error[s])
        if not busy or k == most:
            break
        for s in range(m):
            if settled[s] or given_up[s]:
                for i in range(b.shape[0]):
                    b[i, s] = 0.0
        lu_solve(lp, li, lx, up, ui, ux, diagonal, b)
        if z.shape[0]:
            correct_shared(b, z, inner, row)
        if slope != 0.0:
            _add_droop(b, by_q, at, magnitude, vm, added, droop)
        step(vr, vi, vm, sigma, b, angle, magnitude, place_sigma)
    return settled


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def voltage_slopes(y, angle, magnitude, vr, vi, dr, di, dm):  # type: ignore[no-untyped-def]
    """Turn solved unknowns per pu of added power into dV (real, imaginary) and d|V|, shape (nodes, lanes)."""
    n, m = dr.shape
    for i in range(n):
        pa, pm = angle[i], magnitude[i]
        size = np.hypot(vr[i], vi[i])
        er, ei = vr[i] / size, vi[i] / size
        for s in range(m):
            turn = y[pa, s] if pa >= 0 else 0.0
            grow = y[pm, s] if pm >= 0 else 0.0
            dm[i, s] = grow
            dr[i, s] = er * grow - vi[i] * turn
            di[i, s] = ei * grow + vr[i] * turn


@nb.njit(cache=True, nogil=True)
def _root(a, b, c, limit):  # type: ignore[no-untyped-def]
    """Smallest positive p with a + b p + c p^2 = limit, where a < limit; infinite where there is none."""
    room = limit - a
    if room <= 0.0:
        return 0.0 if (b > 0.0 or (b == 0.0 and c > 0.0)) else np.inf
    under = b * b + 4 * c * room
    if under < 0.0:
        return np.inf
    below = b + np.sqrt(under)
    return 2 * room / below if below > 0.0 else np.inf


@nb.njit(cache=True, nogil=True)
def _take(first, second, row, row_2, s, p, at, twin):  # type: ignore[no-untyped-def]
    """Keep the two smallest exits of a lane; ``twin`` is the row of the same branch's other end (or ``at``)."""
    if row[s] == twin and twin != at:
        if p < first[s]:
            first[s], row[s] = p, at
    elif p < first[s]:
        second[s], row_2[s] = first[s], row[s]
        first[s], row[s] = p, at
    elif p < second[s]:
        second[s], row_2[s] = p, at


@nb.njit(cache=True, nogil=True)
def _adjusted(root, broken, p, good, bumps):  # type: ignore[no-untyped-def]
    """Root of a quadratic that goes through the solved point p, made consistent with what is known.

    Broken at p: the exit lies between the last good point and p. Not broken: a root below p is a bump that is
    looked at while ``bumps``, and nothing otherwise.
    """
    if broken:
        return root if good < root <= p else 0.5 * (good + p)
    if root <= p and (not bumps or root <= good):
        return np.inf
    return root


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def screen(  # type: ignore[no-untyped-def]
    f,
    t,
    yf,
    yt,
    scale,
    limit,
    out,
    node_high,
    node_low,
    watched,
    reverse_sign,
    reverse_limit,
    slack,
    vr,
    vi,
    dr,
    di,
    dm,
    cap,
    first,
    second,
    row,
    row_2,
):
    """Estimated first exits of all lanes in one outage from values and slopes of its state without the plant.

    Rows are numbered: 0.. branch current at its from end, n_branch.. at its to end, 2 n_branch.. voltage high,
    then low, then reverse flow. ``limit``: squared loading; ``scale``: squared loading per squared current.
    ``slack``: (share of rating, pu). Only exits below ``cap`` are looked at.
    """
    nb_branch, n, m = len(f), len(vr), dr.shape[1]
    room_share, room_pu = slack
    for k in range(nb_branch):
        if k == out or scale[k] <= 0.0:
            continue
        i, j = f[k], t[k]
        if not (watched[i] and watched[j]):
            continue
        for end in range(2):
            y = yf if end == 0 else yt
            y0, y1, y2, y3 = y[0, k], y[1, k], y[2, k], y[3, k]
            cr = y0 * vr[i] - y1 * vi[i] + y2 * vr[j] - y3 * vi[j]
            ci = y0 * vi[i] + y1 * vr[i] + y2 * vi[j] + y3 * vr[j]
            a = (cr * cr + ci * ci) * scale[k]
            top = max(limit[k], (np.sqrt(a) + room_share) ** 2)
            room = top - a
            at = k + end * nb_branch
            for s in range(m):
                er = y0 * dr[i, s] - y1 * di[i, s] + y2 * dr[j, s] - y3 * di[j, s]
                ei = y0 * di[i, s] + y1 * dr[i, s] + y2 * di[j, s] + y3 * dr[j, s]
                b = 2 * (cr * er + ci * ei) * scale[k]
                c = (er * er + ei * ei) * scale[k]
                if cap[s] * (b + c * cap[s]) > room:
                    _take(first, second, row, row_2, s, _root(a, b, c, top), at, k + (1 - end) * nb_branch)
            if end == 0 and reverse_limit[k] < 1e20:
                p_now = -reverse_sign[k] * (vr[i] * cr + vi[i] * ci)
                p_top = max(reverse_limit[k], p_now + room_share * reverse_limit[k])
                for s in range(m):
                    er = y0 * dr[i, s] - y1 * di[i, s] + y2 * dr[j, s] - y3 * di[j, s]
                    ei = y0 * di[i, s] + y1 * dr[i, s] + y2 * di[j, s] + y3 * dr[j, s]
                    b = -reverse_sign[k] * (dr[i, s] * cr + di[i, s] * ci + vr[i] * er + vi[i] * ei)
                    c = -reverse_sign[k] * (dr[i, s] * er + di[i, s] * ei)
                    if cap[s] * (abs(b) + abs(c) * cap[s]) > p_top - p_now:
                        _take(
                            first,
                            second,
                            row,
                            row_2,
                            s,
                            _root(p_now, b, c, p_top),
                            2 * nb_branch + 2 * n + k,
                            2 * nb_branch + 2 * n + k,
                        )
    for i in range(n):
        if not watched[i]:
            continue
        v = np.hypot(vr[i], vi[i])
        high, low = max(node_high[i], v + room_pu) - v, v - min(node_low[i], v - room_pu)
        for s in range(m):
            if dm[i, s] * cap[s] > high:
                _take(first, second, row, row_2, s, high / dm[i, s], 2 * nb_branch + i, 2 * nb_branch + i)
            elif -dm[i, s] * cap[s] > low:
                _take(first, second, row, row_2, s, -low / dm[i, s], 2 * nb_branch + n + i, 2 * nb_branch + n + i)


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def _fit_row(a, top, slope, value, p, good, bumps, look, first, second, row, row_2, broken, at, twin):  # type: ignore[no-untyped-def]
    """One row of all lanes: its quadratic through the solved point, and its exit where that can matter."""
    for s in range(len(p)):
        if p[s] <= 0.0:
            continue
        b, over = slope[s], value[s] > top + ROOM
        c = (value[s] - a - b * p[s]) / (p[s] * p[s])
        q = min(second[s], look[s])
        peak_inside = c < 0.0 and 0.0 < b < -2 * c * q
        if over or peak_inside or a + q * (b + c * q) > top:
            exit_p = _adjusted(_root(a, b, c, top), over, p[s], good[s], bumps[s])
            _take(first, second, row, row_2, s, exit_p, at, twin)
            broken[s] |= over


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def refit(  # type: ignore[no-untyped-def]
    f,
    t,
    yf,
    yt,
    scale,
    limit,
    out,
    node_high,
    node_low,
    watched,
    reverse_sign,
    reverse_limit,
    slack,
    vr,
    vi,
    dr,
    di,
    dm,
    wr,
    wi,
    p,
    good,
    bumps,
    look,
    first,
    second,
    row,
    row_2,
    broken,
):
    """Exits of all lanes again, every quadratic through the AC state (``wr``, ``wi``) at power ``p`` of its lane.

    ``broken`` is set where any limit does not hold at p. Exits beyond ``look`` may be left out. Lanes with p <= 0 are
    left alone.
    """
    nb_branch, n, m = len(f), len(vr), dr.shape[1]
    room_share, room_pu = slack
    slope, value = np.empty(m), np.empty(m)
    slope_2, value_2 = np.empty(m), np.empty(m)
    for k in range(nb_branch):
        if k == out or scale[k] <= 0.0:
            continue
        i, j = f[k], t[k]
        if not (watched[i] and watched[j]):
            continue
        turned = reverse_limit[k] < 1e20
        for end in range(2):
            y = yf if end == 0 else yt
            y0, y1, y2, y3 = y[0, k], y[1, k], y[2, k], y[3, k]
            cr = y0 * vr[i] - y1 * vi[i] + y2 * vr[j] - y3 * vi[j]
            ci = y0 * vi[i] + y1 * vr[i] + y2 * vi[j] + y3 * vr[j]
            a = (cr * cr + ci * ci) * scale[k]
            top = max(limit[k], (np.sqrt(a) + room_share) ** 2)
            sign = -reverse_sign[k]
            for s in range(m):
                er = y0 * dr[i, s] - y1 * di[i, s] + y2 * dr[j, s] - y3 * di[j, s]
                ei = y0 * di[i, s] + y1 * dr[i, s] + y2 * di[j, s] + y3 * dr[j, s]
                hr = y0 * wr[i, s] - y1 * wi[i, s] + y2 * wr[j, s] - y3 * wi[j, s]
                hi = y0 * wi[i, s] + y1 * wr[i, s] + y2 * wi[j, s] + y3 * wr[j, s]
                slope[s] = 2 * (cr * er + ci * ei) * scale[k]
                value[s] = (hr * hr + hi * hi) * scale[k]
                if turned and end == 0:
                    slope_2[s] = sign * (dr[i, s] * cr + di[i, s] * ci + vr[i] * er + vi[i] * ei)
                    value_2[s] = sign * (wr[i, s] * hr + wi[i, s] * hi)
            _fit_row(a, top, slope, value, p, good, bumps, look, first, second, row, row_2, broken,
                     k + end * nb_branch, k + (1 - end) * nb_branch)  # fmt: skip
            if turned and end == 0:
                p_now = sign * (vr[i] * cr + vi[i] * ci)
                p_top = max(reverse_limit[k], p_now + room_share * reverse_limit[k])
                at = 2 * nb_branch + 2 * n + k
                _fit_row(
                    p_now, p_top, slope_2, value_2, p, good, bumps, look, first, second, row, row_2, broken, at, at
                )
    for i in range(n):
        if not watched[i]:
            continue
        v = np.hypot(vr[i], vi[i])
        high, low = max(node_high[i], v + room_pu), min(node_low[i], v - room_pu)
        for s in range(m):
            value[s] = np.hypot(wr[i, s], wi[i, s])
            slope[s], slope_2[s], value_2[s] = dm[i, s], -dm[i, s], -value[s]
        at = 2 * nb_branch + i
        _fit_row(v, high, slope, value, p, good, bumps, look, first, second, row, row_2, broken, at, at)
        at += n
        _fit_row(-v, -low, slope_2, value_2, p, good, bumps, look, first, second, row, row_2, broken, at, at)
