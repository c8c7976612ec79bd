"""Published results of MATPOWER's cases: losses, slack power, lowest and highest voltage."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from gridmodel_cases import matpower_case

from grid.contracts import Status
from grid.solve import solve

# losses MW, slack P MW, vmin pu, at bus, vmax pu, branches
GOLDEN = {
    "case14": (13.3933, 232.393, 1.01000, 3, 1.0900, 20),
    "case30": (2.4438, 25.974, 0.96062, 8, 1.0000, 41),
    "case39": (43.6411, 677.871, 0.98200, 31, 1.0636, 46),
    "case57": (27.8638, 478.664, 0.93593, 31, 1.0598, 80),
    "case118": (132.8629, 513.863, 0.94300, 76, 1.0500, 186),
    "case300": (408.3156, 455.946, 0.92880, 9033, 1.0735, 411),
}


def check(case, expected):
    losses, slack, vmin, at, vmax, branches = expected
    solution = solve(case)
    assert solution.status is Status.SOLVED
    assert len(case.branches) == branches
    assert solution.losses_mw == pytest.approx(losses, abs=0.01)
    assert solution.reference_p_mw == pytest.approx(slack, abs=0.01)
    assert np.nanmin(solution.vm_pu) == pytest.approx(vmin, abs=1e-4)
    # several buses of a case can share its lowest set point: the named one is among them
    low = solution.case.buses["bus_id"].to_numpy()[solution.vm_pu < vmin + 1e-5]
    assert at in low
    assert np.nanmax(solution.vm_pu) == pytest.approx(vmax, abs=1e-4)


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_golden_case(name):
    check(matpower_case(name), GOLDEN[name])


def test_golden_case9_with_the_set_points_of_older_editions():
    """Older editions of case9 hold all machines at 1.0 pu; the current file has the textbook's 1.04, 1.025, 1.025."""
    case = matpower_case("case9")
    assert case.generators["vm_pu"].tolist() == [1.04, 1.025, 1.025]
    older = replace(case, generators=case.generators.assign(vm_pu=1.0))
    check(older, (4.9547, 71.955, 0.95762, 9, 1.0034, 9))


def test_golden_case9_of_the_textbook():
    """Anderson and Fouad, Power System Control and Stability, figure 2.19: 71.6 MW and 27 Mvar at machine 1."""
    solution = solve(matpower_case("case9"))
    assert solution.generator_p_mw[0] == pytest.approx(71.6, abs=0.05)
    assert solution.generator_q_mvar[0] == pytest.approx(27.0, abs=0.05)
    assert solution.losses_mw == pytest.approx(4.64, abs=0.005)


@pytest.mark.parametrize("name", ["case1354pegase", "case9241pegase"])
def test_large_case_loads_and_solves(name):
    case = matpower_case(name)
    solution = solve(case)
    assert solution.status is Status.SOLVED
    assert len(case.buses) == int("".join(c for c in name if c.isdigit()))
    given = np.nansum(solution.generator_p_mw)
    assert given == pytest.approx(solution.load_mw + solution.shunt_mw + solution.losses_mw, abs=1e-3)
    assert solution.load_mw == pytest.approx(case.loads["p_mw"].sum(), rel=1e-12)
