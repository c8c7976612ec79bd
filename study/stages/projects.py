"""The project list: what ground, sky and network say of each candidate, in one row."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd

from maps.contracts import PROJECTS
from siting.contracts import HostType
from study.outputs.element_names import Names, named

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
    names: Names,
) -> gpd.GeoDataFrame:
    """One row a candidate, columns of :data:`maps.contracts.PROJECTS` plus ``geometry`` in WGS-84.

    All tables follow their contracts; every candidate must stand in each of them. ``lcoe`` is the cost of energy with
    the connection where it is known [CNY/kWh], by candidate id; ``names`` are what cases and network elements are
    called, which verdicts know by their ids.
    """
    table = project_order(candidates, scores)
    connections = connections.rename(columns={"reason_zh": "connection_zh", "reason_en": "connection_en"})
    for other in (yields, connections, verdicts):
        table = table.merge(other, on="candidate_id", how="left", validate="1:1", suffixes=("", "_other"))
    table["reason_zh"], table["reason_en"] = _reasons(table, names)
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


def with_park_notes(projects: gpd.GeoDataFrame, sites: pd.DataFrame, parks: pd.DataFrame) -> gpd.GeoDataFrame:
    """Projects whose reason says which part of them serves a park: list and network count each site in full.

    ``sites`` and ``parks`` follow :data:`siting.parks.contracts.PARK_SITES` and PARKS.
    """
    if sites.empty:
        return projects
    names = parks.set_index("park_id")
    notes = {
        "zh": "；其中 {mw:,.1f} MW 供园区“{name}”，与接入电网不可重复计",
        "en": "; of it {mw:,.1f} MW serve the park {name}: not to be counted on the network too",
    }
    noted = projects.copy()
    for language, note in notes.items():
        texts = [note.format(mw=mw, name=names.at[park, f"name_{language}"])
                 for park, mw in zip(sites["park_id"], sites["park_mw"], strict=True)]  # fmt: skip
        added = pd.Series(texts, index=sites["candidate_id"].to_numpy()).groupby(level=0, sort=False).agg("".join)
        noted[f"reason_{language}"] = noted[f"reason_{language}"] + noted["candidate_id"].map(added).fillna("")
    return noted


def _reasons(table: pd.DataFrame, names: Names) -> tuple[list[str], list[str]]:
    """Why the verdict is as it is, in names instead of ids; then why the site connects where it does."""
    zh = [named(text, names, "zh") for text in table["reason_zh"]]
    en = [named(text, names, "en") for text in table["reason_en"]]
    connects = (table["verdict"] != "no_connection").tolist()  # without a connection that is the verdict's reason
    for k in np.flatnonzero(connects).tolist():
        zh[k] += f"；接入点：{table['connection_zh'].iloc[k]}"
        en[k] += f"; point of connection: {table['connection_en'].iloc[k]}"
    return zh, en


def _labelled(table: pd.DataFrame, names: pd.DataFrame, key: str, columns: dict[str, str]) -> pd.DataFrame:
    """Add the labels of ``key``; empty where the key is empty."""
    lookup = names.drop_duplicates(key).set_index(key)
    for source, target in columns.items():
        table[target] = table[key].map(lookup[source]).fillna("").astype(object)
    return table
