"""HTML to PDF by a headless Chromium of this machine with the network cut."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from maps.screenshot import offline_page


def print_pdf(pages: Sequence[Path]) -> list[Path]:
    """Print pages to PDF files beside them, in paper size and with the page numbers that their style asks for.

    Raises
    ------
    maps.screenshot.BrowserMissing
        When playwright or Chromium is not there; the message says what to install.
    """
    written = []
    with offline_page() as page:
        for path in pages:
            page.goto(path.resolve().as_uri())
            target = path.with_suffix(".pdf")
            target.write_bytes(page.pdf(prefer_css_page_size=True, print_background=True, tagged=True, outline=True))
            written.append(target)
    return written
