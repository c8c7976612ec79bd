"""Land as GeoTIFF: states by majority, sets of rules, overviews, the same bytes twice."""

from __future__ import annotations

import csv
from pathlib import Path

import engine_samples as samples
import numpy as np
import pytest
import rasterio
from engine_samples import HOST_LAYERS, HOSTS, RULES

from siting.land.eligibility import evaluate_land
from siting.land.rasters import cell_states, write_land_rasters
from siting.land.reasons import rules_at


@pytest.mark.parametrize(
    ("inside", "eligible", "unknown", "state"),
    [
        (0x007F, 0x007F, 0, 0),  # 7 of 16 inside: outside
        (0x00FF, 0x00FF, 0, 1),
        (0xFFFF, 0x01FF, 0, 1),  # 9 eligible, 7 excluded
        (0xFFFF, 0x00FF, 0, 2),  # 8 to 8: excluded
        (0xFFFF, 0x000F, 0x0FF0, 3),  # 4 eligible, 8 unknown, 4 excluded
        (0xFFFF, 0x003F, 0x0FC0, 3),  # 6 to 6: unknown before eligible
        (0xFFFF, 0, 0, 2),
    ],
)
def test_state_is_that_of_the_larger_part(inside, eligible, unknown, state) -> None:
    masks = (np.full((2, 3), value, np.uint16) for value in (inside, eligible, unknown))
    assert (cell_states(*masks) == state).all()


def test_files_say_what_the_masks_say(tmp_path: Path) -> None:
    where = samples.region()
    land = evaluate_land(
        where, samples.layers(1), samples.rasters(where.frame), HOST_LAYERS, HOSTS, RULES, mapped_by=("survey",)
    )
    paths = write_land_rasters(land, where, tmp_path / "a")
    assert [p.name for p in paths][:2] == ["fish_pond_state.tif", "fish_pond_reasons.tif"]
    with (tmp_path / "a" / "rule_sets.csv").open(encoding="utf-8-sig") as stream:
        sets = {(r["host_type"], int(r["rule_set"])): r for r in csv.DictReader(stream)}
    for entry in land.lands:
        with rasterio.open(tmp_path / "a" / f"{entry.host_type}_state.tif") as file:
            assert file.crs.to_string() == where.frame.crs
            assert file.transform == where.frame.transform
            assert file.compression.value == "DEFLATE"
            state = file.read(1)
        masks = (np.asarray(mask) for mask in (where.mask, entry.eligible, entry.unknown))
        assert np.array_equal(state, cell_states(*masks))
        with rasterio.open(tmp_path / "a" / f"{entry.host_type}_reasons.tif") as file:
            number = file.read(1)
        for row, col in np.argwhere(number)[::97]:
            assert tuple(sets[entry.host_type, number[row, col]]["rules"].split()) == rules_at(entry, row, col)
        for (host, k), found in sets.items():
            if host == entry.host_type:
                assert int(found["cells"]) == np.count_nonzero(number == k)
        assert np.array_equal(number == 0, np.asarray(entry.reasons) == 0)
    again = write_land_rasters(land, where, tmp_path / "b")
    for a, b in zip(paths, again, strict=True):
        assert a.read_bytes() == b.read_bytes()
