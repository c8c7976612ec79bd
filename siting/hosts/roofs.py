r"""Roofs as engineering: class, pitch, facing and shading of mapped footprints, and their sums by area.

::

          N            a sector's horizon is the greatest elevation angle of a taller neighbour that reaches into it
       \  |  /
        \ | /          sky-view factor of a horizontal panel:  mean of cos^2(horizon) over the sectors
    W ---roof--- E     beam loss: share of the beam energy of the year from suns below their sector's horizon
        / | \          loss = beam share x beam loss + (1 - beam share) x (1 - sky-view factor)
       /  |  \
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from layers.tables import Table, column
from siting.technologies.small_tables import TECHNOLOGIES_FOLDER, read_small_table

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]

CLASSES_FILE = TECHNOLOGIES_FOLDER / "roof_classes.csv"
WORDS_FILE = TECHNOLOGIES_FOLDER / "roof_words.csv"
SHADING_FILE = TECHNOLOGIES_FOLDER / "roof_shading.csv"

UNKNOWN = "unknown"
CLASS_COLUMNS = ("building", "fclass", "kind_detail", "kind", "type", "class", "use", "name", "用途", "类型", "名称")
"""Columns that are asked for a roof's class, in this order."""

HEIGHT_COLUMNS = ("height_m", "height", "building_height", "高度")

ROOFS = Table(
    "roofs",
    "Mapped roofs, one row a footprint.",
    {
        "roof_class": column(str, "", "row of roof_classes.csv, or unknown"),
        "footprint_m2": column(float, "m2", "area of the footprint in the frame's CRS", ge=0),
        "usable_m2": column(float, "m2", "footprint times the ratio of the class; 0 where the class is unknown", ge=0),
        "height_m": column(float, "m", "height; NaN where not known", nullable=True),
        "pitched": column(bool, "", "whether the roof is taken for pitched"),
        "facing_deg": column(
            float, "degree", "where the southern slope of a pitched roof faces, 90 to 270; NaN if flat", nullable=True
        ),
        "pv_variant": column(str, "", "row of pv_variants.csv"),
        "sky_view": column(float, "1", "sky-view factor; NaN where heights are not known", nullable=True, ge=0, le=1),
        "shading_loss_share": column(
            float, "1", "light lost to taller neighbours; NaN where the height is not known", nullable=True, ge=0, le=1
        ),
        "x_m": column(float, "m", "representative point"),
        "y_m": column(float, "m", "representative point"),
    },
)

ROOF_SUMS = Table(
    "roof_sums",
    "Roofs by area and class.",
    {
        "area_kind": column(str, "", "what the area is", isin=("district", "block", "supply_area")),
        "area": column(str, "", "district code, block east_north, or station"),
        "roof_class": column(str, "", "row of roof_classes.csv, or unknown"),
        "roof_count": column(float, "", "footprints", ge=1),
        "footprint_m2": column(float, "m2", "footprints", ge=0),
        "usable_m2": column(float, "m2", "footprints times ratio", ge=0),
        "pitched_share": column(float, "1", "of the footprint area", ge=0, le=1.0001),
        "south_share": column(float, "1", "of the pitched footprint area, facing within 45 degrees of south; "
                              "NaN without pitched roofs", nullable=True, ge=0, le=1.0001),
        "height_known_share": column(float, "1", "of the footprint area", ge=0, le=1.0001),
        "shading_loss_share": column(float, "1", "mean over the footprint area of known height", nullable=True, ge=0),
    },
)  # fmt: skip


@dataclass(frozen=True)
class RoofClass:
    """One row of ``roof_classes.csv``."""

    roof_class: str
    label_zh: str
    label_en: str
    host_type: str
    ratio: float
    """Share of the roof area that the whole-county notice asks for."""
    pitched: str
    """'flat', 'pitched', or 'height': pitched below ``pitched_below_m``."""
    pitched_below_m: float
    flat_variant: str
    pitched_south_variant: str
    pitched_variant: str
    source: str
    confidence: str


@dataclass(frozen=True)
class ShadingModel:
    """Figures of ``roof_shading.csv``."""

    sectors: int = 12
    reach_m: float = 150.0
    beam_share: float = 0.45
    panel_height_m: float = 1.0


@cache
def load_roof_classes(path: Path = CLASSES_FILE) -> tuple[RoofClass, ...]:
    """Rows of ``roof_classes.csv``."""
    names = ("roof_class", "label_zh", "label_en", "host_type", "flat_variant", "pitched_south_variant",
             "pitched_variant", "source")  # fmt: skip
    texts: dict[str, tuple[str, ...] | None] = dict.fromkeys(names)
    texts |= {"pitched": ("flat", "pitched", "height"), "confidence": ("A", "B", "C")}
    rows = read_small_table(path, texts, {"ratio": (0.0, 1.0), "pitched_below_m": (0.0, 100.0)})
    return tuple(RoofClass(**row) for row in rows)


@cache
def load_shading_model(path: Path = SHADING_FILE) -> ShadingModel:
    """Figures of ``roof_shading.csv``."""
    rows = read_small_table(path, {"name": None, "source": None}, {"value": (0.0, 10_000.0)})
    values = {row["name"]: row["value"] for row in rows}
    return ShadingModel(int(values["sectors"]), values["reach_m"], values["beam_share"], values["panel_height_m"])


@cache
def _words(path: Path = WORDS_FILE) -> tuple[dict[str, str], tuple[tuple[str, str], ...]]:
    rows = read_small_table(path, {"word": None, "match": ("exact", "part"), "roof_class": None}, {})
    exact = {row["word"]: row["roof_class"] for row in rows if row["match"] == "exact"}
    return exact, tuple((row["word"], row["roof_class"]) for row in rows if row["match"] == "part")


def classify_roofs(features: pd.DataFrame, columns: Sequence[str] = CLASS_COLUMNS) -> pd.Series:
    """Class of each footprint by the words of its attributes; :data:`UNKNOWN` where none tells.

    The first of ``columns`` whose value tells decides: whole words first, then parts of words, in the order of
    ``roof_words.csv``.
    """
    exact, parts = _words()

    def of(value: object) -> str | None:
        if not isinstance(value, str) or not value.strip():
            return None
        word = value.strip().lower()
        return exact.get(word) or next((name for part, name in parts if part in word), None)

    result = pd.Series([None] * len(features), index=features.index, dtype=object)
    for name in columns:
        if name in features.columns:
            open_ = result.isna()
            known = {value: of(value) for value in features.loc[open_, name].dropna().unique()}
            result[open_] = features.loc[open_, name].map(known).astype(object)
    return result.fillna(UNKNOWN).astype(object)


def heights(features: pd.DataFrame, name: str = "") -> Floats:
    """Height of each footprint [m] from a column, by default the first of :data:`HEIGHT_COLUMNS`; NaN if not known.

    Values of 0 and below, and above 700 m (no building is taller but three), are not known.
    """
    wanted = [name] if name else [known for known in HEIGHT_COLUMNS if known in features.columns]
    if not wanted:
        return np.full(len(features), np.nan)
    values = pd.to_numeric(features[wanted[0]], errors="coerce").to_numpy(float)
    return np.where((values > 0) & (values < 700), values, np.nan)


def ridge_facing(shapes: npt.NDArray[np.object_]) -> Floats:
    """Where the southern slope of a gable roof faces [degree clockwise from north, 90 to 270).

    The ridge is taken to run along the long side of the smallest rectangle around the footprint; of the two slopes
    the one nearer to south counts, of an east-west pair the eastern. NaN for footprints without area.
    """
    result = np.full(len(shapes), np.nan)
    boxes = shapely.minimum_rotated_rectangle(shapes)
    good = (shapely.get_type_id(boxes) == 3) & (shapely.area(boxes) > 0)
    corners = shapely.get_coordinates(boxes[good]).reshape(-1, 5, 2)
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 1]
    long = np.where((np.hypot(*a.T) >= np.hypot(*b.T))[:, None], a, b)
    ridge = np.degrees(np.arctan2(long[:, 0], long[:, 1])) % 180.0  # azimuth of the ridge
    result[good] = np.round(ridge + 90.0, 9) % 180.0
    result[good] = np.where(result[good] < 90.0, result[good] + 180.0, result[good])
    return result


def describe_roofs(
    features: gpd.GeoDataFrame,
    *,
    latitude: float,
    height_column: str = "",
    default_class: str = UNKNOWN,
    model: ShadingModel | None = None,
) -> pd.DataFrame:
    """Class, pitch, facing and shading of footprints.

    Parameters
    ----------
    features : GeoDataFrame
        Polygons in a metric CRS.
    latitude : float
        Of the region [degree], for the sun's path.
    height_column : str
        Column with heights [m].
    default_class : str
        Class of the footprints whose attributes do not tell.
    model : ShadingModel, optional
        By default ``roof_shading.csv``.

    Returns
    -------
    DataFrame
        Follows :data:`ROOFS`, index as ``features``.
    """
    shapes = features.geometry.to_numpy()
    known = {one.roof_class: one for one in load_roof_classes()}
    roof_class = classify_roofs(features).where(lambda names: names != UNKNOWN, default_class)
    height = heights(features, height_column)
    classes = [known.get(name) for name in roof_class]
    pitched = np.array([_is_pitched(one, h) for one, h in zip(classes, height, strict=True)], bool)
    facing = np.where(pitched, ridge_facing(shapes), np.nan)
    area = shapely.area(shapes)
    ratio = np.array([0.0 if one is None else one.ratio for one in classes])
    sky, loss = shading(shapes, height, latitude, model or load_shading_model())
    points = shapely.point_on_surface(shapes)
    variants = [_variant(one, p, f) for one, p, f in zip(classes, pitched, facing, strict=True)]
    table = pd.DataFrame(
        {
            "roof_class": roof_class.astype(object),
            "footprint_m2": area,
            "usable_m2": area * ratio,
            "height_m": height,
            "pitched": pitched,
            "facing_deg": facing,
            "pv_variant": np.array(variants, dtype=object),
            "sky_view": sky,
            "shading_loss_share": loss,
            "x_m": shapely.get_x(points),
            "y_m": shapely.get_y(points),
        },
        index=features.index,
    )
    return ROOFS.validate(table)


def _is_pitched(roof_class: RoofClass | None, height_m: float) -> bool:
    """Unknown classes and unknown heights are taken for flat."""
    if roof_class is None:
        return False
    if roof_class.pitched == "height":
        return bool(height_m < roof_class.pitched_below_m)
    return roof_class.pitched == "pitched"


def _variant(roof_class: RoofClass | None, pitched: bool, facing_deg: float) -> str:
    chosen = roof_class or load_roof_classes()[0]
    if not pitched:
        return chosen.flat_variant
    return chosen.pitched_south_variant if abs(facing_deg - 180.0) <= 45.0 else chosen.pitched_variant


# --- shading by neighbours ------------------------------------------------------------------------------------------


def shading(
    shapes: npt.NDArray[np.object_], height_m: Floats, latitude: float, model: ShadingModel
) -> tuple[Floats, Floats]:
    """Sky-view factor and share of light lost to taller neighbours; NaN where the roof's height is not known.

    Notes
    -----
    Simple and on the safe side: a neighbour stands over the whole angle that it spans, as near as its nearest point
    to the roof's middle. Neighbours of unknown height cast no shade.
    """
    horizon = horizons(shapes, height_m, model)
    sky = np.mean(np.cos(horizon) ** 2, axis=1)
    azimuth, elevation, weight = sun_year(latitude)
    sector = (azimuth / (360.0 / model.sectors)).astype(np.int64) % model.sectors
    hidden = elevation[None, :] < np.degrees(horizon)[:, sector]
    beam_loss = hidden @ weight
    loss = model.beam_share * beam_loss + (1 - model.beam_share) * (1 - sky)
    unknown = ~np.isfinite(height_m)
    return np.where(unknown, np.nan, sky), np.where(unknown, np.nan, loss)


def horizons(shapes: npt.NDArray[np.object_], height_m: Floats, model: ShadingModel) -> Floats:
    """Elevation of the horizon [rad] in each sector, clockwise from north; shape (roofs, sectors), 0 or more."""
    horizon = np.zeros((len(shapes), model.sectors))
    known = np.flatnonzero(np.isfinite(height_m))
    if len(known) < 2:
        return horizon
    middle = shapely.centroid(shapes[known])
    tree = shapely.STRtree(shapes[known])
    one, other = tree.query(middle, predicate="dwithin", distance=model.reach_m)
    rise = height_m[known][other] - height_m[known][one] - model.panel_height_m
    taller = (one != other) & (rise > 0)
    one, other, rise = one[taller], other[taller], rise[taller]
    if not len(one):
        return horizon
    distance = np.maximum(shapely.distance(middle[one], shapes[known][other]), 0.5)
    first, span = _spans(middle[one], shapes[known][other])
    angle = np.arctan(rise / distance)
    width = 360.0 / model.sectors
    low = np.floor(first / width).astype(np.int64)
    count = np.minimum(np.floor((first + span) / width).astype(np.int64) - low + 1, model.sectors)
    for step in range(int(count.max())):
        reaches = count > step
        np.maximum.at(horizon, (known[one[reaches]], (low[reaches] + step) % model.sectors), angle[reaches])
    return horizon


def _spans(points: npt.NDArray[np.object_], shapes: npt.NDArray[np.object_]) -> tuple[Floats, Floats]:
    """First azimuth [degree] and width [degree] of the angle in which each shape is seen from its point.

    A shape that lies around its point is seen in the whole circle.
    """
    xy, owner = shapely.get_coordinates(shapes, return_index=True)
    x, y = shapely.get_x(points), shapely.get_y(points)
    centre = shapely.centroid(shapes)
    towards = np.degrees(np.arctan2(shapely.get_x(centre) - x, shapely.get_y(centre) - y))
    azimuth = np.degrees(np.arctan2(xy[:, 0] - x[owner], xy[:, 1] - y[owner]))
    aside = (azimuth - towards[owner] + 180.0) % 360.0 - 180.0
    starts = np.flatnonzero(np.diff(owner, prepend=-1))
    low, high = np.minimum.reduceat(aside, starts), np.maximum.reduceat(aside, starts)
    around = (high - low > 270.0) | shapely.intersects(points, shapes)
    first = np.where(around, 0.0, (towards + low) % 360.0)
    return first, np.where(around, 359.999, high - low)


@cache
def sun_year(latitude: float) -> tuple[Floats, Floats, Floats]:
    """Azimuth and elevation [degree] of the sun on the middle day of each month, every half hour of true solar time,
    and the weight of each as beam on the horizontal (sum 1).

    Notes
    -----
    Declination by Cooper (1969), ``23.45 sin(360 (284 + n) / 365)``; beam on the horizontal under a clear sky in
    proportion to ``sin(h) exp(-0.25 / sin(h))``, an air mass law with an optical depth of 0.25.
    """
    day = np.array([17, 47, 75, 105, 135, 162, 198, 228, 258, 288, 318, 344])
    declination = np.radians(23.45 * np.sin(np.radians(360 * (284 + day) / 365)))[:, None]
    hour_angle = np.radians(15 * (np.arange(0.25, 24, 0.5) - 12))[None, :]
    phi = math.radians(latitude)
    sine = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(hour_angle)
    south = np.sin(phi) * np.cos(declination) * np.cos(hour_angle) - np.cos(phi) * np.sin(declination)
    west = np.cos(declination) * np.sin(hour_angle)
    up = sine > math.sin(math.radians(1.0))
    azimuth = (np.degrees(np.arctan2(west, south)) + 180.0) % 360.0
    weight = np.where(up, sine * np.exp(-0.25 / np.where(up, sine, 1.0)), 0.0)
    keep = up.ravel()
    chosen = weight.ravel()[keep]
    return azimuth.ravel()[keep], np.degrees(np.arcsin(sine)).ravel()[keep], chosen / chosen.sum()


# --- sums by area ---------------------------------------------------------------------------------------------------


def roof_sums(
    roofs: pd.DataFrame, area: Sequence[str] | npt.NDArray[np.object_], area_kind: str = "district"
) -> pd.DataFrame:
    """Sums of roofs by area and class, see :data:`ROOF_SUMS`; ``area`` names the area of each roof."""
    if not len(roofs):
        return ROOF_SUMS.empty()
    size = roofs["footprint_m2"].to_numpy(float)
    loss = roofs["shading_loss_share"].to_numpy(float)
    seen = np.isfinite(loss)
    south = roofs["pitched"].to_numpy(bool) & (np.abs(roofs["facing_deg"].to_numpy(float) - 180.0) <= 45.0)
    columns = pd.DataFrame(
        {
            "area": np.asarray(area, dtype=object),
            "roof_class": roofs["roof_class"].to_numpy(object),
            "roof_count": 1.0,
            "footprint_m2": size,
            "usable_m2": roofs["usable_m2"].to_numpy(float),
            "pitched": size * roofs["pitched"].to_numpy(bool),
            "south": size * south,
            "seen": size * seen,
            "lost": size * np.where(seen, loss, 0.0),
        }
    )
    sums = columns.groupby(["area", "roof_class"], sort=True).sum().reset_index()
    sums["pitched_share"] = sums["pitched"] / sums["footprint_m2"]
    sums["south_share"] = sums["south"] / sums["pitched"].where(sums["pitched"] > 0)
    sums["height_known_share"] = sums["seen"] / sums["footprint_m2"]
    sums["shading_loss_share"] = sums["lost"] / sums["seen"].where(sums["seen"] > 0)
    sums["area_kind"] = np.full(len(sums), area_kind, dtype=object)
    return ROOF_SUMS.validate(sums[list(ROOF_SUMS.columns)])


def block_names(x: Floats, y: Floats, block_km: float) -> npt.NDArray[np.object_]:
    """Name ``E<east>N<north>`` of the block of the CRS's lattice that holds each point."""
    east, north = (np.floor(v / (block_km * 1000)).astype(np.int64) for v in (x, y))
    return np.array([f"E{e}N{n}" for e, n in zip(east, north, strict=True)], dtype=object)


def district_codes(x: Floats, y: Floats, districts: gpd.GeoDataFrame) -> npt.NDArray[np.object_]:
    """Code of the district of each point; empty outside of all."""
    number = _district_of(np.asarray(shapely.points(x, y), object), shapely.STRtree(districts.geometry.to_numpy()))
    codes = np.append(districts["district_code"].to_numpy(object), "")
    return np.asarray(codes[number], dtype=object)


def supply_areas(
    x: Floats, y: Floats, stations: gpd.GeoDataFrame, districts: gpd.GeoDataFrame
) -> npt.NDArray[np.object_]:
    """Station in whose supply area each point lies: Voronoi cells of the stations, clipped by district.

    Parameters
    ----------
    x, y : array
        Points in the CRS of the frame.
    stations : GeoDataFrame
        Points with ``station_id``, in the same CRS.
    districts : GeoDataFrame
        Polygons in the same CRS. A point belongs to the nearest station of its own district; in a district without a
        station, and outside of all, to the nearest station anywhere.

    Returns
    -------
    ndarray of str
        Station ids; empty where there is no station.
    """
    names = stations["station_id"].to_numpy(object)
    if not len(names):
        return np.full(len(x), "", dtype=object)
    order = np.argsort(names.astype(str), kind="stable")  # ties go to the first id
    names, places = names[order], stations.geometry.to_numpy()[order]
    points = np.asarray(shapely.points(x, y), dtype=object)
    tree = shapely.STRtree(districts.geometry.to_numpy())
    own, home = _district_of(points, tree), _district_of(places, tree)
    result = np.empty(len(x), dtype=object)
    for number in np.unique(own):
        mine = np.flatnonzero(own == number)
        there = np.flatnonzero(home == number) if number >= 0 else np.zeros(0, np.int64)
        there = there if len(there) else np.arange(len(names))
        place = np.stack([shapely.get_x(places[there]), shapely.get_y(places[there])], axis=1)
        result[mine] = names[there[_nearest(np.stack([x[mine], y[mine]], axis=1), place)]]
    return result


def _nearest(points: Floats, places: Floats) -> Longs:
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(places).query(points)[1], np.int64)


def _district_of(points: npt.NDArray[np.object_], tree: shapely.STRtree) -> Longs:
    """Number of the district of each point, -1 outside of all; the first where several touch."""
    inside = np.full(len(points), -1, np.int64)
    point, district = tree.query(points, predicate="intersects")
    order = np.lexsort((-district, point))
    inside[point[order]] = district[order]
    return inside
