"""What the rules took beside a site, counted by hand on a frame of ten by ten cells of 100 m."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely

from layers.frame import Frame
from layers.mask_store import MaskStore
from siting.contracts import STATES, WATERFALL, HostLand, LandResult
from siting.sites import rules as module
from siting.sites.rules import SITE_RULES, site_rules

FRAME = Frame("EPSG:4547", 100.0, 500_000.0, 3_700_000.0, 10, 10)


def land(reasons: np.ndarray | None, rules: tuple[str, ...] = ("road", "river")) -> LandResult:
    empty = MaskStore(FRAME.shape)
    store = None if reasons is None else MaskStore.of(reasons)
    host = HostLand("fish_pond", empty, empty, empty, reasons=store, rules=rules)
    return LandResult(FRAME, (host,), STATES.empty(), WATERFALL.empty())


def site(row: int, col: int, host_type: str = "fish_pond") -> gpd.GeoDataFrame:
    """One site that is exactly the cell (row, col)."""
    x, y = FRAME.left + 100 * col, FRAME.top - 100 * row
    shape = shapely.box(x + 1, y - 99, x + 99, y - 1)
    return gpd.GeoDataFrame({"candidate_id": ["S"], "host_type": [host_type]}, geometry=[shape], crs=FRAME.crs)


def reasons() -> np.ndarray:
    """Road (bit 0) takes row 2, river (bit 1) column 5; they cross in (2, 5)."""
    bits = np.zeros(FRAME.shape, np.uint16)
    bits[2, :] |= 1
    bits[:, 5] |= 2
    return bits


def test_cells_within_reach_are_counted_by_rule() -> None:
    """Site (4, 4), reach 200 m: rows 2..6, columns 2..6. Road: 5 cells of row 2, one shared; river: 5 of column 5."""
    table = site_rules(land(reasons()), site(4, 4), reach_m=200.0)
    assert table.to_dict("list") == {
        "candidate_id": ["S", "S"], "rule": ["river", "road"], "taken_km2": [0.05, 0.05], "alone_km2": [0.04, 0.04],
    }  # fmt: skip


def test_the_frame_ends_where_it_ends() -> None:
    """Site (0, 9), reach 100 m: rows 0..1, columns 8..9, where no rule takes anything; 200 m meets the road thrice."""
    assert site_rules(land(reasons()), site(0, 9), reach_m=100.0).empty
    table = site_rules(land(reasons()), site(0, 9), reach_m=200.0)
    assert table["rule"].tolist() == ["road"]
    np.testing.assert_allclose(table["taken_km2"], 0.03)


def test_rows_and_whole_raster_give_the_same(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    whole = site_rules(land(reasons()), site(4, 4))
    monkeypatch.setattr(module, "_WHOLE_CELLS", 0)
    assert site_rules(land(reasons()), site(4, 4)).equals(whole)


def test_without_reasons_or_for_other_types_there_are_no_rows() -> None:
    assert site_rules(land(None), site(4, 4)).empty
    assert SITE_RULES.validate(site_rules(land(reasons()), site(4, 4, "wind_plain"))).empty
