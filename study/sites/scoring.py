"""Criteria, value functions and weights of a study file, and everything that is wrong with them.

Weights are given with the criteria, or come from the pairwise comparisons of ``[ahp]``; never both.
"""

from __future__ import annotations

import math

from layers.contracts import Finding, InputError
from siting.contracts import CANDIDATES, SITE_ATTRIBUTES
from siting.scoring.ahp import Ahp, ahp_weights, check_consistency, check_matrix, matrix_of, solve
from siting.scoring.contracts import Criterion
from siting.scoring.value_functions import Linear, Logistic, PointTable, Trapezoid, ValueFunction
from siting.yields.contracts import YIELDS
from study.schema.file import StudyFile
from study.schema.scores import AhpEntry, CriterionEntry
from study.study_file import Study, nearest

_WEIGHT_TOLERANCE = 1e-6
_PARAMETERS = {
    "linear": ("worst", "best"),
    "trapezoid": ("corners",),
    "logistic": ("midpoint", "steepness"),
    "table": ("points",),
}


def criteria(file: StudyFile) -> tuple[Criterion, ...]:
    """Criteria of a study that passed its check, with their weights.

    Raises
    ------
    InputError
        If the comparisons of ``[ahp]`` contradict one another too much.
    """
    return tuple(
        Criterion(c.id, c.label_zh, c.label_en, weight, c.source, function=value_function(c))
        for c, weight in zip(file.criteria, _weights(file), strict=True)
    )


def value_function(entry: CriterionEntry) -> ValueFunction:
    """Value function of a criterion that has the parameters of its kind."""
    if entry.value == "trapezoid":
        assert entry.corners is not None
        return Trapezoid(*entry.corners)
    if entry.value == "logistic":
        assert entry.midpoint is not None
        assert entry.steepness is not None
        return Logistic(entry.midpoint, entry.steepness)
    if entry.value == "table":
        return PointTable(entry.points)
    assert entry.worst is not None
    assert entry.best is not None
    return Linear(entry.worst, entry.best)


def ahp_result(file: StudyFile) -> Ahp | None:
    """Weights and consistency of the study's comparisons; None where the weights are given.

    Raises
    ------
    InputError
        With every fault of the comparisons.
    """
    if file.ahp is None:
        return None
    names = _ahp_names(file)
    if file.ahp.comparisons:
        matrix, faults = matrix_of(names, file.ahp.comparisons)
        if faults:
            raise InputError(faults)
        return ahp_weights(names, matrix)
    return ahp_weights(names, file.ahp.matrix)


def criterion_findings(study: Study) -> list[Finding]:
    """Everything that is wrong with criteria, value functions, weights and comparisons."""
    found = [f for entry in study.file.criteria for f in (*_function_findings(study, entry), *_source(study, entry))]
    return found + (_given_weights(study) if study.file.ahp is None else _ahp_findings(study, study.file.ahp))


def _weights(file: StudyFile) -> tuple[float, ...]:
    result = ahp_result(file)
    if result is None:
        return tuple(math.nan if c.weight is None else c.weight for c in file.criteria)
    by_name = dict(zip(result.criteria, result.weights, strict=True))
    return tuple(by_name[c.id] for c in file.criteria)


def _ahp_names(file: StudyFile) -> tuple[str, ...]:
    assert file.ahp is not None
    return file.ahp.criteria or tuple(c.id for c in file.criteria)


def _error(study: Study, rule: str, where: str, item: str, value: object, message: str, remedy: str) -> Finding:
    return Finding("error", rule, study.shown_path, where, item, str(value), message, remedy)


def _function_findings(study: Study, entry: CriterionEntry) -> list[Finding]:
    """Parameters that the kind of value function needs and lacks, that belong to another kind, or that make none."""

    def finding(value: object, message: str, remedy: str) -> Finding:
        return _error(study, "criteria.value_function", "criteria", entry.id, value, message, remedy)

    wanted = _PARAMETERS[entry.value]
    given = [name for names in _PARAMETERS.values() for name in names if getattr(entry, name) not in (None, ())]
    lacking = [name for name in wanted if name not in given]
    foreign = [name for name in given if name not in wanted]
    found = []
    if foreign:
        message = f"{' and '.join(foreign)} do not belong to the value function '{entry.value}'."
        found.append(finding(" ".join(foreign), message, f"'{entry.value}' takes {' and '.join(wanted)}."))
    if lacking:
        remedy = f"Give {' and '.join(lacking)}, or another value function: {', '.join(_PARAMETERS)}."
        found.append(finding("", f"the value function '{entry.value}' lacks {' and '.join(lacking)}.", remedy))
    else:
        remedy = (
            "Give the value that counts nothing and the value that counts fully."
            if entry.value == "linear"
            else f"Correct {' and '.join(wanted)}."
        )
        shown = ", ".join(f"{name} {getattr(entry, name)}" for name in wanted)
        found += [finding(shown, f"{fault}.", remedy) for fault in value_function(entry).faults()]
    return found


def _source(study: Study, entry: CriterionEntry) -> list[Finding]:
    """Does the criterion read something that exists? Layer ids are judged with the other references."""
    tables = {"yield": YIELDS, "site": SITE_ATTRIBUTES, "candidate": CANDIDATES}
    columns = [f"{kind}.{name}" for kind, table in tables.items() for name in table.columns]
    source = entry.source
    if source.partition(":")[0] in ("distance", "raster") or source in columns:
        return []
    known = "yield.<column>, site.<column>, candidate.<column>, distance:<layer> or raster:<layer>"
    remedy = nearest(source, columns) or f"Use {known}."
    return [_error(study, "criteria.source", "criteria", entry.id, source, "nothing is called so.", remedy)]


def _given_weights(study: Study) -> list[Finding]:
    entries = study.file.criteria
    lacking = [
        _error(study, "criteria.weight_missing", "criteria", c.id, "", "the criterion has no weight.",
               "Give every criterion a weight, or compare them in [ahp].")
        for c in entries
        if c.weight is None
    ]  # fmt: skip
    if lacking:
        return lacking
    weights = {c.id: math.nan if c.weight is None else c.weight for c in entries}
    found = [
        _error(study, "criteria.weight_sign", "criteria", name, weight, "the weight is no number from 0 up.",
               "Use 0 or more.")
        for name, weight in weights.items()
        if not weight >= 0
    ]  # fmt: skip
    total = sum(weights.values())
    if abs(total - 1) <= _WEIGHT_TOLERANCE:
        return found
    share = ", ".join(f"{name} {weight / total:.3g}" for name, weight in weights.items()) if total > 0 else ""
    remedy = f"Divide each weight by the sum: {share}." if share else "Give positive weights that add up to 1."
    message = f"the weights add up to {total:g}, not 1."
    return [*found, _error(study, "criteria.weights", "criteria", "weight", f"{total:g}", message, remedy)]


def _ahp_findings(study: Study, entry: AhpEntry) -> list[Finding]:
    names, ids = _ahp_names(study.file), [c.id for c in study.file.criteria]
    found = [
        _error(study, "ahp.weights_too", "criteria", c.id, c.weight, "a weight is given although [ahp] gives them.",
               "Take the weight out, or [ahp].")
        for c in study.file.criteria
        if c.weight is not None
    ]  # fmt: skip
    if sorted(names) != sorted(ids):
        message, remedy = "[ahp] must name every criterion once.", f"The criteria are {', '.join(ids)}."
        return [*found, _error(study, "ahp.criteria", "ahp", "criteria", " ".join(names), message, remedy)]
    if bool(entry.matrix) == bool(entry.comparisons):
        message = "[ahp] needs either a matrix or comparisons."
        remedy = 'Write e.g. comparisons = { "cost/station" = 3 }, every pair once.'
        return [*found, _error(study, "ahp.form", "ahp", "matrix", "", message, remedy)]
    file = study.shown_path
    if entry.comparisons:
        matrix, faults = matrix_of(names, entry.comparisons, file=file)
        faults = faults or check_consistency(solve(names, matrix), file=file)
        return found + faults
    faults = check_matrix(names, entry.matrix, file=file)
    if not faults:
        try:
            ahp_weights(names, entry.matrix, file=file)
        except InputError as error:
            faults = list(error.findings)
    return found + faults
