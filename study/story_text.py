"""A site's story in words, Chinese or English; the sentences are data (``story_words.csv``)."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from study.explain import Row, SiteStory
from study.labels import Language, value_labels

_WORDS = Path(__file__).resolve().with_name("story_words.csv")
_MONEY = {"zh": 1e4, "en": 1e6}
"""Money is told in 万元 and in million CNY."""


@cache
def _words() -> dict[str, dict[str, str]]:
    with _WORDS.open(encoding="utf-8", newline="") as stream:
        return {row["key"]: row for row in csv.DictReader(stream)}


@dataclass(frozen=True)
class _Teller:
    """Tells one story in one language."""

    story: SiteStory
    language: Language

    def say(self, key: str, **values: object) -> str:
        return _words()[key][self.language].format(**values)

    def of(self, row: Row, name: str) -> str:
        """``name_zh`` or ``name_en`` of a row."""
        return str(row.get(f"{name}_{self.language}", ""))

    def code(self, column: str, value: object) -> str:
        """A coded value's label; the code itself where it has none."""
        labels = {label.value: label.label(self.language) for label in value_labels(column)}
        return labels.get(str(value), str(value))

    def element(self, value: object, *, with_id: bool = True) -> str:
        """Name of a line, a transformer or a bus, with its id unless that was told before."""
        names = self.story.names.get(str(value))
        if names is None:
            return str(value)
        name = names[self.language == "en"]
        return f"{name} [{value}]" if with_id else name

    def case(self, value: object) -> str:
        for row in self.story.cases:
            if row["case"] == value:
                return self.of(row, "label")
        return str(value)

    def money(self, value: object) -> str:
        scaled = _float(value) / _MONEY[self.language]
        return _number(scaled, 0 if self.language == "zh" else 2)

    def outage(self, value: object, *, with_id: bool = True) -> str:
        return self.say("flows_outage", outage=self.element(value, with_id=with_id)) if value else ""


def story_text(story: SiteStory, language: Language) -> str:
    """The story as lines of plain text: a heading, then parts with indented lines."""
    teller = _Teller(story, language)
    parts = [
        ("land", _land(teller)),
        ("rules", _rules(teller)),
        ("neighbours", _neighbours(teller)),
        ("score", _score(teller)),
        ("yield", _yield(teller)),
        ("cost", _cost(teller)),
        ("connection", _connection(teller)),
        ("flows", _flows(teller)),
        ("verdict", _verdict(teller)),
        ("upgrade", _upgrade(teller)),
        ("plan", _plan(teller)),
    ]
    lines = list(_head(teller))
    for key, told in parts:
        body = list(told)
        if body:
            lines += ["", teller.say(key), *(f"  {line}" for line in body)]
    return "\n".join([*lines, "", teller.say("file_line")])


def _head(t: _Teller) -> Iterator[str]:
    p = t.story.project
    yield t.say("head", name=t.of(p, "name"), id=p["candidate_id"], study=t.story.study, run=t.story.run_id)
    yield "  " + t.say(
        "head_capacity", host=t.of(p, "host_type"), capacity=_number(p["capacity_mw"], 1),
        grid=_number(p["grid_capacity_mw"], 1),
    )  # fmt: skip
    yield "  " + t.say(
        "head_list", order=int(_float(p["order"])), sites=t.story.sites, district=t.of(p, "district"),
        lon=_float(p["lon"]), lat=_float(p["lat"]),
    )  # fmt: skip
    yield "  " + t.say(
        "head_verdict", verdict=t.code("verdict", p["verdict"]), accepted=_number(p["accepted_mw"], 1),
        grid=_number(p["grid_capacity_mw"], 1),
    )  # fmt: skip
    yield "  " + t.say("origin", origin=t.code("origin", p["origin"]))


def _land(t: _Teller) -> Iterator[str]:
    p, a = t.story.project, t.story.attributes
    yield t.say("land_area", area=_number(_float(p["area_m2"]) / 1e4, 1))
    for host in t.story.hosts:
        yield t.say(
            "land_host" if host["source_path"] else "land_host_made", layer=host["layer"], licence=host["licence"],
            origin=t.code("origin", host["origin"]), source=host["source_path"],
        )  # fmt: skip
        if _float(host["area_share"]) < 1:
            yield t.say("land_share", share=_share(host["area_share"]))
    if not a:
        return
    yield t.say("land_roads", **{name: _number(a[f"{name}_km"], 2) for name in ("road", "line", "station")})
    if _known(a["mean_slope_deg"]):
        yield t.say("land_slope", slope=_number(a["mean_slope_deg"], 1))
    if _float(a["turbine_count"]) > 0:
        yield t.say("land_turbines", count=int(_float(a["turbine_count"])))
    if _known(a["roof_count"]):
        yield t.say("land_roofs", count=int(_float(a["roof_count"])), pitched=_share(a["pitched_share"]))
    if _float(a["shared_share"]) > 0:
        yield t.say("land_shared", share=_share(a["shared_share"]))


def _rules(t: _Teller) -> Iterator[str]:
    if not t.story.rules and t.story.hosts:
        yield t.say("rules_none")
    for rule in t.story.rules:
        key = "rules_beside" if _float(rule["taken_km2"]) > 0 else "rules_district"
        yield t.say(
            key, label=t.of(rule, "label"), layer=rule["layer"], setback=f"{_number(rule['setback_m'], 0)} m",
            taken=_hectares(rule["taken_km2"]), alone=_hectares(rule["alone_km2"]), lost=_hectares(rule["lost_km2"]),
        )  # fmt: skip
        if rule["document"] or rule["clause"]:
            told = {name: rule[name] for name in ("document", "clause", "date", "confidence")}
            yield t.say("rules_clause", **told)


def _neighbours(t: _Teller) -> Iterator[str]:
    own = t.story.project["station_id"]
    for row in t.story.neighbours:
        yield t.say(
            "neighbours_row", distance=_number(row["distance_km"], 1), id=row["candidate_id"], name=t.of(row, "name"),
            mw=_number(row["grid_capacity_mw"], 1), verdict=t.code("verdict", row["verdict"]),
            same=t.say("neighbours_same") if own and row["station_id"] == own else "",
        )  # fmt: skip


def _score(t: _Teller) -> Iterator[str]:
    score = t.story.project["score"]
    if _known(score):
        yield t.say("score_total", score=_number(score, 3), rank=_number(t.story.score.get("rank", math.nan), 0))
    else:
        yield t.say("score_unknown")
    for row in t.story.criteria:
        yield t.say(
            "score_criterion", label=t.of(row, "label"), value=_number(row["value"], 3),
            utility=_number(row["utility"], 2), weight=_number(row["weight"], 2),
        )  # fmt: skip
    if _known(t.story.stability.get("top_share")):
        yield t.say("score_stable", share=_share(t.story.stability["top_share"]))


def _yield(t: _Teller) -> Iterator[str]:
    p, d = t.story.project, t.story.yield_details
    yield t.say(
        "yield_total", specific=_number(p["specific_yield_kwh_per_kw"], 0),
        energy=_number(_float(p["energy_mwh"]) / 1e3, 1),
    )  # fmt: skip
    if d:
        gwh = {name: _number(_float(d[f"{name}_mwh"]) / 1e3, 1) for name in ("p50", "p75", "p90")}
        life = _number(_float(d["life_mean_mwh"]) / 1e3, 1)
        yield t.say("yield_band", **gwh, sigma=_share(d["sigma_share"]), life=life)
        if _known(d["site_factor"]) and _float(d["site_factor"]) != 1:
            yield t.say("yield_site", factor=_number(d["site_factor"], 3))
        if d["alarm"]:
            yield t.say("yield_alarm", alarm=d["alarm"])
    if t.story.losses:
        shown = [_loss(t, row) for row in t.story.losses]
        yield t.say("yield_losses", items=_joined(t, [text for text in shown if text]))
    if t.story.monthly_mwh:
        months = [f"{k} {_number(v / 1e3, 1)}" for k, v in enumerate(t.story.monthly_mwh, start=1)]
        yield t.say("yield_months", months=_joined(t, months))


def _loss(t: _Teller, row: Row) -> str:
    """An item of the chain with what it takes; items below 0.05 % are left out."""
    share, label = _float(row["loss_share"]), t.code("loss_item", row["item"])
    if row["item"] == "reference_yield":
        return f"{label} {_number(row['kwh_per_kw'], 0)}"
    return f"{label} {-share:+.1%} → {_number(row['kwh_per_kw'], 0)}" if abs(share) >= 0.0005 else ""


def _cost(t: _Teller) -> Iterator[str]:
    p = t.story.project
    yield t.say(
        "cost_total", capex=t.money(p["capex_cny"]), connection=t.money(p["connection_cost_cny"]),
        lcoe=_number(p["lcoe_cny_per_kwh"], 3),
    )  # fmt: skip
    items = [
        f"{t.code('cost_item', row['cost_item'])} {_number(row['cny_per_kwh'], 3)}"
        for row in t.story.cost
        if _float(row["cny_per_kwh"]) != 0
    ]
    if items:
        yield t.say("cost_items", items=_joined(t, items))


def _connection(t: _Teller) -> Iterator[str]:
    p = t.story.project
    if not p["station_id"]:
        yield t.say("connection_none")
        return
    yield t.say(
        "connection_to", station=t.of(p, "station"), kv=_number(p["connection_kv"], 0),
        km=_number(p["connection_km"], 1),
    )  # fmt: skip
    for row in t.story.stations:
        yield t.say(
            "connection_station", mark="* " if row["station_id"] == p["station_id"] else "  ", name=t.of(row, "name"),
            kv=_number(row["vn_kv"], 0), km=_number(row["straight_km"], 1), room=_number(row["n_1_mw"], 1),
            accepted=_number(row["accepted_mw"], 1), left=_number(row["remaining_n_1_mw"], 1),
        )  # fmt: skip
    yield from _option_lines(t)


def _option_lines(t: _Teller) -> Iterator[str]:
    names = {str(row["station_id"]): t.of(row, "name") for row in t.story.stations}
    for row in t.story.options:
        station = str(row["station_id"])
        yield t.say(
            "connection_option", station=names.get(station, station), kv=_number(row["vn_kv"], 0),
            km=_number(row["length_km"], 1), cost=t.money(row["cost_cny"]), reason=t.of(row, "reason"),
        )  # fmt: skip


def _flows(t: _Teller) -> Iterator[str]:
    p = t.story.project
    if not p["station_id"]:
        return
    yield t.say(
        "flows_alone", n0=_number(p["n_0_alone_mw"], 1), n1=_number(p["n_1_alone_mw"], 1),
        accepted=_number(p["accepted_mw"], 1),
    )  # fmt: skip
    if p["binding_element"]:
        element, outage = t.element(p["binding_element"]), t.outage(p["binding_outage"])
        yield t.say("flows_binding", case=t.case(p["binding_case"]), element=element, outage=outage)
    else:
        yield t.say("flows_free")
    if t.story.hosting:
        yield t.say("flows_bus") + ("：" if t.language == "zh" else ":")
    for case in dict.fromkeys(str(row["case"]) for row in t.story.hosting):
        rows = {row["mode"]: row for row in t.story.hosting if row["case"] == case}
        secure = rows.get("n_1", {})
        yield "  " + t.say(
            "flows_case", case=t.case(case), n0=_number(rows.get("n_0", {}).get("capacity_mw"), 1),
            n1=_number(secure.get("capacity_mw"), 1), limit=t.code("limit", secure.get("limit", "")),
            element=t.element(secure.get("binding_element", ""), with_id=False),
            outage=t.outage(secure.get("binding_outage", ""), with_id=False),
        )  # fmt: skip


def _verdict(t: _Teller) -> Iterator[str]:
    p = t.story.project
    yield t.say("verdict_line", verdict=t.code("verdict", p["verdict"]), reason=t.of(p, "reason"))


def _upgrade(t: _Teller) -> Iterator[str]:
    p, station = t.story.project, t.story.station
    if not p["upgrade_id"]:
        yield t.say("upgrade_not_needed" if p["verdict"] == "connect" else "upgrade_none")
        return
    u = t.story.upgrade
    yield t.say(
        "upgrade_line", text=t.of(u, "description") or t.of(p, "upgrade"), cost=t.money(u.get("cost_cny")),
        confidence=u.get("cost_confidence", ""), before=_number(station.get("n_1_mw"), 1),
        after=_number(station.get("n_1_after_upgrade_mw"), 1),
    )  # fmt: skip


def _plan(t: _Teller) -> Iterator[str]:
    other = "_en" if t.language == "zh" else "_zh"
    for row in t.story.plan:
        cells = [
            f"{name} {_number(value, 3) if isinstance(value, float) else value}"
            for name, value in row.items()
            if name not in ("table", "candidate_id", "site_id") and not name.endswith(other) and value != ""
        ]
        yield t.say("plan_row", table=row["table"], cells=_joined(t, cells))


# --- figures --------------------------------------------------------------------------------------------------------


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _known(value: object) -> bool:
    return not math.isnan(_float(value))


def _number(value: object, digits: int) -> str:
    """A figure with thousands apart; a dash where it is not known."""
    figure = _float(value)
    return "–" if math.isnan(figure) else f"{figure:,.{digits}f}"


def _share(value: object) -> str:
    return "–" if not _known(value) else f"{_float(value):.1%}"


def _hectares(km2: object) -> str:
    return _number(_float(km2) * 100, 1)


def _joined(t: _Teller, items: list[str]) -> str:
    return ("；" if t.language == "zh" else "; ").join(items)
