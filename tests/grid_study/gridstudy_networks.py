"""Small hand-made and random networks for the grid studies' tests, and a plain pandapower twin of each."""

from __future__ import annotations

import numpy as np
import pandas as pd

from grid.admittance import fuel_share
from grid.contracts import (
    BUSES,
    GENERATORS,
    INFEEDS,
    LINES,
    LOADS,
    STATIONS,
    TRANSFORMERS,
    Case,
    FuelShare,
    Network,
)
from layers.contracts import Origin
from layers.tables import Table

NOON = Case("noon", "午间", "noon", 0.5, 1.0, 0.1, (FuelShare("coal", 0.6),))
PEAK = Case("peak", "高峰", "peak", 1.0, 0.0, 0.3, (FuelShare("coal", 0.9),))


def table(promise: Table, rows: list[dict]) -> pd.DataFrame:
    """Rows as a table with the promised columns and types; what a row leaves out gets a harmless default."""
    defaults = {"origin": "generated"}
    filled = [
        {c: row.get(c, defaults.get(c, "" if p.dtype is str else p.dtype(0))) for c, p in promise.columns.items()}
        for row in rows
    ]
    frame = pd.DataFrame(filled, columns=list(promise.columns)) if filled else promise.empty()
    for name, p in promise.columns.items():
        if p.dtype in (float, bool, int):
            frame[name] = frame[name].astype(p.dtype)
    return frame


def station(station_id: str, vn_kv: float, lon: float = 116.0, lat: float = 33.0) -> dict:
    return {
        "station_id": station_id,
        "name_zh": f"{station_id}变",
        "name_en": station_id,
        "vn_kv": vn_kv,
        "lon": lon,
        "lat": lat,
        "district_code": "1",
        "in_region": True,
    }


def bus(bus_id: str, vn_kv: float, low: float = 0.9, high: float = 1.1) -> dict:
    return {
        "bus_id": bus_id,
        "station_id": bus_id.split("/")[0],
        "vn_kv": vn_kv,
        "vm_min_pu": low,
        "vm_max_pu": high,
    }


def line(line_id: str, f: str, t: str, km: float, *, r=0.05, x=0.4, c=9.0, ka=0.6, kind="LGJ") -> dict:
    return {
        "line_id": line_id,
        "name_zh": line_id,
        "name_en": line_id,
        "corridor_id": line_id.split("#")[0],
        "from_bus": f,
        "to_bus": t,
        "length_km": km,
        "line_type": kind,
        "r_ohm_per_km": r,
        "x_ohm_per_km": x,
        "c_nf_per_km": c,
        "max_i_ka": ka,
    }


def unit(unit_id: str, hv: str, lv: str, sn: float, vh: float, vl: float, **changes) -> dict:
    return {
        "transformer_id": unit_id,
        "station_id": hv.split("/")[0],
        "hv_bus": hv,
        "lv_bus": lv,
        "transformer_type": "",
        "sn_mva": sn,
        "vn_hv_kv": vh,
        "vn_lv_kv": vl,
        "vk_percent": 10.5,
        "vkr_percent": 0.4,
        "pfe_kw": 30.0,
        "i0_percent": 0.2,
        "shift_degree": 0.0,
        "tap_side": "hv",
        "tap_min": -8.0,
        "tap_max": 8.0,
        "tap_step_percent": 1.25,
        **changes,
    }


def load(bus_id: str, p: float, q: float) -> dict:
    return {"load_id": f"load {bus_id}", "bus_id": bus_id, "p_mw": p, "q_mvar": q}


def plant(plant_id: str, bus_id: str, p: float, *, fuel="coal", vm=1.02, q=(-100.0, 100.0), control="voltage") -> dict:
    return {
        "generator_id": plant_id,
        "bus_id": bus_id,
        "name_zh": plant_id,
        "name_en": plant_id,
        "fuel": fuel,
        "p_max_mw": p,
        "control": control,
        "vm_pu": vm,
        "q_min_mvar": q[0],
        "q_max_mvar": q[1],
    }


def infeed(bus_id: str, vm: float = 1.0, weight: float = 1.0) -> dict:
    return {"infeed_id": f"infeed {bus_id}", "bus_id": bus_id, "vm_pu": vm, "slack_weight": weight, "s_sc_mva": 10000.0}


def network(name: str, *, stations=(), buses=(), lines=(), units=(), loads=(), plants=(), infeeds=()) -> Network:
    return Network(
        name=name,
        stations=table(STATIONS, list(stations)),
        buses=table(BUSES, list(buses)),
        lines=table(LINES, list(lines)),
        transformers=table(TRANSFORMERS, list(units)),
        loads=table(LOADS, list(loads)),
        generators=table(GENERATORS, list(plants)),
        infeeds=table(INFEEDS, list(infeeds)),
        origin=Origin.GENERATED,
    ).validate()


def two_bus(*, km=10.0, r=0.0, x=0.4, c=0.0, ka=0.5, circuits=1, high=1.5, low=0.5, demand=0.0) -> Network:
    """infeed o=====o plant: the closed forms' network, 110 kV."""
    return network(
        "two",
        stations=[station("A", 110.0), station("B", 110.0, 116.1)],
        buses=[bus("A/110", 110.0, low, high), bus("B/110", 110.0, low, high)],
        lines=[line(f"L#{k + 1}", "A/110", "B/110", km, r=r, x=x, c=c, ka=ka) for k in range(circuits)],
        loads=[load("B/110", demand, 0.0)] if demand else [],
        infeeds=[infeed("A/110")],
    )


def triangle(*, ka=0.4, spur=True) -> Network:
    """110 kV triangle A (infeed) - B - C, a 10 kV board behind two units at C, a spur D behind one line.

    ::

        A ---- B ---- D
         \\    /
           C == c (10 kV)
    """
    buses = [bus("A/110", 110), bus("B/110", 110), bus("C/110", 110), bus("C/10", 10)]
    lines = [
        line("AB", "A/110", "B/110", 20, ka=ka),
        line("BC", "B/110", "C/110", 15, ka=ka),
        line("CA", "C/110", "A/110", 25, ka=ka),
    ]
    loads = [load("B/110", 20, 5), load("C/10", 30, 8)]
    stations = [
        station("A", 110.0, 116.0, 33.0),
        station("B", 110.0, 116.2, 33.0),
        station("C", 110.0, 116.1, 33.15),
    ]
    if spur:
        buses.append(bus("D/110", 110))
        lines.append(line("BD", "B/110", "D/110", 12, ka=ka))
        loads.append(load("D/110", 12, 3))
        stations.append(station("D", 110.0, 116.35, 33.0))
    return network(
        "triangle",
        stations=stations,
        buses=buses,
        lines=lines,
        units=[unit(f"C#{k}", "C/110", "C/10", 40, 110, 10.5, shift_degree=30.0) for k in (1, 2)],
        loads=loads,
        infeeds=[infeed("A/110", 1.02)],
    )


def random_network(seed: int, n_220: int = 4, n_110: int = 8) -> Network:
    """A 220 kV ring with an infeed or two and plants, 110 kV stations fed from two sides, 10 kV boards."""
    rng = np.random.default_rng(seed)
    buses, lines, units, loads, plants, stations = [], [], [], [], [], []
    for i in range(n_220):
        s = f"S{i:03d}"
        stations.append(station(s, 220.0, 116 + rng.uniform(), 33 + rng.uniform()))
        buses += [bus(f"{s}/220", 220.0, 0.93, 1.1), bus(f"{s}/110", 110.0, 0.93, 1.1)]
        units += [
            unit(f"{s}#{k}", f"{s}/220", f"{s}/110", 180.0, 220.0, 115.0, vk_percent=13.0, shift_degree=0.0)
            for k in (1, 2)
        ]
    for i in range(n_220):
        for k in (1, 2):
            f, t = f"S{i:03d}/220", f"S{(i + 1) % n_220:03d}/220"
            lines.append(line(f"R{i:03d}#{k}", f, t, float(rng.uniform(15, 40)), r=0.04, x=0.3, c=12.0, ka=1.0))
    for j in range(n_110):
        s = f"T{j:03d}"
        stations.append(station(s, 110.0, 116 + rng.uniform(), 33 + rng.uniform()))
        buses += [bus(f"{s}/110", 110.0, 0.92, 1.1), bus(f"{s}/10", 10.0, 0.93, 1.1)]
        hosts = rng.choice(n_220, 2, replace=False)
        for k, host in enumerate(hosts):
            km = float(rng.uniform(5, 25))
            lines.append(line(f"{s}.{k}", f"S{host:03d}/110", f"{s}/110", km, r=0.1, x=0.39, ka=0.5))
        side = "lv" if rng.uniform() < 0.3 else "hv"
        pos = float(rng.integers(1, 4))
        tap = {"tap_side": side, "tap_pos": pos if side == "hv" else -pos}
        units += [unit(f"{s}#{k}", f"{s}/110", f"{s}/10", 50.0, 110.0, 10.5, shift_degree=30.0, **tap) for k in (1, 2)]
        p = float(rng.uniform(15, 45))
        loads.append(load(f"{s}/10", p, 0.25 * p))
    spur = f"T{n_110 - 1:03d}"
    stations.append(station("X000", 110.0, 117.1, 33.5))
    buses.append(bus("X000/110", 110.0))
    lines.append(line("spur", f"{spur}/110", "X000/110", 10.0, r=0.12, ka=0.4))
    loads.append(load("X000/110", 9.0, 2.0))
    plants.append(plant("K1", "S001/220", 200.0, vm=0.985, q=(-60.0, 90.0)))
    plants.append(plant("W1", "S002/110", 60.0, fuel="wind", control="power"))
    feeds = [infeed("S000/220", 1.0, 2.0)]
    if rng.uniform() < 0.5:
        feeds.append(infeed("S002/220", 0.995, 1.0))
    return network(
        f"random{seed}",
        stations=stations,
        buses=buses,
        lines=lines,
        units=units,
        loads=loads,
        plants=plants,
        infeeds=feeds,
    )


def plain_pandapower(net: Network, case: Case):
    """An independent translation to pandapower for the comparisons, distributed slack over the infeeds."""
    import pandapower as pp

    out = pp.create_empty_network(f_hz=50.0)
    index = {b: pp.create_bus(out, vn_kv=v, name=b) for b, v in net.buses[["bus_id", "vn_kv"]].itertuples(index=False)}
    for row in net.lines.itertuples():
        pp.create_line_from_parameters(
            out, index[row.from_bus], index[row.to_bus], row.length_km, row.r_ohm_per_km, row.x_ohm_per_km,
            row.c_nf_per_km, row.max_i_ka, name=row.line_id,
        )  # fmt: skip
    for row in net.transformers.itertuples():
        pp.create_transformer_from_parameters(
            out, index[row.hv_bus], index[row.lv_bus], row.sn_mva, row.vn_hv_kv, row.vn_lv_kv, row.vkr_percent,
            row.vk_percent, row.pfe_kw, row.i0_percent, row.shift_degree, tap_side=row.tap_side,
            tap_neutral=row.tap_neutral, tap_max=row.tap_max, tap_min=row.tap_min,
            tap_step_percent=row.tap_step_percent, tap_step_degree=0.0, tap_pos=row.tap_pos,
            tap_changer_type="Ratio", name=row.transformer_id,
        )  # fmt: skip
    for row in net.loads.itertuples():
        pp.create_load(out, index[row.bus_id], row.p_mw * case.load_share, row.q_mvar * case.load_share)
    for row in net.generators.itertuples():
        p = row.p_max_mw * fuel_share(case, row.fuel)
        if row.control == "voltage" and p:
            pp.create_gen(out, index[row.bus_id], p, row.vm_pu, min_q_mvar=row.q_min_mvar, max_q_mvar=row.q_max_mvar)
        else:
            pp.create_sgen(out, index[row.bus_id], p)
    for k, row in enumerate(net.infeeds.itertuples()):
        if k == 0:
            pp.create_ext_grid(out, index[row.bus_id], row.vm_pu, row.va_degree, slack_weight=row.slack_weight)
        else:
            pp.create_gen(out, index[row.bus_id], 0.0, row.vm_pu, slack=True, slack_weight=row.slack_weight)
    return out
