"""Options of the plan where they bind: the answer is that of a hand calculation or of trying everything."""

from dataclasses import replace
from itertools import product

import numpy as np
import plan_samples as samples
import pytest

from grid.plan.contracts import PlanMeasure, PlanTarget, Stage, StorageTerms
from grid.plan.model import Master
from grid.plan.search import Search
from grid.plan.solve import finish, search_plan, solve_plan, with_points
from study.plan.search import STORAGE_HOURS, plan_targets, storage_terms
from study.plan.target_table import below_floor_mw
from study.schema.outputs import PlanEntry, QuotaEntry
from study.study_file import PROGRAM_ROOT, read_study

STORE = StorageTerms(0.0, 160_000.0, 979_000.0, 1.0, 8.0, 0.85, 4.0, 365.0, 50.0)


def alone(one, rows):
    """The sample with some of its lots."""
    return replace(one, lots=tuple(one.lots[k] for k in rows), availability=one.availability[list(rows)])


# --- storage share ----------------------------------------------------------------------------------------------


def test_ten_per_cent_of_storage_for_two_hours_is_what_it_says_in_every_stage():
    """30 then 45 MW of the cheapest lot (PV at B, 300 000 CNY/MW): 3 then 4.5 MW, 6 then 9 MWh at 160 000 CNY/MWh."""
    stages = (Stage(2025, 0.6), Stage(2030, 0.4))
    one = samples.problem(45.0, whole=False, stages=stages, measures=(), capacity=60.0)
    early = PlanTarget("early", "renewable", 0, 30.0)
    one = replace(one, targets=(early, *one.targets), storage=STORE, storage_buses=("B/110", "C/110"))
    answer = solve_plan(samples.with_settings(one, storage_share=0.10, storage_hours=2.0))
    assert answer.decision.mw.sum(axis=0) == pytest.approx([30.0, 45.0])
    assert answer.decision.storage_mw.sum(axis=0) == pytest.approx([3.0, 4.5])
    assert answer.decision.storage_mwh.sum(axis=0) == pytest.approx([6.0, 9.0])
    yearly = np.array([30 * 300e3 + 6 * 160e3, 45 * 300e3 + 9 * 160e3])
    assert answer.objective_cny == pytest.approx(0.6 * yearly[0] + 0.4 * yearly[1])
    plain = solve_plan(one)
    assert plain.decision.storage_mw.sum() == pytest.approx(0.0, abs=1e-9)


def test_a_store_of_the_share_has_the_hours_of_the_share_and_others_at_least_one():
    """A target of 100 MW beside the share: no store of one hour beside others of three that make up the sum."""
    plain, shared, long = (
        storage_terms(PlanEntry(storage_share=share, storage_hours=hours))
        for share, hours in ((0.0, 2.0), (0.1, 2.0), (0.1, 10.0))
    )
    assert (plain.least_hours, plain.most_hours) == STORAGE_HOURS == (1.0, 8.0)
    assert (shared.least_hours, shared.most_hours) == (2.0, 8.0)
    assert (long.least_hours, long.most_hours) == (10.0, 10.0)
    one = samples.problem(40.0, whole=False, measures=())
    goal = PlanTarget("stores", "storage", 0, 10.0)
    one = replace(one, targets=(*one.targets, goal), storage=shared, storage_buses=("B/110", "C/110", "D/110"))
    answer = solve_plan(samples.with_settings(one, storage_share=0.10))
    power, content = answer.decision.storage_mw[:, 0], answer.decision.storage_mwh[:, 0]
    assert power.sum() == pytest.approx(10.0)
    assert (content >= 2 * power - 1e-9).all()
    assert content.sum() == pytest.approx(20.0)


# --- rooftop ratios ---------------------------------------------------------------------------------------------


def test_a_ratio_of_roofs_is_kept_by_the_cheapest_roofs_of_the_county():
    """Of 40 + 45 + 50 MW (DC by AC 1.2) roofs in county X a third is 54 MW installed, 45 MW of grid capacity.

    Ground at B is cheapest, so that without the quota no roof would be built: 60 MW installed cost 50 x 300 000; with
    it the cheapest roofs (C, 317 000 CNY/MW) carry 45 MW and ground the other 5.
    """
    file = read_study(PROGRAM_ROOT / "study" / "builtin" / "bozhou.toml").file
    quota = QuotaEntry(
        technology_group="pv", technologies=("pv_roof",), districts=("X",), year=2030, least_share=1 / 3,
        source="whole-county notice",
    )  # fmt: skip
    one = samples.problem(60.0, whole=False, measures=())
    lots = tuple(replace(lot, installed_per_mw=1.2) for lot in one.lots)
    made = []
    for lot, (tech, district, mw) in zip(
        lots, (("pv_ground", "X", 60.0), ("pv_roof", "X", 40.0), ("pv_roof", "X", 45.0), ("wind", "X", 45.0),
               ("pv_roof", "Y", 70.0), ("pv_roof", "X", 50.0)), strict=True,
    ):  # fmt: skip
        group = "wind" if tech == "wind" else "pv"
        made.append(replace(lot, technology=tech, district_code=district, capacity_mw=mw, group=group))
    plan = file.plan.model_copy(update={"quotas": (quota,)})
    targets = plan_targets(file.model_copy(update={"plan": plan, "targets": ()}), (Stage(2030, 1.0),), tuple(made))
    (ratio,) = targets
    assert ratio.new_mw == pytest.approx((40 + 45 + 50) * 1.2 / 3)
    one = replace(one, lots=tuple(made), targets=(one.targets[0], ratio))
    answer = solve_plan(one)
    assert answer.violations == ()
    assert answer.decision.mw[:, 0] == pytest.approx([5.0, 40.0, 5.0, 0.0, 0.0, 0.0])
    assert answer.objective_cny == pytest.approx(5 * 300e3 + 40 * 317e3 + 5 * 334e3)
    without = solve_plan(replace(one, targets=one.targets[:1]))
    assert without.decision.mw[:, 0] == pytest.approx([50.0, 0, 0, 0, 0, 0])


# --- utilisation floor ------------------------------------------------------------------------------------------


def sunny(floor, *, in_cases=False, weights=(1000.0, 3000.0)):
    """PV without end at D behind one line: all of it in 1000 h of the year, half of it in 3000 h."""
    one = samples.problem(0.0, whole=False, measures=())
    lot = replace(one.lots[2], capacity_mw=500.0)
    points = tuple(
        replace(point, weight_h=hours, curtailable=True, case=one.points[0].case)
        for point, hours in zip(one.points, weights, strict=True)
    )
    availability = np.array([[1.0, 0.5]])
    if in_cases is not None:
        points = (replace(one.points[0], id="case", curtailable=in_cases), *points)
        availability = np.array([[0.9, 1.0, 0.5]])
    one = replace(one, lots=(lot,), points=points, availability=availability, targets=())
    return samples.with_settings(one, objective="most_mw", utilisation_floor=floor)


@pytest.mark.parametrize("floor", [1.0, 0.95, 0.90])
def test_the_utilisation_floor_binds_where_the_line_is_narrow(floor):
    """The line takes L. 1000 (x - L) are lost of 1000 x + 3000 x / 2, at most (1 - floor) of them:
    x = L / (1 - 2.5 (1 - floor)): L, 1.143 L and 1.333 L."""
    answer = solve_plan(sunny(floor, in_cases=None))
    most = solve_plan(sunny(1.0, in_cases=None)).value
    assert answer.violations == ()
    assert answer.value == pytest.approx(most / (1 - 2.5 * (1 - floor)), rel=2e-3)
    lost = 1000 * answer.decision.curtailed_mw[:, 0, 0].sum() + 3000 * answer.decision.curtailed_mw[:, 1, 0].sum()
    assert lost == pytest.approx((1 - floor) * 2500 * answer.value, rel=1e-6, abs=1e-6)
    fed = answer.decision.mw[:, 0] * (1 - answer.decision.curtailed_mw[:, 0, 0].sum() / answer.value)
    one = answer.problem
    noon = replace(one, points=one.points[:1], availability=np.array([[1.0]]))
    assert samples.secure(noon, fed, frozenset())
    assert not samples.secure(noon, fed * 1.01, frozenset())


def test_in_a_named_case_what_stands_is_firm_unless_the_study_lets_it_be_held_back():
    """Firm: 0.9 x <= L. Held back too: the floor of the year alone decides, x = L / (1 - 2.5 x 0.05)."""
    most = solve_plan(sunny(1.0, in_cases=None)).value
    firm, held = (solve_plan(sunny(0.95, in_cases=choice)) for choice in (False, True))
    assert firm.value == pytest.approx(most / 0.9, rel=2e-3)
    assert held.value == pytest.approx(most / 0.875, rel=2e-3)
    assert held.decision.curtailed_mw[:, 0, 0].sum() == pytest.approx(0.9 * held.value - most, rel=0.05)


# --- least CNY by MW --------------------------------------------------------------------------------------------


def cheapest_by_mw(one, least_mw):
    """Secure choice of whole lots and measures of least cost by MW, each tried: (CNY/MW, lots, measures)."""
    capacity = np.array([lot.capacity_mw for lot in one.lots])
    price = np.array([lot.cost_cny_per_mw_a for lot in one.lots])
    fixed = np.array([m.cost_cny_per_a for m in one.measures])
    options = []
    for choice, built in product(product((0, 1), repeat=len(capacity)), product((0, 1), repeat=len(fixed))):
        mw = capacity * choice
        if mw.sum() >= max(least_mw, 1e-9):
            options.append((float(price @ mw + fixed @ built) / mw.sum(), choice, built))
    for by_mw, choice, built in sorted(options):
        config = frozenset(m.id for m, b in zip(one.measures, built, strict=True) if b)
        if samples.secure(one, capacity * choice, config):
            return by_mw, choice, built
    return None


@pytest.mark.parametrize("least_mw", [0.0, 100.0, 165.0])
def test_least_cost_by_mw_is_that_of_trying_everything(least_mw):
    one = samples.with_settings(samples.problem(0.0), objective="least_cny_per_mw", least_mw=least_mw)
    answer = solve_plan(one)
    by_mw, choice, built = cheapest_by_mw(one, least_mw)
    assert answer.violations == ()
    assert answer.objective_cny / answer.value == pytest.approx(by_mw, rel=1e-5)
    assert (answer.decision.mw[:, 0] > 1).astype(int).tolist() == list(choice)
    assert answer.decision.measures[:, 0].astype(int).tolist() == list(built)
    assert 0 <= answer.gap_percent < 0.01


def test_a_measure_that_must_stand_is_used_to_the_full():
    """By hand, with a row in place of the network: 45 MW at D (334 000 CNY/MW) of which 40 are asked for, and a measure
    of 1.9 million without which none could stand: all 50 MW of the lot lower the mean cost from 381 500 to 372 000."""
    one = samples.problem(0.0, whole=False, measures=())
    lot = one.lots[2]
    needed = PlanMeasure("m", "second_circuit", "BD", 1e7, 1.9e6)
    lot = replace(lot, accesses=(replace(lot.accesses[0], requires="m"),))
    one = replace(one, lots=(lot,), availability=one.availability[2:3], measures=(needed,), build=samples.plain_build)
    one = samples.with_settings(one, objective="least_cny_per_mw", least_mw=40.0)
    answer = solve_plan(one)
    assert answer.decision.mw[0, 0] == pytest.approx(50.0)
    assert answer.objective_cny / answer.value == pytest.approx(334e3 + 1.9e6 / 50)


def test_points_that_join_later_keep_the_objective():
    """The hours of the year that join in the end look for least cost by MW too, not for least cost."""
    one = samples.problem(0.0, whole=False, measures=samples.MEASURES[:1])
    one = samples.with_settings(one, objective="least_cny_per_mw", least_mw=30.0)
    one = replace(one, lots=tuple(replace(lot, cost_cny_per_mw_a=300e3) for lot in one.lots))
    dear = replace(one, targets=(PlanTarget("first", "pv", 0, 30.0),))
    search, best = search_plan(Search.of(dear))
    wider, again = with_points(search, best, (replace(one.points[0], id="late"),), one.availability[:, :1])
    assert wider.master.price_per_mw == search.master.price_per_mw > 0
    before, after = finish(search, best), finish(wider, again)
    assert after.objective_cny / after.value == pytest.approx(before.objective_cny / before.value, rel=1e-9)


def test_a_floor_that_only_measures_reach_is_reached_and_one_out_of_reach_is_missed_by_the_least():
    one = samples.problem(0.0, whole=False, capacity=80.0)
    most = [
        solve_plan(samples.with_settings(one, objective="most_mw", measures_allowed=allowed)).value
        for allowed in (False, True)
    ]
    assert most[1] > most[0] + 10
    between = (most[0] + most[1]) / 2
    reached = solve_plan(samples.with_settings(one, objective="least_cny_per_mw", least_mw=between))
    assert reached.violations == ()
    assert reached.decision.measures.any()
    assert below_floor_mw(reached.problem, reached.decision) == pytest.approx(0.0, abs=1e-6)
    missed = solve_plan(samples.with_settings(one, objective="least_cny_per_mw", least_mw=most[1] + 50.0))
    assert missed.violations == ()
    assert below_floor_mw(missed.problem, missed.decision) == pytest.approx(50.0, abs=0.02 * most[1])
    assert below_floor_mw(one, missed.decision) == 0.0  # another objective has no floor


# --- lead times -------------------------------------------------------------------------------------------------


def test_a_measure_whose_lead_time_ends_after_the_first_stage_stands_in_the_second():
    """Decided in 2024 with two years: 2026. The row lets 30 MW through without the circuit, everything with it.

    First stage (2025): 30 of 40 MW, 10 missing, although the circuit is cheap; second (2030): 40 MW and the circuit.
    """
    stages = (Stage(2025, 0.6), Stage(2030, 0.4))
    wanted = (PlanTarget("first", "renewable", 0, 40.0), PlanTarget("second", "renewable", 1, 40.0))
    answers = {}
    for year in (0, 2025, 2026, 2031):
        circuit = PlanMeasure("second_circuit:BD", "second_circuit", "BD", 8e6, 0.8e6, first_year=year)
        one = samples.problem(0.0, whole=False, measures=(), stages=stages)
        one = alone(one, (2,))
        one = replace(one, targets=wanted, measures=(circuit,))
        answers[year] = narrow(one)
    for year, mw, stands, lacks in (
        (0, [40, 40], [1, 1], [0, 0]),
        (2025, [40, 40], [1, 1], [0, 0]),
        (2026, [30, 40], [0, 1], [10, 0]),
        (2031, [30, 30], [0, 0], [10, 10]),
    ):
        solved = answers[year]
        assert solved.decision.mw[0] == pytest.approx(mw)
        assert solved.decision.measures[0].astype(int).tolist() == stands
        assert solved.decision.missing_mw == pytest.approx(lacks)
        plants = 0.6 * mw[0] + 0.4 * mw[1]
        assert solved.cost_cny == pytest.approx(334e3 * plants + 0.8e6 * (0.6 * stands[0] + 0.4 * stands[1]))


def narrow(one):
    """The programme with one row of the network: 27 MW through BD at noon unless the circuit stands."""
    from grid.plan.contracts import Cut, Need

    gradient = np.array([1.0 if bus == "D/110" else 0.0 for bus in one.buses])
    master = Master(one)
    master.add_cuts([Cut(0, 1.0, "line_loading", "BD", "", gradient, 27.0, 100.0, (Need(0, False, np.inf),))])
    return master.solve(whole=True)
