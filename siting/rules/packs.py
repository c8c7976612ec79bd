"""The rules of one study: entries of a rule pack, each applied to a layer (packs: :mod:`siting.rules.pack_files`).

A study's exclusion names a rule of the pack and the layer it applies to, and may override its figures, its host types
and say which features of the layer it means; or it brings a rule of its own with labels. The version of the study's
province goes before the general one, what the study says goes before both.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from layers.contracts import Finding, InputError
from siting.contracts import Nodata, Rule, SetbackRow
from siting.hosts.types import nearest_key
from siting.rules.pack_files import (
    CONFIDENCES,
    KINDS,
    RULES_FOLDER,
    ArrayGeometry,
    PackRule,
    RoofRatio,
    RulePack,
    host_names,
    known_packs,
    load_rule_pack,
)

__all__ = [
    "RULES_FOLDER",
    "ArrayGeometry",
    "PackEntry",
    "PackRule",
    "RoofRatio",
    "RulePack",
    "known_packs",
    "load_rule_pack",
    "province_of_codes",
    "rules_for_study",
]

WIDEST_SETBACK_M = 50_000.0
"""No rule sets back further; a larger number is in another unit."""

STEEPEST_DEGREE = 90.0

_OVERRIDES = ("setback_m", "limit", "low", "high", "share", "width_m")
_SHARES = ("cell_share", "cell_share_below", "feature_share", "feature_share_below")
_RANGES = ("raster_between", "raster_outside", "aspect_between")


@dataclass(frozen=True)
class PackEntry:
    """What a study says: this rule on that layer; None keeps the pack's value."""

    rule: str
    layer: str
    setback_m: float | None = None
    limit: float | None = None
    applies_to: tuple[str, ...] | None = None
    label_zh: str | None = None
    label_en: str | None = None
    document: str | None = None
    clause: str | None = None
    date: str | None = None
    confidence: str | None = None
    kind: str | None = None
    """Of a rule of the study's own; 'vector' where it says nothing."""
    low: float | None = None
    high: float | None = None
    share: float | None = None
    width_m: float | None = None
    classes: tuple[str, ...] = ()
    class_column: str = ""
    setback_column: str = ""
    setbacks: tuple[SetbackRow, ...] | None = None
    features_of: str = ""
    known_within: str = ""
    nodata: Nodata = "unknown"
    nodata_reason: str = ""


@dataclass
class _Report:
    """Findings about one study's exclusions."""

    file: str
    item: str = ""
    findings: list[Finding] = field(default_factory=list)

    def add(self, rule: str, value: object, message: str, remedy: str) -> None:
        found = Finding("error", f"rules.{rule}", self.file, "exclusions", self.item, str(value), message, remedy)
        self.findings.append(found)


def province_of_codes(codes: Iterable[str]) -> str:
    """Province that all district codes lie in, e.g. ``340000``; empty where they are no codes or of two provinces.

    Six digits after GB/T 2260, also with the country's 156 before them as national map services write them.

    >>> province_of_codes(["341602", "341621"]), province_of_codes(["156330112"]), province_of_codes(["Yi"])
    ('340000', '330000', '')
    """
    digits = [code[3:] if len(code) == 9 and code.startswith("156") else code for code in codes]
    if not digits or not all(code.isascii() and code.isdigit() and len(code) == 6 for code in digits):
        return ""
    heads = {code[:2] for code in digits}
    return f"{heads.pop()}0000" if len(heads) == 1 else ""


def rules_for_study(pack: RulePack, entries: Sequence[PackEntry], *, file: str, province: str = "") -> tuple[Rule, ...]:
    """The rules of a study, each with the layer it applies to.

    Parameters
    ----------
    pack, entries
        The rule book, and what the study takes out of it.
    file
        Named in findings.
    province
        GB/T 2260 code of the province whose own versions of rules hold; empty: the general ones.

    Raises
    ------
    InputError
        With every unknown rule and host type, every figure that is missing, negative or absurd (a slope above 90
        degrees, a setback above 50 km, a share above 1), every class list without a column, every ``nodata`` without
        its reason.
    """
    report = _Report(file)
    found = [_study_rule(pack, number, entry, province, report) for number, entry in enumerate(entries, start=1)]
    rules = tuple(rule for rule in found if rule is not None)
    for number, rule in enumerate(rules):
        if any(rule.id == earlier.id and _concern_one_host(rule, earlier) for earlier in rules[:number]):
            report.item = rule.id
            report.add("repeated", rule.layer, "the rule is applied to the layer twice.", "Drop one row.")
    if report.findings:
        raise InputError(report.findings)
    return rules


def _concern_one_host(a: Rule, b: Rule) -> bool:
    return not a.applies_to or not b.applies_to or not set(a.applies_to).isdisjoint(b.applies_to)


def _study_rule(pack: RulePack, number: int, entry: PackEntry, province: str, report: _Report) -> Rule | None:
    report.item = f"row {number} {entry.rule}"
    known = pack.find(entry.rule)
    if known is None and entry.label_en is None:
        near = nearest_key(entry.rule, [rule.id for rule in pack.rules])
        remedy = f"{near} Or give label_zh, label_en and document for a rule of your own."
        report.add("unknown", entry.rule, f"no such rule in {pack.name}.", remedy)
        return None
    before = len(report.findings)
    base = _own_rule(entry, report) if known is None else known.in_province(province)
    if known is not None and entry.kind not in (None, known.kind):
        message = f"the pack's rule is of kind '{known.kind}'."
        report.add("kind", entry.kind, message, "Drop kind, or give the rule an id of its own.")
    rule = _applied(base, entry)
    _check_hosts(rule, report)
    _check_figures(rule, report)
    _check_choice(rule, report)
    return rule if len(report.findings) == before else None


def _own_rule(entry: PackEntry, report: _Report) -> PackRule:
    """The base of a rule that only the study has."""
    for key, value, allowed in (("kind", entry.kind, KINDS), ("confidence", entry.confidence, CONFIDENCES)):
        if value is not None and value not in allowed:
            report.add("value", value, f"not a {key}.", nearest_key(value, allowed))
    labels = entry.label_zh or entry.label_en or "", entry.label_en or ""
    kind = entry.kind if entry.kind in KINDS else "vector"
    return PackRule(entry.rule, *labels, "", "", "", "C", (), kind=kind)


def _applied(base: PackRule, entry: PackEntry) -> Rule:
    """A rule of the pack on a layer of the study; what the study says goes before the pack."""
    figures = {name: _either(getattr(entry, name), getattr(base, name)) for name in _OVERRIDES}
    rows = base.setbacks if entry.setbacks is None else entry.setbacks
    changed = entry.setback_m is not None and entry.setbacks is None and not entry.setback_column
    return Rule(
        id=f"{base.id}:{entry.layer}",
        label_zh=entry.label_zh or base.label_zh,
        label_en=entry.label_en or base.label_en,
        layer=entry.layer,
        applies_to=tuple(_either(entry.applies_to, base.applies_to)),
        kind=base.kind,  # type: ignore[arg-type]
        **figures,
        document=entry.document or base.document,
        clause=entry.clause or base.clause,
        date=entry.date or base.date,
        confidence=entry.confidence or base.confidence,  # type: ignore[arg-type]
        classes=entry.classes,
        class_column=entry.class_column,
        # a table needs to know which column it speaks of; a single figure of the study's stands for all features
        setback_rows=() if changed or not entry.setback_column else rows,
        setback_column=entry.setback_column,
        features_of=entry.features_of,
        unit=base.unit,
        known_within=entry.known_within,
        nodata=entry.nodata,
        nodata_reason=entry.nodata_reason,
        province=base.province,
    )


def _either(given: Any, base: Any) -> Any:
    return base if given is None else given


def _check_hosts(rule: Rule, report: _Report) -> None:
    known = host_names()
    for name in rule.applies_to:
        if name not in known:
            report.add("unknown_host", name, f"unknown host type '{name}'.", nearest_key(name, known))


def _check_figures(rule: Rule, report: _Report) -> None:
    """Numbers that are missing where the kind needs them, or cannot be."""
    for setback in (rule.setback_m, *(row.setback_m for row in rule.setback_rows)):
        if not (setback >= 0 and math.isfinite(setback)):
            remedy = "Give the distance in metres, 0 or more."
            report.add("negative_setback", f"{setback:g}", "the setback is negative or no number.", remedy)
        elif setback > WIDEST_SETBACK_M:
            message = f"the setback is more than {WIDEST_SETBACK_M / 1000:g} km."
            report.add("absurd_setback", f"{setback:g}", message, "Give the distance in metres.")
    if rule.kind in ("raster_above", "raster_below") and not math.isfinite(rule.limit):
        report.add("limit", "", "the rule needs a limit.", "Give limit = ...")
    if rule.kind in _RANGES and not (math.isfinite(rule.low) and math.isfinite(rule.high)):
        report.add("range", "", "the rule needs a range.", "Give low = ... and high = ...")
    elif rule.kind in ("raster_between", "raster_outside") and rule.low > rule.high:
        message = "the range is upside down."
        report.add("range", f"{rule.low:g}..{rule.high:g}", message, "Give low below high.")
    if rule.kind in _SHARES and not 0 <= rule.share <= 1:
        message = "the covered share is not within 0 to 1."
        report.add("share", f"{rule.share:g}", message, "Give share = 0.5 for one half.")
    if rule.kind == "vector_narrow" and not (0 < rule.width_m < math.inf):
        report.add("width", f"{rule.width_m:g}", "the rule needs a width.", "Give width_m above 0.")
    _check_angles(rule, report)


def _check_angles(rule: Rule, report: _Report) -> None:
    if rule.kind == "aspect_between":
        for angle in (rule.low, rule.high):
            if math.isfinite(angle) and not 0 <= angle <= 360:
                message = "directions run from 0 to 360 degrees, clockwise from north."
                report.add("absurd_aspect", f"{angle:g}", message, "North is 315 to 45, south 135 to 225.")
        return
    if rule.unit != "degree":
        return
    for slope in (rule.limit, rule.low, rule.high):
        if math.isfinite(slope) and not 0 <= slope <= STEEPEST_DEGREE:
            message = "no ground is that steep: slopes lie between 0 and 90 degrees."
            report.add("absurd_slope", f"{slope:g}", message, "Give the slope in degrees, not in percent.")


def _check_choice(rule: Rule, report: _Report) -> None:
    """Which features, classes and cells are meant: said where needed, and only there."""
    if rule.on_raster:
        _check_raster_choice(rule, report)
        return
    if bool(rule.classes) != bool(rule.class_column):
        message = "a class list needs the column that holds the classes, and the other way round."
        report.add("classes", rule.class_column, message, 'Give classes = ["..."] and class_column = "...".')
    if rule.setback_column and not rule.setback_rows:
        message = "the rule has no table of setbacks."
        report.add("setback_table", rule.setback_column, message, "Give setbacks = {...}, or drop setback_column.")
    if rule.kind.startswith("feature_share") != bool(rule.features_of):
        message = "features_of names the features that are judged by their covered share."
        report.add("features_of", rule.features_of, message, "Give it with a feature_share rule, and only there.")
    if rule.nodata != "unknown":
        message = "features have no nodata; land that the layer does not reach is named by known_within."
        report.add("nodata", rule.nodata, message, "Drop nodata.")


def _check_raster_choice(rule: Rule, report: _Report) -> None:
    by_class = rule.kind in ("raster_classes", "raster_not_classes")
    if by_class != bool(rule.classes):
        report.add("classes", "", f"classes do not go with the kind {rule.kind}, or lack.", "Give classes = [...].")
    for code in rule.classes:
        if by_class and not _is_number(code):
            report.add("class_code", code, "classes of a raster are numbers.", "Give the codes of the file's legend.")
    for key in ("class_column", "setback_column", "features_of", "known_within"):
        if getattr(rule, key):
            report.add("not_for_rasters", key, f"{key} goes with features, not with a raster.", f"Drop {key}.")
    if rule.setback_m:
        message = "a raster rule has no setback."
        report.add("not_for_rasters", "setback_m", message, "Turn the cells into polygons to set back from them.")
    if rule.nodata != "unknown" and not rule.nodata_reason.strip():
        message = f"missing values are taken as {rule.nodata} without a reason."
        remedy = 'Give nodata_reason = "..." in words; it is listed with the assumptions.'
        report.add("nodata_reason", rule.nodata, message, remedy)


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def changed_figures(before: PackRule, after: PackRule) -> tuple[str, ...]:
    """Names of what differs between two versions of a rule, documents included, in the order of the record."""
    names = [f.name for f in dataclasses.fields(PackRule) if f.name not in ("overrides", "province")]
    return tuple(name for name in names if not _same(getattr(before, name), getattr(after, name)))


def _same(a: object, b: object) -> bool:
    both_nan = isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b)
    return both_nan or repr(a) == repr(b)
