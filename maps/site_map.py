"""The site map: one Folium page, in Chinese and English, that opens from a file without a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from maps import panels
from maps.bilingual import Text, both, label, safe
from maps.checks import check_input
from maps.contracts import SiteMapInput
from maps.measures import placed_measures
from maps.payload import build_payload, rows, shown_hosts, stage_colour, to_script_json, voltages
from maps.site_payload import site_blocks
from maps.style import MapStyle, map_style
from maps.tiles import BaseTiles, image_source, tile_faults

if TYPE_CHECKING:
    import folium

__all__ = ["BaseTiles", "draw_site_map", "write_site_map"]

TOLERANCE_M = 15.0


def draw_site_map(data: SiteMapInput, *, tolerance_m: float = TOLERANCE_M, tiles: BaseTiles | None = None) -> str:
    """Draw a site map as one HTML page.

    The page holds its scripts, styles and data; with ``tiles`` None (the default) it contains no address that a
    browser would fetch, and its content security policy forbids fetching. The same input gives the same bytes.

    Parameters
    ----------
    data : SiteMapInput
        What to draw; positions on WGS-84 (EPSG:4326).
    tolerance_m : float, default 15
        Outlines are simplified by at most about this distance on the ground [m]; 0 keeps every corner.
    tiles : BaseTiles, optional
        Background pictures from a server, off in the layer list until a reader asks for them.

    Returns
    -------
    str
        The page. Unknown values (NaN) are shown as a dash, never as zero.

    Raises
    ------
    layers.tables.ContractError
        When the input breaks a contract (columns, datum, host types, colours), with every fault.
    ValueError
        For a negative tolerance, and for tiles with a fault (:func:`maps.tiles.tile_faults`).
    """
    from maps.page import OfflinePage, PageParts

    check_input(data)
    faults = tile_faults(tiles) if tiles else []
    if faults:
        raise ValueError(" ".join(f"{fault.field} {fault.value!r}: {fault.message}" for fault in faults))
    style = map_style()
    page = OfflinePage(
        PageParts(
            title=Text(data.title_zh, data.title_en),
            language=data.language,
            head=panels.head(data),
            banner=panels.banner(data),
            legend=panels.legend(data, style),
            side=_side(data, style, tolerance_m),
            attribution=panels.attribution(data, tiles.attribution if tiles else ""),
            payload=to_script_json(build_payload(data, style, tolerance_m)),
            blocks=_blocks(data, style, tolerance_m),
            images_from=image_source(tiles) if tiles else "",
        )
    )
    page.add_child(_folium_map(data, style, tiles))
    return page.render()


def write_site_map(
    data: SiteMapInput, path: Path, *, tolerance_m: float = TOLERANCE_M, tiles: BaseTiles | None = None
) -> None:
    """Write :func:`draw_site_map` to ``path`` as UTF-8 with plain line ends."""
    path.write_text(draw_site_map(data, tolerance_m=tolerance_m, tiles=tiles), encoding="utf-8", newline="\n")


def _blocks(data: SiteMapInput, style: MapStyle, tolerance_m: float) -> tuple[tuple[str, str], ...]:
    blocks = site_blocks(data, style, tolerance_m)
    return ("fg-sites", blocks.core), ("fg-shapes", blocks.shapes), ("fg-texts", blocks.texts)


def _side(data: SiteMapInput, style: MapStyle, tolerance_m: float) -> str:
    return panels.tabs(
        [
            ("layers", panels.layer_choices(data, style)),
            ("projects", panels.project_list(data, style)),
            ("targets", panels.targets(data) + panels.land(data)),
            ("data", panels.data_notes(data, tolerance_m)),
        ]
    )


def _folium_map(data: SiteMapInput, style: MapStyle, tiles: BaseTiles | None) -> folium.Map:
    """Folium's map, layer groups and layer control; the page's script fills the groups from the shared data."""
    import folium

    from maps.page import OfflineMap
    from maps.start import ShiftedTileLayer, StartScript

    drawn = OfflineMap(
        location=[0.0, 0.0],
        zoom_start=4,
        tiles=None,
        zoom_control=False,
        attribution_control=False,
        fade_animation=False,
        zoom_snap=0.25,
        zoom_delta=0.5,
    )
    drawn.options |= {"min_zoom": 4, "max_zoom": 18}  # Folium hands its own arguments of these names to tiles alone
    if tiles is not None:
        layer = ShiftedTileLayer if tiles.datum == "gcj02" else folium.TileLayer
        layer(
            tiles=tiles.url, attr=safe(tiles.attribution), name=_tiles_name(tiles), overlay=True, show=False,
            max_zoom=18, max_native_zoom=tiles.max_zoom, subdomains=tiles.subdomains,
        ).add_to(drawn)  # fmt: skip
    groups: list[tuple[str, int, folium.FeatureGroup]] = []

    def group(kind: str, index: int, name: str, *, show: bool = True) -> None:
        layer = folium.FeatureGroup(name=name, show=show)
        layer.add_to(drawn)
        groups.append((kind, index, layer))

    group("districts", 0, f'<i class="area"></i>{both(label("layers.districts"))}')
    if data.backdrops:
        group("backdrop", 0, f'<i class="area water"></i>{both(label("layers.backdrop"))}')
    for i, host in enumerate(rows(shown_hosts(data))):
        name = both(Text(host.label_zh, host.label_en))
        group("host", i, f'<i class="dot" style="--c:{host.colour}" data-group="{i}"></i>{name}')
    for i, kv in enumerate(voltages(data.lines["vn_kv"])):
        width = style.voltage(kv).width_px
        group("lines", i, f'<i class="line" style="--w:{width}px"></i>{both(label("layers.lines"))} {kv:g} kV')
    tops = data.substations.groupby("station_id")["vn_kv"].max()
    for i, kv in enumerate(voltages(tops)):
        size = style.voltage(kv).size_px
        group("stations", i, f'<i class="station" style="--s:{size}px"></i>{both(label("layers.stations"))} {kv:g} kV')
    stages = dict.fromkeys(measure.stage for measure in placed_measures(data))
    for i, stage in enumerate(stages):
        name = f"{both(label('layers.measures'))} {safe(stage)}" if stage else both(label("layers.tried"))
        group(
            "measures",
            i,
            f'<i class="measure" style="--c:{stage_colour(stage, data, style)}"></i>{name}',
            show=bool(stage),
        )
    if data.ties is not None and len(data.ties):
        group("ties", 0, f'<i class="line tie" style="--w:2px"></i>{both(label("layers.ties"))}')
    if data.parks is not None and len(data.parks):
        group("parks", 0, f'<i class="park"></i>{both(label("layers.parks"))}')
    control = folium.LayerControl(collapsed=False, position="topright")
    control.add_to(drawn)
    StartScript(control, groups).add_to(drawn)
    return drawn


def _tiles_name(tiles: BaseTiles) -> str:
    name = both(Text(tiles.name_zh, tiles.name_en))
    shifted = f" · {both(label('layers.shifted'))}" if tiles.datum == "gcj02" else ""
    return f'<i class="area"></i>{both(label("layers.basemap"))} {name} ({safe(tiles.datum.upper())}{shifted})'
