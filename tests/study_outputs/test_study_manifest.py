"""The manifest tells what a run was, and verifying tells what was touched since."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from grid.contracts import Assumption
from layers.contracts import Finding, InputError
from study.run_folder.manifest import (
    MANIFEST_NAME,
    InputRecord,
    LibraryVersion,
    Manifest,
    OutputRecord,
    StageRecord,
    hash_file,
    read_manifest,
    record_outputs,
    verify_run,
    without_private_paths,
    write_manifest,
)

FILES = {
    "projects.csv": b"a,b\n1,2\n",
    "site_map.html": b"<html>",
    "loadflow/bus_state.csv": b"x\n",
    "地图/图.txt": b"",
}


def manifest(outputs: tuple[OutputRecord, ...], **changes: object) -> Manifest:
    plain = Manifest(
        run_id="20240101-0001",
        study="bozhou",
        started="2024-01-01T00:00:00+08:00",
        finished="2024-01-01T00:01:00+08:00",
        fengguang="0.1.0",
        python="3.11.2",
        libraries=(LibraryVersion("numpy", "2.4.0"),),
        code_sha256="c" * 64,
        rule_pack="cn-2024",
        inputs=(InputRecord("ponds", "layers/ponds.gpkg", "d" * 64, 7, "MIT", "mapped"),),
        stages=(StageRecord("land", "e" * 64, 1.23456, False),),
        findings=(
            Finding("warning", "epw.hour_label", "hz.epw", "", "hour 1", "30", "labels are an hour off.", "None."),
        ),
        assumptions=(Assumption("a", "lines", "额定电流取标准值", "ratings from the table", "", "", "C"),),
        outputs=outputs,
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    for name, content in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    write_manifest(manifest(record_outputs(folder)), folder)
    return folder


def found(folder: Path) -> list[tuple[str, str, str]]:
    findings = verify_run(folder)
    assert all(finding.remedy and finding.message for finding in findings)
    return [(finding.severity, finding.rule, finding.item) for finding in findings]


def replace_outputs(folder: Path, *outputs: OutputRecord) -> None:
    """A manifest that is sound in itself but whose outputs a stranger chose."""
    path = folder / MANIFEST_NAME
    record = json.loads(path.read_text("utf-8"))
    record["outputs"] = [dataclasses.asdict(output) for output in outputs]
    del record["manifest_sha256"]

    def dump(value: object) -> str:
        return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2) + "\n"

    record["manifest_sha256"] = hashlib.sha256(dump(record).encode()).hexdigest()
    path.write_text(dump(record), "utf-8")


# --- writing and reading ----------------------------------------------------------------------------------------


def test_hash_of_known_content(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    assert hash_file(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_outputs_are_all_files_but_the_manifest_sorted(run: Path) -> None:
    assert [record.path for record in record_outputs(run)] == sorted(FILES)
    assert {record.path: record.bytes for record in record_outputs(run)} == {k: len(v) for k, v in FILES.items()}


def test_manifest_reads_back(run: Path) -> None:
    written = manifest(record_outputs(run))
    rounded = dataclasses.replace(written, stages=(StageRecord("land", "e" * 64, 1.235, False),))
    assert read_manifest(run) == rounded


def test_manifest_is_readable_sorted_stable_json(run: Path) -> None:
    content = (run / MANIFEST_NAME).read_bytes()
    assert "额定电流取标准值".encode() in content
    record = json.loads(content)
    assert list(record) == sorted(record)
    write_manifest(manifest(record_outputs(run)), run)
    assert (run / MANIFEST_NAME).read_bytes() == content
    assert not [path for path in run.rglob("*") if "part" in path.name]


def test_failed_write_leaves_the_earlier_manifest(run: Path) -> None:
    before = (run / MANIFEST_NAME).read_bytes()
    endless = StageRecord("land", "", float("inf"), False)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_manifest(manifest((), stages=(endless,)), run)
    assert (run / MANIFEST_NAME).read_bytes() == before


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot open /home/liming/data/ponds.gpkg: no such file", "cannot open …/ponds.gpkg: no such file"),
        ("file:///mnt/c/x/y.tif", "…/y.tif"),
        (r"C:\Users\liming\Desktop\a.csv", "…/a.csv"),
        (r"\\server\share\liming\a.csv", "…/a.csv"),
        ("'/srv/secret/a.epw'", "'…/a.epw'"),
        ("layers/ponds.gpkg", "layers/ponds.gpkg"),
        ("builtin:/echarts/bozhou.geojson", "builtin:/echarts/bozhou.geojson"),
        ("${FENGGUANG_DATA}/a/b.tif", "${FENGGUANG_DATA}/a/b.tif"),
        ("https://example.org/a/b", "https://example.org/a/b"),
        ("500/220/110 kV, MW/km2, km/h, 3 / 4", "500/220/110 kV, MW/km2, km/h, 3 / 4"),
        ("../shared/a/b", "../shared/a/b"),
        ("N-1: 10 %", "N-1: 10 %"),
    ],
)
def test_private_paths_are_shortened(text: str, shown: str) -> None:
    assert without_private_paths(text) == shown


def test_home_and_working_folder_never_stand_in_a_manifest(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "li ming"  # a blank in the name
    monkeypatch.setenv("HOME", str(home))
    finding = Finding("note", "r", str(home / "a.tif"), f"在{home}/b", str(Path.cwd()), str(home), f"see {run}.", "x")
    card = InputRecord("i", f"{home}/c.tif", "d" * 64, 1, "MIT", "mapped")
    write_manifest(manifest((), findings=(finding,), inputs=(card,)), run)
    content = (run / MANIFEST_NAME).read_text("utf-8")
    assert "li ming" not in content
    assert str(tmp_path) not in content
    assert str(Path.cwd()) not in content
    assert read_manifest(run).inputs[0].shown_path == "…/c.tif"


def test_a_folder_whose_name_goes_on_is_not_the_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/li")
    assert without_private_paths("在/home/li/a b") == "在…/a b"
    assert without_private_paths("see /home/li.") == "see …."
    assert without_private_paths("/home/liming/x.tif and ./home/li") == "…/x.tif and ./home/li"


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../x", "a/../../x", "a//b", "./a", "", "a\\b", "C:x", "a\nb", "\udcff", MANIFEST_NAME]
)
def test_outputs_with_unsafe_paths_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="outside the run folder"):
        write_manifest(manifest((OutputRecord(name, "0" * 64, 1),)), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_links_and_broken_names_are_no_outputs(run: Path) -> None:
    (run / "link").symlink_to(run / "projects.csv")
    with pytest.raises(ValueError, match="link is no regular file"):
        record_outputs(run)
    (run / "link").unlink()
    Path(os.fsdecode(os.fsencode(run) + b"/bad\xff.csv")).write_bytes(b"")
    with pytest.raises(ValueError, match="cannot be the name"):
        record_outputs(run)


# --- verifying --------------------------------------------------------------------------------------------------


def test_an_untouched_run_has_no_finding(run: Path) -> None:
    assert found(run) == []


@pytest.mark.parametrize("name", [name for name, content in FILES.items() if content])
def test_one_tampered_byte_is_found_in_each_file(run: Path, name: str) -> None:
    content = bytearray((run / name).read_bytes())
    content[len(content) // 2] ^= 1
    (run / name).write_bytes(content)
    assert found(run) == [("error", "run.changed", name)]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_one_tampered_byte_of_the_manifest_is_found(run: Path, data: st.DataObject) -> None:
    path = run / MANIFEST_NAME
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    changed = bytearray(content)
    changed[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(changed)
    try:
        ((severity, rule, _),) = found(run)
        assert severity == "error"
        assert rule in ("manifest.changed", "manifest.unreadable", "manifest.format")
    finally:
        path.write_bytes(content)


def test_missing_extra_and_changed_files_are_named_all_at_once(run: Path) -> None:
    (run / "site_map.html").unlink()
    (run / "projects.csv").write_bytes(b"longer than before")
    (run / "notes.txt").write_text("mine")
    (run / "loadflow" / "~$bus_state.csv").write_text("")
    assert found(run) == [
        ("error", "run.changed", "projects.csv"),
        ("error", "run.missing", "site_map.html"),
        ("warning", "run.extra", "loadflow/~$bus_state.csv"),
        ("warning", "run.extra", "notes.txt"),
    ]
    assert verify_run(run)[0].value == "18 bytes, written were 8"


def test_swapped_files_are_found(run: Path) -> None:
    (run / "projects.csv").rename(run / "t")
    (run / "loadflow" / "bus_state.csv").rename(run / "projects.csv")
    (run / "t").rename(run / "loadflow" / "bus_state.csv")
    assert [item for _, _, item in found(run)] == ["loadflow/bus_state.csv", "projects.csv"]


def test_links_in_place_of_files_are_found_even_with_the_same_content(run: Path, tmp_path: Path) -> None:
    (tmp_path / "same.csv").write_bytes(FILES["projects.csv"])
    (run / "projects.csv").unlink()
    (run / "projects.csv").symlink_to(tmp_path / "same.csv")
    (run / "folder").symlink_to(tmp_path)
    (run / "loadflow" / "bus_state.csv").unlink()
    (run / "loadflow" / "bus_state.csv").mkdir()
    assert found(run) == [
        ("error", "run.missing", "loadflow/bus_state.csv"),
        ("error", "run.not_a_file", "projects.csv"),
        ("warning", "run.extra", "folder"),
    ]


@pytest.mark.parametrize("name", ["../secret.txt", "/etc/hostname", "a/../../secret.txt"])
def test_hostile_paths_in_a_manifest_are_not_followed(
    run: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret.txt").write_text("s")
    replace_outputs(run, OutputRecord(name, "0" * 64, 1))
    opened: list[Path] = []
    monkeypatch.setattr("study.run_folder.manifest.hash_file", lambda path: opened.append(path) or "")
    assert ("error", "manifest.unsafe_path", name) in found(run)
    assert opened == []


def test_hostile_file_names_are_shown_harmless(run: Path) -> None:
    (run / "=cmd\n\x1b[31mred").write_text("")
    (run / "\u202egpj.exe").write_text("")
    Path(os.fsdecode(os.fsencode(run) + b"/bad\xff.csv")).write_bytes(b"")
    items = [item for _, rule, item in found(run) if rule == "run.extra"]
    assert sorted(items) == sorted(["=cmd\\n\\x1b[31mred", "\\u202egpj.exe", "bad\\udcff.csv"])
    assert all(item.isprintable() for item in items)


def test_missing_manifest(tmp_path: Path) -> None:
    assert found(tmp_path) == [("error", "manifest.missing", tmp_path.name)]
    with pytest.raises(InputError):
        read_manifest(tmp_path / "nowhere")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"1", b'{"format": 1}', b"\xff\xfe", b"[" * 100_000],
    ids=["empty", "torn", "list", "null", "number", "poor", "utf16", "deep"],
)
def test_unreadable_manifests(run: Path, content: bytes) -> None:
    (run / MANIFEST_NAME).write_bytes(content)
    assert found(run) == [("error", "manifest.unreadable", MANIFEST_NAME)]


def test_manifest_of_another_format_says_which(run: Path) -> None:
    record = json.loads((run / MANIFEST_NAME).read_text("utf-8")) | {"format": 99}
    (run / MANIFEST_NAME).write_text(json.dumps(record), "utf-8")
    (finding,) = verify_run(run)
    assert finding.rule == "manifest.format"
    assert "99" in finding.message


def test_added_key_or_reformatted_manifest_is_found(run: Path) -> None:
    path = run / MANIFEST_NAME
    content = path.read_text("utf-8")
    path.write_text(json.dumps(json.loads(content), ensure_ascii=False, sort_keys=True), "utf-8")
    assert found(run) == [("error", "manifest.changed", MANIFEST_NAME)]
    path.write_text(content.replace('"run_id"', '"room": 1,\n  "run_id"'), "utf-8")
    assert found(run) == [("error", "manifest.changed", MANIFEST_NAME)]
