"""What the page's script draws from: plain lists of numbers and words, made from the tables of a map's input.

Everything here is data, never markup: the script puts it into the page as text. NaN becomes ``null``, which the
page shows as a dash. A name is a pair ``[zh, en]``. Sites stand in packed blocks of their own
(:mod:`maps.site_payload`). Positions are ``[lon, lat]`` in shapes (as in GeoJSON) and
``[lat, lon]`` in points (as in Leaflet).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from maps.bilingual import labels
from maps.classes import palette, round_edges
from maps.contracts import SiteMapInput
from maps.geometry import (
    DECIMALS,
    label_point,
    line_positions,
    polygon_positions,
    simplify,
    simplify_together,
)
from maps.measures import placed_measures
from maps.packing import pack, shape_columns
from maps.parks import park_payload
from maps.site_payload import plan_stages
from maps.style import MapStyle, grade_of

Json = dict[str, Any]

_LABELS_FOR_SCRIPT = (
    "verdict.", "limit.", "origin.", "status.", "ui.", "case.", "popup.", "project.", "measure.", "grade.", "filter.",
    "rule.", "technology.", "park.", "direct.",
)  # fmt: skip
QUANTITIES: tuple[tuple[str, str, int], ...] = (
    ("score", "score", 2),
    ("yield", "specific_yield_kwh_per_kw", 0),
    ("lcoe", "lcoe_cny_per_kwh", 3),
)
"""Quantities that may colour the sites: name, column of the project list, decimals."""


def build_payload(data: SiteMapInput, style: MapStyle, tolerance_m: float) -> Json:
    """Everything the page's script needs, in an order that depends on the input only."""
    return {
        "language": data.language,
        "title": [data.title_zh, data.title_en],
        "labels": {key: [text.zh, text.en] for key, text in labels().items() if key.startswith(_LABELS_FOR_SCRIPT)},
        "style": _style(style),
        "bounds": _bounds(data),
        "cases": _cases(data),
        "hosts": [
            {"id": row.host_type, "name": [row.label_zh, row.label_en], "colour": row.colour}
            for row in rows(shown_hosts(data))
        ],
        "districts": _districts(data, tolerance_m),
        "elements": _element_names(data),
        "upgrades": _upgrade_names(data),
        "places": _place_names(data),
        "technologies": sorted(set(data.projects["technology"])),
        "quantities": quantities(data, style),
        "stages": [[stage, colour] for stage, colour in stage_colours(data, style)],
        "profiles": _profiles(data),
        "stations": _stations(data, style),
        "lines": _lines(data, style, tolerance_m),
        "measures": _measures(data),
        "parks": park_payload(data.parks),
        "ties": _ties(data, tolerance_m),
        "backdrops": [
            {"kind": backdrop.kind, "shapes": pack(len(backdrop.shapes), shape_columns(backdrop.shapes.to_numpy()))}
            for backdrop in data.backdrops
        ],
        "pictures": _pictures(data),
        "list_file": data.list_file,
    }


def to_script_json(payload: Json) -> str:
    """JSON that may stand inside a script element: nothing in it ends the element or starts another."""
    words = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        words = words.replace(character, f"\\u{ord(character):04x}")
    return words


def shown_hosts(data: SiteMapInput) -> pd.DataFrame:
    """Host types that some candidate has, in the order of ``host_types``."""
    hosts: pd.DataFrame = data.host_types[data.host_types["host_type"].isin(data.projects["host_type"])]
    return hosts


def rows(frame: pd.DataFrame) -> Iterable[Any]:
    """Rows of a table in order, columns as attributes."""
    return frame.itertuples(index=False)


def voltages(kv: Iterable[float]) -> list[float]:
    """Voltage levels that occur, highest first."""
    return sorted({float(level) for level in kv}, reverse=True)


def number(value: Any, digits: int = 3) -> float | int | None:
    """A rounded number, whole where it is whole; None where it is not known."""
    if value is None or pd.isna(value):
        return None
    rounded = round(float(value), digits)
    return int(rounded) if rounded.is_integer() else rounded


def _style(style: MapStyle) -> Json:
    return {
        "verdicts": {v.verdict: {"colour": v.colour, "fill": v.fill} for v in style.verdicts},
        "loading": [[grade.lower, grade.colour] for grade in style.loading_percent],
        "headroom": [[grade.lower, grade.colour] for grade in style.headroom_mw],
        "station_grades": {g.grade: {"colour": g.colour, "mark": g.mark} for g in style.station_grades},
        "backdrops": dict(style.backdrops),
        "tried": style.tried,
        "unknown": style.unknown,
        "all_station_names_from_zoom": style.all_station_names_from_zoom,
        "high_station_names_from_kv": style.high_station_names_from_kv,
        "list_limit": style.list_limit,
    }


def _bounds(data: SiteMapInput) -> list[list[float]]:
    """South-west and north-east corner [lat, lon] of the districts, or of whatever else there is."""
    boxes = [frame.total_bounds for frame in (data.districts, data.projects, data.lines) if len(frame)]
    if not boxes and len(data.substations):
        places = data.substations
        boxes = [np.array([places["lon"].min(), places["lat"].min(), places["lon"].max(), places["lat"].max()])]
    west, south, east, north = boxes[0] if boxes else (73.0, 18.0, 135.0, 54.0)
    return [[round(float(south), DECIMALS), round(float(west), DECIMALS)],
            [round(float(north), DECIMALS), round(float(east), DECIMALS)]]  # fmt: skip


def _cases(data: SiteMapInput) -> list[Json]:
    summaries = {row.case: row for row in rows(data.load_flow)}
    return [
        {
            "id": case.id,
            "name": [case.label_zh, case.label_en],
            "pv_share": number(case.pv_share),
            "wind_share": number(case.wind_share),
            "summary": _case_summary(summaries.get(case.id)),
        }
        for case in data.cases
    ]


def _case_summary(row: Any) -> Json | None:
    if row is None:
        return None
    return {
        "status": row.status,
        "detail": row.detail,
        "load_mw": number(row.load_mw, 1),
        "infeed_mw": number(row.infeed_mw, 1),
        "losses_mw": number(row.losses_mw, 1),
        "loading_max_percent": number(row.loading_max_percent, 1),
        "loading_max_element": row.loading_max_element,
        "vm_min_pu": number(row.vm_min_pu),
        "vm_max_pu": number(row.vm_max_pu),
        "n_1": {
            "total": int(row.n_1_outages),
            "solved": int(row.n_1_solved),
            "split": int(row.n_1_split),
            "diverged": int(row.n_1_diverged),
            "overloaded": int(row.n_1_overloaded),
        },
    }


def _districts(data: SiteMapInput, tolerance_m: float) -> list[Json]:
    frame = data.districts
    shapes = simplify_together(frame.geometry.to_numpy(), tolerance_m)
    return [
        {
            "code": row.district_code,
            "name": [row.name_zh, row.name_en],
            "at": label_point(row.geometry),
            "shape": polygon_positions(shape),
        }
        for row, shape in zip(rows(frame), shapes, strict=True)
    ]


def _element_names(data: SiteMapInput) -> dict[str, list[str]]:
    """Names for the ids of lines and buses, and of the transformers that somebody names (``T220:station#1``)."""
    names = {row.line_id: [row.name_zh, row.name_en] for row in rows(data.lines)}
    for row in rows(data.substations):
        names[row.bus_id] = [f"{row.name_zh} {row.vn_kv:g} kV", f"{row.name_en} {row.vn_kv:g} kV"]
    stations = {row.station_id: (row.name_zh, row.name_en) for row in rows(data.substations)}
    for unit in sorted(_mentioned(data) - set(names)):
        station, _, number_ = unit.partition(":")[2].rpartition("#")
        if station in stations:
            zh, en = stations[station]
            names[unit] = [f"{zh} {number_}号主变", f"{en} transformer {number_}"]
    return names


def _mentioned(data: SiteMapInput) -> set[str]:
    """Elements and outages that cases, stations and sites name."""
    found = {str(row.loading_max_element) for row in rows(data.load_flow)}
    for table in (data.projects, data.substations):
        for column in ("binding_element", "binding_outage"):
            if column in table.columns:
                found |= {str(cell) for cell in table[column].unique()}
    return found - {"", "nan"}


def _upgrade_names(data: SiteMapInput) -> dict[str, list[str]]:
    """Measures in words, from the table of measures or from a candidate that tells them."""
    if data.upgrades is not None:
        return {row.upgrade_id: [row.description_zh, row.description_en] for row in rows(data.upgrades)}
    told = data.projects[data.projects["upgrade_id"] != ""].drop_duplicates("upgrade_id")
    return {row.upgrade_id: [row.upgrade_zh, row.upgrade_en] for row in rows(told)}


def quantities(data: SiteMapInput, style: MapStyle) -> list[Json]:
    """Classes of every quantity that some site has: edges, one colour a class."""
    colours = dict(style.quantities)
    made = []
    for name, column, digits in QUANTITIES:
        edges = round_edges(data.projects[column].to_numpy(float), len(colours[name]))
        if edges:
            made.append({"id": name, "column": column, "edges": edges, "digits": digits,
                         "colours": palette(colours[name], len(edges))})  # fmt: skip
    return made


def stage_colours(data: SiteMapInput, style: MapStyle) -> list[tuple[str, str]]:
    """Stages of the plan, each with its colour."""
    return [(stage, style.stages[k % len(style.stages)]) for k, stage in enumerate(plan_stages(data))]


def stage_colour(stage: str, data: SiteMapInput, style: MapStyle) -> str:
    """Colour of a stage of the plan; measures without a stage have one of their own."""
    return dict(stage_colours(data, style)).get(stage, style.tried)


def _place_names(data: SiteMapInput) -> Json:
    """Names of districts and of connection stations by their ids."""
    sites = data.projects
    districts = sites.drop_duplicates("district_code")
    stations = sites[sites["station_id"] != ""].drop_duplicates("station_id")
    return {
        "districts": {row.district_code: [row.district_zh, row.district_en] for row in rows(districts)},
        "stations": {row.station_id: [row.station_zh, row.station_en] for row in rows(stations)},
    }


def _profiles(data: SiteMapInput) -> Json:
    """Months [kWh per kW] and hours of the mean day [share] of every profile."""
    if data.profiles is None:
        return {"months": [], "hours": []}
    return {
        "months": [[number(value, 1) for value in row] for row in data.profiles.months],
        "hours": [[number(value, 3) for value in row] for row in data.profiles.hours],
    }


def _measures(data: SiteMapInput) -> list[Json]:
    """Measures of the plan, or those that were tried where there is no plan, each where it would be built."""
    return [
        {
            "id": measure.measure_id,
            "stage": measure.stage,
            "kind": measure.kind,
            "name": [measure.name_zh, measure.name_en],
            "cost": number(measure.cost_cny, -4),
            "yearly": number(measure.annual_cost_cny, -4),
            "called": number(measure.called_mwh, 0),
            "unlocked": number(measure.unlocked_mw, 0),
            "at": [round(measure.lat, DECIMALS), round(measure.lon, DECIMALS)],
            "path": None if measure.path is None else line_positions(measure.path),
        }
        for measure in placed_measures(data)
    ]


def _ties(data: SiteMapInput, tolerance_m: float) -> Json | None:
    if data.ties is None or data.ties.empty:
        return None
    shapes = simplify(data.ties.geometry.to_numpy(), tolerance_m)
    return {"kv": [number(kv) for kv in data.ties["vn_kv"]], "shapes": pack(len(shapes), shape_columns(shapes))}


def _pictures(data: SiteMapInput) -> list[Json]:
    return [
        {
            "host": picture.host_type,
            "bounds": [[picture.south, picture.west], [picture.north, picture.east]],
            "png": base64.b64encode(picture.png).decode("ascii"),
            "classes": [
                {"rule": c.rule, "name": [c.name_zh, c.name_en], "colour": c.colour, "km2": number(c.km2, 2)}
                for c in picture.classes
            ],
        }
        for picture in data.land_pictures
    ]


def _stations(data: SiteMapInput, style: MapStyle) -> list[Json]:
    """One entry a station with all its buses, highest voltage first."""
    districts = {row.district_code: [row.name_zh, row.name_en] for row in rows(data.districts)}
    stations = [
        _station(buses.sort_values("vn_kv", ascending=False, kind="stable"), districts, style)
        for _, buses in data.substations.groupby("station_id", sort=True)
    ]
    return sorted(stations, key=lambda station: (-station["kv"], station["id"]))


_GRADE_WORDS = ("after", "equipment", "reason_zh", "reason_en", "formula", "clause", "confidence")


def _rule_grade(buses: pd.DataFrame) -> Json | None:
    """Grade by the rule book of the lowest bus that has one: that of the station's own transformers."""
    if "grade" not in buses or not (buses["grade"] != "").any():
        return None
    bus = buses[buses["grade"] != ""].iloc[-1]
    told = {name: str(bus.get(f"grade_{name}", "")) for name in _GRADE_WORDS}
    return {"grade": str(bus["grade"]), **told, "reason": [told["reason_zh"], told["reason_en"]]}


def _station(buses: pd.DataFrame, districts: dict[str, list[str]], style: MapStyle) -> Json:
    top = buses.iloc[0]
    remaining = buses["remaining_n_1_mw"].max(skipna=True)
    return {
        "id": str(top["station_id"]),
        "name": [str(top["name_zh"]), str(top["name_en"])],
        "kv": float(top["vn_kv"]),
        "at": [round(float(top["lat"]), DECIMALS), round(float(top["lon"]), DECIMALS)],
        "district": districts.get(top["district_code"], [str(top["district_code"])] * 2),
        "origin": str(top["origin"]),
        "size": style.voltage(float(top["vn_kv"])).size_px,
        "headroom": grade_of(number(remaining), style.headroom_mw),
        "remaining": number(remaining, 1),
        "rule": _rule_grade(buses),
        "buses": [
            {
                "kv": number(bus.vn_kv),
                "mva": number(bus.transformer_mva, 1),
                "n_0": number(bus.n_0_mw, 1),
                "n_1": number(bus.n_1_mw, 1),
                "flexible": number(getattr(bus, "flexible_5_percent_mw", None), 1),
                "accepted": number(bus.accepted_mw, 1),
                "remaining": number(bus.remaining_n_1_mw, 1),
                "limit": bus.limit,
                "case": bus.binding_case,
                "element": bus.binding_element,
                "outage": bus.binding_outage,
                "upgrade": bus.upgrade_id,
                "after": number(bus.n_1_after_upgrade_mw, 1),
            }
            for bus in rows(buses)
        ],
    }


def _lines(data: SiteMapInput, style: MapStyle, tolerance_m: float) -> list[Json]:
    """One entry a route; circuits drawn on one route share it, so that none hides another."""
    states = _line_states(data)
    routes: dict[str, Json] = {}
    shapes = simplify(data.lines.geometry.to_numpy(), tolerance_m)
    nothing: list[Any] = [[None, None, None, ""]] * len(data.cases)
    for row, shape in zip(rows(data.lines), shapes, strict=True):
        path = line_positions(shape)
        kv = float(row.vn_kv)
        route = routes.setdefault(
            f"{kv:g} {_route_key(path)}",
            {"kv": kv, "width": style.voltage(kv).width_px, "shape": path, "circuits": []},
        )
        route["circuits"].append(
            {
                "id": row.line_id,
                "name": [row.name_zh, row.name_en],
                "km": number(row.length_km, 2),
                "type": row.line_type,
                "origin": str(row.origin),
                "states": states.get(row.line_id, nothing),
            }
        )
    return sorted(routes.values(), key=lambda route: (route["kv"], route["circuits"][0]["id"]))


def _route_key(path: list[list[list[float]]]) -> str:
    """The same for a route drawn in either direction."""
    backwards = [part[::-1] for part in path[::-1]]
    return min(json.dumps(path), json.dumps(backwards))


def _line_states(data: SiteMapInput) -> dict[str, list[list[Any]]]:
    """What each line carries in each case, in the order of ``cases``.

    [loading in percent, power in MW, highest loading over the outages, the outage under which it is highest].
    """
    place = {case.id: index for index, case in enumerate(data.cases)}
    states: dict[str, list[list[Any]]] = {}

    def state(element: str, case: str) -> list[Any]:
        return states.setdefault(element, [[None, None, None, ""] for _ in data.cases])[place[case]]

    for row in rows(data.branch_state[data.branch_state["kind"] == "line"]):
        if row.case in place:
            state(row.element, row.case)[:2] = number(row.loading_percent, 1), number(row.p_from_mw, 1)
    worst = data.branch_n_1
    for row in rows(worst[worst["kind"] == "line"]) if worst is not None else ():
        if row.case in place:
            state(row.element, row.case)[2:] = number(row.loading_max_percent, 1), str(row.outage)
    return states
