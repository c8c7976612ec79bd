"""Who uses whose headroom: what each site adds to the flow of each binding branch."""

from __future__ import annotations

import numpy as np
import pandas as pd

from grid.capacity.together_records import SHARES, Bound, Together
from grid.capacity.together_rows import StateSlopes, active_flow, name_of
from grid.capacity.together_study import Study


def headroom_shares(study: Study, answer: Together) -> pd.DataFrame:
    """Flow of every site in every binding branch of an answer.

    Parameters
    ----------
    study
        The study that gave the answer.
    answer
        Of :mod:`grid.capacity.together`; voltage rows have no flow and are left out.

    Returns
    -------
    DataFrame
        Table :data:`SHARES`, binding rows in the answer's order, the largest user first.

    Notes
    -----
    Factors are AC factors (PTDF of the solved state after the outage, slack as in the load flow), so that opposite
    flows show as negative and the sum over the sites is what all of them add, to first order.
    """
    point = study.point(answer.capacity_mw)
    mw, frames = answer.capacity_mw, []
    if point.states is None:
        return SHARES.empty()
    for bound in answer.bounds:
        branch = _branch(study, bound)
        if branch < 0:
            continue
        model = study.models[bound.case]
        flow, slope = active_flow(StateSlopes.of(model, point.states[bound.case], bound.state), np.array([branch]))
        factor = np.where(flow[0] >= 0, 1.0, -1.0) * slope[0] * model.arrays.base_mva
        added = factor * mw + 0.0
        total = float(added.sum())
        share = 100 * added / total + 0.0 if abs(total) > 1e-9 else np.full(len(mw), np.nan)
        _, element = name_of(model, bound.row)
        order = np.argsort(-added, kind="stable")
        frame = pd.DataFrame({
            "case": model.id,
            "outage": model.name(bound.state),
            "element": element,
            "site": np.array([site.id for site in study.sites], dtype=object)[order],
            "bus": np.array([int(site.bus_id) for site in study.sites])[order],
            "capacity_mw": mw[order],
            "factor": factor[order],
            "flow_mw": added[order],
            "share_percent": share[order],
        })  # fmt: skip
        frames.append(frame)
    return SHARES.validate(pd.concat(frames, ignore_index=True)) if frames else SHARES.empty()


def _branch(study: Study, bound: Bound) -> int:
    """Number among the limited branches of a row about a flow, else -1."""
    rows = study.models[bound.case].rows
    nb, n = rows.n_branch, rows.n_node
    if 0 <= bound.row < 2 * nb:
        return bound.row % nb
    return bound.row - 2 * nb - 2 * n if bound.row >= 2 * nb + 2 * n else -1
