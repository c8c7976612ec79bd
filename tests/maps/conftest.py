"""Maps opened in one browser a module."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from map_browser import Opened, rich_input
from map_samples import sample_input

from maps.screenshot import BrowserMissing, find_chromium, offline_page

if TYPE_CHECKING:
    pass


@pytest.fixture(scope="module")
def browser() -> Iterator[Opened]:
    try:
        find_chromium()
        pytest.importorskip("playwright.sync_api", reason="the package playwright is not installed")
    except BrowserMissing as error:
        pytest.skip(str(error))
    with offline_page() as page:
        yield Opened(page)


@pytest.fixture
def opened(browser: Opened, tmp_path: Path) -> Iterator[Opened]:
    """The sample study, freshly opened; whatever a test does, nothing is fetched and nothing complains."""
    browser.open(sample_input(), tmp_path)
    yield browser
    assert browser.complaints == []
    assert [url for url in browser.asked if not url.startswith(("file://", "data:"))] == []
    assert sum(url.startswith("file://") for url in browser.asked) == 1


@pytest.fixture
def rich(browser: Opened, tmp_path: Path) -> Iterator[Opened]:
    browser.open(rich_input(), tmp_path)
    yield browser
    assert browser.complaints == []
    assert [url for url in browser.asked if not url.startswith(("file://", "data:"))] == []
