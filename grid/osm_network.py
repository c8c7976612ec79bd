"""A network from OpenStreetMap: mapped 500 and 220 kV, the rest by named rules.

::

    window    nodes, lines 2016 --> circuits --> joints merged --> stations (names and levels of 2025)
    500 kV    === mapped mesh ===  infeeds where lines leave the window
                   | 500/220
    220 kV    mapped stations + assumed ones up to the load of each district
                   | 220/110
    110 kV    assumed stations around each 220 kV station, 110/10, load by population

Everything that no source told is an :class:`~grid.contracts.Assumption` with the count of what it touched; the
sentences and values are rows of ``grid/osm/rules.csv``.
"""

from __future__ import annotations

import math
from dataclasses import replace

import geopandas as gpd

from grid.contracts import Network
from grid.osm.assumed import draw_assumed
from grid.osm.draft import Districts, Draft
from grid.osm.mapped import add_banks_500, draw_mapped
from grid.osm.outside import infeeds_of, plants_of
from grid.osm.read import read_sources
from grid.osm.rules import Ledger
from grid.osm.strengthen import mark_added, strengthened
from grid.reference.design import Design, to_network
from grid.studies.short_circuit_boundary import with_boundary_level
from layers.contracts import Origin, SourceCard

__all__ = ["build_osm_network"]


def build_osm_network(
    lines_card: SourceCard,
    substations_card: SourceCard,
    plants_card: SourceCard,
    districts: gpd.GeoDataFrame,
    *,
    demand_peak_mw: float,
    margin_degree: float = 0.3,
    name: str,
) -> Network:
    """Build the network of a region from mapped lines, substations and plants.

    Parameters
    ----------
    lines_card : SourceCard
        GeoPackage with the layer of the card (lines: ``l_id``, ``v_id_1``, ``v_id_2``, ``voltage`` [V, list],
        ``cables``, ``length_m``) and the layer ``nodes`` (``v_id``, ``lon``, ``lat``, ``typ``, ``voltage``, ``name``).
    substations_card : SourceCard
        Polygons with ``name``, ``power``, ``kv_max`` [kV, NaN: not known], ``lon``, ``lat``.
    plants_card : SourceCard
        CSV of plants with ``Name``, ``Fuel``, ``Capacity (MW)``, ``Latitude``, ``Longitude``.
    districts : GeoDataFrame
        Districts in WGS-84 with the columns of ``layers.contracts.DISTRICTS``; population of every one.
    demand_peak_mw : float
        Load of the whole region at its peak [MW].
    margin_degree : float
        How far the window reaches beyond the districts' bounds [degree].
    name : str
        Name of the network.

    Returns
    -------
    Network
        Validated, connected tables; ``origin`` tells mapped from assumed row by row.

    Raises
    ------
    InputError
        With every finding about the districts and the files.
    ValueError
        If the peak is not positive or the margin negative.
    """
    if not (math.isfinite(demand_peak_mw) and demand_peak_mw > 0):
        raise ValueError(f"demand_peak_mw must be positive, not {demand_peak_mw}")
    if not margin_degree >= 0:
        raise ValueError(f"margin_degree must not be negative, not {margin_degree}")
    sources = read_sources(lines_card, substations_card, plants_card, districts, margin_degree)
    draft = Draft(Districts.of(sources.districts), Ledger())
    cut = draw_mapped(sources, draft)
    add_banks_500(draft)
    loads = draw_assumed(draft, demand_peak_mw)
    drawn = Design(
        name=name,
        stations=tuple(draft.stations.values()),
        corridors=tuple(draft.corridors.values()),
        banks=tuple(draft.banks.values()),
        loads=tuple(loads),
        plants=tuple(plants_of(sources, draft)),
        infeeds=tuple(infeeds_of(draft, cut)),
        assumptions=(),
        origin=Origin.MAPPED,
    )
    built = strengthened(drawn, draft.ledger)
    boundary = with_boundary_level(to_network(built))
    draft.ledger.count("osm.infeed", 0, f"{len(built.infeeds)} ({boundary.total_ka.max():.1f} kA)")
    network = replace(boundary.network, assumptions=draft.ledger.assumptions())
    return replace(network, lines=mark_added(network.lines, drawn.corridors)).validate()
