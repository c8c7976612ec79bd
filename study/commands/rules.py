"""``fengguang rules``: which rule packs there are, what they say, what another would change, why a place is out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from siting.rules.packs import PackRule, RulePack

_rules = typer.Typer(
    help="Rule packs: list them, show one, compare a study's land under two; why a place is in or out."
)

StudyArgument = Annotated[str, typer.Argument(help="Path of a study file, or the name of a built-in study.")]
ProvinceOption = Annotated[str, typer.Option("--province", help="GB/T 2260 code, e.g. 340000 for Anhui.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.add_typer(_rules, name="rules")


@_rules.callback(invoke_without_command=True)
def packs(context: typer.Context) -> None:
    """List the rule packs."""
    if context.invoked_subcommand is not None:
        return
    from siting.rules.packs import known_packs, load_rule_pack
    from study.cli import _reported

    with _reported():
        for name in known_packs():
            pack = load_rule_pack(name)
            typer.echo(f"{name:12s}{pack.edition:10s}{len(pack.rules):4d} rules   {pack.title_zh}  {pack.title_en}")
        typer.echo("\nfengguang rules show PACK; fengguang rules compare STUDY --with PACK")


@_rules.command()
def show(
    pack: Annotated[str, typer.Argument(help="Name of a pack, or path of a pack file (.toml).")],
    province: ProvinceOption = "",
) -> None:
    """Print every rule of a pack with its figures, document, clause, date and confidence."""
    from siting.rules.packs import load_rule_pack
    from study.cli import _reported

    with _reported():
        found = load_rule_pack(pack, Path.cwd()) if pack.endswith(".toml") else load_rule_pack(pack)
        for line in pack_lines(found, province):
            typer.echo(line)


@_rules.command()
def compare(
    study: StudyArgument,
    other: Annotated[str, typer.Option("--with", help="The other pack: a name, or the path of a pack file.")],
    province: ProvinceOption = "",
    out: Annotated[Path | None, typer.Option(help="Target folder; beside the study's runs by default.")] = None,
    root: Annotated[Path | None, typer.Option("--root", help="Folder that holds data/processed.")] = None,
) -> None:
    """Evaluate the land of a study under its own pack and another: tables, and a map layer of what changes."""
    from study.cli import _progress, _reported

    with _reported():
        from study.sites.compare_rules import compare_rules, comparison_folder, in_words, write_comparison
        from study.study_file import find_study, read_study

        read = read_study(find_study(study))
        with _progress() as progress:
            comparison = compare_rules(read, other, province=province, root=root, progress=progress)
        folder = out or comparison_folder(read, other, root)
        typer.echo(in_words(comparison, (Path(read.file.land.rules).stem, Path(other).stem)))
        for path in write_comparison(comparison, folder, read.file.study.language):
            typer.echo(path)


@_rules.command()
def why(
    study: StudyArgument,
    lon: Annotated[float | None, typer.Option(help="Longitude of a place, WGS-84.")] = None,
    lat: Annotated[float | None, typer.Option(help="Latitude of a place, WGS-84.")] = None,
    site: Annotated[str, typer.Option(help="Id of a candidate site, in place of longitude and latitude.")] = "",
    host: Annotated[list[str] | None, typer.Option(help="Host type; all of the study by default.")] = None,
    root: Annotated[Path | None, typer.Option("--root", help="Folder that holds data/processed.")] = None,
) -> None:
    """Say why a place or a site is in or out: rule, distance, document, clause, date and confidence."""
    from study.cli import _progress, _reported

    if not site and (lon is None or lat is None):
        raise typer.BadParameter("give --lon and --lat, or --site", param_hint="--lon")
    with _reported():
        from study.sites.why import place_lines, why_point, why_site
        from study.study_file import find_study, read_study

        read = read_study(find_study(study))
        with _progress() as progress:
            if site:
                lands = [why_site(read, site, root=root, progress=progress)]
            else:
                assert lon is not None
                assert lat is not None
                lands = list(why_point(read, lon, lat, hosts=host or (), root=root, progress=progress))
        for land in lands:
            for line in place_lines(land):
                typer.echo(line)


def pack_lines(pack: RulePack, province: str = "") -> list[str]:
    """A pack in lines: rules, roof ratios, array geometry."""
    title = f"{pack.name}, edition {pack.edition}: {pack.title_zh}  {pack.title_en}"
    lines = [title, *([f"based on {pack.based_on}"] if pack.based_on else []), ""]
    for rule in pack.rules:
        lines += _rule_lines(rule.in_province(province))
    lines += ["", "roof area to be covered, at least:"]
    lines += [f"  {r.share:4.0%}  {r.label_zh}  {r.label_en} [{r.confidence}] {r.document}" for r in pack.roof_ratios]
    lines += ["", "tables of shared land, at least:"]
    for g in pack.array_geometry:
        if g.province in ("", province) or not province:
            lines.append(f"  {g.use:12s}{g.province or 'country':9s}{g.clause} [{g.confidence}] {g.document}")
    return lines


def _rule_lines(rule: PackRule) -> list[str]:
    from siting.rules.compare import figures_in_words

    own = f", own version of {rule.province}" if rule.province else ""
    others = ", ".join(override.province for override in rule.overrides)
    lines = [
        f"{rule.id}: {rule.label_zh}  {rule.label_en}",
        f"    {figures_in_words(rule)}{own}",
        f"    {rule.document}: {rule.clause} ({rule.date}) [{rule.confidence}]",
    ]
    return [*lines, f"    own versions: {others}"] if others else lines
