"""The land ledger: every square metre has at most one owner, except where co-use is declared.

Masks are sub-cell masks (uint16, 16 sub-cells a cell), so that ownership is exact bit algebra.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from siting.contracts import HostType

Mask = npt.NDArray[np.uint16]


def may_share(a: str, b: str, co_use: Sequence[tuple[str, str]]) -> bool:
    """Whether two host types are declared to share land, in either order."""
    return (a, b) in co_use or (b, a) in co_use


def assign_owners(
    eligible: Sequence[tuple[HostType, Mask]], co_use: Sequence[tuple[str, str]] = ()
) -> tuple[Mask, ...]:
    """Owned land of each host type, in the order given.

    A disputed sub-cell goes to the lower ``ledger_priority`` (then to the first name), whatever the order of
    ``eligible``. Host types declared to share land do not block each other.

    Parameters
    ----------
    eligible : sequence of (HostType, uint16 array)
        Eligible land, all arrays of one shape.
    co_use : sequence of (host type, host type)
        Declared pairs.
    """
    order = sorted(range(len(eligible)), key=lambda k: (eligible[k][0].ledger_priority, eligible[k][0].host_type))
    owned: dict[int, Mask] = {}
    for k in order:
        host, mask = eligible[k]
        free = mask.copy()
        for other, taken in owned.items():
            if not may_share(host.host_type, eligible[other][0].host_type, co_use):
                free &= ~taken
        owned[k] = free
    return tuple(owned[k] for k in range(len(eligible)))
