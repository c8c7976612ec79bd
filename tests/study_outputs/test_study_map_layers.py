"""Layers of the map made from heavy results: land pictures, what lies under the sites, shapes of year and day."""

from __future__ import annotations

import io

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from shapely.geometry import box

from layers.contracts import Region
from layers.frame import Frame
from layers.mask_store import MaskStore
from siting.contracts import HostLand
from study.outputs.land_pictures import land_picture, together
from study.outputs.map_layers import backdrop_layers, light_shapes, month_and_day
from study.study_file import PROGRAM_ROOT, read_study

WHOLE = 0xFFFF
COLOURS, RULE_COLOURS = ("#1b9e77", "#c9cdd1"), ("#cc6677", "#332288")


def small_region(rows: int, columns: int, metres: float = 100.0) -> Region:
    frame = Frame("EPSG:4508", metres, 500_000.0, 3_750_000.0, rows, columns)
    districts = gpd.GeoDataFrame({"district_code": ["1"]}, geometry=[box(*frame.bounds)], crs=frame.crs)
    ones = np.ones((rows, columns))
    return Region(
        frame, districts, ones.astype(np.int16), np.full((rows, columns), WHOLE, np.uint16), np.full(rows, metres**2)
    )


def reasons(bits: np.ndarray) -> MaskStore:
    return MaskStore.of(bits.astype(np.uint16))


# One row of cells: no host, eligible, a bit eligible and no rule, a bit eligible beside a rule, unknown, rule a,
# rule b, both, and outside the region.
ELIGIBLE = np.array([[0, WHOLE, 0x3, 0x3, 0, 0, 0, 0, WHOLE]], np.uint16)
UNKNOWN = np.array([[0, 0, 0, 0, 0xF, 0, 0, 0, 0]], np.uint16)
REASONS = np.array([[0, 0, 0, 1, 1, 1, 2, 3, 0]])
EXPECTED = ["", "eligible", "eligible", "a", "unknown", "a", "b", "several", ""]


def picture_of_the_row():
    where = small_region(1, 9)
    where.mask[0, 8] = 0
    land = HostLand("fish_pond", ELIGIBLE, UNKNOWN, ELIGIBLE, reasons=reasons(REASONS), rules=("a", "b"))
    return land_picture(land, where, COLOURS, RULE_COLOURS, lambda rule: (f"{rule}中", f"{rule} en"))


def test_every_cell_has_its_class_and_the_legend_its_area() -> None:
    """Cells of 100 m: 0.01 km2 each, counted by class."""
    picture = picture_of_the_row()
    assert picture is not None
    expected = pd.Series(EXPECTED)[lambda s: s != ""].value_counts()
    assert {c.rule: round(c.km2 / 0.01) for c in picture.classes} == expected.to_dict()
    assert [(c.rule, c.name_zh, c.colour) for c in picture.classes][:4] == [
        ("eligible", "", "#1b9e77"), ("unknown", "", "#c9cdd1"), ("a", "a中", "#cc6677"), ("b", "b中", "#332288"),
    ]  # fmt: skip


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_the_picture_is_a_png_in_web_mercator_with_the_legend_s_colours() -> None:
    """Read by GDAL: the colours from west to east are those of the cells, transparent where there is no host land."""
    picture = picture_of_the_row()
    assert picture is not None
    with rasterio.open(io.BytesIO(picture.png)) as file:
        values, colours = file.read(1), file.colormap(1)
    row = values[values.shape[0] // 2]
    seen = [int(row[k]) for k in np.flatnonzero(np.diff(row, prepend=-1))]
    assert seen == [0, 1, 3, 2, 3, 4, 5, 0]
    assert colours[1][:3] == (0x1B, 0x9E, 0x77)
    assert colours[0][3] == 0
    # The frame lies west and east of the zone's middle; 900 m at 33.9 N are about 0.0097 degrees.
    assert picture.east - picture.west == pytest.approx(900 / (111_320 * np.cos(np.radians(picture.north))), rel=0.15)
    assert picture.south < 33.88 < picture.north + 0.02


def test_a_host_type_without_land_has_no_picture() -> None:
    none = np.zeros((2, 2), np.uint16)
    land = HostLand("fish_pond", none, none, none, reasons=None, rules=())
    assert land_picture(land, small_region(2, 2), COLOURS, RULE_COLOURS, lambda rule: (rule, rule)) is None


def test_blocks_take_the_class_of_most_cells_and_keep_small_land() -> None:
    """3 x 3 block: five outside, two of class 1, one of 2, one of 3: class 1. A last, narrower block counts too."""
    cells = np.array([[0, 1, 0, 3], [2, 1, 0, 3], [0, 3, 0, 0]], np.uint8)
    assert together(cells, 3, 4).tolist() == [[1, 3]]


def test_month_and_day_add_up_to_the_year() -> None:
    """Full power in the hour from noon on the days of July: 31 kWh/kW in July, and 31/365 of full power at 12."""
    index = pd.date_range("2023-01-01", periods=8760, freq="h", tz="Asia/Shanghai")
    power = ((index.month == 7) & (index.hour == 12)).astype(float)[None, :]
    months, hours = month_and_day(power, index)
    assert months[0].tolist() == [0, 0, 0, 0, 0, 0, 31, 0, 0, 0, 0, 0]
    assert hours[0][12] == pytest.approx(31 / 365)
    assert hours[0].sum() == pytest.approx(31 / 365)


def test_backdrops_are_told_by_what_layers_are_used_for() -> None:
    layers = backdrop_layers(read_study(PROGRAM_ROOT / "study" / "builtin" / "bozhou.toml").file)
    assert ("water", "river") in layers
    assert ("water", "fish_pond") in layers
    assert ("road", "road") in layers
    assert [kind for kind, _ in layers] == sorted(
        (kind for kind, _ in layers), key=["water", "built_up", "road", "rail"].index
    )


def test_small_shapes_are_left_out_of_a_backdrop_and_lines_are_kept() -> None:
    """Water from 4 ha: a pond of 100 x 100 m goes, a lake of 1 km2 stays, in WGS-84."""
    shapes = gpd.GeoSeries([box(0, 0, 100, 100), box(0, 0, 1000, 1000)], crs="EPSG:4508").translate(500_000, 3_750_000)
    kept = light_shapes("water", shapes)
    assert len(kept) == 1
    assert kept.crs.to_epsg() == 4326
    assert len(light_shapes("road", shapes.boundary)) == 2
