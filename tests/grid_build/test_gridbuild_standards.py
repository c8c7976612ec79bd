"""Standard tables, line parameters and ampacity against the published tables and by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grid.ampacity import ampacity_a, conductor_ampacity_a, season_rating_factor
from grid.line_parameters import bundle_radius_m, line_type_parameters
from grid.standards_tables import (
    TABLE_NAMES,
    capacity_load_ratio,
    conductors,
    line_types,
    standard_table,
    transformer_types,
    transformer_types_between,
    voltage_band,
)

# type: r, x [ohm/km], c [nF/km], SIL [MW], I70 at 40 degC [A], S70 [MVA]; computed elsewhere from the same geometry
LINE_TABLE = {
    "35 kV 185/30": (0.159, 0.375, 9.7, 3, 366, 22),
    "35 kV 240/30": (0.118, 0.367, 9.9, 4, 438, 27),
    "110 kV 185/30": (0.159, 0.407, 8.9, 32, 366, 70),
    "110 kV 240/30": (0.118, 0.399, 9.1, 32, 438, 83),
    "110 kV 300/40": (0.096, 0.392, 9.2, 33, 496, 94),
    "110 kV 2x240/30": (0.059, 0.279, 12.8, 46, 875, 167),
    "220 kV 300/40": (0.096, 0.418, 8.6, 123, 496, 189),
    "220 kV 400/35": (0.074, 0.411, 8.8, 126, 579, 221),
    "220 kV 2x300/40": (0.048, 0.301, 11.9, 170, 991, 378),
    "220 kV 2x400/35": (0.037, 0.297, 12.0, 172, 1158, 441),
    "220 kV 2x630/45": (0.023, 0.278, 12.9, 185, 1530, 583),
    "500 kV 4x300/40": (0.024, 0.266, 13.3, 990, 1983, 1717),
    "500 kV 4x400/35": (0.0185, 0.264, 13.4, 997, 2315, 2005),
    "500 kV 4x500/45": (0.0148, 0.263, 13.5, 1004, 2648, 2294),
    "500 kV 4x630/45": (0.0116, 0.256, 13.8, 1031, 3061, 2651),
    "500 kV 4x720/50": (0.0100, 0.255, 13.9, 1035, 3351, 2902),
}
# conductor: ampacity [A] at (conductor, ambient) = (70,25) (70,35) (70,40) (80,35) (80,40)
AMPACITY_TABLE = {
    "150/25": (431, 364, 325, 432, 400),
    "185/30": (489, 412, 366, 489, 453),
    "240/30": (587, 493, 438, 589, 545),
    "300/40": (669, 560, 496, 671, 620),
    "400/35": (785, 656, 579, 789, 728),
    "500/45": (904, 753, 662, 909, 838),
    "630/45": (1052, 873, 765, 1059, 976),
    "720/50": (1157, 958, 838, 1166, 1073),
}
CONDITIONS = ((70, 25), (70, 35), (70, 40), (80, 35), (80, 40))


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_every_row_names_source_and_confidence(name):
    table = standard_table(name)
    assert len(table) > 0
    assert (table["source"].str.len() > 3).all()
    assert table["confidence"].isin(["A", "B", "C"]).all()
    assert "edition" in table.columns


@pytest.mark.parametrize("name", LINE_TABLE)
def test_line_parameters_follow_from_geometry(name):
    r, x, c, sil, i_a, s_mva = LINE_TABLE[name]
    row = line_type_parameters().loc[name]
    assert row["r_ohm_per_km"] == pytest.approx(r, abs=6e-4)
    assert row["x_ohm_per_km"] == pytest.approx(x, abs=6e-4)
    assert row["c_nf_per_km"] == pytest.approx(c, abs=0.06)
    assert row["sil_mw"] == pytest.approx(sil, abs=max(0.6, 0.003 * sil))
    assert row["max_i_ka"] * 1000 == pytest.approx(i_a, rel=0.003)
    assert row["s_max_mva"] == pytest.approx(s_mva, rel=0.005, abs=0.6)


def test_the_table_holds_every_listed_type_and_no_other():
    assert list(line_types().index) == list(LINE_TABLE)


def test_reactance_by_hand():
    # 110 kV 240/30: r = 10.8 mm, GMR = 8.748 mm, ln(5/0.008748) = 6.3484, x = 2 pi 50 * 2e-4 * 6.3484 = 0.39888
    assert line_type_parameters().loc["110 kV 240/30", "x_ohm_per_km"] == pytest.approx(0.39888, abs=1e-5)


def test_bundle_radius_by_hand():
    # square of side s has distances s, s, s*sqrt(2): (r s s s sqrt2)^(1/4)
    assert bundle_radius_m(0.0134, 4, 0.45) == pytest.approx((0.0134 * 0.45**3 * math.sqrt(2)) ** 0.25)
    assert bundle_radius_m(0.0134, 2, 0.4) == pytest.approx(math.sqrt(0.0134 * 0.4))
    with pytest.raises(ValueError, match="1 to 4"):
        bundle_radius_m(0.01, 6, 0.4)


@pytest.mark.parametrize("name", AMPACITY_TABLE)
def test_ampacity_table(name):
    wire = conductors().loc[f"JL/G1A-{name}"]
    for (hot, ambient), expected in zip(CONDITIONS, AMPACITY_TABLE[name], strict=True):
        found = ampacity_a(wire["diameter_mm"], wire["r20_ohm_per_km"], hot, ambient)
        assert found == pytest.approx(expected, rel=0.004), (hot, ambient)


@pytest.mark.parametrize("name", AMPACITY_TABLE)
def test_three_heat_balances_agree(name):
    wire = conductors().loc[f"JL/G1A-{name}"]
    for hot, ambient in CONDITIONS:
        values = [
            ampacity_a(wire["diameter_mm"], wire["r20_ohm_per_km"], hot, ambient, model=model)
            for model in ("ieee738", "iec61597", "gb50545")
        ]
        assert max(values) / min(values) < 1.035


@given(
    diameter=st.floats(10, 40),
    resistance=st.floats(0.03, 0.3),
    ambient=st.floats(-20, 45),
    hot=st.floats(60, 100),
    model=st.sampled_from(["ieee738", "iec61597", "gb50545"]),
)
def test_ampacity_is_monotone(diameter, resistance, ambient, hot, model):
    base = ampacity_a(diameter, resistance, hot, ambient, model=model)
    assert ampacity_a(diameter, resistance, hot, ambient + 1, model=model) <= base
    assert ampacity_a(diameter, resistance, hot, ambient, sun_w_per_m2=0, model=model) >= base
    assert ampacity_a(diameter, resistance * 1.1, hot, ambient, model=model) <= base


def test_no_current_where_the_air_is_hotter_than_the_conductor():
    assert ampacity_a(26.82, 0.0739, 40, 45) == 0.0


@pytest.mark.parametrize("season", ["summer", "transition", "winter"])
def test_season_factor_is_the_smallest_of_the_heat_balances_rounded_down(season):
    factors = [
        conductor_ampacity_a(wire, 70.0, season) / conductor_ampacity_a(wire, 70.0) for wire in conductors().index
    ]
    assert season_rating_factor(season) == math.floor(min(factors) * 100 + 1e-9) / 100


def test_season_factor_by_hand():
    # smallest conductor: 431 A at 25 degC over 325 A at 40 degC = 1.326
    assert season_rating_factor("transition") == pytest.approx(1.326, abs=0.01)
    assert season_rating_factor("summer") == 1.0
    with pytest.raises(KeyError):
        season_rating_factor("monsoon")


def test_natural_load_matches_the_textbook():
    sil = line_type_parameters()["sil_mw"]
    assert 120 <= sil["220 kV 400/35"] <= 130
    assert 160 <= sil["220 kV 2x300/40"] <= 175
    assert sil["500 kV 4x400/35"] == pytest.approx(1000, rel=0.02)


def test_transformers_of_one_pair_of_levels_share_vector_group_and_ratio():
    types = transformer_types()
    for _, group in types.groupby(["hv_kv", "lv_kv", "variant"]):
        assert group["shift_degree"].nunique() == 1
        assert group["vn_hv_kv"].nunique() == 1
    assert types.loc["110/10 50 MVA", "vector_group"] == "YNd11"
    # clock number 11: the low side lies 11 x 30 = 330 degrees behind the high side, i.e. 30 degrees before it
    assert types.loc["110/10 50 MVA", "shift_degree"] == 330
    clocks = types["vector_group"].str.extract(r"d(\d+)$", expand=False).dropna().astype(float)
    assert (types.loc[clocks.index, "shift_degree"] == 30 * clocks).all()
    assert list(transformer_types_between(220, 110)["sn_mva"]) == [120, 150, 180, 240]
    with pytest.raises(KeyError, match="380"):
        transformer_types_between(380, 110)


def test_limits_by_level():
    assert voltage_band(220, "normal") == (1.0, 1.10)
    assert voltage_band(66, "normal") == voltage_band(35, "normal")
    assert voltage_band(1000) == voltage_band(500) == (1.0, 1.10)
    with pytest.raises(KeyError, match="post_fault"):
        voltage_band(500, "post_fault")
    assert capacity_load_ratio(220, 7) == (1.6, 1.9)
    assert capacity_load_ratio(220, 7.1) == (1.7, 2.0)
    assert capacity_load_ratio(110, 3, "Q/GDW 10738") == (1.6, 1.8)


def test_every_line_type_has_a_cost():
    costs = standard_table("unit_costs")
    assert set(line_types().index) <= set(costs.loc[costs["kind"] == "line", "item"])
    assert ((costs["cost_low_cny"] <= costs["cost_cny"]) & (costs["cost_cny"] <= costs["cost_high_cny"])).all()


def test_a_returned_table_is_a_copy():
    seasons = standard_table("seasons")
    seasons["ambient_c"] = -300.0
    assert standard_table("seasons").loc[0, "ambient_c"] == 40
