"""Runs of a small generated study with a plan."""

from __future__ import annotations

import re
from pathlib import Path

from study.new import new_study
from study.run import run_study
from study.run_folder.manifest import read_manifest
from study.study_file import read_study

PLAN = """
[plan]
stages = [2030]
hours = 6
storage_share = 0.10

[[plan.quotas]]
technology_group = "renewable"
year = 2030
least_mw = {mw}
source = "what-if"
"""


def study_with(folder: Path, plan: str) -> Path:
    """A county of 60 km2 with a plan."""
    folder.mkdir(exist_ok=True)
    path = new_study(
        "county", folder, generated=True, area_km2=60.0, population=200_000.0, lon=116.2, lat=33.5, districts=2
    )
    text = path.read_text("utf-8")
    path.write_text(re.sub(r"^(# --- 规划目标)", plan + r"\n\1", text, count=1, flags=re.M), "utf-8")
    return path


def planned(path: Path, root: Path) -> tuple[set[str], Path]:
    """Stages that a run computes, and its folder."""
    run_study(read_study(path), root=root)
    run = (root / "data" / "processed" / "county" / "latest").resolve()
    return {s.name for s in read_manifest(run).stages if not s.from_cache}, run
