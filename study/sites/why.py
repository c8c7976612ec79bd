"""Why a place or a site of a study is in or out: layers and rules of the study, asked about one place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from shapely.geometry.base import BaseGeometry

from layers.contracts import Finding, InputError
from siting.land.explain import PlaceLand, explain_place
from study import records
from study.pipeline import Progress, Results, no_progress
from study.run import checked, open_results
from study.sites import candidates as sites
from study.sites.rules import study_rules
from study.study_file import Study, nearest


def why_point(
    study: Study,
    lon: float,
    lat: float,
    *,
    hosts: Sequence[str] = (),
    root: Path | None = None,
    progress: Progress = no_progress,
) -> tuple[PlaceLand, ...]:
    """What a point is to the study's host types.

    Parameters
    ----------
    study
    lon, lat
        Degrees, WGS-84.
    hosts
        Host types to ask for; empty: all that the study uses.
    root
        Folder that holds ``data/processed``; region and layers come from the study's cache where it has them.

    Raises
    ------
    InputError
        With the errors of the study, for unknown host types, and for a point outside the study's frame.
    """
    import pyproj
    import shapely

    asked = _hosts(study, hosts)
    checked(study, root=root)
    results = open_results(study, root=root, progress=progress)
    frame = results.get("region").frame
    point = shapely.Point(pyproj.Transformer.from_crs("EPSG:4326", frame.crs, always_xy=True).transform(lon, lat))
    if not shapely.box(*frame.bounds).contains(point):
        message, remedy = "the place lies outside the study's region.", "Give degrees of WGS-84."
        swapped = shapely.Point(pyproj.Transformer.from_crs("EPSG:4326", frame.crs, always_xy=True).transform(lat, lon))
        if shapely.box(*frame.bounds).contains(swapped):
            remedy = f"Did you mean --lon {lat:g} --lat {lon:g}?"
        raise InputError([_fault(study, "why.outside", "--lon --lat", f"{lon:g}, {lat:g}", message, remedy)])
    return tuple(_explain(results, point, host) for host in asked)


def why_site(
    study: Study, candidate_id: str, *, root: Path | None = None, progress: Progress = no_progress
) -> PlaceLand:
    """What the rules say of the outline of a candidate site, for its own host type.

    Raises
    ------
    InputError
        With the errors of the study, or if it has no such site, naming the nearest id.
    """
    checked(study, root=root)
    results = open_results(study, root=root, progress=progress)
    candidates = results.get("sites").candidates.set_index("candidate_id")
    if candidate_id not in candidates.index:
        remedy = nearest(candidate_id, list(candidates.index)) or "The project list names all ids."
        raise InputError([_fault(study, "why.unknown_site", "--site", candidate_id, "there is no such site.", remedy)])
    row = candidates.loc[candidate_id]
    return _explain(results, row["geometry"], str(row["host_type"]))


def _explain(results: Results, place: BaseGeometry, host_type: str) -> PlaceLand:
    study, region = results.study, results.get("region")
    return explain_place(
        place,
        host_type,
        region.frame,
        sites.all_vectors(results),
        results.get("ground").rasters,
        records.host_layers(study.file),
        study_rules(study, region.districts["district_code"]),
        mapped_by=study.file.land.mapped_by,
    )


def _hosts(study: Study, hosts: Sequence[str]) -> tuple[str, ...]:
    used = tuple(dict.fromkeys(entry.host_type for entry in study.file.hosts))
    unknown = [host for host in hosts if host not in used]
    if unknown:
        message = "the study has no such host type."
        raise InputError(
            _fault(
                study, "why.unknown_host", "--host", host, message, nearest(host, used) or f"It has {', '.join(used)}."
            )
            for host in unknown
        )
    return tuple(hosts) or used


def _fault(study: Study, rule: str, item: str, value: str, message: str, remedy: str) -> Finding:
    return Finding("error", rule, study.shown_path, "", item, value, message, remedy)


def place_lines(land: PlaceLand, language: Literal["zh", "en"] = "en") -> list[str]:
    """One host type in lines: its state, then every rule that speaks against it with document and confidence."""
    shares = f"{land.eligible_share:.0%} eligible, {land.excluded_share:.0%} excluded, {land.unknown_share:.0%} unknown"
    lines = [f"{land.host_type}: {land.state} ({shares})"]
    decisive = land.reasons[land.reasons["verdict"] != "passes"]
    lines += [f"    {words}" for words in land.in_words(language)[: -len(decisive) or None]]
    for row in decisive.to_dict("records"):
        source = ", ".join(part for part in (row["document"], row["clause"], row["date"]) if part)
        lines += [f"    {row[f'text_{language}']}", f"        {source} [{row['confidence']}]"]
    return lines
