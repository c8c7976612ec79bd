"""Short-circuit currents by hand and by properties."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shortcircuit_cases import ENGINES, C, close, currents, infeed_and_line, machine_behind_transformer, meshed

from grid.model.contracts import CASE_GENERATORS, fill
from grid.standards_tables import standard_table

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*:FutureWarning", "ignore:.*:DeprecationWarning", "ignore:An ill-conditioned matrix"
)


@pytest.mark.parametrize("engine", ENGINES)
def test_infeed_and_line_by_hand(engine):
    """S"k = 2000 MVA at bus 1: I"k = 2000 / (sqrt3 110) = 10.497 kA. Z_Q = 1.1 110^2 / 2000 = 6.655 ohm, R/X 0.1.
    At bus 2 the line adds 2 + j8 ohm; its r0 = 2 + 0.2 * 20 = 6 ohm, x0 = 3 * 8 = 24 ohm; Z_Q0 = 1.5 Z_Q."""
    table = currents(infeed_and_line(), engine, infeed_s_sc_mva={"Q1": 2000.0})
    close(table.loc[1, "ikss_3ph_ka"], 2000 / (np.sqrt(3) * 110))
    x_q = 6.655 / np.sqrt(1.01)
    z_q = complex(0.1 * x_q, x_q)
    z1, z0 = z_q + 2 + 8j, 1.5 * z_q + 6 + 24j
    close(table.loc[2, "ikss_3ph_ka"], C * 110 / np.sqrt(3) / abs(z1))
    close(table.loc[2, "ikss_1ph_ka"], C * 110 * np.sqrt(3) / abs(2 * z1 + z0))
    close(table.loc[1, "ikss_1ph_ka"], C * 110 * np.sqrt(3) / abs(3.5 * z_q))
    close(table.loc[2, "skss_mva"], np.sqrt(3) * 110 * table.loc[2, "ikss_3ph_ka"])
    close(table.loc[2, "x_over_r"], z1.imag / z1.real)
    assert (table["converters_3ph_ka"] == 0).all()


@pytest.mark.parametrize("engine", ENGINES)
def test_machine_behind_transformer_by_hand(engine):
    """K_G = 1.1 / (1 + 0.2 sin(acos 0.85)), K_T = 0.95 * 1.1 / (1 + 0.6 * 0.13); tap and shift do not count. The unit
    is YNd: bus 1 is earthed through it, bus 2 is not. Bus 4 hangs on nothing."""
    table = currents(machine_behind_transformer(), engine)
    z_g = C / (1 + 0.2 * np.sqrt(1 - 0.85**2)) * complex(0.05 * 0.2, 0.2) * 100 / 200
    x_t = 0.13 * 100 / 240
    k_t = 0.95 * C / (1 + 0.6 * 0.13)
    line = complex(0.05, 0.4) * 30 / 484
    z1 = z_g + k_t * complex(0.001, x_t)
    base = 100 / (np.sqrt(3) * 220)
    close(table.loc[2, "ikss_3ph_ka"], C / abs(z_g) * 100 / (np.sqrt(3) * 15.75))
    close(table.loc[1, "ikss_3ph_ka"], C / abs(z1) * base)
    close(table.loc[3, "ikss_3ph_ka"], C / abs(z1 + line) * base)
    z0 = k_t * complex(0.001, 0.9 * x_t)
    close(table.loc[1, "ikss_1ph_ka"], 3 * C / abs(2 * z1 + z0) * base)
    line0 = complex(line.real + 0.18 * 30 / 484, 3 * line.imag)
    close(table.loc[3, "ikss_1ph_ka"], 3 * C / abs(2 * (z1 + line) + z0 + line0) * base)
    assert np.isnan(table.loc[2, "ikss_1ph_ka"])
    assert table.loc[4, ["ikss_3ph_ka", "ikss_1ph_ka", "margin_percent"]].isna().all()
    assert table.loc[4, "grade"] == "unknown"


@pytest.mark.parametrize("engine", ENGINES)
def test_unit_with_delta_winding_by_hand(engine):
    """220/110 kV, 180 MVA, 14 %: zero sequence sees a star of 0.95 z0, 0.05 z0 and the delta's 0.6 |z0|."""
    case = infeed_and_line()
    buses = case.buses.assign(vn_kv=[220.0, 110.0])
    x = 0.14 * 100 / 180
    branches = case.branches.assign(
        kind="transformer", r_pu=0.0, x_pu=x, b_pu=0.0, rating_a_mva=180.0, length_km=np.nan
    )
    table = currents(replace(case, buses=buses, branches=branches), engine, infeed_s_sc_mva={"Q1": 5000.0})
    z_q = 1j * C * 100 / 5000 / np.sqrt(1.01) * complex(1, -0.1)
    k = 0.95 * C / (1 + 0.6 * 0.14)
    z1 = z_q + 1j * k * x
    high = 1.5 * z_q + 0.95 * 1j * k * 0.9 * x
    delta = 0.6j * 0.9 * x
    z0 = 0.05j * k * 0.9 * x + high * delta / (high + delta)
    close(table.loc[2, "ikss_1ph_ka"], 3 * C / abs(2 * z1 + z0) * 100 / (np.sqrt(3) * 110))


@pytest.mark.parametrize("row", standard_table("short_circuit_sources").to_dict("records"), ids=lambda r: r["fuel"])
def test_every_kind_of_source_gives_its_current(row):
    """100 MVA at a 15 kV bus alone: c / (K x") of a machine, k of a converter beside an infeed."""
    extra = {"generator_id": ["S"], "bus_id": [2], "p_mw": [50.0], "sn_mva": [100.0], "fuel": [row["fuel"]]}
    case = infeed_and_line(**extra)
    case = replace(case, buses=case.buses.assign(vn_kv=[15.0, 15.0]))
    nominal = 100 / (np.sqrt(3) * 15)
    if row["kind"] == "converter":
        close(currents(case).loc[2, "converters_3ph_ka"], row["k"] * nominal)
        assert row["k_low"] <= row["k"] <= row["k_high"]
        return
    alone = replace(case, generators=case.generators.assign(in_service=[False, True]))
    x = row["xdss_percent"] / 100
    z = C / (1 + x * np.sqrt(1 - 0.85**2)) * x * np.hypot(1, row["rx"])
    close(currents(alone).loc[2, "ikss_3ph_ka"], C / z * nominal)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), at=st.integers(0, 8), sn=st.floats(1.0, 500.0))
def test_adding_a_converter_never_lowers_a_current(seed, at, sn):
    case = meshed(seed)
    new = fill(
        CASE_GENERATORS,
        {
            "generator_id": ["new"],
            "bus_id": [at * 10 + 10],
            "p_mw": [sn],
            "sn_mva": [sn],
            "fuel": ["pv"],
            "control": "power",
        },
    )
    more = replace(case, generators=pd.concat([case.generators, new], ignore_index=True))
    before, after = currents(case), currents(more)
    for name in ("ikss_3ph_ka", "ikss_1ph_ka"):
        known = before[name].notna()
        assert (after.loc[known, name] >= before.loc[known, name] * (1 - 1e-9)).all()
    assert after.loc[at * 10 + 10, "ikss_3ph_ka"] > before.loc[at * 10 + 10, "ikss_3ph_ka"]


def test_order_of_buses_and_a_tie_change_nothing():
    case = meshed(3)
    turned = replace(case, buses=case.buses.iloc[::-1].reset_index(drop=True))
    close(currents(case)["ikss_3ph_ka"], currents(turned)["ikss_3ph_ka"].sort_index())
    first, second = currents(case, "pandapower"), currents(case, "pandapower")
    pd.testing.assert_frame_equal(first, second)
