"""``fengguang compare``: two runs or plans side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command to the program's command line."""
    app.command("compare")(compare_command)


def compare_command(
    first: Annotated[Path, typer.Argument(help="Run folder, e.g. data/processed/bozhou/latest.")],
    second: Annotated[Path, typer.Argument(help="Another run folder.")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for figures, sites, measures and asked (.csv); none are written without."),
    ] = None,
    language: Annotated[str, typer.Option(help="zh or en.")] = "zh",
) -> None:
    """What two runs ask differently, and what follows: cost, MW by stage, targets, what binds, measures, sites."""
    from study.cli import _reported

    with _reported():
        from study.run_folder.compare import compare_runs, write_comparison
        from study.run_folder.compare_words import in_words

        if language not in ("zh", "en"):
            raise typer.BadParameter("use zh or en", param_hint="--language")
        compared = compare_runs(first, second)
        typer.echo(in_words(compared, "zh" if language == "zh" else "en"))
        if out is not None:
            for path in write_comparison(compared, out):
                typer.echo(path)
