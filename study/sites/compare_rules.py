"""One study's land under two rule packs: tables people open, and a map layer of the cells that change state."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import quoteattr

import pandas as pd

from layers.contracts import Region
from siting.contracts import LandResult
from siting.rules.compare import (
    CHANGES,
    PACK_CHANGES,
    PACK_RULES,
    PACK_STATES,
    PackComparison,
    change_strips,
    compare_land,
    compare_packs,
)
from study.atomic import replaced
from study.checks.all import check_study, refuse_errors
from study.outputs.exports import write_table
from study.outputs.labels import Language, with_value_labels
from study.outputs.numbers import human_table
from study.outputs.workbook import Sheet, write_workbook
from study.pipeline import Progress, no_progress
from study.run import open_results, processed_folder
from study.sites.rules import study_pack, study_province, study_rules
from study.study_file import Study

COLOURS = {"gained": "#009e73", "lost": "#d55e00", "now_unknown": "#999999", "now_excluded": "#cc79a7"}
"""Colours of the change raster, told apart by most kinds of colour vision."""

LABELS = {
    "gained": ("新增可用", "gained"),
    "lost": ("不再可用", "lost"),
    "now_unknown": ("转为未知", "now unknown"),
    "now_excluded": ("转为排除", "now excluded"),
}


@dataclass(frozen=True)
class RuleComparison:
    """The comparison, the packs' own differences, and the study's exclusions that the other pack does not know."""

    land: PackComparison
    packs: pd.DataFrame
    """Follows :data:`siting.rules.compare.PACK_CHANGES`."""
    dropped: tuple[str, ...]
    before: LandResult
    after: LandResult
    region: Region


def under_pack(study: Study, pack: str, province: str = "") -> tuple[Study, tuple[str, ...]]:
    """The study under another rule pack, and the exclusions that this pack has no rule for.

    A path of a pack file is taken as it stands, not relative to the study. Rules of the study's own (with labels)
    stay.
    """
    name = str(Path(pack).resolve()) if pack.endswith(".toml") else pack
    land = study.file.land.model_copy(update={"rules": name, "province": province or study.file.land.province})
    other = dataclasses.replace(study, file=study.file.model_copy(update={"land": land}))
    known = study_pack(other)
    lacking = [e for e in study.file.exclusions if known.find(e.rule) is None and e.label_en is None]
    kept = tuple(e for e in study.file.exclusions if e not in lacking)
    file = other.file.model_copy(update={"exclusions": kept})
    return dataclasses.replace(other, file=file), tuple(f"{e.rule}:{e.layer}" for e in lacking)


def compare_rules(
    study: Study, pack: str, *, province: str = "", root: Path | None = None, progress: Progress = no_progress
) -> RuleComparison:
    """Evaluate the land of a study under its own pack and under another.

    Parameters
    ----------
    study
    pack
        Name of a pack, or path of a pack file.
    province
        GB/T 2260 code under which the other pack is read; empty: as the study.
    root
        Folder that holds ``data/processed``; both results stay in the study's cache.

    Raises
    ------
    InputError
        With every error of the study or the other pack.
    """
    other, dropped = under_pack(study, pack, province)
    refuse_errors([*check_study(study), *check_study(other)])
    results = open_results(study, root=root, progress=progress)
    before, region = results.get("land"), results.get("region")
    after = open_results(other, root=root, progress=progress).get("land")
    codes = region.districts["district_code"]
    land = compare_land(
        before, after, region, rules_before=study_rules(study, codes), rules_after=study_rules(other, codes)
    )
    packs = compare_packs(study_pack(study), study_pack(other), province=study_province(other, codes))
    return RuleComparison(land, packs, dropped, before, after, region)


def comparison_folder(study: Study, pack: str, root: Path | None = None) -> Path:
    """Where a comparison is written unless told otherwise: beside the study's runs."""
    own, other = Path(study.file.land.rules).stem, Path(pack).stem
    return processed_folder(root) / study.file.study.name / f"rules-{own}-{other}"


def write_comparison(comparison: RuleComparison, folder: Path, language: Language = "zh") -> list[Path]:
    """Write tables (CSV and one workbook) and, for each host type whose land changes, a GeoTIFF with its QGIS style.

    Returns
    -------
    list of Path
        ``pack_states.csv``, ``pack_rules.csv``, ``pack_changes.csv``, ``pack_comparison.xlsx``, then
        ``change_<host type>.tif`` and ``.qml``: 0 no change, 1 gained, 2 lost, 3 now unknown, 4 now excluded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tables = (
        ("pack_states", comparison.land.states, PACK_STATES),
        ("pack_rules", comparison.land.rules, PACK_RULES),
        ("pack_changes", comparison.packs, PACK_CHANGES),
    )
    written = [write_table(table, folder / f"{name}.csv") for name, table, _ in tables]
    sheets = [
        Sheet.of(name, with_value_labels(human_table(table), language), contract) for name, table, contract in tables
    ]
    with replaced(folder / "pack_comparison.xlsx") as partial:
        write_workbook(partial, sheets, language, file_name="pack_comparison.xlsx")
    written.append(folder / "pack_comparison.xlsx")
    for host_type in comparison.land.changed_hosts:
        written += _write_changes(comparison, host_type, folder, language)
    return written


def _write_changes(comparison: RuleComparison, host_type: str, folder: Path, language: Language) -> list[Path]:
    import rasterio
    from rasterio.windows import Window

    frame = comparison.region.frame
    tif, qml = folder / f"change_{host_type}.tif", folder / f"change_{host_type}.qml"
    profile = {
        "driver": "GTiff", "dtype": "uint8", "count": 1, "height": frame.height, "width": frame.width,
        "crs": frame.crs, "transform": frame.transform, "nodata": 0, "compress": "deflate", "tiled": True,
    }  # fmt: skip
    with replaced(tif) as partial, rasterio.open(partial, "w", **profile) as target:
        target.write_colormap(1, {code: _rgba(name) for code, name in enumerate(CHANGES)})
        for row0, codes in change_strips(comparison.before, comparison.after, comparison.region, host_type):
            target.write(codes, 1, window=Window(0, row0, frame.width, len(codes)))
    with replaced(qml) as partial:
        partial.write_text(palette_style(language), "utf-8")
    return [tif, qml]


def _rgba(change: str) -> tuple[int, int, int, int]:
    colour = COLOURS.get(change)
    if colour is None:
        return 0, 0, 0, 0
    red, green, blue = (int(colour[k : k + 2], 16) for k in (1, 3, 5))
    return red, green, blue, 255


def palette_style(language: Language) -> str:
    """QGIS style of the change raster: one colour and one label per code."""
    entries = "".join(
        f'<paletteEntry value="{code}" color="{COLOURS[name]}" alpha="200" '
        f"label={quoteattr(LABELS[name][0 if language == 'zh' else 1])}/>"
        for code, name in enumerate(CHANGES)
        if name in COLOURS
    )
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        '<qgis version="3.22" styleCategories="Symbology"><pipe>'
        '<rasterrenderer type="paletted" band="1" opacity="1" alphaBand="-1">'
        f"<colorPalette>{entries}</colorPalette></rasterrenderer></pipe></qgis>\n"
    )


def in_words(comparison: RuleComparison, names: Sequence[str] = ()) -> str:
    """A few lines: land by host type under both packs."""
    own, other = names or ("before", "after")
    lines = [f"{'host type':24s}{own:>12s}{other:>12s}{'gained':>10s}{'lost':>10s}   km2 eligible"]
    for row in comparison.land.states.to_dict("records"):
        lines.append(
            f"{row['host_type']:24s}{row['eligible_before_km2']:12.2f}{row['eligible_after_km2']:12.2f}"
            f"{row['gained_km2']:10.2f}{row['lost_km2']:10.2f}"
        )
    for rule in comparison.dropped:
        lines.append(f"{rule}: no such rule in {other}, left out there")
    return "\n".join(lines)
