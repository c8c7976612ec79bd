"""Room for converters below the breakers: by hand, and against the study run again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from shortcircuit_cases import close, currents, infeed_and_line, meshed

from grid.model.contracts import CASE_GENERATORS, fill
from grid.studies.short_circuit import ShortCircuitOptions, short_circuit_headroom
from layers.contracts import InputError

pytestmark = pytest.mark.filterwarnings(
    "ignore:.*:FutureWarning", "ignore:.*:DeprecationWarning", "ignore:An ill-conditioned matrix"
)


@pytest.mark.parametrize("seed", range(4))
def test_headroom_equals_rerun(seed):
    """With the headroom added, the named breaker stands at its limit and none above; 1 % more breaks it."""
    case = meshed(seed)
    now = currents(case)
    worst = now[["ikss_3ph_ka", "ikss_1ph_ka"]].max(axis=1)
    breakers = {int(b): float(v) * 1.25 for b, v in worst.items()}
    options = ShortCircuitOptions(breaker_ka=breakers)
    table = short_circuit_headroom(case, k=1.2, options=options, reach_share=0.0)
    assert (table["headroom_mva"] > 0).all()
    for row in table.iloc[::3].to_dict("records"):
        for factor, reached in ((1.0, True), (1.01, False)):
            sn = row["headroom_mva"] * factor
            new = fill(CASE_GENERATORS, {"generator_id": ["new"], "bus_id": [row["bus"]], "p_mw": [sn], "sn_mva": [sn],
                                         "fuel": ["pv"], "control": "power"})  # fmt: skip
            more = replace(case, generators=pd.concat([case.generators, new], ignore_index=True))
            after = currents(more, "matrix", k={"new": 1.2}, breaker_ka=breakers)
            loading = after[["ikss_3ph_ka", "ikss_1ph_ka"]].max(axis=1) / after["breaker_ka"]
            if reached:
                assert after.loc[row["binding_bus"], f"ikss_{row['binding_fault']}_ka"] == pytest.approx(
                    row["limit_ka"], rel=1e-9
                )
                assert loading.max() <= 0.95 * (1 + 1e-9)
            else:
                assert loading.max() > 0.95
    close(table.set_index("bus")["present_ka"].notna(), 1)


def test_headroom_of_an_infeed_by_hand():
    """10 kA of an infeed below a 40 kA breaker: (0.95 * 40 - 10) sqrt3 110 / 1.2 = 4445 MVA; 0 when it is at 40 kA."""
    case = infeed_and_line()
    s = {"infeed_s_sc_mva": {"Q1": 10 * np.sqrt(3) * 110}}
    table = short_circuit_headroom(case, [1], options=ShortCircuitOptions(**s)).iloc[0]
    assert table["binding_bus"] == 1
    assert table["binding_fault"] == "3ph"
    close(table["headroom_mva"], 28 * np.sqrt(3) * 110 / 1.2)
    full = ShortCircuitOptions(breaker_ka={1: 10.0}, **s)
    assert short_circuit_headroom(case, [1], options=full)["headroom_mva"].iloc[0] == 0
    with pytest.raises(InputError, match="no such bus"):
        short_circuit_headroom(case, [1, 99])
