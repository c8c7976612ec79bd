"""Rule packs: exclusions as data with document, clause, date and confidence (``siting/rules/*.toml``).

A study's exclusion names a rule of the pack and the layer it applies to, and may override setback, limit and host
types; or it brings a rule of its own with labels.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from layers.contracts import Finding, InputError
from siting.contracts import Confidence, Rule
from siting.host_types import load_host_types, nearest_key

_KINDS = get_args(get_type_hints(Rule)["kind"])
_CONFIDENCES = get_args(Confidence)
RULES_FOLDER = Path(__file__).resolve().parent / "rules"


@dataclass(frozen=True)
class PackRule:
    """One rule of a pack, before it is applied to a layer."""

    id: str
    label_zh: str
    label_en: str
    document: str
    clause: str
    date: str
    confidence: str
    applies_to: tuple[str, ...]
    kind: str = "vector"
    setback_m: float = 0.0
    limit: float = math.nan


@dataclass(frozen=True)
class RulePack:
    """A named edition of the rule book."""

    name: str
    edition: str
    rules: tuple[PackRule, ...]

    def find(self, rule_id: str) -> PackRule | None:
        return next((rule for rule in self.rules if rule.id == rule_id), None)


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


def load_rule_pack(name: str, folder: Path = RULES_FOLDER) -> RulePack:
    """The rule pack ``name``.

    Raises
    ------
    InputError
        If there is no such pack (naming the nearest one), or a rule lacks a key or names an unknown host type.
    """
    path = folder / f"{name}.toml"
    if not path.is_file():
        remedy = nearest_key(name, [known.stem for known in folder.glob("*.toml")])
        raise InputError([_fault(path.name, "rules.unknown_pack", "land", name, "no such rule pack.", remedy)])
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        remedy = "Correct the file at the place named."
        raise InputError([_fault(path.name, "rules.syntax", name, str(error), "not a TOML file.", remedy)]) from error
    findings = [
        _fault(path.name, "rules.key", name, key, f"the pack has no {key}.", "Add it.")
        for key in ("name", "edition", "rules")
        if key not in raw
    ]
    found = [_pack_rule(path.name, entry, findings) for entry in raw.get("rules", ())]
    rules = tuple(rule for rule in found if rule is not None)
    findings += [
        _fault(path.name, "rules.repeated", rule.id, rule.id, "the id is used twice.", "Rename one.")
        for number, rule in enumerate(rules)
        if rule.id in {earlier.id for earlier in rules[:number]}
    ]
    if findings:
        raise InputError(findings)
    return RulePack(raw["name"], raw["edition"], rules)


def rules_for_study(pack: RulePack, entries: Sequence[PackEntry], *, file: str) -> tuple[Rule, ...]:
    """The rules of a study, each with the layer it applies to.

    Raises
    ------
    InputError
        With every unknown rule, negative setback, unknown host type and missing limit; ``file`` is named in them.
    """
    findings: list[Finding] = []
    found = [_study_rule(pack, number, entry, file, findings) for number, entry in enumerate(entries, start=1)]
    rules = tuple(rule for rule in found if rule is not None)
    findings += [
        _fault(file, "rules.repeated", rule.id, rule.layer, "the rule is applied to the layer twice.", "Drop one row.")
        for number, rule in enumerate(rules)
        if any(rule.id == earlier.id and _concern_one_host(rule, earlier) for earlier in rules[:number])
    ]
    if findings:
        raise InputError(findings)
    return rules


def _concern_one_host(a: Rule, b: Rule) -> bool:
    return not a.applies_to or not b.applies_to or not set(a.applies_to).isdisjoint(b.applies_to)


def _pack_rule(file: str, entry: dict[str, Any], findings: list[Finding]) -> PackRule | None:
    try:
        values: dict[str, Any] = {**entry, "applies_to": tuple(entry["applies_to"])}
        for number in ("setback_m", "limit"):
            if number in values:
                values[number] = float(values[number])
        rule = PackRule(**values)
    except (KeyError, TypeError) as error:
        shown = str(entry.get("id", "?"))
        findings.append(_fault(file, "rules.key", shown, str(error), "a key is missing or unknown.", "See the others."))
        return None
    findings += _unknown_hosts(file, rule.id, rule.applies_to)
    for key, allowed in (("kind", _KINDS), ("confidence", _CONFIDENCES)):
        value = getattr(rule, key)
        if value not in allowed:
            findings.append(_fault(file, "rules.value", rule.id, value, f"not a {key}.", nearest_key(value, allowed)))
    if not (rule.setback_m >= 0 and math.isfinite(rule.setback_m)):
        shown, message = f"{rule.setback_m:g}", "the setback is not a distance."
        findings.append(_fault(file, "rules.negative_setback", rule.id, shown, message, "State 0 m or more."))
    return rule


def _study_rule(pack: RulePack, number: int, entry: PackEntry, file: str, findings: list[Finding]) -> Rule | None:
    item = f"row {number} {entry.rule}"
    known = pack.find(entry.rule)
    if known is None and entry.label_en is None:
        near = nearest_key(entry.rule, [rule.id for rule in pack.rules])
        remedy = f"{near} Or give label_zh, label_en and document for a rule of your own."
        findings.append(_fault(file, "rules.unknown", item, entry.rule, f"no such rule in {pack.name}.", remedy))
        return None
    base = known or PackRule(
        entry.rule, entry.label_zh or entry.label_en or "", entry.label_en or "", entry.document or "", "", "", "C", ()
    )
    setback = base.setback_m if entry.setback_m is None else entry.setback_m
    limit = base.limit if entry.limit is None else entry.limit
    hosts = base.applies_to if entry.applies_to is None else entry.applies_to
    before = len(findings)
    if not (setback >= 0 and math.isfinite(setback)):
        remedy = "Give the distance in metres, 0 or more."
        findings.append(
            _fault(file, "rules.negative_setback", item, f"{setback:g}", "the setback is negative.", remedy)
        )
    if base.kind != "vector" and math.isnan(limit):
        findings.append(_fault(file, "rules.limit", item, "", "the rule needs a limit.", "Give limit = ..."))
    findings += _unknown_hosts(file, item, hosts)
    if len(findings) > before:
        return None
    return Rule(
        id=f"{base.id}:{entry.layer}",
        label_zh=entry.label_zh or base.label_zh,
        label_en=entry.label_en or base.label_en,
        layer=entry.layer,
        applies_to=tuple(hosts),
        kind=base.kind,  # type: ignore[arg-type]
        setback_m=setback,
        limit=limit,
        document=entry.document or base.document,
        clause=base.clause,
        confidence=base.confidence,  # type: ignore[arg-type]
    )


def _unknown_hosts(file: str, item: str, hosts: Sequence[str]) -> list[Finding]:
    known = [host.host_type for host in load_host_types()]
    found = []
    for name in hosts:
        if name not in known:
            message = f"unknown host type '{name}'."
            found.append(_fault(file, "rules.unknown_host", item, name, message, nearest_key(name, known)))
    return found


def _fault(file: str, rule: str, item: str, value: str, message: str, remedy: str) -> Finding:
    return Finding("error", rule, file, "exclusions", item, value, message, remedy)
