"""Rules of green-power direct connection: what the table says, and what it says of a park."""

from __future__ import annotations

import pandas as pd
import pytest

from siting.parks.contracts import KEPT, KEPT_UNTIL, NOT_KEPT, OPEN, PARK_RULES, PARKS
from siting.parks.rules import MEASURES, judged, park_rules, tightest, verdict_of

RULES = park_rules()


def year(own_use: float, *, green: float = 100.0, load: float = 200.0, export: float = 0.0) -> pd.Series:
    shares = {"self_use_share": own_use / green if green else float("nan"), "green_share": own_use / load,
              "export_share": export / green if green else float("nan")}  # fmt: skip
    return pd.Series({"park_id": "P", "green_mwh": green, "load_mwh": load, **shares})


def test_the_table_holds_the_figures_of_the_notice():
    """650/2025: own use 60 % of what is generated, 30 % of what is used and 35 % before 2030, export 20 %."""
    figures = {rule.rule: (rule.measure, rule.sense, rule.limit_share, rule.from_year) for rule in RULES}
    assert figures == {
        "self_use": ("self_use_share", "least", 0.6, 2025),
        "own_share": ("green_share", "least", 0.3, 2025),
        "own_share_2030": ("green_share", "least", 0.35, 2030),
        "export": ("export_share", "most", 0.2, 2025),
    }
    assert all(rule.source and rule.document and rule.confidence in "ABC" for rule in RULES)
    assert set(MEASURES) <= set(PARKS.columns)


@pytest.mark.parametrize(
    ("own_use", "export", "verdict", "failed"),
    [
        (70.0, 20.0, KEPT, ""),
        (60.0, 0.0, KEPT_UNTIL, "own_share_2030"),  # 30 % of the load
        (59.0, 0.0, NOT_KEPT, "self_use own_share own_share_2030"),
        (70.0, 21.0, NOT_KEPT, "export"),
        (80.0, 20.0, KEPT, ""),
    ],
)
def test_verdicts(own_use: float, export: float, verdict: str, failed: str):
    assert verdict_of(judged(year(own_use, export=export), RULES)) == (verdict, failed)


def test_margins_by_hand():
    """70 of 100 MWh used at a load of 200: 10 above 60, 10 above 60, 0 at 70, 15 below 20 MWh of export."""
    table = judged(year(70.0, export=5.0), RULES).set_index("rule")
    assert table["margin_mwh"].to_dict() == pytest.approx(
        {"self_use": 10, "own_share": 10, "own_share_2030": 0, "export": 15}, abs=1e-9
    )


def test_without_own_power_the_share_of_the_load_is_not_kept_and_the_rest_is_open():
    table = judged(year(0.0, green=0.0), RULES).set_index("rule")["rule_verdict"].to_dict()
    assert table == {"self_use": OPEN, "own_share": NOT_KEPT, "own_share_2030": NOT_KEPT, "export": OPEN}
    assert verdict_of(judged(year(0.0, green=0.0), RULES))[0] == NOT_KEPT


def test_no_export_where_no_spot_market_runs():
    rules = park_rules(spot_market=False)
    assert {rule.rule for rule in rules} == {"self_use", "own_share", "own_share_2030", "no_export"}
    assert verdict_of(judged(year(80.0, export=0.1), rules)) == (NOT_KEPT, "no_export")
    assert verdict_of(judged(year(80.0), rules)) == (KEPT, "")


def test_a_province_states_its_own_limit_of_export():
    rules = park_rules(most_export_share=0.1)
    assert tightest(rules, "export_share") == 0.1
    assert verdict_of(judged(year(80.0, export=15.0), rules)) == (NOT_KEPT, "export")
    assert {rule.rule: rule.confidence for rule in rules}["export"] == "C"


def test_the_tightest_limit_is_that_of_all_years():
    assert tightest(RULES, "green_share") == 0.35
    assert tightest(RULES, "self_use_share") == 0.6


def test_no_rules_give_an_empty_table():
    PARK_RULES.validate(judged(year(1.0), ()))
