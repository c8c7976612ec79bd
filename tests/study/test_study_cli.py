"""The command line: answers at once, teaches, and ends with the code it promises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import study_samples as samples

from study.study_file import PROGRAM_ROOT

COMMANDS = ("demo", "new", "check", "run", "map", "export", "verify", "schema")
HEAVY = ("pandapower", "lightsim2grid", "geopandas", "pandas", "numpy", "rasterio", "pvlib", "folium")

HELP_SCRIPT = """
import json, sys
from typer.testing import CliRunner
from study.cli import app
told = {}
for words in json.loads(sys.argv[1]):
    ended = CliRunner().invoke(app, [*words, "--help"])
    told[" ".join(words)] = [ended.exit_code, ended.stdout]
print(json.dumps({"told": told, "modules": sorted({name.split(".")[0] for name in sys.modules})}))
"""


def fengguang(*words: str, folder: Path, script: str | None = None) -> subprocess.CompletedProcess[str]:
    start = ["-c", script] if script else ["-m", "study.cli"]
    environment = {**os.environ, "PYTHONPATH": str(PROGRAM_ROOT), "NO_COLOR": "1", "COLUMNS": "200"}
    return subprocess.run(
        [sys.executable, *start, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def helped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    words = json.dumps([[], *([command] for command in COMMANDS)])
    ended = fengguang(words, folder=tmp_path_factory.mktemp("help"), script=HELP_SCRIPT)
    assert ended.returncode == 0, ended.stderr
    told: dict[str, object] = json.loads(ended.stdout)
    return told


def test_help_of_every_command_answers(helped: dict[str, dict[str, list[object]]]) -> None:
    assert {words: code for words, (code, _) in helped["told"].items()} == dict.fromkeys(("", *COMMANDS), 0)
    texts = {words: str(text) for words, (_, text) in helped["told"].items()}
    assert all(command in texts[""] for command in COMMANDS)
    assert "Exit codes" in texts[""]
    assert "--generated" in texts["new"]
    assert "--until" in texts["run"]
    assert "--dry-run" in texts["run"]


def test_trap_help_imports_nothing_heavy(helped: dict[str, list[str]]) -> None:
    """pandapower alone takes 5 to 12 s to import; help must answer at once."""
    assert not set(HEAVY) & set(helped["modules"])


def test_new_check_and_dry_run_of_a_generated_study(tmp_path: Path) -> None:
    made = fengguang(
        "new",
        "my-city",
        "--generated",
        "--area-km2",
        "60",
        "--population",
        "40000",
        "--districts",
        "2",
        folder=tmp_path,
    )
    assert made.returncode == 0, made.stderr
    path = tmp_path / "studies" / "my-city.toml"
    assert path.is_file()
    assert "fengguang check" in made.stdout
    before = samples.snapshot(tmp_path)
    checked = fengguang("check", "my-city", folder=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert "about" in checked.stdout
    assert "million cells" in checked.stdout
    assert samples.snapshot(tmp_path) == before
    again = fengguang("new", "my-city", "--generated", folder=tmp_path)
    assert again.returncode == 2
    assert "new.exists" in again.stderr
    assert samples.snapshot(tmp_path) == before


BAD_INPUT = [
    (("check", "nowhere"), "study.not_found"),
    (("run", "nowhere.toml"), "study.not_found"),
    (("run", "bozhou", "--until", "lnad"), "land"),
    (("new", "a/b"), "new.name"),
]


@pytest.mark.parametrize(("words", "told"), BAD_INPUT, ids=[" ".join(row[0]) for row in BAD_INPUT])
def test_bad_input_ends_with_2_and_says_what_would_be_right(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    ended = fengguang(*words, folder=tmp_path)
    assert ended.returncode == 2
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr
    assert samples.snapshot(tmp_path) == {}


def test_a_typo_ends_with_2_even_though_everything_else_is_sound(tmp_path: Path) -> None:
    path = samples.edited(samples.generated_study(tmp_path), ("[land]\n", "[land]\nblok_km = 3\n"))
    ended = fengguang("check", str(path), folder=tmp_path)
    assert ended.returncode == 2
    assert "Did you mean 'block_km'?" in ended.stderr
    assert "1 error(s)" in ended.stderr


def test_schema_prints_the_json_schema(tmp_path: Path) -> None:
    ended = fengguang("schema", folder=tmp_path)
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["title"] == "StudyFile"


def test_verify_of_a_folder_that_is_no_run_is_not_a_success(tmp_path: Path) -> None:
    ended = fengguang("verify", str(tmp_path), folder=tmp_path)
    assert ended.returncode in (1, 2)
    assert "Traceback" not in ended.stderr
