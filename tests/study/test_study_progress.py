"""Progress of a whole run: shares and time left by hand, and what the command line prints where nobody watches."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import study_samples as samples
import typer
from typer.testing import CliRunner

from study.checks.forecast import expected_seconds
from study.cli import app
from study.commands.progress import RunProgress
from study.stages.progress import OUTPUTS, WholeRun
from study.study_file import PROGRAM_ROOT, read_study


class Clock:
    """A clock that stands until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def started() -> tuple[WholeRun, Clock]:
    """Land 10 s, sites 30 s, network 60 s expected."""
    clock = Clock()
    run = WholeRun({"land": 10.0, "sites": 30.0, "network": 60.0}, clock)
    run.announce(["land", "sites", "network"])
    return run, clock


def test_shares_and_time_left_when_all_goes_as_expected() -> None:
    run, clock = started()
    assert (run.share(), run.left_s()) == (0.0, 100.0)
    run.report("land", 0.0)
    clock.now = 4.0
    assert (run.share(), run.left_s()) == (0.04, 96.0)
    clock.now = 10.0
    assert run.report("land", 1.0) == "land"
    assert (run.share(), run.left_s()) == (0.1, 90.0)


def test_a_slow_start_makes_the_rest_longer() -> None:
    run, clock = started()
    run.report("land", 0.0)
    clock.now = 20.0
    run.report("land", 1.0)
    assert run.done == {"land": 20.0}
    assert run.left_s() == 180.0  # twice the 90 s expected
    assert run.share() == 0.1


def test_a_stage_that_takes_longer_never_counts_as_done() -> None:
    run, clock = started()
    run.report("land", 0.0)
    clock.now = 1000.0
    assert run.share() == pytest.approx(0.097)
    assert run.left_s() == pytest.approx(90.3)


def test_steps_inside_a_stage_and_stages_from_the_cache_change_nothing() -> None:
    run, _ = started()
    assert run.report("N-1 summer", 0.5) is None
    assert run.report("region", 1.0) is None
    assert (run.share(), run.done) == (0.0, {})
    assert WholeRun({}).share() == 1.0


def test_a_line_a_stage_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    progress = RunProgress({"land": 2.0, OUTPUTS: 4.0}, {"land": "land and ledger"})
    progress.announce(["land", OUTPUTS], cached=3)
    for label in ("land", OUTPUTS):
        progress.show(label, 0.0)
        progress.show(label, 1.0)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "3 stages from the cache, 1 to compute: about 6 s"
    assert lines[1].split() == ["1/2", "land", "and", "ledger", "0.0", "s", "about", "1", "s", "left"]
    assert lines[2].endswith("done")


def test_earlier_runs_on_this_machine_stand_before_the_forecast(tmp_path: Path) -> None:
    study = samples.read_generated(tmp_path)
    plain = expected_seconds(study)
    for name, seconds, cached in (("20240101T0", 7.0, False), ("20240102T0", 0.1, True)):
        folder = tmp_path / "home" / name
        folder.mkdir(parents=True)
        stages = [{"name": "land", "seconds": seconds, "from_cache": cached}]
        (folder / "manifest.json").write_text(json.dumps({"stages": stages}), "utf-8")
    (tmp_path / "home" / "20240103T0").mkdir()
    (tmp_path / "home" / "20240103T0" / "manifest.json").write_text("{", "utf-8")
    assert expected_seconds(study, tmp_path / "home") == plain | {"land": 7.0}
    assert plain["land"] != 7.0


def complete(words: str, folder: Path) -> list[str]:
    """What the shell would offer after ``words``."""
    asked = {"_FENGGUANG_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM_ROOT), **asked}
    done = subprocess.run(
        [sys.executable, "-m", "study.cli"], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_the_shell_completes_commands_and_studies(tmp_path: Path) -> None:
    (tmp_path / "studies").mkdir()
    (tmp_path / "studies" / "boat.toml").write_text("", "utf-8")
    assert {"explain", "export"} <= set(complete("fengguang ex", tmp_path))
    assert set(complete("fengguang run bo", tmp_path)) == {"bozhou", "boat"}


@pytest.mark.parametrize(("shell", "mark"), [("bash", "complete -o"), ("zsh", "#compdef fengguang")])
def test_the_script_of_a_shell_is_printed_and_asks_this_program(shell: str, mark: str) -> None:
    done = CliRunner().invoke(app, ["completion", shell])
    assert done.exit_code == 0
    assert mark in done.stdout
    assert f"_FENGGUANG_COMPLETE=complete_{shell}" in done.stdout
    assert CliRunner().invoke(app, ["completion", "tcsh"]).exit_code == 2


def test_every_command_and_subcommand_explains_itself() -> None:
    """Each has a sentence, each option a help text; the page says 'fengguang'."""
    program = typer.main.get_command(app)
    bare = []
    for name, command in _commands(program, "fengguang"):
        done = CliRunner().invoke(app, [*name.split()[1:], "--help"], prog_name="fengguang")
        assert done.exit_code == 0, name
        assert name in done.stdout
        assert command.help, name
        bare += [f"{name} {p.name}" for p in command.params if isinstance(p, click.Option) and not p.help]
    assert bare == []


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    for child, below in getattr(command, "commands", {}).items():
        yield from _commands(below, f"{name} {child}")


TAUGHT = [
    (("rnu", "x"), "Did you mean 'run'?"),
    (("run", "bozouh"), "Did you mean 'bozhou'?"),
    (("run", "bozhou", "--until", "yelds"), "Did you mean 'yields'?"),
    (("rules", "shw"), "Did you mean 'show'?"),
    (("explain", "nowhere", "1", "--language", "fr"), "none of zh, en"),
    (("explain", "nowhere", "1"), "fengguang run STUDY"),
    (("export", "nowhere"), "run folder"),
]


@pytest.mark.parametrize(("words", "taught"), TAUGHT, ids=[" ".join(row[0]) for row in TAUGHT])
def test_errors_teach_and_end_with_2(tmp_path: Path, words: tuple[str, ...], taught: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM_ROOT), "NO_COLOR": "1", "COLUMNS": "200"}
    done = subprocess.run(
        [sys.executable, "-m", "study.cli", *words], cwd=tmp_path, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert taught in done.stderr
    assert samples.snapshot(tmp_path) == {}


def test_next_steps_are_told_in_both_languages_with_places_that_exist(tmp_path: Path) -> None:
    from study.pipeline import Results
    from study.run import Run, open_results
    from study.run_folder.summary import next_steps

    study = read_study(samples.generated_study(tmp_path))
    results: Results = open_results(study, root=tmp_path)
    told = next_steps(Run("county", "20240101T000000-a", tmp_path / "county" / "20240101T000000-a", results))
    assert "接下来" in told
    assert "Next" in told
    assert told.count("site_map.html") == 2
    for page in ("docs/own-layer.md", "docs/five-minutes.md"):
        assert page in told
