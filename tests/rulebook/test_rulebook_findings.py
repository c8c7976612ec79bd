"""Bad input of the rule book: one InputError with everything that is wrong, named."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import rulebook_samples as s

from grid.rulebook.assess import RuleTables, assess, assess_folder
from grid.rulebook.book import RuleOverride, edition_named, known_editions, rules
from grid.rulebook.counties import CountySettings, FactorWeight
from grid.rulebook.dlt2041_2019 import Options2019, assess_2019
from grid.rulebook.dlt2041_2025 import Options2025, assess_2025
from grid.rulebook.hierarchy import circles, from_the_top
from layers.contracts import InputError

UNITS = s.units(("T", 50.0))


def faults(call, *args, **kwargs) -> dict[str, str]:
    """Rule -> item of every finding (several items of one rule joined)."""
    with pytest.raises(InputError) as error:
        call(*args, **kwargs)
    found: dict[str, list[str]] = {}
    for finding in error.value.findings:
        assert finding.message
        assert finding.remedy
        found.setdefault(finding.rule.removeprefix("rulebook."), []).append(finding.item)
    return {rule: ", ".join(items) for rule, items in found.items()}


def test_unknown_edition_proposes_the_nearest() -> None:
    with pytest.raises(InputError) as error:
        edition_named("dlt2041-2024", file="study.toml")
    assert error.value.findings[0].remedy.startswith("Did you mean dlt2041-20")
    assert faults(assess, "gb99", RuleTables(s.equipment())) == {"edition": "edition"}
    assert known_editions() == ("dlt2041-2019", "dlt2041-2025")


def test_everything_at_once_2025() -> None:
    table = s.equipment(
        {"tau_max": 0.0},
        {"equipment_id": "U", "vn_kv": 500.0, "load_mw": -1.0},
        {"equipment_id": "V", "superior_id": "nowhere"},
        {"equipment_id": "W", "superior_id": "X", "vn_kv": 35.0},
        {"equipment_id": "X", "superior_id": "W", "vn_kv": 35.0},
        {"equipment_id": "Y", "arrangement": "parallel", "power_factor": 1.5},
        {"equipment_id": "Z", "new_storage_min_mw": 5.0, "new_storage_max_mw": 1.0, "voltage_check": "maybe"},
        {"equipment_id": "Q", "beta_given": 0.9},
    ).fillna(
        {"new_storage_min_mw": 0.0, "new_storage_max_mw": 0.0, "voltage_check": "open", "beta_given": float("nan")}
    )
    units = s.units(*[(item, 50.0) for item in "TUVWXYZQ"], ("no", -3.0))
    found = faults(assess_2025, table, units, file="tables")
    assert found == {
        "range": "U load_mw, Y power_factor, T tau_max, no-8 sn_mva",
        "word": "Z voltage_check",
        "level": "U vn_kv",
        "superior_missing": "V superior_id",
        "superior_level": "W superior_id, X superior_id",
        "circle": "W",
        "unknown_id": "no",
        "arrangement": "Y",
        "interval": "Z",
        "beta_reason": "Q",
        "beta_raised": "Q",
    }


def test_findings_name_file_table_value_and_remedy() -> None:
    with pytest.raises(InputError) as error:
        assess_2025(s.equipment({"tau_max": 0.0}), UNITS, file="tables")
    (finding,) = error.value.findings
    assert (finding.file, finding.layer, finding.value) == ("tables", "equipment (2025)", "0")
    assert "above 0" in finding.message


def test_everything_at_once_2019() -> None:
    table = s.old_equipment(
        {"limit_mva": -50.0}, {"equipment_id": "U", "superior_id": "U"}, {"equipment_id": "V", "dg_output_mw": "much"}
    )
    found = faults(assess_2019, table, Options2019((RuleOverride("k_x", -1, " "),)))
    assert found == {
        "range": "T limit_mva",
        "number": "V dg_output_mw",
        "circle": "U",
        "override": "k_x",
        "override_value": "k_x",
        "override_source": "k_x",
    }


def test_columns_and_repeated_rows() -> None:
    table = s.equipment({}, {}).rename(columns={"load_mw": "lod_mw"})
    with pytest.raises(InputError) as error:
        assess_2025(table, UNITS)
    rules_found = [f.rule.removeprefix("rulebook.") for f in error.value.findings]
    assert rules_found == ["column", "column_missing", "repeated"]
    assert error.value.findings[0].remedy == "Did you mean load_mw?"


def test_unknown_is_not_zero_and_text_is_not_a_number() -> None:
    table = s.equipment({"load_mw": float("nan"), "tripping_scheme": "perhaps", "connected_mw": float("inf")})
    assert faults(assess_2025, table, UNITS) == {
        "empty": "T load_mw",
        "range": "T connected_mw",
        "truth": "T tripping_scheme",
    }


def test_units_fit_the_arrangement() -> None:
    table = s.equipment({}, {"equipment_id": "U"}, {"equipment_id": "V", "arrangement": "parallel"})
    units = s.units(("T", 50.0), ("T", 50.0), ("V", 50.0, 10.5), ("V", 40.0))
    assert faults(assess_2025, table, units) == {"arrangement": "T", "no_units": "U", "vk_percent": "V"}


@pytest.mark.parametrize(
    ("change", "ratings", "allowed"),
    [
        ({"vn_kv": 220.0, "arrangement": "split", "beta_given": 0.9}, (50.0, 50.0), True),
        ({"vn_kv": 220.0, "arrangement": "parallel", "beta_given": 0.6, "tripping_scheme": True}, (50.0, 50.0), True),
        ({"vn_kv": 220.0, "arrangement": "parallel", "beta_given": 0.6}, (50.0, 50.0), False),
        ({"vn_kv": 110.0, "arrangement": "parallel", "beta_given": 0.6, "tripping_scheme": True}, (50.0, 50.0), False),
        ({"vn_kv": 110.0, "arrangement": "split", "beta_given": 0.85}, (50.0, 50.0), False),
        ({"vn_kv": 110.0, "arrangement": "split", "beta_given": 0.7}, (50.0, 50.0), True),
        ({"vn_kv": 110.0, "arrangement": "parallel", "beta_given": 0.5}, (50.0, 50.0), True),
        ({"vn_kv": 220.0, "arrangement": "single", "beta_given": 0.9, "tripping_scheme": True}, (50.0,), True),
    ],
)
def test_beta_above_the_rule_needs_what_the_edition_names(change: dict, ratings: tuple, allowed: bool) -> None:
    table = s.equipment(change | {"beta_reason": "study"})
    units = s.units(*[("T", r) for r in ratings])
    if allowed:
        assert assess_2025(table, units).equipment["beta"].tolist() == [change["beta_given"]]
    else:
        assert faults(assess_2025, table, units) == {"beta_raised": "T"}


def test_counties_and_shares() -> None:
    table = s.equipment({"superior_id": "X", "vn_kv": 220.0})
    counties = pd.DataFrame(
        {"county_id": ["X", "Y"], "connected_mw": [1, 2], "registered_mw": [0, 0], "users": [5.0, None]}
    )
    shares = pd.DataFrame({"equipment_id": ["T", "T", "U"], "county_id": ["X", "Z", "X"], "share": [0.9, 0.3, 0.5]})
    weights = (FactorWeight("users", 0.5), FactorWeight("sun", 0.2), FactorWeight("users", 0.2))
    options = Options2025(counties=CountySettings(200, 100, weights), new_storage="between")  # type: ignore[arg-type]
    assert faults(assess_2025, table, UNITS, counties, shares, options) == {
        "new_storage": "new_storage",
        "unknown_id": "U, Z",
        "shares": "T",
        "system": "system_min_mw, system_max_mw",
        "weights": "weights, users, sun",
        "factor_missing": "Y, Y",
    }


def test_county_without_equipment_is_refused_with_the_way_out() -> None:
    counties = pd.DataFrame({"county_id": ["X", "Y"], "connected_mw": [1, 2], "registered_mw": [0, 0]})
    table = s.equipment({"superior_id": "X", "vn_kv": 220.0})
    assert faults(assess_2025, table, UNITS, counties) == {"county_without_equipment": "Y"}


def test_circles_are_named_once_each_from_their_smallest_id() -> None:
    assert circles({"b": "a", "a": "c", "c": "b", "d": "a", "e": "e", "f": ""}) == [("a", "c", "b"), ("e",)]
    assert circles({"a": "b", "b": "", "c": "b"}) == []


def test_walk_from_the_top_keeps_superiors_first() -> None:
    superior = {"d": "c", "c": "b", "x": "b", "b": "county", "a": ""}
    order = from_the_top(superior)
    assert order == ["b", "c", "d", "x", "a"]


def test_rules_of_no_edition_are_refused_when_repeated() -> None:
    twice = [RuleOverride("k_r", 0.7, "a source"), RuleOverride("k_r", 0.6, "a source")]
    assert faults(rules, "dlt2041-2019", twice) == {"override_twice": "k_r"}


def test_folder_faults(tmp_path: Path) -> None:
    s.equipment().to_csv(tmp_path / "equipment.csv", index=False)
    (tmp_path / "options.toml").write_text(
        'new_storag = "after"\nfloor_at_zero = 3\n[system]\nmin_mw = "few"\n[[overrides]]\nrul = 1\n', encoding="utf-8"
    )
    found = faults(assess_folder, "dlt2041-2025", tmp_path, "tables")
    assert found == {
        "file": "units.csv",
        "option": "new_storag, floor_at_zero, overrides.rul, system.min_mw",
    }
    with pytest.raises(InputError) as error:
        assess_folder("dlt2041-2025", tmp_path, "tables")
    assert str(tmp_path) not in str(error.value)


def test_ids_with_any_sign_survive_the_folder(tmp_path: Path) -> None:
    name = "亳州/110/10#2, old"
    s.equipment({"equipment_id": name}).to_csv(tmp_path / "equipment.csv", index=False, encoding="utf-8-sig")
    s.units((name, 50.0)).to_csv(tmp_path / "units.csv", index=False)
    assert assess_folder("dlt2041-2025", tmp_path, "tables").equipment["equipment_id"].tolist() == [name]


def test_folder_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "equipment.csv").write_bytes(b"\xff\xfe\x00\x01")
    (tmp_path / "options.toml").write_text("k_r = ", encoding="utf-8")
    assert faults(assess_folder, "dlt2041-2019", tmp_path, "tables") == {"file": "equipment.csv, options.toml"}
