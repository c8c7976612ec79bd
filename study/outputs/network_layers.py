"""The network as map layers of an export: stations, lines with their loading, tie lines of the projects."""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from layers.tables import Table, column

WGS84 = "EPSG:4326"

LINES = Table(
    "lines",
    "Line circuits with their highest loading of all cases.",
    {
        "line_id": column(str, "", "line circuit", unique=True),
        "name_zh": column(str, "", "label"),
        "name_en": column(str, "", "label"),
        "vn_kv": column(float, "kV", "nominal voltage"),
        "length_km": column(float, "km", "route length", ge=0),
        "line_type": column(str, "", "row of the line types"),
        "origin": column(str, "", "how the line is known"),
        "loading_max_percent": column(float, "%", "highest loading of all cases, nothing out", nullable=True, ge=0),
        "loading_max_case": column(str, "", "case of that loading"),
    },
)

TIE_LINES = Table(
    "tie_lines",
    "Tie lines of the projects: from the project's point to its station.",
    {
        "candidate_id": column(str, "", "project; empty for the trunk of a collector station"),
        "station_id": column(str, "", "station"),
        "vn_kv": column(float, "kV", "voltage"),
        "length_km": column(float, "km", "length that was costed", nullable=True, ge=0),
        "routed": column(bool, "", "the line follows a route; false: a straight stroke stands for it"),
    },
)


@dataclass(frozen=True)
class NetworkLayers:
    """Stations (points, one a bus), lines and tie lines in WGS-84; ``plan_tie_lines`` are those of the sites that a
    plan builds, where there is one."""

    stations: gpd.GeoDataFrame
    lines: gpd.GeoDataFrame
    tie_lines: gpd.GeoDataFrame
    plan_tie_lines: gpd.GeoDataFrame | None = None


def network_layers(
    projects: pd.DataFrame,
    substations: pd.DataFrame,
    lines: gpd.GeoDataFrame,
    branch_state: pd.DataFrame,
    routes: pd.DataFrame | None = None,
) -> NetworkLayers:
    """Layers of an export.

    Parameters
    ----------
    projects
        :data:`maps.contracts.PROJECTS`.
    substations
        :data:`grid.contracts.SUBSTATIONS` with lon and lat.
    lines
        As :class:`maps.contracts.SiteMapInput` has them.
    branch_state
        :data:`grid.contracts.BRANCH_STATE`.
    routes
        :data:`grid.connections.contracts.TIE_LINES` where the study has routes; straight strokes without.
    """
    placed = substations[substations["lon"].notna() & substations["lat"].notna()].reset_index(drop=True)
    points = gpd.points_from_xy(placed["lon"], placed["lat"])
    stations = gpd.GeoDataFrame(placed, geometry=points, crs=WGS84)
    ties = straight_tie_lines(projects, placed) if routes is None or routes.empty else routed_tie_lines(routes)
    return NetworkLayers(stations, loaded_lines(lines, branch_state), ties)


def loaded_lines(lines: gpd.GeoDataFrame, branch_state: pd.DataFrame) -> gpd.GeoDataFrame:
    """Lines with their highest loading and its case, as :data:`LINES` with geometry."""
    known = branch_state[branch_state["loading_percent"].notna()]
    worst = known.sort_values("loading_percent", kind="stable").drop_duplicates("element", keep="last")
    worst = worst.set_index("element")
    rows = pd.DataFrame(lines[[name for name in LINES.columns if name in lines.columns]])
    rows["loading_max_percent"] = lines["line_id"].map(worst["loading_percent"]).to_numpy(float)
    rows["loading_max_case"] = lines["line_id"].map(worst["case"]).fillna("").astype(object)
    return gpd.GeoDataFrame(LINES.validate(rows), geometry=lines.geometry.to_numpy(), crs=WGS84)


def straight_tie_lines(projects: pd.DataFrame, stations: pd.DataFrame) -> gpd.GeoDataFrame:
    """A straight stroke from each connected project to its station, as :data:`TIE_LINES` with geometry."""
    places = stations.drop_duplicates("station_id").set_index("station_id")[["lon", "lat"]]
    rows = projects[projects["station_id"].isin(places.index)]
    ends = places.reindex(rows["station_id"]).to_numpy(float)
    pairs = np.stack([rows[["lon", "lat"]].to_numpy(float), ends], axis=1)
    strokes = shapely.linestrings(pairs) if len(rows) else np.array([], object)
    return _tie_table(
        rows["candidate_id"], rows["station_id"], rows["connection_kv"], rows["connection_km"],
        np.zeros(len(rows), bool), strokes,
    )  # fmt: skip


def routed_tie_lines(routes: pd.DataFrame) -> gpd.GeoDataFrame:
    """Routes of :data:`grid.connections.contracts.TIE_LINES`, as :data:`TIE_LINES` with geometry."""
    drawn = routes[routes["path_wkt"] != ""]
    return _tie_table(
        drawn["candidate_id"], drawn["station_id"], drawn["vn_kv"], drawn["length_km"],
        drawn["routed"].to_numpy(bool), shapely.from_wkt(drawn["path_wkt"].to_numpy(object)),
    )  # fmt: skip


def _tie_table(candidate, station, vn_kv, length_km, routed, geometry) -> gpd.GeoDataFrame:  # type: ignore[no-untyped-def]
    rows = pd.DataFrame(
        {
            "candidate_id": candidate.to_numpy(object),
            "station_id": station.to_numpy(object),
            "vn_kv": vn_kv.to_numpy(float),
            "length_km": length_km.to_numpy(float),
            "routed": routed,
        }
    )
    return gpd.GeoDataFrame(TIE_LINES.validate(rows), geometry=geometry, crs=WGS84)
