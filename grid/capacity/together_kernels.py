"""Inner loops for several plants at once: first-order values of all rows, and first exits along one direction.

Branch currents are followed in the frame of their own end's voltage, ``I exp(-j theta)`` = conj(S) / |V|: a common
turn of all angles changes nothing, so active flows stay linear far away from the point of the slopes.
"""

from __future__ import annotations

import numba as nb
import numpy as np

_FAST = {"contract", "reassoc", "nsz", "arcp"}


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def _end(y0, y1, y2, y3, ar, ai, br, bi, da, db, ga, gb, size_a, size_b):  # type: ignore[no-untyped-def]
    """Current into a branch at end a, and its first-order change in the frame of a's angle, as four reals.

    ``da``, ``ga``: change of angle and magnitude at the end itself; ``db``, ``gb`` at the other.
    """
    cr = y0 * ar - y1 * ai + y2 * br - y3 * bi
    ci = y0 * ai + y1 * ar + y2 * bi + y3 * br
    # dV = V (d|V| / |V| + j dtheta)
    pr, pi = ar * ga / size_a - ai * da, ai * ga / size_a + ar * da
    qr, qi = br * gb / size_b - bi * db, bi * gb / size_b + br * db
    er = y0 * pr - y1 * pi + y2 * qr - y3 * qi + ci * da
    ei = y0 * pi + y1 * pr + y2 * qi + y3 * qr - cr * da
    return cr, ci, er, ei


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def predicted_loading(f, t, yf, yt, scale, vr, vi, turned, grown, out, loading):  # type: ignore[no-untyped-def]
    """Loading of the larger end after a first-order change, into ``loading`` (branches, states).

    ``vr``, ``vi``: (nodes, states), NaN where dead; ``turned``, ``grown``: change of angles and magnitudes; ``scale``:
    loading per current; ``out``: the lost branch of each state or -1.
    """
    n, m = loading.shape
    for k in range(n):
        a, b = f[k], t[k]
        for s in range(m):
            if scale[k] <= 0.0 or out[s] == k or np.isnan(vr[a, s]) or np.isnan(vr[b, s]):
                loading[k, s] = 0.0
                continue
            size_a, size_b = np.hypot(vr[a, s], vi[a, s]), np.hypot(vr[b, s], vi[b, s])
            cr, ci, er, ei = _end(yf[0, k], yf[1, k], yf[2, k], yf[3, k], vr[a, s], vi[a, s], vr[b, s], vi[b, s],
                                  turned[a, s], turned[b, s], grown[a, s], grown[b, s], size_a, size_b)  # fmt: skip
            first = (cr + er) ** 2 + (ci + ei) ** 2
            cr, ci, er, ei = _end(yt[2, k], yt[3, k], yt[0, k], yt[1, k], vr[b, s], vi[b, s], vr[a, s], vi[a, s],
                                  turned[b, s], turned[a, s], grown[b, s], grown[a, s], size_b, size_a)  # fmt: skip
            loading[k, s] = scale[k] * np.sqrt(max(first, (cr + er) ** 2 + (ci + ei) ** 2))


@nb.njit(cache=True, nogil=True)
def _first_root(a, b, c, top):  # type: ignore[no-untyped-def]
    """Smallest step with a + b s + c s^2 = top; 0 where a is there already and grows, infinite where none is."""
    room = top - a
    if room <= 0.0:
        if b > 0.0:
            return 0.0
        return -b / c if c > 0.0 and b < 0.0 else np.inf
    under = b * b + 4 * c * room
    if under < 0.0:
        return np.inf
    below = b + np.sqrt(under)
    return 2 * room / below if below > 0.0 else np.inf


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def first_exits(  # type: ignore[no-untyped-def]
    f, t, yf, yt, scale, top, high, low, vr, vi, turned, grown, out, step, row
):
    """First exit of each state along one direction, into ``step`` and ``row`` (numbers of ``grid.capacity.rows``).

    ``turned``, ``grown``: first-order change per unit step; ``top`` (branches, states), ``high`` and ``low`` (nodes,
    states): bounds.
    """
    nb_branch, n, m = len(f), vr.shape[0], len(step)
    for s in range(m):
        step[s], row[s] = np.inf, -1
    for k in range(nb_branch):
        a, b = f[k], t[k]
        for s in range(m):
            if scale[k] <= 0.0 or out[s] == k or np.isnan(vr[a, s]) or np.isnan(vr[b, s]):
                continue
            size_a, size_b = np.hypot(vr[a, s], vi[a, s]), np.hypot(vr[b, s], vi[b, s])
            goal = (top[k, s] / scale[k]) ** 2
            for end in range(2):
                if end == 0:
                    cr, ci, er, ei = _end(yf[0, k], yf[1, k], yf[2, k], yf[3, k], vr[a, s], vi[a, s], vr[b, s],
                                          vi[b, s], turned[a, s], turned[b, s], grown[a, s], grown[b, s], size_a,
                                          size_b)  # fmt: skip
                else:
                    cr, ci, er, ei = _end(yt[2, k], yt[3, k], yt[0, k], yt[1, k], vr[b, s], vi[b, s], vr[a, s],
                                          vi[a, s], turned[b, s], turned[a, s], grown[b, s], grown[a, s], size_b,
                                          size_a)  # fmt: skip
                found = _first_root(cr * cr + ci * ci, 2 * (cr * er + ci * ei), er * er + ei * ei, goal)
                if found < step[s]:
                    step[s], row[s] = found, k + end * nb_branch
    for i in range(n):
        for s in range(m):
            if np.isnan(vr[i, s]):
                continue
            size, slope = np.hypot(vr[i, s], vi[i, s]), grown[i, s]
            if slope > 0.0:
                found = max(0.0, high[i, s] - size) / slope
                if found < step[s]:
                    step[s], row[s] = found, 2 * nb_branch + i
            elif slope < 0.0:
                found = max(0.0, size - low[i, s]) / -slope
                if found < step[s]:
                    step[s], row[s] = found, 2 * nb_branch + n + i
