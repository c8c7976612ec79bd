"""Which lines to open so that breakers suffice: corridors one after the other, each the one that helps most.

A network that is mapped or generated is closed; utilities run 220 kV in zones and 110 kV radially, with lines that are
normally open. Candidates are corridors of the levels whose buses are beyond their breakers. Taking one of admittance y
between nodes f and t out changes the impedance seen from node i to (Sherman-Morrison, for both sequences)

    Z'_ii = Z_ii + (Z_if - Z_it)^2 / (1/y - Z_ff - Z_tt + 2 Z_ft)

Opening leaves the network in one part. From :data:`RADIAL_BELOW_KV` up no circuit may become one whose loss cuts a
part off; below, such stations rely on back-feed switching (the other line takes over). Flows stay within
ratings in the given cases, with every element in service and, estimated by shift factors, with one out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from grid.contracts import Case, Network, Status
from grid.engine import Engine, parts
from grid.model.arrays import Bools, Complexes, Floats, Ints
from grid.reference.security import screened_loading
from grid.studies.short_circuit_assumptions import ShortCircuitOptions, fault_rules
from grid.studies.short_circuit_boundary import all_running, infeed_powers
from grid.studies.short_circuit_data import FaultData, fault_data
from grid.studies.short_circuit_matrix import Sequence as Impedances
from grid.studies.short_circuit_matrix import matrix_currents, positive_sequence, zero_sequence
from layers.tables import Table, column

MOST_OPENINGS = 20
MOST_NODES = 3000
"""Beyond it the dense impedance matrices are too large: no openings are looked for."""
MOST_TRIALS = 8
"""Candidates a step whose load flow is tried, best first."""
RADIAL_BELOW_KV = 200.0
"""110 kV and below run radially with back-feed switching, 220 kV stations keep two paths (GB 38755 and DL/T 256)."""
LEAST_GAIN = 0.01
"""What an opening must take away, as a share of the limit of one bus, or half of what is left."""
_CUT = 1e-9

OPENINGS = Table(
    "short_circuit_openings",
    "Lines whose opening brings short-circuit currents below the breakers, in this order, each with those before it.",
    {
        "step": column(int, "", "order, from 1", ge=1, unique=True),
        "corridor_id": column(str, "", "corridor to open, all its circuits", unique=True),
        "name_zh": column(str, "", "stations at both ends"),
        "name_en": column(str, "", "stations at both ends"),
        "vn_kv": column(float, "kV", "level", gt=0),
        "circuits": column(int, "", "circuits that are normally open then", ge=1),
        "bus_id": column(str, "", "bus that this opening relieves most"),
        "fault": column(str, "", "3ph or 1ph: the larger current there", isin=("3ph", "1ph")),
        "before_ka": column(float, "kA", "that current before this opening"),
        "after_ka": column(float, "kA", "after it"),
        "limit_ka": column(float, "kA", "where red begins: 0.95 of the breaker"),
        "beyond_before": column(int, "", "buses at or above that limit before", ge=0),
        "beyond_after": column(int, "", "after", ge=0),
        "supply": column(str, "", "two_paths: no circuit's loss cuts off more than before; back_feed: a station relies "
                                  "on back-feed switching", isin=("two_paths", "back_feed")),
        "loading_percent": column(float, "%", "highest loading in the worst case with all openings so far"),
        "loading_n_1_percent": column(float, "%", "the same with one element out, estimated by shift factors"),
    },
)  # fmt: skip


@dataclass(frozen=True)
class Corridor:
    """Circuits of one route: branch rows, nodes at their ends, level."""

    corridor_id: str
    rows: Ints
    f: int
    t: int
    vn_kv: float


@dataclass(frozen=True)
class Proof:
    """What the load flow says of a network: highest loadings over the cases [%] and circuits that nothing replaces."""

    solved: bool
    loading_percent: float
    loading_n_1_percent: float
    bridges: int


def find_openings(
    network: Network, watched: Sequence[str], cases: Sequence[Case], most: int = MOST_OPENINGS
) -> pd.DataFrame:
    """Corridors whose opening brings watched buses below the limit of their breakers, best first.

    Parameters
    ----------
    network : Network
        Closed as it stands.
    watched : sequence of str
        Buses that count.
    cases : sequence of Case
        Operating points in which the flows must fit.
    most : int
        Largest number of openings.

    Returns
    -------
    DataFrame
        Table :data:`OPENINGS`; ends where no bus is beyond its limit or no allowed opening helps. Empty for a network
        of more than :data:`MOST_NODES` nodes or of several parts, and for one whose flows do not solve in every case.
    """
    data = fault_data(all_running(network), ShortCircuitOptions(infeed_s_sc_mva=infeed_powers(network)))
    if data.arrays.n_node > MOST_NODES or not len(watched):
        return OPENINGS.empty()
    names = data.arrays.case.buses["name"].tolist()
    at = np.array([names.index(bus) for bus in watched])
    limit = fault_rules()["red_from"] * data.breaker_ka[at]
    before = _worst([_proof(network, case) for case in cases])
    if not before.solved:
        return OPENINGS.empty()
    state = _State(network, data, at, limit, before)
    rows: list[dict[str, object]] = []
    while len(rows) < most and state.beyond.any():
        found = _best_opening(state, cases)
        if found is None:
            break
        corridor, after = found
        rows.append(_row(len(rows) + 1, state, corridor, after, names))
        state = after
    return OPENINGS.validate(pd.DataFrame(rows, columns=list(OPENINGS.columns))) if rows else OPENINGS.empty()


class _State:
    """A network with some corridors open, and the currents of the watched buses, shape (watched, 2 faults)."""

    def __init__(self, network: Network, data: FaultData, at: Ints, limit: Floats, proof: Proof) -> None:
        self.network, self.data, self.at, self.limit, self.proof = network, data, at, limit, proof
        found = matrix_currents(data)
        self.currents = np.nan_to_num(np.stack([found.ikss_3ph_ka[at], found.ikss_1ph_ka[at]], axis=1))
        self.worst: Floats = self.currents.max(axis=1)
        self.converters = np.nan_to_num(np.stack([found.converters_3ph_ka[at], found.converters_1ph_ka[at]], axis=1))

    @property
    def beyond(self) -> Bools:
        return np.asarray(self.worst >= self.limit)

    def excess(self, currents: Floats) -> float:
        """Sum over the watched buses of what is beyond the limit, as shares of it."""
        return float(np.nansum(np.maximum(currents / self.limit - 1, 0)))

    def opened(self, corridor: Corridor, proof: Proof, network: Network) -> _State:
        live = self.data.arrays.live.copy()
        live[corridor.rows] = False
        data = replace(self.data, arrays=replace(self.data.arrays, live=live))
        return _State(network, data, self.at, self.limit, proof)


def _best_opening(state: _State, cases: Sequence[Case]) -> tuple[Corridor, _State] | None:
    """The allowed corridor that takes away most of the excess; estimates rank, the exact currents decide."""
    levels = set(state.data.arrays.case.buses["vn_kv"].to_numpy(float)[state.at[state.beyond]])
    candidates = [c for c in _corridors(state) if c.vn_kv in levels]
    if not candidates:
        return None
    now = state.excess(state.worst)
    left = _excess_left(state, candidates)
    best = [int(k) for k in np.argsort(left, kind="stable") if now - left[k] >= min(LEAST_GAIN, now / 2)]
    for k in best[:MOST_TRIALS]:
        corridor = candidates[k]
        network = _without(state.network, corridor)
        proof = _fits(network, cases, corridor.vn_kv, state.proof)
        if proof is None:
            continue
        after = state.opened(corridor, proof, network)
        if after.excess(after.worst) < now:
            return corridor, after
    return None


def _fits(network: Network, cases: Sequence[Case], vn_kv: float, before: Proof) -> Proof | None:
    """The proof of a network with one more corridor of that level open, None where it fails in any case."""
    most, most_n_1 = max(100.0, before.loading_percent), max(100.0, before.loading_n_1_percent)
    found: list[Proof] = []
    for case in cases:
        proof = _proof(network, case)
        bridged = vn_kv >= RADIAL_BELOW_KV and proof.bridges > before.bridges
        if not proof.solved or bridged or proof.loading_percent > most or proof.loading_n_1_percent > most_n_1:
            return None
        found.append(proof)
    return _worst(found)


def _proof(network: Network, case: Case) -> Proof:
    engine = Engine(network, case)
    state = engine.solve()
    apart = parts(engine.model, np.ones(engine.model.n_branch, dtype=bool)).max() > 0
    if state.status is not Status.SOLVED or apart:
        return Proof(False, np.inf, np.inf, len(engine.bridges))
    after = float(np.nanmax(screened_loading(engine, state)))
    return Proof(True, float(np.nanmax(state.loading_percent)), after, len(engine.bridges))


def _worst(proofs: Sequence[Proof]) -> Proof:
    return Proof(
        all(p.solved for p in proofs),
        max(p.loading_percent for p in proofs),
        max(p.loading_n_1_percent for p in proofs),
        max(p.bridges for p in proofs),
    )


def _without(network: Network, corridor: Corridor) -> Network:
    lines = network.lines
    return replace(network, lines=lines[lines["corridor_id"] != corridor.corridor_id].reset_index(drop=True))


def _corridors(state: _State) -> list[Corridor]:
    """Closed corridors in the order of their lines."""
    arrays, lines = state.data.arrays, state.network.lines
    row_of = {name: k for k, name in enumerate(arrays.case.branches["branch_id"])}
    vn = arrays.case.buses["vn_kv"].to_numpy(float)
    found = []
    for corridor, circuits in lines.groupby("corridor_id", sort=False)["line_id"]:
        rows = np.array([row_of[name] for name in circuits])
        f, t = int(arrays.f[rows[0]]), int(arrays.t[rows[0]])
        found.append(Corridor(str(corridor), rows, f, t, float(vn[arrays.f_bus[rows[0]]])))
    return found


def _excess_left(state: _State, candidates: Sequence[Corridor]) -> Floats:
    """Excess that stays after each candidate alone is opened, converters' part as before; infinite where it would cut
    a part off."""
    data = state.data
    z1 = _opened_impedances(positive_sequence(data), data, state.at, candidates, data.z1_pu)
    z0 = _opened_impedances(zero_sequence(data), data, state.at, candidates, data.z0_pu)
    z0 = np.where(z0 == 0, np.nan, z0)
    z0 = np.where(data.earthed[state.at][:, None], z0, np.nan)
    ka = data.c * data.base_ka[state.at][:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        three, one = ka / np.abs(z1), 3 * ka / np.abs(2 * z1 + z0)
    worst = np.fmax(three + state.converters[:, :1], one + state.converters[:, 1:])
    return np.array([state.excess(worst[:, k]) for k in range(len(candidates))])


def _opened_impedances(
    sequence: Impedances, data: FaultData, at: Ints, candidates: Sequence[Corridor], z_pu: Complexes
) -> Complexes:
    """Z'_ii of bus rows ``at`` (rows) with each candidate alone open (columns); NaN where nothing feeds the bus."""
    nodes = data.arrays.node[at]
    seen = np.full((len(at), len(candidates)), np.nan + 1j * np.nan)
    fed = sequence.place[nodes] >= 0
    ends = np.unique([end for c in candidates for end in (c.f, c.t) if sequence.place[end] >= 0]).astype(np.int64)
    if not fed.any():
        return seen
    own = sequence.diagonal()[nodes]
    columns = sequence.columns(ends)
    place = {int(node): k for k, node in enumerate(ends)}
    for k, c in enumerate(candidates):
        seen[:, k] = own
        if c.f not in place or c.t not in place:
            continue
        difference = columns[:, place[c.f]] - columns[:, place[c.t]]
        loop = difference[sequence.place[c.f]] - difference[sequence.place[c.t]]
        y = (1 / z_pu[c.rows]).sum()
        if abs(1 / y - loop) > _CUT * abs(1 / y):
            seen[fed, k] = own[fed] + difference[sequence.place[nodes[fed]]] ** 2 / (1 / y - loop)
        else:
            seen[:, k] = 0  # the corridor alone feeds what lies behind it
    return seen


def _row(step: int, before: _State, corridor: Corridor, after: _State, names: Sequence[str]) -> dict[str, object]:
    gain = np.where(before.beyond, before.worst - after.worst, -np.inf)
    k = int(np.argmax(gain))
    fault = int(np.argmax(before.currents[k]))
    stations = before.network.stations.set_index("station_id")
    home = before.network.buses.set_index("bus_id")["station_id"]
    line = before.network.lines.set_index("corridor_id").loc[[corridor.corridor_id]].iloc[0]
    ends = [stations.loc[home[line[side]]] for side in ("from_bus", "to_bus")]
    two = after.proof.bridges <= before.proof.bridges
    return {
        "step": step, "corridor_id": corridor.corridor_id,
        "name_zh": "–".join(str(end["name_zh"]) for end in ends),
        "name_en": " – ".join(str(end["name_en"]) for end in ends),
        "vn_kv": corridor.vn_kv, "circuits": len(corridor.rows), "bus_id": names[before.at[k]],
        "fault": ("3ph", "1ph")[fault], "before_ka": before.currents[k, fault], "after_ka": after.currents[k, fault],
        "limit_ka": before.limit[k], "beyond_before": int(before.beyond.sum()),
        "beyond_after": int(after.beyond.sum()), "supply": "two_paths" if two else "back_feed",
        "loading_percent": after.proof.loading_percent, "loading_n_1_percent": after.proof.loading_n_1_percent,
    }  # fmt: skip
