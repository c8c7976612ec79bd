"""Technology data: what ships is sound, and faults are told at once."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pvlib
import pytest

from layers.contracts import InputError
from siting.technologies.tables import TECHNOLOGIES_FOLDER, TechnologyTables, load_technology_tables

TABLES = load_technology_tables()


def broken(tmp_path: Path, file: str, old: str, new: str) -> None:
    """Replace one text in one file of a copy of the shipped tables."""
    if not (tmp_path / "t").is_dir():
        shutil.copytree(TECHNOLOGIES_FOLDER, tmp_path / "t")
    path = tmp_path / "t" / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def findings_of(tmp_path: Path) -> list[tuple[str, str, str]]:
    with pytest.raises(InputError) as error:
        load_technology_tables(tmp_path / "t")
    assert all(finding.remedy and finding.message for finding in error.value.findings)
    return [(finding.rule, finding.file, finding.item) for finding in error.value.findings]


def test_ids_that_host_types_use():
    assert {v.pv_variant for v in TABLES.pv_variants} >= {
        "roof_flat", "roof_pitched_south", "roof_rural_mix", "ground_fixed", "pond_pile", "floating",
    }  # fmt: skip
    assert [t.technology for t in TABLES.technologies] == [
        "pv_roof", "pv_ground", "pv_pond", "pv_floating", "wind_onshore",
    ]  # fmt: skip


def test_pv_loss_chain_is_the_default_of_pvwatts():
    """Rows compute their own shade: their chain has no flat rate for it."""
    for variant in TABLES.pv_variants:
        left = math.prod(1 - loss.loss_share for loss in variant.losses)
        shading = {} if variant.rows is None else {"shading": 0}
        assert 100 * (1 - left) == pytest.approx(pvlib.pvsystem.pvwatts_losses(**shading), abs=1e-9)


def test_land_mountings_are_those_of_pvsyst():
    known = pvlib.temperature.TEMPERATURE_MODEL_PARAMETERS["pvsyst"]
    mountings = {variant.mounting.mounting: variant.mounting for variant in TABLES.pv_variants}
    for ours, theirs in {"open_rack": "freestanding", "close_roof": "semi_integrated"}.items():
        assert mountings[ours].u_c_w_per_m2_k == known[theirs]["u_c"]
        assert mountings[ours].u_v_w_s_per_m3_k == known[theirs]["u_v"]


def test_every_row_of_every_file_is_used():
    """A mounting, loss chain or turbine that nothing refers to would be untested data."""
    used = {variant.mounting.mounting for variant in TABLES.pv_variants}
    assert used == ids_of("pv_mountings.csv")
    assert {variant.rows.rows for variant in TABLES.pv_variants if variant.rows} == ids_of("pv_rows.csv")
    assert {variant.module.module for variant in TABLES.pv_variants if variant.module} <= ids_of("pv_modules.csv")
    assert {t.turbine for t in TABLES.technologies if t.kind == "wind"} <= {t.turbine for t in TABLES.turbines}


def ids_of(file: str) -> set[str]:
    lines = (TECHNOLOGIES_FOLDER / file).read_text(encoding="utf-8").splitlines()[1:]
    return {line.split(",")[0] for line in lines}


def test_a_tracker_has_a_level_axis_that_turns(tmp_path: Path):
    broken(tmp_path, "pv_orientations.csv", "ground_tracking,0", "ground_tracking,20")
    broken(tmp_path, "pv_rows.csv", "tracker,0.4,single_axis,60", "tracker,0.4,single_axis,0")
    assert sorted(findings_of(tmp_path)) == [
        ("technology.tracker_rotation", "t/pv_rows.csv", "tracker"),
        ("technology.tracker_tilt", "t/pv_orientations.csv", "ground_tracking"),
    ]


def test_look_up_names_the_nearest_id():
    with pytest.raises(InputError, match="Did you mean 'ground_fixed'"):
        TABLES.pv_variant("ground_fix")
    with pytest.raises(InputError, match="Did you mean 'wind_onshore'"):
        TABLES.technology("wind_on_shore")
    with pytest.raises(InputError, match="Known: "):
        TABLES.turbine("zzz")
    assert TABLES.emission_factor("安徽").co2_kg_per_kwh == 0.6782


def test_all_faults_at_once(tmp_path: Path):
    broken(tmp_path, "technologies.csv", ",3180,", ",many,")
    broken(tmp_path, "technologies.csv", "generic_3300_156", "generic_3300_165")
    broken(tmp_path, "pv_variants.csv", "ground_fixed,固定式地面支架", "ground_fixed,")
    broken(tmp_path, "pv_variants.csv", ",1.2,-0.0035", ",12,-0.0035")
    broken(tmp_path, "pv_variants.csv", "floating,pvwatts", "flying,pvwatts")
    broken(tmp_path, "pv_orientations.csv", "25,90,0.15", "25,90,0.25")
    broken(tmp_path, "pv_losses.csv", "pvwatts,snow", "pvwatts,soiling")
    broken(tmp_path, "wind_losses.csv", "wake,8", "wake,-8")
    broken(tmp_path, "turbines.csv", "20,0.43", "20,0.63")
    broken(tmp_path, "emission_factors.csv", "华北", "全国")
    broken(tmp_path, "pv_mountings.csv", "u_c_w_per_m2_k", "u_c")
    (tmp_path / "t" / "pv_mountings.csv").rename(tmp_path / "t" / "kept.csv")
    rules = [rule for rule, _, _ in findings_of(tmp_path)]
    assert sorted(set(rules)) == [
        "technology.file_missing",
        "technology.loss_item",
        "technology.not_a_number",
        "technology.out_of_range",
        "technology.repeated_id",
        "technology.rotor",
        "technology.shares",
        "technology.unknown_id",
        "technology.value_missing",
    ]
    assert len(rules) >= 11


def test_header_faults_name_the_column(tmp_path: Path):
    broken(tmp_path, "pv_mountings.csv", "u_c_w_per_m2_k", "u_c_w_per_m2k")
    found = findings_of(tmp_path)
    assert ("technology.column_missing", "t/pv_mountings.csv", "header") in found
    assert ("technology.column_unknown", "t/pv_mountings.csv", "header") in found


def test_a_fault_names_row_column_and_range(tmp_path: Path):
    broken(tmp_path, "technologies.csv", ",0.06,0.004,2023,700", ",0.6,0.004,2023,700")
    assert findings_of(tmp_path) == [("technology.out_of_range", "t/technologies.csv", "row 2, discount_rate")]
    broken(tmp_path, "technologies.csv", ",0.6,0.004,2023,700,1450", ",0.06,0.004,2023,1700,1450")
    assert findings_of(tmp_path) == [("technology.hours", "t/technologies.csv", "pv_roof")]


def test_library_curve_needs_its_type(tmp_path: Path):
    broken(tmp_path, "turbines.csv", "library,N131/3000", "library,")
    assert findings_of(tmp_path) == [("technology.library_type", "t/turbines.csv", "n131_3000")]


def test_a_new_row_is_enough_for_a_new_turbine(tmp_path: Path):
    path = tmp_path / "t"
    shutil.copytree(TECHNOLOGIES_FOLDER, path)
    row = "mine,我的,Mine,rotor,,4000,170,150,3,22,0.44,0.1,19,,,onshore_plain,data sheet,A\n"
    file = path / "turbines.csv"
    file.write_text(file.read_text(encoding="utf-8") + row, encoding="utf-8")
    tables = load_technology_tables(path)
    assert isinstance(tables, TechnologyTables)
    assert tables.turbine("mine").hub_height_m == 150
    assert tables.turbine("mine").losses[0].item == "wake"
