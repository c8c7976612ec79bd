"""What the plan does with a site, in sentences: stage, MW, connection, measures it needs, and why."""

from __future__ import annotations

from collections.abc import Iterator

from study.story.explain import Row
from study.story.teller import Teller, as_float, figure, known


def plan_lines(t: Teller) -> Iterator[str]:
    """Sentences about the site's row of ``plan/sites.csv``; none where the run has no plan."""
    row = t.story.plan
    if not row:
        if t.story.planned_sites:
            yield t.say("plan_absent", sites=t.story.planned_sites)
        return
    built = known(row["stage"])
    yield from _what(t, row) if built else _nothing(t)
    yield t.say("plan_reason", reason=t.named(t.of(row, "reason")))
    if built:
        yield from _needs(t, row)
    if built != (as_float(t.story.project["accepted_mw"]) > 0):
        yield t.say("plan_differs")


def _nothing(t: Teller) -> Iterator[str]:
    yield t.say("plan_not_built", sites=t.story.planned_sites)


def _what(t: Teller, row: Row) -> Iterator[str]:
    grid = t.story.project["grid_capacity_mw"]
    whole = as_float(row["planned_mw"]) >= as_float(grid) - 0.05
    yield t.say(
        "plan_built" if whole else "plan_built_part", order=figure(row["order"], 0), sites=t.story.planned_sites,
        stage=f"{as_float(row['stage']):.0f}", planned=figure(row["planned_mw"], 1), grid=figure(grid, 1),
        installed=figure(row["planned_capacity_mw"], 1),
    )  # fmt: skip
    yield t.say(
        "plan_connection", station=t.of(row, "station"), kv=figure(row["connection_kv"], 0),
        km=figure(row["connection_km"], 1), cost=t.money(row["own_upgrade_cny"]),
    )  # fmt: skip


def _needs(t: Teller, row: Row) -> Iterator[str]:
    """Measures, storage, energy and what it costs with all of these."""
    for measure in t.story.plan_measures:
        agreed = as_float(measure["investment_cny"]) == 0
        yield t.say(
            "plan_agreement" if agreed else "plan_measure", text=t.of(measure, "description"),
            stage=f"{as_float(measure['stage']):.0f}", called=figure(measure.get("called_mwh"), 0),
            cost=t.money(measure["annual_cost_cny" if agreed else "investment_cny"]),
            confidence=measure["cost_confidence"],
        )  # fmt: skip
    if t.story.plan_measures:
        yield t.say("plan_measures_share", cost=t.money(row["shared_upgrade_cny"]))
    else:
        yield t.say("plan_measures_none")
    if as_float(row["storage_mwh"]) > 0.05:
        yield t.say("plan_storage", mwh=figure(row["storage_mwh"], 1))
    yield t.say(
        "plan_energy", p50=figure(as_float(row["p50_mwh"]) / 1e3, 1), p90=figure(as_float(row["p90_mwh"]) / 1e3, 1),
        lcoe=figure(row["lcoe_cny_per_kwh"], 3),
    )  # fmt: skip
