"""``fengguang loadflow --short-circuit``: what it writes, and what its page says."""

from __future__ import annotations

import json

import pandas as pd
from shortcircuit_cases import infeed_and_line, machine_behind_transformer

from grid.writers.tables import write_network_tables
from study.loadflow.page import loadflow_page
from study.loadflow.run import LoadFlowRequest, run_loadflow


def test_tables_summary_and_page(tmp_path):
    """A case of two buses, 27.5 kA of a 50 % infeed of 110 kV: half of 40 kA is green."""
    folder = tmp_path / "network"
    write_network_tables(infeed_and_line(), folder)
    out = tmp_path / "out"
    summary = run_loadflow(LoadFlowRequest(folder, out, short_circuit=True))
    assert summary["short_circuit"]["green"] == 2
    assert summary["short_circuit"]["buses"] == 2
    assert json.loads((out / "summary.json").read_text(encoding="utf-8"))["short_circuit"] == summary["short_circuit"]
    table = pd.read_csv(out / "short_circuit.csv", encoding="utf-8-sig")
    assert table["case"].tolist() == ["base", "base"]
    assert table.loc[0, "ikss_3ph_ka"] == 20.0
    assert table.loc[0, "margin_percent"] == 50.0
    findings = pd.read_csv(out / "findings.csv", encoding="utf-8-sig")
    assert "short_circuit.infeed" in findings["rule"].tolist()
    assert not findings.duplicated(["rule", "item"]).any()
    page = (out / "summary.html").read_text(encoding="utf-8")
    assert "短路 Short circuit" in page
    assert "<span class='green'>绿 green</span> 2" in page
    assert "20.00" in page
    first = {
        name: (out / name).read_bytes() for name in ("short_circuit.csv", "short_circuit.parquet", "loadflow.xlsx")
    }
    run_loadflow(LoadFlowRequest(folder, out, short_circuit=True))
    assert first == {name: (out / name).read_bytes() for name in first}


def test_page_shows_grades_dashes_and_no_markup_of_the_data():
    case = machine_behind_transformer()
    row = {"case": "base", "bus": 1, "name": "<b>A</b>", "vn_kv": 110.0, "ikss_3ph_ka": 39.0,
           "ikss_1ph_ka": float("nan"), "converters_3ph_ka": 3.0,
           "converters_1ph_ka": float("nan"), "skss_mva": 7430.0, "x_over_r": 9.0,
           "breaker_ka": 40.0, "margin_percent": 2.5, "grade": "red"}  # fmt: skip
    dark = {**row, "bus": 2, "name": "", "ikss_3ph_ka": float("nan"), "margin_percent": float("nan"),
            "grade": "unknown"}  # fmt: skip
    summary = {"network": "n", "format": "f", "version": "", "buses": 2, "branches": 0, "base_mva": 100.0, "cases": {}}
    empty = pd.DataFrame({"loading_percent": pd.Series(dtype=float)})
    tables = {"branches": empty, "findings": pd.DataFrame(), "short_circuit": pd.DataFrame([dark, row])}
    page = loadflow_page(summary, tables, case)
    assert "<b>" not in page
    assert "&lt;b&gt;A&lt;/b&gt;" in page
    assert page.index("红 red</span></td>") < page.index("未知 unknown</span></td>")
    assert "<span class='red'>红 red</span> 1" in page
    assert "<span class='unknown'>未知 unknown</span> 1" in page
