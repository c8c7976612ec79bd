"""A reference network on named stations: 110 kV stations where load is, two feeds each, secure against outages.

The result is a drawing, not the real network: it is generated from the load, the named stations and the standard
tables, says so in ``origin``, and lists every choice as an assumption. The same input gives the same tables.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from grid.contracts import Case, Network
from grid.reference.assumed import assumptions_of
from grid.reference.design import to_network
from grid.reference.layout import draw
from grid.reference.places import slug
from grid.reference.reinforce import strengthen
from grid.reference.security import Breach, security_breaches
from grid.reference.spec import (
    DESIGN_CASES,
    MINIMUM_LOAD,
    SUMMER_PEAK,
    SUMMER_PEAK_PLANTS_LOW,
    NamedPlant,
    NamedStation,
    ReferenceGridSpec,
)
from grid.studies.short_circuit_boundary import with_boundary_level
from layers.contracts import Finding, InputError

__all__ = [
    "DESIGN_CASES",
    "MINIMUM_LOAD",
    "SUMMER_PEAK",
    "SUMMER_PEAK_PLANTS_LOW",
    "Breach",
    "NamedPlant",
    "NamedStation",
    "ReferenceGridSpec",
    "build_reference_network",
    "security_breaches",
]

LOAD_COLUMNS = ("lon", "lat", "p_mw", "district_code")


def build_reference_network(
    spec: ReferenceGridSpec,
    load_points: pd.DataFrame,
    cases: Sequence[Case] = DESIGN_CASES,
    progress: Callable[[str, float], None] | None = None,
) -> Network:
    """Draw a network for a load and make it N-1 secure.

    Parameters
    ----------
    spec : ReferenceGridSpec
        Named stations and plants, peak, rules.
    load_points : DataFrame
        One row a place: ``lon``, ``lat`` [degree, WGS-84], ``p_mw`` [MW, share of the peak; the column is scaled
        to ``spec.peak_load_mw``], ``district_code``. Other columns (geometry) are not read.
    cases : sequence of Case
        Operating points for which no single outage may break a limit or cut off load.
    progress : callable, optional
        Called with a label and a share from 0 to 1.

    Returns
    -------
    Network
        Validated tables. An assumption ``reference.security`` says whether every case is secure, and if not,
        what is broken.

    Raises
    ------
    InputError
        With every finding about the load points and the named stations.

    Notes
    -----
    Stations per level: ``ceil(peak * capacity-load ratio / installed MVA of a typical station)``, shared out to
    the districts by load, placed by balanced bisection of the load. Each 110 kV station has lines to its two
    nearest 220 kV stations; 220 kV stations form loops of at most four around the 500 kV station that feeds them,
    loops of neighbours are tied; 500 kV is a mesh with at least two outside infeeds.
    """
    points = _checked_load(spec, load_points)
    if progress:
        progress("reference network: drawing", 0.0)
    drawn = draw(spec, points)
    result = strengthen(drawn, cases, progress)
    design = replace(result.design, assumptions=assumptions_of(spec, result, cases))
    if progress:
        progress("reference network: done", 1.0)
    return with_boundary_level(to_network(design)).network.validate()


def _checked_load(spec: ReferenceGridSpec, load_points: pd.DataFrame) -> pd.DataFrame:
    """Load points in a fixed order, scaled to the peak; raises every finding at once."""
    findings: list[Finding] = []

    def add(rule: str, item: str, value: str, message: str, remedy: str) -> None:
        findings.append(Finding("error", rule, "", "load_points", item, value, message, remedy))

    missing = [name for name in LOAD_COLUMNS if name not in load_points.columns]
    if missing:
        add(
            "reference.columns",
            "columns",
            ", ".join(missing),
            "Columns are missing.",
            "Give lon, lat, p_mw and district_code.",
        )
        raise InputError(findings)
    for name, low, high in (("lon", -180.0, 180.0), ("lat", -90.0, 90.0), ("p_mw", 0.0, np.inf)):
        values = load_points[name].to_numpy(float)
        for k in np.flatnonzero(~(np.isfinite(values) & (values >= low) & (values <= high)))[:20]:
            add(
                "reference.value",
                f"row {k}, {name}",
                repr(float(values[k])),
                "The value is not usable.",
                f"Give {low} to {high}.",
            )
    if not findings and not load_points["p_mw"].sum() > 0:
        add(
            "reference.no_load",
            "p_mw",
            "0",
            "There is no load to place stations for.",
            "Give load points with p_mw above 0.",
        )
    codes = set(load_points["district_code"].astype(str))
    named: tuple[NamedStation | NamedPlant, ...] = (*spec.stations, *spec.plants)
    for thing in named:
        if thing.district_code and thing.district_code not in codes and thing.lon is None:
            add("reference.district", thing.name_en, thing.district_code, "No load point lies in this district.",
                "Give the station a position, or a district that has load.")  # fmt: skip
    keys = [(f"station {s.vn_kv:g} kV", slug(s.name_en)) for s in spec.stations]
    keys += [("plant", slug(p.name_en)) for p in spec.plants]
    for kind, name in sorted({key for key in keys if keys.count(key) > 1}):
        message = "Two of them have the same name in letters a to z and digits, of which ids are made."
        add("reference.duplicate", name, kind, message, "Give each an English name (or pinyin) of its own.")
    if findings:
        raise InputError(findings)
    used = pd.DataFrame(load_points)[list(LOAD_COLUMNS)].astype({"district_code": str})
    used = used[used["p_mw"] > 0].sort_values(["district_code", "lon", "lat", "p_mw"], ignore_index=True)
    return used.assign(p_mw=used["p_mw"] * spec.peak_load_mw / used["p_mw"].sum())
