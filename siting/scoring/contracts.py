"""Criteria, their values, scores, and tables of how stable a ranking is."""

from __future__ import annotations

from dataclasses import dataclass

from layers.tables import Table, column
from siting.scoring.value_functions import Linear, ValueFunction


@dataclass(frozen=True)
class Criterion:
    """One criterion of the score. Its value function is linear from ``worst`` (0) to ``best`` (1), clipped, unless
    ``function`` states another one; then ``worst`` and ``best`` are NaN."""

    id: str
    label_zh: str
    label_en: str
    weight: float
    source: str
    """``yield.<column>``, ``site.<column>``, ``candidate.<column>``, ``distance:<layer id>`` [km] or
    ``raster:<layer id>`` (mean)."""
    worst: float = float("nan")
    best: float = float("nan")
    function: ValueFunction | None = None

    @property
    def value_function(self) -> ValueFunction:
        """``function``, or the linear one from ``worst`` to ``best``."""
        return Linear(self.worst, self.best) if self.function is None else self.function


CRITERION_VALUES = Table(
    "criterion_values",
    "Value of each criterion for each candidate, one row a pair.",
    {
        "candidate_id": column(str, "", "candidate"),
        "criterion": column(str, "", "criterion id"),
        "value": column(float, "", "in the criterion's own unit; NaN where not known", nullable=True),
    },
)


STABILITY = Table(
    "rank_stability",
    "How often each candidate stays among the first when the weights vary.",
    {
        "candidate_id": column(str, "", "candidate", unique=True),
        "rank": column(float, "", "at the stated weights; NaN where unknown", nullable=True, ge=1),
        "top_share": column(float, "1", "share of the weight draws; NaN where unknown", nullable=True, ge=0, le=1),
        "rank_p05": column(float, "", "rank in the best 5 % of the draws; only of the first", nullable=True, ge=1),
        "rank_p95": column(float, "", "rank in the worst 5 % of the draws; only of the first", nullable=True, ge=1),
        "top_share_dropped": column(
            float, "1", "share of the criteria that may be dropped alone with it among the first", nullable=True
        ),
    },
)


WEIGHT_CHANGES = Table(
    "weight_changes",
    "How alike the ranking stays when weights change.",
    {
        "change": column(str, "", "kind of change", isin=("all_weights", "dropped", "one_weight")),
        "criterion": column(str, "", "criterion id; empty where all weights move"),
        "by_share": column(float, "1", "relative change of the weight; for all_weights the greatest"),
        "kendall_tau": column(float, "1", "mean likeness of the rankings, 1 is the same", nullable=True, ge=-1, le=1),
        "kendall_tau_p05": column(float, "1", "in the worst 5 % of the draws", nullable=True, ge=-1, le=1),
        "first_kept_share": column(float, "1", "mean share of the first that stay among them", nullable=True),
        "first_kept_share_p05": column(float, "1", "in the worst 5 % of the draws", nullable=True),
    },
)


SENSITIVITY = Table(
    "sensitivity",
    "At which weight of a criterion each of the first sites leaves them; the others keep their proportions.",
    {
        "candidate_id": column(str, "", "candidate"),
        "rank": column(float, "", "at the stated weights", ge=1),
        "criterion": column(str, "", "criterion id"),
        "weight": column(float, "1", "stated weight", ge=0, le=1),
        "leaves_below_weight": column(float, "1", "NaN: no lower weight makes it leave", nullable=True, ge=0, le=1),
        "overtaken_below_by": column(str, "", "candidate that then takes its place; empty where none"),
        "leaves_above_weight": column(float, "1", "NaN: no higher weight makes it leave", nullable=True, ge=0, le=1),
        "overtaken_above_by": column(str, "", "candidate that then takes its place; empty where none"),
        "swing": column(float, "1", "least change of the weight that makes it leave; NaN: none", nullable=True, ge=0),
    },
)


SCORES = Table(
    "scores",
    "Weighted score of each candidate.",
    {
        "candidate_id": column(str, "", "candidate", unique=True),
        "score": column(float, "1", "0 to 1; NaN where a criterion is unknown", nullable=True, ge=0, le=1),
        "rank": column(float, "", "1 is best; NaN where the score is unknown", nullable=True, ge=1),
        "missing": column(str, "", "criteria without a value, separated by blanks"),
    },
)
