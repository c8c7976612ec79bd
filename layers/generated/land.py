"""Generated land: every square metre of a region, in layers that look like the country the profile describes.

::

    district by district:  towns -> estates -> ponds -> subsidence -> villages -> woods
    across all districts:  rivers, motorways, railways (absolute curves), roads between towns
    what is left:          cropland;  laid over it: roofs, red lines, permanent basic farmland

Land cover (:data:`COVER`) is disjoint and complete; :data:`OVERLAYS` lie on it. Everything is
:attr:`Origin.GENERATED`. The same seed, districts and profile give the same bytes, in whatever order the districts
stand. A district's towns, basins, ponds and villages are placed by its own polygon, code and population alone; which
other districts there are shows only where a road to their towns cuts through.
"""

from __future__ import annotations

from collections.abc import Callable

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from layers.contracts import Finding, InputError, Origin, VectorLayer
from layers.generated import lines, settlements, water, woods
from layers.generated.cover import (
    Cells,
    Cover,
    carve,
    carve_in_turn,
    cut_into_cells,
    on_lattice,
    touches,
    within_cells,
)
from layers.generated.profiles import LandProfile
from layers.generated.settlements import District
from layers.generated.shapes import Shapes, as_shapes, generator

Progress = Callable[[str, float], None]

COVER = (
    "river",
    "road",
    "railway",
    "town",
    "industrial_estate",
    "subsidence_water",
    "subsidence_land",
    "fish_pond",
    "hill",
    "forest",
    "village",
    "cropland",
)
"""Layers of land cover: disjoint, together the whole region. A bridge is river, a street is town."""

OVERLAYS = ("factory_roof", "public_roof", "red_line", "basic_farmland")
"""Layers that lie on land cover: roofs in estates and towns, red lines anywhere, basic farmland on cropland."""


def generate_land(
    districts: gpd.GeoDataFrame, *, seed: int, profile: LandProfile, progress: Progress | None = None
) -> tuple[VectorLayer, ...]:
    """Land of a region.

    Parameters
    ----------
    districts
        Follows ``DISTRICTS``, in a projected CRS in metres. Where the population is NaN, the profile's density holds.
    seed
        Any whole number from 0.
    profile
        Kind of country, see :func:`layers.generated.profiles.land_profile`.
    progress
        Called with a label and the share done.

    Returns
    -------
    tuple of VectorLayer
        All of :data:`COVER`, then all of :data:`OVERLAYS`, in this order. A layer the region does not have (no coal,
        no hills) has zero rows. Every layer has ``district_code``; polygons are valid and have area. Further columns:
        ``village``: ``name``, ``households``, ``roof_share`` (roof area per ground area); ``town``: ``name``,
        ``kind`` (``seat``, ``township``), ``population``; ``industrial_estate``: ``name``; ``factory_roof``:
        ``estate``; ``public_roof``: ``kind``; ``fish_pond``: ``cluster``; ``river``, ``road`` and ``railway``:
        ``name``, ``class``, ``width_m``; ``red_line``: ``name``.

    Raises
    ------
    InputError
        If the districts have no CRS in metres, no row, or a geometry without area.
    """
    _check(districts)
    report = progress or (lambda label, share: None)
    ordered = districts.sort_values("district_code", kind="stable").reset_index(drop=True)
    shapes = carve_in_turn(on_lattice(shapely.make_valid(ordered.geometry.to_numpy())))
    codes = ordered["district_code"].to_numpy(object)
    people = [
        settlements.district(code, name, polygon, population, profile)
        for code, name, polygon, population in zip(
            codes, ordered["name_zh"], shapes, ordered["population"], strict=True
        )
    ]
    report("rivers", 0.0)
    left, bottom, right, top = (float(b) for b in shapely.total_bounds(shapes))
    bounds = (left, bottom, right, top)
    cover = Cover(districts.crs, cut_into_cells(shapes), shapes, codes)
    rivers = lines.rivers(bounds, seed, profile)
    _add_lines(cover, "river", rivers)
    _add_lines(cover, "railway", lines.railways(bounds, seed, profile))
    _add_lines(cover, "road", lines.trunk_roads(bounds, seed, profile))
    report("towns", 0.1)
    towns = _add_towns(cover, people, rivers, seed, profile)
    _add_lines(cover, "road", lines.town_roads(pd.concat(towns, ignore_index=True), seed, profile))
    report("ponds and subsidence", 0.2)
    _add_subsidence(cover, people, towns, seed, profile)
    _add_ponds(cover, people, rivers, seed, profile)
    _add_slopes(cover, people, seed, profile)
    report("villages", 0.35)
    _add_villages(cover, people, seed, profile)
    _add_woods(cover, people, rivers, seed, profile)
    report("cropland", 0.6)
    _add_cropland(cover)
    report("roofs and protected land", 0.8)
    _add_roofs(cover, people, seed, profile)
    _add_red_lines(cover, people, rivers, seed, profile)
    _add_basic_farmland(cover, people, seed, profile)
    report("land", 1.0)
    return tuple(VectorLayer(id_, _off_lattice(cover.features(id_)), Origin.GENERATED) for id_ in COVER + OVERLAYS)


def _off_lattice(features: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """The same coordinates without a precision grid.

    Shapely rounds every later buffer of a geometry on a grid to that grid, and files and pickles do not keep it: a
    setback drawn now and one drawn from the cache would differ in single sub-cells.
    """
    return features.set_geometry(
        gpd.GeoSeries(shapely.set_precision(features.geometry.to_numpy(), 0.0), index=features.index, crs=features.crs)
    )


def _check(districts: gpd.GeoDataFrame) -> None:
    def finding(rule: str, item: str, value: str, message: str, remedy: str) -> Finding:
        return Finding("error", rule, "districts", "districts", item, value, message, remedy)

    found = []
    if districts.crs is None or not districts.crs.is_projected:
        crs = "none" if districts.crs is None else districts.crs.to_string()
        remedy = "Reproject the districts to the study frame's CGCS2000 zone."
        found.append(finding("generated.crs_not_metric", "crs", crs, "Land is generated in metres.", remedy))
    if not len(districts):
        found.append(finding("generated.no_district", "rows", "0", "There is no district.", "Name one at least."))
    flat = ~(shapely.area(districts.geometry.to_numpy()) > 0)
    for code in districts.loc[flat, "district_code"]:
        remedy = "Repair its geometry."
        found.append(finding("generated.district_without_area", str(code), "0 m2", "The district has no area.", remedy))
    if found:
        raise InputError(found)


def _add_lines(cover: Cover, id_: str, table: pd.DataFrame) -> None:
    cover.add_long(id_, lines.strips(table), table[["name", "class", "width_m"]])


def _add_towns(
    cover: Cover, people: list[District], rivers: pd.DataFrame, seed: int, profile: LandProfile
) -> list[pd.DataFrame]:
    """Take the ground of towns and estates; the towns of each district come back."""
    main = as_shapes(rivers.loc[rivers["class"] == "river", "line"])
    towns = [settlements.place_towns(d, main, seed, profile) for d in people]
    for number, (d, table) in enumerate(zip(people, towns, strict=True)):
        kind = np.where(table["is_seat"], "seat", "township").astype(object)
        attributes = pd.DataFrame({"name": table["name"], "kind": kind, "population": table["population"]})
        _add(cover, "town", settlements.draw_towns(d, table, seed), number, attributes, 5_000.0)
    for number, (d, table) in enumerate(zip(people, towns, strict=True)):
        shapes, attributes = settlements.place_estates(d, table, seed, profile)
        _add(cover, "industrial_estate", shapes, number, attributes, 5_000.0)
    return towns


def _add(cover: Cover, id_: str, shapes: Shapes, number: int, attributes: pd.DataFrame, min_area_m2: float) -> None:
    cover.add_compact(id_, shapes, np.full(len(shapes), number), attributes, min_area_m2)


def _add_subsidence(
    cover: Cover, people: list[District], towns: list[pd.DataFrame], seed: int, profile: LandProfile
) -> None:
    for number, (d, table) in enumerate(zip(people, towns, strict=True)):
        basins, lakes = water.subsidence(d, table, cover.taken_in(d.code, "town", "industrial_estate"), seed, profile)
        names = pd.DataFrame(
            {"name": pd.Series([f"{d.name}采煤沉陷区{i + 1}" for i in range(len(basins))], dtype=object)}
        )
        _add(cover, "subsidence_water", lakes, number, names, 2_000.0)
        _add(cover, "subsidence_land", basins, number, names, 2_000.0)


def _add_ponds(cover: Cover, people: list[District], rivers: pd.DataFrame, seed: int, profile: LandProfile) -> None:
    """Ponds on free ground, block by block, until the district has its share."""
    for number, d in enumerate(people):
        ponds, table = water.pond_clusters(d, rivers, seed, profile)
        shapely.prepare(d.polygon)
        free = shapely.contains_properly(d.polygon, ponds) & ~touches(ponds, cover.taken_in(d.code))
        ponds, table = ponds[free], table[free]
        keep = np.cumsum(shapely.area(ponds)) <= profile.pond_share * d.area_m2
        keep &= ~touches(ponds, cover.taken())
        _add(cover, "fish_pond", ponds[keep], number, table[keep], 500.0)


def _add_slopes(cover: Cover, people: list[District], seed: int, profile: LandProfile) -> None:
    for number, d in enumerate(people):
        forest, hill = woods.slopes(d, seed, profile)
        _add(cover, "hill", hill, number, pd.DataFrame(index=range(len(hill))), 2_000.0)
        _add(cover, "forest", forest, number, pd.DataFrame(index=range(len(forest))), 2_000.0)


def _add_villages(cover: Cover, people: list[District], seed: int, profile: LandProfile) -> None:
    for number, d in enumerate(people):
        shapes, attributes = settlements.place_villages(d, cover.taken_in(d.code), seed, profile)
        _add(cover, "village", shapes, number, attributes, 1_000.0)
    for part in cover.layers["village"]:
        part["roof_share"] = settlements.roof_share(
            part["households"].to_numpy(float), part.geometry.area.to_numpy(float), profile
        )


def _add_woods(cover: Cover, people: list[District], rivers: pd.DataFrame, seed: int, profile: LandProfile) -> None:
    if profile.river_belt_width_m > 0:
        belts = lines.strips(rivers, profile.river_belt_width_m)
        cover.add_long("forest", belts, pd.DataFrame(index=range(len(belts))), 500.0)
    for number, d in enumerate(people):
        lots = woods.woodlots(d, seed, profile)
        _add(cover, "forest", lots, number, pd.DataFrame(index=range(len(lots))), 1_500.0)


def _add_cropland(cover: Cover) -> None:
    shapes, district = cover.rest()
    table = pd.DataFrame({"district_code": cover.codes[district].astype(object)})
    cover.layers["cropland"] = [gpd.GeoDataFrame(table, geometry=shapes, crs=cover.crs)]


def _add_roofs(cover: Cover, people: list[District], seed: int, profile: LandProfile) -> None:
    halls, blocks = [], []
    estates, towns = cover.features("industrial_estate"), cover.features("town")
    for d in people:
        own = estates[estates["district_code"] == d.code]
        rng = generator(seed, d.code, "factory roof")
        roofs, owner = settlements.factory_roofs(
            as_shapes(own.geometry.to_numpy()), own["angle"].to_numpy(float), rng, profile
        )
        table = {
            "district_code": np.full(len(roofs), d.code, dtype=object),
            "estate": own["name"].to_numpy(object)[owner],
        }
        halls.append(gpd.GeoDataFrame(table, geometry=roofs, crs=cover.crs))
        own = towns[towns["district_code"] == d.code]
        roofs, kinds, _ = settlements.public_roofs(d, as_shapes(own.geometry.to_numpy()), seed, profile)
        kinds.insert(0, "district_code", np.full(len(roofs), d.code, dtype=object))
        blocks.append(gpd.GeoDataFrame(kinds, geometry=roofs, crs=cover.crs))
    cover.layers["industrial_estate"] = [estates.drop(columns="angle")]
    cover.layers["factory_roof"], cover.layers["public_roof"] = halls, blocks


def _add_red_lines(cover: Cover, people: list[District], rivers: pd.DataFrame, seed: int, profile: LandProfile) -> None:
    reaches, names = water.red_line_reaches(rivers, seed, profile)
    patches = [water.red_line_patches(d, seed, profile) for d in people]
    shapes = np.concatenate([reaches, *(p for p, _ in patches)])
    table = pd.concat([names, *(n for _, n in patches)], ignore_index=True)
    whole = Cells(cover.districts, np.arange(len(cover.districts)))
    pieces, source, district = within_cells(carve_in_turn(on_lattice(shapes)), whole)
    keep = shapely.area(pieces) > 100.0
    table = table.iloc[source[keep]].reset_index(drop=True)
    table.insert(0, "district_code", cover.codes[district[keep]].astype(object))
    cover.layers["red_line"] = [gpd.GeoDataFrame(table, geometry=pieces[keep], crs=cover.crs)]


def _add_basic_farmland(cover: Cover, people: list[District], seed: int, profile: LandProfile) -> None:
    cropland, towns = cover.features("cropland"), cover.features("town")
    parts = []
    for d in people:
        own = cropland[cropland["district_code"] == d.code]
        grounds = as_shapes(towns.loc[towns["district_code"] == d.code].geometry.to_numpy())
        crop_m2 = float(own.geometry.area.sum())
        reserve = woods.farmland_reserve(d, grounds, crop_m2, max(crop_m2 / d.area_m2, 0.05), seed, profile)
        kept = carve(as_shapes(own.geometry.to_numpy()), on_lattice(reserve))
        keep = shapely.area(kept) > 500.0
        parts.append(gpd.GeoDataFrame(own.loc[keep, ["district_code"]], geometry=kept[keep], crs=cover.crs))
    cover.layers["basic_farmland"] = parts
