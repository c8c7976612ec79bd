"""A plan by rows found when broken, against the whole programme at once and against a loop of power flows as proof.

Run: ``python benchmarks/plan.py``. A generated reference network with many lots, decided one by one; named cases only,
no measures, a target at which many limits bind.

*Programme.* We search: AC states, the rows that they break, HiGHS, in turn, and the proof. The peer is
``scipy.optimize.milp`` on the same columns and goal rows with every row of every outage in every case at once, tangents
at the states of our plan, which it gets for nothing: only its solve counts.
*Proof.* We sweep all outages of all cases at the plan; the peer is pandapower ``runpp``, outage after outage (a sample,
scaled up). The states are compared, and what is broken in a plan half as large again.
Times are processor times.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, vstack

from grid.contracts import Case
from grid.limits import NO_LIMIT, LimitSettings
from grid.pandapower_net import solve_pandapower, to_pandapower
from grid.plan.contracts import Access, Lot, PlanProblem, PlanSettings, PlanTarget, Point, Stage
from grid.plan.model import Master
from grid.plan.rows import MARGIN_PERCENT, MARGIN_PU, NetworkBook, Reached, broken, row_gradients
from grid.plan.solve import solve_plan
from grid.reference_network import ReferenceGridSpec, build_reference_network

CASES = (Case("noon", "午", "noon", 0.5, 0.9, 0.3), Case("windy", "风", "windy", 0.45, 0.9, 0.8))
GAP = 0.005
LOTS = 150
PEAK_MW = 3000.0
SAMPLE = 12
PART = 0.85
"""Target by the most that the network takes."""


def network():
    rng = np.random.default_rng(1)
    points = pd.DataFrame(
        {
            "lon": 116 + rng.uniform(0, 1.4, 400),
            "lat": 33.2 + rng.uniform(0, 1.1, 400),
            "p_mw": rng.uniform(1, 14, 400),
            "district_code": "A",
        }
    )
    return build_reference_network(ReferenceGridSpec("benchmark", PEAK_MW), points)


def problem(net) -> PlanProblem:
    """Lots of 30 to 90 MW at the 110 and 220 kV buses, PV and wind; each is built whole to a tenth, or not."""
    rng = np.random.default_rng(2)
    buses = sorted(net.buses.loc[net.buses["vn_kv"].between(100, 250), "bus_id"])
    cases = CASES
    lots, available = [], []
    for k in range(LOTS):
        bus, wind, mw = str(rng.choice(buses)), k % 4 == 0, float(rng.uniform(30, 90))
        group = "wind" if wind else "pv"
        access = Access(bus, bus, float(rng.uniform(0.3e6, 3e6)))
        price = float(rng.uniform(2.6e5, 3.6e5) * (2 if wind else 1))
        lots.append(Lot(f"{k}", group, group, "A", mw, 1.0, 0.1 * mw, price, 2200.0 if wind else 1200.0, (access,)))
        available.append([(0.3, 0.8)[h] if wind else 0.9 for h in range(len(cases))])
    return PlanProblem(
        (Stage(2030, 1.0),),
        tuple(Point(case.id, case, 0.0, False) for case in cases),
        tuple(lots),
        np.array(available),
        (),
        (),
        PlanSettings(objective="most_mw", gap=GAP, time_limit_s=600.0),
        LimitSettings.standard(),
        lambda config, case: net,
    )


def states(one: PlanProblem, injections: list[np.ndarray]) -> list[Reached]:
    book = NetworkBook(one)
    found = [book.reach(frozenset(), h, 1.0, mw) for h, mw in enumerate(injections)]
    assert all(r is not None and r.share == 1.0 for r in found)
    return found


def all_rows(one: PlanProblem, reached: list[Reached]) -> LinearConstraint:
    """Every row of every outage and case that can bind, as a tangent at a state, by the master's columns x."""
    master = Master(one)
    width = len(master._table.lower)
    blocks, limits = [], []
    for h, at in enumerate(reached):
        sweep = at.sweep
        rows, ks = np.nonzero((sweep.base_values > -NO_LIMIT / 2) & (sweep.limits < NO_LIMIT / 2))
        buses = np.array([sweep.model.bus_index(b) for b in one.buses])
        margin = np.where((rows >= sweep.constraint_rows.high.start) & (rows < sweep.constraint_rows.reverse.start),
                          MARGIN_PU, MARGIN_PERCENT)  # fmt: skip
        for part in np.array_split(np.arange(len(rows)), max(1, len(rows) // 20_000)):
            gradient = row_gradients(sweep, rows[part], ks[part], buses) / 100.0
            slope = gradient[:, one.offer_bus] * one.availability[one.offer_lot, h]
            room = (sweep.limits - sweep.base_values)[rows[part], ks[part]] - margin[part]
            reach = np.maximum(slope, 0.0) @ np.array([lot.capacity_mw for lot in one.lots])
            limit = room + gradient @ at.injections_mw
            kept = reach > limit  # a row that no plan can break says nothing
            index = np.broadcast_to(master.x[:, 0], slope[kept].shape)
            start = np.arange(0, index.size + 1, index.shape[1])
            blocks.append(csr_array((slope[kept].ravel(), index.ravel(), start), shape=(int(kept.sum()), width)))
            limits.append(limit[kept])
    return LinearConstraint(vstack(blocks).tocsr(), -np.inf, np.concatenate(limits))


def whole_programme(one: PlanProblem, rows: LinearConstraint):
    """scipy's answer to the master's own columns and goal rows with all rows of the network: (million CNY, s)."""
    master = Master(one)
    lp = master._highs.getLp()
    a = lp.a_matrix_
    by_row = a.format_.name == "kRowwise"
    shape = (lp.num_row_, lp.num_col_) if by_row else (lp.num_col_, lp.num_row_)
    own = csr_array((np.array(a.value_), np.array(a.index_), np.array(a.start_)), shape=shape)
    goals = LinearConstraint(own if by_row else own.T.tocsr(), np.array(lp.row_lower_), np.array(lp.row_upper_))
    whole = np.zeros(lp.num_col_)
    whole[master._table.whole] = 1
    begun = time.process_time()
    found = milp(
        np.array(lp.col_cost_), integrality=whole, bounds=Bounds(np.array(lp.col_lower_), np.array(lp.col_upper_)),
        constraints=[goals, rows], options={"mip_rel_gap": GAP},
    )  # fmt: skip
    seconds = time.process_time() - begun
    assert found.status == 0, found.message
    return float(found.fun), seconds


def programme(one: PlanProblem, net) -> list[np.ndarray]:
    """Compare the programmes; the injections of our plan by case."""
    begun = time.process_time()
    answer = solve_plan(one)
    we_s = time.process_time() - begun
    injections = [answer.decision.injections_mw(one, h, 0) for h in range(len(one.points))]
    rows = all_rows(one, states(one, injections))
    peer, peer_s = whole_programme(one, rows)
    ours = answer.objective_cny / 1e6
    print(
        f"{len(one.lots)} lots, {len(net.buses)} buses, target {one.targets[0].new_mw:.0f} MW: ours {ours:.2f} million "
        f"CNY/a (gap {answer.gap_percent:.2f} %, {len(answer.cuts)} rows found, {len(answer.violations)} AC "
        f"violations), scipy with all {rows.A.shape[0]} rows {peer:.2f}"
    )
    assert not answer.violations
    assert answer.decision.missing_mw.sum() < 1e-3
    assert abs(peer - ours) <= 2 * GAP * ours, "the answers differ: the ratio means nothing"
    print(f"scipy milp, all rows at once / our search with AC states and proof = {peer_s / we_s:.1f} "
          f"({peer_s:.1f} s / {we_s:.1f} s)")  # fmt: skip
    return injections


def proof(one: PlanProblem, net, injections: list[np.ndarray]) -> None:
    """Compare all outages at the plan, and what is broken in a plan half as large again."""
    states(one, injections)
    begun = time.process_time()
    ours = states(one, injections)
    we_s = time.process_time() - begun
    larger = states(one, [1.5 * mw for mw in injections])
    assert not any(broken(at).any() for at in ours)
    peer_s, compared, worst, counts = 0.0, 0, 0.0, np.zeros(2, dtype=int)
    for h, (plan, more) in enumerate(zip(ours, larger, strict=True)):
        for at, counted in ((plan, True), (more, False)):
            seconds, states_compared, difference, over = by_pandapower(one, net, h, at)
            worst = max(worst, difference)
            counts += over
            if counted:
                peer_s += seconds / states_compared * at.sweep.count
                compared += states_compared
    print(
        f"largest difference of {compared} states {worst:.4f} % of a rating; branches beyond their limits in the "
        f"larger plan: ours {counts[0]}, pandapower {counts[1]}"
    )
    assert worst < 0.05, "the states differ: the ratio means nothing"
    assert counts[0] == counts[1] > 0, "the violations differ: the ratio means nothing"
    print(f"pandapower loop (scaled up from {compared}) / our sweep, base states included = {peer_s / we_s:.0f}")


def by_pandapower(one: PlanProblem, net, h: int, at: Reached) -> tuple[float, int, float, np.ndarray]:
    """(seconds, states, largest difference of a loading, branches beyond limits: ours and the peer's) of a sample."""
    import pandapower as pp

    sweep, power = at.sweep, one.limits.plant_power
    peer = to_pandapower(net, one.points[h].case)
    place = dict(zip(peer.bus["name"], peer.bus.index, strict=True))
    for bus, mw in zip(one.buses, at.injections_mw, strict=True):
        pp.create_sgen(peer, place[bus], p_mw=mw, q_mvar=mw * power.imag / power.real)
    solve_pandapower(peer)
    order = {name: k for k, name in enumerate(sweep.model.element_ids)}
    nb = sweep.constraint_rows.n_branch
    scenarios = [k for k in range(1, sweep.count) if not sweep.outages.dead[:, k].any()]
    seconds, worst, over, states_compared = 0.0, 0.0, np.zeros(2, dtype=int), 0
    for k in scenarios[:: max(1, len(scenarios) // SAMPLE)]:
        out = sweep.outage_name(k)
        table = peer.line if (peer.line["name"] == out).any() else peer.trafo
        table.loc[table["name"] == out, "in_service"] = False
        begun = time.process_time()
        solved = solve_pandapower(peer)
        seconds += time.process_time() - begun
        table.loc[table["name"] == out, "in_service"] = True
        assert solved, out
        for branches, results in ((peer.line, peer.res_line), (peer.trafo, peer.res_trafo)):
            there = (branches["name"] != out).to_numpy()
            mine = np.array([order[name] for name in branches["name"]])[there]
            theirs = results["loading_percent"].to_numpy()[there]
            values = np.maximum(sweep.base_values[mine, k], sweep.base_values[mine + nb, k])
            allowed = np.minimum(sweep.limits[mine, k], sweep.limits[mine + nb, k])
            worst = max(worst, float(np.abs(values - theirs).max()))
            over += [int((values > allowed + 0.01).sum()), int((theirs > allowed + 0.01).sum())]
        states_compared += 1
    return seconds, states_compared, worst, over


def main() -> None:
    net = network()
    one = problem(net)
    most = solve_plan(one).value  # compiles and warms up, too
    one = replace(
        one,
        targets=(PlanTarget("target", "renewable", 0, PART * most),),
        settings=replace(one.settings, objective="least_cost"),
    )
    injections = programme(one, net)
    proof(one, net, injections)


if __name__ == "__main__":
    main()
