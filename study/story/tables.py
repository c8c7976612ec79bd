"""Tables that let a run folder tell a site's story by itself: rules in force, host layers, operating points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from layers.tables import Table, column

if TYPE_CHECKING:
    from grid.connections.contracts import ConnectionStudy
    from study.pipeline import Results
    from study.study_file import Study

RULES_IN_FORCE = Table(
    "rules_in_force",
    "The exclusion rules of the run with their documents, as the study and its rule pack state them.",
    {
        "rule": column(str, "", "rule id", unique=True),
        "label_zh": column(str, "", "what the rule is called"),
        "label_en": column(str, "", "what the rule is called"),
        "layer": column(str, "", "layer that it reads"),
        "kind": column(str, "", "how it excludes"),
        "host_types": column(str, "", "host types that it concerns, separated by blanks; empty: all"),
        "setback_m": column(float, "m", "distance from the feature's edge; the widest where it varies", ge=0),
        "limit": column(float, "", "of rules about values: the limit", nullable=True),
        "share": column(float, "1", "of rules about covered shares: the share", nullable=True),
        "document": column(str, "", "document of the rule"),
        "clause": column(str, "", "clause of the document"),
        "date": column(str, "", "day of the document"),
        "confidence": column(str, "", "A, B or C", isin=("A", "B", "C")),
        "province": column(str, "", "province whose own version of the rule this is"),
    },
)

HOSTS = Table(
    "hosts",
    "Which layer carries which host type, and where the layer is from.",
    {
        "host_type": column(str, "", "host type id"),
        "layer": column(str, "", "layer of the study"),
        "area_share": column(float, "1", "share of the features' area that is host", gt=0, le=1),
        "share_column": column(str, "", "column with the share of each feature"),
        "source": column(str, "", "source id; empty: generated"),
        "source_path": column(str, "", "file, as the study file names it"),
        "licence": column(str, "", "licence of the file"),
        "origin": column(str, "", "how the layer came to be"),
    },
)

OPERATING_POINTS = Table(
    "operating_points",
    "The cases in which the network is asked.",
    {
        "case": column(str, "", "case id", unique=True),
        "label_zh": column(str, "", "what it is called"),
        "label_en": column(str, "", "what it is called"),
        "load_share": column(float, "1", "load by yearly peak", ge=0),
        "pv_share": column(float, "1", "PV output by capacity", ge=0, le=1),
        "wind_share": column(float, "1", "wind output by capacity", ge=0, le=1),
        "season": column(str, "", "season of the line ratings"),
    },
)


def story_tables(study: Study, results: Results) -> dict[str, pd.DataFrame]:
    """Tables by their place in the run folder. No raster is read."""
    tables = {
        "land/rules": rules_in_force(study, results),
        "land/hosts": host_table(study),
        "land/site_rules": results.get("site_rules"),
        "loadflow/operating_points": operating_points(study),
    }
    connections: ConnectionStudy = results.get("connection_study")
    return tables | {
        "loadflow/connection_options": connections.options.replace({"headroom_mw": {math.inf: math.nan}}),
        "loadflow/collectors": connections.collectors,
        "loadflow/bays": connections.bay_limits,
        "loadflow/connection_choice": connections.summary(),
    }


def rules_in_force(study: Study, results: Results) -> pd.DataFrame:
    """The rules of the run, as :data:`RULES_IN_FORCE`."""
    from study.sites.rules import study_rules

    rows = [
        (
            r.id, r.label_zh, r.label_en, r.layer, str(r.kind), " ".join(r.applies_to), float(r.widest_setback_m),
            r.limit, r.share, r.document, r.clause, r.date, r.confidence, r.province,
        )
        for r in study_rules(study, results.get("region_facts").districts["district_code"])
    ]  # fmt: skip
    return _table(RULES_IN_FORCE, rows)


def host_table(study: Study) -> pd.DataFrame:
    """Host entries of the study with their sources, as :data:`HOSTS`."""
    rows = []
    for host in study.file.hosts:
        layer = study.file.layers.get(host.layer)
        card = study.card(layer.source) if layer is not None else None
        told = (layer.source, card.shown_path, card.licence, str(card.origin)) if layer and card else _GENERATED
        rows.append((host.host_type, host.layer, float(host.area_share), host.share_column, *told))
    return _table(HOSTS, rows)


def operating_points(study: Study) -> pd.DataFrame:
    """Cases of the study, as :data:`OPERATING_POINTS`."""
    return _table(
        OPERATING_POINTS,
        [
            (c.id, c.label_zh, c.label_en, c.load_share, c.pv_share, c.wind_share, str(c.season))
            for c in study.file.cases
        ],
    )


_GENERATED = ("", "", "Apache-2.0 (this program)", "generated")


def _table(contract: Table, rows: Sequence[tuple[object, ...]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(contract.columns), dtype=object)
    for name, promise in contract.columns.items():
        if promise.dtype is float:
            frame[name] = np.array([math.nan if v is None else float(v) for v in frame[name]], dtype=float)
    return contract.validate(frame)
