"""Cost data: what ships is sound, every row has a source, and faults are told at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cost_samples import TABLES, TECHNOLOGIES

from layers.contracts import InputError
from siting.cost.tables import COST_TABLES, load_cost_tables, scenario_names
from siting.technologies.tables import TECHNOLOGIES_FOLDER


def broken(tmp_path: Path, file: str, old: str, new: str) -> Path:
    """Replace one text in one file of a copy of the shipped tables."""
    folder = tmp_path / "t"
    if not folder.is_dir():
        shutil.copytree(TECHNOLOGIES_FOLDER, folder)
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return folder


def test_every_technology_has_items_lease_and_allowance() -> None:
    for technology in TECHNOLOGIES.technologies:
        items = TABLES.items_of(technology.technology)
        assert sum(item.capex_share for item in items) == pytest.approx(1)
        for rows in (TABLES.leases, TABLES.allowances):
            assert [r for r in rows if r.technology == technology.technology], technology.technology


def test_every_row_has_a_source() -> None:
    for rows in (
        TABLES.items, TABLES.leases, TABLES.storages, TABLES.storage_scenarios, TABLES.allowances, TABLES.prices,
        TABLES.provinces,
    ):  # fmt: skip
        assert rows
        assert all(row.source.strip() for row in rows)


def test_every_province_and_grid_region_is_known() -> None:
    factors = {factor.region for factor in TECHNOLOGIES.emission_factors}
    assert len(TABLES.provinces) == 31
    assert {p.grid_region for p in TABLES.provinces} <= factors
    assert {p.province for p in TABLES.provinces} - factors == {"西藏"}
    own = {p.province for p in TABLES.provinces} & factors
    assert all(0.1 < TECHNOLOGIES.emission_factor(name).co2_kg_per_kwh < 0.75 for name in own)


def test_price_years_of_all_tables_are_in_the_index() -> None:
    first, last = TABLES.price_years
    years = {t.price_year for t in TECHNOLOGIES.technologies}
    years |= {row.price_year for rows in (TABLES.leases, TABLES.storages, TABLES.allowances) for row in rows}
    assert all(first <= year <= last for year in years)


def test_price_factor_by_hand() -> None:
    """2019 to 2021: 1.025 x 1.009; back: its inverse; the same year: 1."""
    assert TABLES.price_factor(2019, 2021) == pytest.approx(1.025 * 1.009)
    assert TABLES.price_factor(2021, 2019) == pytest.approx(1 / (1.025 * 1.009))
    assert TABLES.price_factor(2020, 2020) == 1.0


def test_scenarios_have_names() -> None:
    assert scenario_names(TABLES.storage_scenarios) == ("none", "hangzhou_draft")
    assert scenario_names(TABLES.leases) == ("none", "typical")


def test_all_faults_at_once(tmp_path: Path) -> None:
    broken(tmp_path, "cost_items.csv", "pv_roof,modules,0.42", "pv_roof,modules,0.52")
    broken(tmp_path, "cost_items.csv", "pv_roof,inverters", "pv_roof,structures")
    broken(tmp_path, "land_leases.csv", "typical,pv_pond", "typical,pv_pomd")
    broken(tmp_path, "storage_scenarios.csv", "hangzhou_draft,pv_pond", "hangzhou_draft,pv_ground")
    broken(tmp_path, "storage_scenarios.csv", "lithium_iron_phosphate", "lead")
    broken(tmp_path, "storage_costs.csv", ",1300,", ",-1,")
    broken(tmp_path, "connection_allowances.csv", "typical,pv_roof", "none,pv_roof")
    folder = broken(tmp_path, "price_index.csv", "2017,1.6,NBS consumer price index,B\n", "")
    with pytest.raises(InputError) as caught:
        load_cost_tables(folder)
    found = sorted((f.rule.removeprefix("technology."), f.layer) for f in caught.value.findings)
    assert found == sorted(
        [
            ("shares", "cost_items"),
            ("repeated_id", "cost_items"),
            ("unknown_id", "land_leases"),
            ("repeated_id", "storage_scenarios"),
            ("unknown_id", "storage_scenarios"),
            ("out_of_range", "storage_costs"),
            ("repeated_id", "connection_allowances"),
            ("gap", "price_index"),
        ]
    )
    assert all(f.remedy and f.file.startswith("t/") for f in caught.value.findings)


def test_a_new_scenario_needs_no_python(tmp_path: Path) -> None:
    folder = broken(
        tmp_path,
        "storage_scenarios.csv",
        "scenario,technology,storage,power_share,duration_h,source,confidence\n",
        "scenario,technology,storage,power_share,duration_h,source,confidence\n"
        "own,pv_roof,lithium_iron_phosphate,0.2,4,own study,C\n",
    )
    assert scenario_names(load_cost_tables(folder).storage_scenarios) == ("none", "hangzhou_draft", "own")


@pytest.mark.parametrize("table", COST_TABLES, ids=lambda t: t.name)
def test_a_missing_file_is_named(table, tmp_path: Path) -> None:
    shutil.copytree(TECHNOLOGIES_FOLDER, tmp_path / "t")
    (tmp_path / "t" / f"{table.name}.csv").unlink()
    with pytest.raises(InputError, match=f"{table.name}.csv"):
        load_cost_tables(tmp_path / "t")
