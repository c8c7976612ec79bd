"""Is the declared datum the true one? A layer is held against points that are known to be WGS-84.

A wrong datum moves every point by nearly the same vector. The median offset between matched points is
compared with the three vectors that can occur at that place:

::

            north
              ^      x bd09   (at Bozhou +1 115 m, +473 m)
              |
      wgs84 --x---------> east
              |  x gcj02      (at Bozhou   +502 m, -165 m)

The answer is given only where the scatter of the points lets it be given; otherwise it is "not known".
"""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial import cKDTree

from layers.contracts import Datum, Finding, SourceCard, VectorLayer
from layers.datum import WGS84, from_wgs84

_METRES_PER_DEGREE = 111_195.0
_FEWEST_POINTS = 3
_CLEARLY_CLOSER = 0.5
"""The best explanation must leave less than this share of what the next best leaves."""

_HYPOTHESES: tuple[Datum, ...] = ("wgs84", "gcj02", "bd09")
_NAMES: dict[str, str] = {"wgs84": "WGS-84", "cgcs2000": "CGCS2000", "gcj02": "GCJ-02", "bd09": "BD-09"}


@dataclass(frozen=True)
class DatumShift:
    """How far a layer lies from reference points, and which datum explains it.

    ``actual`` is None where the points do not decide. ``residual_m`` is what each datum leaves unexplained.
    """

    actual: Datum | None
    east_m: float
    north_m: float
    standard_error_m: float
    points: int
    residual_m: tuple[tuple[Datum, float], ...]

    def in_words(self) -> str:
        left = ", ".join(f"{_NAMES[datum]} {metres:.0f} m" for datum, metres in self.residual_m)
        return (
            f"median offset {self.east_m:+.0f} m east, {self.north_m:+.0f} m north over {self.points} points "
            f"(standard error {self.standard_error_m:.0f} m); left unexplained: {left}"
        )


def detect_datum_shift(
    observed_lonlat: npt.NDArray[np.float64], reference_lonlat: npt.NDArray[np.float64]
) -> DatumShift:
    """Datum that explains the offset between observed and reference positions.

    Parameters
    ----------
    observed_lonlat : ndarray, shape (n, 2)
        Longitude and latitude [degrees] as the file has them, unconverted. Rows with NaN are left out.
    reference_lonlat : ndarray, shape (n, 2)
        WGS-84 positions [degrees] of the same things, row by row.

    Returns
    -------
    DatumShift
        ``actual`` is None with fewer than three points, where the scatter is too large, or where no datum
        explains the offset clearly better than the next.

    Notes
    -----
    Offsets are medians per axis, so that a minority of mismatched points does no harm. The standard error of
    a median is ``1.2533 * sigma / sqrt(n)`` with sigma as 1.4826 times the median absolute deviation. The
    verdict asks that the best residual is below half of the next best, and that twice the standard error is
    below half of the distance between those two explanations.
    """
    observed, reference = np.asarray(observed_lonlat, float), np.asarray(reference_lonlat, float)
    if observed.shape != reference.shape or observed.ndim != 2 or observed.shape[1] != 2:
        raise ValueError(f"need two arrays of equal shape (n, 2), got {observed.shape} and {reference.shape}")
    known = np.isfinite(observed).all(axis=1) & np.isfinite(reference).all(axis=1)
    observed, reference = observed[known], reference[known]
    if len(observed) < _FEWEST_POINTS:
        return DatumShift(None, np.nan, np.nan, np.nan, len(observed), ())
    offsets = _metres(observed - reference, reference)
    shifts = {datum: _shift_m(reference, datum) for datum in _HYPOTHESES}
    left = {datum: float(np.hypot(*np.median(offsets - shift, axis=0))) for datum, shift in shifts.items()}
    ranked = sorted(_HYPOTHESES, key=lambda datum: left[datum])
    best, second = ranked[0], ranked[1]
    apart = float(np.hypot(*np.median(shifts[best] - shifts[second], axis=0)))
    error = _standard_error_m(offsets)
    decided = left[best] < _CLEARLY_CLOSER * left[second] and 2.0 * error < 0.5 * apart
    east, north = np.median(offsets, axis=0)
    return DatumShift(
        best if decided else None,
        float(east),
        float(north),
        error,
        len(observed),
        tuple((datum, left[datum]) for datum in _HYPOTHESES),
    )


def _metres(degrees: npt.NDArray[np.float64], at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    scale = np.column_stack([np.cos(np.radians(at[:, 1])), np.ones(len(at))])
    return np.asarray(degrees * scale * _METRES_PER_DEGREE, np.float64)


def _shift_m(reference: npt.NDArray[np.float64], datum: Datum) -> npt.NDArray[np.float64]:
    shifted = np.column_stack(from_wgs84(reference[:, 0], reference[:, 1], datum))
    return _metres(shifted - reference, reference)


def _standard_error_m(offsets: npt.NDArray[np.float64]) -> float:
    spread = 1.4826 * np.median(np.abs(offsets - np.median(offsets, axis=0)), axis=0)
    return float(1.2533 * np.hypot(*spread) / np.sqrt(len(offsets)))


def datum_findings(
    layer: VectorLayer,
    card: SourceCard,
    reference_points: pd.DataFrame,
    *,
    code_column: str | None = None,
    name_column: str | None = None,
) -> list[Finding]:
    """Findings about the datum that a polygon layer was declared in.

    Parameters
    ----------
    layer : VectorLayer
        Polygons in any CRS, already converted from the datum that ``card`` declares.
    card : SourceCard
        Its ``datum`` (None counts as WGS-84) is what is put to the test.
    reference_points : DataFrame
        Centroids of the same polygons with columns ``lon`` and ``lat`` [degrees WGS-84]; the index holds
        the codes when ``code_column`` is given, column ``name`` the names when ``name_column`` is.
    code_column, name_column : str, optional
        Column of ``layer`` that names the polygons; with neither, polygons and points that are nearest to
        each other are matched.

    Returns
    -------
    list of Finding
        An error where another datum explains the offset, a note where the points do not decide, else empty.
    """
    declared: Datum = card.datum or "wgs84"
    observed, reference = _matched(layer, reference_points, code_column, name_column)
    raw = np.column_stack(from_wgs84(observed[:, 0], observed[:, 1], declared))
    shift = detect_datum_shift(raw, reference)
    if shift.actual is None:
        return [_undecided(card, declared, shift)]
    if shift.actual == ("wgs84" if declared == "cgcs2000" else declared):
        return []
    return [_wrong(card, declared, shift)]


def _matched(
    layer: VectorLayer, points: pd.DataFrame, code_column: str | None, name_column: str | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """WGS-84 centroids of the layer and the points that belong to them, row by row."""
    reference = points[["lon", "lat"]].to_numpy(float)
    west, south, east, north = layer.features.geometry.to_crs(WGS84).total_bounds
    plane = f"+proj=laea +lon_0={(west + east) / 2} +lat_0={(south + north) / 2} +datum=WGS84 +units=m"
    centroids = layer.features.geometry.to_crs(plane).centroid
    column = code_column or name_column
    if column is not None:
        keys = points.index if code_column else points["name"]
        row_of = {str(key): row for row, key in enumerate(keys)}
        pairs = [(i, row_of[key]) for i, key in enumerate(layer.features[column].astype(str)) if key in row_of]
    else:
        there = _xy(gpd.GeoSeries(gpd.points_from_xy(*reference.T), crs=WGS84).to_crs(plane))
        pairs = _mutual_nearest(_xy(centroids), there)
    rows = np.array(pairs, dtype=int).reshape(-1, 2)
    return _xy(centroids.to_crs(WGS84))[rows[:, 0]], reference[rows[:, 1]]


def _xy(points: gpd.GeoSeries) -> npt.NDArray[np.float64]:
    return np.column_stack([points.x, points.y])


def _mutual_nearest(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    if not len(a) or not len(b):
        return []
    to_b = np.atleast_1d(cKDTree(b).query(a)[1])
    to_a = np.atleast_1d(cKDTree(a).query(b)[1])
    return [(i, int(j)) for i, j in enumerate(to_b) if to_a[j] == i]


def _wrong(card: SourceCard, declared: Datum, shift: DatumShift) -> Finding:
    assert shift.actual is not None
    return Finding(
        severity="error",
        rule="vector.datum_wrong",
        file=card.shown_path,
        layer=card.layer or card.id,
        item="datum",
        value=declared if card.datum else "not stated",
        message=f"the coordinates are in {_NAMES[shift.actual]}, not in {_NAMES[declared]}: {shift.in_words()}.",
        remedy=f'Set datum = "{shift.actual}" on source {card.id!r}.',
    )


def _undecided(card: SourceCard, declared: Datum, shift: DatumShift) -> Finding:
    why = shift.in_words() if shift.points >= _FEWEST_POINTS else f"only {shift.points} points could be matched"
    return Finding(
        severity="note",
        rule="vector.datum_undecided",
        file=card.shown_path,
        layer=card.layer or card.id,
        item="datum",
        value=declared,
        message=f"the declared datum {_NAMES[declared]} could not be confirmed: {why}.",
        remedy="Give reference points that are centroids of the same polygons, good to some 100 m.",
    )
