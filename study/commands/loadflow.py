"""``fengguang loadflow`` and ``fengguang convert``: the grid half alone, on a network of any format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NetworkArgument = Annotated[
    Path,
    typer.Argument(
        help="MATPOWER .m/.mat, PSS/E .raw, PSD-BPA .dat, pandapower .json, tables (folder, .gpkg), CGMES, UCTE."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command()(loadflow)
    app.command()(convert)


def loadflow(
    network: NetworkArgument,
    out: Annotated[Path, typer.Option("--out", help="Folder of the results.")] = Path("loadflow"),
    cases: Annotated[Path | None, typer.Option("--cases", help="TOML file of operating points.")] = None,
    n_1: Annotated[bool, typer.Option("--n-1", help="Study every single outage by AC.")] = False,
    outages: Annotated[
        str, typer.Option("--outages", help="Kinds: line, transformer, three_winding, generator, bus.")
    ] = "line,transformer,three_winding",
    rating: Annotated[
        str, typer.Option("--rating", help="Rating after an outage: a, b or c; a where it is empty.")
    ] = "b",
    series: Annotated[Path | None, typer.Option("--series", help="CSV or Parquet of hours.")] = None,
    short_circuit: Annotated[bool, typer.Option("--short-circuit", help="Three- and single-phase, IEC 60909.")] = False,
    reactive_limits: Annotated[
        bool | None,
        typer.Option("--q-limits/--no-q-limits", help="Keep reactive limits; by default as the format's own program."),
    ] = None,
    taps: Annotated[bool, typer.Option("--taps", help="Let tap changers and shunt steps move.")] = False,
    distributed_slack: Annotated[bool, typer.Option("--distributed-slack", help="Share the slack by weights.")] = False,
    despite_errors: Annotated[bool, typer.Option("--despite-errors", help="Solve although the checks object.")] = False,
    threads: Annotated[int, typer.Option("--threads", min=1, max=64)] = 1,
) -> None:
    """Load flow, N-1, series and short circuit of one network."""
    from grid.solve_records import SolveOptions
    from grid.studies.n_1 import KINDS, OutageOptions
    from study.cli import _progress, _reported
    from study.loadflow.run import LoadFlowRequest, run_loadflow

    kinds = tuple(kind.strip() for kind in outages.split(",") if kind.strip())
    unknown = [kind for kind in kinds if kind not in KINDS[:-1]]
    if unknown:
        message = f"no kind {', '.join(unknown)}; there are {', '.join(KINDS[:-1])}"
        raise typer.BadParameter(message, param_hint="--outages")
    if rating not in ("a", "b", "c"):
        raise typer.BadParameter("a, b or c", param_hint="--rating")
    from grid.readers.formats import format_of

    keeps_limits = format_of(network) in ("psse", "bpa") if reactive_limits is None else reactive_limits
    options = SolveOptions(
        reactive_limits=keeps_limits, taps=taps, shunt_steps=taps,
        slack="weights" if distributed_slack else "references",
    )  # fmt: skip
    request = LoadFlowRequest(
        network, out, cases, n_1, OutageOptions(kinds, rating=rating), series, short_circuit, options, despite_errors,
        threads,
    )  # fmt: skip
    with _reported(), _progress() as progress:
        summary = run_loadflow(request, progress)
    for name, entry in summary["cases"].items():
        figures = "" if entry["losses_mw"] is None else (
            f"  losses {entry['losses_mw']:.2f} MW, V {entry['vm_min_pu']:.4f} to {entry['vm_max_pu']:.4f} pu"
        )  # fmt: skip
        typer.echo(f"{name}: {entry['status']}{figures}")
    for name, counts in summary["n_1_by_case"].items():
        told = ", ".join(f"{counts[k]} {k}" for k in ("solved", "split", "diverged", "overloaded"))
        typer.echo(f"{name}: N-1 of {counts['outages']} outages: {told}")
    found = summary["findings"]
    typer.echo(f"{found['error']} error(s), {found['warning']} warning(s), {found['note']} note(s)")
    typer.echo(f"{out}/summary.html")


def convert(
    network: NetworkArgument,
    target: Annotated[
        Path, typer.Argument(help=".json pandapower, .m MATPOWER, .dat PSD-BPA, .gpkg or a folder: tables.")
    ],
) -> None:
    """Read a network and write it in another format; say what that costs."""
    from study.cli import _print_findings, _reported

    with _reported():
        from grid.model.contracts import loss_findings
        from grid.readers.formats import read_case
        from grid.writers.formats import write_case

        case = read_case(network)
        losses = write_case(case, target)
        _print_findings([*loss_findings(case), *losses])
        typer.echo(target)
