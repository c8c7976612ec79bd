"""Ids that survive a rerun, and names for people."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_DIGITS = 8


def stable_ids(prefix: str, anchors: Sequence[str], size: Floats) -> list[str]:
    """``<prefix>-<8 hexadecimal digits of the anchor's SHA-256>`` for each site.

    Sites with one anchor are told apart by falling ``size``. Should two anchors meet in their 8 digits (once in some
    65 000 sites of one prefix), the later anchor in the alphabet is hashed again.
    """
    order = sorted(range(len(anchors)), key=lambda k: (anchors[k], -size[k], k))
    nth: Counter[str] = Counter()
    used: set[str] = set()
    ids = [""] * len(anchors)
    for k in order:
        nth[anchors[k]] += 1
        text = f"{anchors[k]}/{nth[anchors[k]]}"
        digest = _digest(text)
        while digest in used:
            text += "+"
            digest = _digest(text)
        used.add(digest)
        ids[k] = f"{prefix}-{digest}"
    return ids


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def numbered_names(places: npt.NDArray[np.object_], label: str, size: Floats) -> list[str]:
    """Place, label and a number by falling size within the place: ``谯城区 鱼塘光伏 03``."""
    counter: Counter[str] = Counter()
    names = [""] * len(places)
    for k in np.argsort(-size, kind="stable"):
        counter[places[k]] += 1
        names[k] = f"{places[k]}{label} {counter[places[k]]:02d}"
    return names
