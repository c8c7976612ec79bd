"""``fengguang hosting --series`` and the breakers' part of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import hosting_networks as nets
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from grid.capacity.fault_headroom import NewConverter
from grid.writers.tables import write_network_tables
from study.cli import app
from study.hosting.faults import short_circuit_table, with_short_circuit

CLI = CliRunner()
FLEXIBLE = [f"flexible_{x}_percent_mw" for x in (0, 1, 5, 10)]


def run(*arguments: object) -> tuple[int, str]:
    result = CLI.invoke(app, ["hosting", *(str(a) for a in arguments)])
    return result.exit_code, " ".join(result.output.split())


def table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, keep_default_na=False, encoding="utf-8-sig")


def day(hours: int = 48) -> pd.DataFrame:
    """Load of 40 to 100 %, lowest at noon, when the plants at the 10 kV bus and the new one give most."""
    start = pd.date_range("2023-07-01", periods=hours, freq="h")
    sun = np.clip(np.sin((start.hour - 6) * np.pi / 12), 0.0, None)
    return pd.DataFrame(
        {"hour": start.strftime("%Y-%m-%d %H:%M"), "load": 1.0 - 0.6 * sun, "pv": 0.5 * sun, "profile:new": 0.9 * sun}
    )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("series")
    day().to_csv(folder / "hours.csv", index=False)
    code, told = run(nets.small_folder(folder), "--buses", "3,4", "--series", folder / "hours.csv", "--storage-mw", 10,
                     "--out", folder / "out")  # fmt: skip
    assert code == 0, told
    return folder / "out"


def test_firm_never_exceeds_five_never_exceeds_ten_percent(small: Path) -> None:
    hosting = table(small / "hosting.csv")
    order = hosting[["firm_n1_mw", *FLEXIBLE]].to_numpy(float)
    assert (np.diff(order, axis=1) >= 0).all()
    more = hosting[[name.replace("_mw", "_with_storage_mw") for name in FLEXIBLE]].to_numpy(float)
    assert (more >= order[:, 1:] - 1e-9).all()
    assert (more[:, 2] > order[:, 3]).all()
    used = hosting[[f"utilisation_at_{x}_percent" for x in (0, 1, 5, 10)]].to_numpy(float)
    assert used == pytest.approx(np.tile([100.0, 99.0, 95.0, 90.0], (2, 1)), abs=1e-6)


def test_the_lowest_hour_is_the_firm_one(small: Path) -> None:
    """At noon bus 3 draws 0.4 x (20 + 30) - 0.5 x 12 = 14 MW over two circuits of 90 MVA: 14 + 90 MW in N-1; the new
    plant's profile is 0.9 then, so 104 / 0.9 MW fit without curtailment."""
    row = table(small / "hosting.csv").set_index("bus").loc[3]
    assert row["firm_n1_mw"] == pytest.approx(104, abs=2)
    assert row["binding_case"].endswith("12:00")
    assert {row["binding_element"], row["binding_outage"]} == {"2-3-1", "2-3-2"}
    assert row["next_binding"].startswith("line_loading")  # what bound in the case itself, at 40 + 90 MW
    assert row["firm_n0_mw"] == pytest.approx(220, abs=4)
    assert row["flexible_0_percent_mw"] == pytest.approx(104 / 0.9, abs=3)


def test_curves_hours_and_residuals_are_written(small: Path) -> None:
    curves, hours = table(small / "curtailment.csv"), table(small / "binding_hours.csv")
    assert len(curves) == 2 * 2 * 4
    assert set(hours["month"]) == {7}
    assert hours.groupby("bus")["hours"].sum().tolist() == [48, 48]
    assert table(small / "heat_map.csv").groupby("bus").size().tolist() == [24, 24]
    told = json.loads((small / "summary.json").read_text("utf-8"))["series"]
    assert told["hours"] == 48
    assert told["profile"] == "profile:new"
    assert told["storage"] == {"power_mw": 10.0, "hours": 2.0}
    residuals = {one["reason"]: one for one in told["by_case"]["base"]["residuals"]}
    assert residuals["firm"]["largest_mw"] <= 1.0
    assert "逐时" in (small / "summary.html").read_text("utf-8")


def test_case118_over_two_days(tmp_path: Path) -> None:
    day().drop(columns="pv").to_csv(tmp_path / "hours.csv", index=False)
    ratings = nets.case118_ratings(tmp_path / "ratings.csv")
    code, told = run(
        nets.case118_file(), "--ratings", ratings, "--buses", "40,117", "--certify", "none", "--tolerate-base",
        "--series", tmp_path / "hours.csv", "--out", tmp_path / "out",
    )  # fmt: skip
    assert code == 0, told
    hosting = table(tmp_path / "out" / "hosting.csv")
    assert (np.diff(hosting[["firm_n1_mw", *FLEXIBLE]].to_numpy(float), axis=1) >= 0).all()
    assert hosting["flexible_10_percent_mw"].gt(hosting["flexible_5_percent_mw"]).any()
    assert set(hosting["short_circuit_status"]) == {"limited"}


@pytest.mark.parametrize(
    ("change", "arguments", "messages"),
    [
        ({"laod": 1.0, "profile:new": "x"}, ("--load",), ("series.column", "series.number", "hosting.load")),
        ({}, ("--profile", "load"), ("no such column of output", "profile:new, flat")),
        ({"profile:new": 1.2}, (), ("0 to 1 per MW",)),
        ({"profile:new": 0.0}, (), ("above 0 in some hour",)),
        ({"generator:grid": 5.0}, ("--profile", "generator:grid"), ("nan to nan",)),
    ],
)
def test_faults_of_the_series_are_told_at_once(
    tmp_path: Path, change: dict[str, object], arguments: tuple[str, ...], messages: tuple[str, ...]
) -> None:
    day().assign(**change).to_csv(tmp_path / "hours.csv", index=False)
    code, told = run(nets.small_folder(tmp_path), "--series", tmp_path / "hours.csv", *arguments, "--out",
                     tmp_path / "out")  # fmt: skip
    assert code == 2
    assert [message for message in messages if message not in told] == []
    assert not (tmp_path / "out").exists()


def test_a_series_without_output_asks_for_a_profile_and_flat_is_one(tmp_path: Path) -> None:
    day()[["hour", "load"]].to_csv(tmp_path / "hours.csv", index=False)
    asked = (nets.small_folder(tmp_path), "--series", tmp_path / "hours.csv")
    code, told = run(*asked, "--dry-run")
    assert code == 2
    assert "no column of output" in told
    code, told = run(*asked, "--profile", "flat", "--dry-run")
    assert code == 0
    assert "48 hours" in told


def test_an_unknown_short_circuit_power_is_no_limit_and_says_what_is_missing(small: Path) -> None:
    hosting = table(small / "hosting.csv")
    assert hosting["short_circuit_status"].tolist() == ["unknown", "unknown"]
    assert hosting["short_circuit_missing"].str.contains("grid").all()
    assert hosting["short_circuit_mw"].tolist() == ["", ""]
    told = json.loads((small / "summary.json").read_text("utf-8"))["short_circuit"]
    assert (told["unknown"], told["limited"]) == (2, 0)
    assert "grid" in told["missing"][0]


def test_a_known_short_circuit_limits_firm_and_flexible_capacity(tmp_path: Path) -> None:
    """A machine of known rating in the place of the equivalent: 10 kV breakers leave less room than circuits do."""
    case = nets.small_case()
    plants = case.generators.assign(sn_mva=[400.0, 12.0], fuel=["coal", "pv"])
    case = replace(case, generators=plants)
    write_network_tables(case, tmp_path / "network")
    alone = short_circuit_table([case], [3, 4], NewConverter())
    assert alone["short_circuit_status"].isin(["limited", "exceeded"]).all()
    day().to_csv(tmp_path / "hours.csv", index=False)
    common = (tmp_path / "network", "--buses", "3,4", "--series", tmp_path / "hours.csv")
    code, told = run(*common, "--out", tmp_path / "out")
    assert code == 0, told
    code, told = run(*common, "--no-short-circuit", "--out", tmp_path / "free")
    assert code == 0, told
    bound, free = (table(tmp_path / name / "hosting.csv").set_index("bus") for name in ("out", "free"))
    assert "short_circuit_mw" not in free
    for name in ("firm_n0_mw", *FLEXIBLE):
        expected = np.minimum(free[name], alone["short_circuit_mw"])
        assert bound[name].to_numpy(float) == pytest.approx(expected.to_numpy(float), abs=0.011)


def test_the_breaker_is_named_where_it_binds() -> None:
    buses = pd.DataFrame({
        "bus_id": [3, 4, 5], "firm_n0_mw": [50.0, 50.0, 50.0], "firm_n1_mw": [30.0, np.nan, 20.0],
        "binding_limit": "line_loading", "binding_outage": ["a", "", "a"], "binding_element": "b", "next_binding": "",
    })  # fmt: skip
    faults = pd.DataFrame({
        "short_circuit_mw": [10.0, 40.0, np.nan], "short_circuit_bus": [4, 9, -1],
        "short_circuit_status": ["limited", "limited", "unknown"],
    }, index=[3, 4, 5])  # fmt: skip
    found = with_short_circuit(buses, faults)
    assert found["binding_limit"].tolist() == ["short_circuit", "short_circuit", "line_loading"]
    assert found["binding_element"].tolist() == ["4", "9", "b"]
    assert found["firm_n0_mw"].tolist() == [10.0, 40.0, 50.0]
    assert found["firm_n1_mw"].fillna(-1).tolist() == [10.0, -1, 20.0]
    assert found["next_binding"].tolist() == ["line_loading b after a at 30.0 MW", "line_loading b at 50.0 MW", ""]
