"""A plan with a new station: what it starts from, and where its sites are drawn and said to connect."""

import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from plan_samples import problem

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "grid_study"))
from gridstudy_networks import triangle

from grid.connections.contracts import TIE_LINES
from grid.plan.contracts import Access
from study.plan.access import Place, PlanAccesses
from study.plan.basis import Members, PlanBasis
from study.plan.measures import MeasureBook, new_stations
from study.plan.search import plan_problem
from study.plan.site_table import station_names
from study.plan.station_access import StationAccesses, with_station_places
from study.plan.ties import plan_ties
from study.schema.outputs import NewStationEntry
from study.study_file import PROGRAM_ROOT, read_study

OPENING, BUS = "new_station_110:new001", "new001/110"
ENTRY = NewStationEntry(name_zh="新一", name_en="One", vn_kv=110, lon=116.22, lat=33.07)
NEW = StationAccesses(
    {"C/110 pv": (Access("c>new", BUS, 1e5, requires=OPENING, bays=1),)},
    {"c>new": Place("new001", BUS, 110.0, 7.0, 1e6)},
    {BUS: 2},
)


def of_study(dropped=(), new=NEW):
    file = read_study(PROGRAM_ROOT / "study" / "builtin" / "bozhou.toml").file
    changes = {"stations": (ENTRY,), "dropped_stations": dropped, "measures": ("new_station",), "stages": (2030,)}
    file = file.model_copy(update={"plan": file.plan.model_copy(update=changes)})
    lots = tuple(lot for lot in problem(0.0).lots if lot.accesses[0].bus_id in ("B/110", "C/110"))
    members = tuple(Members((lot.id,), (lot.capacity_mw,)) for lot in lots)
    at = {"B/110": "B", "C/110": "C"}
    basis = PlanBasis(lots, members, (), np.zeros((len(lots), 0)), None, at, PlanAccesses())
    return plan_problem(file, basis, MeasureBook(triangle(), file.plan, new_stations(file)), new)


def test_the_station_is_on_the_menu_from_the_start_where_plants_may_connect_there():
    one = of_study()
    assert [m.id for m in one.measures] == [OPENING]
    assert one.opening == {OPENING}
    assert one.bays == {BUS: 2}
    assert BUS in one.buses
    assert BUS not in one.storage_buses
    assert of_study(new=StationAccesses()).measures == ()


def test_a_site_whose_station_is_dropped_keeps_its_access_at_the_new_one():
    left = {lot.id: [a.bus_id for a in lot.accesses] for lot in of_study(("C",)).lots}
    assert left["C/110 pv"] == [BUS]
    assert {bus for lot, buses in left.items() if lot != "C/110 pv" for bus in buses} == {"B/110"}


def ties_of(sites):
    route = {
        "tie_line_id": "c>new", "candidate_id": "c", "station_id": "new001", "bus_id": BUS, "collector_id": "",
        "vn_kv": 110.0, "line_type": "LGJ", "circuits": 1, "length_km": 7.0, "straight_km": 6.0,
        "terrain_factor": 1.0, "line_cny": 1e6, "routed": True, "path_wkt": "LINESTRING (116.3 33.1, 116.22 33.07)",
    }  # fmt: skip
    joint = [{**route, "tie_line_id": f"{c}>B", "candidate_id": c, "station_id": "B", "bus_id": "B/110"} for c in "cb"]
    results = {
        "connection_study": SimpleNamespace(tie_lines=pd.DataFrame(joint, columns=list(TIE_LINES.columns))),
        "station_accesses": replace(NEW, tie_lines=pd.DataFrame([route])),
        "network": triangle(),
    }
    menu = pd.DataFrame(
        [("new_station", "new001", "新一", "One", 116.22, 33.07)],
        columns=["kind", "station_id", "name_zh", "name_en", "lon", "lat"],
    )
    plan = SimpleNamespace(answer=SimpleNamespace(problem=SimpleNamespace(stages=(0,))), menu=menu)
    return results, plan, plan_ties(results, plan, sites)


def test_lines_go_to_the_station_that_the_plan_chose():
    """c takes its route to the new station, not that of the list; d, which none routed, a straight stroke to it."""
    rows = [("c", 40.0), ("b", 30.0), ("d", 20.0), ("idle", 0.0), ("roofs", 5.0)]
    sites = pd.DataFrame(rows, columns=["candidate_id", 0]).assign(
        kind=["ground"] * 4 + ["roof"], bus_id=[BUS, "B/110", BUS, "B/110", "B/110"],
        station_id=["new001", "B", "new001", "B", "B"], vn_kv=110.0, length_km=9.0, lon=116.3, lat=33.1,
    )  # fmt: skip
    results, plan, ties = ties_of(sites)
    drawn = ties.set_index("candidate_id")
    assert drawn["station_id"].to_dict() == {"c": "new001", "b": "B", "d": "new001"}
    assert drawn["routed"].to_dict() == {"c": True, "b": True, "d": False}
    assert list(drawn.geometry["d"].coords)[-1] == pytest.approx((116.22, 33.07))
    names = station_names(results, plan)
    assert (names.name_zh["new001"], names.name_en["new001"], names.name_zh["B"]) == ("新一", "One", "B变")
    assert plan_ties(results, plan, sites[sites[0] == 0.0]).empty


def test_places_of_new_stations_join_those_of_standing_ones():
    one = with_station_places(PlanAccesses({}, {"a": Place("A", "A/110", 110.0, 1.0, 1.0)}), NEW)
    assert set(one.places) == {"a", "c>new"}
