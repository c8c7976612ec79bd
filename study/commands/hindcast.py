"""``fengguang hindcast``: does the score find the plants that exist?"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from layers.contracts import FindingLog
    from siting.scoring.hindcast import Hindcast
    from study.pipeline import Progress
    from study.study_file import Study


def register(app: typer.Typer) -> None:
    """Add the command to the program's command line."""
    app.command("hindcast")(hindcast_command)


def hindcast_command(
    study: Annotated[str, typer.Argument(help="Path of a study file, or the name of a built-in study.")],
    plants: Annotated[Path, typer.Option(help="CSV, GeoPackage or GeoJSON of existing plants (WRI, GEM, OSM, own).")],
    match_km: Annotated[float, typer.Option(min=0, help="How far from a candidate a plant may lie.")] = 1.0,
    approximate_km: Annotated[float, typer.Option(min=0, help="The same where positions are approximate.")] = 5.0,
    roofs: Annotated[bool, typer.Option("--roofs", help="PV plants may stand on roof sites as well.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder for the tables; beside the study's runs by default.")] = None,
    root: Annotated[Path | None, typer.Option("--root", help="Folder that holds data/processed.")] = None,
) -> None:
    """Do existing plants lie higher than random, and than 'largest first'? Printed whatever it says."""
    from study.cli import _print_findings, _progress, _reported

    with _reported(), _progress() as progress:
        from layers.contracts import FindingLog
        from siting.scoring.hindcast import in_words
        from study.study_file import find_study, read_study

        log = FindingLog()
        read = read_study(find_study(study))
        result, folder = run_hindcast(
            read, plants, match_km=match_km, approximate_km=approximate_km, roofs=roofs, out=out, root=root, log=log,
            progress=progress,
        )  # fmt: skip
        if log.findings:
            _print_findings(log.findings)
        typer.echo(in_words(result))
        typer.echo(f"tables: {os.path.relpath(folder / 'hindcast.csv')}, hindcast_plants.csv beside it")


def run_hindcast(
    study: Study,
    plants: Path,
    *,
    match_km: float,
    approximate_km: float,
    roofs: bool,
    out: Path | None,
    root: Path | None,
    log: FindingLog,
    progress: Progress,
) -> tuple[Hindcast, Path]:
    """(result, folder of its tables). What a run has in the cache is taken from there, the rest is computed.

    Raises
    ------
    InputError
        If the study has errors, or the list of plants cannot be read.
    """
    from layers.plants_file import read_plants
    from siting.scoring.hindcast import hindcast
    from study.outputs.exports import write_table
    from study.run import checked, open_results, processed_folder

    listed = read_plants(plants, log=log)
    checked(study, root=root)
    results = open_results(study, root=root, progress=progress)
    result = hindcast(
        listed,
        results.get("sites").candidates,
        results.get("scores"),
        results.get("region_facts").districts,
        match_km=match_km,
        approximate_km=approximate_km,
        roofs=roofs,
        seed=study.file.study.seed,
    )
    folder = out or processed_folder(root) / study.file.study.name / "hindcast"
    folder.mkdir(parents=True, exist_ok=True)
    write_table(result.results, folder / "hindcast.csv")
    write_table(result.matches, folder / "hindcast_plants.csv")
    return result, folder
