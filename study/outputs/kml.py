"""The project list for Google Earth, OvitalMap and whatever else reads KML 2.2.

Written directly, because styles by verdict and titles in two languages are beyond what GDAL writes.
Every text is escaped, so that a name is never markup; there are no links, scripts or balloons with HTML.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO
from xml.sax.saxutils import escape, quoteattr

import geopandas as gpd
import shapely
from shapely.geometry.base import BaseGeometry

from study.outputs.labels import Titles, shown_titles, value_labels
from study.outputs.network_layers import NetworkLayers
from study.outputs.numbers import text

_DECIMALS = 7
_ALPHA = "99"
_LINE = "lines"


def write_kml(
    path: Path, projects: gpd.GeoDataFrame, titles: Titles = "zh", *, network: NetworkLayers | None = None
) -> None:
    """Write the projects as placemarks coloured by verdict, the network's stations and lines in folders of their own.

    Names are in the language of ``titles`` (Chinese for ``names``); every column is in the placemark's extended data
    under its name, with its title to display. Coordinates are WGS-84 with 7 decimals.
    """
    suffix = "en" if titles == "en" else "zh"
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(
            '<?xml version="1.0" encoding="UTF-8"?>\n<kml xmlns="http://www.opengis.net/kml/2.2">\n<Document>\n'
        )
        stream.write(f"<name>{_plain('项目清单' if suffix == 'zh' else 'Project list')}</name>\n")
        for label in value_labels("verdict"):
            stream.write(_style(f"verdict_{label.value}", label.colour))
        stream.write(_style(_LINE, "#0077BB"))
        _folder(stream, "projects", _projects(projects, titles, suffix))
        if network is not None:
            _folder(stream, "stations", _stations(network.stations, suffix))
            _folder(stream, "lines", _lines(network.lines, f"name_{suffix}"))
            _folder(stream, "tie_lines", _lines(network.tie_lines, "candidate_id"))
        stream.write("</Document>\n</kml>\n")


def _folder(stream: TextIO, name: str, placemarks: Iterator[str]) -> None:
    stream.write(f"<Folder><name>{name}</name>\n")
    stream.writelines(placemarks)
    stream.write("</Folder>\n")


def _projects(projects: gpd.GeoDataFrame, titles: Titles, suffix: str) -> Iterator[str]:
    columns = [str(column) for column in projects.columns if column != projects.geometry.name]
    shown = shown_titles("projects", columns, titles)
    for row, shape in zip(projects[columns].itertuples(index=False), projects.geometry, strict=True):
        values = dict(zip(columns, row, strict=True))
        data = "".join(
            f"<Data name={quoteattr(column)}><displayName>{_plain(title)}</displayName>"
            f"<value>{_plain(_cell(values[column]))}</value></Data>"
            for column, title in zip(columns, shown, strict=True)
        )
        yield (
            f"<Placemark><name>{_plain(values[f'name_{suffix}'])}</name>"
            f"<styleUrl>#verdict_{_plain(values['verdict'])}</styleUrl>"
            f"<ExtendedData>{data}</ExtendedData>{_geometry(shape)}</Placemark>\n"
        )


def _stations(stations: gpd.GeoDataFrame, suffix: str) -> Iterator[str]:
    for name, kv, shape in zip(stations[f"name_{suffix}"], stations["vn_kv"], stations.geometry, strict=True):
        yield f"<Placemark><name>{_plain(f'{name} {kv:g} kV')}</name>{_geometry(shape)}</Placemark>\n"


def _lines(lines: gpd.GeoDataFrame, name: str) -> Iterator[str]:
    for label, shape in zip(lines[name], lines.geometry, strict=True):
        yield (f"<Placemark><name>{_plain(label)}</name><styleUrl>#{_LINE}</styleUrl>{_geometry(shape)}</Placemark>\n")


def _style(name: str, colour: str) -> str:
    """KML colours run alpha, blue, green, red."""
    red, green, blue = colour[1:3], colour[3:5], colour[5:7]
    line, fill = f"ff{blue}{green}{red}".lower(), f"{_ALPHA}{blue}{green}{red}".lower()
    return (
        f"<Style id={quoteattr(name)}><LineStyle><color>{line}</color><width>2</width></LineStyle>"
        f"<PolyStyle><color>{fill}</color></PolyStyle></Style>\n"
    )


def _geometry(shape: BaseGeometry) -> str:
    parts = shapely.get_parts(shape)
    told = "".join(_part(part) for part in parts)
    return f"<MultiGeometry>{told}</MultiGeometry>" if len(parts) > 1 else told


def _part(part: BaseGeometry) -> str:
    if isinstance(part, shapely.Polygon):
        oriented = shapely.orient_polygons(part)
        inner = "".join(f"<innerBoundaryIs>{_ring(ring)}</innerBoundaryIs>" for ring in oriented.interiors)
        return f"<Polygon><outerBoundaryIs>{_ring(oriented.exterior)}</outerBoundaryIs>{inner}</Polygon>"
    if isinstance(part, shapely.Point):
        return f"<Point>{_coordinates(part.coords)}</Point>"
    return f"<LineString><tessellate>1</tessellate>{_coordinates(part.coords)}</LineString>"


def _ring(ring: shapely.LinearRing) -> str:
    return f"<LinearRing>{_coordinates(ring.coords)}</LinearRing>"


def _coordinates(points: Iterable[tuple[float, ...]]) -> str:
    told = " ".join(f"{x:.{_DECIMALS}f},{y:.{_DECIMALS}f}" for x, y, *_ in points)
    return f"<coordinates>{told}</coordinates>"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else text(value)
    return "" if value is None else str(value)


def _plain(value: object) -> str:
    """Escaped, without the control characters that XML cannot hold."""
    return escape("".join(c for c in str(value) if c in "\t\n\r" or (ord(c) >= 0x20 and not _broken(c))))


def _broken(character: str) -> bool:
    return 0xD800 <= ord(character) <= 0xDFFF or ord(character) in (0xFFFE, 0xFFFF)
