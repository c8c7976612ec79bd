"""The rule book of a study: which pack, which province, and the rules that come of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from siting.contracts import Rule, SetbackRow
from siting.rules.packs import (
    RULES_FOLDER,
    PackEntry,
    RulePack,
    load_rule_pack,
    province_of_codes,
    rules_for_study,
)
from study.schema.sites import ExclusionEntry
from study.study_file import Study


def study_pack(study: Study) -> RulePack:
    """The pack that the study names: one of the program's, or a file beside the study.

    Raises
    ------
    InputError
        See :func:`siting.rules.pack_files.load_rule_pack`.
    """
    return load_rule_pack(study.file.land.rules, _folder(study))


def _folder(study: Study) -> Path:
    return study.path.parent if study.file.land.rules.endswith(".toml") else RULES_FOLDER


def pack_digest(study: Study) -> str:
    """What the study's own pack file says, packs below it included; empty for a pack of the program, whose files are
    part of the code."""
    return repr(study_pack(study)) if study.file.land.rules.endswith(".toml") else ""


def study_province(study: Study, codes: Iterable[str]) -> str:
    """The province that the study names, or the one that its district codes lie in; empty where neither says."""
    return study.file.land.province or province_of_codes(codes)


def pack_entries(study: Study) -> tuple[PackEntry, ...]:
    return tuple(_entry(entry) for entry in study.file.exclusions)


def _entry(e: ExclusionEntry) -> PackEntry:
    return PackEntry(
        rule=e.rule,
        layer=e.layer,
        setback_m=e.setback_m,
        limit=e.limit,
        applies_to=e.applies_to,
        label_zh=e.label_zh,
        label_en=e.label_en,
        document=e.document,
        clause=e.clause,
        date=e.date,
        confidence=e.confidence,
        kind=e.kind,
        low=e.low,
        high=e.high,
        share=e.share,
        width_m=e.width_m,
        classes=tuple(str(code) for code in e.classes),
        class_column=e.class_column,
        setback_column=e.setback_column,
        setbacks=_setback_rows(e),
        features_of=e.features_of,
        known_within=e.known_within,
        nodata=e.nodata,
        nodata_reason=e.nodata_reason,
    )


def _setback_rows(e: ExclusionEntry) -> tuple[SetbackRow, ...] | None:
    """The study's own table, None where it has none. Keys of setbacks_from that are no numbers hold from NaN on,
    which fits nothing; the check names them."""
    if e.setbacks is None and e.setbacks_from is None:
        return None
    words = [SetbackRow(metres, values=(word,)) for word, metres in (e.setbacks or {}).items()]
    steps = [SetbackRow(metres, from_value=as_number(start)) for start, metres in (e.setbacks_from or {}).items()]
    return (*words, *steps)


def as_number(text: str) -> float:
    """The number that a TOML key stands for; NaN where it is none."""
    try:
        return float(text)
    except ValueError:
        return float("nan")


def study_rules(study: Study, codes: Iterable[str] = ()) -> tuple[Rule, ...]:
    """The rules of a study in force.

    Parameters
    ----------
    study
    codes
        Codes of its districts, from which the province follows where the study names none.

    Raises
    ------
    InputError
        With every finding about pack and exclusions.
    """
    province = study_province(study, codes)
    return rules_for_study(study_pack(study), pack_entries(study), file=study.shown_path, province=province)
