"""Compiled loops of the land stage: one strip, one host type at a time, a row of masks in the processor's cache.

Areas are sums of whole sub-cells per row times the row's sub-cell area as a fixed-point number in two halves
(``weight[row] = high * 2**20 + low``), added as integers: the sums are the same for any order of strips and workers.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numba.extending import intrinsic

OWN, ELIGIBLE, UNKNOWN, OWNED, PER_HOST = 0, 1, 2, 3, 4
"""Rows of ``sums``; those of rule j follow at ``PER_HOST + PER_RULE * j``."""
LOST, SOLE, REGAINED, PER_RULE = 0, 1, 2, 3


@intrinsic
def _bits(typing_context, word):  # type: ignore[no-untyped-def]
    """Bits set in an unsigned word, as one instruction of the processor."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        return builder.ctpop(arguments[0])

    return word(word), generate


@njit(cache=True, nogil=True)
def count_bits(words):  # type: ignore[no-untyped-def]
    """Bits set in a row of words."""
    total = np.int64(0)
    fours = words.size // 4
    wide = words[: 4 * fours].view(np.uint64)
    for k in range(fours):
        total += np.int64(_bits(wide[k]))  # type: ignore[call-arg]
    for k in range(4 * fours, words.size):
        total += np.int64(_bits(words[k]))  # type: ignore[call-arg]
    return total


@njit(cache=True, nogil=True)
def any_bit(words):  # type: ignore[no-untyped-def]
    """Whether a row of words has a bit set."""
    fours = words.size // 4
    wide = words[: 4 * fours].view(np.uint64)
    some = np.uint64(0)
    for k in range(fours):
        some |= wide[k]
    for k in range(4 * fours, words.size):
        some |= np.uint64(words[k])
    return some != 0


# Loops over whole slices, from 0: of any other range the compiler cannot tell that no index is negative.


@njit(cache=True, nogil=True)
def _copy(out, words):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] = words[k]


@njit(cache=True, nogil=True)
def _fill(out, value):  # type: ignore[no-untyped-def]
    for k in range(out.size):
        out[k] = value


@njit(cache=True, nogil=True)
def _or(total, words):  # type: ignore[no-untyped-def]
    for k in range(total.size):
        total[k] |= words[k]


@njit(cache=True, nogil=True)
def _meet(once, twice, words):  # type: ignore[no-untyped-def]
    """Add a set to the sets met once and twice."""
    for k in range(words.size):
        twice[k] |= once[k] & words[k]
        once[k] |= words[k]


@njit(cache=True, nogil=True)
def _and(part, a, b):  # type: ignore[no-untyped-def]
    for k in range(part.size):
        part[k] = a[k] & b[k]


@njit(cache=True, nogil=True)
def _without(part, a, b):  # type: ignore[no-untyped-def]
    for k in range(part.size):
        part[k] = a[k] & ~b[k]


@njit(cache=True, nogil=True)
def _union(part, a, b):  # type: ignore[no-untyped-def]
    for k in range(part.size):
        part[k] = a[k] | b[k]


@njit(cache=True, nogil=True)
def _mark(reasons, part, mark):  # type: ignore[no-untyped-def]
    none = mark ^ mark
    for k in range(part.size):
        reasons[k] |= mark if part[k] != 0 else none


@njit(cache=True, nogil=True)
def fill_districts(district, inside, halo):  # type: ignore[no-untyped-def]
    """District of each cell of the region; border cells whose centre lies in none take the nearest within 2 cells.

    ``district`` has ``halo`` rows more in the north (the strip's first row is row ``halo``) and some in the south.
    Returns the numbers of the strip, 0 outside the region and where none is near, and how many cells have none.
    """
    rows, cols = inside.shape
    missing = 0
    out = np.zeros((rows, cols), np.int16)
    for r in range(rows):
        for c in range(cols):
            if inside[r, c] == 0:
                continue
            found = district[r + halo, c]
            if found == 0:
                best = 99
                for dr in range(-2, 3):
                    for dc in range(-2, 3):
                        i, j = r + halo + dr, c + dc
                        if 0 <= i < district.shape[0] and 0 <= j < cols and district[i, j] > 0:
                            far = dr * dr + dc * dc
                            if far < best or (far == best and district[i, j] < found):
                                best, found = far, district[i, j]
            out[r, c] = found
            missing += found == 0
    return out, missing


@njit(cache=True, nogil=True)
def district_runs(district):  # type: ignore[no-untyped-def]
    """(first run of each row, first column, end column, district from 0) of the stretches of one district."""
    rows, cols = district.shape
    first = np.zeros(rows + 1, np.int64)
    for r in range(rows):
        before = 0
        for c in range(cols):
            if district[r, c] > 0 and district[r, c] != before:
                first[r + 1] += 1
            before = district[r, c]
        first[r + 1] += first[r]
    west, east, which = (
        np.empty(first[rows], np.int64),
        np.empty(first[rows], np.int64),
        np.empty(first[rows], np.int64),
    )
    for r in range(rows):
        n = first[r] - 1
        before = 0
        for c in range(cols):
            if district[r, c] > 0:
                if district[r, c] != before:
                    n += 1
                    west[n], which[n] = c, district[r, c] - 1
                east[n] = c + 1
            before = district[r, c]
    return first, west, east, which


@njit(cache=True, nogil=True)
def add_counts(sums, key, words, low, row, runs, weight):  # type: ignore[no-untyped-def]
    """Add the bits of one row, by district, to ``sums[key]``; ``words`` begin at column ``low``. Returns the bits."""
    first, west, east, which = runs
    total = 0
    for k in range(first[row], first[row + 1]):
        a, b = max(west[k] - low, 0), min(east[k] - low, words.size)
        n = count_bits(words[a:b]) if a < b else 0
        if n:
            sums[key, which[k], 0] += n * weight[row, 0]
            sums[key, which[k], 1] += n * weight[row, 1]
        total += n
    return total


@njit(cache=True, nogil=True)
def add_mask(sums, key, mask, runs, weight):  # type: ignore[no-untyped-def]
    """Add the bits of a strip, by district, to ``sums[key]``."""
    for row in range(mask.shape[0]):
        add_counts(sums, key, mask[row], 0, row, runs, weight)


@njit(cache=True, nogil=True)
def _row_of(masks, m, row, west, east, out):  # type: ignore[no-untyped-def]
    """Write columns ``west <= c < east`` of a row of mask m to ``out``, as far as it is not 0.

    Returns (low, high): nothing but ``low <= c < high`` was written, all else of the stretch is 0.
    """
    first, col, value, dense = masks
    if m >= first.shape[0]:
        line = dense[m - first.shape[0], row]
        _copy(out[west:east], line[west:east])
        return (west, east) if any_bit(out[west:east]) else (west, west)
    low, high, end_of_row = -1, west, first[m, row + 1]
    for k in range(first[m, row], end_of_row):
        a = max(np.int64(col[k]), west)
        b = min(np.int64(col[k + 1]) if k + 1 < end_of_row else east, east)
        v = value[k]
        if a >= b or (v == 0 and low < 0):
            continue
        _fill(out[a:b], v)
        if v != 0:
            low, high = (a if low < 0 else low), b
    return (low, high) if low >= 0 else (west, west)


@njit(cache=True, nogil=True)
def _whole_row_of(masks, m, row, west, east, out):  # type: ignore[no-untyped-def]
    """The same with zeros written too; whether anything is not 0."""
    low, high = _row_of(masks, m, row, west, east, out)
    _fill(out[west:low], np.uint16(0))
    _fill(out[high:east], np.uint16(0))
    return low < high


@njit(cache=True, nogil=True)
def unmapped_land(masks, mappers, inside, out, runs, weight, region):  # type: ignore[no-untyped-def]
    """Write land of the region that none of the masks ``mappers`` covers to ``out``, and add the region's area.

    Returns whether there is any.
    """
    rows, cols = out.shape
    line = np.empty(cols, np.uint16)
    some = False
    for r in range(rows):
        left = out[r]
        if not _whole_row_of(masks, inside, r, 0, cols, left):
            continue
        add_counts(region, 0, left, 0, r, runs, weight)
        for m in mappers:
            low, high = _row_of(masks, m, r, 0, cols, line)
            _without(left[low:high], left[low:high], line[low:high])
        some |= any_bit(left)
    return some


@njit(cache=True, nogil=True)
def evaluate_host(  # type: ignore[no-untyped-def]
    masks, own_layers, excluding, doubting, inside, unmapped, runs, weight, sums, eligible, unknown, reasons, marks
):
    """Work out eligible and unknown land of one host type in a strip; fills ``sums`` (see :func:`add_counts`).

    A row at a time, so that the rules' rows stay in the processor's cache.

    Parameters
    ----------
    masks : (first, col, value, dense)
        Masks 0 to ``len(first) - 1`` as runs, those of row r of mask m being ``first[m, r] <= k < first[m, r + 1]``;
        the next ones as cells, shape (masks, rows, columns).
    own_layers : int64
        Masks whose union is the host land.
    excluding, doubting : int64, one entry a rule
        Masks of the land that the rule excludes, and of the land where it cannot tell (-1: it always can).
    inside : int
        Mask of the region.
    unmapped : uint16, shape of a strip; or of shape (0, 0)
        Land that no layer maps, nowhere where it has no cells.
    sums : int64, shape (PER_HOST + PER_RULE * rules, districts, 2)
        Zeros, which the areas are added to.
    eligible : uint16, shape of a strip
        Takes the eligible land.
    unknown : uint16, shape of a strip, or of shape (0, 0)
        Takes the unknown land.
    reasons : uint16, uint32 or uint64, shape of a strip, or of shape (0, 0)
        Takes ``marks[j]`` in cells where rule j excludes host land, 0 in all others.
    """
    rows, cols = _strip_shape(masks)
    rules = excluding.size
    x_rows, u_rows = np.empty((rules, cols), np.uint16), np.empty((rules, cols), np.uint16)
    own_row, in_row, part_row = np.empty(cols, np.uint16), np.empty(cols, np.uint16), np.empty(cols, np.uint16)
    once_row, twice_row, doubt_row = np.empty(cols, np.uint16), np.empty(cols, np.uint16), np.empty(cols, np.uint16)
    low, high = np.zeros(rules, np.int64), np.zeros(rules, np.int64)
    some_x, some_u = np.zeros(rules, np.bool_), np.zeros(rules, np.bool_)
    no_land, no_mark = np.zeros(0, np.uint16), np.zeros(1, reasons.dtype)[0]
    for r in range(rows):
        gaps = unmapped[r] if unmapped.size else no_land
        doubtful = unknown[r] if unknown.size else no_land
        if unknown.size:
            if unmapped.size:
                _copy(doubtful, gaps)
            else:
                _fill(doubtful, np.uint16(0))
        if reasons.size:
            _fill(reasons[r], no_mark)
        west, east = _host_row(masks, own_layers, inside, r, own_row, in_row)
        _fill(eligible[r, :west], np.uint16(0))
        _fill(eligible[r, east:], np.uint16(0))
        if west == east:
            add_counts(sums, UNKNOWN, gaps, 0, r, runs, weight)
            continue
        own = own_row[west:east]
        once, twice, part = once_row[west:east], twice_row[west:east], part_row[west:east]
        _fill(once, np.uint16(0))
        _fill(twice, np.uint16(0))
        some_doubt = False
        for j in range(rules):
            some_u[j] = doubting[j] >= 0 and _whole_row_of(masks, doubting[j], r, west, east, u_rows[j])
            if some_u[j]:
                some_doubt = True
                some_x[j] = _whole_row_of(masks, excluding[j], r, west, east, x_rows[j])
                low[j], high[j] = west, east
                _union(part, x_rows[j, west:east], u_rows[j, west:east])
                _meet(once, twice, part)
            else:
                low[j], high[j] = _row_of(masks, excluding[j], r, west, east, x_rows[j])
                a, b = low[j], high[j]
                some_x[j] = a < b
                if a < b:
                    _meet(once_row[a:b], twice_row[a:b], x_rows[j, a:b])
        free = eligible[r, west:east]
        _without(free, own, once)
        if some_doubt:
            doubt = doubt_row[west:east]
            _fill(doubt, np.uint16(0))
            _copy(part, own)
            for j in range(rules):
                if some_x[j]:
                    a, b = low[j], high[j]
                    _without(part_row[a:b], part_row[a:b], x_rows[j, a:b])
                if some_u[j]:
                    _or(doubt, u_rows[j, west:east])
            _and(part, part, doubt)
            _or(doubtful[west:east], part)
        add_counts(sums, OWN, own, west, r, runs, weight)
        add_counts(sums, ELIGIBLE, free, west, r, runs, weight)
        add_counts(sums, UNKNOWN, doubtful if unknown.size else gaps, 0, r, runs, weight)
        for j in range(rules):
            key, a, b = PER_HOST + PER_RULE * j, low[j], high[j]
            if some_x[j]:
                part = part_row[a:b]
                _and(part, own_row[a:b], x_rows[j, a:b])
                lost = add_counts(sums, key + LOST, part, a, r, runs, weight)
                if lost:
                    if reasons.size:
                        _mark(reasons[r, a:b], part, marks[j])
                    _without(part, part, twice_row[a:b])
                    add_counts(sums, key + SOLE, part, a, r, runs, weight)
                    if doubting[j] >= 0 and not some_u[j]:
                        add_counts(sums, key + REGAINED, part, a, r, runs, weight)
            if some_u[j]:
                part = part_row[west:east]
                _union(part, x_rows[j, west:east], u_rows[j, west:east])
                _and(part, part, own)
                _without(part, part, twice)
                add_counts(sums, key + REGAINED, part, west, r, runs, weight)
    for j in range(rules):
        if doubting[j] < 0:
            sums[PER_HOST + PER_RULE * j + REGAINED] += sums[PER_HOST + PER_RULE * j + SOLE]


@njit(cache=True, nogil=True)
def _strip_shape(masks):  # type: ignore[no-untyped-def]
    """(rows, columns) of a strip's masks."""
    return masks[3].shape[1], masks[3].shape[2]


@njit(cache=True, nogil=True)
def _host_row(masks, own_layers, inside, row, own, other):  # type: ignore[no-untyped-def]
    """Write host land of a row to ``own``; returns (west, east), outside of which there is none and ``own`` is void."""
    cols = own.size
    west, east = cols, 0
    for n in range(own_layers.size):
        if n == 0:
            low, high = _row_of(masks, own_layers[n], row, 0, cols, own)
            _fill(own[:low], np.uint16(0))
            _fill(own[high:], np.uint16(0))
        else:
            low, high = _row_of(masks, own_layers[n], row, 0, cols, other)
            _or(own[low:high], other[low:high])
        if low < high:
            west, east = min(west, low), max(east, high)
    if west >= east:
        return 0, 0
    low, high = _row_of(masks, inside, row, west, east, other)
    _and(own[low:high], own[low:high], other[low:high])
    west, east = low, high
    while west < east and own[west] == 0:
        west += 1
    while west < east and own[east - 1] == 0:
        east -= 1
    return (west, east) if west < east else (0, 0)


@njit(cache=True, nogil=True)
def assign_in_order(masks, order, share):  # type: ignore[no-untyped-def]
    """Owned masks: each host takes, in ``order``, what no earlier one has that it does not share with."""
    owned = masks.copy()
    for n in range(order.size):
        k = order[n]
        for m in range(n):
            other = order[m]
            if not share[k, other]:
                for r in range(owned.shape[1]):
                    _without(owned[k, r], owned[k, r], owned[other, r])
    return owned


@njit(cache=True, nogil=True)
def assign_by_value(masks, order, share, values):  # type: ignore[no-untyped-def]
    """The same with an order of its own in each cell: higher value first, NaN last, ties as in ``order``."""
    owned = np.zeros_like(masks)
    hosts = order.size
    ranked = np.empty(hosts, np.int64)
    for r in range(masks.shape[1]):
        for c in range(masks.shape[2]):
            n = 0
            for m in range(hosts):
                k = order[m]
                if masks[k, r, c] == 0:
                    continue
                at = n
                while at > 0:
                    before = values[ranked[at - 1], r, c]
                    mine = values[k, r, c]
                    if not (mine > before or (np.isnan(before) and not np.isnan(mine))):
                        break
                    ranked[at] = ranked[at - 1]
                    at -= 1
                ranked[at] = k
                n += 1
            for i in range(n):
                k = ranked[i]
                free = masks[k, r, c]
                for j in range(i):
                    if not share[k, ranked[j]]:
                        free &= ~owned[ranked[j], r, c]
                owned[k, r, c] = free
    return owned
