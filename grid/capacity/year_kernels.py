"""Inner loops of the year's limits: the first exit of every bus and hour over all outages and elements.

One block of hours at a time. A pair (outage, element) is followed hour by hour only where it can bind:

1. intervals of the block's flows say that no hour comes near the limit, whatever the bus: the pair is skipped;
2. the box of the pair's own flows, moved by the largest injection still open at a bus, stays inside: the bus is
   skipped (the squared current is convex in the injection, so inside at 0 and at P means inside between them);
3. in an hour, the current at the limit found so far is inside: nothing changes;
4. only then the root is taken.

Every skip is a proof, so the answer is that of all triples.
"""

from __future__ import annotations

import math

import numba as nb
import numpy as np

_FAST = {"contract", "reassoc", "nsz", "arcp", "nnan"}
"""Hours without a solution are left out before, so there is no NaN."""
BEYOND = 1e-7
"""Relative distance beyond a limit (pu for voltages) from which a value is broken and not just at it."""


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def quadratic_exit(xr, xi, dr, di, square):  # type: ignore[no-untyped-def]
    """Smallest p >= 0 where |x + p d|^2 reaches ``square``, |x|^2 below it."""
    a = dr * dr + di * di
    b = xr * dr + xi * di
    c = xr * xr + xi * xi - square
    root = math.sqrt(max(b * b - a * c, 0.0))
    return max(0.0, -c / (b + root) if b > 0 else (root - b) / a)


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def follow_current(xr, xi, limit, factor, room, tolerate, dr, di, lost, name, square, p, top, code):  # type: ignore[no-untyped-def]
    """Lower ``p`` (buses, hours) where the current |x + p d| of one element leaves its limit first.

    ``limit`` times ``factor`` (hours,) is the limit [pu]; ``dr``, ``di``: per MW of each bus; ``lost``: buses whose
    plant the outage cuts off; ``square``: work space (hours,); ``top``: largest p of each bus over the hours.
    Returns the number of buses that were followed hour by hour.
    """
    hours, buses = xr.shape[0], dr.shape[0]
    r_lo, r_hi, i_lo, i_hi = xr[0], xr[0], xi[0], xi[0]
    least, most = np.inf, 0.0
    for h in range(hours):
        r_lo, r_hi = min(r_lo, xr[h]), max(r_hi, xr[h])
        i_lo, i_hi = min(i_lo, xi[h]), max(i_hi, xi[h])
        bound = limit * factor[h]
        square[h] = bound * bound
        least = min(least, square[h])
        most = max(most, xr[h] * xr[h] + xi[h] * xi[h])
    inside, broken = most <= least, False
    if math.sqrt(most) > (1 - room) * math.sqrt(least):
        for h in range(hours):
            now = math.sqrt(xr[h] * xr[h] + xi[h] * xi[h])
            bound = math.sqrt(square[h])
            if now > bound * (1 + BEYOND) and not tolerate:
                square[h] = -1.0
                broken = True
            elif now > (1 - room) * bound:
                square[h] = (now + room * bound) ** 2
    followed = 0
    for b in range(buses):
        high = top[b]
        if high <= 0.0:
            continue
        if inside:
            r = max(abs(r_lo + high * dr[b]), abs(r_hi + high * dr[b]))
            i = max(abs(i_lo + high * di[b]), abs(i_hi + high * di[b]))
            if lost[b] or r * r + i * i <= least:
                continue
        followed += 1
        size = dr[b] * dr[b] + di[b] * di[b]
        changed, beyond = False, 0
        if not lost[b]:
            for h in range(hours):
                r = xr[h] + p[b, h] * dr[b]
                i = xi[h] + p[b, h] * di[b]
                beyond += r * r + i * i > square[h]
        if beyond == 0 and not broken:
            continue
        for h in range(hours):
            now = p[b, h]
            if square[h] < 0:
                if now > 0:
                    p[b, h] = 0.0
                    code[b, h] = name
                    changed = True
                continue
            r = xr[h] + now * dr[b]
            i = xi[h] + now * di[b]
            if r * r + i * i > square[h] and not lost[b] and size > 1e-24:
                root = quadratic_exit(xr[h], xi[h], dr[b], di[b], square[h])
                if root < now:
                    p[b, h] = root
                    code[b, h] = name
                    changed = True
        if changed:
            top[b] = p[b].max()
    return followed


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def follow_scalar(x, high, room, tolerate, sign, d, lost, name, p, top, code):  # type: ignore[no-untyped-def]
    """Lower ``p`` where the value ``sign (x + p d)`` of one row rises above ``high`` first."""
    hours, buses = x.shape[0], d.shape[0]
    most = -np.inf
    for h in range(hours):
        most = max(most, sign * x[h])
    inside = most <= high
    followed = 0
    for b in range(buses):
        slope = sign * d[b]
        if top[b] <= 0.0 or (inside and (lost[b] or most + top[b] * slope <= high)):
            continue
        followed += 1
        changed = False
        for h in range(hours):
            now, start = p[b, h], sign * x[h]
            if start > high + BEYOND and not tolerate:
                if now > 0:
                    p[b, h] = 0.0
                    code[b, h] = name
                    changed = True
                continue
            bound = max(high, start + room)
            if start + now * slope > bound and not lost[b] and slope > 1e-15:
                root = max(0.0, (bound - start) / slope)
                if root < now:
                    p[b, h] = root
                    code[b, h] = name
                    changed = True
        if changed:
            top[b] = p[b].max()
    return followed


@nb.njit(cache=True, nogil=True)
def sweep_intact(re, im, limit, factor, kind, d_re, d_im, row, room, tolerate, p, top, code):  # type: ignore[no-untyped-def]
    """All branch ends of the intact network; arrays as in :func:`sweep_outages`."""
    nobody = np.zeros(p.shape[0], dtype=np.bool_)
    square = np.empty(re.shape[1])
    for e in range(re.shape[0]):
        follow_current(
            re[e], im[e], limit[e], factor[kind[e]], room, tolerate, d_re[e], d_im[e], nobody, row[e], square, p, top,
            code,
        )  # fmt: skip


@nb.njit(cache=True, nogil=True)
def sweep_rows(x, high, room, tolerate, sign, d, row, p, top, code):  # type: ignore[no-untyped-def]
    """All scalar rows (voltages, reverse flows) of the intact network."""
    nobody = np.zeros(p.shape[0], dtype=np.bool_)
    for n in range(x.shape[0]):
        follow_scalar(x[n], high[n], room, tolerate, sign, d[n], nobody, row[n], p, top, code)


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def _spread(low, high, factors, offset, s_lo, s_hi):  # type: ignore[no-untyped-def]
    """Interval of x + factors s + offset for x in [low, high] and s in [s_lo, s_hi]."""
    low, high = low + offset, high + offset
    for i in range(4):
        one, other = factors[i] * s_lo[i], factors[i] * s_hi[i]
        low += min(one, other)
        high += max(one, other)
    return low, high


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def _compose(x, factors, s, offset, out):  # type: ignore[no-untyped-def]
    """out = x + factors s + offset."""
    for h in range(x.shape[0]):
        out[h] = x[h] + factors[0] * s[0, h] + factors[1] * s[1, h] + factors[2] * s[2, h] + factors[3] * s[3, h]
        out[h] += offset


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def _reaches(low_r, high_r, low_i, high_i, dr, di, top, lost, square):  # type: ignore[no-untyped-def]
    """Whether some current of the box, moved by a bus up to its largest open injection, leaves the limit."""
    start = max(low_r * low_r, high_r * high_r) + max(low_i * low_i, high_i * high_i)
    if start > square:
        return True
    found = 0
    for b in range(dr.shape[0]):
        r = max(abs(low_r + top[b] * dr[b]), abs(high_r + top[b] * dr[b]))
        i = max(abs(low_i + top[b] * di[b]), abs(high_i + top[b] * di[b]))
        found += (r * r + i * i > square) and not lost[b]
    return found > 0


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def _largest(more, first, last, row):  # type: ignore[no-untyped-def]
    """Largest correction of one row."""
    found = 0.0
    for j in range(first, last):
        found = max(found, abs(more[j, row]))
    return found


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def sweep_outages(  # type: ignore[no-untyped-def]
    re,
    im,
    limit,
    factor,
    kind,
    s,
    a,
    c,
    seen,
    d_re,
    d_im,
    ds,
    lost,
    refit,
    row,
    name,
    room,
    tolerate,
    p,
    top,
    code,
    counts,
):
    """All (outage, branch end) pairs of a block of hours.

    ``re``, ``im``: current of the ends in the intact network (ends, hours), in the frame of the end's own voltage;
    ``s``: what the lost branch carries at its ends (outages, 4, hours); ``a``: (outages, ends, 2, 4) and ``c``:
    (outages, ends, 2), the current after the outage is ``x + a s + c``; ``d_re``, ``d_im``: (ends, buses) and
    ``ds``: (outages, 4, buses), change per MW; ``seen``: ends that the outage leaves; ``refit``: (first, bus, re,
    im), corrections j of the change per MW, ``first[k] <= j < first[k + 1]`` for outage k at bus ``bus[j]``, shape
    (corrections, ends); ``name``: code of each outage, to which the end's ``row`` is added. ``counts``: pairs, pairs
    left by the intervals, (pair, bus) followed hour by hour.
    """
    outages, ends, hours, buses = a.shape[0], re.shape[0], re.shape[1], p.shape[0]
    r_lo, r_hi, i_lo, i_hi = np.empty(ends), np.empty(ends), np.empty(ends), np.empty(ends)
    reach_r, reach_i = np.empty(ends), np.empty(ends)
    for e in range(ends):
        r_lo[e], r_hi[e], i_lo[e], i_hi[e] = re[e].min(), re[e].max(), im[e].min(), im[e].max()
        reach_r[e], reach_i[e] = np.abs(d_re[e]).max(), np.abs(d_im[e]).max()
    least = np.array([factor[0].min(), factor[1].min()])
    s_lo, s_hi, reach_s = np.empty(4), np.empty(4), np.empty(4)
    xr, xi, square = np.empty(hours), np.empty(hours), np.empty(hours)
    dr, di = np.empty(buses), np.empty(buses)
    first, at_bus, more_re, more_im = refit
    for k in range(outages):
        for i in range(4):
            s_lo[i], s_hi[i], reach_s[i] = s[k, i].min(), s[k, i].max(), np.abs(ds[k, i]).max()
        far = top.max()
        if far <= 0:
            return
        for e in range(ends):
            if not seen[k, e]:
                continue
            counts[0] += 1
            ar, ai = a[k, e, 0], a[k, e, 1]
            low_r, high_r = _spread(r_lo[e], r_hi[e], ar, c[k, e, 0], s_lo, s_hi)
            move = reach_r[e] + _largest(more_re, first[k], first[k + 1], e)
            for i in range(4):
                move += abs(ar[i]) * reach_s[i]
            r = max(abs(low_r), abs(high_r)) + far * move
            low_i, high_i = _spread(i_lo[e], i_hi[e], ai, c[k, e, 1], s_lo, s_hi)
            move = reach_i[e] + _largest(more_im, first[k], first[k + 1], e)
            for i in range(4):
                move += abs(ai[i]) * reach_s[i]
            i = max(abs(low_i), abs(high_i)) + far * move
            bound = limit[e] * least[kind[e]]
            if r * r + i * i <= bound * bound:
                continue
            _compose(d_re[e], ar, ds[k], 0.0, dr)
            _compose(d_im[e], ai, ds[k], 0.0, di)
            for j in range(first[k], first[k + 1]):
                dr[at_bus[j]] += more_re[j, e]
                di[at_bus[j]] += more_im[j, e]
            if not _reaches(low_r, high_r, low_i, high_i, dr, di, top, lost[k], bound * bound):
                continue
            counts[1] += 1
            _compose(re[e], ar, s[k], c[k, e, 0], xr)
            _compose(im[e], ai, s[k], c[k, e, 1], xi)
            counts[2] += follow_current(
                xr, xi, limit[e], factor[kind[e]], room, tolerate, dr, di, lost[k], name[k] + row[e], square, p, top,
                code,
            )  # fmt: skip


@nb.njit(cache=True, nogil=True, fastmath=_FAST)
def sweep_outage_rows(  # type: ignore[no-untyped-def]
    x, high, sign, s, a, c, seen, d, ds, lost, refit, row, name, room, tolerate, p, top, code, counts
):
    """All (outage, node) pairs of a block of hours; ``a``: (outages, nodes, 4), ``c``: (outages, nodes), ``refit``:
    (first, bus, values)."""
    outages, nodes, hours, buses = a.shape[0], x.shape[0], x.shape[1], p.shape[0]
    lowest, highest, reach = np.empty(nodes), np.empty(nodes), np.empty(nodes)
    for n in range(nodes):
        lowest[n], highest[n], reach[n] = x[n].min(), x[n].max(), np.abs(d[n]).max()
    s_lo, s_hi, reach_s = np.empty(4), np.empty(4), np.empty(4)
    moved, slope = np.empty(hours), np.empty(buses)
    first, at_bus, more = refit
    for k in range(outages):
        for i in range(4):
            s_lo[i], s_hi[i], reach_s[i] = s[k, i].min(), s[k, i].max(), np.abs(ds[k, i]).max()
        far = top.max()
        if far <= 0:
            return
        for n in range(nodes):
            if not seen[k, n]:
                continue
            counts[0] += 1
            low, up = _spread(lowest[n], highest[n], a[k, n], c[k, n], s_lo, s_hi)
            move = reach[n] + _largest(more, first[k], first[k + 1], n)
            for i in range(4):
                move += abs(a[k, n, i]) * reach_s[i]
            most = max(sign * low, sign * up)
            if most + far * move <= high[n]:
                continue
            _compose(d[n], a[k, n], ds[k], 0.0, slope)
            for j in range(first[k], first[k + 1]):
                slope[at_bus[j]] += more[j, n]
            if most <= high[n] and most + (top * np.maximum(sign * slope, 0.0)).max() <= high[n]:
                continue
            counts[1] += 1
            _compose(x[n], a[k, n], s[k], c[k, n], moved)
            counts[2] += follow_scalar(
                moved, high[n], room, tolerate, sign, slope, lost[k], name[k] + row[n], p, top, code
            )
