"""The project list: what ground, sky and network say of each candidate, in one row."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd

from maps.contracts import PROJECTS
from siting.contracts import HostType

_WGS84 = "EPSG:4326"


def project_order(candidates: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Candidates in the order in which the network is asked: best score first, unknown scores last, then by id."""
    ranked = candidates.merge(scores[["candidate_id", "score"]], on="candidate_id", how="left", validate="1:1")
    return ranked.sort_values(["score", "candidate_id"], ascending=[False, True], na_position="last", kind="stable")


def project_list(
    candidates: gpd.GeoDataFrame,
    yields: pd.DataFrame,
    scores: pd.DataFrame,
    connections: pd.DataFrame,
    verdicts: pd.DataFrame,
    upgrades: pd.DataFrame,
    stations: pd.DataFrame,
    districts: pd.DataFrame,
    host_types: tuple[HostType, ...],
    lcoe: pd.Series,
) -> gpd.GeoDataFrame:
    """One row a candidate, columns of :data:`maps.contracts.PROJECTS` plus ``geometry`` in WGS-84.

    All tables follow their contracts; every candidate must stand in each of them. ``lcoe`` is the cost of energy with
    the connection where it is known [CNY/kWh], by candidate id.
    """
    table = project_order(candidates, scores)
    for other in (yields, connections, verdicts):
        table = table.merge(other, on="candidate_id", how="left", validate="1:1", suffixes=("", "_other"))
    table["order"] = np.arange(1, len(table) + 1)
    hosts = {host.host_type: host for host in host_types}
    table["host_type_zh"] = [hosts[h].label_zh for h in table["host_type"]]
    table["host_type_en"] = [hosts[h].label_en for h in table["host_type"]]
    table = _labelled(table, districts, "district_code", {"name_zh": "district_zh", "name_en": "district_en"})
    table = _labelled(table, stations, "station_id", {"name_zh": "station_zh", "name_en": "station_en"})
    measures = {"description_zh": "upgrade_zh", "description_en": "upgrade_en"}
    table = _labelled(table, upgrades, "upgrade_id", measures)
    table["lcoe_cny_per_kwh"] = table["candidate_id"].map(lcoe).astype(float)
    table = table.rename(columns={"vn_kv": "connection_kv", "length_km": "connection_km"})
    result = gpd.GeoDataFrame(
        table[list(PROJECTS.columns)].reset_index(drop=True),
        geometry=gpd.GeoSeries(table["geometry"].to_numpy(), crs=candidates.crs).to_crs(_WGS84).to_numpy(),
        crs=_WGS84,
    )
    PROJECTS.validate(pd.DataFrame(result.drop(columns="geometry")))
    return result


def _labelled(table: pd.DataFrame, names: pd.DataFrame, key: str, columns: dict[str, str]) -> pd.DataFrame:
    """Add the labels of ``key``; empty where the key is empty."""
    lookup = names.drop_duplicates(key).set_index(key)
    for source, target in columns.items():
        table[target] = table[key].map(lookup[source]).fillna("").astype(object)
    return table
