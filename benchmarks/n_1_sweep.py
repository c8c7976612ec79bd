"""N-1 of a generated reference network: our batched AC sweep against a loop of pandapower power flows.

Run: ``python benchmarks/n_1_sweep.py``. The peer runs a sample of the outages and is scaled up, which is said so.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd

SAMPLE = 25


def network():
    from grid.reference_network import ReferenceGridSpec, build_reference_network

    rng = np.random.default_rng(1)
    points = pd.DataFrame(
        {
            "lon": 116 + rng.uniform(0, 0.9, 200),
            "lat": 33.2 + rng.uniform(0, 0.7, 200),
            "p_mw": rng.uniform(1, 9, 200),
            "district_code": "A",
        }
    )
    return build_reference_network(ReferenceGridSpec("benchmark", 1000.0), points)


def main() -> None:
    from grid.limits import LimitSettings
    from grid.pandapower_net import solve_pandapower, to_pandapower
    from grid.reference_network import SUMMER_PEAK
    from grid.sweep import build_sweep

    net = network()
    settings = LimitSettings.standard()
    build_sweep(net, SUMMER_PEAK, settings)
    start = time.perf_counter()
    sweep = build_sweep(net, SUMMER_PEAK, settings)
    we_s = time.perf_counter() - start
    assert sweep is not None

    peer = to_pandapower(net, SUMMER_PEAK)
    solve_pandapower(peer)
    order = {bus: k for k, bus in enumerate(sweep.model.bus_ids)}
    worst, peer_s, compared = 0.0, 0.0, 0
    scenarios = [k for k in range(1, sweep.count) if not sweep.outages.dead[:, k].any()]
    for k in scenarios[:: max(1, len(scenarios) // SAMPLE)]:
        element = sweep.outage_name(k)
        table = peer.line if (peer.line["name"] == element).any() else peer.trafo
        table.loc[table["name"] == element, "in_service"] = False
        start = time.perf_counter()
        solved = solve_pandapower(peer)
        peer_s += time.perf_counter() - start
        table.loc[table["name"] == element, "in_service"] = True
        assert solved, element
        ours = np.abs(sweep.outages.voltage[[order[name] for name in peer.bus["name"]], k])
        worst = max(worst, float(np.abs(ours - peer.res_bus["vm_pu"].to_numpy()).max()))
        compared += 1
    print(f"{len(net.buses)} buses, {sweep.count - 1} outages; largest |dV| over {compared} outages {worst:.1e} pu")
    assert worst < 1e-4, "the answers differ: the ratio means nothing"
    print(f"pandapower loop (scaled up from {compared}) / ours = {peer_s / compared * (sweep.count - 1) / we_s:.0f}")


if __name__ == "__main__":
    main()
