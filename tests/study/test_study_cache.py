"""The cache: whole results or none, damaged ones known as such, keys that change with what they stand on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study.cache import Cache, code_digest, digest, file_digest

KEY = "k" * 64


def test_what_is_stored_is_loaded(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    table = pd.DataFrame({"a": [1.5, np.nan], "b": ["x", "风"]})
    cache.store("land", KEY, (table, b"bytes"))
    assert cache.has("land", KEY)
    loaded, rest = cache.load("land", KEY)
    pd.testing.assert_frame_equal(loaded, table)
    assert rest == b"bytes"


def test_what_is_not_stored_is_a_key_error(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert not cache.has("land", KEY)
    with pytest.raises(KeyError):
        cache.load("land", KEY)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(where=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_single_changed_byte_anywhere_is_known(tmp_path: Path, where: float, flip: int) -> None:
    cache = Cache(tmp_path)
    cache.store("land", KEY, np.arange(300.0))
    path = cache.path("land", KEY)
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= flip
    path.write_bytes(content)
    with pytest.raises(KeyError, match="cannot be read"):
        cache.load("land", KEY)
    assert not cache.has("land", KEY)


@pytest.mark.parametrize("left", [0, 1, 31, 32, 33, 200])
def test_a_file_cut_short_is_known(tmp_path: Path, left: int) -> None:
    cache = Cache(tmp_path)
    cache.store("land", KEY, np.random.default_rng(1).random(300))
    path = cache.path("land", KEY)
    os.truncate(path, left)
    with pytest.raises(KeyError):
        cache.load("land", KEY)
    assert not path.exists()


KILLED = {
    "while the result is being packed": """
class Slow:
    def __reduce__(self):
        print("now", flush=True); time.sleep(60)
cache.store("land", key, [bytes(3_000_000), Slow()])
""",
    "before the file is moved to its place": """
def replace(a, b):
    print("now", flush=True); time.sleep(60)
study.cache.os.replace = replace
cache.store("land", key, bytes(3_000_000))
""",
}


@pytest.mark.parametrize("when", KILLED)
def test_a_killed_store_leaves_nothing_half_written_and_earlier_results_whole(tmp_path: Path, when: str) -> None:
    cache = Cache(tmp_path)
    cache.store("land", "e" * 64, "earlier")
    script = f"import time, study.cache\nfrom pathlib import Path\ncache = study.cache.Cache(Path({str(tmp_path)!r}))\n"
    script += f"key = {KEY!r}\n{KILLED[when]}"
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"now\n"
        os.kill(process.pid, signal.SIGKILL)
    assert not cache.has("land", KEY)
    assert cache.load("land", "e" * 64) == "earlier"
    cache.store("land", KEY, "again")
    assert cache.load("land", KEY) == "again"
    for left_over in (tmp_path / "land").glob(".*"):  # what the killed process left is swept a day later
        os.utime(left_over, (time.time() - 25 * 3600,) * 2)
    cache.prune()
    assert sorted(p.name for p in (tmp_path / "land").iterdir()) == sorted(
        p.name for p in (cache.path("land", KEY), cache.path("land", "e" * 64))
    )


def test_a_store_that_fails_leaves_the_former_result(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.store("land", KEY, "former")
    with pytest.raises(Exception, match="pickle"):
        cache.store("land", KEY, lambda: None)
    assert cache.load("land", KEY) == "former"
    assert len(list((tmp_path / "land").iterdir())) == 1


def test_prune_keeps_what_was_used_last(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    keys = [letter * 64 for letter in "abcdef"]
    for age, key in enumerate(keys):
        cache.store("land", key, key)
        os.utime(cache.path("land", key), (1_000_000 - age,) * 2)
    assert cache.load("land", keys[5]) == keys[5]  # loading is using
    cache.prune(keep=3)
    assert [key for key in keys if cache.has("land", key)] == [keys[0], keys[1], keys[5]]


def test_clear_drops_the_stages_named_or_all(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for stage in ("land", "sites"):
        cache.store(stage, KEY, 1)
    cache.clear(["land"])
    assert (cache.has("land", KEY), cache.has("sites", KEY)) == (False, True)
    cache.clear()
    assert not cache.has("sites", KEY)


def test_a_folders_digest_sees_names_contents_and_new_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1", "utf-8")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.csv").write_text("2", "utf-8")
    seen = [file_digest(tmp_path)]
    (tmp_path / "sub" / "b.csv").rename(tmp_path / "sub" / "c.csv")
    seen.append(file_digest(tmp_path))
    (tmp_path / "a.csv").write_text("3", "utf-8")
    seen.append(file_digest(tmp_path))
    (tmp_path / "d.csv").write_text("", "utf-8")
    seen.append(file_digest(tmp_path))
    assert len(set(seen)) == 4
    assert file_digest(tmp_path) == seen[-1]


@pytest.mark.parametrize("packages", [("pack",), ("pack/code.py",)], ids=["folder", "file"])
def test_the_code_digest_sees_code_and_data_and_not_compiled_files(tmp_path: Path, packages: tuple[str, ...]) -> None:
    def with_code(text: str, name: str, extra: str) -> str:
        root = tmp_path / name
        (root / "pack").mkdir(parents=True)
        (root / "pack" / "code.py").write_text(text, "utf-8")
        (root / "pack" / extra).write_text("x", "utf-8")
        return code_digest(root, packages)

    assert with_code("a = 1", "one", "x.pyc") == with_code("a = 1", "two", "y.pyc")
    assert with_code("a = 1", "three", "x.pyc") != with_code("a = 2", "four", "x.pyc")
    if packages == ("pack",):
        assert with_code("a = 1", "five", "x.pyc") != with_code("a = 1", "six", "x.csv")


def test_the_digest_knows_order_and_type_but_not_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest([1, 2]) != digest([2, 1])
    assert digest("1") != digest(1)
    assert digest("a", "b") != digest("ab")
