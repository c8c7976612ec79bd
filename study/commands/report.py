"""``fengguang report``: charts, engineer's report and planner's brief of a finished run, as HTML and PDF."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_HELP = "Run folder, e.g. data/processed/bozhou/latest."


def register(app: typer.Typer) -> None:
    """Add the command to the program's command line."""
    app.command("report")(report)


def report(
    run_folder: Annotated[Path, typer.Argument(help=_HELP)],
    language: Annotated[str, typer.Option(help="zh or en; both by default.")] = "",
    pdf: Annotated[bool, typer.Option("--pdf", help="Print report and brief to PDF as well, by Chromium.")] = False,
    out: Annotated[Path | None, typer.Option(help="Target folder; 'export' beside the run by default.")] = None,
) -> None:
    """Write charts, engineer's report and planner's brief of a finished run again; the run itself is not touched."""
    from study.cli import _reported

    if language not in ("", "zh", "en"):
        raise typer.BadParameter(f"'{language}' is neither zh nor en", param_hint="--language")
    with _reported():
        from study.run_folder.report import LANGUAGES, export_reports

        chosen = tuple(known for known in LANGUAGES if language in ("", known))
        for path in export_reports(run_folder, out, chosen, pdf=pdf):
            typer.echo(path)
