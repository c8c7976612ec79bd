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
def _mark(reasons, part, bit):  # type: ignore[no-untyped-def]
    for k in range(part.size):
        reasons[k] |= bit * np.uint64(part[k] != 0)


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
def unmapped_land(stack, mappers, inside):  # type: ignore[no-untyped-def]
    """Land of the region that none of the layers ``stack[mappers]`` covers."""
    out = inside.copy()
    for m in mappers:
        for r in range(out.shape[0]):
            _without(out[r], out[r], stack[m, r])
    return out


@njit(cache=True, nogil=True)
def evaluate_host(stack, own_layers, excluding, doubting, inside, unmapped, runs, weight, sums, reasons):  # type: ignore[no-untyped-def]
    """Eligible and unknown land of one host type in a strip; fills ``sums``, zeros before (see :func:`add_counts`).

    Parameters
    ----------
    stack : uint16, shape (masks, rows, columns)
    own_layers : int64
        Masks whose union is the host land.
    excluding, doubting : int64, one entry a rule
        Masks of the land that the rule excludes, and of the land where it cannot tell (-1: it always can).
    reasons : uint16, uint32 or uint64, shape of a strip, zeros; or of shape (0, 0)
        Takes bit j in cells where rule j excludes host land.

    Returns
    -------
    eligible, unknown : uint16, shape of a strip
    """
    rows, cols = inside.shape
    rules = excluding.size
    eligible = np.zeros((rows, cols), np.uint16)
    unknown = unmapped.copy()
    own_row, once_row, twice_row = np.zeros(cols, np.uint16), np.zeros(cols, np.uint16), np.zeros(cols, np.uint16)
    sure_row, doubt_row, part_row = np.zeros(cols, np.uint16), np.zeros(cols, np.uint16), np.zeros(cols, np.uint16)
    some_doubt = False
    for j in range(rules):
        some_doubt |= doubting[j] >= 0
    for r in range(rows):
        own_row[:] = 0
        for m in own_layers:
            _or(own_row, stack[m, r])
        _and(own_row, own_row, inside[r])
        west, east = 0, cols
        while west < cols and own_row[west] == 0:
            west += 1
        if west == cols:
            add_counts(sums, UNKNOWN, unknown[r], 0, r, runs, weight)
            continue
        while own_row[east - 1] == 0:
            east -= 1
        own, once, twice = own_row[west:east], once_row[west:east], twice_row[west:east]
        sure, doubt, part = sure_row[west:east], doubt_row[west:east], part_row[west:east]
        once[:] = 0
        twice[:] = 0
        for j in range(rules):
            if doubting[j] < 0:
                _meet(once, twice, stack[excluding[j], r, west:east])
            else:
                part[:] = stack[excluding[j], r, west:east]
                _or(part, stack[doubting[j], r, west:east])
                _meet(once, twice, part)
        free = eligible[r, west:east]
        _without(free, own, once)
        if some_doubt:
            sure[:] = 0
            doubt[:] = 0
            for j in range(rules):
                _or(sure, stack[excluding[j], r, west:east])
                if doubting[j] >= 0:
                    _or(doubt, stack[doubting[j], r, west:east])
            _and(part, own, doubt)
            _without(part, part, sure)
            _or(unknown[r, west:east], part)
        add_counts(sums, OWN, own, west, r, runs, weight)
        add_counts(sums, ELIGIBLE, free, west, r, runs, weight)
        add_counts(sums, UNKNOWN, unknown[r], 0, r, runs, weight)
        for j in range(rules):
            key = PER_HOST + PER_RULE * j
            _and(part, own, stack[excluding[j], r, west:east])
            lost = add_counts(sums, key + LOST, part, west, r, runs, weight)
            if lost:
                if reasons.size:
                    _mark(reasons[r, west:east], part, np.uint64(1) << np.uint64(j))
                _without(part, part, twice)
                add_counts(sums, key + SOLE, part, west, r, runs, weight)
            if doubting[j] >= 0:  # of other rules it is the same as SOLE
                part[:] = stack[excluding[j], r, west:east]
                _or(part, stack[doubting[j], r, west:east])
                _and(part, part, own)
                _without(part, part, twice)
                add_counts(sums, key + REGAINED, part, west, r, runs, weight)
    for j in range(rules):
        if doubting[j] < 0:
            sums[PER_HOST + PER_RULE * j + REGAINED] += sums[PER_HOST + PER_RULE * j + SOLE]
    return eligible, unknown


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
