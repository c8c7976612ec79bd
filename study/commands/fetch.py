"""``fengguang fetch``: weather from PVGIS or NASA POWER as a file for a study."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

_fetch = typer.Typer(help="Fetch hourly weather from an online service, once; it becomes a file of the study.")

LatOption = Annotated[float, typer.Option("--lat", help="Latitude, degrees WGS-84.")]
LonOption = Annotated[float, typer.Option("--lon", help="Longitude, degrees WGS-84.")]
OutOption = Annotated[Path, typer.Option("--out", help="Folder of the file.")]
UrlOption = Annotated[str | None, typer.Option("--url", help="Another address of the same service.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(_fetch, name="fetch", no_args_is_help=True)


@_fetch.command("pvgis")
def pvgis(
    lat: LatOption,
    lon: LonOption,
    years: Annotated[str, typer.Option("--years", help="2015-2019, one year, or tmy for the typical year.")] = "tmy",
    out: OutOption = Path("data/weather"),
    url: UrlOption = None,
) -> None:
    """PVGIS: satellite or reanalysis, typical year or series."""
    _run("pvgis", lat, lon, years, out, url)


@_fetch.command("nasa-power")
def nasa_power(
    lat: LatOption,
    lon: LonOption,
    years: Annotated[str, typer.Option("--years", help="2015-2019, or one year.")],
    out: OutOption = Path("data/weather"),
    url: UrlOption = None,
) -> None:
    """NASA POWER: satellite radiation and MERRA-2 weather, with wind at 10 and 50 m."""
    _run("nasa-power", lat, lon, years, out, url)


def _run(service: str, lat: float, lon: float, years: str, out: Path, url: str | None) -> None:
    from layers.contracts import Origin, SourceCard
    from layers.weather_fetch import Request, fetch_weather
    from layers.weather_files import inspect_weather
    from study.cli import _Exit, _print_findings, _reported

    with _reported():
        request = Request(service, lat, lon, _years(service, years))
        fetched = fetch_weather(request, out, url=url)
        typer.echo(f"{fetched.path}{' (there already, nothing was asked)' if fetched.cached else ''}")
        licence = "see the service's terms"
        card = SourceCard("weather", fetched.path, fetched.path.name, licence, Origin.MODELLED)
        findings = inspect_weather(card)
        _print_findings(findings)
        if any(f.severity == "error" for f in findings):
            raise SystemExit(_Exit.BAD_INPUT)
        typer.echo(
            f'\nIn the study file (path relative to it):\n\n[sources.sky]\npath = "{fetched.path.name}"\n'
            f'licence = "{licence}"\norigin = "modelled"\n\n[[weather]]\nid = "sky"\nsource = "sky"'
        )


def _years(service: str, words: str) -> tuple[int, int] | None:
    """'tmy' is None; '2019' one year; '2015-2019' a span."""
    from layers.weather_raw import Report

    if words.lower() == "tmy":
        return None
    first, _, last = words.partition("-")
    try:
        return int(first), int(last or first)
    except ValueError:
        remedy = "Give them as 2015-2019, or tmy."
        raise Report(service, "fetch").refuse("years", "years", words, "these are no years.", remedy) from None
