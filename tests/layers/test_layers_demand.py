"""Demand of a region as a share of its province's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from layers.contracts import InputError, Origin, SourceCard
from layers.demand import read_provincial_demand


def card(path: Path) -> SourceCard:
    return SourceCard("demand", path, f"data/{path.name}", "CC0", Origin.MODELLED)


def table(folder: Path, values: np.ndarray) -> Path:
    path = folder / "demand.parquet"
    pd.DataFrame({"hour": np.arange(len(values)), "ZJ": values}).to_parquet(path)
    return path


def rules(path: Path, column: str = "ZJ", share: float = 0.2, growth: float = 1.0) -> list[str]:
    with pytest.raises(InputError) as caught:
        read_provincial_demand(card(path), column, share, growth=growth, title="t")
    assert all(f.file == f"data/{path.name}" for f in caught.value.findings)
    return [f.rule for f in caught.value.findings]


def test_share_and_growth_multiply(tmp_path: Path) -> None:
    province = np.linspace(40_000.0, 80_000.0, 8760)
    demand = read_provincial_demand(card(table(tmp_path, province)), "ZJ", 0.2, growth=1.5, title="Hangzhou")
    assert demand.p_mw == pytest.approx(province * 0.3)
    assert demand.peak_mw == pytest.approx(24_000.0)
    assert (demand.origin, demand.title) == (Origin.MODELLED, "Hangzhou")
    assert "0.2" in demand.assumptions[0]
    assert "1.5" in demand.assumptions[1]


def test_gaps_and_negatives_are_named(tmp_path: Path) -> None:
    province = np.full(8760, 100.0)
    province[[3, 4]] = np.nan, -5.0
    path = table(tmp_path, province)
    assert rules(path) == ["demand.gap", "demand.not_positive"]
    with pytest.raises(InputError) as caught:
        read_provincial_demand(card(path), "ZJ", 0.2, title="t")
    assert [f.item for f in caught.value.findings] == ["ZJ row 3", "ZJ row 4"]


def test_everything_wrong_at_once(tmp_path: Path) -> None:
    path = table(tmp_path, np.full(8784, 100.0))
    assert rules(path, share=1.2, growth=0.0) == ["demand.share", "demand.growth", "demand.hours"]
    assert rules(path, column="XX") == ["demand.column_missing"]
    assert rules(tmp_path / "none.parquet", share=0.0) == ["source.file_missing", "demand.share"]
    (tmp_path / "text.parquet").write_text("no table")
    assert rules(tmp_path / "text.parquet") == ["demand.unreadable"]


@pytest.mark.real_data
def test_zhejiang(real_data: Path) -> None:
    """453.3 TWh and a peak of 80.3 GW in the province."""
    path = real_data / "load-cf-china-provinces" / "hourly_demand_31_provinces_mw.parquet"
    demand = read_provincial_demand(card(path), "ZJ", 0.2, title="Hangzhou")
    assert demand.p_mw.sum() / 1e6 == pytest.approx(453.3 * 0.2, rel=1e-3)
    assert demand.peak_mw == pytest.approx(80_300 * 0.2, rel=2e-3)
