"""A study's own standard data: rows that replace and add, nothing that leaks out, every fault at once."""

import pytest

from grid.limits import LimitSettings
from grid.line_parameters import line_type_parameters
from grid.standards_tables import (
    TABLE_NAMES,
    check_own_standards,
    conductors,
    own_standards,
    standard_table,
    transformer_types_between,
    voltage_band,
)
from layers.contracts import InputError

_CONDUCTORS = "conductor,diameter_mm,r20_ohm_per_km,note,source,edition,confidence\n"


def test_a_row_replaces_and_a_row_is_added(tmp_path):
    (tmp_path / "conductors.csv").write_text(
        _CONDUCTORS
        + "JL/G1A-400/35,26.82,0.0700,,test certificate of the mill,2022,A\n"
        + "JLHA3-425,26.8,0.0700,,test certificate of the mill,2022,A\n",
        encoding="utf-8",
    )
    before = float(line_type_parameters().loc["220 kV 400/35", "r_ohm_per_km"])
    with own_standards(tmp_path):
        assert float(line_type_parameters().loc["220 kV 400/35", "r_ohm_per_km"]) == 0.07
        assert "JLHA3-425" in conductors().index
        assert len(conductors()) == len(standard_table("conductors"))
    assert float(line_type_parameters().loc["220 kV 400/35", "r_ohm_per_km"]) == before == 0.0739
    assert "JLHA3-425" not in conductors().index


def test_limits_and_bands_follow(tmp_path):
    (tmp_path / "study_limits.csv").write_text(
        "limit,value,unit,use,source,edition,confidence\nreverse_percent,60,%,stricter,provincial rule,2024,B\n",
        encoding="utf-8",
    )
    (tmp_path / "voltage_limits.csv").write_text(
        "vn_kv,condition,vm_min_pu,vm_max_pu,source,edition,confidence\n110,normal,0.98,1.05,provincial rule,2024,B\n",
        encoding="utf-8",
    )
    with own_standards(tmp_path):
        assert LimitSettings.standard().reverse_percent == 60
        assert LimitSettings.standard().line_percent == 100
        assert voltage_band(110) == (0.98, 1.05)
        assert voltage_band(220) == (1.0, 1.1)
    assert voltage_band(110) == (0.97, 1.07)


def test_every_fault_at_once(tmp_path):
    (tmp_path / "conductor.csv").write_text(_CONDUCTORS, encoding="utf-8")
    (tmp_path / "seasons.csv").write_text("season,ambient\nsummer,40\n", encoding="utf-8")
    (tmp_path / "conductors.csv").write_text(
        _CONDUCTORS + "A,wide,0.1,,,2022,D\nA,20,0.1,,mill certificate,2022,A\n", encoding="utf-8"
    )
    rules = {finding.rule for finding in check_own_standards(tmp_path)}
    assert rules == {
        "standards.unknown_table", "standards.column", "standards.number", "standards.source",
        "standards.confidence", "standards.repeated",
    }  # fmt: skip
    with pytest.raises(InputError), own_standards(tmp_path):
        pass
    with pytest.raises(InputError), own_standards(tmp_path / "nowhere"):
        pass


def test_usual_units_are_not_mixed_with_variants():
    assert (transformer_types_between(110, 10)["variant"] == "").all()
    assert list(transformer_types_between(110, 10, "high_impedance")["sn_mva"]) == [40, 50, 63, 80]
    assert list(transformer_types_between(35, 10)["sn_mva"]) == [5, 6.3, 8, 10, 12.5, 16, 20, 31.5]


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_keys_are_unique(name):
    from grid.standards_tables import _KEYS

    assert not standard_table(name).duplicated(list(_KEYS[name])).any()
