"""Routes on the cost raster: against a second engine, by hand, and as properties."""

from __future__ import annotations

import geopandas as gpd
import networkx as nx
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from grid.connections.routes import Router, opened, route_field, simplified
from grid.connections.terrain import RouteTerrain, coarse_step_m, route_terrain
from grid.standards_tables import standard_table
from layers.contracts import Origin, RasterLayer, VectorLayer
from layers.frame import Frame

CRS = "EPSG:4548"
LEFT, TOP = 500_000.0, 3_700_000.0


def terrain_of(factor) -> RouteTerrain:
    factor = np.asarray(factor, dtype=np.float32)
    return RouteTerrain(Frame(CRS, 1000.0, LEFT, TOP, *factor.shape), factor, ())


def layer(name, *shapes):
    return VectorLayer(name, gpd.GeoDataFrame(geometry=list(shapes), crs=CRS), Origin.MAPPED)


def built(*layers, rasters=(), size_m=10_000, step_m=1000.0, **options):
    bounds = (LEFT, TOP - size_m, LEFT + size_m, TOP)
    return route_terrain(bounds, CRS, layers, rasters, step_m=step_m, **options)


def box(col0, row0, col1, row1):
    """Rectangle in cells of 1 km, rows from the top."""
    return shapely.box(LEFT + col0 * 1000, TOP - row1 * 1000, LEFT + col1 * 1000, TOP - row0 * 1000)


def second_engine(factor, start):
    """Dijkstra of networkx on the same graph: a step costs its length times the mean of both cells."""
    graph = nx.Graph()
    height, width = factor.shape
    for r in range(height):
        for c in range(width):
            for dr, dc in ((0, 1), (1, 0), (1, 1), (1, -1)):
                other = (r + dr, c + dc)
                if other[0] < height and 0 <= other[1] < width:
                    mean = (float(factor[r, c]) + float(factor[other])) / 2
                    if np.isfinite(mean):
                        graph.add_edge((r, c), other, weight=float(np.hypot(dr, dc)) * mean)
    return nx.single_source_dijkstra_path_length(graph, start)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), forbidden=st.booleans())
def test_routes_cost_as_much_as_with_networkx(seed, forbidden):
    rng = np.random.default_rng(seed)
    factor = (1 + 4 * rng.random((9, 12))).astype(np.float32)
    if forbidden:
        factor[rng.random(factor.shape) < 0.25] = np.inf
    factor[4, 5] = 1.0
    field = route_field(terrain_of(factor), 4, 5, 50)
    expected = second_engine(factor, (4, 5))
    rows, cols = (a.ravel() for a in np.indices(factor.shape))
    equal, length = field.to(rows, cols)
    for r, c, cost, km in zip(rows, cols, equal, length, strict=True):
        if (r, c) == (4, 5):
            continue
        assert cost == pytest.approx(expected.get((int(r), int(c)), np.inf), rel=1e-5)
        assert np.isinf(cost) == np.isinf(km)
        if np.isfinite(cost):
            assert np.hypot(r - 4, c - 5) - 1e-9 <= km <= cost + 1e-4  # factors are 1 at least


def test_plain_land_by_hand():
    """3 east and 2 south: two diagonal steps and one straight, 2 sqrt 2 + 1 = 3.83 km."""
    equal, length = route_field(terrain_of(np.ones((6, 6))), 1, 1, 20).to(np.array([3, 1]), np.array([4, 1]))
    assert [length[0], equal[0]] == pytest.approx([2 * np.sqrt(2) + 1] * 2)
    assert length[1] == 0.5  # its own cell: half a cell


def test_a_wall_is_walked_around_and_its_gap_found():
    """A forbidden wall in column 2 with a gap in row 4: from (0, 0) to (0, 4) the line goes down to the gap."""
    factor = np.ones((5, 5))
    factor[:4, 2] = np.inf
    field = route_field(terrain_of(factor), 0, 0, 20)
    rows, cols = field.path(0, 4)
    assert (4, 2) in set(zip(rows.tolist(), cols.tolist(), strict=True))
    assert (rows[0], cols[0], rows[-1], cols[-1]) == (0, 4, 0, 0)
    factor[4, 2] = np.inf
    equal, _ = route_field(terrain_of(factor), 0, 0, 20).to(np.array([0]), np.array([4]))
    assert np.isinf(equal[0])


def test_window_and_length_along_the_path_agree():
    rng = np.random.default_rng(3)
    terrain = terrain_of(1 + rng.random((40, 50)))
    field = route_field(terrain, 20, 25, 12)
    assert field.equal_km.shape == (25, 25)
    rows, cols = field.path(10, 30)
    steps = np.hypot(np.diff(rows), np.diff(cols)).sum()
    assert field.to(np.array([10]), np.array([30]))[1][0] == pytest.approx(steps)
    assert np.isinf(field.to(np.array([0]), np.array([0]))[1][0])  # beyond the window
    few_rows, few_cols = simplified(rows, cols)
    straight = shapely.LineString(np.c_[few_cols, few_rows]).length
    assert straight == pytest.approx(steps)
    assert len(few_rows) <= len(rows)


def test_router_searches_once_a_place_and_reach():
    router = Router(terrain_of(np.ones((30, 30))))
    far = router.field_at(5, 5, 20)
    assert router.field_at(5, 5, 10) is far
    assert router.field_at(5, 6, 10) is not far


def test_area_classes_and_the_dearest_of_them():
    """Forest 1.3 covers half of the cell at column 1: (1 + 1.3) / 2; a village on forest counts as village."""
    got = built(layer("forest", box(1, 0, 1.5, 1), box(3, 3, 4, 4)), layer("village", box(3, 3, 4, 4)))
    assert got.factor[0, 1] == pytest.approx(1.15)
    assert got.factor[3, 3] == pytest.approx(3.0)
    assert got.factor[0, 0] == 1.0
    assert dict(got.used) == {"forest": "forest", "village": "village"}


def test_a_crossing_costs_its_kilometres_once():
    """A road (a line) from north to south through column 5: crossing it adds 0.1 km of plain line, once."""
    x = LEFT + 5500
    road = layer("road", shapely.LineString([(x, TOP), (x, TOP - 10_000)]))
    field = route_field(built(road), 2, 2, 20)
    equal, length = field.to(np.array([2, 2]), np.array([8, 4]))
    assert length == pytest.approx([6.0, 2.0])
    assert equal == pytest.approx([6.1, 2.0], abs=1e-6)


def test_a_strip_as_wide_as_cells_costs_about_one_crossing():
    """A river of 2 km: it touches three or so cells, whose parts add up to about its 0.3 km (and water 1.3)."""
    only = standard_table("route_terrain").query("terrain == 'river_crossing'")
    river = layer("river", box(4.5, -20, 6.5, 40))
    equal, length = route_field(built(river, classes=only), 2, 2, 20).to(np.array([2]), np.array([9]))
    assert equal[0] - length[0] == pytest.approx(0.3, rel=0.25)


def test_slopes_count_from_their_degree():
    slope = np.full((10, 10), 2.0, dtype=np.float32)
    slope[0], slope[1], slope[2] = 10.0, 20.0, np.nan
    raster = RasterLayer("slope", Frame(CRS, 1000.0, LEFT, TOP, 10, 10), slope, "degree", Origin.MODELLED)
    got = built(rasters=(raster,)).factor[:, 0]
    assert got[:4] == pytest.approx([1.2, 1.5, 1.0, 1.0])


def test_forbidden_land_is_open_at_stations_and_sites_only():
    got = built(layer("military", box(0, 0, 4, 4)))
    assert np.isinf(got.factor[1, 1])
    lon, lat = got.lon_lat(np.array([1.0]), np.array([1.0]))
    free = opened(got, lon, lat)
    assert free.factor[1, 1] == 1.0
    assert np.isinf(free.factor[2, 2])
    assert got.cell(float(lon[0]), float(lat[0])) == (1, 1)
    assert got.cell(100.0, 10.0) is None


def test_the_study_names_the_class_of_its_own_layers():
    wood = layer("jungle", box(0, 0, 10, 10))
    assert built(wood).used == ()
    assert built(wood, terrain_of={"jungle": "forest"}).factor[5, 5] == pytest.approx(1.3)
    assert built(layer("forest", box(0, 0, 10, 10)), terrain_of={"forest": ""}).factor[5, 5] == 1.0


def test_step_keeps_the_raster_light():
    assert coarse_step_m((0, 0, 10_000, 10_000)) == 100
    width = height = 600_000
    step = coarse_step_m((0, 0, width, height))
    assert step == 1000
    assert coarse_step_m((0, 0, 100_000, 100_000)) == 250


def test_every_class_is_reached_by_a_layer_or_a_slope():
    """Nothing declared is untested: each row burns what its layers cover, or what is steep enough."""
    for row in standard_table("route_terrain").to_dict("records"):
        if row["kind"] == "slope" or not row["layers"]:
            continue
        for name in row["layers"].split():
            shape = shapely.LineString([(LEFT, TOP - 5500), (LEFT + 10_000, TOP - 5500)])
            got = built(layer(name, box(0, 0, 10, 10) if row["kind"] == "area" else shape))
            assert (name, row["terrain"]) in got.used
            if row["kind"] == "crossing":
                assert got.factor[5, 5] == pytest.approx(1 + row["crossing_km"])


def test_raising_a_factor_never_makes_a_route_cheaper():
    rng = np.random.default_rng(8)
    factor = 1 + rng.random((15, 15))
    rows, cols = (a.ravel() for a in np.indices(factor.shape))
    before = route_field(terrain_of(factor), 7, 7, 30).to(rows, cols)[0]
    factor[rng.random(factor.shape) < 0.3] *= 2
    assert (route_field(terrain_of(factor), 7, 7, 30).to(rows, cols)[0] >= before - 1e-5).all()
