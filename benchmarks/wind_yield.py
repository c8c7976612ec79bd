"""Wind power of many sites with weather of their own: we against windpowerlib's ModelChain, same options, one thread.

Run: ``python benchmarks/wind_yield.py [sites] [peer sites]``. Two questions, answers compared first:

* log shear, library power curve, no density correction;
* the same with windpowerlib's density correction (nodes moved by Svenningsen's exponent).

The IEC correction, which the program itself uses, is timed beside them. Peak memory is that of one block of sites.
"""

from __future__ import annotations

import math
import resource
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

TURBINE, HUB_M, ROUGHNESS_M, HOURS = "n131_3000", 134.0, 0.1, 8760
WORST_YEAR = 1e-3


def weather(sites: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rayleigh wind of 4 to 6 m/s at 10 m, seasons and days of temperature and pressure; each site has its own seed.

    Single precision, as weather archives store it; both sides get the same numbers."""
    speed, temp, pressure = (np.empty((sites.stop - sites.start, HOURS), np.float32) for _ in range(3))
    day = np.arange(HOURS) / 24
    for row, site in enumerate(range(sites.start, sites.stop)):
        rng = np.random.default_rng(site)
        speed[row] = (4 + 2 * rng.random()) / math.gamma(1.5) * rng.weibull(2.0, HOURS)
        temp[row] = 15 - 12 * np.cos(2 * np.pi * (day - 20) / 365) + 2 * rng.standard_normal(HOURS)
        pressure[row] = 101_000 - 3_000 * rng.random() + 800 * np.cos(2 * np.pi * day / 365)
    return speed, temp, pressure


def model_chain(speed: np.ndarray, temp: np.ndarray, pressure: np.ndarray, density: bool) -> np.ndarray:
    from windpowerlib import ModelChain

    heights = [("wind_speed", 10), ("temperature", 2), ("pressure", 0), ("roughness_length", 0)]
    data = pd.DataFrame(
        np.column_stack([*(v.astype(float) for v in (speed, temp, pressure)), np.full(HOURS, ROUGHNESS_M)]),
        index=pd.RangeIndex(HOURS),
        columns=pd.MultiIndex.from_tuples(heights, names=["variable_name", "height"]),
    )
    data.iloc[:, 1] += 273.15
    chain = ModelChain(
        turbine(), power_output_model="power_curve", density_model="ideal_gas", density_correction=density
    )
    return chain.run_model(data).power_output.to_numpy() / turbine().nominal_power


_TURBINES: dict[str, object] = {}


def turbine():  # type: ignore[no-untyped-def]
    from windpowerlib import WindTurbine

    if not _TURBINES:
        _TURBINES["it"] = WindTurbine(turbine_type="N131/3000", hub_height=HUB_M)
    return _TURBINES["it"]


def main() -> None:
    from siting.technologies.tables import load_technology_tables
    from siting.wind.blocks import curve_set, in_blocks, wind_power
    from siting.wind.curves import PowerCurve, power_curve

    sites = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    peers = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    curve = power_curve(load_technology_tables().turbine(TURBINE))
    plain = curve_set([PowerCurve(curve.speed_m_per_s, curve.power_share, curve.cut_out_m_per_s)])
    hub = np.array([HUB_M])

    def ours(block: tuple[np.ndarray, ...], density: str, out: np.ndarray) -> np.ndarray:
        speed, temp, pressure = block
        up = math.log(HUB_M / ROUGHNESS_M) / math.log(10 / ROUGHNESS_M)
        factor = np.full((speed.shape[0], 1), up)
        return wind_power(speed, factor, plain, hub, temp_air_c=temp, pressure_pa=pressure, density=density, out=out)

    few = weather(slice(0, peers))
    warm = np.empty((peers, 1, HOURS), np.float32)
    failed = False
    for density in ("none", "svenningsen", "iec"):
        ours(few, density, warm)
        model_chain(*(values[0] for values in few), density != "none")
        start = time.perf_counter()
        theirs = np.stack([model_chain(*(v[k] for v in few), density != "none") for k in range(peers)])
        peer_s = (time.perf_counter() - start) / peers
        mine = ours(few, density, warm)[:, 0]
        year = np.abs(mine.sum(axis=1, dtype=float) / theirs.sum(axis=1) - 1).max()
        hour = np.abs(mine - np.minimum(theirs, 1)).max()
        we_s = 0.0
        size = 100
        out = np.empty((size, 1, HOURS), np.float32)
        for part in in_blocks(sites, size):
            block = weather(part)
            start = time.perf_counter()
            ours(block, density, out[: part.stop - part.start])
            we_s += time.perf_counter() - start
        equal = "equal options" if density != "iec" else "other correction (IEC against Svenningsen)"
        print(f"{density}: {equal}; largest difference in a year {year:.1e}, in an hour {hour:.1e}")
        rates = f"windpowerlib {1 / peer_s:.1f} site-years/s, ours {sites / we_s:.0f}"
        print(f"  {rates}; ratio {peer_s / (we_s / sites):.0f}")
        failed |= density != "iec" and year > WORST_YEAR
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{sites} sites in blocks of 100; peak memory {peak:.0f} MiB")
    if failed:
        print("the answers differ: the ratios mean nothing")
        raise SystemExit(1)


if __name__ == "__main__":
    main()
