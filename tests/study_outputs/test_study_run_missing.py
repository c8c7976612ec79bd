"""Mistakes in naming a run or its data are answered with what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from layers.contracts import Origin, SourceCard
from layers.source_file import file_findings
from study.run_folder.missing import run_missing


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one finished run of the study my-city."""
    latest = tmp_path / "data/processed/my-city/latest"
    latest.mkdir(parents=True)
    (latest / "manifest.json").write_text("{}", "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("given", ["my-city", "studies/my-city.toml", "data/processed/my-city"])
def test_the_latest_run_of_the_study_is_proposed(home: Path, given: str) -> None:
    assert run_missing(Path(given)).remedy == "Did you mean data/processed/my-city/latest?"
    assert run_missing(home / "data/processed/my-city").remedy == "Did you mean data/processed/my-city/latest?"


def test_without_a_run_the_command_that_makes_one_is_named(home: Path) -> None:
    finding = run_missing(Path("elsewhere/run"))
    assert (finding.rule, finding.file) == ("run.not_found", "run")
    assert "fengguang run" in finding.remedy


def test_a_variable_that_is_not_set_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card = SourceCard("dem", tmp_path / "dem.tif", "${OWN_DATA}/dem.tif", "CC0-1.0", Origin.MAPPED)
    monkeypatch.delenv("OWN_DATA", raising=False)
    assert file_findings(card)[0].remedy.startswith("OWN_DATA is not set")
    monkeypatch.setenv("OWN_DATA", str(tmp_path))
    assert file_findings(card)[0].remedy.startswith("Put the file there")
