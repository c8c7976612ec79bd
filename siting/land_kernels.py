"""Compiled loops of the land stage: one strip, one host type at a time, a row of masks in the processor's cache.

Areas are sums of whole sub-cells per row times the row's sub-cell area as a fixed-point number in two halves
(``weight[row] = high * 2**20 + low``), added as integers: the sums are the same for any order of strips and workers.
"""

from __future__ import annotations

import numpy as np
from numba import njit

OWN, ELIGIBLE, UNKNOWN, OWNED, PER_HOST = 0, 1, 2, 3, 4
"""Rows of ``sums``; those of rule j follow at ``PER_HOST + PER_RULE * j``."""
LOST, SOLE, REGAINED, PER_RULE = 0, 1, 2, 3


@njit(cache=True, nogil=True, inline="always")
def _bits(word):  # type: ignore[no-untyped-def]
    """Bits set in a 16-bit word."""
    w = np.uint16(word)
    w = np.uint16(w - ((w >> np.uint16(1)) & np.uint16(0x5555)))
    w = np.uint16((w & np.uint16(0x3333)) + ((w >> np.uint16(2)) & np.uint16(0x3333)))
    w = np.uint16((w + (w >> np.uint16(4))) & np.uint16(0x0F0F))
    return np.uint16((w + (w >> np.uint16(8))) & np.uint16(0x1F))


@njit(cache=True, nogil=True)
def count_bits(words):  # type: ignore[no-untyped-def]
    """Bits set in a row of words."""
    total = np.int64(0)
    for start in range(0, words.size, 2048):  # 2048 x 16 fits a 16-bit sum
        part = np.uint16(0)
        for k in range(start, min(start + 2048, words.size)):
            part = np.uint16(part + _bits(words[k]))
        total += part
    return total


@njit(cache=True, nogil=True)
def fill_districts(district, inside, halo):  # type: ignore[no-untyped-def]
    """District of each cell of the region; border cells whose centre lies in none take the nearest within 2 cells.

    ``district`` has ``halo`` rows more in the north (the strip's first row is row ``halo``) and some in the south.
    Returns the numbers of the strip, 0 outside the region and where none is near.
    """
    rows, cols = inside.shape
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
    return out


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
def add_counts(sums, key, words, row, runs, weight, low, high):  # type: ignore[no-untyped-def]
    """Add the bits of columns ``low`` to ``high`` of one row, by district, to ``sums[key]``."""
    first, west, east, which = runs
    for k in range(first[row], first[row + 1]):
        a, b = max(west[k], low), min(east[k], high)
        n = count_bits(words[a:b]) if a < b else 0
        if n:
            sums[key, which[k], 0] += n * weight[row, 0]
            sums[key, which[k], 1] += n * weight[row, 1]


@njit(cache=True, nogil=True)
def add_mask(sums, key, mask, runs, weight):  # type: ignore[no-untyped-def]
    """Add the bits of a strip, by district, to ``sums[key]``."""
    for row in range(mask.shape[0]):
        add_counts(sums, key, mask[row], row, runs, weight, 0, mask.shape[1])


@njit(cache=True, nogil=True)
def unmapped_land(stack, mappers, inside):  # type: ignore[no-untyped-def]
    """Land of the region that none of the layers ``stack[mappers]`` covers."""
    out = inside.copy()
    for m in mappers:
        for r in range(out.shape[0]):
            for c in range(out.shape[1]):
                out[r, c] &= ~stack[m, r, c]
    return out


@njit(cache=True, nogil=True)
def evaluate_host(stack, own_layers, excluding, doubting, inside, unmapped, runs, weight, sums, reasons):  # type: ignore[no-untyped-def]
    """Eligible and unknown land of one host type in a strip; adds to ``sums`` (see :func:`add_counts`).

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
    own, once, twice = np.zeros(cols, np.uint16), np.zeros(cols, np.uint16), np.zeros(cols, np.uint16)
    sure, doubt, part = np.zeros(cols, np.uint16), np.zeros(cols, np.uint16), np.zeros(cols, np.uint16)
    for r in range(rows):
        own[:] = 0
        for m in own_layers:
            for c in range(cols):
                own[c] |= stack[m, r, c]
        for c in range(cols):
            own[c] &= inside[r, c]
        west, east = 0, cols
        while west < cols and own[west] == 0:
            west += 1
        if west < cols:
            while own[east - 1] == 0:
                east -= 1
            for c in range(west, east):
                once[c] = twice[c] = sure[c] = doubt[c] = 0
            for j in range(rules):
                x, u = excluding[j], doubting[j]
                if u < 0:
                    for c in range(west, east):
                        word = stack[x, r, c]
                        twice[c] |= once[c] & word
                        once[c] |= word
                        sure[c] |= word
                else:
                    for c in range(west, east):
                        word = stack[x, r, c] | stack[u, r, c]
                        twice[c] |= once[c] & word
                        once[c] |= word
                        sure[c] |= stack[x, r, c]
                        doubt[c] |= stack[u, r, c]
            for c in range(west, east):
                eligible[r, c] = own[c] & ~once[c]
                unknown[r, c] |= own[c] & doubt[c] & ~sure[c]
            add_counts(sums, OWN, own, r, runs, weight, west, east)
            add_counts(sums, ELIGIBLE, eligible[r], r, runs, weight, west, east)
            for j in range(rules):
                x, u, key = excluding[j], doubting[j], PER_HOST + PER_RULE * j
                some = False
                for c in range(west, east):
                    part[c] = own[c] & stack[x, r, c]
                    some |= part[c] != 0
                if some:
                    add_counts(sums, key + LOST, part, r, runs, weight, west, east)
                    if reasons.size:
                        for c in range(west, east):
                            if part[c] != 0:
                                reasons[r, c] |= np.uint64(1) << np.uint64(j)
                    for c in range(west, east):
                        part[c] &= ~twice[c]
                    add_counts(sums, key + SOLE, part, r, runs, weight, west, east)
                if u >= 0:
                    for c in range(west, east):
                        part[c] = own[c] & (stack[x, r, c] | stack[u, r, c]) & ~twice[c]
                    some = True
                if some:
                    add_counts(sums, key + REGAINED, part, r, runs, weight, west, east)
                    for c in range(west, east):
                        part[c] = 0
            own[west:east] = 0
        add_counts(sums, UNKNOWN, unknown[r], r, runs, weight, 0, cols)
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
                    for c in range(owned.shape[2]):
                        owned[k, r, c] &= ~owned[other, r, c]
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
