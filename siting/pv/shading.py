"""Horizon profiles: hills, trees and houses around a place.

A profile is the elevation of the skyline by azimuth. The sun's disc is there or not there; of the isotropic sky a plane
loses what lies below the skyline. Rows of modules shade each other in :mod:`siting.pv.kernels`.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from layers.contracts import Finding, InputError
from siting.pv.sun import Sun

Floats = npt.NDArray[np.float64]

_SKY_AZIMUTHS = 720
_LEAST_POINTS = 8


@dataclass(frozen=True)
class Horizon:
    """Skyline: elevation [degree] by azimuth (clockwise from north, ascending within 0..360), joined by lines."""

    azimuth_deg: tuple[float, ...]
    elevation_deg: tuple[float, ...]

    def at(self, azimuth_deg: Floats) -> Floats:
        """Elevation of the skyline [degree] at any azimuth, same shape."""
        return np.asarray(np.interp(azimuth_deg, self.azimuth_deg, self.elevation_deg, period=360.0), dtype=float)


def sun_is_free(horizon: Horizon, sun: Sun) -> npt.NDArray[np.bool_]:
    """Whether the centre of the sun stands above the skyline, shape ``(hours,)``."""
    return np.asarray(90 - sun.zenith_deg > horizon.at(sun.azimuth_deg))


def sky_share(horizon: Horizon, tilt_deg: Floats, azimuth_deg: Floats) -> Floats:
    """Share of a plane's isotropic sky that lies above the skyline, shape ``(sides,)``; 1 for a bare horizon.

    Notes
    -----
    Along one azimuth the plane takes ``integral of (sin e cos t + cos e k) cos e de`` from the skyline, or from where
    the plane cuts the sky, to the zenith, with ``k = sin t cos(azimuth - side)``. The integral is closed; the azimuths
    are summed in half degrees. On the horizontal a skyline of even elevation h leaves ``cos(h)**2``.
    """
    around = (np.arange(_SKY_AZIMUTHS) + 0.5) * 360 / _SKY_AZIMUTHS
    skyline = np.deg2rad(np.clip(horizon.at(around), 0, 90))[:, None]
    tilt = np.deg2rad(np.asarray(tilt_deg, dtype=float))[None, :]
    k = np.sin(tilt) * np.cos(np.deg2rad(around[:, None] - np.asarray(azimuth_deg, dtype=float)[None, :]))
    cut = np.where(k < 0, np.arctan2(-k, np.cos(tilt)), 0.0)

    def above(elevation: Floats) -> Floats:
        cosine_part = np.pi / 4 - elevation / 2 - np.sin(2 * elevation) / 4
        return np.asarray(np.cos(tilt) * np.cos(elevation) ** 2 / 2 + k * cosine_part)

    free = above(np.maximum(cut, skyline)).sum(axis=0)
    return np.asarray(free / above(cut).sum(axis=0))


def read_horizons(path: Path, shown_path: str) -> dict[str, Horizon]:
    """Skylines from a CSV with the columns azimuth_deg, elevation_deg and, where they differ, weather_cell.

    Returns
    -------
    dict
        By weather cell; the key ``""`` holds for every cell that has none of its own.

    Raises
    ------
    InputError
        With every finding: columns, numbers, ranges, azimuths twice, fewer than eight points.
    """
    findings: list[Finding] = []

    def report(rule: str, item: str, value: object, message: str, remedy: str) -> None:
        findings.append(Finding("error", f"horizon.{rule}", shown_path, "horizon", item, str(value), message, remedy))

    points: dict[str, dict[float, float]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            missing = [name for name in ("azimuth_deg", "elevation_deg") if name not in (reader.fieldnames or ())]
            rows = [] if missing else list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        report("unreadable", "path", shown_path, f"cannot be read ({type(error).__name__}).", "Put a CSV there.")
        raise InputError(findings) from error
    for name in missing:
        report("column_missing", name, "", f"Column {name!r} is missing.", "Add the column.")
    for number, row in enumerate(rows, start=2):
        try:
            azimuth, elevation = float(row["azimuth_deg"]), float(row["elevation_deg"])
        except (TypeError, ValueError):
            azimuth = elevation = math.nan
        if not (0 <= azimuth <= 360 and -10 <= elevation < 90):
            value = f"{row['azimuth_deg']}, {row['elevation_deg']}"
            report(
                "out_of_range",
                f"row {number}",
                value,
                "Not an azimuth of 0..360 and an elevation below 90.",
                "Correct it.",
            )
            continue
        cell = points.setdefault(row.get("weather_cell") or "", {})
        if azimuth % 360 in cell:
            report("azimuth_twice", f"row {number}", azimuth, "The azimuth is there twice.", "Remove one.")
        cell[azimuth % 360] = elevation
    for name, cell in sorted(points.items()):
        if len(cell) < _LEAST_POINTS:
            report("too_few", name, len(cell), f"Fewer than {_LEAST_POINTS} azimuths.", "Give 12 to 36, evenly spread.")
    if not points and not findings:
        report("empty", "rows", 0, "The file has no rows.", "Give 12 to 36 azimuths.")
    if findings:
        raise InputError(findings)
    return {name: Horizon(tuple(sorted(cell)), tuple(cell[a] for a in sorted(cell))) for name, cell in points.items()}
