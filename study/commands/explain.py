"""``fengguang explain``: the whole story of one site, from the run folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

_HELP = "Run folder, e.g. data/processed/bozhou/latest."


def register(app: typer.Typer) -> None:
    """Add the command to the program's command line."""
    app.command("explain")(explain)


def explain(
    run_folder: Annotated[Path, typer.Argument(help=_HELP)],
    site: Annotated[str, typer.Argument(help="Id of a site, its name, or its number in the list.")],
    language: Annotated[str, typer.Option(help="zh or en.")] = "zh",
    as_json: Annotated[bool, typer.Option("--json", help="Print the story as JSON.")] = False,
) -> None:
    """Tell a site's whole story: land, rules, yield, cost, connection, flows, verdict, and what would help."""
    from study.cli import _one_of, _reported

    _one_of(language, ("zh", "en"), "--language")
    with _reported():
        from study.story.explain import explain_site
        from study.story.text import story_text

        story = explain_site(run_folder, site)
        chosen: Literal["zh", "en"] = "zh" if language == "zh" else "en"
        typer.echo(story.as_json() if as_json else story_text(story, chosen))
