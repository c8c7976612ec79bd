"""The same land under two rule packs: what changes hands, by host type and by rule, and where.

A pure core on two results of :func:`siting.land.eligibility.evaluate_land` for one region; reading packs and writing
files is the caller's. The masks are walked strip by strip, so that a province needs no more memory than its compressed
masks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.contracts import Region
from layers.mask_store import MaskStore, rows_of
from layers.submask import SUBCELLS
from layers.tables import Table, column
from siting.contracts import HostLand, LandResult, Rule
from siting.rules.packs import PackRule, RulePack, changed_figures

Mask = npt.NDArray[np.uint16]
Change = Literal["none", "gained", "lost", "now_unknown", "now_excluded"]

CHANGES: tuple[Change, ...] = ("none", "gained", "lost", "now_unknown", "now_excluded")
"""Codes 0 to 4 of the change raster: became eligible; is eligible no more; excluded land became unknown; unknown land
became excluded."""

STRIP_ROWS = 256
_M2_PER_KM2 = 1e6

PACK_STATES = Table(
    "pack_states",
    "Land of each host type under two rule packs.",
    {
        "host_type": column(str, "", "host type id"),
        "eligible_before_km2": column(float, "km2", "eligible under the study's own pack", ge=0),
        "eligible_after_km2": column(float, "km2", "eligible under the other pack", ge=0),
        "excluded_before_km2": column(float, "km2", "excluded under the study's own pack", ge=0),
        "excluded_after_km2": column(float, "km2", "excluded under the other pack", ge=0),
        "unknown_before_km2": column(float, "km2", "unknown under the study's own pack", ge=0),
        "unknown_after_km2": column(float, "km2", "unknown under the other pack", ge=0),
        "gained_km2": column(float, "km2", "eligible under the other pack only", ge=0),
        "lost_km2": column(float, "km2", "eligible under the study's own pack only", ge=0),
    },
)

PACK_RULES = Table(
    "pack_rules",
    "What each rule costs each host type under two rule packs.",
    {
        "host_type": column(str, "", "host type id"),
        "rule": column(str, "", "rule id and layer"),
        "label_zh": column(str, "", "what the rule is called"),
        "label_en": column(str, "", "what the rule is called"),
        "lost_before_km2": column(float, "km2", "excluded under its own pack; NaN: no such rule", nullable=True),
        "lost_after_km2": column(float, "km2", "excluded under the other; NaN: no such rule", nullable=True),
        "sole_before_km2": column(float, "km2", "by this rule alone, study's own pack", nullable=True),
        "sole_after_km2": column(float, "km2", "by this rule alone, other pack", nullable=True),
        "document_before": column(str, "", "document in the study's own pack"),
        "document_after": column(str, "", "document in the other pack"),
    },
)

PACK_CHANGES = Table(
    "pack_changes",
    "Rules that two packs state differently, whether or not the study uses them.",
    {
        "rule": column(str, "", "rule id"),
        "change": column(str, "", "added, removed or changed", isin=("added", "removed", "changed")),
        "fields": column(str, "", "what differs, separated by blanks"),
        "before": column(str, "", "figures of the first pack"),
        "after": column(str, "", "figures of the second pack"),
        "document_before": column(str, "", "document in the first pack"),
        "document_after": column(str, "", "document in the second pack"),
    },
)


@dataclass(frozen=True)
class PackComparison:
    """Two results for one region, side by side. ``states`` follows :data:`PACK_STATES`, ``rules``
    :data:`PACK_RULES`."""

    states: pd.DataFrame
    rules: pd.DataFrame

    @property
    def changed_hosts(self) -> tuple[str, ...]:
        """Host types of which any land changes hands or state."""
        moved = self.states["gained_km2"] + self.states["lost_km2"]
        for state in ("excluded", "unknown"):
            moved += (self.states[f"{state}_after_km2"] - self.states[f"{state}_before_km2"]).abs()
        return tuple(self.states.loc[moved > 0, "host_type"])


def compare_land(
    before: LandResult,
    after: LandResult,
    region: Region,
    *,
    rules_before: Sequence[Rule] = (),
    rules_after: Sequence[Rule] = (),
) -> PackComparison:
    """Compare the land of a region under two sets of rules.

    Parameters
    ----------
    before, after : LandResult
        Of one frame and the same host types.
    region : Region
    rules_before, rules_after
        For labels and documents.

    Raises
    ------
    ValueError
        If the results are not of one frame, or of other host types.
    """
    names = [land.host_type for land in before.lands]
    if before.frame != after.frame or before.frame != region.frame:
        raise ValueError("the two results are not of one frame")
    if sorted(names) != sorted(land.host_type for land in after.lands):
        raise ValueError("the two results have other host types")
    states = [_states(name, before, after, region) for name in names]
    table = pd.DataFrame(states, columns=list(PACK_STATES.columns)).astype({"host_type": object})
    return PackComparison(PACK_STATES.validate(table), _rules(before, after, rules_before, rules_after))


def _states(name: str, before: LandResult, after: LandResult, region: Region) -> tuple[object, ...]:
    first, second = before.land(name), after.land(name)
    gained = np.zeros(region.frame.height, np.int64)
    lost = np.zeros(region.frame.height, np.int64)
    for row0, row1 in _strips(region.frame.height):
        a, b = rows_of(first.eligible, row0, row1), rows_of(second.eligible, row0, row1)
        gained[row0:row1] = np.bitwise_count(b & ~a).sum(axis=1, dtype=np.int64)
        lost[row0:row1] = np.bitwise_count(a & ~b).sum(axis=1, dtype=np.int64)
    row_km2 = region.cell_area_m2 / SUBCELLS / _M2_PER_KM2
    rows = [result.states.set_index("host_type").loc[name] for result in (before, after)]
    figures = [float(row[f"{state}_km2"]) for state in ("eligible", "excluded", "unknown") for row in rows]
    return (name, *figures, float(np.sum(gained * row_km2)), float(np.sum(lost * row_km2)))


def _strips(height: int) -> Iterator[tuple[int, int]]:
    for row0 in range(0, height, STRIP_ROWS):
        yield row0, min(row0 + STRIP_ROWS, height)


def _rules(
    before: LandResult, after: LandResult, rules_before: Sequence[Rule], rules_after: Sequence[Rule]
) -> pd.DataFrame:
    figures = ["lost_km2", "sole_km2"]
    keys = ["host_type", "rule"]
    both = before.waterfall[[*keys, *figures]].merge(
        after.waterfall[[*keys, *figures]], on=keys, how="outer", suffixes=("_before", "_after"), sort=True
    )
    first, second = ({rule.id: rule for rule in rules} for rules in (rules_before, rules_after))
    named = [second.get(rule) or first.get(rule) for rule in both["rule"]]
    table = pd.DataFrame(
        {
            "host_type": both["host_type"],
            "rule": both["rule"],
            "label_zh": [rule.label_zh if rule else "" for rule in named],
            "label_en": [rule.label_en if rule else "" for rule in named],
            "lost_before_km2": both["lost_km2_before"],
            "lost_after_km2": both["lost_km2_after"],
            "sole_before_km2": both["sole_km2_before"],
            "sole_after_km2": both["sole_km2_after"],
            "document_before": [first[rule].document if rule in first else "" for rule in both["rule"]],
            "document_after": [second[rule].document if rule in second else "" for rule in both["rule"]],
        }
    )
    texts = [name for name, promise in PACK_RULES.columns.items() if promise.dtype is str]
    return PACK_RULES.validate(table.astype(dict.fromkeys(texts, object)))


# --- where ----------------------------------------------------------------------------------------------------------


def change_rows(before: HostLand, after: HostLand, inside: Mask, row0: int, row1: int) -> npt.NDArray[np.uint8]:
    """Codes of :data:`CHANGES` for rows ``row0 <= row < row1``, shape (row1 - row0, width).

    Parameters
    ----------
    before, after : HostLand
        Of one host type.
    inside : ndarray of uint16
        Region mask of these rows.

    Notes
    -----
    A cell takes the change of most of its sub-cells that change at all; gains before losses before the rest.
    """
    a, b = (rows_of(land.eligible, row0, row1) for land in (before, after))
    a_unknown, b_unknown = (rows_of(land.unknown, row0, row1) for land in (before, after))
    now_unknown = inside & b_unknown & ~a_unknown & ~a
    now_excluded = inside & a_unknown & ~b_unknown & ~b
    counts = np.stack([np.bitwise_count(mask) for mask in (b & ~a, a & ~b, now_unknown, now_excluded)])
    codes = counts.argmax(axis=0) + 1
    return np.where(counts.any(axis=0), codes, 0).astype(np.uint8)


def change_strips(
    before: LandResult, after: LandResult, region: Region, host_type: str
) -> Iterator[tuple[int, npt.NDArray[np.uint8]]]:
    """(first row, codes) from north to south; together the change raster of a host type."""
    first, second = before.land(host_type), after.land(host_type)
    mask: MaskStore | Mask = region.mask
    for row0, row1 in _strips(region.frame.height):
        yield row0, change_rows(first, second, rows_of(mask, row0, row1), row0, row1)


# --- the packs themselves -------------------------------------------------------------------------------------------


def compare_packs(before: RulePack, after: RulePack, *, province: str = "") -> pd.DataFrame:
    """Rules that two packs state differently in a province, after :data:`PACK_CHANGES`; in the order of the packs."""
    names = list(dict.fromkeys([rule.id for rule in (*before.rules, *after.rules)]))
    rows = []
    for name in names:
        first, second = (pack.find(name) for pack in (before, after))
        a, b = (rule.in_province(province) if rule else None for rule in (first, second))
        row = _change(name, a, b)
        if row is not None:
            rows.append(row)
    table = pd.DataFrame(rows, columns=list(PACK_CHANGES.columns)).astype(object)
    return PACK_CHANGES.validate(table)


def _change(name: str, before: PackRule | None, after: PackRule | None) -> tuple[str, ...] | None:
    if before is None and after is not None:
        return name, "added", "", "", _figures(after, _FIGURES), "", after.document
    if before is not None and after is None:
        return name, "removed", "", _figures(before, _FIGURES), "", before.document, ""
    assert before is not None
    assert after is not None
    differing = changed_figures(before, after)
    if not differing:
        return None
    shown = [field for field in differing if field in _FIGURES]
    words = " ".join(differing), _figures(before, shown), _figures(after, shown)
    return name, "changed", *words, before.document, after.document


def _figures(rule: PackRule, fields: Iterable[str]) -> str:
    """Figures of a rule that it states, e.g. ``setback_m 500; applies_to wind_plain wind_hill``."""
    return "; ".join(f"{name} {_FIGURES[name](getattr(rule, name))}" for name in fields if _stated(getattr(rule, name)))


def figures_in_words(rule: PackRule) -> str:
    """All figures that a rule states, and its host types, in one line."""
    return _figures(rule, _FIGURES)


def _stated(value: object) -> bool:
    return not (isinstance(value, float) and (math.isnan(value) or value == 0)) and value not in ("", ())


def _number(value: object) -> str:
    return f"{value:g}"


def _rows_in_words(rows: object) -> str:
    return ", ".join(f"{row.label} {row.setback_m:g} m" for row in rows)  # type: ignore[attr-defined]


def _joined(values: object) -> str:
    return " ".join(values)  # type: ignore[arg-type]


_FIGURES: Mapping[str, Callable[[object], str]] = {
    "kind": str,
    "setback_m": _number,
    "setbacks": _rows_in_words,
    "limit": _number,
    "low": _number,
    "high": _number,
    "share": _number,
    "width_m": _number,
    "applies_to": _joined,
}
