"""A site's story in words, Chinese or English; the sentences are data (``story_words.csv``)."""

from __future__ import annotations

import math
from collections.abc import Iterator

from maps.criteria import criterion_scale, criterion_unit
from maps.phrases import phrase
from study.outputs.labels import Language
from study.story.explain import Row, SiteStory
from study.story.plan import plan_lines
from study.story.teller import Teller, as_float, figure, hectares, joined, known, percent

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def story_text(story: SiteStory, language: Language) -> str:
    """The story as lines of plain text: a heading, then parts with indented lines."""
    teller = Teller(story, language)
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
        ("plan", plan_lines(teller)),
    ]
    lines = list(_head(teller))
    for key, told in parts:
        body = list(told)
        if body:
            lines += ["", teller.say(key), *(f"  {line}" for line in body)]
    return "\n".join([*lines, "", teller.say("file_line")])


def _head(t: Teller) -> Iterator[str]:
    p = t.story.project
    yield t.say("head", name=t.of(p, "name"), id=p["candidate_id"], study=t.story.study, run=t.story.run_id)
    yield "  " + t.say(
        "head_capacity", host=t.of(p, "host_type"), capacity=figure(p["capacity_mw"], 1),
        grid=figure(p["grid_capacity_mw"], 1),
    )  # fmt: skip
    yield "  " + t.say(
        "head_list", order=int(as_float(p["order"])), sites=t.story.sites, district=t.of(p, "district"),
        lon=as_float(p["lon"]), lat=as_float(p["lat"]),
    )  # fmt: skip
    yield "  " + t.say(
        "head_verdict", verdict=t.code("verdict", p["verdict"]), accepted=figure(p["accepted_mw"], 1),
        grid=figure(p["grid_capacity_mw"], 1),
    )  # fmt: skip
    yield "  " + t.say("origin", origin=t.code("origin", p["origin"]))


def _land(t: Teller) -> Iterator[str]:
    p, a = t.story.project, t.story.attributes
    yield t.say("land_area", area=figure(as_float(p["area_m2"]) / 1e4, 1))
    for host in t.story.hosts:
        yield t.say(
            "land_host" if host["source_path"] else "land_host_made", layer=host["layer"],
            licence=phrase(str(host["licence"]), t.language),
            origin=t.code("origin", host["origin"]), source=host["source_path"],
        )  # fmt: skip
        if as_float(host["area_share"]) < 1:
            yield t.say("land_share", share=percent(host["area_share"]))
    if not a:
        return
    yield t.say("land_roads", **{name: figure(a[f"{name}_km"], 2) for name in ("road", "line", "station")})
    if known(a["mean_slope_deg"]):
        yield t.say("land_slope", slope=figure(a["mean_slope_deg"], 1))
    if as_float(a["turbine_count"]) > 0:
        yield t.say("land_turbines", count=int(as_float(a["turbine_count"])))
    if known(a["roof_count"]):
        yield t.say("land_roofs", count=int(as_float(a["roof_count"])), pitched=percent(a["pitched_share"]))
    if as_float(a["shared_share"]) > 0:
        yield t.say("land_shared", share=percent(a["shared_share"]))


def _rules(t: Teller) -> Iterator[str]:
    if not t.story.rules and t.story.hosts:
        yield t.say("rules_none")
    for rule in t.story.rules:
        key = "rules_beside" if as_float(rule["taken_km2"]) > 0 else "rules_district"
        yield t.say(
            key, label=t.of(rule, "label"), layer=rule["layer"], setback=f"{figure(rule['setback_m'], 0)} m",
            taken=hectares(rule["taken_km2"]), alone=hectares(rule["alone_km2"]), lost=hectares(rule["lost_km2"]),
        )  # fmt: skip
        if rule["document"] or rule["clause"]:
            told = {name: phrase(str(rule[name]), t.language) for name in ("document", "clause", "date", "confidence")}
            yield t.say("rules_clause", **told)


def _neighbours(t: Teller) -> Iterator[str]:
    own = t.story.project["station_id"]
    for row in t.story.neighbours:
        yield t.say(
            "neighbours_row", distance=figure(row["distance_km"], 1), id=row["candidate_id"], name=t.of(row, "name"),
            mw=figure(row["grid_capacity_mw"], 1), verdict=t.code("verdict", row["verdict"]),
            same=t.say("neighbours_same") if own and row["station_id"] == own else "",
        )  # fmt: skip


def _score(t: Teller) -> Iterator[str]:
    score = t.story.project["score"]
    if known(score):
        yield t.say("score_total", score=figure(score, 3), rank=figure(t.story.score.get("rank", math.nan), 0))
    else:
        yield t.say("score_unknown")
    for row in t.story.criteria:
        yield t.say(
            "score_criterion", label=t.of(row, "label"), value=_measured(t, row),
            utility=figure(row["utility"], 2), weight=figure(row["weight"], 2),
        )  # fmt: skip
    if known(t.story.stability.get("top_share")):
        yield t.say("score_stable", share=percent(t.story.stability["top_share"]))


def _measured(t: Teller, row: Row) -> str:
    """A criterion's value with its unit, with no more decimals than it has meaning."""
    source = str(row["source"])
    value, unit = as_float(row["value"]) * criterion_scale(source), criterion_unit(source, t.language)
    digits = 3 if abs(value) < 1 else 1
    return f"{figure(value, digits)} {unit}".strip()


def _yield(t: Teller) -> Iterator[str]:
    p, d = t.story.project, t.story.yield_details
    yield t.say(
        "yield_total", specific=figure(p["specific_yield_kwh_per_kw"], 0),
        energy=figure(as_float(p["energy_mwh"]) / 1e3, 1),
    )  # fmt: skip
    if d:
        gwh = {name: figure(as_float(d[f"{name}_mwh"]) / 1e3, 1) for name in ("p50", "p75", "p90")}
        life = figure(as_float(d["life_mean_mwh"]) / 1e3, 1)
        yield t.say("yield_band", **gwh, sigma=percent(d["sigma_share"]), life=life)
        if known(d["site_factor"]) and as_float(d["site_factor"]) != 1:
            yield t.say("yield_site", factor=figure(d["site_factor"], 3))
        if d["alarm"]:
            yield t.say("yield_alarm", alarm=d["alarm"])
    if t.story.losses:
        shown = [_loss(t, row) for row in t.story.losses]
        yield t.say("yield_losses", items=joined(t, [text for text in shown if text]))
    if t.story.monthly_mwh:
        names = [f"{k}月" for k in range(1, 13)] if t.language == "zh" else _MONTHS
        months = [f"{name} {figure(v / 1e3, 1)}" for name, v in zip(names, t.story.monthly_mwh, strict=True)]
        yield t.say("yield_months", months=joined(t, months))


def _loss(t: Teller, row: Row) -> str:
    """An item of the chain with what it takes; items below 0.05 % are left out."""
    share, label = as_float(row["loss_share"]), t.code("loss_item", row["item"])
    if row["item"] == "reference_yield":
        return f"{label} {figure(row['kwh_per_kw'], 0)}"
    return f"{label} {-share:+.1%} → {figure(row['kwh_per_kw'], 0)}" if abs(share) >= 0.0005 else ""


def _cost(t: Teller) -> Iterator[str]:
    p = t.story.project
    yield t.say(
        "cost_total", capex=t.money(p["capex_cny"]), connection=t.money(p["connection_cost_cny"]),
        lcoe=figure(p["lcoe_cny_per_kwh"], 3),
    )  # fmt: skip
    items = [
        f"{t.code('cost_item', row['cost_item'])} {figure(row['cny_per_kwh'], 3)}"
        for row in t.story.cost
        if as_float(row["cny_per_kwh"]) != 0
    ]
    if items:
        yield t.say("cost_items", items=joined(t, items))


def _connection(t: Teller) -> Iterator[str]:
    p = t.story.project
    if not p["station_id"]:
        yield t.say("connection_none")
        return
    yield t.say(
        "connection_to", station=t.of(p, "station"), kv=figure(p["connection_kv"], 0),
        km=figure(p["connection_km"], 1),
    )  # fmt: skip
    for row in t.story.stations:
        yield t.say(
            "connection_station", mark="* " if row["station_id"] == p["station_id"] else "  ", name=t.of(row, "name"),
            kv=figure(row["vn_kv"], 0), km=figure(row["straight_km"], 1), room=figure(row["n_1_mw"], 1),
            accepted=figure(row["accepted_mw"], 1), left=figure(row["remaining_n_1_mw"], 1),
        )  # fmt: skip
    yield from _option_lines(t)


def _option_lines(t: Teller) -> Iterator[str]:
    names = {str(row["station_id"]): t.of(row, "name") for row in t.story.stations}
    for row in t.story.options:
        station = str(row["station_id"])
        yield t.say(
            "connection_option", station=names.get(station, station), kv=figure(row["vn_kv"], 0),
            km=figure(row["length_km"], 1), cost=t.money(row["cost_cny"]), reason=t.of(row, "reason"),
        )  # fmt: skip


def _flows(t: Teller) -> Iterator[str]:
    p = t.story.project
    if not p["station_id"]:
        return
    yield t.say(
        "flows_alone", n0=figure(p["n_0_alone_mw"], 1), n1=figure(p["n_1_alone_mw"], 1),
        accepted=figure(p["accepted_mw"], 1),
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
            "flows_case", case=t.case(case), n0=figure(rows.get("n_0", {}).get("capacity_mw"), 1),
            n1=figure(secure.get("capacity_mw"), 1), limit=t.code("limit", secure.get("limit", "")),
            element=t.element(secure.get("binding_element", ""), with_id=False),
            outage=t.outage(secure.get("binding_outage", ""), with_id=False),
        )  # fmt: skip


def _verdict(t: Teller) -> Iterator[str]:
    p = t.story.project
    yield t.say("verdict_line", verdict=t.code("verdict", p["verdict"]), reason=t.named(t.of(p, "reason")))


def _upgrade(t: Teller) -> Iterator[str]:
    p, station = t.story.project, t.story.station
    if not p["upgrade_id"]:
        yield t.say("upgrade_not_needed" if p["verdict"] == "connect" else "upgrade_none")
        return
    u = t.story.upgrade
    yield t.say(
        "upgrade_line", text=t.of(u, "description") or t.of(p, "upgrade"), cost=t.money(u.get("cost_cny")),
        confidence=u.get("cost_confidence", ""), before=figure(station.get("n_1_mw"), 1),
        after=figure(station.get("n_1_after_upgrade_mw"), 1),
    )  # fmt: skip
