"""Inner loops of the batch solver: many states side by side, one column each, in machine code.

Arrays of states have the shape (rows, states), so that every loop over states runs through neighbouring memory.
"""

from __future__ import annotations

import numba as nb
import numpy as np

_FAST = {"contract", "reassoc", "nsz", "arcp"}
"""Reordered sums are welcome; NaN and infinity keep their meaning, a state that runs away must be seen."""


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def lu_solve(lp, li, lx, up, ui, ux, diagonal, b):  # type: ignore[no-untyped-def]
    """Solve L U x = b in place for all columns; L has ones on its diagonal, which is left out, as is U's."""
    n, m = b.shape
    for j in range(n):
        for k in range(lp[j], lp[j + 1]):
            i, value = li[k], lx[k]
            for s in range(m):
                b[i, s] -= value * b[j, s]
    for j in range(n - 1, -1, -1):
        inverse = diagonal[j]
        for s in range(m):
            b[j, s] *= inverse
        for k in range(up[j], up[j + 1]):
            i, value = ui[k], ux[k]
            for s in range(m):
                b[i, s] -= value * b[j, s]


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def mismatch(yp, yi, yr, yx, vr, vi, vm, p0, q0, cp, cq, out_f, out_t, out_y, sees, sigma, weight, row_p, row_q, b):  # type: ignore[no-untyped-def]
    """Power errors into ``b`` at their rows, and the largest error of each state.

    ``p0``, ``q0``: scheduled injections, shape (nodes, states) or (nodes, 1); ``cp``, ``cq``: constant-current draw.
    ``out_f`` < 0: no outage in that state; ``out_y``: the lost branch's yff, yft, ytf, ytt as 8 reals a state;
    ``sees``: 1 where the f and the t side no longer see the branch. Rows of -1 are not asked for.
    """
    n, m = vr.shape
    one_schedule = p0.shape[1] == 1
    error = np.zeros(m)
    ir, ii = np.empty(m), np.empty(m)
    lost = np.zeros((4, m))
    for s in range(m):
        f, t = out_f[s], out_t[s]
        if f >= 0:
            ar = out_y[0, s] * vr[f, s] - out_y[1, s] * vi[f, s] + out_y[2, s] * vr[t, s] - out_y[3, s] * vi[t, s]
            ai = out_y[0, s] * vi[f, s] + out_y[1, s] * vr[f, s] + out_y[2, s] * vi[t, s] + out_y[3, s] * vr[t, s]
            br = out_y[4, s] * vr[f, s] - out_y[5, s] * vi[f, s] + out_y[6, s] * vr[t, s] - out_y[7, s] * vi[t, s]
            bi = out_y[4, s] * vi[f, s] + out_y[5, s] * vr[f, s] + out_y[6, s] * vi[t, s] + out_y[7, s] * vr[t, s]
            lost[0, s] = sees[0, s] * (vr[f, s] * ar + vi[f, s] * ai)
            lost[1, s] = sees[0, s] * (vi[f, s] * ar - vr[f, s] * ai)
            lost[2, s] = sees[1, s] * (vr[t, s] * br + vi[t, s] * bi)
            lost[3, s] = sees[1, s] * (vi[t, s] * br - vr[t, s] * bi)
    for i in range(n):
        for s in range(m):
            ir[s] = 0.0
            ii[s] = 0.0
        for k in range(yp[i], yp[i + 1]):
            j, g, h = yi[k], yr[k], yx[k]
            for s in range(m):
                ir[s] += g * vr[j, s] - h * vi[j, s]
                ii[s] += g * vi[j, s] + h * vr[j, s]
        rp, rq, w, c, d = row_p[i], row_q[i], weight[i], cp[i], cq[i]
        if rp >= 0:
            for s in range(m):
                scheduled = p0[i, 0] if one_schedule else p0[i, s]
                b[rp, s] = vr[i, s] * ir[s] + vi[i, s] * ii[s] - scheduled + c * vm[i, s] - w * sigma[s]
        if rq >= 0:
            for s in range(m):
                scheduled = q0[i, 0] if one_schedule else q0[i, s]
                b[rq, s] = vi[i, s] * ir[s] - vr[i, s] * ii[s] - scheduled + d * vm[i, s]
    for s in range(m):
        f, t = out_f[s], out_t[s]
        if f >= 0:
            if row_p[f] >= 0:
                b[row_p[f], s] -= lost[0, s]
            if row_q[f] >= 0:
                b[row_q[f], s] -= lost[1, s]
            if row_p[t] >= 0:
                b[row_p[t], s] -= lost[2, s]
            if row_q[t] >= 0:
                b[row_q[t], s] -= lost[3, s]
    for i in range(b.shape[0]):
        for s in range(m):
            value = abs(b[i, s])
            if not value <= error[s]:  # NaN too
                error[s] = value
    return error


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def correct_for_outage(y, z, inner, row, states):  # type: ignore[no-untyped-def]
    """Turn y = J^-1 b into J_k^-1 b: ``y += Z (M y[rows])`` with four columns of Z a state (Woodbury).

    ``z``: (rows, 4 * states), the first columns of all states, then the second ones; ``inner``: M, (4, 4, states);
    ``row``: rows of y that the branch's unknowns have, (4, states), -1 where there is none.
    """
    n = y.shape[0]
    part = np.zeros((4, states))
    for a in range(4):
        for c in range(4):
            for s in range(states):
                if row[c, s] >= 0:
                    part[a, s] += inner[a, c, s] * y[row[c, s], s]
    for i in range(n):
        for s in range(states):
            y[i, s] += (
                z[i, s] * part[0, s]
                + z[i, states + s] * part[1, s]
                + z[i, 2 * states + s] * part[2, s]
                + z[i, 3 * states + s] * part[3, s]
            )


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def step(vr, vi, vm, sigma, b, place_angle, place_magnitude, place_sigma):  # type: ignore[no-untyped-def]
    """Newton step V -> V (1 + d|V|/|V|) exp(j dtheta); unknowns stand in ``b`` at their places (-1: none)."""
    n, m = vr.shape
    for i in range(n):
        pa, pm = place_angle[i], place_magnitude[i]
        if pa >= 0:
            largest = 0.0
            for s in range(m):
                largest = max(largest, abs(b[pa, s]))
            if largest < 0.05:
                for s in range(m):
                    d = -b[pa, s]
                    q = d * d
                    cosine = 1 - q * 0.5 * (1 - q * (1 / 12) * (1 - q * (1 / 30)))
                    sine = d * (1 - q * (1 / 6) * (1 - q * (1 / 20) * (1 - q * (1 / 42))))
                    re = vr[i, s] * cosine - vi[i, s] * sine
                    vi[i, s] = vr[i, s] * sine + vi[i, s] * cosine
                    vr[i, s] = re
            else:
                for s in range(m):
                    cosine, sine = np.cos(b[pa, s]), -np.sin(b[pa, s])
                    re = vr[i, s] * cosine - vi[i, s] * sine
                    vi[i, s] = vr[i, s] * sine + vi[i, s] * cosine
                    vr[i, s] = re
        if pm >= 0:
            for s in range(m):
                new = vm[i, s] - b[pm, s]
                factor = new / vm[i, s]
                vr[i, s] *= factor
                vi[i, s] *= factor
                vm[i, s] = new
    if place_sigma >= 0:
        for s in range(m):
            sigma[s] -= b[place_sigma, s]


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def branch_extremes(f, t, yf, yt, per_percent, vr, vi, out, loading):  # type: ignore[no-untyped-def]
    """Current of every branch in percent of its rating, the larger end, into ``loading`` (branches, states).

    ``yf``, ``yt``: yff, yft and ytf, ytt as 4 reals a branch; ``per_percent``: percent a pu of current; ``out``: the
    branch that is lost in each state or -1.
    """
    n, m = loading.shape
    for k in range(n):
        a, c, scale = f[k], t[k], per_percent[k]
        for s in range(m):
            fr = yf[0, k] * vr[a, s] - yf[1, k] * vi[a, s] + yf[2, k] * vr[c, s] - yf[3, k] * vi[c, s]
            fi = yf[0, k] * vi[a, s] + yf[1, k] * vr[a, s] + yf[2, k] * vi[c, s] + yf[3, k] * vr[c, s]
            tr = yt[0, k] * vr[a, s] - yt[1, k] * vi[a, s] + yt[2, k] * vr[c, s] - yt[3, k] * vi[c, s]
            ti = yt[0, k] * vi[a, s] + yt[1, k] * vr[a, s] + yt[2, k] * vi[c, s] + yt[3, k] * vr[c, s]
            largest = max(fr * fr + fi * fi, tr * tr + ti * ti)
            loading[k, s] = scale * np.sqrt(largest)
    for s in range(m):
        if out[s] >= 0:
            loading[out[s], s] = 0.0
