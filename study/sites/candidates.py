"""The study file's host entries and its [sites] table: layers that are made, sites, and what is said of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from grid.contracts import Assumption
from layers.contracts import Finding, Origin, VectorLayer
from siting.contracts import HostLayer, Sites
from siting.hosts.layers import HostGround, HostSpec, check_specs, prepare_host_layers
from siting.hosts.layers import host_layers as carriers
from siting.hosts.types import may_share_land
from study.schema.file import StudyFile
from study.sites.pv import host_types
from study.study_file import Study, nearest

if TYPE_CHECKING:
    from study.pipeline import Results

_WGS84 = "EPSG:4326"
_AXIS_STEP_DEG = 15.0


def host_specs(file: StudyFile) -> tuple[HostSpec, ...]:
    """The entries ``[[hosts]]`` as records."""
    return tuple(
        HostSpec(
            h.host_type,
            h.layer,
            h.area_share,
            h.share_column,
            h.roof_classes,
            h.height_column,
            h.modelled_as,
            h.footprints,
            h.support,
            h.depth_column,
            h.low_water_m,
            h.high_water_m,
        )
        for h in file.hosts
    )


def host_layers(file: StudyFile) -> tuple[HostLayer, ...]:
    """Which layer carries which host type, those that are made included."""
    return carriers(host_specs(file), host_types(file))


def compute_host_layers(results: Results) -> HostGround:
    """Layers that the host entries ask for: roofs of a class, modelled roofs, ponds, mudflats, strips."""
    file, ground = results.study.file, results.get("ground")
    region = results.get("region")
    made = prepare_host_layers(
        host_specs(file),
        host_types(file),
        ground.vectors,
        ground.rasters,
        latitude=round(_latitude(region.districts), 1),
        file=results.study.shown_path,
    )
    results.log.extend(made.notes)
    return made


def _latitude(districts: gpd.GeoDataFrame) -> float:
    left, bottom, right, top = districts.total_bounds
    middle = gpd.GeoSeries([shapely.Point((left + right) / 2, (bottom + top) / 2)], crs=districts.crs)
    return float(middle.to_crs(_WGS84).y.iloc[0])


def all_vectors(results: Results) -> tuple[VectorLayer, ...]:
    """The study's vector layers and those that were made for its hosts."""
    return (*results.get("ground").vectors, *results.get("host_layers").layers)


def compute_sites(results: Results) -> Sites:
    """Candidate sites; the layers themselves are read where shares of host area differ."""
    from siting.sites.candidates import delineate_sites

    file = results.study.file
    entries = host_layers(file)
    return delineate_sites(
        results.get("land"),
        results.get("region"),
        host_types(file),
        entries,
        block_km=file.land.block_km,
        study_code=file.study.code,
        layers=all_vectors(results) if _shares_differ(entries) else (),
        co_use=file.land.co_use,
        prevailing_from_deg=_prevailing(results),
    )


def compute_site_rules(results: Results) -> pd.DataFrame:
    """What the rules took from the land around each site."""
    from siting.sites.rules import site_rules

    return site_rules(results.get("land"), results.get("sites").candidates)


def _prevailing(results: Results) -> float | None:
    """Where the prevailing wind comes from: the study's word, else the axis of the energy of all weather cells' winds,
    to 15 degrees so that next year's weather leaves the turbines where they are; None where nothing tells."""
    from siting.wind.turbine_layout import prevailing_from

    file = results.study.file
    if file.sites.prevailing_wind_from_deg is not None:
        return file.sites.prevailing_wind_from_deg
    kinds = {host.host_type: host.kind for host in host_types(file)}
    if not any(kinds.get(entry.host_type) == "wind" for entry in file.hosts):
        return None
    hours = [cell.hours for cell in results.get("weather") if "wind_from_degree" in cell.hours.columns]
    if not hours:
        return None
    speed, direction = (
        np.concatenate([table[name].to_numpy(float) for table in hours])
        for name in ("wind_speed_m_per_s", "wind_from_degree")
    )
    axis = prevailing_from(speed, direction)
    return None if np.isnan(axis) else round(axis / _AXIS_STEP_DEG) * _AXIS_STEP_DEG % 180.0


def _shares_differ(entries: tuple[HostLayer, ...]) -> bool:
    shares: dict[str, float] = {}
    return any(e.share_column or shares.setdefault(e.host_type, e.area_share) != e.area_share for e in entries)


def compute_site_attributes(results: Results) -> pd.DataFrame:
    """Shape, place and surroundings of every candidate."""
    from siting.sites.attributes import Surroundings, names_of, site_attributes

    asked, ground, region = results.study.file.sites, results.get("ground"), results.get("region")
    network, crs = results.get("network"), region.frame.crs
    around = Surroundings(
        region.districts,
        roads=names_of(ground.vectors, asked.roads),
        power_lines=names_of(ground.vectors, asked.power_lines) or _network_lines(network, crs),
        stations=station_points(network, crs),
        townships=names_of(ground.vectors, asked.townships),
        township_column=asked.township_column,
        slope=next((raster for raster in ground.rasters if raster.id == asked.slope), None),
        roofs=results.get("host_layers").roofs,
    )
    return site_attributes(results.get("sites"), around)


def station_points(network, crs: str) -> gpd.GeoDataFrame:  # type: ignore[no-untyped-def]
    """Stations of the network with their places in the frame's CRS."""
    stations = network.stations
    points = gpd.GeoSeries(gpd.points_from_xy(stations["lon"], stations["lat"]), crs=_WGS84).to_crs(crs)
    return gpd.GeoDataFrame(stations[["station_id"]].reset_index(drop=True), geometry=points.to_numpy(), crs=crs)


def _network_lines(network, crs: str) -> VectorLayer:  # type: ignore[no-untyped-def]
    """Routes of the network's lines; straight between the stations where none is known."""
    at = network.buses.merge(network.stations[["station_id", "lon", "lat"]], on="station_id").set_index("bus_id")
    routes = []
    for row in network.lines.itertuples():
        ends = [(at.at[bus, "lon"], at.at[bus, "lat"]) for bus in (row.from_bus, row.to_bus)]
        routes.append(shapely.from_wkt(row.path_wkt) if row.path_wkt else shapely.LineString(ends))
    shapes = gpd.GeoSeries(np.array(routes, dtype=object), crs=_WGS84).to_crs(crs)
    return VectorLayer("network_lines", gpd.GeoDataFrame(geometry=shapes), Origin.ASSUMED)


def roof_table(results: Results) -> pd.DataFrame:
    """Mapped roofs by class: sums of districts, of blocks, and of the stations' supply areas."""
    from siting.hosts.roofs import ROOF_SUMS, block_names, district_codes, roof_sums, supply_areas

    roofs, region = results.get("host_layers").roofs, results.get("region_facts")
    if not len(roofs):
        return ROOF_SUMS.empty()
    x, y = roofs["x_m"].to_numpy(float), roofs["y_m"].to_numpy(float)
    stations = station_points(results.get("network"), region.crs)
    areas = {
        "district": district_codes(x, y, region.districts),
        "block": block_names(x, y, results.study.file.land.block_km),
        "supply_area": supply_areas(x, y, stations, region.districts),
    }
    return pd.concat([roof_sums(roofs, names, kind) for kind, names in areas.items()], ignore_index=True)


def site_findings(study: Study, layers: list[str]) -> list[Finding]:
    """Everything that can be known to be wrong with hosts and [sites] before a layer is read."""
    file = study.file
    found = check_specs(host_specs(file), study.shown_path)

    def fault(severity: str, rule: str, where: str, item: str, value: str, message: str, remedy: str) -> None:
        found.append(Finding(severity, rule, study.shown_path, where, item, value, message, remedy))  # type: ignore[arg-type]

    for host in file.hosts:
        for name in host.footprints:
            if name not in layers:
                fault("error", "study.unknown_layers", "hosts", host.host_type, name,
                      f"there is no layer '{name}'.", nearest(name, layers) or "Add the layer.")  # fmt: skip
    for item in ("roads", "power_lines", "townships", "slope"):
        name = getattr(file.sites, item)
        if name and name not in layers:
            fault("error", "study.unknown_layers", "sites", item, name,
                  f"there is no layer '{name}'.", nearest(name, layers) or "Add the layer.")  # fmt: skip
    known = {host.host_type: host for host in host_types(file)}
    for a, b in file.land.co_use:
        if a in known and b in known and not may_share_land(known[a], known[b]):
            fault("warning", "land.co_use", "land", "co_use", f"{a}, {b}",
                  "the table of host types does not say that these two may share land.",
                  "Check the pair, or name one in co_use of the other's row of host_types.csv.")  # fmt: skip
    return found


def roof_assumptions(file: StudyFile) -> tuple[Assumption, ...]:
    """Modelled roofs of the study, with their share and its source."""
    from siting.hosts.roof_stock import load_roof_stock

    rows = {row.land_use: row for row in load_roof_stock()}
    return tuple(
        Assumption(
            f"roof_stock_{h.host_type}_{h.layer}",
            h.layer,
            f"图层 {h.layer} 中未测绘屋顶按用地类型“{h.modelled_as}”估算",
            f"roofs that nobody mapped in layer {h.layer}, estimated as {h.modelled_as}",
            f"{row.roof_share:g} ({row.low:g}-{row.high:g})",
            row.source,
            row.confidence,  # type: ignore[arg-type]
        )
        for h in file.hosts
        for row in [rows.get(h.modelled_as)]
        if row is not None
    )
