"""The network of a study: built on named stations, read from OSM, or brought by the user as tables."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from grid.contracts import Network
from layers.contracts import Region, VectorLayer
from study.pipeline import Results
from study.study_file import resolve_path

_LATTICE_M = 2000.0
_SETTLEMENTS = {"village": "households", "town": "population", "industrial_estate": ""}
_PEOPLE_PER_HOUSEHOLD = 3.5
_PEOPLE_PER_KM2_OF_ESTATE = 12_000.0
"""Weight of an industrial estate in the load, as inhabitants per km2; an assumption, confidence C."""


def build_network(results: Results) -> Network:
    """The network of the study; every part that no source tells is in ``Network.assumptions``."""
    entry = results.study.file.network
    if entry.kind == "tables":
        from grid.network_tables import read_network

        assert entry.folder is not None  # the check names its lack
        network: Network = read_network(resolve_path(entry.folder, results.study.path.parent))
        return network
    return _osm_network(results) if entry.kind == "osm" else _reference_network(results)


def load_points(results: Results) -> pd.DataFrame:
    """Where the peak load is: columns lon, lat, p_mw, district_code, gathered on a 2 km lattice.

    Each district has the share of the peak that its inhabitants have (its area where they are not known); within a
    district the load follows settlements and estates where layers map them, else it is spread evenly.
    """
    region: Region = results.get("region")
    demand = results.get("demand")
    weights = _settlement_weights(results.get("ground").vectors, region)
    if weights.empty:
        weights = _even_weights(region)
    codes = weights["district_code"].to_numpy()
    share = _district_share(region)
    within = weights["weight"] / weights.groupby("district_code")["weight"].transform("sum")
    weights = weights.assign(p_mw=within * np.array([share[code] for code in codes]) * demand.peak_mw)
    weights["p_mw"] *= demand.peak_mw / weights["p_mw"].sum()
    cell = (weights[["x", "y"]] // _LATTICE_M).astype(np.int64)
    xw, yw = weights["x"] * weights["p_mw"], weights["y"] * weights["p_mw"]
    weights = weights.assign(cx=cell["x"], cy=cell["y"], xw=xw, yw=yw)
    gathered = weights.groupby(["district_code", "cx", "cy"], as_index=False)[["p_mw", "xw", "yw"]].sum()
    x, y = gathered["xw"] / gathered["p_mw"], gathered["yw"] / gathered["p_mw"]
    wgs84 = gpd.points_from_xy(x, y, crs=region.frame.crs).to_crs("EPSG:4326")
    return pd.DataFrame(
        {
            "lon": wgs84.x,
            "lat": wgs84.y,
            "p_mw": gathered["p_mw"].to_numpy(float),
            "district_code": gathered["district_code"].to_numpy(object),
        }
    )


def _district_share(region: Region) -> dict[str, float]:
    districts = region.districts
    people = districts["population"].to_numpy(float)
    weight = people if np.isfinite(people).all() else districts["area_km2"].to_numpy(float)
    return dict(zip(districts["district_code"], weight / weight.sum(), strict=True))


def _settlement_weights(layers: tuple[VectorLayer, ...], region: Region) -> pd.DataFrame:
    """x, y, weight (inhabitants or their equal) and district of every settlement and estate."""
    parts = [pd.DataFrame(columns=["x", "y", "weight", "district_code"])]
    for layer in layers:
        if layer.id not in _SETTLEMENTS or layer.features.empty or "district_code" not in layer.features:
            continue
        column, shapes = _SETTLEMENTS[layer.id], layer.features.geometry
        if column == "households":
            weight = layer.features[column].to_numpy(float) * _PEOPLE_PER_HOUSEHOLD
        elif column:
            weight = layer.features[column].to_numpy(float)
        else:
            weight = shapes.area.to_numpy(float) / 1e6 * _PEOPLE_PER_KM2_OF_ESTATE
        centre = shapely.centroid(shapes.to_numpy())
        parts.append(
            pd.DataFrame(
                {
                    "x": shapely.get_x(centre),
                    "y": shapely.get_y(centre),
                    "weight": weight,
                    "district_code": layer.features["district_code"].to_numpy(object),
                }
            )
        )
    known = set(region.districts["district_code"])
    table = pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)
    return table[table["district_code"].isin(known) & (table["weight"] > 0)]


def _even_weights(region: Region) -> pd.DataFrame:
    """A lattice of points over every district."""
    rows = []
    for code, shape in zip(region.districts["district_code"], region.districts.geometry, strict=True):
        left, bottom, right, top = shape.bounds
        step = min(_LATTICE_M, np.sqrt(shape.area) / 3)
        x, y = np.meshgrid(np.arange(left + step / 2, right, step), np.arange(bottom + step / 2, top, step))
        inside = shapely.contains_xy(shape, x.ravel(), y.ravel())
        rows += [(px, py, 1.0, code) for px, py in zip(x.ravel()[inside], y.ravel()[inside], strict=True)]
    return pd.DataFrame(rows, columns=["x", "y", "weight", "district_code"])


def _codes_by_name(region: Region) -> dict[str, str]:
    return dict(zip(region.districts["name_zh"], region.districts["district_code"], strict=True))


def _reference_network(results: Results) -> Network:
    from grid.reference_network import NamedPlant, NamedStation, ReferenceGridSpec, build_reference_network

    file, region = results.study.file, results.get("region")
    code = _codes_by_name(region)
    districts = region.districts
    names = zip(districts["district_code"], districts["name_zh"], districts["name_en"], strict=True)
    spec = ReferenceGridSpec(
        name=file.study.name,
        peak_load_mw=results.get("demand").peak_mw,
        stations=tuple(
            NamedStation(
                name_zh=s.name_zh,
                name_en=s.name_en,
                vn_kv=s.vn_kv,
                district_code=code.get(s.district, ""),
                lon=s.lon,
                lat=s.lat,
                status=s.status,
                source=s.source,
            )
            for s in file.network.stations
        ),
        plants=tuple(
            NamedPlant(
                name_zh=p.name_zh,
                name_en=p.name_en,
                fuel=p.fuel,
                p_max_mw=p.p_max_mw,
                vn_kv=p.vn_kv,
                district_code=code.get(p.district, ""),
                source=p.source,
                origin=p.origin,
            )
            for p in file.network.plants
        ),
        district_names=tuple((str(c), str(zh), str(en)) for c, zh, en in names),
    )
    network: Network = build_reference_network(spec, load_points(results), progress=results.progress)
    return network


def _osm_network(results: Results) -> Network:
    from grid.osm_network import build_osm_network

    study, entry = results.study, results.study.file.network
    assert entry.lines_source is not None  # the check names what is lacking
    assert entry.substations_source is not None
    assert entry.plants_source is not None
    network: Network = build_osm_network(
        study.card(entry.lines_source),
        study.card(entry.substations_source),
        study.card(entry.plants_source),
        results.get("region").districts.to_crs("EPSG:4326"),
        demand_peak_mw=results.get("demand").peak_mw,
        margin_degree=entry.margin_degree,
        name=study.file.study.name,
    )
    return network
