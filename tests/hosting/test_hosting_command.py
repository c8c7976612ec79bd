"""``fengguang hosting`` as people call it."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import hosting_networks as nets
import openpyxl
import pandas as pd
import pyogrio
import pytest
from typer.testing import CliRunner

from grid.capacity import study as capacity
from study.cli import app

CLI = CliRunner()
COLUMNS = {
    "bus", "vn_kv", "firm_n0_mw", "firm_n1_mw", "binding_case", "binding_outage", "binding_element", "binding_limit",
    "next_binding", "certified", "base_case", "grade", "grade_formula", "grade_clause", "grade_reason_zh",
}  # fmt: skip


def run(*arguments: object) -> tuple[int, str]:
    result = CLI.invoke(app, ["hosting", *(str(a) for a in arguments)])
    return result.exit_code, result.output


def table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False, encoding="utf-8-sig")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run on the drawn network, with a ledger and a county."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "ledger.csv").write_text("equipment_id,registered_mw\nA/110/10,7\n", "utf-8")
    (folder / "counties.csv").write_text("station,county_id,name_zh\nU,341602,谯城区\n", "utf-8")
    code, told = run(
        nets.small_folder(folder), "--buses", "stations", "--registered", folder / "ledger.csv", "--counties",
        folder / "counties.csv", "--out", folder / "out",
    )  # fmt: skip
    assert code == 0, told
    return folder / "out"


def test_tables_workbook_and_package_hold_the_same(small: Path) -> None:
    hosting = table(small / "hosting.csv")
    assert set(hosting.columns) >= COLUMNS
    assert hosting["bus"].tolist() == [1, 2, 3, 4]
    assert (hosting["firm_n1_mw"] <= hosting["firm_n0_mw"] + 1e-6).all()
    book = openpyxl.load_workbook(small / "hosting.xlsx", read_only=True)
    assert set(book.sheetnames) >= {"hosting", "hosting_cases", "grades", "counties", "findings"}
    assert book["hosting"]["A1"].value == "bus"
    stations = gpd.read_file(small / "hosting.gpkg", layer="stations")
    assert stations.crs == "EPSG:4326"
    assert stations.set_index("station")["grade"].to_dict() == {"U": "green", "A": "green"}
    assert stations.geometry.x.round(6).tolist() == [116.0, 116.2]
    assert {name for name, _ in pyogrio.list_layers(small / "hosting.gpkg")} == {"stations", "buses", "layer_styles"}
    styles = pyogrio.read_dataframe(small / "hosting.gpkg", layer="layer_styles")
    assert all('attr="grade"' in text and 'value="red"' in text for text in styles["styleQML"])


def test_the_network_takes_what_its_weakest_element_lets_through(small: Path) -> None:
    """Bus 3 with all below it draws 20 + 30 - 10 = 40 MW over two circuits of 90 MVA: 40 + 180 MW in N-0, 40 + 90 in
    N-1, but for losses and reactive power."""
    row = table(small / "hosting.csv").set_index("bus").loc[3]
    assert row["firm_n0_mw"] == pytest.approx(220, abs=4)
    assert row["firm_n1_mw"] == pytest.approx(130, abs=2)
    assert {row["binding_element"], row["binding_outage"]} == {"2-3-1", "2-3-2"}
    assert row["binding_limit"] == "line_loading"
    assert row["certified"]


def test_two_parallel_units_give_beta_one_half_and_the_formula_opens(small: Path) -> None:
    grades = table(small / "grades.csv").set_index("equipment_id")
    assert grades["beta"]["U/220/110"] == 0.5
    assert "0.5×360×0.95" in grades["formula"]["U/220/110"]
    assert grades["registered_mw"].tolist() == [7.0, 7.0]
    assert grades["superior_id"]["U/220/110"] == "341602"
    hosting = table(small / "hosting.csv").set_index("bus")
    assert hosting["grade_equipment"].tolist() == ["", "U/220/110", "U/220/110", "A/110/10"]
    counties = table(small / "counties.csv")
    assert counties["name_zh"].tolist() == ["谯城区"]
    assert counties["connected_mw"].tolist() == [12.0]


def test_the_summary_tells_with_what_and_how_sure(small: Path) -> None:
    summary = json.loads((small / "summary.json").read_text("utf-8"))
    assert summary["rule_book"]["options"] == "new_storage=after; floor_at_zero=no"
    assert summary["rule_book"]["confidence"] == "A"
    assert {"rulebook/areas", "rulebook/typical_hour"} <= {a["id"] for a in summary["rule_book"]["assumptions"]}
    assert summary["ac_states"] > 0
    assert summary["memory_bound_mib"] > 0
    assert len(summary["inputs"]["network"]["sha256"]) == 64
    assert summary["inputs"]["registered"]["file"] == "ledger.csv"
    assert {"fengguang", "lightsim2grid"} <= set(summary["versions"])
    assert set(summary["seconds"]) >= {"read", "hosting", "write"}
    page = (small / "summary.html").read_text("utf-8")
    assert "<script" not in page
    assert "0.5×360×0.95" in page
    assert "http" not in page


def test_a_network_without_ratings_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    code, told = run(nets.small_folder(tmp_path, rated=False), "--out", tmp_path / "out")
    assert code == 2
    assert "5 of 5 branches have no rating" in told
    assert "--ratings" in told
    assert not (tmp_path / "out").exists()


def test_a_dry_run_says_what_it_would_do_and_writes_nothing(tmp_path: Path) -> None:
    before = nets.small_folder(tmp_path)
    code, told = run(before, "--dry-run", "--out", tmp_path / "out")
    assert code == 0, told
    assert "1 case(s), 2 buses, 5 outages, 2 buses certified" in told
    assert "AC states" in told
    assert [p.name for p in tmp_path.iterdir()] == ["network"]


def test_case118_with_given_ratings(tmp_path: Path) -> None:
    ratings = nets.case118_ratings(tmp_path / "ratings.csv")
    code, told = run(
        nets.case118_file(), "--ratings", ratings, "--buses", "40,78,117", "--certify", "none", "--rule",
        "dlt2041-2019", "--tolerate-base", "--out", tmp_path / "out",
    )  # fmt: skip
    assert code == 0, told
    hosting = table(tmp_path / "out" / "hosting.csv")
    assert hosting["bus"].tolist() == [40, 78, 117]
    summary = json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))
    assert summary["outages"] >= 177
    assert summary["certified"] == 0
    assert summary["rule_book"]["edition"] == "dlt2041-2019"
    assert summary["rule_book"]["graded"] == 10
    assert (hosting["firm_n1_mw"] > 0).any()
    assert not (tmp_path / "out" / "hosting.gpkg").exists()


def test_faults_of_the_ratings_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "ratings.csv"
    path.write_text("branch_id,rating_a_mva\nT1,x\nT1,5\nT11,5\n", "utf-8")
    code, told = run(nets.small_folder(tmp_path, rated=False), "--ratings", path, "--out", tmp_path / "out")
    assert code == 2
    assert told.count("hosting.rating:") == 1
    assert "hosting.repeated" in told
    assert "Did you mean T" in told
    path.write_text("branch,rating_a_mva\nT1,5\n", "utf-8")
    code, told = run(nets.small_folder(tmp_path, rated=False), "--ratings", path, "--out", tmp_path / "out")
    assert code == 2
    assert "Did you mean branch_id?" in told


def test_ratings_of_a_file_bind(tmp_path: Path) -> None:
    """Circuits of 45 MVA instead of 90: 40 + 45 MW in N-1."""
    path, names = tmp_path / "ratings.csv", ("T1", "T2", "2-3-1", "2-3-2", "A1")
    rows = "".join(f"{name},{mva}\n" for name, mva in zip(names, (180, 180, 45, 45, 50), strict=True))
    path.write_text(f"branch_id,rating_a_mva\n{rows}", "utf-8")
    folder = nets.small_folder(tmp_path, rated=False)
    code, told = run(folder, "--ratings", path, "--buses", "3", "--out", tmp_path / "out")
    assert code == 0, told
    assert table(tmp_path / "out" / "hosting.csv")["firm_n1_mw"][0] == pytest.approx(85, abs=2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--buses", "4,99"), "there is no such bus"),
        (("--rule", "dlt2041-2024"), "none of dlt2041-2025"),
        (("--typical-case", "noon"), "there is no such case"),
        (("--certify", "some"), "none of all"),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    code, told = run(nets.small_folder(tmp_path), *arguments, "--out", tmp_path / "out")
    assert code == 2
    assert message in " ".join(told.split())
    assert not (tmp_path / "out").exists()


def test_a_killed_run_goes_on_where_it_stood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two cases; the second is stopped. The next run solves no hand of the first again and gives the same bytes."""
    folder, cases = nets.small_folder(tmp_path), tmp_path / "cases.toml"
    cases.write_text('[[cases]]\nid = "peak"\n[[cases]]\nid = "noon"\nload_factor = 0.5\n', "utf-8")
    asked = (folder, "--cases", cases, "--out")
    code, told = run(*asked, tmp_path / "whole")
    assert code == 0, told
    real, solved = capacity._hand, []

    def hand(basis, name, *more):  # type: ignore[no-untyped-def]
        if name == "noon" and "stopped" not in solved:
            solved.append("stopped")
            raise KeyboardInterrupt
        solved.append(name)
        return real(basis, name, *more)

    monkeypatch.setattr(capacity, "_hand", hand)
    assert CLI.invoke(app, ["hosting", *(str(a) for a in asked), str(tmp_path / "out")]).exit_code != 0
    assert solved == ["peak", "stopped"]
    assert [p.name for p in (tmp_path / "out").iterdir()] == [".finished"]
    code, told = run(*asked, tmp_path / "out")
    assert code == 0, told
    assert solved == ["peak", "stopped", "noon"]
    assert "3 parts resumed" in told  # hand and broken base of the first case, broken base of the second
    for name in ("hosting.csv", "hosting_cases.csv", "grades.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_added_load_and_another_rule_book_are_other_answers(tmp_path: Path) -> None:
    folder = nets.small_folder(tmp_path)
    for out, more in (("plant", ()), ("load", ("--load",)), ("inside", ("--new-storage", "inside"))):
        code, told = run(folder, *more, "--out", tmp_path / out)
        assert code == 0, told
    plant, load = (table(tmp_path / name / "hosting.csv").set_index("bus") for name in ("plant", "load"))
    assert plant["firm_n0_mw"][4] > load["firm_n0_mw"][4]
    told_inside = json.loads((tmp_path / "inside" / "summary.json").read_text("utf-8"))["rule_book"]
    assert told_inside["options"].startswith("new_storage=inside")
