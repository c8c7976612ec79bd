"""The helper that takes the picture for the README."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from map_samples import sample_input

from maps.screenshot import BrowserMissing, find_chromium, screenshot
from maps.site_map import write_site_map


@pytest.mark.browser
def test_the_picture_has_the_asked_size_and_language(tmp_path: Path) -> None:
    """900 x 600 at twice the pixels is 1800 x 1200 (width and height stand in bytes 16 to 24 of a PNG)."""
    pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    try:
        find_chromium()
    except BrowserMissing as error:
        pytest.skip(str(error))
    write_site_map(sample_input(), tmp_path / "map.html")
    pictures = []
    for name, options in (("zh", {}), ("en", {"language": "en"}), ("verdict", {"view": "verdict"})):
        screenshot(tmp_path / "map.html", tmp_path / f"{name}.png", width=900, height=600, scale=2.0, **options)
        pictures.append((tmp_path / f"{name}.png").read_bytes())
        assert struct.unpack(">II", pictures[-1][16:24]) == (1800, 1200)
    assert len(set(pictures)) == 3
