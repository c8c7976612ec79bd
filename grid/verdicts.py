"""What the network says to each candidate: alone, together with the better ranked ones, and after upgrades.

================= =================================================================================================
verdict           meaning
================= =================================================================================================
connect           all of it, together with all better ranked candidates, every outage of every case within limits
connect_after_    not now; all of it once the measures that the candidates' limits call for are built (the whole
upgrade           portfolio is walked again on the strengthened network and verified by AC N-1)
partial           at least a tenth of it
refused           less than that
no_connection     no bus of a feasible voltage lies within reach
================= =================================================================================================

Needs no pandapower and takes seconds: it is run again whenever a score weight changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from grid.connections.headroom import headroom_mw
from grid.contracts import SUBSTATIONS, UPGRADES, VERDICTS, Network
from grid.hosting import HostingBasis, hosting_basis
from grid.portfolio import Bound, Offer, Portfolio, remaining_mw, walk
from grid.upgrades import UpgradeStudy, apply_upgrades, upgrade_options, worst_rows

Progress = Callable[[str, float], None]

MEASURES_AT_ONCE = 12
"""At most this many measures are built for the second walk, those with the most MW waiting for them first."""
LEAST_LIFT_MW = 1.0
LEAST_LIFT_SHARE = 0.05

LIMIT_ZH = {
    "line_loading": "线路过载",
    "transformer_loading": "主变过载",
    "voltage_high": "电压越上限",
    "voltage_low": "电压越下限",
    "diverged": "潮流不收敛",
    "base_case": "接入前已越限",
    "search_cap": "搜索上限",
}
LIMIT_EN = {
    "line_loading": "line overload",
    "transformer_loading": "transformer overload",
    "voltage_high": "voltage too high",
    "voltage_low": "voltage too low",
    "diverged": "no load flow solution",
    "base_case": "limit broken before connection",
    "search_cap": "search cap",
}


@dataclass(frozen=True)
class Judgement:
    """Tables VERDICTS, SUBSTATIONS and UPGRADES of one ranking."""

    verdicts: pd.DataFrame
    substations: pd.DataFrame
    upgrades: pd.DataFrame


@dataclass(frozen=True)
class _Second:
    """The second walk: MW accepted and measure by candidate, and the measures built."""

    accepted_mw: dict[str, float]
    measure: dict[str, str]
    built: pd.DataFrame


def judge(
    candidates: pd.DataFrame,
    connections: pd.DataFrame,
    hosting: pd.DataFrame,
    basis: HostingBasis,
    upgrade_study: UpgradeStudy | None = None,
    progress: Progress | None = None,
) -> Judgement:
    """Verdict on each candidate and what each bus still takes.

    Parameters
    ----------
    candidates
        Best ranked first. Columns ``candidate_id``, ``technology``, ``grid_capacity_mw``.
    connections
        Table CONNECTIONS of (at least) these candidates.
    hosting
        Table HOSTING; its buses are the rows of ``substations``.
    basis
        Base states of the network and the cases of ``hosting``.
    upgrade_study
        Measures by bus (:func:`grid.upgrades.study_upgrades`); None leaves them out of ``substations``.

    Returns
    -------
    Tables in the order of ``candidates``, and of the network's buses. ``n_0_alone_mw`` and ``n_1_alone_mw`` are the
    least over the cases of HC / share, at most the candidate's capacity; NaN without a connection.
    ``remaining_n_1_mw`` is MW injected, estimated at the portfolio's AC states.
    """
    connected = connections.set_index("candidate_id").reindex(candidates["candidate_id"])
    offers = _offers(candidates, connected)
    first = walk(basis.sweeps, basis.cases, offers, progress)
    second = _with_measures(offers, first, basis, upgrade_study)
    verdicts = _verdicts(candidates, connected, offers, first, second, hosting, basis)
    upgrades = _all_upgrades(upgrade_study, second)
    substations = _substations(hosting, basis, offers, first, upgrade_study)
    return Judgement(VERDICTS.validate(verdicts), SUBSTATIONS.validate(substations), UPGRADES.validate(upgrades))


def _offers(candidates: pd.DataFrame, connected: pd.DataFrame) -> list[Offer]:
    return [
        Offer(str(i), str(bus), str(technology), float(mw))
        for i, bus, technology, mw in zip(
            candidates["candidate_id"],
            connected["bus_id"].fillna(""),
            candidates["technology"],
            candidates["grid_capacity_mw"],
            strict=True,
        )
        if bus
    ]


def _with_measures(
    offers: Sequence[Offer], first: Portfolio, basis: HostingBasis, study: UpgradeStudy | None
) -> _Second:
    """Build the measures the shortfalls call for and walk the same ranking again."""
    preferred = {}
    if study is not None:
        by_bus = study.by_bus[study.by_bus["upgrade_id"] != ""]
        preferred = dict(zip(by_bus["bus_id"], by_bus["upgrade_id"], strict=True))
    wanted: dict[str, str] = {}
    waiting: dict[str, float] = {}
    menus: dict[tuple[str, str], pd.DataFrame] = {}
    for offer, mw, bound in zip(offers, first.accepted_mw, first.bounds, strict=True):
        missing = offer.grid_capacity_mw - mw
        if missing <= 1e-9 or not bound.element:
            continue
        key = (bound.element, bound.outage)
        if key not in menus:
            menus[key] = upgrade_options(basis.network, list(key))
        choice = _choose(menus[key], preferred.get(offer.bus_id, ""), bound.limit)
        if choice:
            wanted[offer.id] = choice
            waiting[choice] = waiting.get(choice, 0.0) + missing
    most = sorted(waiting, key=lambda u: (-waiting[u], u))[:MEASURES_AT_ONCE]
    wanted = {offer: measure for offer, measure in wanted.items() if measure in most}
    if not wanted:
        return _Second({}, {}, UPGRADES.empty())
    every = pd.concat(list(menus.values()), ignore_index=True).drop_duplicates("upgrade_id").set_index("upgrade_id")
    built = every.loc[sorted(most)].reset_index()
    stronger = hosting_basis(apply_upgrades(basis.network, built), basis.cases, basis.settings)
    again = walk(stronger.sweeps, stronger.cases, offers)
    if sum(again.accepted_mw) <= sum(first.accepted_mw):
        return _Second({}, {}, UPGRADES.empty())
    return _Second(dict(zip([o.id for o in offers], again.accepted_mw, strict=True)), wanted, built)


def _choose(menu: pd.DataFrame, preferred: str, limit: str) -> str:
    """The bus's studied measure where it is on the menu, else the menu's first for a loading limit.

    A voltage limit gets a measure only where the study has shown that it helps: more copper often lifts a voltage.
    """
    if (menu["upgrade_id"] == preferred).any():
        return preferred
    loading = limit in ("line_loading", "transformer_loading")
    return str(menu["upgrade_id"].iloc[0]) if loading and len(menu) else ""


def _verdicts(
    candidates: pd.DataFrame,
    connected: pd.DataFrame,
    offers: Sequence[Offer],
    first: Portfolio,
    second: _Second,
    hosting: pd.DataFrame,
    basis: HostingBasis,
) -> pd.DataFrame:
    alone = {
        (t, mode): headroom_mw(hosting, basis.cases, t, mode).to_dict()
        for t in sorted(set(candidates["technology"]))
        for mode in ("n_0", "n_1")
    }
    answers = {o.id: (o, mw, b) for o, mw, b in zip(offers, first.accepted_mw, first.bounds, strict=True)}
    built = {str(u): (str(zh), str(en)) for u, zh, en in _texts(second.built)}
    records = []
    for candidate in candidates["candidate_id"].astype(str):
        if candidate not in answers:
            zh, en = connected.loc[candidate, "reason_zh"], connected.loc[candidate, "reason_en"]
            records.append((candidate, np.nan, np.nan, 0.0, "no_connection", "", "", "", "", "", str(zh), str(en)))
            continue
        offer, mw, bound = answers[candidate]
        whole = offer.grid_capacity_mw
        room = [min(whole, alone[offer.technology, mode].get(offer.bus_id, 0.0)) for mode in ("n_0", "n_1")]
        verdict, measure = _verdict(offer, mw, second)
        if verdict == "connect":
            bound = Bound()
        zh, en = _reason(offer, mw, room[1], bound, verdict, built.get(measure, ("", "")))
        where = (bound.case, bound.element, bound.outage, bound.limit)
        records.append((candidate, *room, mw, verdict, *where, measure, zh, en))
    return pd.DataFrame(records, columns=list(VERDICTS.columns)) if records else VERDICTS.empty()


def _texts(upgrades: pd.DataFrame) -> zip[tuple[str, str, str]]:
    return zip(upgrades["upgrade_id"], upgrades["description_zh"], upgrades["description_en"], strict=True)


def _verdict(offer: Offer, mw: float, second: _Second) -> tuple[str, str]:
    """(verdict, measure that helps)."""
    whole = offer.grid_capacity_mw
    if mw >= whole * (1 - 1e-9):
        return "connect", ""
    later = second.accepted_mw.get(offer.id, mw)
    measure = second.measure.get(offer.id, "")
    if measure and later >= whole * (1 - 1e-9):
        return "connect_after_upgrade", measure
    helps = measure and later - mw >= max(LEAST_LIFT_MW, LEAST_LIFT_SHARE * whole)
    return ("partial" if mw > 0 else "refused"), (measure if helps else "")


def _reason(
    offer: Offer, mw: float, alone_mw: float, bound: Bound, verdict: str, measure: tuple[str, str]
) -> tuple[str, str]:
    """What is accepted now and what stands in the way: the limit, and who has taken it."""
    whole = f"{offer.grid_capacity_mw:.1f} MW"
    if verdict == "connect":
        return f"{whole}全部可接入，N-1校核通过", f"all {whole} connect, N-1 verified"
    zh = f"{bound.case}方式下{LIMIT_ZH.get(bound.limit, bound.limit)}：{bound.element}"
    en = f"{LIMIT_EN.get(bound.limit, bound.limit)} in {bound.case}: {bound.element}"
    if bound.outage:
        zh, en = zh + f"（{bound.outage}停运后）", en + f" after loss of {bound.outage}"
    if alone_mw - mw >= LEAST_LIFT_MW:
        zh += f"；单独接入时可达{alone_mw:.1f} MW，其余容量已由得分更高的项目占用"
        en += f"; alone {alone_mw:.1f} MW would fit, better ranked candidates have taken the rest"
    zh, en = f"现状可接入{mw:.1f} MW，共{whole}；{zh}", f"{mw:.1f} of {whole} now; {en}"
    if measure[0]:
        zh, en = zh + f"；措施：{measure[0]}", en + f"; measure: {measure[1]}"
    return zh, en


def _all_upgrades(study: UpgradeStudy | None, second: _Second) -> pd.DataFrame:
    """Measures of the study and of the second walk, each once."""
    tables = [t for t in ((study.upgrades if study else UPGRADES.empty()), second.built) if len(t)]
    if not tables:
        return UPGRADES.empty()
    return pd.concat(tables, ignore_index=True).drop_duplicates("upgrade_id").reset_index(drop=True)


def _substations(
    hosting: pd.DataFrame,
    basis: HostingBasis,
    offers: Sequence[Offer],
    first: Portfolio,
    study: UpgradeStudy | None,
) -> pd.DataFrame:
    network = basis.network
    if hosting.empty:
        return SUBSTATIONS.empty()
    n_0, n_1 = worst_rows(hosting, "n_0"), worst_rows(hosting, "n_1")
    buses = network.buses[network.buses["bus_id"].isin(n_1.index)]
    stations = network.stations.set_index("station_id")
    accepted: dict[str, float] = {}
    for offer, mw in zip(offers, first.accepted_mw, strict=True):
        accepted[offer.bus_id] = accepted.get(offer.bus_id, 0.0) + mw
    installed = network.transformers.groupby("lv_bus")["sn_mva"].sum().to_dict()
    ids = buses["bus_id"].tolist()
    at = stations.loc[buses["station_id"].tolist()]
    worst = n_1.loc[ids]
    measure, after = _studied(study)
    return pd.DataFrame(
        {
            "station_id": buses["station_id"].tolist(),
            "bus_id": ids,
            "name_zh": at["name_zh"].tolist(),
            "name_en": at["name_en"].tolist(),
            "vn_kv": buses["vn_kv"].to_numpy(float),
            "district_code": at["district_code"].tolist(),
            "origin": at["origin"].tolist(),
            "transformer_mva": [float(installed.get(b, 0.0)) for b in ids],
            "n_0_mw": n_0.loc[ids, "capacity_mw"].to_numpy(float),
            "n_1_mw": worst["capacity_mw"].to_numpy(float),
            "accepted_mw": [accepted.get(b, 0.0) for b in ids],
            "remaining_n_1_mw": [
                remaining_mw(first.sweeps, b, mw)
                for b, mw in zip(ids, worst["capacity_mw"].to_numpy(float).tolist(), strict=True)
            ],
            "limit": worst["limit"].tolist(),
            "binding_case": worst["case"].tolist(),
            "binding_element": worst["binding_element"].tolist(),
            "binding_outage": worst["binding_outage"].tolist(),
            "upgrade_id": [measure.get(b, "") for b in ids],
            "n_1_after_upgrade_mw": [after.get(b, np.nan) for b in ids],
        }
    )


def _studied(study: UpgradeStudy | None) -> tuple[dict[str, str], dict[str, float]]:
    """Measure and capacity with it, by bus."""
    if study is None:
        return {}, {}
    ids = study.by_bus["bus_id"].tolist()
    after = study.by_bus["n_1_after_upgrade_mw"].to_numpy(float).tolist()
    return dict(zip(ids, study.by_bus["upgrade_id"].tolist(), strict=True)), dict(zip(ids, after, strict=True))


def buses_that_matter(connections: pd.DataFrame, network: Network) -> list[str]:
    """Buses with a connected candidate, in the network's order: those worth a study of upgrades."""
    used = set(connections.loc[connections["bus_id"] != "", "bus_id"])
    return [bus for bus in network.buses["bus_id"] if bus in used]
