"""Shared test settings: where the real data are, and what a bare clone skips."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Root of the real data, from FENGGUANG_DATA or the folder ``shared/data`` beside the repository."""
    root = Path(os.environ.get("FENGGUANG_DATA", REPOSITORY.parent / "shared" / "data"))
    if not root.is_dir():
        pytest.skip(f"real data absent: no folder {root.name!r} at FENGGUANG_DATA or beside the repository")
    return root
