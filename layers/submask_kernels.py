"""Compiled loops of the rasteriser: crossings of edges with centre lines, and the spans between them.

Lines are the centre lines of lattice rows, counted from the south edge of a frame; columns from its west edge. One
rule serves sub-cells (:func:`fill_bits`) and cells (:func:`fill_value`): a lattice point belongs to a shape where the
running sum of +1 and -1 at the crossings west of it is above 0.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

Ints = npt.NDArray[np.int64]


@njit(cache=True, nogil=True)
def ring_edges(xy, first, shell, bounds, size_m, south, lines):  # type: ignore[no-untyped-def]
    """Edges of rings that cross a centre line of the frame and can matter on it.

    Parameters
    ----------
    xy : float64, shape (points, 2)
    first : int64
        Points of ring k: ``first[k] <= i < first[k + 1]``, the last one like the first.
    shell : bool
        Whether the ring is an outline; the others are holes. The direction of rings does not matter.
    bounds : (left, bottom, right, top)

    Returns
    -------
    x0, y0, slope : float64
        South end, and dx/dy.
    low, high : int32
        Lines ``low <= line < high`` are crossed.
    step : int8
        +1 where the inside begins east of the edge, -1 where it ends.
    """
    bottom, right, top = bounds[1:]
    most = xy.shape[0]
    x0, y0, slope = np.empty(most), np.empty(most), np.empty(most)
    low, high, step = np.empty(most, np.int32), np.empty(most, np.int32), np.empty(most, np.int8)
    n = 0
    for k in range(shell.size):
        turn = 0.0
        for i in range(first[k] + 1, first[k + 1] - 1):
            turn += (xy[i, 0] - xy[first[k], 0]) * (xy[i + 1, 1] - xy[first[k], 1])
            turn -= (xy[i + 1, 0] - xy[first[k], 0]) * (xy[i, 1] - xy[first[k], 1])
        upward = -1 if (turn > 0) == shell[k] else 1
        for i in range(first[k], first[k + 1] - 1):
            xa, ya, xb, yb, side = xy[i, 0], xy[i, 1], xy[i + 1, 0], xy[i + 1, 1], upward
            if ya > yb:
                xa, ya, xb, yb, side = xb, yb, xa, ya, -upward
            if ya == yb or yb <= bottom or ya >= top or min(xa, xb) >= right:
                continue
            a = min(max(np.int64(np.ceil(ya / size_m - 0.5)) - south, 0), lines)
            b = min(max(np.int64(np.ceil(yb / size_m - 0.5)) - south, 0), lines)
            if a < b:
                x0[n], y0[n], slope[n] = xa, ya, (xb - xa) / (yb - ya)
                low[n], high[n], step[n] = a, b, side
                n += 1
    return x0[:n].copy(), y0[:n].copy(), slope[:n].copy(), low[:n].copy(), high[:n].copy(), step[:n].copy()


@njit(cache=True, nogil=True)
def bucket_edges(low, high, lines, per_bucket):  # type: ignore[no-untyped-def]
    """Edges of each bucket of ``per_bucket`` lines, buckets counted from the north.

    Returns (start, edge): the edges of bucket k are ``edge[start[k]:start[k + 1]]``, in their own order.
    """
    buckets = (lines + per_bucket - 1) // per_bucket
    start = np.zeros(buckets + 1, np.int64)
    for i in range(low.size):
        if low[i] < high[i]:
            for k in range((lines - high[i]) // per_bucket, (lines - 1 - low[i]) // per_bucket + 1):
                start[k + 1] += 1
    for k in range(buckets):
        start[k + 1] += start[k]
    place = start[:-1].copy()
    edge = np.empty(start[-1], np.int32)
    for i in range(low.size):
        if low[i] < high[i]:
            for k in range((lines - high[i]) // per_bucket, (lines - 1 - low[i]) // per_bucket + 1):
                edge[place[k]] = i
                place[k] += 1
    return start, edge


@njit(cache=True, nogil=True)
def sorted_crossings(x0, y0, slope, low, high, step, chosen, first, last, size_m, south, west, columns):  # type: ignore[no-untyped-def]
    """Crossings of the chosen edges with lines ``first <= line < last``, by line and column.

    The centre of line k lies at ``(south + k + 1/2) size_m``, of column j at ``(west + j + 1/2) size_m``.

    Returns
    -------
    start : int64, shape (last - first + 1,)
    key : int32
        ``2 column`` where the inside begins east of the crossing, ``2 column + 1`` where it ends; ascending in each
        line. Crossings east of the last column are left out, those west of the first one count at column 0.
    """
    lines = last - first
    start = np.zeros(lines + 1, np.int64)
    for i in chosen:
        a, b = max(low[i], first) - first, min(high[i], last) - first
        if a < b:
            start[a] += 1
            start[b] -= 1
    total, running = 0, 0
    for k in range(lines + 1):
        running += start[k]
        start[k] = total
        total += running
    place = start[:lines].copy()
    key = np.empty(total, np.int32)
    for i in chosen:
        a, b = max(low[i], first), min(high[i], last)
        side = 0 if step[i] > 0 else 1
        for line in range(a, b):
            y = (south + line + 0.5) * size_m
            x = x0[i] + (y - y0[i]) * slope[i]
            column = np.int64(np.ceil(x / size_m - 0.5)) - west
            if column < columns:
                key[place[line - first]] = 2 * max(column, 0) + side
                place[line - first] += 1
    kept = 0
    for k in range(lines):
        a, b = start[k], place[k]
        start[k] = kept
        if b - a > 32:
            key[kept : kept + b - a] = np.sort(key[a:b])
        else:
            for j in range(a, b):
                value, i = key[j], kept + j - a
                while i > kept and key[i - 1] > value:
                    key[i] = key[i - 1]
                    i -= 1
                key[i] = value
        kept += b - a
    start[lines] = kept
    return start, key[:kept]


@njit(cache=True, nogil=True)
def fill_bits(mask, start, key):  # type: ignore[no-untyped-def]
    """Set the bits of the covered sub-cells; line 0 is the southernmost sub-row of the last row of ``mask``."""
    lines, columns = 4 * mask.shape[0], 4 * mask.shape[1]
    for line in range(lines):
        sub_row = lines - 1 - line
        row, shift = sub_row >> 2, 4 * (sub_row & 3)
        whole = np.uint16(15 << shift)
        count, west = 0, 0
        for j in range(start[line], start[line + 1] + 1):
            if j == start[line + 1]:
                east, change = columns, -count
            else:
                east, change = key[j] >> 1, 1 - 2 * (key[j] & 1)
            if count <= 0:
                west = east
            elif count + change <= 0 and west < east:
                a, b = west >> 2, east >> 2
                if a == b:
                    mask[row, a] |= np.uint16(((1 << (east & 3)) - (1 << (west & 3))) << shift)
                else:
                    mask[row, a] |= np.uint16((16 - (1 << (west & 3))) << shift)
                    for k in range(a + 1, b):
                        mask[row, k] |= whole
                    if east & 3:
                        mask[row, b] |= np.uint16(((1 << (east & 3)) - 1) << shift)
            count += change


@njit(cache=True, nogil=True)
def cell_runs(start, key, rows, width):  # type: ignore[no-untyped-def]
    """The bits of :func:`fill_bits` as runs of equal cells, see :mod:`layers.mask_store_kernels`.

    Each covered span of a sub-row toggles the sub-columns from its west end on, and again from its east end on; the
    cells that hold an end are worked out, those between are alike.
    """
    most = 2 * (key.size + 4 * rows) + rows
    first, col, value = np.zeros(rows + 1, np.int32), np.empty(most, np.int32), np.empty(most, np.uint16)
    ends = np.empty(key.size + 8, np.int32)
    place, stop, tail = np.zeros(4, np.int64), np.zeros(4, np.int64), np.zeros(4, np.int64)
    n, nowhere = 0, np.int64(width)
    for row in range(rows):
        used, begin = 0, n
        for sub in range(4):
            line = 4 * (rows - 1 - row) + 3 - sub
            place[sub], tail[sub] = used, 0
            used = _span_ends(ends, used, start[line], start[line + 1], key, 4 * width)
            stop[sub] = used
        n = _put(col, value, n, begin, 0, 0)
        while True:
            cell = nowhere
            for sub in range(4):
                if place[sub] < stop[sub]:
                    cell = min(cell, np.int64(ends[place[sub]]) >> 2)
            if cell >= nowhere:
                break
            here, after = np.int64(0), np.int64(0)
            for sub in range(4):
                nibble = tail[sub]
                while place[sub] < stop[sub] and ends[place[sub]] >> 2 == cell:
                    nibble ^= (15 << (ends[place[sub]] & 3)) & 15
                    tail[sub] ^= 15
                    place[sub] += 1
                here |= nibble << 4 * sub
                after |= tail[sub] << 4 * sub
            n = _put(col, value, n, begin, cell, here)
            if cell + 1 < nowhere:
                n = _put(col, value, n, begin, cell + 1, after)
        first[row + 1] = n
    return first, col[:n].copy(), value[:n].copy()


@njit(cache=True, nogil=True)
def _put(col, value, n, begin, at, bits):  # type: ignore[no-untyped-def]
    """Append a run to those of a row from ``begin`` on, in place of one that begins at the same cell, and not where it
    goes on with the value before; returns how many runs there are then."""
    if n > begin and col[n - 1] == at:
        n -= 1
    if n > begin and value[n - 1] == bits:
        return n
    col[n], value[n] = at, bits
    return n + 1


@njit(cache=True, nogil=True)
def _span_ends(ends, used, low, high, key, columns):  # type: ignore[no-untyped-def]
    """Append the west and east ends of the covered spans of a line; returns how many ends there are then."""
    count, west = 0, 0
    for j in range(low, high + 1):
        if j == high:
            east, change = columns, -count
        else:
            east, change = key[j] >> 1, 1 - 2 * (key[j] & 1)
        if count <= 0:
            west = east
        elif count + change <= 0 and west < east:
            ends[used], ends[used + 1] = west, east
            used += 2
        count += change
    return used


@njit(cache=True, nogil=True)
def fill_value(cells, start, key, value):  # type: ignore[no-untyped-def]
    """Write ``value`` to the covered cells; line 0 is the last row of ``cells``."""
    lines, columns = cells.shape
    for line in range(lines):
        count, west = 0, 0
        for j in range(start[line], start[line + 1] + 1):
            if j == start[line + 1]:
                east, change = columns, -count
            else:
                east, change = key[j] >> 1, 1 - 2 * (key[j] & 1)
            if count <= 0:
                west = east
            elif count + change <= 0:
                for k in range(west, east):
                    cells[lines - 1 - line, k] = value
            count += change
