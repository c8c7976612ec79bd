"""Host types as data, ponds, mudflats, prepared layers, shares by layer, co-use, and what sites are said to be."""

from __future__ import annotations

import csv
import math
import sys
from dataclasses import replace
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "siting"))
from siting_samples import CRS, box, layer, region

from layers.contracts import InputError, Origin, RasterLayer, VectorLayer
from layers.frame import Frame
from layers.mask_store import MaskStore
from siting.contracts import SITE_ATTRIBUTES, HostLayer
from siting.hosts.layers import HostSpec, check_specs, host_layers, prepare_host_layers
from siting.hosts.mudflats import intertidal, unknown_km2
from siting.hosts.ponds import load_support_rules, pond_support
from siting.hosts.types import HOST_TYPES_FILE, host_type, load_host_types, may_share_land
from siting.land.co_use import co_use_factors, load_co_use
from siting.land.eligibility import evaluate_land
from siting.sites.attributes import Surroundings, compactness, site_attributes
from siting.sites.candidates import delineate_sites
from siting.technologies.tables import load_technology_tables

HOSTS = load_host_types()
ASKED_FOR = {
    "roofs of government and public buildings": {"roof_public", "roof_institution"},
    "industrial, commercial and park buildings": {"roof_industrial"},
    "residential and rural roofs": {"roof_town", "roof_rural"},
    "carports": {"carport"},
    "facades": {"facade"},
    "fish ponds": {"fish_pond", "pond_floating"},
    "subsidence land and water": {"subsidence_land", "subsidence_water"},
    "barren hills": {"barren_hill"},
    "rocky desertification": {"rocky_desertification"},
    "waste mines and landfills": {"waste_land"},
    "forest PV": {"forest_pv"},
    "agricultural facilities, greenhouses, agri-PV": {"agri_greenhouse", "greenhouse_cdte", "agri_pv"},
    "expressways and rail lines": {"expressway_slope", "service_area", "rail_side"},
    "sewage ponds": {"sewage_cover"},
    "mudflats": {"wind_mudflat"},
    "plains and hills": {"wind_plain", "wind_hill"},
    "near the load": {"wind_near_load"},
}


def sites_of(layers, hosts, *, hosts_known=HOSTS, co_use=(), prevailing=None, strip_rows=None, where=None):
    where = where or region()
    land = evaluate_land(where, layers, (), hosts, hosts_known, (), mapped_by=(), co_use=co_use)
    sites = delineate_sites(
        land, where, hosts_known, hosts, block_km=2.0, study_code="TT", layers=layers, co_use=co_use,
        prevailing_from_deg=prevailing, strip_rows=strip_rows,
    )  # fmt: skip
    return land, sites


# --- host types -------------------------------------------------------------------------------------------------------


def test_every_place_of_the_plans_has_its_host_type() -> None:
    names = {host.host_type for host in HOSTS}
    for place, wanted in ASKED_FOR.items():
        assert wanted <= names, place
    assert set().union(*ASKED_FOR.values()) == names  # and none that nobody asked for


def test_rows_agree_with_their_neighbours() -> None:
    tables = load_technology_tables()
    names = {host.host_type for host in HOSTS}
    for host in HOSTS:
        assert (tables.technology(host.technology).kind == "wind") == (host.kind == "wind")
        if host.pv_variant:
            tables.pv_variant(host.pv_variant)
        assert set(host.co_use.split()) <= names, host.host_type
        assert (host.geometry == "line") == (host.strip_width_m > 0)
        largest_km2 = host.max_capacity_mw / (host.density_mw_per_km2 * host.usable_share)
        assert largest_km2 * 1e6 > host.min_area_m2, host.host_type
    for row in load_co_use():
        assert row.host_type in (*names, "*")
        assert row.with_host_type in (*names, "*")
        assert row.source


def test_new_host_type_needs_no_python(tmp_path) -> None:
    """A row more in the table is a host type: land, sites and capacity follow from it."""
    with HOST_TYPES_FILE.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    row = next(r for r in rows if r["host_type"] == "waste_land") | {
        "host_type": "salt_pan", "label_zh": "盐田光伏", "label_en": "salt-pan PV", "density_mw_per_km2": "50",
        "usable_share": "1", "ledger_priority": "40", "abbreviation": "SP", "colour": "#010203",
    }  # fmt: skip
    path = tmp_path / "host_types.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(row))
        writer.writeheader()
        writer.writerows([*rows, row])
    known = load_host_types(path)
    _, sites = sites_of([layer("pan", box(600, 600, 1600, 1600))], [HostLayer("salt_pan", "pan")], hosts_known=known)
    assert sites.candidates["candidate_id"].str.startswith("TT-SP-").all()
    assert sites.candidates["capacity_mw"].sum() == pytest.approx(50, rel=0.01)


def test_columns_with_a_default_may_be_left_out(tmp_path) -> None:
    with HOST_TYPES_FILE.open(encoding="utf-8") as lines:
        rows = [{k: v for k, v in r.items() if k not in ("geometry", "strip_width_m", "attributes", "co_use")}
                for r in csv.DictReader(lines) if r["host_type"] == "fish_pond"]  # fmt: skip
    path = tmp_path / "host_types.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert load_host_types(path)[0].geometry == "polygon"


# --- ponds and mudflats -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("area_m2", "depth_m", "support", "assumed"),
    [
        (20_000, 2.0, "pile", False),
        (20_000, 3.0, "pile", False),
        (20_000, 3.1, "floating", False),
        (5_000_000, 2.0, "pile", False),  # a known depth outweighs the area
        (20_000, math.nan, "pile", True),
        (1_000_000, math.nan, "pile", True),
        (1_000_001, math.nan, "floating", True),
    ],
)
def test_truth_table_of_pond_support(area_m2, depth_m, support, assumed) -> None:
    found, unknown = pond_support([area_m2], [depth_m])
    assert (found[0], bool(unknown[0])) == (support, assumed)


def test_support_rules_leave_no_pond_without_support() -> None:
    assert load_support_rules()[-1].support
    area, depth = np.meshgrid(np.geomspace(1, 1e9, 30), [*np.linspace(0, 60, 30), np.nan])
    assert set(pond_support(area.ravel(), depth.ravel())[0]) == {"pile", "floating"}


def test_intertidal_is_between_low_and_high_water() -> None:
    """Bed falling from +3 m to -3 m over 60 columns: cells from low (inclusive) to high water (exclusive)."""
    frame = Frame(CRS, 30.0, 500_010.0, 3_700_020.0, 4, 60)
    bed = np.tile(np.linspace(3, -2.9, 60, dtype=np.float32), (4, 1))
    bed[0, :] = np.nan
    raster = RasterLayer("bed", frame, bed, "m", Origin.MEASURED)
    made = intertidal(raster, -1.0, 1.5, "flat")
    inside = ((bed >= -1.0) & (bed < 1.5)).sum()
    assert made.features.area.sum() == pytest.approx(inside * 900)
    assert made.origin == Origin.MODELLED
    assert unknown_km2(raster) == pytest.approx(60 * 900 / 1e6)
    with pytest.raises(InputError, match="not above"):
        intertidal(raster, 1.0, 1.0, "flat")


# --- prepared layers --------------------------------------------------------------------------------------------------


def test_prepared_layers_by_hand() -> None:
    where = region()
    table = gpd.GeoDataFrame(
        {"kind": ["school", "government", "x"], "height_m": [12.0, 20.0, None], "depth_m": [1.0, 6.0, np.nan]},
        geometry=[box(0, 0, 100, 100), box(200, 0, 300, 100), box(400, 0, 500, 100)], crs=CRS,
    )  # fmt: skip
    things = VectorLayer("things", table, Origin.MAPPED)
    axis = gpd.GeoDataFrame(geometry=[shapely.LineString([(500_010, 3_701_000), (502_010, 3_701_000)])], crs=CRS)
    road = VectorLayer("road", axis, Origin.MAPPED)
    bed = RasterLayer("bed", where.frame, np.zeros(where.frame.shape, np.float32), "m", Origin.MEASURED)
    specs = [
        HostSpec("roof_institution", "things", roof_classes=("public",), height_column="height_m"),
        HostSpec("pond_floating", "things", support="floating", depth_column="depth_m"),
        HostSpec("expressway_slope", "road"),
        HostSpec("wind_mudflat", "bed", low_water_m=-1, high_water_m=1),
        HostSpec("roof_town", "things", modelled_as="residential", footprints=("things",)),
        HostSpec("fish_pond", "things"),
    ]
    ground = prepare_host_layers(specs, HOSTS, [things, road], [bed], latitude=33.0)
    names = [entry.layer for entry in host_layers(specs, HOSTS)]
    assert names == ["things:roof_institution", "things:pond_floating", "road:expressway_slope", "bed:wind_mudflat",
                     "things:roof_town", "things"]  # fmt: skip
    made = {one.id: one for one in ground.layers}
    assert sorted(made) == sorted(names[:5])
    assert len(made["things:roof_institution"].features) == 1
    assert made["things:pond_floating"].features["depth_m"].tolist() == [6.0]
    assert made["road:expressway_slope"].features.area.sum() == pytest.approx(2000 * 60)  # strip of 60 m
    assert made["bed:wind_mudflat"].features.area.sum() == pytest.approx(where.frame.height * where.frame.width * 900)
    assert made["things:roof_town"].features.empty  # all of it is mapped roof
    assert ground.roofs["roof_class"].tolist() == ["public"]
    assert {note.rule for note in ground.notes} >= {"hosts.roofs_unclassed", "hosts.pond_depth", "hosts.roofs_modelled"}


def test_all_faults_of_the_entries_at_once() -> None:
    specs = [
        HostSpec("roof_town", "a", roof_classes=("towns",)),
        HostSpec("roof_town", "b", modelled_as="housing"),
        HostSpec("wind_mudflat", "c", low_water_m=1.0),
        HostSpec("wind_mudflat", "d", low_water_m=1.0, high_water_m=0.0),
        HostSpec("roof_town", "e", footprints=("f",)),
    ]
    found = check_specs(specs, "study.toml")
    assert [f.rule for f in found] == ["hosts.roof_class", "hosts.roof_stock", "hosts.tide", "hosts.tide",
                                       "hosts.footprints"]  # fmt: skip
    assert "town" in found[0].remedy
    with pytest.raises(InputError):
        prepare_host_layers(specs, HOSTS, [], [], latitude=33.0)
    with pytest.raises(InputError) as caught:
        prepare_host_layers(
            [
                HostSpec("fish_pond", "gone", support="pile"),
                HostSpec("wind_mudflat", "bed", low_water_m=0, high_water_m=1),
            ],
            HOSTS, [], [], latitude=33.0,
        )  # fmt: skip
    assert [f.rule for f in caught.value.findings] == ["hosts.unknown_layer", "hosts.raster"]
    with pytest.raises(InputError, match="holds polygons"):
        prepare_host_layers([HostSpec("rail_side", "pond")], HOSTS, [layer("pond", box(0, 0, 9, 9))], [], latitude=33.0)


# --- shares -----------------------------------------------------------------------------------------------------------

LOOSE, DENSE = layer("loose", box(0, 0, 900, 900)), layer("dense", box(600, 0, 1500, 900))


def test_layers_of_one_host_type_may_state_different_shares() -> None:
    """0.2 of 600 m x 900 m, and 0.5 of 900 m x 900 m: where both lie, the greater share counts, once."""
    hosts = [HostLayer("roof_rural", "loose", 0.2), HostLayer("roof_rural", "dense", 0.5)]
    _, sites = sites_of([LOOSE, DENSE], hosts)
    assert sites.candidates["area_m2"].sum() == pytest.approx(0.2 * 540_000 + 0.5 * 810_000, rel=1e-3)
    _, turned = sites_of([DENSE, LOOSE], hosts[::-1])
    pd.testing.assert_frame_equal(pd.DataFrame(sites.candidates), pd.DataFrame(turned.candidates))


def test_share_of_each_feature() -> None:
    table = LOOSE.features.assign(share=[0.1])
    both = pd.concat([table, DENSE.features.assign(share=[0.4])], ignore_index=True)
    village = VectorLayer("village", gpd.GeoDataFrame(both, crs=CRS), Origin.MAPPED)
    _, sites = sites_of([village], [HostLayer("roof_rural", "village", 1.0, "share")])
    assert sites.candidates["area_m2"].sum() == pytest.approx(0.1 * 540_000 + 0.4 * 810_000, rel=1e-3)


@pytest.mark.parametrize(("column", "value"), [("gone", 0.5), ("share", 1.5), ("share", math.nan)])
def test_faulty_share_column_is_named(column, value) -> None:
    village = replace(LOOSE, features=LOOSE.features.assign(share=[value]))
    with pytest.raises(InputError, match="share"):
        sites_of([village], [HostLayer("roof_rural", "loose", 1.0, column)])


# --- ledger, strips, stores -------------------------------------------------------------------------------------------

FEW = settings(max_examples=10, deadline=None)


def random_ground(seed: int) -> list[VectorLayer]:
    rng = np.random.default_rng(seed)

    def blobs(count: int, least: float, most: float) -> list[shapely.Geometry]:
        places = [
            shapely.Point(500_010 + rng.uniform(0, 6000), 3_700_020 + rng.uniform(0, 4000)).buffer(
                rng.uniform(least, most)
            )
            for _ in range(count)
        ]
        return [shapely.union_all(places)]

    return [layer("pond", *blobs(9, 60, 500)), layer("field", *blobs(8, 300, 1400)), layer("town", *blobs(7, 50, 600)),
            layer("village", *blobs(7, 50, 600))]  # fmt: skip


FOUR = (
    HostLayer("fish_pond", "pond"),
    HostLayer("wind_plain", "field"),
    HostLayer("roof_town", "town", 0.25),
    HostLayer("roof_town", "village", 0.1),
)
SHARED = (("fish_pond", "wind_plain"),)


@FEW
@given(seed=st.integers(0, 10_000), share=st.booleans())
def test_land_of_sites_and_remainder_is_the_ledger(seed, share) -> None:
    """Counted anew on the masks: every owned sub-cell is in one site or in one remainder."""
    layers = random_ground(seed)
    co_use = SHARED if share else ()
    land, sites = sites_of(layers, FOUR, co_use=co_use)
    states = land.states.set_index("host_type")
    left = sites.remainder.groupby("host_type")["area_km2"].sum()
    in_sites = sites.candidates.groupby("host_type")["area_m2"].sum() / 1e6
    for name in ("fish_pond", "wind_plain"):
        total = in_sites.get(name, 0.0) + left.get(name, 0.0)
        assert total == pytest.approx(states.at[name, "owned_km2"], rel=1e-12, abs=1e-12)
    turbines = sites.turbines.groupby("candidate_id").size()
    for row in sites.candidates.itertuples():
        host = host_type(HOSTS, row.host_type)
        assert row.capacity_mw <= host.max_capacity_mw * (1 + 1e-9)
        if host.kind == "wind":
            assert row.capacity_mw == pytest.approx(turbines[row.candidate_id] * 3.3)
        else:
            factor = co_use_factors(row.host_type, "wind_plain")[0] if share else 1.0
            full = row.area_m2 / 1e6 * host.usable_share * host.density_mw_per_km2
            assert full * factor * (1 - 1e-9) <= row.capacity_mw <= full * (1 + 1e-9)


@FEW
@given(seed=st.integers(0, 10_000), rows=st.integers(3, 140))
def test_any_strip_height_and_any_store_give_the_same_bits(seed, rows) -> None:
    layers, where = random_ground(seed), region()
    land, whole = sites_of(layers, FOUR, co_use=SHARED)
    _, strips = sites_of(layers, FOUR, co_use=SHARED, strip_rows=rows)
    stored = replace(land, lands=tuple(replace(one, owned=MaskStore.of(np.asarray(one.owned))) for one in land.lands))
    arrays = replace(land, lands=tuple(replace(one, owned=np.asarray(one.owned)) for one in land.lands))
    others = [strips] + [
        delineate_sites(one, where, HOSTS, FOUR, block_km=2.0, study_code="TT", layers=layers, co_use=SHARED)
        for one in (stored, arrays)
    ]
    for other in others:
        pd.testing.assert_frame_equal(pd.DataFrame(whole.candidates), pd.DataFrame(other.candidates), check_exact=True)
        pd.testing.assert_frame_equal(whole.remainder, other.remainder, check_exact=True)
        pd.testing.assert_frame_equal(whole.turbines, other.turbines, check_exact=True)


def test_turbines_of_a_large_field() -> None:
    """20 km2 of field: about 20 / 0.852 turbines of 3.3 MW, every one in its site, ids numbered from the north."""
    field = layer("field", box(300, 300, 5700, 3700))
    _, sites = sites_of([field], [HostLayer("wind_plain", "field")], prevailing=0.0)
    expected = 5.4 * 3.4 / (7 * 5 * 0.156**2)
    assert len(sites.turbines) == pytest.approx(expected, rel=0.25)
    assert sites.candidates["capacity_mw"].sum() == pytest.approx(3.3 * len(sites.turbines))
    shape = sites.candidates.set_index("candidate_id").geometry
    for row in sites.turbines.itertuples():
        assert shape[row.candidate_id].distance(shapely.Point(row.x_m, row.y_m)) < 30
        assert row.turbine_id.startswith(row.candidate_id)
    one = sites.turbines[sites.turbines["candidate_id"] == sites.turbines["candidate_id"].iloc[0]]
    assert one["y_m"].is_monotonic_decreasing or len(one) < 2


def test_turbines_stay_when_the_region_grows() -> None:
    field = layer("field", box(600, 600, 3000, 3400))
    hosts = [HostLayer("wind_plain", "field")]
    _, here = sites_of([field], hosts)
    _, wider = sites_of([field], hosts, where=region(9000, 4000, x0=-3000))
    pd.testing.assert_frame_equal(here.turbines, wider.turbines, check_exact=True)


def test_too_few_turbines_are_named() -> None:
    """1.2 km2 of plain, a square, may hold two or three turbines; a strip of 100 m x 600 m holds one."""
    where = region()
    strip = layer("strip", box(600, 600, 720, 1200))
    _, sites = sites_of([strip], [HostLayer("wind_near_load", "strip")], where=where)
    assert len(sites.turbines) == 1  # near the load one turbine is enough
    tiny = [replace(h, min_area_m2=1000.0) if h.host_type == "wind_plain" else h for h in HOSTS]
    _, none = sites_of([strip], [HostLayer("wind_plain", "strip")], hosts_known=tiny)
    assert none.candidates.empty
    assert none.remainder["reason"].tolist() == ["too_few_turbines"]


def test_strips_along_roads_are_gathered() -> None:
    axis = gpd.GeoDataFrame(geometry=[shapely.LineString([(500_310, 3_701_500), (505_500, 3_702_900)])], crs=CRS)
    road = VectorLayer("road", axis, Origin.MAPPED)
    specs = [HostSpec("expressway_slope", "road")]
    ground = prepare_host_layers(specs, HOSTS, [road], [], latitude=33.0)
    land, sites = sites_of(list(ground.layers), host_layers(specs, HOSTS))
    in_sites = sites.candidates["area_m2"].sum() / 1e6 + sites.remainder["area_km2"].sum()
    assert in_sites == pytest.approx(land.states["owned_km2"].iloc[0])
    assert len(sites.candidates) >= 3  # blocks of 2 km along 5.4 km
    assert "fringe" not in set(sites.remainder["reason"])  # narrow as it is, nothing is lost


# --- co-use -----------------------------------------------------------------------------------------------------------


def test_co_use_keeps_its_density_and_yield() -> None:
    """A pond wholly within a wind field: 0.96 of its density and 0.985 of its yield; the turbines lose nothing."""
    layers = [layer("pond", box(900, 900, 1500, 1500)), layer("field", box(300, 300, 3000, 3000))]
    hosts = [HostLayer("fish_pond", "pond"), HostLayer("wind_plain", "field")]
    _, alone = sites_of(layers, hosts)
    _, both = sites_of(layers, hosts, co_use=SHARED)
    pond = both.candidates.set_index("host_type").loc["fish_pond"]
    assert pond["capacity_mw"] == pytest.approx(0.36 * 60 * 0.96, rel=1e-3)
    assert alone.candidates.set_index("host_type").loc["fish_pond", "capacity_mw"] == pytest.approx(0.36 * 60, rel=1e-3)
    row = both.co_use.loc[pond["candidate_id"]]
    assert row["shared_share"] == pytest.approx(1.0)
    assert row["co_use_yield_factor"] == pytest.approx(0.985)
    assert len(both.turbines) >= len(alone.turbines)
    assert alone.co_use.empty


def test_factors_and_faults_of_the_co_use_table(tmp_path) -> None:
    assert co_use_factors("fish_pond", "wind_plain") == (0.96, 0.985)
    assert co_use_factors("wind_plain", "fish_pond") == (1.0, 1.0)
    assert may_share_land(host_type(HOSTS, "fish_pond"), host_type(HOSTS, "wind_plain"))
    assert not may_share_land(host_type(HOSTS, "fish_pond"), host_type(HOSTS, "forest_pv"))
    path = tmp_path / "co_use.csv"
    path.write_text(
        "host_type,with_host_type,density_factor,yield_factor,source,confidence\na,b,2,x,s,C\na,b,1,1,s,C\n"
    )
    with pytest.raises(InputError) as caught:
        load_co_use(path)
    assert [f.rule for f in caught.value.findings] == ["co_use.range", "co_use.range", "co_use.repeated"]


# --- attributes -------------------------------------------------------------------------------------------------------


def test_compactness_of_known_shapes() -> None:
    disk, strip = shapely.Point(0, 0).buffer(100, quad_segs=64), shapely.box(0, 0, 100, 1)
    found = compactness(np.array([disk, shapely.box(0, 0, 1, 1), strip], dtype=object))
    assert found.tolist() == pytest.approx([1.0, math.pi / 4, 4 * math.pi * 100 / 202**2], rel=1e-3)


def test_attributes_of_sites_by_hand() -> None:
    where = region()
    layers = [layer("pond", box(600, 600, 1200, 1200), box(4200, 600, 4800, 1200))]
    _, sites = sites_of(layers, [HostLayer("fish_pond", "pond")])
    stations = gpd.GeoDataFrame(
        {"station_id": ["W", "E"]}, geometry=[box(0, 0, 2, 2).centroid, box(5998, 0, 6000, 2).centroid], crs=CRS
    )
    towns = layer("town", box(0, 0, 3000, 4000))
    towns = replace(towns, features=towns.features.assign(name=["古井镇"]))
    slope = RasterLayer("slope", where.frame, np.full(where.frame.shape, 2.0, np.float32), "degree", Origin.MEASURED)
    around = Surroundings(
        where.districts, roads=layer("road", box(1500, 0, 1530, 4000)), stations=stations, townships=towns, slope=slope
    )
    table = site_attributes(sites, around)
    west = table["supply_area"] == "W"
    assert sorted(table["supply_area"]) == ["E", "W"]
    assert table.loc[west, "road_km"].tolist() == pytest.approx([0.3], abs=0.03)
    assert table.loc[west, "township"].tolist() == ["古井镇"]
    assert table.loc[~west, "township"].tolist() == [""]
    assert table["mean_slope_deg"].tolist() == pytest.approx([2.0, 2.0])
    assert table["compactness"].tolist() == pytest.approx([math.pi / 4] * 2, abs=0.06)
    assert table["line_km"].isna().all()
    assert table["roof_count"].isna().all()
    assert (table["turbine_count"] == 0).all()
    nothing = replace(sites, candidates=sites.candidates.iloc[:0])
    SITE_ATTRIBUTES.validate(site_attributes(nothing, around))


def test_roofs_of_a_site_are_summed() -> None:
    table = gpd.GeoDataFrame(
        {"kind": ["school", "school"], "height_m": [10.0, None]},
        geometry=[box(600, 600, 660, 660), box(700, 600, 730, 630)], crs=CRS,
    )  # fmt: skip
    specs = [HostSpec("roof_institution", "roof", roof_classes=("public",), height_column="height_m")]
    ground = prepare_host_layers(specs, HOSTS, [VectorLayer("roof", table, Origin.MAPPED)], [], latitude=33.0)
    _, sites = sites_of(list(ground.layers), host_layers(specs, HOSTS))
    row = site_attributes(sites, Surroundings(region().districts, roofs=ground.roofs)).iloc[0]
    assert row["roof_count"] == 2
    assert row["pitched_share"] == 0
    assert row["shading_loss_share"] == 0  # nothing stands above the only roof of known height
    assert sites.candidates["capacity_mw"].sum() == pytest.approx(4500e-6 * 0.4 * 154, rel=0.02)
