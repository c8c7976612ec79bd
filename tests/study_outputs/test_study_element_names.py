"""Sentences name cases and network elements by what they are called; kinds of measures have names everywhere."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest

import maps.report.document
from grid.measures.contracts import KINDS
from maps.bilingual import label, read_labels
from siting.hosts.types import load_host_types
from study.outputs.element_names import element_names, named
from study.outputs.labels import value_labels
from study.stages.projects import project_list

STATIONS = pd.DataFrame({"station_id": ["zhuji"], "name_zh": ["朱集"], "name_en": ["Zhuji"]})
NETWORK = (
    pd.DataFrame(
        {
            "line_id": ["L1", "L1:a", "L1:a+circuit1"],
            "name_zh": ["甲线", "乙线", "乙线"],
            "name_en": ["line A", "line B", "line B"],
        }
    ),
    pd.DataFrame({"transformer_id": ["T:zhuji#2", "T:zhuji#2+unit1"], "station_id": "zhuji", "vn_hv_kv": 110.0}),
    STATIONS,
    pd.DataFrame({"bus_id": ["zhuji:10"], "station_id": ["zhuji"], "vn_kv": [10.0]}),
)


@pytest.mark.parametrize(
    ("sentence", "told"),
    [
        ("line loading: L1 after loss of L1:a", "line loading: line A after loss of line B"),
        ("L1:a, L1, L11, xL1, L1/2", "line B, line A, L11, xL1, L1/2"),
        ("loading: T:zhuji#2", "loading: Zhuji 110 kV transformer 2"),
        ("loading: T:zhuji#2+unit1", "loading: Zhuji 110 kV transformer 2 (new unit 1)"),
        ("voltage high: zhuji:10", "voltage high: Zhuji 10 kV"),
        ("loading: L1:a+circuit1 after loss of L1:a", "loading: line B (new circuit 1) after loss of line B"),
        ("nothing to name", "nothing to name"),
    ],
)
def test_whole_ids_become_names(sentence: str, told: str) -> None:
    assert named(sentence, element_names(*NETWORK), "en") == told


def test_ids_between_chinese_words_become_names_and_empty_tables_name_nothing() -> None:
    assert named("方式下线路载流：L1（T:zhuji#2停运后）", element_names(*NETWORK), "zh") == (
        "方式下线路载流：甲线（朱集 110 kV 2号主变停运后）"
    )
    nothing = pd.DataFrame()
    assert element_names(nothing, nothing, nothing, nothing) == {}


def test_a_project_s_reason_is_that_of_its_verdict_then_that_of_its_connection(projects: gpd.GeoDataFrame) -> None:
    """Both tables have a reason. Without a connection the verdict repeats why there is none: told once."""
    given = projects.assign(verdict=["connect", "refused", "no_connection"])
    connections = given[["candidate_id", "station_id", "connection_cost_cny"]].assign(
        vn_kv=given["connection_kv"], length_km=given["connection_km"], reason_zh="费用最低", reason_en="least cost",
        alternatives=2,
    )  # fmt: skip
    told = [names for names in given.columns if names.endswith("alone_mw") or names.startswith("binding_")]
    verdicts = given[["candidate_id", "accepted_mw", "verdict", "upgrade_id", *told]].assign(
        reason_zh=["全部可接入", "noon方式下线路载流：L1", "无间隔"],
        reason_en=["all of it connects", "line loading in noon: L1", "no bay left"],
    )
    own = ["candidate_id", "name_zh", "name_en", "host_type", "technology", "district_code", "lon", "lat", "area_m2",
           "capacity_mw", "grid_capacity_mw", "origin", "geometry"]  # fmt: skip
    hosts = tuple(host for host in load_host_types() if host.host_type in set(given["host_type"]))
    candidates = given[own].assign(host_type=hosts[0].host_type)
    districts = given[["district_code"]].assign(name_zh="区", name_en="district")
    measures = pd.DataFrame({"upgrade_id": [], "description_zh": [], "description_en": []})
    names = element_names(*NETWORK) | {"noon": ("午间", "Noon")}
    yields = given[["candidate_id", "specific_yield_kwh_per_kw", "energy_mwh", "capex_cny"]]
    found = project_list(
        candidates, yields, given[["candidate_id", "score"]], connections, verdicts, measures, STATIONS, districts,
        hosts, pd.Series(dtype=float), names,
    ).set_index("candidate_id")  # fmt: skip
    of = dict(zip(given["verdict"], given["candidate_id"], strict=True))
    assert found.loc[of["refused"], "reason_en"] == "line loading in Noon: line A; point of connection: least cost"
    assert found.loc[of["refused"], "reason_zh"] == "午间方式下线路载流：甲线；接入点：费用最低"
    assert found.loc[of["connect"], "reason_en"] == "all of it connects; point of connection: least cost"
    assert found.loc[of["no_connection"], "reason_en"] == "no bay left"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_measure_has_a_name_on_map_report_and_lists(kind: str) -> None:
    on_map = label(f"measure.{kind}")
    in_report = read_labels(Path(maps.report.document.__file__).with_name("words.csv"))[f"measure.{kind}"]
    (in_list,) = (one for one in value_labels("kind") if one.value == kind)
    for zh, en in ((on_map.zh, on_map.en), (in_report.zh, in_report.en), (in_list.label_zh, in_list.label_en)):
        assert zh
        assert en
        assert zh != en
