"""A year of hours by AC on one network: ours against pandapower's ``run_timeseries``.

Run: ``python benchmarks/ac_year.py [case118] [--hours 8760] [--pandapower 40]``. The peer runs the first hours and is
scaled up, which is said so; its answers are compared with ours before the ratio is printed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # one thread each, as the processor time says

import numpy as np
import pandas as pd
from ac_batch import case_path

SAME_PU = 1e-6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("case", nargs="?", default="case118")
    parser.add_argument("--hours", type=int, default=8760)
    parser.add_argument("--pandapower", type=int, default=40)
    options = parser.parse_args()

    from grid.batch import BatchSolver
    from grid.readers.matpower import read_matpower
    from grid.studies.series import run_series

    case = read_matpower(case_path(options.case))
    rng = np.random.default_rng(1)
    day = 0.8 + 0.15 * np.sin(np.arange(options.hours) * 2 * np.pi / 24)
    columns = {f"load:{name}": p * day * (1 + 0.05 * rng.normal(size=options.hours))
               for name, p in zip(case.loads["load_id"], case.loads["p_mw"], strict=True)}  # fmt: skip
    series = pd.DataFrame({"hour": np.arange(options.hours), **columns})
    solver = BatchSolver.of_case(case)
    run_series(solver, series.head(64))
    begin = time.process_time()
    year = run_series(solver, series)
    we = time.process_time() - begin
    print(f"{options.case}: {options.hours} hours, {year.counts}")
    ours = voltages(case, solver, series.head(options.pandapower))
    they, apart = peer_seconds(case, series.head(options.pandapower), ours)
    print(f"  largest difference of a voltage over {options.pandapower} hours: {apart:.1e} pu")
    if not apart < SAME_PU:
        sys.exit("the answers differ: no ratio")
    ratio = they / options.pandapower * options.hours / we
    print(f"  run_timeseries (from {options.pandapower} hours, scaled up) / ours = {ratio:.0f}")


def voltages(case, solver, series):
    """Our voltages of every bus in the first hours, shape (hours, buses)."""
    from grid.studies.series import Drive

    change = Drive.of(solver, series).change(0, len(series))
    blocks = [np.abs(block.node_voltage[solver.arrays.node]) for block in solver.injections(change)]
    return np.concatenate(blocks, axis=1).T


def peer_seconds(case, series, ours):
    from pandapower.control import ConstControl
    from pandapower.timeseries import DFData, OutputWriter, run_timeseries

    from grid.model.pandapower_export import to_pandapower

    net = to_pandapower(case).net
    order = list(net.load["name"]) if "name" in net.load else []
    ids = [str(x) for x in case.loads["load_id"]]
    wanted = [ids.index(n) if n in ids else k for k, n in enumerate(order or ids)]
    p = series[[f"load:{ids[k]}" for k in wanted]].to_numpy()
    factor = p / net.load["p_mw"].to_numpy()
    q = factor * net.load["q_mvar"].to_numpy()
    p_source, q_source = DFData(pd.DataFrame(p)), DFData(pd.DataFrame(q))
    ConstControl(net, "load", "p_mw", net.load.index, profile_name=list(range(p.shape[1])), data_source=p_source)
    ConstControl(net, "load", "q_mvar", net.load.index, profile_name=list(range(p.shape[1])), data_source=q_source)
    writer = OutputWriter(net, time_steps=range(len(series)), output_path=None, log_variables=[("res_bus", "vm_pu")])
    run_timeseries(net, time_steps=range(len(series)), verbose=False, calculate_voltage_angles=True)
    begin = time.process_time()
    run_timeseries(net, time_steps=range(len(series)), verbose=False, calculate_voltage_angles=True)
    seconds = time.process_time() - begin
    vm = writer.output["res_bus.vm_pu"] if "res_bus.vm_pu" in writer.output else writer.output["ppc_bus.vm"]
    apart = float(np.abs(vm.to_numpy()[:, : ours.shape[1]] - ours).max())
    return seconds, apart


if __name__ == "__main__":
    main()
