"""Which datum do a file's coordinates have? The card and the file must agree, and one of them must say it.

=================================  ==============  =======================================
the file states                    the card says   result
=================================  ==============  =======================================
nothing (also: GeoJSON, whose      a datum         the card's datum
reader would assume WGS-84)        nothing         error ``vector.crs_missing``
degrees in WGS-84 or CGCS2000      nothing         the file's CRS
.                                  the same        the file's CRS
.                                  the other one   the file's CRS, warning (less than 1 m)
.                                  gcj02, bd09     error ``vector.datum_contradicts_crs``
metres on WGS-84 or CGCS2000       as above        as above
another datum (Beijing 54, ...)    anything        error ``vector.crs_unsupported``
=================================  ==============  =======================================
"""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass
from pathlib import Path

from pyproj import CRS
from pyproj.exceptions import CRSError

from layers.contracts import Datum, Finding, SourceCard
from layers.source_file import card_finding

_DRIVERS_WITHOUT_CRS = ("GeoJSON", "GeoJSONSeq", "TopoJSON")
_STATED_CRS = re.compile(rb'"crs"\s*:\s*\{')
_DATUM_WORDS: tuple[tuple[str, Datum], ...] = (
    ("world geodetic system 1984", "wgs84"),
    ("wgs 84", "wgs84"),
    ("wgs_1984", "wgs84"),
    ("wgs84", "wgs84"),
    ("china 2000", "cgcs2000"),
    ("china_2000", "cgcs2000"),
    ("china geodetic coordinate system 2000", "cgcs2000"),
    ("cgcs2000", "cgcs2000"),
)


@dataclass(frozen=True)
class Coordinates:
    """What a file's coordinates are: degrees in ``datum`` (``crs`` is None), or positions in ``crs``."""

    datum: Datum
    crs: CRS | None


def stated_crs(path: Path, driver: str, crs_of_reader: str | None) -> CRS | None:
    """CRS that the file itself states, or None.

    A reader reports EPSG:4326 for every GeoJSON without a ``crs`` member, because RFC 7946 says so. Chinese
    map services write GCJ-02 into such files, so that default is not evidence and counts as nothing stated.
    """
    if driver in _DRIVERS_WITHOUT_CRS and not _has_crs_member(path):
        return None
    if not crs_of_reader:
        return None
    try:
        return CRS.from_user_input(crs_of_reader)
    except CRSError:
        return None


def _has_crs_member(path: Path) -> bool:
    if path.stat().st_size == 0:
        return False
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as text:
        return _STATED_CRS.search(text) is not None


def datum_of_crs(crs: CRS) -> Datum | None:
    """Datum of a CRS as far as this program knows it: WGS-84, CGCS2000, or None."""
    base = crs.geodetic_crs
    words = f"{base.name if base else ''} {base.datum.name if base and base.datum else ''}".lower()
    return next((datum for word, datum in _DATUM_WORDS if word in words), None)


def resolve_coordinates(card: SourceCard, crs: CRS | None) -> tuple[Coordinates | None, list[Finding]]:
    """What the coordinates are, and what speaks against it; None where that is not known.

    Parameters
    ----------
    card : SourceCard
        Its ``datum`` is the user's statement.
    crs : CRS or None
        What the file states, from :func:`stated_crs`.
    """
    if crs is None:
        if card.datum is None:
            return None, [_missing(card)]
        return Coordinates(card.datum, None), []
    datum = datum_of_crs(crs)
    if datum is None or not (crs.is_geographic or crs.is_projected):
        return None, [_unsupported(card, crs)]
    found = Coordinates(datum, None if crs.is_geographic and _in_degrees_from_greenwich(crs) else crs)
    if card.datum in (None, datum):
        return found, []
    if card.datum in ("wgs84", "cgcs2000"):
        return found, [_other_name(card, crs)]
    return None, [_contradiction(card, crs)]


def _in_degrees_from_greenwich(crs: CRS) -> bool:
    degrees = all(axis.unit_name == "degree" for axis in crs.axis_info[:2])
    return degrees and crs.prime_meridian is not None and crs.prime_meridian.longitude == 0.0


def _missing(card: SourceCard) -> Finding:
    return card_finding(
        card,
        "error",
        "vector.crs_missing",
        "crs",
        "none",
        "the file states no coordinate system and the source card no datum; guessing could shift it by 1 km.",
        f'Find out what the coordinates are and set datum = "wgs84", "cgcs2000", "gcj02" or "bd09" on {card.id!r}.',
    )


def _unsupported(card: SourceCard, crs: CRS) -> Finding:
    return card_finding(
        card,
        "error",
        "vector.crs_unsupported",
        "crs",
        crs.name,
        "this coordinate system rests on a datum without public transformation to CGCS2000 (errors of 100 m).",
        "Have the survey department convert the data to CGCS2000, then replace the file.",
    )


def _contradiction(card: SourceCard, crs: CRS) -> Finding:
    return card_finding(
        card,
        "error",
        "vector.datum_contradicts_crs",
        "datum",
        card.datum,
        f"the card says {card.datum}, but the file states {crs.name}; one of the two is wrong.",
        f"If the file's CRS is right, remove datum from {card.id!r}; if not, save the data without CRS (GeoJSON).",
    )


def _other_name(card: SourceCard, crs: CRS) -> Finding:
    return card_finding(
        card,
        "warning",
        "vector.datum_differs_from_crs",
        "datum",
        card.datum,
        f"the card says {card.datum}, the file states {crs.name}; they agree within 1 m and the file is followed.",
        f"Set the datum of {card.id!r} to that of the file.",
    )
