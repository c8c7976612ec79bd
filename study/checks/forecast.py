"""How long a study will take and how much memory, before it runs: linear terms of what the study asks for.

The coefficients are data (``study/checks/forecast.toml``) and were measured there; the forecast is good to a factor of
two on a machine like that. Only outlines of districts, sizes of files and the study file itself are looked at.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from study.schema.file import StudyFile
from study.study_file import Study, resolve_path

COEFFICIENTS_FILE = Path(__file__).resolve().parent / "forecast.toml"
_EARTH_KM_PER_DEGREE = 111.195
_RUNS_LOOKED_AT = 8


@dataclass(frozen=True)
class StageForecast:
    """What one stage is expected to take [s]."""

    stage: str
    seconds: float


@dataclass(frozen=True)
class Forecast:
    """Expected cost of a run with an empty cache, on one core.

    ``cells`` are those of the bounding box, because that is what is computed on.
    """

    cells: int
    seconds: float
    memory_mb: float
    by_stage: tuple[StageForecast, ...]
    not_measured: tuple[str, ...] = ()
    """Stages whose time is not in ``seconds``, because nobody has measured it yet."""
    disk_mb: float = math.nan
    """Run folder and cache of one run."""

    def in_words(self) -> str:
        """One paragraph for people: total, memory, and the stages that take most of it."""
        longest = sorted(self.by_stage, key=lambda s: -s.seconds)[:3]
        where = ", ".join(f"{s.stage} {duration(s.seconds)}" for s in longest)
        beyond = f"; not counted, because not measured: {', '.join(self.not_measured)}" if self.not_measured else ""
        disk = f", {_memory(self.disk_mb).replace(' memory', ' space')} on disk" if math.isfinite(self.disk_mb) else ""
        cost = f"about {duration(self.seconds)} and {_memory(self.memory_mb)}{disk}"
        return (
            f"{cost} for {self.cells / 1e6:.3g} million cells (longest: {where}); stages in the cache take no time; "
            f"a rough figure, measured on another machine{beyond}"
        )


@dataclass(frozen=True)
class Extent:
    """Size of the study region: its area and that of its bounding box [km2], NaN where the outlines are not known."""

    area_km2: float
    bounding_km2: float


def forecast(study: Study) -> Forecast:
    """Time and memory of a run of ``study`` with an empty cache.

    Takes well under two seconds: no layer is read but the district outlines. Where these cannot be read the size of
    the region, and with it most of the forecast, is NaN.
    """
    from study.stages.graph import STAGES

    table = _coefficients()
    size = extent(study, table["expect"]["bounding_share"])
    drivers = study_drivers(study, size, table["expect"])
    by_stage = tuple(StageForecast(name, _sum(terms, drivers)) for name, terms in table["stages"].items())
    cells = drivers["cells_m"] * 1e6
    return Forecast(
        cells=int(cells) if math.isfinite(cells) else 0,
        seconds=sum(s.seconds for s in by_stage),
        memory_mb=_sum(table["memory_mb"], drivers),
        by_stage=by_stage,
        not_measured=tuple(stage.name for stage in STAGES if stage.name not in table["stages"]),
        disk_mb=_sum(table["disk_mb"], drivers),
    )


def expected_seconds(study: Study, home: Path | None = None) -> dict[str, float]:
    """Seconds that each stage is expected to take.

    What a stage took in the last run below ``home`` that computed it, on this machine; else the forecast; 1 s for a
    stage that nobody has measured.
    """
    seconds = {s.stage: s.seconds if math.isfinite(s.seconds) else 1.0 for s in forecast(study).by_stage}
    return seconds | (_seen_seconds(home) if home is not None else {})


def _seen_seconds(home: Path) -> dict[str, float]:
    """Seconds of the stages in the manifests of earlier runs, the latest that computed a stage counts."""
    seen: dict[str, float] = {}
    for path in sorted(home.glob("[0-9]*/manifest.json"))[-_RUNS_LOOKED_AT:]:
        try:
            stages = json.loads(path.read_text("utf-8"))["stages"]
            seen |= {str(s["name"]): float(s["seconds"]) for s in stages if not s["from_cache"]}
        except (OSError, ValueError, KeyError, TypeError):
            continue  # a folder under change tells nothing
    return seen


def extent(study: Study, bounding_share: float) -> Extent:
    """Area of the region and of its bounding box; the box of a generated region is its area / ``bounding_share``."""
    made = study.file.generated.region
    if made is not None:
        return Extent(made.area_km2, made.area_km2 / bounding_share)
    from study.checks.sources import districts_wgs84

    districts, region = districts_wgs84(study), study.file.region
    if districts is None or districts.empty:
        return Extent(math.nan, math.nan)
    if region.only and region.name_zh_column in districts.columns:
        chosen = districts[region.name_zh_column].isin(region.only)
        if region.code_column in districts.columns:
            chosen |= districts[region.code_column].astype(str).isin(region.only)
        districts = districts[chosen] if chosen.any() else districts
    from layers.region import geodesic_area_km2

    west, south, east, north = districts.total_bounds
    width = (east - west) * math.cos(math.radians((south + north) / 2)) * _EARTH_KM_PER_DEGREE
    height = (north - south) * _EARTH_KM_PER_DEGREE
    return Extent(float(geodesic_area_km2(districts).sum()), float(width * height))


def study_drivers(study: Study, size: Extent, expect: Mapping[str, float]) -> dict[str, float]:
    """What the cost grows with; names and units in ``study/checks/forecast.toml``."""
    file = study.file
    cells_m = size.bounding_km2 / file.region.resolution_m**2
    stations = _stations(study, size, expect)
    outages_k = stations * expect["branches_per_station"] * len(file.cases) / 1000
    return {
        "once": 1.0,
        "cells_m": cells_m,
        "file_mb": _file_mb(study),
        "generated_km2": size.area_km2 if file.generated.land is not None else 0.0,
        "host_cells_m": cells_m * len(file.hosts),
        "rule_cells_m": cells_m * len(file.exclusions),
        "weather_cells": len(file.weather) + (file.generated.weather is not None),
        "stations": stations,
        "station_outages_k": stations * outages_k,
    }


def _stations(study: Study, size: Extent, expect: Mapping[str, float]) -> float:
    """Substations: counted in the user's tables, else as many as the peak load needs."""
    file = study.file
    if file.network.kind == "tables":
        return _rows(resolve_path(file.network.folder or "", study.path.parent) / "stations.csv")
    return max(_peak_mw(file, size, expect) / expect["mw_per_station"], float(len(file.network.stations)))


def _peak_mw(file: StudyFile, size: Extent, expect: Mapping[str, float]) -> float:
    made = file.generated
    if made.demand is not None:
        return made.demand.peak_mw
    people = made.region.population if made.region else sum(file.region.population.values())
    return (people or size.area_km2 * expect["inhabitants_per_km2"]) * expect["kw_per_inhabitant"] / 1000


def _rows(path: Path) -> float:
    """Rows of a CSV below its header; 0 where there is no such file."""
    if not path.is_file():
        return 0.0
    with path.open("rb") as stream:
        return max(float(sum(1 for line in stream if line.strip()) - 1), 0.0)


def _file_mb(study: Study) -> float:
    paths = [study.card(e.source).path for e in study.file.layers.values() if e.source in study.file.sources]
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


@cache
def _coefficients() -> dict[str, Any]:
    return tomllib.loads(COEFFICIENTS_FILE.read_text("utf-8"))


def _sum(terms: Mapping[str, float], drivers: Mapping[str, float]) -> float:
    return sum(coefficient * drivers[name] for name, coefficient in terms.items())


def duration(seconds: float) -> str:
    """Seconds in words, without false precision."""
    if not math.isfinite(seconds):
        return "an unknown time"
    if seconds < 90:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _memory(megabytes: float) -> str:
    if not math.isfinite(megabytes):
        return "unknown memory"
    return f"{megabytes:.0f} MB" if megabytes < 1000 else f"{megabytes / 1024:.1f} GiB"
