"""What the map shows beside the lists: land as pictures, water, built-up land and roads, shapes of year and day."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from maps.contracts import Backdrop, LandPicture, SiteProfiles
from study.pipeline import Results
from study.schema.file import StudyFile

BACKDROP_FILE = Path(__file__).with_name("map_backdrop.csv")
TOLERANCE_M = 30.0
_LEAST_M2 = {"water": 40_000.0, "built_up": 30_000.0}
_MOST_SHAPES = 40_000


@dataclass(frozen=True)
class MapLayers:
    """Light layers of the map that are made from heavy ones."""

    pictures: tuple[LandPicture, ...] = ()
    backdrops: tuple[Backdrop, ...] = ()


def compute_map_layers(results: Results) -> MapLayers:
    """Pictures of the land of every host type, and what lies under the sites."""
    return MapLayers(_pictures(results), _backdrops(results))


def map_layers_config(file: StudyFile) -> object:
    """The part of the study file that the map's layers depend on, beyond the stages they stand on."""
    return backdrop_layers(file)


def backdrop_layers(file: StudyFile) -> list[tuple[str, str]]:
    """(kind, layer id) of the study's layers that a reader knows the place by, told by what they are used for."""
    with BACKDROP_FILE.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    kinds = {(row["used_as"], row["id"]): row["kind"] for row in rows}
    used = [("host", host.host_type, host.layer) for host in file.hosts]
    used += [("rule", entry.rule, entry.layer) for entry in file.exclusions]
    found = [(kinds[(use, name)], layer) for use, name, layer in used if (use, name) in kinds and layer]
    order = list(dict.fromkeys(kinds.values()))
    return sorted(dict.fromkeys(found), key=lambda pair: order.index(pair[0]))


def _pictures(results: Results) -> tuple[LandPicture, ...]:
    from maps.style import map_style
    from study.outputs.land_pictures import land_picture
    from study.sites.rules import study_rules

    land, region, style = results.get("land"), results.get("region"), map_style()
    rules = study_rules(results.study, region.districts["district_code"])
    names = {rule.id: (rule.label_zh, rule.label_en) for rule in rules}

    def named(rule: str) -> tuple[str, str]:
        return names.get(rule, (rule, rule))

    colours = style.eligible, style.unknown
    made = [land_picture(entry, region, colours, style.rules, named) for entry in land.lands]
    return tuple(picture for picture in made if picture is not None)


def _backdrops(results: Results) -> tuple[Backdrop, ...]:
    layers = {layer.id: layer for layer in results.get("ground").vectors}
    parts: dict[str, list[gpd.GeoSeries]] = {}
    for kind, name in backdrop_layers(results.study.file):
        if name in layers:
            parts.setdefault(kind, []).append(layers[name].features.geometry)
    return tuple(Backdrop(kind, light_shapes(kind, pd.concat(list_))) for kind, list_ in parts.items())


def light_shapes(kind: str, shapes: gpd.GeoSeries) -> gpd.GeoSeries:
    """Shapes of a backdrop on a metric CRS as few corners in WGS-84; the small ones and the many are left out."""
    least = _LEAST_M2.get(kind, 0.0)
    kept = shapes[shapes.area >= least] if least else shapes
    if len(kept) > _MOST_SHAPES:
        size = kept.area if least else kept.length
        kept = kept[size >= size.nlargest(_MOST_SHAPES).iloc[-1]]
    lighter = shapely.simplify(kept.to_numpy(), TOLERANCE_M, preserve_topology=False)
    usable = ~(shapely.is_missing(lighter) | shapely.is_empty(lighter))
    return gpd.GeoSeries(lighter[usable], crs=shapes.crs).to_crs("EPSG:4326")


def site_profiles(results: Results) -> SiteProfiles:
    """Month by month and hour by hour, one row a variant that some site follows."""
    from siting.yields.hourly_store import store_of

    candidates = results.get("sites").candidates
    store = store_of(results.get("yields"), candidates.set_index("candidate_id")["grid_capacity_mw"])
    used = sorted(set(store.sites["variant_id"]))
    months, hours = month_and_day(store.block(variants=used).astype(float), store.index)
    rows = {name: row for row, name in enumerate(used)}
    sites = pd.DataFrame(
        {
            "candidate_id": store.sites["candidate_id"],
            "profile": store.sites["variant_id"].map(rows).astype(int),
            "capacity_mw": store.sites["capacity_mw"],
        }
    )
    return SiteProfiles(months, hours, sites)


def month_and_day(
    power: npt.NDArray[np.float64], index: pd.DatetimeIndex
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Energy by month [kWh per kW], shape (series, 12), and mean by hour of day, shape (series, 24).

    ``power`` has shape (series, steps), as a share of capacity; ``index`` holds the starts of steps of equal length.
    """
    step_h = (index[1] - index[0]) / pd.Timedelta(hours=1) if len(index) > 1 else 1.0
    by_month = np.stack([power[:, index.month == m].sum(axis=1) * step_h for m in range(1, 13)], axis=1)
    with np.errstate(invalid="ignore"):
        by_hour = np.stack([power[:, index.hour == h].mean(axis=1) for h in range(24)], axis=1)
    return by_month, by_hour
