"""The study file: read, refused by name, found, resolved."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
import study_samples as samples

from layers.contracts import InputError
from study.schema.sites import LandEntry
from study.study_file import (
    BUILTIN_DATA,
    BUILTIN_STUDIES,
    find_study,
    read_study,
    resolve_path,
)

TYPOS = [
    # what stands in the file, what it is replaced by, where, misspelt key, remedy
    ("[outputs]\n", "[output]\n", "", "output", "outputs"),
    ("[study]\n", '[study]\nlangauge = "en"\n', "study", "langauge", "language"),
    ("resolution_m = 30", "resolution_m = 30\nresolutoin_m = 60", "region", "resolutoin_m", "resolution_m"),
    ("[generated.land]\n", '[generated.land]\nprofil = "x"\n', "generated.land", "profil", "profile"),
    ('path = "builtin:/climate', 'pth = "x"\npath = "builtin:/climate', "sources.normals", "pth", "path"),
    ("weight = 0.40", "weight = 0.40\nwieght = 0.3", "criteria.1", "wieght", "weight"),
    ("weight = 0.30", "weight = 0.30\nworts = 9", "criteria.2", "worts", "worst"),
    ("vn_kv = 220", "vn_kv = 220\nvn_kva = 1", "network.stations.1", "vn_kva", "vn_kv"),
    ('kind = "reference"', 'kind = "reference"\nfoldr = "x"', "network", "foldr", "folder"),
]


@pytest.mark.parametrize(("old", "new", "where", "key", "valid"), TYPOS, ids=[row[3] for row in TYPOS])
def test_a_misspelt_key_is_refused_by_name_with_the_nearest(
    tmp_path: Path, old: str, new: str, where: str, key: str, valid: str
) -> None:
    read = read_study(samples.edited(samples.generated_study(tmp_path), (old, new)))
    assert [(f.severity, f.rule, f.file, f.layer, f.item) for f in read.findings] == [
        ("error", "study.unknown_key", "sample.toml", where, key)
    ]
    assert read.findings[0].remedy == f"Did you mean '{valid}'?"


@pytest.mark.parametrize("value", ["true", "false"])
def test_a_key_of_older_study_files_is_told_with_what_to_do(tmp_path: Path, value: str) -> None:
    path = samples.edited(samples.generated_study(tmp_path), ("[land]\n", f"[connection]\njoint = {value}\n\n[land]\n"))
    found = [(f.severity, f.rule, f.layer, f.item, f.remedy) for f in read_study(path).findings]
    remedy = "All candidates are decided together now; leave the key out."
    assert found == [("error", "study.retired_key", "connection", "joint", remedy)]


def test_a_key_that_is_near_nothing_lists_what_is_valid(tmp_path: Path) -> None:
    path = samples.edited(samples.generated_study(tmp_path), ("[land]\n", "[land]\nzzz = 1\n"))
    remedy = read_study(path).findings[0].remedy
    valid = sorted(LandEntry.model_fields)
    assert {"block_km", "mapped_by", "rules"} <= set(valid)
    assert remedy == f"Valid keys here: {', '.join(valid)}."


def test_all_typos_and_all_faults_of_form_come_in_one_report(tmp_path: Path) -> None:
    path = samples.edited(
        samples.generated_study(tmp_path),
        ("weight = 0.40", "wieght = 0.40"),
        ('share_column = "roof_share"', "area_share = 18"),
        ('season = "winter"', 'season = "witner"'),
    )
    with pytest.raises(InputError) as caught:
        read_study(path)
    found = {(f.rule, f.layer, f.item, f.value) for f in caught.value.findings}
    assert found == {
        ("study.unknown_key", "criteria.1", "wieght", "wieght"),
        ("study.less_than_equal", "hosts.3", "area_share", "18"),
        ("study.literal_error", "cases.4", "season", "'witner'"),
    }
    assert all(f.remedy and f.message and f.file == "sample.toml" for f in caught.value.findings)


def test_a_source_called_like_a_key_does_not_confuse_the_nearest_key(tmp_path: Path) -> None:
    """Ids in dict tables are free: a source may be called 'region' or 'network'."""
    text = '\n[sources.network]\npath = "a.csv"\nlicence = "x"\norigin = "mapped"\nlicense = "y"\n'
    path = samples.generated_study(tmp_path)
    path.write_text(path.read_text("utf-8") + text, "utf-8")
    finding = read_study(path).findings[0]
    assert (finding.layer, finding.item, finding.remedy) == ("sources.network", "license", "Did you mean 'licence'?")


def test_what_is_no_toml_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("[study]\nname = \n", "utf-8")
    with pytest.raises(InputError) as caught:
        read_study(path)
    (finding,) = caught.value.findings
    assert finding.rule == "study.toml"
    assert "line 2" in finding.message


def test_text_that_is_not_utf_8_is_bad_input(tmp_path: Path) -> None:
    path = tmp_path / "gbk.toml"
    path.write_bytes('title = "亳州"'.encode("gbk"))
    with pytest.raises(InputError):
        read_study(path)


@pytest.mark.parametrize("name", sorted(p.stem for p in BUILTIN_STUDIES.glob("*.toml")))
def test_built_in_studies_are_read_without_a_finding(name: str) -> None:
    read = read_study(find_study(name))
    assert read.findings == ()
    assert read.file.study.name == name


def test_find_study_takes_a_path_a_built_in_name_or_a_name_below_studies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = samples.generated_study(tmp_path / "studies", "mine")
    assert find_study(str(path)) == path
    assert find_study("studies/mine.toml") == path
    assert find_study("mine") == path
    assert find_study("bozhou") == BUILTIN_STUDIES / "bozhou.toml"


@pytest.mark.parametrize("name", ["nowhere", "nowhere.toml", "studies/nowhere.toml", ""])
def test_find_study_names_the_built_in_studies_when_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        find_study(name)
    assert "bozhou, hangzhou" in caught.value.findings[0].remedy


def test_paths_of_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FENGGUANG_DATA", str(tmp_path / "root"))
    assert resolve_path("a/b.csv", tmp_path) == tmp_path / "a" / "b.csv"
    assert resolve_path("builtin:/x.csv", tmp_path) == BUILTIN_DATA / "x.csv"
    assert resolve_path("${FENGGUANG_DATA}/x.csv", tmp_path) == tmp_path / "root" / "x.csv"
    assert resolve_path(str(tmp_path / "x.csv"), Path("elsewhere")) == tmp_path / "x.csv"


def test_cards_show_no_absolute_path(tmp_path: Path) -> None:
    path = samples.edited(samples.generated_study(tmp_path), ("builtin:/climate-normals.csv", f"{tmp_path}/n.csv"))
    card = read_study(path).card("normals")
    assert card.path == tmp_path / "n.csv"
    assert card.shown_path == "n.csv"


def test_the_study_file_is_frozen(tmp_path: Path) -> None:
    read = samples.read_generated(tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        read.file.study.seed = 3  # type: ignore[misc]


def test_every_key_of_the_schema_explains_a_type_or_itself() -> None:
    """Editors complete from the JSON schema; its definitions carry the docstrings."""
    from study.schema.file import StudyFile

    schema = StudyFile.model_json_schema()
    assert schema["additionalProperties"] is False
    closed = {name: d.get("additionalProperties") for name, d in schema["$defs"].items() if d["type"] == "object"}
    assert set(closed.values()) == {False}
    assert "never guessed" in schema["$defs"]["SourceEntry"]["properties"]["datum"]["description"]
    assert tomllib.loads((BUILTIN_STUDIES / "bozhou.toml").read_text("utf-8"))["study"]["code"] == "BZ"
