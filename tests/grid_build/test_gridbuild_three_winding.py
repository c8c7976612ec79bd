"""Three-winding units: bases of the short-circuit voltages by hand and against pandapower's own conversion."""

import pytest

from grid.standards_tables import three_winding_types
from grid.three_winding import ShortCircuitVoltages, pandapower_short_circuit_voltages, star_impedances

BASE_MVA = 100.0


def test_a_published_bank_by_hand():
    # 1000 / 1000 / 334 MVA, 14 / 50 / 34 %, all on 1000 MVA: pairs on 100 MVA are 0.014, 0.050, 0.034;
    # star: (0.014 + 0.050 - 0.034) / 2 = 0.015, (0.014 + 0.034 - 0.050) / 2 = -0.001, (0.050 + 0.034 - 0.014) / 2
    row = three_winding_types().loc["500/220/35 1000 MVA"]
    legs = star_impedances({**row, "vkr_hv_mv_percent": 0.0}, BASE_MVA)
    assert [z.imag for z in legs] == pytest.approx([0.015, -0.001, 0.035])
    # pandapower wants the pairs with the tertiary on 334 MVA: 34 x 0.334 = 11.36 %, 50 x 0.334 = 16.7 %
    assert pandapower_short_circuit_voltages(row) == pytest.approx((14.0, 11.356, 16.7))


def test_pairs_of_the_star_give_the_nameplate_back():
    for name, row in three_winding_types().iterrows():
        high, middle, low = star_impedances(row, float(row["sn_hv_mva"]))
        assert abs(high + middle) * 100 == pytest.approx(row["vk_hv_mv_percent"]), name
        assert abs(high + low) * 100 == pytest.approx(row["vk_hv_lv_percent"]), name
        assert abs(middle + low) * 100 == pytest.approx(row["vk_mv_lv_percent"]), name


def test_unknown_base_is_refused():
    row = three_winding_types().iloc[0].to_dict() | {"vk_base": "mv"}
    with pytest.raises(ValueError, match="mv"):
        ShortCircuitVoltages.of_type(row)


def _lv_voltage_of_pandapower(row, vk):
    import pandapower as pp

    net = pp.create_empty_network(sn_mva=BASE_MVA)
    hv, mv, lv = (pp.create_bus(net, float(row[f"vn_{side}_kv"])) for side in ("hv", "mv", "lv"))
    pp.create_ext_grid(net, hv)
    vkr = [float(row["vkr_hv_mv_percent"])] * 3
    pp.create_transformer3w_from_parameters(
        net, hv, mv, lv, row["vn_hv_kv"], row["vn_mv_kv"], row["vn_lv_kv"], row["sn_hv_mva"], row["sn_mv_mva"],
        row["sn_lv_mva"], *vk, *vkr, pfe_kw=0.0, i0_percent=0.0,
    )  # fmt: skip
    pp.create_load(net, mv, 400.0, 80.0)
    pp.create_load(net, lv, 60.0, 30.0)
    pp.runpp(net, calculate_voltage_angles=True)
    return [float(v) for v in net.res_bus.vm_pu]


def _lv_voltage_of_star(row):
    """Fixed-point load flow of the star: a second way to the same voltages."""
    high, middle, low = star_impedances(row, BASE_MVA)
    vm, vl = 1 + 0j, 1 + 0j
    for _ in range(200):
        i_m, i_l = ((400 + 80j) / BASE_MVA / vm).conjugate(), ((60 + 30j) / BASE_MVA / vl).conjugate()
        centre = 1 - high * (i_m + i_l)
        vm, vl = centre - middle * i_m, centre - low * i_l
    return [1.0, abs(vm), abs(vl)]


def test_trap_three_winding_base_moves_the_low_voltage_bus():
    row = three_winding_types().loc["500/220/35 1000 MVA"]
    ours = _lv_voltage_of_star(row)
    right = _lv_voltage_of_pandapower(row, pandapower_short_circuit_voltages(row))
    wrong = _lv_voltage_of_pandapower(row, (row["vk_hv_mv_percent"], row["vk_mv_lv_percent"], row["vk_hv_lv_percent"]))
    assert ours == pytest.approx(right, abs=2e-4)  # resistances of the legs are shared out differently
    assert abs(wrong[2] - right[2]) > 0.01  # the nameplate taken as it is: the low side is off by more than 1 %
