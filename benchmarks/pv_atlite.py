"""PV time series of weather cells: our full chain against atlite's simpler one, per core.

Run: ``python benchmarks/pv_atlite.py [--cells N]`` (needs the packages of the extra ``bench``). The cutout is built in
memory from generated weather. One thread on both sides, CPU time (dask's synchronous scheduler).

What differs: atlite has Hay and Davies' sky with Reindl's brightening, Huld's module (k-coefficients with a linear
temperature), a constant inverter factor, no reflection, no wind, no loss chain, no clipping; we have reflection by the
glass, cell temperature with wind, PVWatts losses, an inverter curve with its limit. With atlite's inverter factor and
our loss chain taken out of the figures, the yearly energies must agree within 8 % (measured: 6 %, mostly
Huld's warmer module), or the ratio means nothing.

Three ratios: (a) both are given the sun's position, as atlite's newer cutouts hold it; (b) both compute it, we by SPA;
(c) one more orientation on the same cells, which atlite computes from the start.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "pv")]

TILT, AZIMUTH = 25.0, 180.0
COLUMNS = 10
REPEATS = 3


def cutout_of(weather, sun):  # type: ignore[no-untyped-def]
    """atlite's cutout of weather cells on a regular grid (rows x COLUMNS)."""
    import atlite
    import xarray as xr

    rows = len(weather) // COLUMNS
    first = weather[0].hours.index
    names = ("time", "y", "x")
    coords = {
        "x": sorted({w.longitude for w in weather}),
        "y": sorted({w.latitude for w in weather}),
        "time": first.tz_convert("UTC").tz_localize(None) + pd.Timedelta(30, "min"),
    }

    def grid(columns: list[np.ndarray]) -> tuple[tuple[str, ...], np.ndarray]:
        return names, np.stack(columns, axis=1).reshape(len(first), rows, COLUMNS)

    up = [np.cos(np.deg2rad(s.zenith_deg)) * (s.lit_share > 0) for s in sun]
    direct = [w.hours["dni_w_per_m2"].to_numpy() * u for w, u in zip(weather, up, strict=True)]
    data = xr.Dataset(
        {
            "influx_direct": grid(direct),
            "influx_diffuse": grid([w.hours["dhi_w_per_m2"].to_numpy() for w in weather]),
            "influx_toa": grid([s.extra_w_per_m2 * u for s, u in zip(sun, up, strict=True)]),
            "albedo": grid([np.full(len(first), 0.2) for _ in weather]),
            "temperature": grid([w.hours["temp_air_c"].to_numpy() + 273.15 for w in weather]),
            "solar_altitude": grid([np.deg2rad(90 - s.zenith_deg) for s in sun]),
            "solar_azimuth": grid([np.deg2rad(s.azimuth_deg) for s in sun]),
        },
        coords=coords,
        attrs={"module": "era5", "prepared_features": ["influx", "temperature"]},
    )
    data = data.assign_coords(lon=data.coords["x"], lat=data.coords["y"]).chunk({"time": 1000})
    with tempfile.TemporaryDirectory() as folder:
        return atlite.Cutout(Path(folder) / "none.nc", data=data)


def main() -> int:
    try:
        import atlite  # noqa: F401
        import dask
    except ImportError:
        print("atlite is not installed: pip install fengguang[bench]")
        return 0
    warnings.simplefilter("ignore")
    from pv_samples import GROUND, bozhou, facing

    from siting.pv import sun as sun_module
    from siting.pv.chain import pv_cell, pv_yield, pv_yield_of
    from siting.pv.sun import sun_of_hours

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=100, help="a multiple of 10")
    count = parser.parse_args().cells // COLUMNS * COLUMNS
    base = bozhou()
    rng = np.random.default_rng(1)
    weather = [
        dataclasses.replace(
            base,
            cell_id=f"c{k}",
            latitude=base.latitude + 0.25 * (k // COLUMNS - 5),
            longitude=base.longitude + 0.25 * (k % COLUMNS - 5),
            hours=base.hours * float(rng.uniform(0.9, 1.0)),
        )
        for k in range(count)
    ]
    index = base.hours.index
    sun = [sun_of_hours(index, w.latitude, w.longitude, w.altitude_m) for w in weather]
    given = cutout_of(weather, sun)
    own = cutout_of(weather, sun)
    own.data = own.data.drop_vars(["solar_altitude", "solar_azimuth"])
    plane, other = facing(TILT, AZIMUTH, GROUND), facing(TILT, 90.0, GROUND)

    def atlite_chain(cutout):  # type: ignore[no-untyped-def]
        with dask.config.set(scheduler="synchronous"):
            series = cutout.pv("CSi", {"slope": TILT, "azimuth": AZIMUTH}, aggregate_time=None)
            return np.asarray(series.compute().transpose("time", "y", "x")).reshape(len(index), count)

    def our_chain() -> np.ndarray:
        sun_module._regular_clock.cache_clear()
        return np.stack([pv_yield(w, [plane]).power[:, 0] for w in weather], axis=1)

    def ours_with_sun() -> list[np.ndarray]:
        return [pv_yield_of(pv_cell(w, sun=s), [plane]).power for w, s in zip(weather, sun, strict=True)]

    prepared = [pv_cell(w) for w in weather]

    def one_more() -> list[np.ndarray]:
        return [pv_yield_of(cell, [other]).power for cell in prepared]

    ours, theirs = our_chain(), atlite_chain(given)
    atlite_chain(own)
    left = float(np.prod([1 - loss.loss_share for loss in plane.losses]))
    ratio = (ours.sum(axis=0) / plane.dc_ac_ratio / left / plane.inverter_efficiency) / (theirs.sum(axis=0) / 0.9)
    print(f"{count} cells, 8760 h; yearly energy before losses and inverter by atlite's: "
          f"{ratio.min():.3f} to {ratio.max():.3f}")  # fmt: skip
    if not (np.isfinite(ratio).all() and np.abs(ratio - 1).max() < 0.08):
        print("the answers differ: the ratio means nothing")
        return 1

    seconds: dict[str, float] = {}
    chains = {"atlite, sun given": lambda: atlite_chain(given), "atlite": lambda: atlite_chain(own),
              "ours, sun given": ours_with_sun, "ours": our_chain, "ours, one more": one_more}  # fmt: skip
    for _ in range(REPEATS):  # in turns, so that a busy machine is busy for all
        for name, chain in chains.items():
            start = time.process_time()
            chain()
            seconds[name] = min(seconds.get(name, np.inf), time.process_time() - start)
    for name, value in seconds.items():
        print(f"{name}: {1e3 * value / count:.2f} ms a cell")
    print(f"(a) both are given the sun: ratio {seconds['atlite, sun given'] / seconds['ours, sun given']:.1f}")
    print(f"(b) both compute the sun: ratio {seconds['atlite'] / seconds['ours']:.1f}")
    print(f"(c) one more orientation: ratio {seconds['atlite, sun given'] / seconds['ours, one more']:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
