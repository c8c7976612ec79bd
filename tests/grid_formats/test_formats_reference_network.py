"""A Chinese provincial-style network (500/220/110 kV, Chinese names) through PSD-BPA and the other formats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from grid.contracts import Status
from grid.model.contracts import BusBranch
from grid.model.planning import from_network
from grid.readers.bpa import read_bpa
from grid.readers.formats import read_case
from grid.reference_network import SUMMER_PEAK, ReferenceGridSpec, build_reference_network
from grid.solve import solve
from grid.writers.bpa import write_bpa
from grid.writers.formats import write_case


@pytest.fixture(scope="module")
def case() -> BusBranch:
    rng = np.random.default_rng(1)
    points = pd.DataFrame({
        "lon": 116 + rng.uniform(0, 0.6, 120), "lat": 33.2 + rng.uniform(0, 0.5, 120),
        "p_mw": rng.uniform(1, 6, 120), "district_code": "A",
    })  # fmt: skip
    network = build_reference_network(ReferenceGridSpec("亳州", 400.0), points)
    found = from_network(network, SUMMER_PEAK)
    names = ("谯城", "涡阳", "蒙城", "利辛", "古井", "城北")
    chinese = [f"{names[k % 6]}{k}" for k in range(len(found.buses))]
    return replace(found, buses=found.buses.assign(name=chinese))


def test_psd_bpa_reads_back_to_the_same_flows_and_names(tmp_path, case):
    write_bpa(case, tmp_path / "anhui.dat")
    raw = (tmp_path / "anhui.dat").read_bytes()
    assert "谯城".encode("gbk") in raw
    back = read_bpa(tmp_path / "anhui.dat")
    assert list(back.buses["name"]) == list(case.buses["name"])
    ours, again = solve(case), solve(back)
    assert ours.status is again.status is Status.SOLVED
    assert np.abs(again.vm_pu - ours.vm_pu).max() < 6e-4  # set points have three decimals in the format
    apart = np.abs(again.p_from_mw - ours.p_from_mw)
    assert apart.max() < 0.5 + 0.005 * np.abs(ours.p_from_mw).max()
    assert again.losses_mw == pytest.approx(ours.losses_mw, rel=0.01)


@pytest.mark.parametrize("target", ["net.m", "net.json", "net.gpkg", "tables"])
def test_the_other_formats_keep_the_flows_to_the_last_digits(tmp_path, case, target):
    write_case(case, tmp_path / target)
    again, ours = solve(read_case(tmp_path / target)), solve(case)
    assert again.status is Status.SOLVED
    assert np.abs(np.sort(again.vm_pu) - np.sort(ours.vm_pu)).max() < 1e-6
    # formats without a branch conductance keep iron losses as shunts of the buses
    assert again.losses_mw + again.shunt_mw == pytest.approx(ours.losses_mw + ours.shunt_mw, abs=1e-3)
