"""The same land under two packs: figures by hand, laws on random land, the map layer, and the command."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import rule_samples as s
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from siting.contracts import HostLayer, LandResult
from siting.hosts.types import load_host_types
from siting.land.eligibility import evaluate_land
from siting.rules.compare import CHANGES, change_rows, change_strips, compare_land
from study.cli import app
from study.new import new_study
from study.sites.compare_rules import COLOURS, RuleComparison, palette_style, under_pack, write_comparison
from study.study_file import read_study

HOSTS = load_host_types()
PAIR = [HostLayer("agri_greenhouse", "field"), HostLayer("fish_pond", "pond")]
FIELD, POND = s.layer("field", s.box(0, 0, 200, 400)), s.layer("pond", s.box(200, 0, 400, 200))


def land(rules, layers=(), rasters=()) -> LandResult:
    return evaluate_land(s.region(), [FIELD, POND, *layers], rasters, PAIR, HOSTS, rules, mapped_by=(), workers=1)


def test_figures_by_hand() -> None:
    """One rule takes the field's southern half (4 ha), the other its western half: 2 ha stay out under both."""
    south, west = s.layer("south", s.box(0, 0, 400, 200)), s.layer("west", s.box(0, 0, 100, 400))
    rules_a = [s.rule("south", "south", applies_to=("agri_greenhouse",), document="old")]
    rules_b = [s.rule("west", "west", applies_to=("agri_greenhouse",), document="new")]
    a, b = land(rules_a, [south, west]), land(rules_b, [south, west])
    found = compare_land(a, b, s.region(), rules_before=rules_a, rules_after=rules_b)
    row = found.states.set_index("host_type").loc["agri_greenhouse"]
    assert row["eligible_before_km2"] == pytest.approx(0.04)
    assert row["eligible_after_km2"] == pytest.approx(0.04)
    assert row[["gained_km2", "lost_km2"]].tolist() == pytest.approx([0.02, 0.02])
    assert found.changed_hosts == ("agri_greenhouse",)
    rules = found.rules.set_index("rule")
    assert rules.at["south", "lost_before_km2"] == pytest.approx(0.04)
    assert np.isnan(rules.at["south", "lost_after_km2"])
    assert rules["document_before"].tolist() == ["old", ""]
    assert rules["document_after"].tolist() == ["", "new"]


def test_unknown_land_is_neither_gained_nor_lost() -> None:
    """The slope of the field's western half is not known: with the rule it is unknown, without it eligible."""
    slope = np.zeros((40, 40), np.float32)
    slope[:, :10] = np.nan
    rasters = [s.raster("slope", slope, "degree")]
    rules = [s.rule("slope", "slope", kind="raster_above", limit=10)]
    out = s.rule("out", "field")
    free, doubt, gone = land([], rasters=rasters), land(rules, rasters=rasters), land([out], rasters=rasters)
    row = compare_land(doubt, gone, s.region()).states.set_index("host_type").loc["agri_greenhouse"]
    assert (row["unknown_before_km2"] - row["unknown_after_km2"]) == pytest.approx(0.04)
    assert row["lost_km2"] == pytest.approx(0.04)
    codes = {
        (before, after): set(np.unique(_codes(x, y)[:, :20]))
        for before, x in (("free", free), ("doubt", doubt), ("gone", gone))
        for after, y in (("free", free), ("doubt", doubt), ("gone", gone))
    }
    assert codes["free", "free"] == {0}
    assert codes["free", "doubt"] == {0, CHANGES.index("lost")}
    assert codes["doubt", "free"] == {0, CHANGES.index("gained")}
    assert codes["doubt", "gone"] == {CHANGES.index("now_excluded"), CHANGES.index("lost")}
    assert codes["gone", "doubt"] == {CHANGES.index("now_unknown"), CHANGES.index("gained")}


def _codes(a: LandResult, b: LandResult, host: str = "agri_greenhouse") -> np.ndarray:
    return np.vstack([codes for _, codes in change_strips(a, b, s.region(), host)])


def random_land(seed: int) -> LandResult:
    rng = np.random.default_rng(seed)
    x, y, w, h = rng.uniform((0, 0, 20, 20), (300, 300, 200, 200))
    layers = [s.layer("x", s.box(x, y, x + w, y + h))]
    values = rng.choice(np.array([1, 9, np.nan], np.float32), (40, 40))
    rules = [s.rule("x", "x", setback_m=float(rng.choice([0, 25]))), s.rule("v", "v", kind="raster_above", limit=5)]
    return land(rules[: int(rng.integers(0, 3))], layers, [s.raster("v", values, "")])


@settings(max_examples=8, deadline=None)
@given(one=st.integers(0, 9999), two=st.integers(0, 9999))
def test_laws_of_any_comparison(one, two) -> None:
    """Gains less losses are the difference; the other way round they change places; states keep their sum."""
    a, b = random_land(one), random_land(two)
    there, back = (compare_land(x, y, s.region()).states.set_index("host_type") for x, y in ((a, b), (b, a)))
    difference = there["eligible_after_km2"] - there["eligible_before_km2"]
    assert (there["gained_km2"] - there["lost_km2"]).to_numpy() == pytest.approx(difference.to_numpy(), abs=1e-12)
    assert there["gained_km2"].tolist() == back["lost_km2"].tolist()
    for when in ("before", "after"):
        total = sum(there[f"{state}_{when}_km2"] for state in ("eligible", "excluded", "unknown"))
        assert total.to_numpy() == pytest.approx(0.16)
    assert compare_land(a, a, s.region()).changed_hosts == ()
    assert not _codes(a, a).any()
    for host in ("agri_greenhouse", "fish_pond"):
        whole = _codes(a, b, host)
        region = s.region()
        parts = [
            change_rows(a.land(host), b.land(host), region.mask[k : k + 7], k, min(k + 7, 40)) for k in range(0, 40, 7)
        ]
        assert np.array_equal(np.vstack(parts), whole)
        sub = np.bitwise_count(np.asarray(b.land(host).eligible) & ~np.asarray(a.land(host).eligible))
        assert not (whole[sub == 16] != CHANGES.index("gained")).any()


def test_results_that_do_not_go_together_are_refused() -> None:
    a = land([])
    other = evaluate_land(s.region(s.frame(200)), [FIELD], (), PAIR[:1], HOSTS, (), mapped_by=(), workers=1)
    with pytest.raises(ValueError, match="one frame"):
        compare_land(a, other, s.region())
    fewer = evaluate_land(s.region(), [FIELD], (), PAIR[:1], HOSTS, (), mapped_by=(), workers=1)
    with pytest.raises(ValueError, match="other host types"):
        compare_land(a, fewer, s.region())


def comparison(before: LandResult, after: LandResult) -> RuleComparison:
    from siting.rules.compare import compare_packs
    from siting.rules.packs import load_rule_pack

    packs = compare_packs(load_rule_pack("cn-2022"), load_rule_pack("cn-2024"))
    return RuleComparison(compare_land(before, after, s.region()), packs, (), before, after, s.region())


def test_files_of_a_comparison(tmp_path) -> None:
    """Tables open in Excel, the raster carries codes, colours and its place; the same comparison, the same bytes."""
    half = s.rule("half", "half", applies_to=("agri_greenhouse",))
    before, after = land([]), land([half], [s.layer("half", s.box(0, 0, 200, 200))])
    written = write_comparison(comparison(before, after), tmp_path / "a")
    names = [path.name for path in written]
    tables = ["pack_states.csv", "pack_rules.csv", "pack_changes.csv", "pack_comparison.xlsx"]
    assert names == [*tables, "change_agri_greenhouse.tif", "change_agri_greenhouse.qml"]
    with rasterio.open(tmp_path / "a" / "change_agri_greenhouse.tif") as source:
        codes = source.read(1)
        assert source.nodata == 0
        assert source.bounds == s.frame().bounds
        assert source.crs.to_epsg() == 4548
        colour = source.colormap(1)[CHANGES.index("lost")]
        assert "#{:02x}{:02x}{:02x}".format(*colour[:3]) == COLOURS["lost"]
    assert (codes[20:, :20] == CHANGES.index("lost")).all()
    assert np.count_nonzero(codes) == 400
    sheets = pd.read_excel(tmp_path / "a" / "pack_comparison.xlsx", sheet_name=None, skiprows=[1, 2])
    assert set(sheets) == {"pack_states", "pack_rules", "pack_changes"}
    assert sheets["pack_changes"]["change"].isin(["新增", "修改", "取消"]).all()
    again = write_comparison(comparison(before, after), tmp_path / "b")
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (*written, *again)]
    assert digests[: len(written)] == digests[len(written) :]
    assert "不再可用" in palette_style("zh")
    assert 'label="lost"' in palette_style("en")


# --- a whole study ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def study_path(tmp_path_factory) -> Path:
    """A generated study with agricultural facilities on cropland, which notice No. 12 closed to arrays."""
    folder = tmp_path_factory.mktemp("study")
    path = new_study(
        "sample", folder, generated=True, area_km2=40, population=30_000, lon=116.2, lat=33.5, districts=1
    )  # fmt: skip
    text = path.read_text("utf-8")
    text = text.replace("resolution_m = 30", "resolution_m = 60")
    extra = '\n[[hosts]]\nhost_type = "agri_greenhouse"\nlayer = "cropland"\n'
    extra += '\n[[exclusions]]\nrule = "cultivated_land"\nlayer = "cropland"\n'
    extra += '\n[[exclusions]]\nrule = "tall_forest"\nlayer = "forest"\n'
    path.write_text(text + extra, "utf-8")
    return path


def test_another_pack_drops_what_it_has_no_rule_for(study_path) -> None:
    study = read_study(study_path)
    other, dropped = under_pack(study, "cn-2022", "340000")
    assert dropped == ("tall_forest:forest",)
    assert (other.file.land.rules, other.file.land.province) == ("cn-2022", "340000")
    assert len(other.file.exclusions) == len(study.file.exclusions) - 1


def test_command_shows_lists_and_compares(study_path, tmp_path) -> None:
    run = CliRunner().invoke
    listed = run(app, ["rules"])
    assert listed.exit_code == 0
    assert "cn-2022" in listed.output
    assert "cn-2024" in listed.output
    shown = run(app, ["rules", "show", "cn-2024", "--province", "640000"])
    assert shown.exit_code == 0
    assert "own version of 640000" in shown.output
    assert "setback_m 500" in shown.output
    assert "Shandong" not in shown.output
    assert run(app, ["rules", "show", "cn-2042"]).exit_code == 2
    done = run(app, ["rules", "compare", str(study_path), "--with", "cn-2022", "--root", str(tmp_path)])
    assert done.exit_code == 0, done.output
    folder = tmp_path / "data" / "processed" / "sample" / "rules-cn-2024-cn-2022"
    states = pd.read_csv(folder / "pack_states.csv").set_index("host_type")
    assert states.at["agri_greenhouse", "eligible_before_km2"] == 0
    assert states.at["agri_greenhouse", "gained_km2"] > 1
    assert states.at["fish_pond", "gained_km2"] == 0
    assert (folder / "change_agri_greenhouse.tif").is_file()
    assert "tall_forest:forest: no such rule in cn-2022" in done.output
    wrong = run(app, ["rules", "compare", str(study_path), "--with", "cn-2042", "--root", str(tmp_path)])
    assert wrong.exit_code == 2


def test_a_pack_file_beside_the_study(study_path, tmp_path) -> None:
    """A planner's own edition: a wider distance to dwellings costs wind land, and the run's key follows the file."""
    from study.pipeline import Results
    from study.run import open_results

    own = tmp_path / "anhui.toml"
    rule = 'id = "wind_dwelling"\nlabel_zh = "甲"\nlabel_en = "a"\ndocument = "d"\nclause = "c"\ndate = ""\n'
    own.write_text(
        'name = "anhui"\nedition = "1"\nbased_on = "cn-2024"\n[[rules]]\n'
        f'{rule}confidence = "C"\napplies_to = ["wind_plain"]\nsetback_m = 700\n',
        "utf-8",
    )
    out = tmp_path / "out"
    arguments = ["rules", "compare", str(study_path), "--with", str(own), "--out", str(out), "--root", str(tmp_path)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    rules = pd.read_csv(out / "pack_rules.csv").set_index(["host_type", "rule"])
    row = rules.loc[("wind_plain", "wind_dwelling:village")]
    assert row["lost_after_km2"] > row["lost_before_km2"]
    study, _ = under_pack(read_study(study_path), str(own))

    def key() -> str:
        results: Results = open_results(study, root=tmp_path)
        return results.key("land")

    first = key()
    own.write_text(own.read_text("utf-8").replace("700", "800"), "utf-8")
    assert key() != first


def test_command_says_why_a_place_and_a_site_are_in_or_out(study_path, tmp_path) -> None:
    """A site of the run is eligible by every rule; a point in a village is no cropland and too near to dwellings."""
    from study.run import open_results

    study = read_study(study_path)
    results = open_results(study, root=tmp_path)
    site = results.get("sites").candidates.iloc[0]
    run = CliRunner().invoke
    arguments = ["rules", "why", str(study_path), "--root", str(tmp_path)]
    known = run(app, [*arguments, "--site", site["candidate_id"]])
    assert known.exit_code == 0, known.output
    assert known.output.startswith(f"{site['host_type']}: eligible")
    villages = next(layer for layer in results.get("ground").vectors if layer.id == "village").features
    place = villages.geometry.representative_point().to_crs("EPSG:4326").iloc[0]
    at = ["--lon", str(place.x), "--lat", str(place.y)]
    said = run(app, [*arguments, *at, "--host", "wind_plain"])
    assert said.exit_code == 0, said.output
    assert "wind_plain: excluded" in said.output
    assert "100.0% is other land\n" in said.output
    assert "Wind: distance to dwellings: inside (village)" in said.output
    assert "[C]" in said.output
    for wrong in (["--site", "XX-1"], ["--lon", "10", "--lat", "50"], [*at, "--host", "wind_plian"]):
        assert run(app, [*arguments, *wrong]).exit_code == 2
    assert run(app, arguments).exit_code == 2
