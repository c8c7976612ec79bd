"""Short-circuit margins of a study: currents by hand, what accepted plants add, and the assumptions told with them."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import study_samples as samples

from grid.contracts import Case, Network
from grid.studies.short_circuit import ShortCircuitOptions, run_short_circuit
from grid.studies.short_circuit_boundary import all_running
from grid.studies.short_circuit_data import _ASSUMED
from grid.studies.short_circuit_openings import OPENINGS
from layers.contracts import Finding
from study.network.short_circuit import (
    SHORT_CIRCUIT_MARGINS,
    ShortCircuitStudy,
    _closed_network,
    _words,
    accepted_plants,
    fault_assumptions,
    short_circuit_study,
    with_plants,
)

NOTHING = pd.DataFrame({"candidate_id": [], "bus_id": [], "fuel": [], "p_max_mw": []})


def plants(*rows: tuple[str, str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["candidate_id", "bus_id", "fuel", "p_max_mw"])


@pytest.fixture(scope="module")
def network() -> Network:
    return samples.small_network()


@pytest.fixture(scope="module")
def today(network: Network) -> ShortCircuitStudy:
    return short_circuit_study(network, NOTHING)[0]


def at(study: ShortCircuitStudy, bus: str) -> pd.Series:
    return study.margins.set_index("bus_id").loc[bus]


def test_current_at_the_infeed_is_its_power_by_hand(network: Network, today: ShortCircuitStudy) -> None:
    """I"k = S"k / (sqrt3 U); margin by the larger current against 50 kA, the planning value of 220 kV."""
    row, s_sc = at(today, "a/220"), float(network.infeeds["s_sc_mva"].iloc[0])
    assert row["ikss_3ph_ka"] == pytest.approx(s_sc / (math.sqrt(3) * 220), rel=1e-3)
    assert row["skss_mva"] == pytest.approx(s_sc, rel=1e-3)
    assert row["breaker_ka"] == 50.0
    worst = np.fmax(row["ikss_3ph_ka"], row["ikss_1ph_ka"])
    assert row["margin_percent"] == pytest.approx((1 - worst / 50) * 100)


def test_current_behind_the_transformer_by_hand(network: Network, today: ShortCircuitStudy) -> None:
    """Z = c U^2 / S"k + K_T uk U^2 / S_n at 110 kV, nearly all of it reactance; K_T = 0.95 x 1.1 / (1 + 0.6 x 0.14)."""
    s_sc = float(network.infeeds["s_sc_mva"].iloc[0])
    source = 1.1 * 110**2 / s_sc
    unit = 0.95 * 1.1 / (1 + 0.6 * 0.14) * 0.14 * 115**2 / 180
    assert at(today, "a/110")["ikss_3ph_ka"] == pytest.approx(1.1 * 110 / (math.sqrt(3) * (source + unit)), rel=0.02)


def test_without_new_plants_nothing_changes(today: ShortCircuitStudy) -> None:
    table = today.margins
    assert table["ikss_3ph_planned_ka"].tolist() == pytest.approx(table["ikss_3ph_ka"].tolist())
    assert table["margin_planned_percent"].tolist() == pytest.approx(table["margin_percent"].tolist())


def test_new_plants_add_their_own_current_where_they_stand(network: Network, today: ShortCircuitStudy) -> None:
    """100 MW of PV at b/110 add up to k S / (sqrt3 U) = 1.15 x 100 / 190.5 = 0.60 kA there, and no bus loses."""
    after, _ = short_circuit_study(network, plants(("P-1", "b/110", "pv", 100.0)))
    gain = at(after, "b/110")["ikss_3ph_planned_ka"] - at(today, "b/110")["ikss_3ph_ka"]
    assert gain == pytest.approx(1.15 * 100 / (math.sqrt(3) * 110), rel=0.01)
    assert (after.margins["margin_planned_percent"] <= after.margins["margin_percent"] + 1e-9).all()
    assert after.margins["ikss_3ph_ka"].tolist() == pytest.approx(today.margins["ikss_3ph_ka"].tolist())


def test_a_plant_of_the_headroom_brings_a_breaker_to_its_limit(network: Network, today: ShortCircuitStudy) -> None:
    """The room is no formula of its own: with that plant connected the named bus stands at 0.95 of its rating."""
    row = at(today, "b/110")
    grown = with_plants(network, plants(("P-1", "b/110", "pv", row["fault_headroom_mw"] / 0.95)))  # MVA at 0.95
    infeed = dict(zip(network.infeeds["infeed_id"], network.infeeds["s_sc_mva"], strict=True))
    buses = run_short_circuit(all_running(grown), ShortCircuitOptions(infeed_s_sc_mva=infeed)).buses.set_index("name")
    bound = buses.loc[row["fault_binding_bus"]]
    worst = np.fmax(bound["ikss_3ph_ka"], bound["ikss_1ph_ka"])
    assert worst == pytest.approx(0.95 * bound["breaker_ka"], rel=0.01)


def test_accepted_candidates_become_plants() -> None:
    ids = ["A", "B", "C", "D"]
    verdicts = pd.DataFrame({"candidate_id": ids, "accepted_mw": [10.0, 0.0, 5.0, 7.0]})
    connections = pd.DataFrame({"candidate_id": ids, "bus_id": ["x", "x", "y", ""]})
    candidates = pd.DataFrame({"candidate_id": ids, "kind": ["pv_roof", "wind", "wind", "wind"]})
    assert accepted_plants(verdicts, connections, candidates).to_numpy().tolist() == [
        ["A", "x", "pv", 10.0], ["C", "y", "wind", 5.0],
    ]  # fmt: skip


def test_isolated_bus_has_no_current_and_says_so() -> None:
    study, findings = short_circuit_study(samples.small_network(isolated_bus=True), NOTHING)
    row = at(study, "c/110")
    assert math.isnan(row["ikss_3ph_ka"])
    assert row["grade"] == "unknown"
    assert [f.rule for f in findings] == ["short_circuit.not_fed"]


def test_a_region_without_stations_gives_an_empty_table() -> None:
    network = samples.small_network()
    network.stations["in_region"] = False
    study, _ = short_circuit_study(network, NOTHING)
    assert list(study.margins.columns) == list(SHORT_CIRCUIT_MARGINS.columns)
    assert study.margins.empty


def test_every_assumption_that_the_currents_note_has_words_and_its_confidence(today: ShortCircuitStudy) -> None:
    folder = Path(run_short_circuit.__code__.co_filename).parent
    code = "".join(path.read_text("utf-8") for path in sorted(folder.glob("short_circuit*.py")))
    rules = {*_ASSUMED, *re.findall(r'notes\.add\("(\w+)"', code)} - {"breaker_unknown"}
    rules |= {f"vector_group_{name}" for name in ("delta", "through", "open")} | {"not_earthed"}
    assert rules == set(_words())
    for rule, (_, confidence, _, _) in _ASSUMED.items():
        assert _words()[rule]["confidence"] == (confidence or "C")
    assert {a.id for a in today.assumptions} >= {"short_circuit_breaker_rating", "short_circuit_line_zero_sequence"}


def test_assumptions_name_buses_as_the_study_does() -> None:
    found = [Finding("note", "short_circuit.sections", "", "buses", "2, 7 and 3 more", "5", "", "")]
    assert [a.value for a in fault_assumptions(found, {"2": "a/10", "7": "b/10"})] == ["5: a/10, b/10, …"]


def test_findings_that_assume_nothing_are_left_out() -> None:
    found = [Finding("warning", "short_circuit.not_fed", "", "buses", "1", "1", "", "")]
    assert fault_assumptions(found, {}) == ()


def test_a_network_below_its_breakers_needs_no_openings(network: Network) -> None:
    case = Case("peak", "高峰", "Peak", 1.0, 0.0, 0.0, ())
    study, findings = short_circuit_study(network, NOTHING, (case,))
    assert list(study.openings.columns) == list(OPENINGS.columns)
    assert study.openings.empty
    assert findings == []


def test_a_closed_network_beyond_its_breakers_is_a_warning_with_figures() -> None:
    steps = pd.DataFrame({"vn_kv": [220.0, 110.0], "beyond_before": [9, 6], "beyond_after": [6, 2]})
    margins = pd.DataFrame({"bus_id": ["x/220", "y/110", "z/110"], "margin_percent": [-20.0, 4.0, 30.0]})
    (finding,) = _closed_network(margins, steps)
    assert (finding.severity, finding.rule) == ("warning", "short_circuit.closed_network")
    assert (finding.item, finding.value) == ("x/220, y/110", "9")
    assert "2 corridors (220 kV, 110 kV) leaves 2" in finding.message
    assert _closed_network(margins, steps.head(0)) == []
