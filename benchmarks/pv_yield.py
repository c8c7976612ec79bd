"""PV yield of every variant on one weather cell: we against pvlib's ModelChain, same weather, same models.

Run: ``python benchmarks/pv_yield.py``. The weather is generated from the climate normals of Bozhou.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "yield"))


def weather():
    from layers.generated import generate_weather

    table = pd.read_csv(ROOT / "data" / "raw" / "climate-normals.csv")
    rows = table[table["place"] == "Bozhou"]
    return generate_weather(rows, cell_id="Bozhou", latitude=33.87, longitude=115.77, altitude_m=37.7, seed=1)


def main() -> None:
    from test_yield_pv import facing, model_chain

    from siting.pv import pv_yield

    cell = weather()
    orientations = [(tilt, azimuth) for tilt in (10.0, 25.0, 40.0) for azimuth in (90.0, 135.0, 180.0, 225.0, 270.0)]
    variants = [facing(tilt, azimuth) for tilt, azimuth in orientations]
    pv_yield(cell, variants[:1])  # imports and caches of both sides are warm before the clock runs
    times = cell.hours.index + pd.Timedelta(30, "min")
    model_chain(cell, variants[0], times)

    start = time.perf_counter()
    ours = pv_yield(cell, variants).power
    we_s = time.perf_counter() - start
    start = time.perf_counter()
    theirs = np.stack([model_chain(cell, variant, times) for variant in variants], axis=1)
    peer_s = time.perf_counter() - start

    annual = np.abs(ours.sum(axis=0) / theirs.sum(axis=0) - 1).max()
    print(f"{len(variants)} orientations, 8760 h; largest annual difference {annual:.1e}")
    assert annual < 5e-3, "the answers differ: the ratio means nothing"
    print(f"ModelChain / ours = {peer_s / we_s:.0f}")


if __name__ == "__main__":
    main()
