"""``fengguang hosting --together``: what is written is what the library answers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import hosting_networks as nets
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from grid.capacity.clusters import corridor_clusters
from grid.capacity.settings import CapacitySettings
from grid.capacity.together import first_come, max_min, max_total, proportional
from grid.capacity.together_records import NamedCase, Site
from grid.capacity.together_shares import headroom_shares
from grid.capacity.together_study import Study
from grid.readers.formats import read_case
from study.cli import app
from study.hosting.together import QUESTIONS, read_sites

CLI = CliRunner()
WISHES = "site,bus,wish_mw,group\nlake,3,80,county A\nroofs,4,60,county A\nhills,2,120,county B\n"


def run(*arguments: object) -> tuple[int, str]:
    result = CLI.invoke(app, ["hosting", *(str(a) for a in arguments)])
    return result.exit_code, " ".join(result.output.split())


def table(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, encoding="utf-8-sig", keep_default_na=False, na_values=[""])


def library(network: Path, sites: list[Site]) -> Study:
    return Study.of([NamedCase("base", read_case(network))], sites, CapacitySettings.standard())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("together")
    (folder / "wishes.csv").write_text(WISHES, "utf-8")
    code, told = run(nets.small_folder(folder), "--together", folder / "wishes.csv", "--out", folder / "out")
    assert code == 0, told
    assert "max-total" in told
    return folder


def test_every_question_is_answered_as_by_the_library(finished: Path) -> None:
    study = library(finished / "network", [Site("lake", 3, 80.0), Site("roofs", 4, 60.0), Site("hills", 2, 120.0)])
    expected = dict(zip(QUESTIONS, (ask(study) for ask in (max_total, proportional, first_come, max_min)), strict=True))
    written, answers = table(finished / "out" / "together.csv"), table(finished / "out" / "together_answers.csv")
    assert answers["question"].tolist() == list(expected)
    binding = table(finished / "out" / "together_binding.csv")
    for question, answer in expected.items():
        mine = written[written["question"] == question]
        assert mine["site"].tolist() == ["lake", "roofs", "hills"]
        np.testing.assert_allclose(mine["capacity_mw"], answer.capacity_mw, rtol=1e-8)
        row = answers.set_index("question").loc[question]
        assert row["status"] == answer.status
        assert row["total_mw"] == pytest.approx(answer.total_mw, rel=1e-8)
        assert (binding["question"] == question).sum() == len(answer.binding)
    shares = table(finished / "out" / "together_headroom.csv")
    assert (shares["question"] == "max-total").sum() == len(headroom_shares(study, expected["max-total"]))
    clusters = table(finished / "out" / "together_clusters.csv")
    np.testing.assert_allclose(clusters["capacity_mw"], corridor_clusters(study)["capacity_mw"], rtol=1e-8)


def test_what_stands_behind_one_corridor_shares_it_and_groups_add_up(finished: Path) -> None:
    """Buses 3 and 4 draw 20 + 30 - 10 = 40 MW over two circuits of 90 MVA, one of which may be lost: 130 MW for both,
    but for losses and reactive power. The lake comes first with its 80, 50 are left of the roofs' 60."""
    written = table(finished / "out" / "together.csv").set_index(["question", "site"])
    assert written.loc[("first-come", "lake"), "capacity_mw"] == 80
    assert written.loc[("first-come", "roofs"), "capacity_mw"] == pytest.approx(50, abs=2)
    assert "2-3-" in str(written.loc[("first-come", "roofs"), "binding"])
    groups = table(finished / "out" / "together_groups.csv").set_index("node")
    assert groups.loc["county A", "sites"] == 2
    for node in ("all", "county A", "county B"):
        children = groups[groups["parent"] == node]
        assert groups.loc[node, "allocated_mw"] == pytest.approx(children["allocated_mw"].sum(), abs=1e-6)
    assert (groups["allocated_mw"] <= groups["alone_mw"] + 1e-6).all()


def test_shares_rise_in_their_ratio_until_something_binds(tmp_path: Path) -> None:
    """Shares 3 to 1 without a total: the answer is that of wishes in this ratio, beyond what the network takes."""
    (tmp_path / "shares.csv").write_text("bus,share\n3,3\n4,1\n", "utf-8")
    network = nets.small_folder(tmp_path)
    out = tmp_path / "out"
    code, told = run(network, "--together", tmp_path / "shares.csv", "--question", "proportional", "--out", out)
    assert code == 0, told
    mw = table(out / "together.csv")["capacity_mw"].to_numpy(float)
    assert mw[0] / mw[1] == pytest.approx(3, rel=1e-6)
    wanted = library(network, [Site("3", 3, 300.0), Site("4", 4, 100.0)])
    assert mw.sum() == pytest.approx(proportional(wanted).total_mw, abs=0.1)
    assert json.loads((out / "together.json").read_text("utf-8"))["answers"]["proportional"]["status"] == "clean"
    assert len(table(out / "together_binding.csv")) == 1


def test_a_plain_list_gives_buses_and_wishes() -> None:
    sites = read_sites("118:60, 205:200,7").sites
    assert sites == (Site("118", 118, 60.0), Site("205", 205, 200.0), Site("7", 7))
    assert replace(sites[2], wish_mw=1.0).wish_mw == 1.0


FAULTS = [
    ("bus,wish_mw\n3,x\n3,-1\nfoo,1\n", ("wish_mw is a number", "given twice", "no bus number")),
    ("bus,wish\n3,1\n", ("Did you mean wish_mw?",)),
    ("bus,share,wish_mw\n3,1,5\n4,,5\n", ("exclude each other", "others none")),
    ("bus,share\n3,0\n", ("no share is above 0",)),
    ("bus,group\n3,\n", ("has no group",)),
    ("bus\n3\n99\n98\n", ("[99]", "[98]", "no such bus in service", "nearest numbers: 4, 3, 2")),
]


@pytest.mark.parametrize(("text", "messages"), FAULTS, ids=[row[1][0] for row in FAULTS])
def test_faults_are_told_at_once_and_nothing_is_written(tmp_path: Path, text: str, messages: tuple[str, ...]) -> None:
    (tmp_path / "sites.csv").write_text(text, "utf-8")
    network = nets.small_folder(tmp_path)
    code, told = run(network, "--together", tmp_path / "sites.csv", "--out", tmp_path / "out")
    assert code == 2
    assert [message for message in messages if message not in told] == []
    assert not (tmp_path / "out").exists()


def test_proportional_needs_wishes_hours_are_refused_and_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    network = nets.small_folder(tmp_path)
    code, told = run(network, "--together", "3,4:10", "--question", "proportional")
    assert code == 2
    assert "Give every site a wish_mw or a share." in told
    code, told = run(network, "--together", "3,4", "--series", tmp_path / "hours.csv")
    assert code == 2
    assert "--series" in told
    assert "several buses at once are not followed" in told.replace("│ ", "")
    code, told = run(network, "--together", "3,4", "--dry-run", "--out", tmp_path / "out")
    assert code == 0, told
    assert "1 case(s), 2 sites, 5 outages; max-total, first-come, max-min; nothing was written" in told
    assert [path.name for path in tmp_path.iterdir()] == ["network"]
