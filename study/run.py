"""One run: check, compute what is not in the cache, lay the results down whole, point ``latest`` at them."""

from __future__ import annotations

import dataclasses
import os
import platform
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import metadata
from pathlib import Path

from layers.contracts import Finding
from study.cache import Cache, code_digest, digest, library_versions
from study.checks.all import check_study, refuse_errors, used_sources
from study.pipeline import Progress, Results, no_progress
from study.run_folder.manifest import (
    InputRecord,
    LibraryVersion,
    Manifest,
    StageRecord,
    hash_file,
    record_outputs,
    write_manifest,
)
from study.run_folder.shown import all_assumptions
from study.run_folder.write import write_outputs
from study.stages.graph import STAGES
from study.stages.progress import OUTPUTS
from study.study_file import PROGRAM_ROOT, Study

PACKAGES = ("layers", "siting", "grid", "maps", "study")
PROCESSED = Path("data") / "processed"
STAGE_NAMES = tuple(stage.name for stage in STAGES)
ROOT_VARIABLE = "FENGGUANG_ROOT"


@dataclass(frozen=True)
class Run:
    """A finished run. ``folder`` is None when the run ended at an earlier stage on purpose."""

    study: str
    run_id: str
    folder: Path | None
    results: Results


def processed_folder(root: Path | None = None) -> Path:
    """Where results lie: ``data/processed`` of ``root``, else of ``FENGGUANG_ROOT``, else of the program."""
    stated = os.environ.get(ROOT_VARIABLE)
    return (root or (Path(stated) if stated else PROGRAM_ROOT)) / PROCESSED


def open_results(study: Study, *, root: Path | None = None, progress: Progress = no_progress) -> Results:
    """Results of a study, nothing computed yet."""
    return Results(study, STAGES, Cache(processed_folder(root) / study.file.study.name / ".cache"), progress)


Announce = Callable[[Sequence[str], int], None]
"""Takes the names of the steps that a run will compute, and how many stages the cache has."""


def nobody_asked(steps: Sequence[str], cached: int) -> None:
    """An announcement that nobody reads."""


def run_study(
    study: Study,
    *,
    until: str | None = None,
    root: Path | None = None,
    progress: Progress = no_progress,
    announce: Announce = nobody_asked,
) -> Run:
    """Check the inputs, run all stages (or up to ``until``), write the run folder.

    Earlier runs are never touched. The new folder appears whole, then ``latest`` moves. ``announce`` is called once,
    after the check, with what is to be computed.

    Raises
    ------
    InputError
        If the inputs have errors; nothing was written.
    """
    started = datetime.now().astimezone()
    findings = checked(study, root=root)
    results = open_results(study, root=root, progress=progress)
    names = STAGE_NAMES[: STAGE_NAMES.index(until) + 1] if until else STAGE_NAMES
    whole = not until or until == STAGE_NAMES[-1]
    missing = [name for name in names if not results.is_cached(name)]
    announce([*missing, *([OUTPUTS] if whole else [])], len(names) - len(missing))
    for name in names:
        results.ensure(name)
    run_id = f"{started:%Y%m%dT%H%M%S}-{digest([results.key(n) for n in names])[:8]}"
    if not whole:
        return Run(study.file.study.name, run_id, None, results)
    folder = _write_run(study, results, findings, run_id, started)
    results.cache.prune()
    return Run(study.file.study.name, run_id, folder, results)


def checked(study: Study, *, root: Path | None = None) -> tuple[Finding, ...]:
    """Findings about the inputs, refused when there are errors; remembered by content, so that a rerun is quick."""
    cache = Cache(processed_folder(root) / study.file.study.name / ".cache")
    results = Results(study, STAGES, cache)
    try:
        key = digest(
            study.file.model_dump(mode="json"),
            code_digest(PROGRAM_ROOT, PACKAGES),
            [(name, results.input_hash(name)) for name in used_sources(study)],
            [f.message for f in study.findings],
        )
    except (OSError, KeyError):
        key = ""
    if key and study.file.network.kind != "tables" and cache.has("check", key):
        try:
            return tuple(cache.load("check", key))
        except KeyError:
            pass
    findings = tuple(check_study(study))
    refuse_errors(findings)
    if key:
        cache.store("check", key, findings)
    return findings


def _write_run(study: Study, results: Results, findings: Sequence[Finding], run_id: str, started: datetime) -> Path:
    from study.run_folder.report import write_reports

    home = processed_folder_of(results)
    home.mkdir(parents=True, exist_ok=True)
    _sweep(home)
    partial, final = home / f".{run_id}.partial", home / run_id
    partial.mkdir()
    try:
        results.progress(OUTPUTS, 0.0)
        write_outputs(study, results, partial, run_id)
        manifest = _manifest(study, results, findings, run_id, started, partial)
        # the reports are drawn from the folder as it stands, and then belong to it
        write_manifest(manifest, partial)
        write_reports(partial, partial)
        write_manifest(dataclasses.replace(manifest, outputs=record_outputs(partial)), partial)
        os.replace(partial, final)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    _point_latest(home, run_id)
    results.progress(OUTPUTS, 1.0)
    return final


def processed_folder_of(results: Results) -> Path:
    return results.cache.folder.parent


def _sweep(home: Path) -> None:
    """Remove what killed runs left behind."""
    for left_over in home.glob(".*.partial"):
        shutil.rmtree(left_over, ignore_errors=True)


def _point_latest(home: Path, run_id: str) -> None:
    """Move the ``latest`` link in one step; where links are not to be had, write the name into ``latest.txt``."""
    link, fresh = home / "latest", home / ".latest.new"
    try:
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(run_id, target_is_directory=True)
        os.replace(fresh, link)
    except OSError:
        (home / "latest.txt").write_text(run_id + "\n", "utf-8")


def _manifest(
    study: Study, results: Results, findings: Sequence[Finding], run_id: str, started: datetime, folder: Path
) -> Manifest:
    inputs = tuple(_input_record(results, name) for name in used_sources(study))
    return Manifest(
        run_id=run_id,
        study=study.file.study.name,
        started=started.isoformat(timespec="seconds"),
        finished=datetime.now().astimezone().isoformat(timespec="seconds"),
        fengguang=metadata.version("fengguang"),
        python=platform.python_version(),
        libraries=tuple(LibraryVersion(name, version) for name, version in library_versions()),
        code_sha256=code_digest(PROGRAM_ROOT, PACKAGES),
        rule_pack=study.file.land.rules,
        inputs=inputs,
        stages=tuple(
            StageRecord(r.name, r.key, round(r.seconds, 3), r.from_cache)
            for r in (results.reports[name] for name in STAGE_NAMES)
        ),
        findings=(*findings, *results.stage_findings()),
        assumptions=all_assumptions(study, results),
        outputs=record_outputs(folder),
    )


def _input_record(results: Results, name: str) -> InputRecord:
    card = results.study.card(name)
    return InputRecord(
        id=name,
        shown_path=card.shown_path,
        sha256=hash_file(card.path),
        bytes=card.path.stat().st_size,
        licence=card.licence,
        origin=str(card.origin),
        attribution=card.attribution,
    )
