"""Every folder of ``cases/<edition>/`` is worked by hand in its NOTE.md; a new case needs no Python."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import rulebook_samples as s

from grid.rulebook.assess import assess_folder

CASES = sorted(path.parent for path in Path(__file__).with_name("cases").glob("*/*/NOTE.md"))


def assert_matches(found: pd.DataFrame, path: Path) -> None:
    """The columns of the expected table, row by row; numbers to 1e-9 of their size."""
    expected = pd.read_csv(path, keep_default_na=False)
    got = found[list(expected.columns)].copy()
    for name in expected.columns:
        if pd.api.types.is_numeric_dtype(expected[name]) and expected[name].dtype != bool:
            got[name] = got[name].astype(float)
            expected[name] = expected[name].astype(float)
    pd.testing.assert_frame_equal(got, expected, check_dtype=False, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("folder", CASES, ids=[f"{path.parent.name}-{path.name}" for path in CASES])
def test_case(folder: Path) -> None:
    found = assess_folder(folder.parent.name, folder, folder.name)
    assert found.edition.id == folder.parent.name
    assert_matches(found.equipment, folder / "expected_equipment.csv")
    counties = folder / "expected_counties.csv"
    assert len(found.counties) == (len(pd.read_csv(counties)) if counties.is_file() else 0)
    if counties.is_file():
        assert_matches(found.counties, counties)


@pytest.mark.parametrize("folder", CASES, ids=[f"{path.parent.name}-{path.name}" for path in CASES])
def test_every_formula_of_the_case_holds_on_a_pocket_calculator(folder: Path) -> None:
    found = assess_folder(folder.parent.name, folder, folder.name)
    for table in (found.equipment, found.counties):
        for language in ("formula_zh", "formula_en"):
            for text in table[language]:
                sums = s.worked_sums(text)
                assert len(sums) >= 4
                for shown, calculated, stated in sums:
                    assert calculated == pytest.approx(stated, rel=1e-3, abs=0.02), shown


def test_the_pocket_calculator_sees_a_wrong_sum() -> None:
    (_, low, stated_low), (_, high, stated_high) = s.worked_sums("S = a + [b, c] = 2×3 − (−1) + [1, 2] = [8, 10] MW")
    assert (low, high) == (8.0, 9.0)
    assert (stated_low, stated_high) == (8.0, 10.0)


def test_both_editions_have_cases() -> None:
    assert {path.parent.name for path in CASES} == {"dlt2041-2019", "dlt2041-2025"}
