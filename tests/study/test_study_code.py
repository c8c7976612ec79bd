"""The cache's keys hold the code of every module of this package that a stage can run."""

from __future__ import annotations

import ast
from pathlib import Path

from study.pipeline import STUDY_CODE
from study.stages.graph import STAGES
from study.study_file import PROGRAM_ROOT

NO_RESULT_DEPENDS_ON = {
    "study/__init__.py",
    # the values of the study file enter by each stage's config
    "study/schema/base.py",
    "study/schema/file.py",
    "study/schema/ground.py",
    "study/schema/network.py",
    "study/schema/outputs.py",
    "study/schema/scores.py",
    "study/schema/sites.py",
    "study/study_file.py",
    "study/cache.py",
    "study/atomic.py",
}
"""Modules that carry values or files; what they carry is in the keys by itself."""


def _imports(path: Path) -> set[str]:
    """Files of the package ``study`` that a module imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    files = {f"{name.replace('.', '/')}.py" for name in names if name.startswith("study.")}
    return {name for name in files if (PROGRAM_ROOT / name).is_file()}


def _reached(first: str) -> set[str]:
    seen, todo = {first}, [first]
    while todo:
        for name in _imports(PROGRAM_ROOT / todo.pop()) - seen - NO_RESULT_DEPENDS_ON:
            seen.add(name)
            todo.append(name)
    return seen


def test_every_module_that_a_stage_runs_is_in_the_keys() -> None:
    named = {name for stage in STAGES for name in stage.packages} | set(STUDY_CODE)
    assert _reached("study/stages/graph.py") - named == set()


def test_the_keys_name_files_that_exist() -> None:
    assert [name for name in STUDY_CODE if not (PROGRAM_ROOT / name).is_file()] == []
