"""Rule packs as data: complete, sourced, based on one another, with provinces; every fault named at once."""

from __future__ import annotations

import math
from datetime import date
from pathlib import Path

import pytest

from layers.contracts import InputError
from siting.hosts.types import load_host_types
from siting.rules.compare import compare_packs
from siting.rules.packs import PackEntry, known_packs, load_rule_pack, province_of_codes, rules_for_study

RULE = 'id = "{id}"\nlabel_zh = "甲"\nlabel_en = "a"\ndocument = "d"\nclause = "c"\ndate = "2024-01-01"\n'
RULE += 'confidence = "A"\napplies_to = []\n'


def pack_file(folder: Path, body: str = "", name: str = "mine", head: str = "") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(f'name = "{name}"\nedition = "1"\n{head}{body}', "utf-8")
    return path


def faults(folder: Path, body: str, head: str = "") -> list[str]:
    pack_file(folder, body, head=head)
    with pytest.raises(InputError) as caught:
        load_rule_pack("mine", folder)
    assert all(f.file == "mine.toml" and f.message and f.remedy for f in caught.value.findings)
    return [f.rule for f in caught.value.findings]


@pytest.mark.parametrize("name", known_packs())
def test_every_entry_says_where_it_comes_from(name) -> None:
    pack = load_rule_pack(name)
    assert pack.title_zh
    assert pack.title_en
    for entry in (*pack.rules, *pack.roof_ratios, *pack.array_geometry):
        assert entry.document
        assert entry.clause
        assert entry.confidence in ("A", "B", "C")
        assert date.fromisoformat(entry.date) < date(2025, 1, 1)
    for rule in pack.rules:
        assert rule.label_zh != rule.label_en
        assert all(o.document and o.clause and o.date for o in rule.overrides)


def test_the_topics_of_the_plans_are_there() -> None:
    names = {rule.id for rule in load_rule_pack("cn-2024").rules}
    assert {"red_line", "basic_farmland", "cultivated_land", "basic_grassland"} <= names
    assert {"protected_forest", "forest", "tall_forest", "dense_shrub", "key_state_forest"} <= names
    assert {"water_source", "water_source_second", "river", "lake", "reservoir", "wetland"} <= names
    assert {
        "wind_dwelling",
        "wind_town",
        "wind_road",
        "wind_rail",
        "wind_line",
        "wind_airport",
        "wind_reserve",
    } <= names
    assert {"pv_slope", "wind_slope", "pv_aspect", "pv_road", "pv_rail", "pv_line"} <= names


@pytest.mark.parametrize(
    ("building_class", "share"),
    [("government", 0.5), ("public", 0.4), ("industrial_commercial", 0.3), ("rural_home", 0.2)],
)
def test_whole_county_ratios(building_class, share) -> None:
    """NEA notice of June 2021; host types that follow a class carry its share."""
    ratio = load_rule_pack("cn-2024").roof_ratio(building_class)
    assert ratio is not None
    assert ratio.share == share
    hosts = {host.host_type: host.usable_share for host in load_host_types()}
    assert building_class == "public" or all(hosts[name] == share for name in ratio.host_types)
    assert load_rule_pack("cn-2024").roof_ratio("temple") is None


@pytest.mark.parametrize(
    ("use", "province", "figures"),
    [
        ("agri_pv", "370000", (2.5, 4, 10, math.nan)),
        ("agri_pv", "120000", (2.5, 4, 6.5, math.nan)),
        ("agri_pv", "330000", (2, math.nan, 7, math.nan)),
        ("fishery_pv", "330000", (math.nan, math.nan, math.nan, 0.6)),
        ("agri_pv", "410000", (2, 4, 6.5, math.nan)),
    ],
)
def test_heights_and_pitches_of_shared_land(use, province, figures) -> None:
    g = load_rule_pack("cn-2024").geometry(use, province)
    assert g is not None
    found = (g.min_height_m, g.min_column_pitch_m, g.min_row_pitch_m, g.above_high_water_m)
    assert found == pytest.approx(figures, nan_ok=True)
    assert (g.province == province) == (province != "410000")


def test_forest_pv_stands_a_metre_above_the_shrubs() -> None:
    g = load_rule_pack("cn-2024").geometry("forest_pv", "340000")
    assert g is not None
    assert g.above_vegetation_m == 1


def test_the_older_edition_differs_where_notice_12_changed_something() -> None:
    older, newer = load_rule_pack("cn-2022"), load_rule_pack("cn-2024")
    table = compare_packs(older, newer).set_index("rule")
    assert set(table.index[table["change"] == "added"]) == {"tall_forest", "key_state_forest"}
    assert "applies_to" in table.at["cultivated_land", "fields"]
    assert "agri_greenhouse" in table.at["cultivated_land", "after"]
    assert "agri_greenhouse" not in table.at["cultivated_land", "before"]
    assert table.at["basic_farmland", "document_after"] == "自然资办发〔2023〕12号"
    assert "wind_dwelling" not in table.index
    assert compare_packs(newer, newer).empty
    backwards = compare_packs(newer, older).set_index("rule")
    assert set(backwards.index[backwards["change"] == "removed"]) == {"tall_forest", "key_state_forest"}


# --- provinces ----------------------------------------------------------------------------------------------


def test_a_province_has_its_own_version() -> None:
    """Shrub land below 400 mm of rain: any cover in 2023, above 30 % not in 2015; elsewhere 50 % in both."""
    limits = {}
    for pack in ("cn-2024", "cn-2022"):
        for province in ("", "340000", "640000"):
            (rule,) = rules_for_study(
                load_rule_pack(pack), [PackEntry("dense_shrub", "s")], file="f", province=province
            )
            limits[pack, province] = rule.limit
            assert rule.province == ("640000" if province == "640000" else "")
            assert ("Ningxia" in rule.clause) == (province == "640000")
    assert [limits["cn-2024", p] for p in ("", "340000", "640000")] == [50, 50, 100]
    assert [limits["cn-2022", p] for p in ("", "340000", "640000")] == [50, 50, 30]
    changes = compare_packs(load_rule_pack("cn-2022"), load_rule_pack("cn-2024"), province="640000").set_index("rule")
    assert changes.at["dense_shrub", "before"] == "limit 30"
    assert changes.at["dense_shrub", "after"] == "limit 100"


def test_what_the_study_says_goes_before_the_province() -> None:
    entry = PackEntry("dense_shrub", "s", limit=40)
    (rule,) = rules_for_study(load_rule_pack("cn-2024"), [entry], file="f", province="640000")
    assert rule.limit == 40


def test_an_override_may_change_hosts_and_tables(tmp_path) -> None:
    override = '[[rules.overrides]]\nprovince = "340000"\ndocument = "皖"\nclause = "c"\ndate = "2024-02-02"\n'
    override += 'confidence = "B"\nsetback_m = 7\napplies_to = ["fish_pond"]\n'
    override += 'setbacks = [{ label = "x", setback_m = 3, values = ["x"] }]\n'
    pack_file(tmp_path, f"[[rules]]\n{RULE.format(id='a')}setback_m = 5\n{override}")
    pack = load_rule_pack("mine", tmp_path)
    entry = PackEntry("a", "road", setback_column="k")
    (general,) = rules_for_study(pack, [PackEntry("a", "road")], file="f")
    (own,) = rules_for_study(pack, [entry], file="f", province="340000")
    assert (general.setback_m, general.applies_to, general.document) == (5, (), "d")
    assert (own.setback_m, own.applies_to, own.document, own.confidence) == (7, ("fish_pond",), "皖", "B")
    assert own.setback_rows[0].setback_m == 3


@pytest.mark.parametrize(
    ("codes", "province"),
    [
        (["341602", "341621"], "340000"),
        (["156330112", "156330102"], "330000"),
        (["341602", "330102"], ""),
        (["谯城区"], ""),
        (["34160"], ""),
        ([], ""),
    ],
)
def test_province_of_the_district_codes(codes, province) -> None:
    assert province_of_codes(codes) == province


# --- packs of one's own -------------------------------------------------------------------------------------


def test_a_pack_of_ones_own_stands_on_one_of_the_programs(tmp_path) -> None:
    pack_file(
        tmp_path,
        f"[[rules]]\n{RULE.format(id='wind_dwelling')}setback_m = 700\n[[rules]]\n{RULE.format(id='mine')}",
        head='based_on = "cn-2024"\nwithout = ["wind_town"]\n',
    )
    pack, base = load_rule_pack("mine.toml", tmp_path), load_rule_pack("cn-2024")
    assert pack.find("wind_dwelling").setback_m == 700  # type: ignore[union-attr]
    assert pack.find("wind_town") is None
    assert [r.id for r in pack.rules] == [r.id for r in base.rules if r.id != "wind_town"] + ["mine"]
    assert pack.roof_ratios == base.roof_ratios
    nothing_new = pack_file(tmp_path, head='based_on = "cn-2024"\n', name="same")
    assert load_rule_pack(nothing_new.name, tmp_path).rules == base.rules


def test_packs_in_a_ring_are_refused(tmp_path) -> None:
    pack_file(tmp_path, name="a", head='based_on = "b"\n')
    pack_file(tmp_path, name="b", head='based_on = "a"\n')
    with pytest.raises(InputError) as caught:
        load_rule_pack("a", tmp_path)
    assert [f.rule for f in caught.value.findings] == ["rules.ring"]


def test_unknown_pack_names_the_file_and_the_nearest(tmp_path) -> None:
    for name, folder in (("cn-2042", None), ("cn-2042.toml", tmp_path)):
        with pytest.raises(InputError) as caught:
            load_rule_pack(name, folder) if folder else load_rule_pack(name)
        (finding,) = caught.value.findings
        assert (finding.rule, finding.file) == ("rules.unknown_pack", "cn-2042.toml")
        assert "cn-20" in finding.remedy


GOOD = f"[[rules]]\n{RULE.format(id='a')}"


@pytest.mark.parametrize(
    ("body", "head", "found"),
    [
        (GOOD, "tilte_zh = 'x'\n", ["rules.key"]),
        ("", "", ["rules.key"]),
        (GOOD + "setbak_m = 3\n", "", ["rules.key"]),
        (GOOD + "setback_m = 'far'\n", "", ["rules.value"]),
        (GOOD + "setback_m = true\n", "", ["rules.value"]),
        (GOOD + "setback_m = -1\n", "", ["rules.negative_setback"]),
        (GOOD + "setback_m = inf\n", "", ["rules.negative_setback"]),
        (GOOD + "kind = 'vectr'\n", "", ["rules.value"]),
        (GOOD.replace('"A"', '"D"'), "", ["rules.value"]),
        (GOOD.replace("2024-01-01", "2024-13-01"), "", ["rules.date"]),
        (GOOD.replace("applies_to = []", 'applies_to = ["fish_pnd"]'), "", ["rules.unknown_host"]),
        (GOOD + GOOD, "", ["rules.repeated"]),
        (GOOD + "setbacks = [{ setback_m = 3 }]\n", "", ["rules.setback_row"]),
        (GOOD + "setbacks = [{ setback_m = 3, values = ['a'], from_value = 2 }]\n", "", ["rules.setback_row"]),
        (GOOD + "setbacks = [{ values = ['a'] }]\n", "", ["rules.key"]),
        (GOOD + "[[rules.overrides]]\nprovince = '34'\n", "", ["rules.key"] * 4),
        (
            GOOD + "[[rules.overrides]]\nprovince = '34'\ndocument='d'\nclause='c'\ndate=''\nconfidence='A'\n",
            "",
            ["rules.province"],
        ),
        (
            GOOD + "[[rules.overrides]]\nprovince = '340000'\ndocument='d'\nclause='c'\ndate=''\nconfidence='A'\n" * 2,
            "",
            ["rules.repeated"],
        ),
        (GOOD, "without = ['red_line']\n", ["rules.without"]),
        (GOOD, "based_on = 'cn-2024'\nwithout = ['red_lin']\n", ["rules.without"]),
        (
            GOOD + "[[roof_ratios]]\nbuilding_class = 'b'\nlabel_zh = ''\nlabel_en = ''\nshare = 1.5\nhost_types = []\n"
            "document = 'd'\nclause = ''\ndate = ''\nconfidence = 'A'\n",
            "",
            ["rules.share"],
        ),
        (
            GOOD + "[[array_geometry]]\nuse = 'agri_pv'\nmin_height_m = 0\n"
            "document = 'd'\nclause = ''\ndate = ''\nconfidence = 'A'\n",
            "",
            ["rules.geometry"],
        ),
        (
            GOOD + "[[array_geometry]]\nuse = 'agripv'\ndocument = 'd'\nclause = ''\ndate = ''\nconfidence = 'A'\n",
            "",
            ["rules.value"],
        ),
    ],
)
def test_each_fault_of_a_pack_is_named(tmp_path, body, head, found) -> None:
    assert faults(tmp_path, body, head) == found


def test_all_faults_of_a_pack_at_once(tmp_path) -> None:
    body = GOOD + "kind = 'vectr'\n" + GOOD + "setback_m = -1\n"
    assert sorted(faults(tmp_path, body, "colour = 'red'\n")) == [
        "rules.key", "rules.negative_setback", "rules.repeated", "rules.value",
    ]  # fmt: skip


# --- entries of a study -------------------------------------------------------------------------------------

OWN = {"label_en": "Own", "document": "plan"}


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        (PackEntry("pv_slope", "s", limit=95), ["rules.absurd_slope"]),
        (PackEntry("pv_slope", "s", limit=-2), ["rules.absurd_slope"]),
        (PackEntry("pv_aspect", "s", low=-45), ["rules.absurd_aspect"]),
        (PackEntry("wind_airport", "s", setback_m=60_000), ["rules.absurd_setback"]),
        (PackEntry("river", "s", setback_m=math.nan), ["rules.negative_setback"]),
        (PackEntry("river", "s", kind="vector_narrow"), ["rules.kind"]),
        (PackEntry("wind_settlement_share", "s", share=1.2), ["rules.share"]),
        (PackEntry("narrow_land", "s", width_m=0), ["rules.width"]),
        (PackEntry("pv_road", "s", setback_column="k", setbacks=()), ["rules.setback_table"]),
        (PackEntry("river", "s", setback_column="k"), ["rules.setback_table"]),
        (PackEntry("forest", "s", classes=("a",)), ["rules.classes"]),
        (PackEntry("forest", "s", class_column="k"), ["rules.classes"]),
        (PackEntry("forest", "s", nodata="eligible", nodata_reason="x"), ["rules.nodata"]),
        (PackEntry("forest", "s", features_of="pond"), ["rules.features_of"]),
        (PackEntry("pv_slope", "s", nodata="eligible"), ["rules.nodata_reason"]),
        (PackEntry("pv_slope", "s", nodata="excluded", nodata_reason="  "), ["rules.nodata_reason"]),
        (PackEntry("pv_slope", "s", classes=("1",)), ["rules.classes"]),
        (PackEntry("pv_slope", "s", setback_m=5, known_within="x"), ["rules.not_for_rasters"] * 2),
        (PackEntry("own", "s", kind="raster_above", **OWN), ["rules.limit"]),
        (PackEntry("own", "s", kind="raster_between", low=1, **OWN), ["rules.range"]),
        (PackEntry("own", "s", kind="raster_outside", low=2, high=1, **OWN), ["rules.range"]),
        (PackEntry("own", "s", kind="raster_classes", **OWN), ["rules.classes"]),
        (PackEntry("own", "s", kind="raster_classes", classes=("a", "2"), **OWN), ["rules.class_code"]),
        (PackEntry("own", "s", kind="cell_share", **OWN), ["rules.share"]),
        (PackEntry("own", "s", kind="feature_share", share=0.5, **OWN), ["rules.features_of"]),
        (PackEntry("own", "s", kind="rastr", **OWN), ["rules.value"]),
        (PackEntry("own", "s", confidence="D", **OWN), ["rules.value"]),
        (PackEntry("own", "s"), ["rules.unknown"]),
    ],
)
def test_each_fault_of_an_exclusion_is_named(entry, found) -> None:
    with pytest.raises(InputError) as caught:
        rules_for_study(load_rule_pack("cn-2024"), [entry], file="study.toml")
    assert [f.rule for f in caught.value.findings] == found
    assert all((f.file, f.item) == ("study.toml", f"row 1 {entry.rule}") for f in caught.value.findings)


def test_a_table_needs_its_column_and_one_figure_stands_for_all() -> None:
    pack = load_rule_pack("cn-2024")
    plain, by_class, single = (
        rules_for_study(pack, [entry], file="f")[0]
        for entry in (
            PackEntry("pv_road", "road"),
            PackEntry("pv_road", "road", setback_column="k"),
            PackEntry("pv_road", "road", setback_m=50),
        )
    )
    assert (plain.setback_m, plain.setback_rows) == (20, ())
    assert [row.setback_m for row in by_class.setback_rows] == [30, 20, 15, 10, 5]
    assert (single.setback_m, single.setback_rows) == (50, ())


def test_a_rule_of_ones_own_carries_its_document() -> None:
    entry = PackEntry("own", "x", clause="4", date="2024-05-01", confidence="B", kind="vector_outside", **OWN)
    (rule,) = rules_for_study(load_rule_pack("cn-2024"), [entry], file="f")
    assert (rule.document, rule.clause, rule.date, rule.confidence) == ("plan", "4", "2024-05-01", "B")
    assert (rule.id, rule.kind, rule.applies_to) == ("own:x", "vector_outside", ())
