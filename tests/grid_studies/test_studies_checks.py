"""Checks before solving: one planted fault, one finding; sound cases give no errors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pandas as pd
import pytest
from test_studies_n_1 import ring

from grid.model.checks import check_case
from grid.model.contracts import BusBranch


def put(table: str, row: int, **values: object) -> Callable[[BusBranch], BusBranch]:
    def change(case: BusBranch) -> BusBranch:
        frame = getattr(case, table).copy()
        for name, value in values.items():
            frame.loc[row, name] = value
        return replace(case, **{table: frame})

    return change


def with_units(*, shifts: tuple[float, float] = (0.0, 0.0), ratios: tuple[float, float] = (1.0, 1.0)) -> BusBranch:
    """The ring with bus 4 at 10 kV behind two parallel transformers."""
    case = put("buses", 3, vn_kv=10.0)(ring())
    rows = case.branches
    unit = rows.iloc[[4]]
    twin = pd.concat([unit, unit], ignore_index=True).assign(
        branch_id=["T1", "T2"], kind="transformer", circuit=["1", "2"], shift_degree=list(shifts), ratio=list(ratios)
    )
    return replace(case, branches=pd.concat([rows.iloc[:4], twin], ignore_index=True))


def rules(case: BusBranch, severity: str | None = None) -> list[str]:
    return [f.rule for f in check_case(case) if severity in (None, f.severity)]


def test_a_sound_case_has_no_errors_or_warnings():
    assert rules(ring(), "error") == rules(ring(), "warning") == []
    assert rules(with_units(), "error") == []


@pytest.mark.parametrize(
    ("change", "severity", "rule"),
    [
        (put("buses", 0, kind="pq"), "error", "check.no_reference"),
        (put("branches", 4, in_service=False), "warning", "check.island"),
        (put("buses", 3, vn_kv=220.0), "error", "check.levels_joined_by_line"),
        (put("branches", 2, x_pu=-0.08), "warning", "check.negative_reactance"),
        (put("branches", 2, x_pu=0.0), "warning", "check.zero_reactance"),
        (put("branches", 2, r_pu=0.2), "warning", "check.r_over_x"),
        (put("branches", 2, length_km=0.5, x_pu=0.8), "warning", "check.impedance_off_by_ten"),
        (put("branches", 2, rating_a_mva=100_000.0), "warning", "check.rating_off_by_ten"),
        (put("branches", 1, circuit="1"), "warning", "check.duplicate_circuit"),
        (put("branches", 2, to_bus=2), "error", "check.same_bus"),
        (put("generators", 1, p_mw=55.0), "warning", "check.generator_outside_limits"),
        (put("generators", 1, q_min_mvar=5.0, q_max_mvar=-5.0), "error", "check.reactive_limits_crossed"),
        (put("generators", 1, vm_pu=102.0), "warning", "check.set_point"),
    ],
)
def test_one_planted_fault_one_finding(change, severity, rule):
    found = [f for f in check_case(change(ring())) if f.severity != "note"]
    assert (severity, rule) in [(f.severity, f.rule) for f in found]
    assert all(f.remedy and f.item for f in found)


def test_trap_parallel_units_of_different_vector_groups():
    """pandapower converges at twice the rating; here it is an error before anything is solved."""
    assert "check.parallel_shift" in rules(with_units(shifts=(330.0, 0.0)), "error")
    assert rules(with_units(shifts=(330.0, -30.0)), "error") == []


def test_phase_shifts_around_a_loop_must_add_up():
    turned = put("branches", 2, kind="transformer", shift_degree=30.0)(ring())
    assert "check.vector_group" in rules(turned, "error")
    back = put("branches", 3, kind="transformer", shift_degree=-30.0)(turned)
    assert "check.vector_group" in rules(back, "error")  # 1-3 and 2-3 turn against each other around the ring
    there = put("branches", 3, kind="transformer", shift_degree=30.0)(turned)
    assert "check.vector_group" not in rules(there, "error")  # 2 -> 3 by 30 and 1 -> 3 by 30: the ring closes


def test_parallel_units_at_different_taps():
    assert "check.parallel_ratio" in rules(with_units(ratios=(1.0, 1.1)), "warning")
    assert "check.parallel_ratio" not in rules(with_units(ratios=(1.0, 1.02)), "warning")


def test_many_findings_of_a_kind_are_counted():
    rows = pd.concat([ring().branches.iloc[[2]]] * 60, ignore_index=True)
    rows = rows.assign(branch_id=[f"x{k}" for k in range(60)], circuit=[str(k) for k in range(60)], x_pu=-0.1)
    found = [f for f in check_case(replace(ring(), branches=rows)) if f.rule == "check.negative_reactance"]
    assert len(found) == 41
    assert "20 more" in found[-1].item
