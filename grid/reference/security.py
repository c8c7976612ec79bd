"""Is a network secure: every outage by AC load flow, and a fast estimate of all outages at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grid.admittance import Floats, GridModel
from grid.contracts import Case, Network, Status
from grid.engine import Engine, Solution, find_bridges
from grid.limits import post_fault_band

AC_LIMIT_PERCENT = 100.0
_VOLTAGE_TOLERANCE_PU = 1e-4


@dataclass(frozen=True, order=True)
class Breach:
    """A limit broken in one case: ``element`` is a line, a unit or a bus; ``outage`` is empty without one.

    ``kind`` is loading [% of rating], low_voltage or high_voltage [pu], diverged, or lost_load [MW].
    """

    case: str
    outage: str
    kind: str
    element: str
    value: float


def security_breaches(
    network: Network, cases: Sequence[Case], only: frozenset[tuple[str, str]] | None = None
) -> tuple[Breach, ...]:
    """Every limit broken in N-0 and N-1, each outage by AC load flow, sorted.

    Loadings are held to 100 % (transformers too, no short-time overload); voltages to the bus's own band without an
    outage and to the wider of that and the post-fault band after one. An outage may cut off plants, never load.

    Parameters
    ----------
    only : frozenset of (case id, outage id), optional
        Look at these states alone; an empty outage id is the intact network. Outages that do not exist are skipped.
    """
    found: list[Breach] = []
    for case in cases:
        if only is not None and not any(name == case.id for name, _ in only):
            continue
        engine = Engine(network, case)
        base = engine.solve()
        if only is None or (case.id, "") in only or base.status is Status.DIVERGED:
            found += _breaches(engine.model, base, case.id, "")
        if base.status is Status.DIVERGED:
            continue
        for outage in engine.model.element_ids:
            if only is None or (case.id, outage) in only:
                state = engine.solve(outage=outage, start=base.voltage)
                found += _breaches(engine.model, state, case.id, outage)
    return tuple(sorted(found))


def _breaches(model: GridModel, state: Solution, case: str, outage: str) -> list[Breach]:
    if state.status is Status.DIVERGED:
        return [Breach(case, outage, "diverged", "", float("nan"))]
    found = []
    if state.lost_load_mw > 0:
        found.append(Breach(case, outage, "lost_load", "", state.lost_load_mw))
    loading = np.nan_to_num(state.loading_percent)
    for k in np.flatnonzero(loading > AC_LIMIT_PERCENT):
        found.append(Breach(case, outage, "loading", model.element_ids[k], float(loading[k])))
    low, high = model.vm_min_pu, model.vm_max_pu
    if outage:
        bands = np.array([post_fault_band(vn) for vn in model.vn_kv.tolist()])
        low, high = np.minimum(low, bands[:, 0]), np.maximum(high, bands[:, 1])
    for k in np.flatnonzero(state.vm_pu < low - _VOLTAGE_TOLERANCE_PU):
        found.append(Breach(case, outage, "low_voltage", model.bus_ids[k], float(state.vm_pu[k])))
    for k in np.flatnonzero(state.vm_pu > high + _VOLTAGE_TOLERANCE_PU):
        found.append(Breach(case, outage, "high_voltage", model.bus_ids[k], float(state.vm_pu[k])))
    return found


def screened_loading(engine: Engine, base: Solution) -> Floats:
    """Estimated highest loading of every branch over N-0 and all outages [%], shape (branches,).

    Active flows after an outage are ``f_l + LODF_lk f_k`` on the AC base state; reactive flows shift by the same
    factors. Bridges are left out (their loss splits the network).
    """
    model = engine.model
    factors = outage_factors(model, engine.point.reference)
    factors[:, list(find_bridges(model))] = 0.0
    np.fill_diagonal(factors, 0.0)
    p, q = np.nan_to_num(base.p_from_mw), np.nan_to_num(base.q_from_mvar)
    after = np.hypot(p[:, None] + factors * p[None, :], q[:, None] + factors * q[None, :])
    worst = after.max(axis=1)
    own = np.nan_to_num(base.loading_percent)
    per_mva = own / np.maximum(np.hypot(p, q), 1e-6)
    exact = np.isfinite(per_mva) & (np.hypot(p, q) > 1.0)
    percent: Floats = np.where(exact, worst * per_mva, worst * 100 / model.rating_mva)
    return percent


def outage_factors(model: GridModel, reference: int) -> Floats:
    """DC line outage distribution factors, shape (branches, branches): flow on row per flow on the lost column.

    Columns of bridges are undefined and set to 0.
    """
    susceptance = np.abs(model.ytf)
    incidence = np.zeros((model.n_branch, model.n_bus))
    rows = np.arange(model.n_branch)
    incidence[rows, model.f] = 1.0
    incidence[rows, model.t] -= 1.0
    laplacian = incidence.T @ (susceptance[:, None] * incidence)
    keep = np.setdiff1d(np.arange(model.n_bus), [reference])
    inverse = np.zeros((model.n_bus, model.n_bus))
    inverse[np.ix_(keep, keep)] = np.linalg.inv(laplacian[np.ix_(keep, keep)])
    transfer = susceptance[:, None] * (incidence @ inverse @ incidence.T)
    own = 1.0 - np.diag(transfer)
    factors: Floats = np.where(np.abs(own) > 1e-8, transfer / np.where(np.abs(own) > 1e-8, own, 1.0), 0.0)
    return factors
