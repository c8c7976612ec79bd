"""Tie lines of the sites that a plan builds, where it connects them: also at stations that it builds."""

from __future__ import annotations

import geopandas as gpd
import pandas as pd
import shapely

from study.outputs.network_layers import routed_tie_lines
from study.pipeline import Results
from study.plan.search import StudyPlan
from study.plan.site_table import BUILT_MW


def plan_ties(results: Results, plan: StudyPlan, sites: pd.DataFrame) -> gpd.GeoDataFrame:
    """Routes of the built sites' lines and of the collectors' trunks they use, as
    :data:`study.outputs.network_layers.TIE_LINES` with geometry.

    A line that no study routed is a straight stroke; blocks of roofs use feeders that exist.

    Parameters
    ----------
    sites
        As :func:`study.plan.site_table.sites_at_access` gives them.
    """
    last = len(plan.answer.problem.stages) - 1
    built = sites[(sites[last] > BUILT_MW) & (sites["kind"] != "roof")]
    joint = results.get("connection_study").tie_lines
    new = results.get("station_accesses").tie_lines
    known = pd.concat([joint, new], ignore_index=True) if len(new) else joint
    wanted = built[["candidate_id", "bus_id", "station_id", "vn_kv", "length_km", "lon", "lat"]]
    found = wanted[["candidate_id", "bus_id"]].merge(known, on=["candidate_id", "bus_id"])
    found = found.drop_duplicates("candidate_id")
    trunks = joint[(joint["candidate_id"] == "") & joint["collector_id"].isin(set(found["collector_id"]) - {""})]
    other = wanted[~wanted["candidate_id"].isin(found["candidate_id"])]
    strokes = other.assign(path_wkt=_strokes(other, _places(results, plan)), routed=False)
    drawn = [part for part in (found, trunks, strokes) if len(part)]
    columns = ["candidate_id", "station_id", "vn_kv", "length_km", "routed", "path_wkt"]
    return routed_tie_lines(pd.concat([part[columns] for part in drawn]) if drawn else known.head(0))


def _places(results: Results, plan: StudyPlan) -> pd.DataFrame:
    """Place of each station, those that the plan may build among them."""
    new = plan.menu[plan.menu["kind"] == "new_station"]
    columns = ["station_id", "lon", "lat"]
    every = pd.concat([results.get("network").stations[columns], new[columns]])
    return every.drop_duplicates("station_id").set_index("station_id")


def _strokes(sites: pd.DataFrame, places: pd.DataFrame) -> list[str]:
    ends = places.loc[sites["station_id"], ["lon", "lat"]].to_numpy(float)
    starts = sites[["lon", "lat"]].to_numpy(float)
    return [
        shapely.to_wkt(shapely.LineString([start, end]), rounding_precision=6)
        for start, end in zip(starts, ends, strict=True)
    ]
