"""The command line ``fengguang``. Imports late: ``--help`` answers at once."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from study.commands import compare, explain, fetch, hindcast, hosting, loadflow, report, rules
from study.commands.progress import run_progress, steps

app = typer.Typer(
    name="fengguang",
    help=(
        "风光: from the ground to a wind and solar project list the grid can carry.\n\n"
        "Start with 'fengguang demo'. Then 'fengguang new my-city --generated', edit the study file, "
        "'fengguang check', 'fengguang run', and open site_map.html.\n\n"
        "Exit codes: 0 done, 1 the run failed, 2 bad input."
    ),
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def study_names(begun: str) -> list[str]:
    """Names that a study argument may be completed to: built-in studies and those below ``studies/``."""
    from study.study_file import known_studies

    return [name for name in known_studies() if name.startswith(begun)]


StudyArgument = Annotated[
    str, typer.Argument(help="Path of a study file, or the name of a built-in study.", autocompletion=study_names)
]
RunArgument = Annotated[Path, typer.Argument(help="Run folder, e.g. data/processed/bozhou/latest.")]
RootOption = Annotated[
    Path | None, typer.Option("--root", help="Folder that holds data/processed; FENGGUANG_ROOT, or the program's own.")
]


class _Exit:
    DONE, FAILED, BAD_INPUT = 0, 1, 2


def main() -> None:
    """Entry point: every way a command can end has its exit code."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # many small matrices: threads of BLAS only get in the way
    try:
        app(prog_name="fengguang")
    except KeyboardInterrupt:
        typer.echo("stopped; finished stages are kept, run again to go on", err=True)
        raise SystemExit(_Exit.FAILED) from None


@app.command()
def demo(root: RootOption = None) -> None:
    """Run the built-in study of Bozhou and say what to open."""
    finished = _run("bozhou", None, root, dry_run=False)
    if finished is not None:
        from study.run_folder.summary import next_steps

        typer.echo(f"\n{next_steps(finished)}")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the study.")],
    generated: Annotated[bool, typer.Option("--generated", help="Generate region, land, sky and load.")] = False,
    area_km2: Annotated[float, typer.Option(help="Area of a generated region.")] = 1500.0,
    population: Annotated[float, typer.Option(help="Inhabitants of a generated region.")] = 800_000.0,
    lon: Annotated[float, typer.Option(help="Centre of a generated region.")] = 116.2,
    lat: Annotated[float, typer.Option(help="Centre of a generated region.")] = 33.5,
    districts: Annotated[int, typer.Option(help="Districts of a generated region.")] = 3,
    folder: Annotated[Path, typer.Option(help="Where the study file goes.")] = Path("studies"),
) -> None:
    """Write a commented study file to start from."""
    from study.new import new_study

    with _reported():
        path = new_study(
            name, folder, generated=generated, area_km2=area_km2, population=population, lon=lon, lat=lat,
            districts=districts,
        )  # fmt: skip
        typer.echo(f"{path}\nEdit it, then: fengguang check {path}; fengguang run {path}")


@app.command()
def check(study: StudyArgument) -> None:
    """Report every finding about the inputs at once, and forecast time and memory. Writes nothing."""
    with _reported():
        from study.checks.all import check_study
        from study.checks.forecast import forecast
        from study.study_file import find_study, read_study

        read = read_study(find_study(study))
        findings = check_study(read)
        _print_findings(findings)
        if any(f.severity == "error" for f in findings):
            raise SystemExit(_Exit.BAD_INPUT)
        typer.echo(forecast(read).in_words())


@app.command()
def run(
    study: StudyArgument,
    until: Annotated[str | None, typer.Option(help="Last stage to run.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say which stages would run; compute nothing.")] = False,
    root: RootOption = None,
) -> None:
    """Run a study. What did not change since the last run is taken from the cache."""
    _run(study, until, root, dry_run=dry_run)


@app.command("map")
def map_(run_folder: RunArgument) -> None:
    """Draw the site map of a finished run again."""
    with _reported():
        from study.run_folder.redo import redraw_map

        typer.echo(redraw_map(run_folder))


@app.command()
def export(
    run_folder: RunArgument,
    formats: Annotated[
        str, typer.Option("--format", help="Any of xlsx,csv,gpkg,geojson,kml,parquet.")
    ] = "xlsx,csv,gpkg,geojson",
    out: Annotated[Path | None, typer.Option(help="Target folder; one beside the run by default.")] = None,
    titles: Annotated[
        str | None, typer.Option(help="Heads of the columns: zh, en, or names (as programs call them).")
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="zh or en: labels of codes and legends; the study's own.")
    ] = None,
    bom: Annotated[bool, typer.Option("--bom/--no-bom", help="Begin the CSV with the mark that Excel needs.")] = True,
) -> None:
    """Write the project list of a finished run in other formats."""
    _one_of(titles, ("zh", "en", "names"), "--titles")
    _one_of(language, ("zh", "en"), "--language")
    with _reported():
        from study.run_folder.redo import export_run

        wanted = tuple(name.strip() for name in formats.split(","))
        for path in export_run(run_folder, wanted, out, titles=titles, language=language, bom=bom):  # type: ignore[arg-type]
            typer.echo(path)


@app.command()
def verify(run_folder: RunArgument) -> None:
    """Hash the outputs of a run again and compare them with its manifest."""
    with _reported():
        from study.run_folder.manifest import verify_run

        findings = verify_run(run_folder)
        if findings:
            _print_findings(findings)
            raise SystemExit(_Exit.FAILED)
        typer.echo("all outputs are as the manifest says")


@app.command()
def schema() -> None:
    """Print the JSON schema of the study file, for editors."""
    import json

    from study.schema.file import StudyFile

    typer.echo(json.dumps(StudyFile.model_json_schema(), ensure_ascii=False, indent=2))


@app.command()
def dictionary(
    out: Annotated[Path | None, typer.Option(help="File to write; printed by default.")] = None,
) -> None:
    """Print the data dictionary of a run folder: every table, every column, its unit and its meaning."""
    from study.atomic import replaced
    from study.run_folder.tables import dictionary_page

    if out is None:
        typer.echo(dictionary_page(), nl=False)
        return
    with replaced(out) as partial:
        partial.write_text(dictionary_page(), "utf-8")
    typer.echo(out)


@app.command()
def completion(
    shell: Annotated[str, typer.Argument(help="bash, zsh, fish or powershell.")],
) -> None:
    """Print the script that lets the tab key complete commands, options and studies: append it to the shell's start."""
    from typer._completion_shared import get_completion_script  # --show-completion knows the running shell alone

    _one_of(shell, ("bash", "zsh", "fish", "powershell"), "SHELL")
    typer.echo(get_completion_script(prog_name="fengguang", complete_var="_FENGGUANG_COMPLETE", shell=shell))


def _one_of(value: str | None, allowed: tuple[str, ...], option: str) -> None:
    if value is not None and value not in allowed:
        raise typer.BadParameter(f"'{value}' is none of {', '.join(allowed)}", param_hint=option)


def _run(name: str, until: str | None, root: Path | None, *, dry_run: bool):  # type: ignore[no-untyped-def]
    """Run a study and print its summary; returns the run, None after a dry run."""
    with _reported():
        from study.run import STAGE_NAMES, processed_folder, run_study
        from study.study_file import find_study, nearest, read_study

        if until is not None and until not in STAGE_NAMES:
            hint = nearest(until, STAGE_NAMES) or f"Stages: {', '.join(STAGE_NAMES)}."
            raise typer.BadParameter(f"there is no stage '{until}'. {hint}", param_hint="--until")
        read = read_study(find_study(name))
        if dry_run:
            _dry_run(read, until, root)
            return None
        from study.checks.forecast import expected_seconds
        from study.stages.graph import STAGES

        expected = expected_seconds(read, processed_folder(root) / read.file.study.name)
        with run_progress(expected, {stage.name: stage.label_en for stage in STAGES}) as progress:
            finished = run_study(read, until=until, root=root, progress=progress.show, announce=progress.announce)
    _print_result(finished)
    return finished


def _dry_run(read, until: str | None, root: Path | None) -> None:  # type: ignore[no-untyped-def]
    """Which stages would run and what each is expected to take, then time, memory and disk of an empty cache."""
    from study.checks.forecast import duration, expected_seconds, forecast
    from study.run import STAGE_NAMES, checked, open_results, processed_folder

    checked(read, root=root)
    results = open_results(read, root=root)
    expected = expected_seconds(read, processed_folder(root) / read.file.study.name)
    left = 0.0
    for stage in STAGE_NAMES[: STAGE_NAMES.index(until) + 1] if until else STAGE_NAMES:
        if results.is_cached(stage):
            typer.echo(f"{stage:18s}cached")
            continue
        seconds = expected.get(stage, 1.0)
        left += seconds
        typer.echo(f"{stage:18s}would run, about {duration(seconds)}")
    typer.echo(f"\nthis run: about {duration(left)}; from an empty cache: {forecast(read).in_words()}")


def _print_result(finished) -> None:  # type: ignore[no-untyped-def]
    if finished.folder is None:
        typer.echo("done; no run folder was written because --until ended the run early")
        return
    from study.run_folder.summary import summary

    typer.echo(summary(finished))


@contextmanager
def _reported() -> Iterator[None]:
    """Turn bad input into one report and exit code 2; anything else that fails into exit code 1."""
    try:
        yield
    except Exception as error:
        from layers.contracts import InputError

        if isinstance(error, InputError):
            _print_findings(error.findings)
            raise SystemExit(_Exit.BAD_INPUT) from None
        if isinstance(error, typer.BadParameter):
            raise
        if isinstance(error, BrokenPipeError):  # the reader, head or less, has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            raise SystemExit(_Exit.DONE) from None
        typer.echo(f"the run failed: {type(error).__name__}: {error}", err=True)
        if os.environ.get("FENGGUANG_TRACEBACK"):
            raise
        typer.echo("set FENGGUANG_TRACEBACK=1 to see where", err=True)
        raise SystemExit(_Exit.FAILED) from None


def _print_findings(findings) -> None:  # type: ignore[no-untyped-def]
    """One numbered report, everything at once."""
    for number, f in enumerate(findings, start=1):
        place = " / ".join(part for part in (f.file, f.layer, f.item) if part)
        value = f" [{f.value}]" if f.value else ""
        typer.echo(
            f"{number:3d}. {f.severity}: {place}{value}\n     {f.rule}: {f.message}\n     -> {f.remedy}", err=True
        )
    errors = sum(f.severity == "error" for f in findings)
    typer.echo(f"{errors} error(s), {len(findings) - errors} warning(s) and note(s)", err=True)


_progress = steps

explain.register(app)
compare.register(app)
fetch.register(app)
rules.register(app)
hindcast.register(app)
loadflow.register(app)
hosting.register(app)
report.register(app)

if __name__ == "__main__":
    main()
