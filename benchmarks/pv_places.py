"""Places with their own weather and sun: our chain against pvlib's ModelChain, everything included.

Run: ``python benchmarks/pv_places.py [--places N]``. One south-facing plane at each place; sun position, split of the
sky and chain are timed on both sides, the part of SPA that all places share as well (once). One thread, CPU time. The
answers are compared first: 0.5 % in the year at each place, sun positions within 1e-6 degree of pvlib's.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "pv")]


def main() -> int:
    from pv_samples import GROUND, bozhou, facing, model_chain
    from pvlib import solarposition

    from siting.pv import sun
    from siting.pv.chain import pv_yield

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--places", type=int, default=40)
    count = parser.parse_args().places
    base = bozhou()
    rng = np.random.default_rng(1)
    # a degree or two around Bozhou, so that its light fits the sun; every place has a table of its own
    places = [
        dataclasses.replace(
            base,
            cell_id=f"p{k}",
            latitude=base.latitude + float(dy),
            longitude=base.longitude + float(dx),
            hours=base.hours * float(rng.uniform(0.9, 1.0)),
        )
        for k, (dx, dy) in enumerate(rng.uniform(-1.5, 1.5, (count, 2)))
    ]
    plane = facing(25.0, 180.0, GROUND)
    times = base.hours.index + pd.Timedelta(30, "min")
    pv_yield(base, [plane])
    model_chain(base, plane, times)

    sun._regular_clock.cache_clear()
    start = time.process_time()
    ours = np.stack([pv_yield(place, [plane]).power[:, 0] for place in places], axis=1)
    we_s = time.process_time() - start
    start = time.process_time()
    theirs = np.stack([model_chain(place, plane, times) for place in places], axis=1)
    peer_s = time.process_time() - start

    annual = float(np.abs(ours.sum(axis=0) / theirs.sum(axis=0) - 1).max())
    last = places[-1]
    found = sun.sun_of_hours(base.hours.index, last.latitude, last.longitude, last.altitude_m)
    spa = solarposition.get_solarposition(times, last.latitude, last.longitude, last.altitude_m)
    whole = found.lit_share == 1
    off = float(np.abs(found.zenith_deg - spa["apparent_zenith"].to_numpy())[whole].max())
    print(f"{count} places, 8760 h; largest annual difference {annual:.1e}, sun within {off:.1e} degree of SPA")
    if not (annual < 5e-3 and off < 1e-6):
        print("the answers differ: the ratio means nothing")
        return 1
    print(
        f"ModelChain {1e3 * peer_s / count:.1f} ms, ours {1e3 * we_s / count:.2f} ms a place: ratio {peer_s / we_s:.0f}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
