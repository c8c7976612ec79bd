"""Wind power of a grid of cells with weather of their own: we against atlite's conversion, one thread each.

Run: ``python benchmarks/wind_atlite.py [cells]``; needs atlite (requirements-bench.lock). atlite takes 100 m wind by
the log law to the hub and reads the power curve there: no air density, no waiting after storms. We do the same first,
for equal answers, and then with density correction and hysteresis, which atlite has not.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

TURBINE, HUB_M, HOURS = "n131_3000", 134.0, 8760
WORST = 1e-5


def main() -> None:
    import xarray as xr
    from atlite.convert import convert_wind

    from siting.technologies.tables import load_technology_tables
    from siting.wind.blocks import curve_set, wind_power
    from siting.wind.curves import PowerCurve, power_curve

    cells = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    rng = np.random.default_rng(1)
    speed = (7.0 * rng.weibull(2.0, (HOURS, cells))).astype(np.float32)
    roughness = rng.uniform(0.02, 0.8, cells).astype(np.float32)
    temp = rng.normal(15, 8, (cells, HOURS)).astype(np.float32)
    pressure = rng.normal(100_500, 600, (cells, HOURS)).astype(np.float32)
    time_ = pd.date_range("2023-01-01", periods=HOURS, freq="h")
    grid = ("time", "y", "x")
    data = xr.Dataset(
        {
            "wnd100m": (grid, speed.reshape(HOURS, 1, cells)),
            "roughness": (grid, np.broadcast_to(roughness, (HOURS, 1, cells))),
        },
        coords={"time": time_, "y": [33.0], "x": np.arange(cells, dtype=float)},
    )
    curve = power_curve(load_technology_tables().turbine(TURBINE))
    # atlite reads a curve by np.interp: without a zero on either side it gives the first power in a calm and the last
    # one in a storm
    nodes = [curve.speed_m_per_s[0] - 1e-6, *curve.speed_m_per_s, curve.cut_out_m_per_s + 1e-6]
    powers = np.array([0.0, *curve.power_share, 0.0]) * 3.0
    turbine = {"V": np.array(nodes), "POW": powers, "hub_height": HUB_M, "P": 3.0}
    plain = curve_set([PowerCurve(curve.speed_m_per_s, curve.power_share, curve.cut_out_m_per_s)])
    waiting, hub = curve_set([curve]), np.array([HUB_M])
    rows = np.ascontiguousarray(speed.T)
    factor = (np.log(HUB_M / roughness) / np.log(100 / roughness)).astype(float)[:, None]
    out = np.empty((cells, 1, HOURS), np.float32)
    wind_power(rows, factor, plain, hub, density="none", out=out)

    start = time.perf_counter()
    theirs = convert_wind(data, turbine, interpolation_method="logarithmic").to_numpy().reshape(HOURS, cells)
    peer_s = time.perf_counter() - start
    start = time.perf_counter()
    ours = wind_power(rows, factor, plain, hub, density="none", out=out)[:, 0]
    we_s = time.perf_counter() - start
    year = float(np.abs(ours.sum(axis=1, dtype=float) / theirs.sum(axis=0, dtype=float) - 1).max())
    print(f"{cells} cells; largest difference in a year {year:.1e}")
    if year > WORST:
        print("the answers differ: the ratio means nothing")
        raise SystemExit(1)
    print(f"atlite {cells / peer_s:.0f} cell-years/s, ours {cells / we_s:.0f}; ratio {peer_s / we_s:.0f}")
    start = time.perf_counter()
    wind_power(rows, factor, waiting, hub, temp_air_c=temp, pressure_pa=pressure, density="iec", out=out)
    full_s = time.perf_counter() - start
    print(f"ours with air density and storms {cells / full_s:.0f}; ratio {peer_s / full_s:.0f}")


if __name__ == "__main__":
    main()
