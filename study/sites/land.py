"""Land stage of a study: ledger policy, kept masks, tables by district, GeoTIFF of states and reasons."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from layers.contracts import Finding
from siting.contracts import LandResult
from siting.land.ledger import LedgerPolicy, check_policy
from study import records
from study.pipeline import Results
from study.schema.file import StudyFile
from study.sites import candidates as sites
from study.sites.rules import study_rules
from study.study_file import Study

MASKS = "masks"
"""Folder of the masks kept by content, in the study's cache."""


@dataclass(frozen=True)
class LandTables:
    """The light part of the land: read by a rerun that touches no raster."""

    states: pd.DataFrame
    waterfall: pd.DataFrame
    states_by_district: pd.DataFrame = field(default_factory=pd.DataFrame)
    waterfall_by_district: pd.DataFrame = field(default_factory=pd.DataFrame)
    co_used: pd.DataFrame = field(default_factory=pd.DataFrame)


def ledger_policy(file: StudyFile) -> LedgerPolicy:
    """Who comes first on disputed land, as the study file says."""
    land = file.land
    return LedgerPolicy(
        land.policy,
        land.order,
        tuple(sorted(land.values.items())),
        tuple(sorted(land.value_rasters.items())),
        land.lower_is_better,
    )


def ledger_config(study: Study) -> object:
    """The part of the study file that the ledger and the reasons depend on."""
    land = study.file.land
    return [land.policy, land.order, land.values, land.value_rasters, land.lower_is_better, land.reasons]


def land_findings(study: Study) -> list[Finding]:
    """What is wrong with the ledger policy of a study file."""
    file = study.file
    hosts = list(dict.fromkeys(host.host_type for host in file.hosts))
    rasters = [name for name, entry in file.layers.items() if entry.kind != "vector"]
    return check_policy(ledger_policy(file), hosts, rasters, file=study.shown_path)


def compute_land(results: Results) -> LandResult:
    from siting.hosts.types import load_host_types
    from siting.land.eligibility import evaluate_land

    file, ground, region = results.study.file, results.get("ground"), results.get("region")
    return evaluate_land(
        region,
        sites.all_vectors(results),
        ground.rasters,
        records.host_layers(file),
        load_host_types(),
        study_rules(results.study, region.districts["district_code"]),
        mapped_by=file.land.mapped_by,
        co_use=file.land.co_use,
        policy=ledger_policy(file),
        workers=file.land.workers or None,
        dask=file.land.dask,
        mask_cache=results.cache.folder / MASKS,
        reasons=file.land.reasons,
        progress=results.progress,
    )


def compute_land_tables(results: Results) -> LandTables:
    land = results.get("land")
    return LandTables(land.states, land.waterfall, land.states_by_district, land.waterfall_by_district, land.co_used)


def write_rasters(results: Results, folder: Path) -> None:
    """GeoTIFF of states and reasons, where the study file asks for them."""
    if results.study.file.land.rasters:
        from siting.land.rasters import write_land_rasters

        write_land_rasters(results.get("land"), results.get("region"), folder)
