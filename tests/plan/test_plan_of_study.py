"""What a study makes of its plan section: lead times, targets with their labels, what stands already, unmapped land."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from plan_samples import problem, triangle

from grid.plan.contracts import Access, Decision
from study.plan.access import PlanAccesses
from study.plan.basis import Members, PlanBasis
from study.plan.measures import MeasureBook, plan_measure
from study.plan.search import plan_problem, plan_stages, plan_targets
from study.plan.target_table import land_that_lacks, target_labels, uses_all_candidates
from study.study_file import PROGRAM_ROOT, read_study

BUILTIN = PROGRAM_ROOT / "study" / "builtin"


@pytest.mark.parametrize(
    ("decided", "lead", "first"), [(None, 2.0, 0), (2024, 2.0, 2026), (2024, 1.5, 2026), (2024, 0.0, 2024)]
)
def test_a_measure_stands_no_earlier_than_its_lead_time_after_the_decision(decided, lead, first):
    row = SimpleNamespace(
        measure_id="m", kind="second_circuit", element="L", investment_cny=1e6, annual_cost_cny=1e5,
        exclusive_group="", requires="", lead_time_years=lead,
    )  # fmt: skip
    assert plan_measure(row, decided).first_year == first


def test_a_dropped_station_takes_the_accesses_there_and_leaves_the_others():
    """A site with two points keeps the one that stays, whichever was first; a site with none goes."""
    file = read_study(BUILTIN / "bozhou.toml").file
    at = {"B/110": "B", "C/110": "C", "D/110": "D"}
    first = [lot for lot in problem(0.0).lots if lot.accesses[0].bus_id in at][:3]
    lots = tuple(
        replace(lot, accesses=(*lot.accesses, *more))
        for lot, more in zip(first, ((Access("far", "D/110", 1e6),), (), (Access("near", "B/110", 2e6),)), strict=True)
    )
    members = tuple(Members((lot.id,), (lot.capacity_mw,)) for lot in lots)
    basis = PlanBasis(lots, members, (), np.zeros((3, 0)), None, at, PlanAccesses())

    def left(*stations):
        dropped = file.plan.model_copy(update={"dropped_stations": stations, "measures": ()})
        one = plan_problem(file.model_copy(update={"plan": dropped}), basis, MeasureBook(triangle(), dropped))
        return [[access.bus_id for access in lot.accesses] for lot in one.lots]

    assert left() == [["B/110", "D/110"], ["C/110"], ["D/110", "B/110"]]
    assert left("B") == [["D/110"], ["C/110"], ["D/110"]]
    assert left("D") == [["B/110"], ["C/110"], ["B/110"]]
    assert left("C") == [["B/110", "D/110"], ["D/110", "B/110"]]
    assert left("B", "D") == [["C/110"]]


def test_storage_that_stands_is_taken_off_bozhous_target():
    file = read_study(BUILTIN / "bozhou.toml").file
    (storage,) = [t for t in plan_targets(file, plan_stages(file), ()) if t.group == "storage"]
    assert storage.new_mw == 400 - 300


@pytest.mark.parametrize("name", ["bozhou", "hangzhou"])
def test_every_target_and_quota_of_a_plan_has_labels_in_both_languages(name):
    file = read_study(BUILTIN / f"{name}.toml").file
    targets, labels = plan_targets(file, plan_stages(file), ()), target_labels(file)
    assert targets
    for target in targets:
        zh, en = labels[target.id]
        assert any("\u4e00" <= letter <= "\u9fff" for letter in zh)
        assert en.isascii()


def test_land_is_what_misses_a_target_only_where_every_candidate_is_built():
    one = problem(1000.0)
    capacity = np.array([lot.capacity_mw for lot in one.lots])

    none = np.zeros((0, 1))

    def built(mw):
        return Decision(mw[:, None], none > 0, none, none, none, none, np.zeros(1), none > 0)

    assert uses_all_candidates(one, built(capacity), 0)
    assert not uses_all_candidates(one, built(capacity * [1, 1, 1, 1, 1, 0.9]), 0)
    stored = replace(one, targets=(replace(one.targets[0], group="storage"),))
    assert not uses_all_candidates(stored, built(capacity), 0)


def test_land_that_lacks_names_eligible_and_unmapped_area_and_no_unmapped_where_all_is_known():
    states = pd.DataFrame(
        {"host_km2": [60.0, 40.0], "owned_km2": [30.0, 20.0], "unknown_km2": [800.0, 750.0], "region_km2": [1e3, 1e3]}
    )
    zh, en = land_that_lacks(states)
    for text in (zh, en):
        assert [figure in text for figure in ("100 km", "50 km", "750", "1,000 km")] == [True] * 4
    known_zh, known_en = land_that_lacks(states.assign(unknown_km2=[0.0, 800.0]))
    assert known_en == "; of 100 km2 mapped as land for it 50 km2 are eligible"
    assert "1,000" not in known_zh
    assert land_that_lacks(states.iloc[:0]) == ("", "")
