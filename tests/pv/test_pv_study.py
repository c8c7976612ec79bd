"""What a study file says about PV: options, skylines, other variants, and every fault named before a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from layers.contracts import InputError
from study.cache import Cache
from study.checks.all import check_study
from study.new import new_study
from study.pipeline import Results
from study.sites.pv import host_types, pv_options
from study.stages.graph import STAGES
from study.study_file import Study, read_study

SKYLINE = "azimuth_deg,elevation_deg\n" + "".join(f"{a},{5 if 90 <= a <= 150 else 0}\n" for a in range(0, 360, 30))


def study_with(folder: Path, pv: str, skyline: str | None = None) -> Study:
    """The study that ``fengguang new --generated`` writes, with a [pv] table and perhaps a skyline."""
    sizes = {"area_km2": 60.0, "population": 40_000.0, "lon": 116.2, "lat": 33.5, "districts": 2}
    path = new_study("town", folder, generated=True, **sizes)
    text = path.read_text(encoding="utf-8")
    if skyline is not None:
        (path.parent / "skyline.csv").write_text(skyline, encoding="utf-8")
        text += '\n[sources.skyline]\npath = "skyline.csv"\nlicence = "own"\norigin = "measured"\n'
    path.write_text(f"{text}\n[pv]\n{pv}\n", encoding="utf-8")
    return read_study(path)


def errors(study: Study) -> list[tuple[str, str, str]]:
    found = [f for f in check_study(study) if f.severity == "error"]
    assert all(f.message and f.remedy for f in found)
    return [(f.rule, f.item, f.value) for f in found]


def test_every_key_arrives(tmp_path: Path):
    study = study_with(
        tmp_path,
        'transposition = "perez"\nreflection = "ashrae"\ncell_temperature = "pvsyst"\nmodule_model = "single_diode"\n'
        'subhourly_clipping = true\nhorizon = "skyline"\nvariants = { fish_pond = "ground_bifacial" }',
        SKYLINE,
    )
    assert errors(study) == []
    options = pv_options(study)
    assert (options.transposition, options.reflection, options.module_model) == ("perez", "ashrae", "single_diode")
    assert options.subhourly_clipping
    skyline = options.horizon("any cell")
    assert skyline is not None
    assert skyline.elevation_deg[3:6] == (5.0, 5.0, 5.0)
    built = {h.host_type: h.pv_variant for h in host_types(study.file)}
    assert built["fish_pond"] == "ground_bifacial"
    assert built["roof_public"] != "ground_bifacial"


def test_without_the_table_nothing_changes(tmp_path: Path):
    from siting.hosts.types import load_host_types
    from siting.pv.options import PvOptions

    study = study_with(tmp_path, "")
    assert pv_options(study) == PvOptions()
    assert host_types(study.file) == tuple(load_host_types())


@pytest.mark.parametrize(
    ("pv", "found"),
    [
        ('variants = { fish_pont = "ground_fixed" }', ("pv.unknown_host_type", "variants", "fish_pont")),
        ('variants = { wind_plain = "ground_fixed" }', ("pv.unknown_host_type", "variants", "wind_plain")),
        ('variants = { fish_pond = "ground_fix" }', ("pv.unknown_variant", "variants.fish_pond", "ground_fix")),
        ('horizon = "hills"', ("study.unknown_sources", "horizon", "hills")),
        ('cell_temperature = "faiman"', ("pv.cell_temperature", "close_roof", "faiman")),
    ],
)
def test_faults_are_named(tmp_path: Path, pv: str, found: tuple[str, str, str]):
    assert found in errors(study_with(tmp_path, pv))


def test_a_bad_skyline_is_named_with_its_file(tmp_path: Path):
    study = study_with(tmp_path, 'horizon = "skyline"', "azimuth_deg,elevation_deg\n0,200\n")
    (fault,) = [f for f in check_study(study) if f.rule.startswith("horizon.")]
    assert (fault.rule, fault.file) == ("horizon.out_of_range", "skyline.csv")


def test_a_skyline_of_an_unknown_cell_is_named(tmp_path: Path):
    lines = SKYLINE.splitlines()
    skyline = "\n".join([lines[0] + ",weather_cell", *(line + ",Nowhere" for line in lines[1:])]) + "\n"
    assert ("pv.unknown_cell", "horizon", "Nowhere") in errors(study_with(tmp_path, 'horizon = "skyline"', skyline))


def test_an_unknown_model_is_refused_by_the_schema(tmp_path: Path):
    with pytest.raises(InputError, match="pv transposition: Input should be 'haydavies', 'perez' or 'isotropic'"):
        study_with(tmp_path, 'transposition = "klucher"')


def results_of(study: Study, folder: Path) -> Results:
    return Results(study, STAGES, Cache(folder / "cache"))


def test_a_changed_model_changes_the_yields_and_what_follows(tmp_path: Path):
    plain = results_of(study_with(tmp_path / "a", ""), tmp_path)
    perez = results_of(study_with(tmp_path / "b", 'transposition = "perez"'), tmp_path)
    changed = {stage.name for stage in STAGES if plain.key(stage.name) != perez.key(stage.name)}
    assert "yields" in changed
    assert not changed & {"region", "ground", "weather", "land", "sites", "network", "hosting"}


def test_a_changed_skyline_changes_the_yields(tmp_path: Path):
    keys = [
        results_of(study_with(tmp_path / name, 'horizon = "skyline"', text), tmp_path).key("yields")
        for name, text in (("a", SKYLINE), ("b", SKYLINE.replace(",5", ",6")))
    ]
    assert keys[0] != keys[1]


@pytest.mark.slow
def test_the_table_reaches_the_yields(tmp_path: Path):
    """Skyline, model and another way of building on ponds, from the study file to the sites' yields."""
    from siting.technologies.tables import load_technology_tables

    plain = results_of(study_with(tmp_path / "a", ""), tmp_path)
    pv = 'horizon = "skyline"\nvariants = { fish_pond = "ground_bifacial" }'
    chosen = results_of(study_with(tmp_path / "b", pv, SKYLINE), tmp_path)
    before, after = plain.get("yields"), chosen.get("yields")
    assert not any("ground_bifacial" in name for name in before.yields["variant_id"])
    ponds = chosen.get("sites").candidates.set_index("candidate_id")
    built = after.yields.set_index("candidate_id")
    mine = ponds.index[ponds["host_type"] == "fish_pond"]
    assert len(mine) > 0
    assert built.loc[mine, "variant_id"].str.endswith("/ground_bifacial").all()
    ratio = load_technology_tables().pv_variant("ground_bifacial").dc_ac_ratio
    assert (ponds.loc[mine, "capacity_mw"] / ponds.loc[mine, "grid_capacity_mw"]).to_numpy() == pytest.approx(ratio)
    assert "horizon" in set(after.losses["item"])
    assert "horizon" not in set(before.losses["item"])
