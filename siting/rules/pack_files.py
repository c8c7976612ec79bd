"""Rule packs as files: ``siting/rules/<name>.toml``, read and checked as a whole.

A pack is a named edition of the rule book: exclusions with document, clause, date and confidence, versions of them
for single provinces, the shares of roofs that notices ask for, and how high and how far apart the tables of shared
land stand. A pack may be ``based_on`` another one: it takes over its entries, replaces those with the same id and
leaves out those it names in ``without``. Adding a rule, a province or an edition changes no Python.
"""

from __future__ import annotations

import dataclasses
import datetime
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args

from layers.contracts import Finding, InputError
from siting.contracts import Confidence, RuleKind, SetbackRow
from siting.hosts.types import load_host_types, nearest_key

RULES_FOLDER = Path(__file__).resolve().parent
KINDS: tuple[str, ...] = get_args(RuleKind)
CONFIDENCES: tuple[str, ...] = get_args(Confidence)
USES = ("agri_pv", "fishery_pv", "forest_pv")

_REQUIRED = ("name", "edition", "rules")
_TEXTS = ("title_zh", "title_en", "based_on")
_TABLES = ("rules", "roof_ratios", "array_geometry")
_NUMBERS = ("setback_m", "limit", "low", "high", "share", "width_m")

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Override:
    """What a province has of its own in a rule; None keeps the general value."""

    province: str
    """GB/T 2260 code of the province, six digits."""
    document: str
    clause: str
    date: str
    confidence: str
    applies_to: tuple[str, ...] | None = None
    setback_m: float | None = None
    setbacks: tuple[SetbackRow, ...] | None = None
    limit: float | None = None
    low: float | None = None
    high: float | None = None
    share: float | None = None
    width_m: float | None = None


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
    setbacks: tuple[SetbackRow, ...] = ()
    limit: float = math.nan
    low: float = math.nan
    high: float = math.nan
    share: float = math.nan
    width_m: float = 0.0
    unit: str = ""
    overrides: tuple[Override, ...] = ()
    province: str = ""
    """Set by :meth:`in_province`."""

    def in_province(self, code: str) -> PackRule:
        """The rule as it holds in a province; unchanged where the province has no version of its own."""
        own = next((override for override in self.overrides if override.province == code), None)
        if own is None:
            return self
        given = {f.name: getattr(own, f.name) for f in dataclasses.fields(own)}
        return dataclasses.replace(self, **{name: value for name, value in given.items() if value is not None})


@dataclass(frozen=True)
class RoofRatio:
    """Share of the roof area of a class of buildings that a notice asks to be covered, at least."""

    building_class: str
    label_zh: str
    label_en: str
    share: float
    host_types: tuple[str, ...]
    document: str
    clause: str
    date: str
    confidence: str


@dataclass(frozen=True)
class ArrayGeometry:
    """How high and how far apart the tables of shared land stand at least; NaN where the document says nothing."""

    use: str
    """One of :data:`USES`."""
    document: str
    clause: str
    date: str
    confidence: str
    province: str = ""
    """GB/T 2260 code; empty: the whole country."""
    min_height_m: float = math.nan
    """Lower edge of the modules above the ground."""
    min_column_pitch_m: float = math.nan
    """Between posts along a row."""
    min_row_pitch_m: float = math.nan
    """Between rows, post to post."""
    above_high_water_m: float = math.nan
    above_vegetation_m: float = math.nan


@dataclass(frozen=True)
class RulePack:
    """A named edition of the rule book."""

    name: str
    edition: str
    rules: tuple[PackRule, ...]
    title_zh: str = ""
    title_en: str = ""
    based_on: str = ""
    roof_ratios: tuple[RoofRatio, ...] = ()
    array_geometry: tuple[ArrayGeometry, ...] = ()

    def find(self, rule_id: str) -> PackRule | None:
        return next((rule for rule in self.rules if rule.id == rule_id), None)

    def roof_ratio(self, building_class: str) -> RoofRatio | None:
        return next((ratio for ratio in self.roof_ratios if ratio.building_class == building_class), None)

    def geometry(self, use: str, province: str = "") -> ArrayGeometry | None:
        """The geometry that holds for a use in a province: its own one, or the country's."""
        of_use = [geometry for geometry in self.array_geometry if geometry.use == use]
        own = [geometry for geometry in of_use if geometry.province == province]
        return next(iter([*own, *(geometry for geometry in of_use if not geometry.province)]), None)


@dataclass
class _Reader:
    """Collects the findings of one file."""

    file: str
    findings: list[Finding] = field(default_factory=list)

    def add(self, rule: str, item: str, value: object, message: str, remedy: str) -> None:
        self.findings.append(Finding("error", f"rules.{rule}", self.file, "rules", item, str(value), message, remedy))


@cache
def host_names() -> tuple[str, ...]:
    """Ids of the program's host types."""
    return tuple(host.host_type for host in load_host_types())


def known_packs(folder: Path = RULES_FOLDER) -> tuple[str, ...]:
    """Names of the packs of a folder, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.toml")))


def load_rule_pack(name: str, folder: Path = RULES_FOLDER) -> RulePack:
    """The rule pack ``name``.

    Parameters
    ----------
    name
        Name of a pack of the program, or path of a pack file (ending in ``.toml``), relative to ``folder``.
    folder
        Where the packs lie. A file of the user's may be based on a pack beside it or on one of the program.

    Raises
    ------
    InputError
        If there is no such pack (naming the file that was looked for and the nearest pack), if packs are based on one
        another in a ring, or an entry lacks a key, has an unknown one, or holds a value that cannot be.
    """
    return _load(name, folder, ())


def _load(name: str, folder: Path, loading: tuple[str, ...]) -> RulePack:
    path = _pack_path(name, folder)
    if path is None:
        packs = sorted({*known_packs(folder), *known_packs()})
        message = f"there is no such rule pack: no file {Path(name).stem}.toml."
        found = ("error", "rules.unknown_pack", f"{Path(name).stem}.toml", "land", "land.rules", name, message)
        raise InputError([Finding(*found, nearest_key(name, packs))])  # type: ignore[arg-type]
    reader = _Reader(path.name)
    if path.stem in loading:
        reader.add("ring", "based_on", name, "the pack is based on itself.", "Base it on another one.")
        raise InputError(reader.findings)
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        reader.add("syntax", "file", error, "not a TOML file.", "Correct the file at the place named.")
        raise InputError(reader.findings) from error
    base = _load(str(raw["based_on"]), path.parent, (*loading, path.stem)) if raw.get("based_on") else None
    pack = _pack(raw, base, reader)
    if reader.findings:
        raise InputError(reader.findings)
    return pack


def _pack_path(name: str, folder: Path) -> Path | None:
    given = folder / name if name.endswith(".toml") else folder / f"{name}.toml"
    own = RULES_FOLDER / f"{name}.toml"
    return next((path for path in (given, own) if path.is_file()), None)


def _pack(raw: Mapping[str, Any], base: RulePack | None, reader: _Reader) -> RulePack:
    _check_keys(raw, reader)
    rules = [_pack_rule(entry, reader) for entry in raw.get("rules", ())]
    ratios = [_record(RoofRatio, entry, "building_class", reader) for entry in raw.get("roof_ratios", ())]
    geometry = [_record(ArrayGeometry, entry, "use", reader) for entry in raw.get("array_geometry", ())]
    found = [rule for rule in rules if rule is not None]
    for number, rule in enumerate(found):
        if rule.id in {earlier.id for earlier in found[:number]}:
            reader.add("repeated", rule.id, rule.id, "the id is used twice.", "Rename one.")
    _check_ratios([ratio for ratio in ratios if ratio is not None], reader)
    _check_geometry([entry for entry in geometry if entry is not None], reader)
    without = tuple(raw.get("without", ()))
    for name in without:
        if base is None or base.find(name) is None:
            known = [rule.id for rule in base.rules] if base else []
            reader.add("without", "without", name, "the pack below has no such rule.", nearest_key(name, known))
    return RulePack(
        raw.get("name", ""),
        str(raw.get("edition", "")),
        _merged(base.rules if base else (), found, lambda rule: rule.id, without),
        raw.get("title_zh", ""),
        raw.get("title_en", ""),
        raw.get("based_on", ""),
        _merged(base.roof_ratios if base else (), ratios, lambda ratio: ratio.building_class),
        _merged(base.array_geometry if base else (), geometry, lambda entry: (entry.use, entry.province)),
    )


def _merged(
    base: Iterable[Entry], own: Iterable[Entry | None], key: Any, without: Sequence[str] = ()
) -> tuple[Entry, ...]:
    """Entries of the base in its order, replaced by own ones of the same key; new ones follow."""
    mine = {key(entry): entry for entry in own if entry is not None}
    kept = [mine.pop(key(entry), entry) for entry in base if key(entry) not in without]
    return (*kept, *mine.values())


def _check_keys(raw: Mapping[str, Any], reader: _Reader) -> None:
    known = (*_REQUIRED, *_TEXTS, *_TABLES, "without")
    needed = [key for key in _REQUIRED if key != "rules" or not raw.get("based_on")]
    for key in needed:
        if key not in raw:
            reader.add("key", key, key, f"the pack has no {key}.", "Add it.")
    for key in raw:
        if key not in known:
            reader.add("key", key, key, f"unknown key '{key}'.", nearest_key(key, known))


def _record(record: type[Entry], entry: Mapping[str, Any], name: str, reader: _Reader) -> Entry | None:
    """An entry as a record; lists become tuples and numbers floats, keys must be those of the record."""
    fields = {f.name: f for f in dataclasses.fields(record)}  # type: ignore[arg-type]
    shown = str(entry.get(name, "?"))
    for key in entry:
        if key not in fields:
            reader.add("key", shown, key, f"unknown key '{key}'.", nearest_key(key, fields))
    missing = [
        key
        for key, f in fields.items()
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING and key not in entry
    ]
    for key in missing:
        reader.add("key", shown, key, f"the entry has no {key}.", "Add it.")
    if missing or not set(entry) <= set(fields):
        return None
    try:
        values = {key: _value(value, str(fields[key].type)) for key, value in entry.items()}
    except ValueError as error:
        reader.add("value", shown, error, "not a number.", "Write a number.")
        return None
    _check_words(shown, values, reader)
    return record(**values)


def _value(value: Any, declared: str) -> Any:
    """Numbers where the record holds numbers, tuples of texts for lists of texts."""
    if "float" in declared and not isinstance(value, tuple):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(repr(value))
        return float(value)
    return tuple(value) if isinstance(value, list) else value


def _check_words(shown: str, values: Mapping[str, Any], reader: _Reader) -> None:
    for key, allowed in (("kind", KINDS), ("confidence", CONFIDENCES), ("use", USES)):
        if key in values and values[key] not in allowed:
            remedy = nearest_key(str(values[key]), allowed)
            reader.add("value", shown, values[key], f"not a {key}.", remedy)
    hosts = host_names()
    for key in ("applies_to", "host_types"):
        for name in values.get(key, ()):
            if name not in hosts:
                reader.add("unknown_host", shown, name, f"unknown host type '{name}'.", nearest_key(name, hosts))
    if not (math.isfinite(values.get("setback_m", 0.0)) and values.get("setback_m", 0.0) >= 0):
        shown_value = f"{values['setback_m']:g}"
        reader.add("negative_setback", shown, shown_value, "the setback is not a distance.", "State 0 m or more.")
    if "date" in values and not _is_day(values["date"]):
        reader.add("date", shown, values["date"], "not a day.", "Write YYYY-MM-DD.")
    province = values.get("province", "")
    if province and not (province.isdigit() and len(province) == 6 and province.endswith("0000")):
        remedy = "Write the six digits of GB/T 2260, e.g. 340000 for Anhui."
        reader.add("province", shown, province, "not a province code.", remedy)


def _is_day(text: object) -> bool:
    if text == "":
        return True
    try:
        datetime.date.fromisoformat(str(text))
    except ValueError:
        return False
    return True


def _pack_rule(entry: Mapping[str, Any], reader: _Reader) -> PackRule | None:
    shown = str(entry.get("id", "?"))
    nested: dict[str, Any] = {key: value for key, value in entry.items() if key not in ("setbacks", "overrides")}
    rule = _record(PackRule, nested, "id", reader)
    rows = setback_rows(entry.get("setbacks", ()), shown, reader)
    overrides = [_override(shown, given, reader) for given in entry.get("overrides", ())]
    if rule is None or any(override is None for override in overrides):
        return None
    provinces = [override.province for override in overrides if override is not None]
    for code in sorted({code for code in provinces if provinces.count(code) > 1}):
        reader.add("repeated", shown, code, "two overrides for one province.", "Keep one.")
    return dataclasses.replace(rule, setbacks=rows, overrides=tuple(o for o in overrides if o is not None))


def _override(shown: str, entry: Mapping[str, Any], reader: _Reader) -> Override | None:
    nested = {key: value for key, value in entry.items() if key != "setbacks"}
    before = len(reader.findings)
    override = _record(Override, nested, "province", reader)
    reader.findings[before:] = [dataclasses.replace(f, item=f"{shown}, {f.item}") for f in reader.findings[before:]]
    if override is None or "setbacks" not in entry:
        return override
    return dataclasses.replace(override, setbacks=setback_rows(entry["setbacks"], shown, reader))


def setback_rows(entries: Iterable[Mapping[str, Any]], shown: str, reader: _Reader) -> tuple[SetbackRow, ...]:
    """Rows of a setback table; each says for which words, or from which number on, it holds."""
    rows = []
    for entry in entries:
        row = _record(SetbackRow, entry, "label", reader)
        if row is None:
            continue
        if bool(row.values) == math.isfinite(row.from_value):
            message = "a row holds either for some values or from a value on."
            reader.add("setback_row", shown, entry, message, "Give values = [...] or from_value = ...")
        rows.append(row)
    return tuple(rows)


def _check_ratios(ratios: Sequence[RoofRatio], reader: _Reader) -> None:
    for ratio in ratios:
        if not 0 < ratio.share <= 1:
            message, remedy = "the share is not within 0 to 1.", "State a share above 0, at most 1."
            reader.add("share", f"roof {ratio.building_class}", ratio.share, message, remedy)


def _check_geometry(entries: Sequence[ArrayGeometry], reader: _Reader) -> None:
    for entry in entries:
        for f in dataclasses.fields(entry):
            value = getattr(entry, f.name)
            if f.name.endswith("_m") and value <= 0:
                item = f"{entry.use} {entry.province}".strip()
                reader.add("geometry", item, value, f"{f.name} is not a length.", "State metres above 0.")
