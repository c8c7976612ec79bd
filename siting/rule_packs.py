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
from typing import Any

from layers.contracts import Finding, InputError
from siting.contracts import Rule
from siting.host_types import load_host_types, nearest_key

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
        known = sorted(p.stem for p in folder.glob("*.toml"))
        remedy = f"Use one of {', '.join(known)}."
        raise InputError([_fault(path.name, "rules.unknown_pack", "land", name, "no such rule pack.", remedy)])
    raw = tomllib.loads(path.read_text("utf-8"))
    findings: list[Finding] = []
    rules = [_pack_rule(path.name, entry, findings) for entry in raw["rules"]]
    if findings:
        raise InputError(findings)
    return RulePack(raw["name"], raw["edition"], tuple(rule for rule in rules if rule is not None))


def rules_for_study(pack: RulePack, entries: Sequence[PackEntry], *, file: str) -> tuple[Rule, ...]:
    """The rules of a study, each with the layer it applies to.

    Raises
    ------
    InputError
        With every unknown rule, negative setback, unknown host type and missing limit; ``file`` is named in them.
    """
    findings: list[Finding] = []
    rules = [_study_rule(pack, number, entry, file, findings) for number, entry in enumerate(entries, start=1)]
    if findings:
        raise InputError(findings)
    return tuple(rule for rule in rules if rule is not None)


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
    identity = entry.rule if base.kind != "vector" or known is None else base.id
    return Rule(
        id=f"{identity}:{entry.layer}",
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
