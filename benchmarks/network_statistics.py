"""How networks look by their figures: the reference network of Bozhou beside real ones.

    .venv/bin/python benchmarks/network_statistics.py [--without-bozhou]

The reference network of the built-in study; the network drawn on OpenStreetMap for the province of Zhejiang, of which
only what is mapped (500 and 220 kV, 2016 lines) and the whole; RTS-GMLC; SciGRID of Germany; SimBench
("1-EHVHV-mixed-all-0-no_sw", synthetic after Germany's grids of 380, 220 and 110 kV). The real ones need the data
folder (FENGGUANG_DATA, or ``shared/data`` beside the repository), SimBench the package of that name (extra ``bench``);
they are left out without.

What to look at: kilometres of line per MVA, neighbours per bus, share of bridges, circuits per corridor, R/X, and the
capacity-load ratio of each level (installed MVA down to loads over the load below; 1.6 to 2.2 in the planning rules).
Run of 2026-11-21 (60 s on 2 cores):

                             km/MVA  neighbours  bridges  circuits/corridor   R/X   capacity-load ratio 500, 220, 110
    Bozhou, reference          0.83        2.89     1.6 %              1.20  0.21   2.16  1.96  2.18
    Zhejiang, OSM mapped       0.12        2.35     0.2 %              2.58  0.08   no transformers are mapped
    Zhejiang, OSM drawn        0.41        2.51     0.0 %              2.99  0.08   1.77  1.88  1.96
    RTS-GMLC                   0.61        2.96     1.7 %              1.13  0.13   1.47 (230/138 kV)
    SciGRID Germany            0.63        2.74     8.9 %              1.37  0.12   6.47 (380/220 kV, loads on 380 too)
    SimBench, EHV and HV       0.45        2.54    11.7 %              1.33  0.25   3.01  1.38 (380, 220 kV)

Only the circuits per corridor of the 110 kV level drawn around Zhejiang's stations (4.7) lie outside the others.
Many bridges of SimBench and SciGRID are spurs that end where a neighbouring grid is left out.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd

from grid.contracts import Network
from grid.model.contracts import BusBranch
from grid.model.pandapower_import import from_pandapower
from grid.osm_network import build_osm_network
from grid.readers.formats import read_case
from grid.reference.statistics import (
    Skeleton,
    level_statistics,
    network_statistics,
    skeleton_of_case,
    skeleton_of_network,
)
from layers.contracts import Origin, SourceCard

REPOSITORY = Path(__file__).resolve().parents[1]
ZHEJIANG = "33"


def bozhou() -> Network:
    """Network of the built-in study, by its own stages."""
    from study.cache import Cache
    from study.pipeline import Results
    from study.stages.graph import STAGES
    from study.study_file import BUILTIN_STUDIES, read_study

    study = read_study(BUILTIN_STUDIES / "bozhou.toml")
    with tempfile.TemporaryDirectory() as folder:
        network: Network = Results(study, STAGES, Cache(Path(folder))).get("network")
    return network


def zhejiang(data: Path) -> Network:
    """Districts and inhabitants of the province, its largest hour of demand, mapped lines, stations and plants."""
    file = data / "boundaries-mapchina-counties" / "counties_anhui_henan_zhejiang_sichuan_chongqing.gpkg"
    counties = gpd.read_file(file)
    own = counties[counties["Code_Province"].astype(str) == ZHEJIANG].drop_duplicates("Code_County")
    people = own["Pop_2018"].fillna(own["Pop_2010"]).to_numpy(float)
    area = own.to_crs(6933).area.to_numpy() / 1e6
    people = np.where(np.isnan(people), area * np.nanmedian(people / area), people)
    demand = pd.read_parquet(data / "load-cf-china-provinces" / "hourly_demand_31_provinces_mw.parquet", columns=["ZJ"])
    districts = gpd.GeoDataFrame(
        {
            "district_code": own["Code_County"].astype(str).to_numpy(),
            "name_zh": own["Name_County"].to_numpy(),
            "name_en": own["Code_County"].astype(str).to_numpy(),
            "area_km2": area,
            "population": people,
        },
        geometry=own.geometry.to_numpy(),
        crs=4326,
    )
    return build_osm_network(
        _card("lines", data / "grid-osm-lines-china-2016" / "china_highvoltage_2016.gpkg", "lines"),
        _card("stations", data / "grid-osm-substations-china-2025" / "osm_power_polygons_target_provinces.gpkg",
              "power"),
        _card("plants", data / "plants-wri-china" / "wri_china_target_provinces.csv"),
        districts, demand_peak_mw=float(demand["ZJ"].max()), name="Zhejiang, OSM drawn",
    )  # fmt: skip


def _card(name: str, path: Path, layer: str | None = None) -> SourceCard:
    return SourceCard(name, path, path.name, "ODbL 1.0", Origin.MAPPED, layer=layer)


def simbench() -> BusBranch:
    """SimBench's grid of 380, 220 and 110 kV, without its hourly profiles."""
    from simbench import get_simbench_net

    net = get_simbench_net("1-EHVHV-mixed-all-0-no_sw")
    net.profiles = {}
    return from_pandapower(net)


def skeletons(data: Path, with_bozhou: bool) -> list[Skeleton]:
    found = [_named(skeleton_of_network(bozhou()), "Bozhou, reference")] if with_bozhou else []
    if find_spec("simbench") is None:
        print("no package simbench: it is left out")
    else:
        found.append(_named(skeleton_of_case(simbench()), "SimBench, EHV and HV"))
    if not data.is_dir():
        print(f"no folder {data.name!r}: the real networks are left out")
        return found
    drawn = zhejiang(data)
    found.append(_named(skeleton_of_network(drawn, Origin.MAPPED), "Zhejiang, OSM mapped"))
    found.append(skeleton_of_network(drawn))
    for folder, name in (("grid-rts-gmlc", "RTS-GMLC"), ("grid-scigrid-de", "SciGRID Germany")):
        found.append(_named(skeleton_of_case(read_case(data / folder)), name))
    return found


def _named(skeleton: Skeleton, name: str) -> Skeleton:
    from dataclasses import replace

    return replace(skeleton, name=name)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--without-bozhou", action="store_true")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    data = Path(os.environ.get("FENGGUANG_DATA", REPOSITORY.parent / "shared" / "data"))
    found = skeletons(data, not arguments.without_bozhou)
    with pd.option_context("display.width", 200, "display.max_columns", None, "display.float_format", "{:.3g}".format):
        print(network_statistics(found).to_string(index=False))
        print()
        print(level_statistics(found, least_circuits=1).to_string(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
