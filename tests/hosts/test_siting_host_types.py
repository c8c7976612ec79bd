"""The host type table: complete, sourced, in agreement with its neighbours, and refused with every fault named."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from layers.contracts import InputError
from siting.hosts.types import HOST_TYPES_FILE, host_type, load_host_types, nearest_key
from siting.technologies.tables import load_technology_tables

HOSTS = load_host_types()


def test_every_host_type_stands_on_rows_that_exist() -> None:
    tables = load_technology_tables()
    for host in HOSTS:
        technology = tables.technology(host.technology)
        assert (technology.kind == "wind") == (host.kind == "wind"), host.host_type
        if host.kind != "wind":
            tables.pv_variant(host.pv_variant)


def test_places_of_the_plans_are_there() -> None:
    names = {host.host_type for host in HOSTS}
    assert {"roof_public", "roof_industrial", "roof_rural", "carport", "fish_pond"} <= names
    assert {"subsidence_water", "subsidence_land", "barren_hill", "rocky_desertification", "waste_land"} <= names
    assert {"agri_greenhouse", "forest_pv", "wind_plain", "wind_mudflat", "wind_hill"} <= names


@pytest.mark.parametrize(
    ("name", "share"), [("roof_public", 0.5), ("roof_industrial", 0.3), ("roof_town", 0.2), ("roof_rural", 0.2)]
)
def test_roof_shares_are_the_whole_county_ratios(name, share) -> None:
    """NEA notice of June 2021: 50 % party and government, 30 % industry and commerce, 20 % rural homes."""
    assert host_type(HOSTS, name).usable_share == share


@pytest.mark.parametrize(
    ("name", "capacity_mw", "area_km2"),
    [
        ("subsidence_water", 300, 1640 * 0.00404686),  # Huainan: 300 MW on 1640 acres
        ("fish_pond", 200, 3.0),  # Cixi: 200 MW on 300 ha
    ],
)
def test_built_plants_lie_in_the_range_of_their_density(name, capacity_mw, area_km2) -> None:
    host = host_type(HOSTS, name)
    built = capacity_mw / area_km2
    assert host.density_low_mw_per_km2 <= built * 1.01
    assert built <= host.density_high_mw_per_km2


def test_gross_and_net_density_do_not_mix() -> None:
    """Trap gross against net: roofs count module area, land counts the whole site; a factor of 3 lies between."""
    for host in HOSTS:
        assert host.density_basis.split()[1] == ("net" if host.kind == "roof" else "gross"), host.host_type


def test_order_of_a_disputed_square_metre() -> None:
    """Roofs before water, water before land, land before wind."""
    kinds = [host.kind for host in sorted(HOSTS, key=lambda host: host.ledger_priority)]
    assert kinds == sorted(kinds, key=["roof", "ground", "wind"].index)


def table(tmp_path: Path, **changes: str) -> Path:
    """The table's first two rows in a file, the first one changed."""
    with HOST_TYPES_FILE.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))[:2]
    rows[0] |= changes
    path = tmp_path / "host_types.csv"
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize(
    ("changes", "rule", "item"),
    [
        ({"usable_share": "1.5"}, "out_of_range", "row 2, usable_share"),
        ({"density_mw_per_km2": "many"}, "not_a_number", "row 2, density_mw_per_km2"),
        ({"density_mw_per_km2": "230"}, "density_range", "row 2"),
        ({"density_basis": "ac net"}, "density_basis", "row 2, density_basis"),
        ({"kind": "rooof"}, "value_not_allowed", "row 2, kind"),
        ({"host_type": "roof_industrial"}, "repeated", "row 3, host_type"),
        ({"colour": "blue"}, "colour", "row 2, colour"),
        ({"source": ""}, "value_missing", "row 2, source"),
        ({"pv_variant": ""}, "pv_variant", "row 2"),
    ],
)
def test_faulty_row_is_named(tmp_path, changes, rule, item) -> None:
    with pytest.raises(InputError) as caught:
        load_host_types(table(tmp_path, **changes))
    assert [(f.rule, f.item) for f in caught.value.findings] == [(f"host_type.{rule}", item)]
    assert str(tmp_path) not in str(caught.value)


def test_all_faults_at_once(tmp_path) -> None:
    with pytest.raises(InputError) as caught:
        load_host_types(table(tmp_path, usable_share="0", max_capacity_mw="x", confidence="D"))
    assert len(caught.value.findings) == 3


def test_unknown_host_type_names_the_nearest() -> None:
    with pytest.raises(InputError) as caught:
        host_type(HOSTS, "fishpond")
    assert "fish_pond" in caught.value.findings[0].remedy
    assert nearest_key("zzz", ["b", "a"]) == "Known: a, b."
