"""Pictures of a page, taken by a Chromium of this machine with the network cut. Needs the package playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]


class BrowserMissing(Exception):
    """No browser, or no playwright to drive it."""


def find_chromium() -> str:
    """Path of the machine's Chromium; :class:`BrowserMissing` says what to install."""
    for name in CHROMIUM_NAMES:
        found = shutil.which(name)
        if found:
            return found
    raise BrowserMissing(f"no Chromium on this machine (looked for {', '.join(CHROMIUM_NAMES)}): install chromium")


@contextmanager
def offline_page(*, width: int = 1280, height: int = 800, scale: float = 1.0) -> Iterator[Page]:
    """An empty page of a fresh headless Chromium that can read files and reaches no network.

    Raises
    ------
    BrowserMissing
        When playwright is not installed or no Chromium is found; the message says what to install.
    """
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        raise BrowserMissing("the package playwright is missing: install fengguang[dev] or playwright") from error
    executable = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        try:
            context = browser.new_context(
                viewport={"width": width, "height": height}, device_scale_factor=scale, locale="zh-CN"
            )
            context.set_offline(True)
            yield context.new_page()
        finally:
            browser.close()


def screenshot(
    html_path: Path,
    png_path: Path,
    *,
    width: int = 1280,
    height: int = 800,
    scale: float = 1.0,
    language: str | None = None,
    view: str | None = None,
) -> None:
    """Picture of a site map as it opens.

    Parameters
    ----------
    html_path, png_path : Path
        Page to open, picture to write.
    width, height : int
        Size of the window in CSS pixels.
    scale : float
        Picture pixels per CSS pixel.
    language : {"zh", "en"}, optional
        Switch to this language first; the page's own language by default.
    view : {"host", "verdict"}, optional
        Colour the sites by this first.

    Raises
    ------
    BrowserMissing
        When playwright or Chromium is not there.
    """
    with offline_page(width=width, height=height, scale=scale) as page:
        page.goto(html_path.resolve().as_uri())
        page.wait_for_selector("html[data-ready=true]", state="attached")
        if language and page.get_attribute("html", "data-lang") != language:
            page.click("#fg-language")
        if view:
            page.check(f"input[name=fg-view][value={view}]")
        page.wait_for_function("() => document.fonts.ready.then(() => true)")
        page.screenshot(path=png_path)
