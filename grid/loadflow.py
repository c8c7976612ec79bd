"""Load flow of every named case, and its N-1.

The engine is lightsim2grid's Newton (:mod:`grid.engine`). Where it finds no solution, pandapower is asked with its
own starts and with its fast decoupled method; its voltages are then the engine's start, so that every result comes
from one set of equations. What neither solves is *diverged*.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from grid.admittance import Complexes
from grid.contingency import extremes, n_1_analysis, outage_limits, state_values
from grid.contracts import (
    BRANCH_N_1,
    BRANCH_STATE,
    BUS_STATE,
    LOAD_FLOW,
    OUTAGES,
    Case,
    LoadFlowResult,
    Network,
    Status,
)
from grid.engine import Engine, Solution
from grid.limits import LimitSettings
from grid.worst_loading import WorstLoading
from layers.tables import Table

Progress = Callable[[str, float], None]
PANDAPOWER_TRIES = (("nr", "dc"), ("nr", "flat"), ("fdbx", "flat"))


def run_load_flow(
    network: Network,
    cases: Sequence[Case],
    *,
    n_1: bool = True,
    settings: LimitSettings | None = None,
    progress: Progress | None = None,
) -> LoadFlowResult:
    """Load flow, and N-1 where asked, of each case.

    Parameters
    ----------
    network
        Network; its tables fulfil their contracts.
    cases
        Operating points; line ratings follow each case's season.
    n_1
        Also take out every circuit and every unit, once.
    settings
        Limits by which an outage is called secure; the standard ones where None.
    progress
        Called with (label, share of all work).

    Returns
    -------
    Tables ``load_flow``, ``bus_state``, ``branch_state``, ``outages``, ``branch_n_1`` by their contracts, cases in the
    given order; NaN where a bus or branch is cut off or the case diverged. A diverged case has no N-1 rows.
    """
    settings = settings or LimitSettings.standard()
    summaries, buses, branches, outages, worst = [], [], [], [], []
    for i, case in enumerate(cases):
        engine = Engine(network, case)
        base = solve_case(engine)
        buses.append(_bus_state(engine, base))
        branches.append(_branch_state(engine, base))
        table = OUTAGES.empty()
        if n_1 and base.status is not Status.DIVERGED:
            part = _part_of(progress, i, len(cases))
            loadings = WorstLoading(engine.model)
            table = n_1_analysis(engine, base, settings, part, loadings.see)
            outages.append(table)
            worst.append(loadings.table(case.id))
        summaries.append(_summary(engine, base, table, settings))
        if progress:
            progress(f"load flow {case.id}", (i + 1) / len(cases))
    return LoadFlowResult(
        load_flow=LOAD_FLOW.validate(_frame(summaries, LOAD_FLOW)),
        bus_state=BUS_STATE.validate(_stack(buses, BUS_STATE)),
        branch_state=BRANCH_STATE.validate(_stack(branches, BRANCH_STATE)),
        outages=OUTAGES.validate(_stack(outages, OUTAGES)),
        branch_n_1=BRANCH_N_1.validate(_stack(worst, BRANCH_N_1)),
    )


def solve_case(engine: Engine) -> Solution:
    """The intact network's state: the engine's ladder of starts, then pandapower's voltages as the last start."""
    base = engine.solve()
    if base.status is not Status.DIVERGED:
        return base
    start, name = _pandapower_start(engine)
    if start is None:
        return _with_detail(base, f"{base.detail}; pandapower: {name}")
    again = engine.solve(start=start)
    return _with_detail(again, f"{again.detail}; pandapower {name} start")


def _pandapower_start(engine: Engine) -> tuple[Complexes | None, str]:
    """Voltages from pandapower, or None and what was tried."""
    import pandapower as pp

    from grid.pandapower_net import to_pandapower

    net = to_pandapower(engine.network, engine.case)
    for algorithm, init in PANDAPOWER_TRIES:
        try:
            pp.runpp(
                net,
                algorithm=algorithm,
                init=init,
                max_iteration=60,
                calculate_voltage_angles=True,
                distributed_slack=algorithm == "nr" and len(engine.network.infeeds) > 1,
                numba=False,
            )
        except pp.LoadflowNotConverged:
            continue
        result = net.res_bus
        voltage = result["vm_pu"].to_numpy(float) * np.exp(1j * np.deg2rad(result["va_degree"].to_numpy(float)))
        return voltage, f"{algorithm} from {init}"
    return None, "no solution by " + ", ".join(f"{a} from {i}" for a, i in PANDAPOWER_TRIES)


def _with_detail(solution: Solution, detail: str) -> Solution:
    return replace(solution, detail=detail)


def _part_of(progress: Progress | None, i: int, count: int) -> Progress | None:
    if progress is None:
        return None
    return lambda label, share: progress(label, (i + share) / count)


def _summary(engine: Engine, base: Solution, outages: pd.DataFrame, settings: LimitSettings) -> tuple[Any, ...]:
    solved = base.status is not Status.DIVERGED
    where = extremes(engine, base)
    detail = base.detail
    if base.lost_buses:
        detail += f"; cut off: {', '.join(base.lost_buses)}"
    if base.fixed_reactive:
        detail += f"; at a reactive limit: {', '.join(base.fixed_reactive)}"
    counts = outages["status"].value_counts()
    lives = outages["status"] != Status.DIVERGED.value
    overloaded = int(_broken(engine, base, outages[lives], settings)) if len(outages) else 0
    return (
        engine.case.id,
        base.status.value,
        detail,
        base.load_mw if solved else np.nan,
        base.injection_mw if solved else np.nan,
        base.infeed_mw,
        base.losses_mw,
        where[2],
        where[3],
        where[4],
        where[5],
        where[0],
        where[1],
        len(outages),
        int(counts.get(Status.SOLVED.value, 0)),
        int(counts.get(Status.SPLIT.value, 0)),
        int(counts.get(Status.DIVERGED.value, 0)),
        overloaded,
    )


def _broken(engine: Engine, base: Solution, outages: pd.DataFrame, settings: LimitSettings) -> int:
    """Outages with a solution that break a limit; a split that only loses load does not count here."""
    split = outages["status"] == Status.SPLIT.value
    broken = int((~outages.loc[~split, "secure"]).sum())
    limits = outage_limits(engine, base, settings)
    for element in outages.loc[split, "outage"]:
        state = engine.solve(outage=element, start=base.voltage)
        values = state_values(engine, state, engine.model.element_index(element))
        broken += bool((values > limits).any())
    return broken


def _bus_state(engine: Engine, base: Solution) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "case": engine.case.id,
            "bus_id": list(engine.model.bus_ids),
            "vm_pu": base.vm_pu,
            "va_degree": np.rad2deg(base.va_rad),
        }
    )


def _branch_state(engine: Engine, base: Solution) -> pd.DataFrame:
    model = engine.model
    return pd.DataFrame(
        {
            "case": engine.case.id,
            "element": list(model.element_ids),
            "kind": np.where(model.is_transformer, "transformer", "line").astype(object),
            "p_from_mw": base.p_from_mw,
            "q_from_mvar": base.q_from_mvar,
            "i_max_ka": base.i_max_ka,
            "loading_percent": base.loading_percent,
        }
    )


def _frame(records: list[tuple[Any, ...]], promise: Table) -> pd.DataFrame:
    return pd.DataFrame(records, columns=list(promise.columns)) if records else promise.empty()


def _stack(frames: list[pd.DataFrame], promise: Table) -> pd.DataFrame:
    return pd.concat(frames, ignore_index=True) if frames else promise.empty()
