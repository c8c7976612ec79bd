"""The sites of a map as three packed blocks: what drawing needs, the outlines, and the words that popups need.

They are read one after the other, so that the first view waits for no sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import shapely

from maps.contracts import SiteMapInput
from maps.geometry import simplify
from maps.packing import Column, code_column, number_column, pack, shape_columns, text_column, world_pixels
from maps.style import MapStyle

NUMBERS: tuple[tuple[str, int], ...] = (
    ("order", 0),
    ("area_m2", 0),
    ("capacity_mw", 2),
    ("grid_capacity_mw", 2),
    ("specific_yield_kwh_per_kw", 0),
    ("energy_mwh", 0),
    ("lcoe_cny_per_kwh", 4),
    ("score", 3),
    ("connection_kv", 1),
    ("connection_km", 2),
    ("connection_cost_cny", -4),
    ("n_0_alone_mw", 1),
    ("n_1_alone_mw", 1),
    ("accepted_mw", 2),
)
FACTS: tuple[tuple[str, int], ...] = (
    ("mean_slope_deg", 1),
    ("road_km", 2),
    ("line_km", 2),
    ("station_km", 2),
    ("turbine_count", 0),
    ("roof_count", 0),
    ("shading_loss_share", 3),
    ("shared_share", 2),
    ("co_use_yield_factor", 2),
)
CODES = ("district_code", "technology", "origin", "station_id")
LIMITS = ("binding_case", "binding_element", "binding_outage", "upgrade_id")
TEXTS = ("candidate_id", "name_zh", "name_en", "reason_zh", "reason_en")


@dataclass(frozen=True)
class SiteBlocks:
    """``core``, ``shapes`` and ``texts`` are base64, see :mod:`maps.packing`; rows in the order of the project list."""

    core: str
    shapes: str
    texts: str


def site_blocks(data: SiteMapInput, style: MapStyle, tolerance_m: float) -> SiteBlocks:
    """The sites of a map, outlines simplified by at most ``tolerance_m`` metres."""
    sites = data.projects
    shapes = simplify(sites.geometry.to_numpy(), tolerance_m)
    columns = [
        *_places(sites),
        *_extents(sites),
        *(number_column(name, sites[name], digits) for name, digits in NUMBERS),
        code_column("host_type", sites["host_type"], _shown(data)),
        code_column("verdict", sites["verdict"], [v.verdict for v in style.verdicts]),
        *(code_column(name, sites[name]) for name in (*CODES, *LIMITS)),
        *_stages(data),
        *_profiles(data),
        *_facts(data),
    ]
    texts = [text_column(name, sites[name]) for name in TEXTS]
    return SiteBlocks(
        core=pack(len(sites), columns),
        shapes=pack(len(sites), shape_columns(shapes)),
        texts=pack(len(sites), [*texts, *_townships(data), *_plan_connections(data)]),
    )


def _shown(data: SiteMapInput) -> list[str]:
    hosts = data.host_types["host_type"]
    return list(hosts[hosts.isin(data.projects["host_type"])])


def _places(sites: pd.DataFrame) -> list[Column]:
    pixels = world_pixels(sites[["lon", "lat"]].to_numpy(float))
    return [number_column(name, pd.Series(pixels[:, k]), 0) for k, name in enumerate("xy")]


def _extents(sites: Any) -> list[Column]:
    """Edges of each outline in world pixels: known before the outlines are read."""
    bounds = shapely.bounds(sites.geometry.to_numpy()).reshape(-1, 4)
    west_north, east_south = world_pixels(bounds[:, [0, 3]]), world_pixels(bounds[:, [2, 1]])
    pixels = world_pixels(sites[["lon", "lat"]].to_numpy(float))
    edges = np.column_stack([pixels - west_north, east_south - pixels])
    names = ("to_west", "to_north", "to_east", "to_south")
    return [number_column(name, pd.Series(edges[:, k]), 0) for k, name in enumerate(names)]


def plan_stages(data: SiteMapInput) -> list[str]:
    """Stages that the plan gives to sites or measures, in order; empty without a plan."""
    named: list[Any] = []
    for table in (data.stages, data.measures):
        if table is not None and "stage" in table.columns:
            named += [stage for stage in table["stage"] if not pd.isna(stage) and str(stage) != ""]
    return [str(stage) for stage in sorted(set(named), key=lambda stage: (str(type(stage)), stage))]


def _stages(data: SiteMapInput) -> list[Column]:
    listed = plan_stages(data)
    if data.stages is None or not listed:
        return []
    of_site = data.stages.drop_duplicates("candidate_id").set_index("candidate_id")["stage"]
    stage = data.projects["candidate_id"].map(of_site)
    words = stage.where(stage.notna(), "").astype(str)
    return [code_column("stage", words, ["", *listed])]


def _plan_connections(data: SiteMapInput) -> list[Column]:
    """Where the plan connects sites, in words, if it connects any of them elsewhere than the list."""
    names = ("connection_zh", "connection_en")
    if data.stages is None or not {*names} <= {*data.stages.columns} or not (data.stages[names[0]] != "").any():
        return []
    table = data.stages.drop_duplicates("candidate_id").set_index("candidate_id")
    ids = data.projects["candidate_id"]
    return [text_column(f"plan_{name}", ids.map(table[name]).fillna("")) for name in names]


def _profiles(data: SiteMapInput) -> list[Column]:
    if data.profiles is None:
        return []
    table = data.profiles.sites.drop_duplicates("candidate_id").set_index("candidate_id")
    ids = data.projects["candidate_id"]
    return [
        number_column("profile", ids.map(table["profile"]), 0),
        number_column("profile_mw", ids.map(table["capacity_mw"]), 3),
    ]


def _facts(data: SiteMapInput) -> list[Column]:
    """Facts of the sites that some site has."""
    if data.site_facts is None:
        return []
    table = data.site_facts.drop_duplicates("candidate_id").set_index("candidate_id")
    ids = data.projects["candidate_id"]
    found = [(name, digits, ids.map(table[name])) for name, digits in FACTS if name in table.columns]
    return [number_column(name, values, digits) for name, digits, values in found if values.notna().any()]


def _townships(data: SiteMapInput) -> Sequence[Column]:
    if data.site_facts is None or "township" not in data.site_facts.columns:
        return ()
    table = data.site_facts.drop_duplicates("candidate_id").set_index("candidate_id")["township"]
    words = data.projects["candidate_id"].map(table).fillna("")
    return (text_column("township", words),) if (words != "").any() else ()
