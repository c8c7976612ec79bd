"""Draw the map or write the lists of a finished run again, from what the run stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from layers.contracts import Finding, InputError
from study.cache import Cache
from study.outputs.exports import FORMATS, plan_sheets, write_projects
from study.outputs.labels import Language, Titles
from study.run_folder.manifest import read_manifest
from study.run_folder.missing import run_missing
from study.run_folder.shown import SHOWN, Shown
from study.study_file import nearest


def redraw_map(run_folder: Path) -> Path:
    """Draw ``site_map.html`` again beside the run, in ``<run>/export``; the run itself is not touched."""
    from maps.site_map import write_site_map

    stored = _stored(run_folder)
    drawn = stored.map
    if drawn.list_file:
        drawn = replace(drawn, list_file=f"../{run_folder.resolve().name}/{drawn.list_file}")
    target = _export_folder(run_folder) / "site_map.html"
    write_site_map(drawn, target, tiles=stored.tiles)
    return target


def export_run(
    run_folder: Path,
    formats: Sequence[str],
    out: Path | None,
    *,
    titles: Titles | None = None,
    language: Language | None = None,
    bom: bool = True,
) -> list[Path]:
    """Write the project list of a run in ``formats`` to ``out`` (``<run>-export`` beside the run where None).

    ``titles``, ``language`` (the study's where None) and ``bom`` as for :func:`study.outputs.exports.write_projects`.

    Raises
    ------
    InputError
        For unknown formats, and where the run's stored results are gone.
    """
    unknown = [name for name in formats if name not in FORMATS]
    if unknown:
        raise InputError(
            [
                Finding("error", "export.format", run_folder.name, "", "--format", name, f"unknown format '{name}'.",
                        nearest(name, FORMATS) or f"Use some of {', '.join(FORMATS)}.")
                for name in unknown
            ]
        )  # fmt: skip
    shown = _stored(run_folder)
    return write_projects(
        shown.map.projects,
        out or _export_folder(run_folder),
        formats,
        frame_crs=shown.frame_crs,
        substations=shown.substations,
        targets=shown.map.targets,
        upgrades=shown.upgrades,
        sources=shown.map.sources,
        assumptions=shown.map.assumptions,
        evidence=shown.evidence,
        turbines=shown.turbines,
        network=shown.network,
        more_sheets=plan_sheets(run_folder.resolve()),
        language=language or shown.map.language,  # type: ignore[arg-type]
        titles=titles,
        bom=bom,
    )


def _export_folder(run_folder: Path) -> Path:
    run = run_folder.resolve()
    folder = run.parent / f"{run.name}-export"
    folder.mkdir(exist_ok=True)
    return folder


def _stored(run_folder: Path) -> Shown:
    run = run_folder.resolve()
    if not (run / "manifest.json").is_file():
        raise InputError([run_missing(run_folder)])
    manifest = read_manifest(run)
    cache = Cache(run.parent / ".cache")
    try:
        if not cache.has(SHOWN, manifest.run_id):
            raise KeyError(manifest.run_id)
        stored: Shown = cache.load(SHOWN, manifest.run_id)
    except KeyError as error:
        remedy = f"Run the study again: fengguang run {manifest.study}."
        text = "what it stored is not in the cache beside it: pruned, moved, or of another version of the program."
        raise InputError([Finding("error", "run.pruned", run.name, "", "", manifest.run_id, text, remedy)]) from error
    return stored
