"""``fengguang hosting``: what every bus of a network still takes, and its grade by the rule book."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from study.commands.loadflow import NetworkArgument


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command()(hosting)


def hosting(
    network: NetworkArgument,
    out: Annotated[Path, typer.Option("--out", help="Folder of the results.")] = Path("hosting"),
    cases: Annotated[Path | None, typer.Option("--cases", help="TOML file of operating points.")] = None,
    n_1: Annotated[bool, typer.Option("--n-1/--no-n-1", help="Also after every single branch outage.")] = True,
    rule: Annotated[str, typer.Option("--rule", help="dlt2041-2025 or dlt2041-2019.")] = "dlt2041-2025",
    ratings: Annotated[
        Path | None, typer.Option("--ratings", help="CSV: branch_id, rating_a_mva and where known rating_b_mva.")
    ] = None,
    buses: Annotated[
        str, typer.Option("--buses", help="load, stations (every bus), or bus numbers with commas between them.")
    ] = "load",
    certify: Annotated[
        str, typer.Option("--certify", help="Full AC sweep at the answer: all, sites (named, wind, PV) or none.")
    ] = "all",
    droop: Annotated[
        float,
        typer.Option("--droop", min=0.0, help="Q(U): reactive power by active power per pu of voltage from 1 pu."),
    ] = 0.0,
    voltage_step: Annotated[
        float | None, typer.Option("--voltage-step", min=0.001, help="Most that the plant may change a voltage [pu].")
    ] = None,
    power_factor: Annotated[
        float, typer.Option("--power-factor", min=0.5, max=1.0, help="Of the new plant; below 1 it absorbs.")
    ] = 1.0,
    load: Annotated[bool, typer.Option("--load", help="Study added load instead of generation.")] = False,
    tolerate_base: Annotated[
        bool, typer.Option("--tolerate-base", help="Blame the plant only for what it worsens.")
    ] = False,
    registered: Annotated[
        Path | None,
        typer.Option("--registered", help="CSV by equipment_id: connected_mw, registered_mw and other columns."),
    ] = None,
    distributed: Annotated[
        Path | None, typer.Option("--distributed", help="CSV of generator_id that count as distributed.")
    ] = None,
    counties: Annotated[Path | None, typer.Option("--counties", help="CSV: station, county_id, names.")] = None,
    typical_case: Annotated[str, typer.Option("--typical-case", help="Case of the typical hour (2025).")] = "",
    new_storage: Annotated[
        str, typer.Option("--new-storage", help="Place of expected new storage in the formula (2025): after, inside.")
    ] = "after",
    henan: Annotated[bool, typer.Option("--henan", help="Also Henan's 80 % rule for transformers.")] = False,
    reactive_limits: Annotated[
        bool | None,
        typer.Option("--q-limits/--no-q-limits", help="Keep reactive limits; by default as the format's own program."),
    ] = None,
    despite_errors: Annotated[bool, typer.Option("--despite-errors", help="Study although the checks object.")] = False,
    series: Annotated[
        Path | None, typer.Option("--series", help="CSV or Parquet, one row an hour: limits and curtailment by hour.")
    ] = None,
    profile: Annotated[
        str, typer.Option("--profile", help="Output of the new plant: a column of the series (pv, wind, ...), or flat.")
    ] = "",
    storage_mw: Annotated[float, typer.Option("--storage-mw", min=0.0, help="Storage beside the new plant.")] = 0.0,
    storage_hours: Annotated[float, typer.Option("--storage-hours", min=0.0, help="Its hours at full power.")] = 2.0,
    short_circuit: Annotated[
        bool, typer.Option("--short-circuit/--no-short-circuit", help="Breakers also limit the new plant.")
    ] = True,
    together: Annotated[
        str,
        typer.Option("--together", help="Several buses at once: a CSV (bus, wish_mw or share, ...) or 118:60,205:200."),
    ] = "",
    question: Annotated[
        str, typer.Option("--question", help="With --together: max-total, proportional, first-come, max-min, or all.")
    ] = "all",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")] = False,
    threads: Annotated[int, typer.Option("--threads", min=1, max=64)] = 1,
) -> None:
    """Hosting capacity of the buses, N-0 and N-1, what binds, and grades by DL/T 2041.

    A run that was stopped goes on where it stood: finished buses are kept in the folder of the results.
    """
    _one_of("--rule", rule, ("dlt2041-2025", "dlt2041-2019"))
    _one_of("--certify", certify, ("all", "sites", "none"))
    _one_of("--new-storage", new_storage, ("after", "inside"))
    _one_of("--question", question, ("all", "max-total", "proportional", "first-come", "max-min"))
    if together and series:
        raise typer.BadParameter("several buses at once are not followed over the hours", param_hint="--series")
    from study.cli import _progress, _reported

    with _reported(), _progress() as progress:
        from dataclasses import replace

        from grid.capacity.flexible import SiteStorage
        from grid.capacity.settings import CapacitySettings, PlantControl
        from grid.readers.formats import format_of
        from grid.rulebook.assess import RuleOptions
        from grid.rulebook.dlt2041_2025 import Options2025
        from grid.solve_records import SolveOptions
        from study.hosting.run import HostingAsked, forecast, prepare, run_hosting

        keeps_limits = format_of(network) in ("psse", "bpa") if reactive_limits is None else reactive_limits
        settings = replace(
            CapacitySettings.standard(),
            plant=PlantControl(power_factor, droop_per_pu=droop),
            load=load,
            tolerate_base=tolerate_base,
            voltage_step_pu=voltage_step,
        )
        asked = HostingAsked(
            network, out, cases, n_1, rule,  # type: ignore[arg-type]
            RuleOptions(options_2025=Options2025(new_storage)),  # type: ignore[arg-type]
            ratings, buses, certify, settings, registered, distributed, counties, typical_case, henan,
            SolveOptions(reactive_limits=keeps_limits), despite_errors, threads, series, profile,
            SiteStorage(storage_mw, hours=storage_hours) if series and storage_mw * storage_hours > 0 else None,
            short_circuit,
        )  # fmt: skip
        if together:
            _together(asked, together, question, progress, dry_run=dry_run)
            return
        if dry_run:
            told = forecast(prepare(asked, progress))
            typer.echo(
                f"{told.cases} case(s), {told.buses} buses, {told.outages} outages, {told.certified} buses certified"
                f"{f', {told.hours} hours' if told.hours else ''}\n"
                f"{told.ac_states_least} to {told.ac_states_most} AC states, "
                f"at most {told.memory_bytes / 2**20:.0f} MiB of arrays; nothing was written"
            )
            return
        run, summary = run_hosting(asked, progress)
    least = run.result.buses["firm_n1_mw" if n_1 else "firm_n0_mw"]
    typer.echo(
        f"{len(run.result.buses)} buses: {least.min():.1f} to {least.max():.1f} MW {'N-1' if n_1 else 'N-0'}, "
        f"{summary['certified']} certified, {summary['ac_states']} AC states, {summary['parts_resumed']} parts resumed"
    )
    book = summary["rule_book"]
    if book["graded"]:
        grades = ", ".join(f"{count} {grade}" for grade, count in book["equipment"].items())
        typer.echo(f"{book['document']}: {grades} of {book['graded']} transformers; {book['options']}".rstrip("; "))
    typer.echo(f"{out}/summary.html")


def _together(asked, sites: str, question: str, progress, *, dry_run: bool) -> None:  # type: ignore[no-untyped-def]
    """Answer for several buses at once; with ``dry_run`` say what would be asked."""
    from study.hosting.run import forecast
    from study.hosting.together import prepare_together, read_sites, run_together, together_words

    several = read_sites(sites)
    if dry_run:
        prepared, questions = prepare_together(asked, several, question, progress)
        told = forecast(prepared)
        typer.echo(
            f"{told.cases} case(s), {len(several.sites)} sites, {told.outages} outages; {', '.join(questions)}; "
            f"nothing was written"
        )
        return
    run = run_together(asked, several, question, progress)
    together_words(run, asked.out, typer.echo)


def _one_of(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise typer.BadParameter(f"'{value}' is none of {', '.join(allowed)}", param_hint=option)
