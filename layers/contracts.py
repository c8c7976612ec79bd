"""What the ground and the sky look like to every other package.

Records that leave :mod:`layers`: a :class:`Finding` about an input, the identity card of a source
(:class:`SourceCard`), one loaded vector layer (:class:`VectorLayer`), one raster on the study frame
(:class:`RasterLayer`) and one year of weather (:class:`Weather`).

Conventions
-----------
* Positions are (x, y) = (east, north) in metres of the frame's CRS, or (lon, lat) in degrees WGS-84.
* Hours are labelled by the *start* of their interval, in local standard time UTC+08:00 (China has one
  zone and no daylight saving time).
* NaN means "not known". It never means zero.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta, timezone
from enum import StrEnum
from pathlib import Path
from typing import Literal

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd

from layers.frame import Frame
from layers.mask_store import MaskStore
from layers.tables import Table, column

CHINA_STANDARD_TIME = timezone(timedelta(hours=8), "UTC+08:00")

Severity = Literal["error", "warning", "note"]
Datum = Literal["wgs84", "cgcs2000", "gcj02", "bd09"]


class Origin(StrEnum):
    """How a value came to be; shown wherever the value is shown."""

    MEASURED = "measured"
    MAPPED = "mapped"
    MODELLED = "modelled"
    GENERATED = "generated"
    ASSUMED = "assumed"


@dataclass(frozen=True, order=True)
class Finding:
    """One thing that is wrong (or worth knowing) about an input, with the way to mend it.

    ``rule`` is a stable dotted id such as ``vector.crs_missing``; ``item`` names the row, feature, hour,
    bus or key; ``value`` is what was found there.
    """

    severity: Severity
    rule: str
    file: str
    layer: str
    item: str
    value: str
    message: str
    remedy: str


class InputError(Exception):
    """Bad input. Carries every finding, so that a study is mended in one go (exit code 2)."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings: tuple[Finding, ...] = tuple(findings)
        super().__init__(
            "\n".join(f"{f.rule}: {f.file} {f.layer} {f.item}: {f.message} {f.remedy}" for f in self.findings)
        )


@dataclass(frozen=True)
class SourceCard:
    """Identity card of one outside file. ``path`` is absolute; ``shown_path`` is what people and outputs see."""

    id: str
    path: Path
    shown_path: str
    licence: str
    origin: Origin
    datum: Datum | None = None
    """Datum of geographic coordinates. It is stated, never guessed; None means that the file's own CRS holds."""
    layer: str | None = None
    """Layer name inside a GeoPackage."""
    where: str | None = None
    """OGR attribute filter, e.g. ``fclass = 'forest'``."""
    unit: str | None = None
    nodata: float | None = None
    sha256: str | None = None
    attribution: str = ""
    title_zh: str = ""
    title_en: str = ""
    note: str = ""


@dataclass(frozen=True)
class VectorLayer:
    """Features of one layer in the CRS of the study frame, geometries valid, none empty."""

    id: str
    features: gpd.GeoDataFrame
    origin: Origin
    card: SourceCard | None = None


@dataclass(frozen=True)
class RasterLayer:
    """One band on the study frame. ``values`` has shape ``frame.shape``, float32, NaN where not known."""

    id: str
    frame: Frame
    values: npt.NDArray[np.float32]
    unit: str
    origin: Origin
    card: SourceCard | None = None


WEATHER_HOURS = Table(
    "weather_hours",
    "Hourly weather, 8760 rows, label = interval start in UTC+08:00.",
    {
        "ghi_w_per_m2": column(float, "W/m2", "global horizontal irradiance, mean of the hour", ge=0, le=1500),
        "dni_w_per_m2": column(float, "W/m2", "direct normal irradiance, mean of the hour", ge=0, le=1367),
        "dhi_w_per_m2": column(float, "W/m2", "diffuse horizontal irradiance, mean of the hour", ge=0, le=1000),
        "temp_air_c": column(float, "degC", "air temperature at 2 m", ge=-60, le=60),
        "wind_speed_m_per_s": column(float, "m/s", "wind speed at the height the record states", ge=0, le=75),
        "pressure_pa": column(float, "Pa", "station pressure", ge=50_000, le=110_000),
    },
    optional={
        "wind_from_degree": column(
            float, "degree", "direction the wind blows from, clockwise from north; NaN unknown or calm",
            nullable=True, ge=0, le=360,
        ),
        "wind_speed_second_m_per_s": column(
            float, "m/s", "wind speed at second_wind_height_m; NaN unknown", nullable=True, ge=0, le=75
        ),
        "albedo": column(float, "", "reflected share of global irradiance; NaN unknown", nullable=True, ge=0, le=1),
    },
)  # fmt: skip


@dataclass(frozen=True)
class Weather:
    """One weather cell: a place and its 8760 hours.

    ``hours`` follows :data:`WEATHER_HOURS`; its DatetimeIndex has the zone UTC+08:00, step one hour, label at
    the interval's start. ``corrections`` says in words everything that was changed against the file. ``years`` are the
    calendar years that the hours come from: one for a year of a series, several for a stitched typical year, none
    where the file does not say.
    """

    cell_id: str
    latitude: float
    longitude: float
    altitude_m: float
    wind_height_m: float
    roughness_length_m: float
    hours: pd.DataFrame
    origin: Origin
    title: str
    corrections: tuple[str, ...] = ()
    years: tuple[int, ...] = ()
    second_wind_height_m: float = math.nan
    """Height of ``wind_speed_second_m_per_s`` [m]; NaN where there is only one level of wind."""


DISTRICTS = Table(
    "districts",
    "Districts of the study region, in the frame's CRS.",
    {
        "district_code": column(str, "", "GB/T 2260 code or the source's own code", unique=True),
        "name_zh": column(str, "", "Chinese name"),
        "name_en": column(str, "", "name in pinyin or English"),
        "area_km2": column(float, "km2", "geodesic area on the WGS-84 ellipsoid", gt=0),
        "population": column(float, "", "inhabitants; NaN where not known", ge=0, nullable=True),
        "geometry": column(None, "", "polygon or multipolygon"),
    },
)


@dataclass(frozen=True)
class Region:
    """The study region: its districts and where they lie on the frame.

    ``district_index`` has shape ``frame.shape``, int16: 0 outside, k for the k-th row of ``districts`` (from 1),
    by cell centre. ``mask`` is the sub-cell mask (uint16, 16 sub-cells a cell) of the whole region. Both may be
    arrays or stores: read them in strips (:func:`layers.mask_store.strips_of`).
    ``cell_area_m2`` is the geodesic area of a cell, one value per row (shape ``(height,)``).
    """

    frame: Frame
    districts: gpd.GeoDataFrame
    district_index: npt.NDArray[np.int16] | MaskStore
    mask: npt.NDArray[np.uint16] | MaskStore
    cell_area_m2: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Demand:
    """Hourly electricity demand of the whole region [MW], 8760 values, same hours as the weather."""

    p_mw: npt.NDArray[np.float64]
    origin: Origin
    title: str
    assumptions: tuple[str, ...] = ()

    @property
    def peak_mw(self) -> float:
        return float(self.p_mw.max())


@dataclass(frozen=True)
class FindingLog:
    """Collects findings; ``raise_errors`` ends the collecting with one :class:`InputError`."""

    findings: list[Finding] = field(default_factory=list)

    def add(self, *findings: Finding) -> None:
        self.findings.extend(findings)

    def extend(self, findings: Sequence[Finding]) -> None:
        self.findings.extend(findings)

    @property
    def errors(self) -> list[Finding]:
        return [f for f in self.findings if f.severity == "error"]

    def raise_errors(self) -> None:
        if self.errors:
            raise InputError(self.errors)
