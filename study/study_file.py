"""Reading a study file: TOML in, a frozen :class:`~study.schema.file.StudyFile` and every finding out."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from layers.contracts import Finding, InputError, SourceCard
from study.schema.file import StudyFile
from study.schema.ground import SourceEntry

DATA_VARIABLE = "FENGGUANG_DATA"
PROGRAM_ROOT = Path(__file__).resolve().parents[1]
BUILTIN_STUDIES = Path(__file__).resolve().parent / "builtin"
BUILTIN_DATA = PROGRAM_ROOT / "data" / "raw"

Location = tuple[str | int, ...]


@dataclass(frozen=True)
class Study:
    """A study file that was read, and where it stands."""

    file: StudyFile
    path: Path
    findings: tuple[Finding, ...] = ()
    """Faults that did not keep the file from being read (misspelt keys)."""

    @property
    def shown_path(self) -> str:
        return self.path.name

    def card(self, source_id: str, *, where: str | None = None) -> SourceCard:
        """Identity card of a source; ``where`` narrows it to some features."""
        return _card(source_id, self.file.sources[source_id], self.path.parent, where)


def find_study(name_or_path: str) -> Path:
    """Path of a study file: a path, or the name of a built-in study.

    Raises
    ------
    InputError
        If there is neither, naming the built-in studies.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml" or path.is_file():
        if path.is_file():
            return path.resolve()
    elif (BUILTIN_STUDIES / f"{name_or_path}.toml").is_file():
        return BUILTIN_STUDIES / f"{name_or_path}.toml"
    elif (Path.cwd() / "studies" / f"{name_or_path}.toml").is_file():
        return (Path.cwd() / "studies" / f"{name_or_path}.toml").resolve()
    remedy = _known_studies(path)
    message = "there is no such study file."
    raise InputError([Finding("error", "study.not_found", path.name, "", "", name_or_path, message, remedy)])


def _known_studies(path: Path) -> str:
    """What could be meant by a study that is not there: the nearest name, then all names."""
    told = [
        nearest(path.stem, known_studies()),
        f"Known here: {', '.join(known_studies())}.",
        "Or give the path of a .toml file; 'fengguang new NAME --generated' writes one.",
    ]
    return " ".join(text for text in told if text)


def known_studies() -> list[str]:
    """Names of the built-in studies, then of those in the folder ``studies`` of the working folder."""
    folders = (BUILTIN_STUDIES, Path.cwd() / "studies")
    return [p.stem for folder in folders for p in sorted(folder.glob("*.toml"))]


def read_study(path: Path) -> Study:
    """Read and check the form of a study file.

    Misspelt keys are reported (with the nearest valid key) and left out, so that the checks behind them still run;
    all other faults of form end the reading.

    Raises
    ------
    InputError
        If the file is no TOML or does not fit the schema; carries every finding.
    """
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        finding = Finding(
            "error", "study.toml", path.name, "", "", "", f"not valid TOML: {error}.", "Mend the line that is named."
        )
        raise InputError([finding]) from error
    typos: list[Finding] = []
    try:
        return Study(StudyFile.model_validate(raw), path)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        for fault in faults:
            if fault["type"] == "extra_forbidden":
                typos.append(_unknown_key(path, fault["loc"]))
                _drop(raw, fault["loc"])
    try:
        return Study(StudyFile.model_validate(raw), path, tuple(typos))
    except ValidationError as error:
        raise InputError(typos + [_fault(path, f) for f in error.errors(include_url=False)]) from error


def resolve_path(text: str, study_folder: Path) -> Path:
    """Absolute path of a source: relative to the study file, below ``${FENGGUANG_DATA}``, or ``builtin:/``."""
    if text.startswith("builtin:/"):
        return BUILTIN_DATA / text.removeprefix("builtin:/")
    prefix = "${" + DATA_VARIABLE + "}/"
    if text.startswith(prefix):
        return data_root() / text.removeprefix(prefix)
    path = Path(text)
    return path if path.is_absolute() else study_folder / path


def data_root() -> Path:
    """Root of the real data: ``FENGGUANG_DATA``, or the folder ``shared/data`` beside the program."""
    given = os.environ.get(DATA_VARIABLE)
    return Path(given).resolve() if given else PROGRAM_ROOT.parent / "shared" / "data"


def _card(source_id: str, entry: SourceEntry, folder: Path, where: str | None) -> SourceCard:
    path = resolve_path(entry.path, folder)
    shown = Path(entry.path).name if Path(entry.path).is_absolute() else entry.path
    return SourceCard(
        id=source_id,
        path=path,
        shown_path=shown,
        licence=entry.licence,
        origin=entry.origin,
        datum=entry.datum,
        layer=entry.layer,
        where=where,
        unit=entry.unit,
        nodata=entry.nodata,
        sha256=entry.sha256,
        attribution=entry.attribution,
        title_zh=entry.title_zh,
        title_en=entry.title_en,
        note=entry.note,
    )


def nearest(name: str, known: Sequence[str]) -> str:
    """A question that names the nearest valid name; empty where none is near."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"Did you mean '{near[0]}'?" if near else ""


def _drop(raw: dict[str, Any], location: Location) -> None:
    """Remove the key at ``location`` from nested tables and arrays."""
    place: Any = raw
    for step in location[:-1]:
        place = place[step]
    place.pop(location[-1], None)


def _shown(location: Location) -> str:
    return ".".join(str(step + 1) if isinstance(step, int) else step for step in location)


RETIRED = {("connection", "joint"): "All candidates are decided together now; leave the key out."}
"""Keys of older study files, with what to do about them."""


def _unknown_key(path: Path, location: Location) -> Finding:
    key = str(location[-1])
    if location in RETIRED:
        where, remedy = _shown(location[:-1]), RETIRED[location]
        return Finding("error", "study.retired_key", path.name, where, key, key, f"'{key}' is no key any more.", remedy)
    valid = _valid_keys(location)
    remedy = nearest(key, valid) or f"Valid keys here: {', '.join(sorted(valid))}."
    return Finding(
        "error", "study.unknown_key", path.name, _shown(location[:-1]), key, key, f"unknown key '{key}'.", remedy
    )


def _valid_keys(location: Location) -> list[str]:
    """Keys that the schema allows beside the last step of ``location``."""
    model: type[BaseModel] = StudyFile
    for step in location[:-1]:
        if isinstance(step, int) or step not in model.model_fields:
            continue
        inner = _inner_model(model.model_fields[step].annotation)
        if inner is not None:
            model = inner
    return list(model.model_fields)


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _inner_model(argument)
        if found is not None:
            return found
    return None


def _fault(path: Path, fault: Mapping[str, Any]) -> Finding:
    value = fault.get("input")
    shown = "" if isinstance(value, dict | list) else repr(value)
    missing = fault["type"] == "missing"
    return Finding(
        "error",
        f"study.{fault['type']}",
        path.name,
        _shown(tuple(fault["loc"][:-1])),
        str(fault["loc"][-1]) if fault["loc"] else "",
        shown,
        f"{fault['msg']}.",
        "Add the key." if missing else "Correct the value; 'fengguang schema' prints what is allowed.",
    )
