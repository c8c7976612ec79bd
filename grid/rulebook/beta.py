r"""The largest reverse load rate beta of transformers (DL/T 2041-2025, clause 6.3).

One unit, or units in split operation: a fixed rate. Units in parallel: after the loss of any one, the others carry
the whole reverse flow and none may exceed its limit.

.. code-block:: text

          high side            R = reverse flow of the station
      ------+------+------     unit i carries  R (S_i/u_k,i) / sum(S_j/u_k,j)
            |S_1   |S_2        (impedances in parallel, same vector group and tap)
      ------+------+------
           ^ R
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from grid.rulebook.book import RULE_2025, BetaRule, Confidence, Rule, beta_rule, formula, weakest
from grid.rulebook.formulas import FilledFormula, filled, number


@dataclass(frozen=True)
class Beta:
    """``value`` [MW of reverse flow per MVA of all units at unity power factor], why, and the worked formula."""

    value: float
    rule_value: float
    """What the rule alone gives; differs from ``value`` where the study set its own."""
    reason_zh: str
    reason_en: str
    formula: FilledFormula
    confidence: Confidence


def n_minus_1_reverse_mva(
    sn_mva: Sequence[float], vk_percent: Sequence[float], out: int | None, limit_share: float
) -> float:
    r"""Largest reverse flow [MVA] through parallel units at which none of those left exceeds its limit.

    Parameters
    ----------
    sn_mva, vk_percent : sequence of float, shape (n,)
        Rating and short-circuit voltage of the units, each on its own rating.
    out : int, optional
        Position of the unit that is lost; None: all in service.
    limit_share : float
        Loading allowed per unit, 1.0 = rating.

    Notes
    -----
    Unit i carries :math:`R\,\frac{S_i/u_i}{\sum_j S_j/u_j} \le L\,S_i`, hence
    :math:`R \le L\,\min_i(u_i)\,\sum_j S_j/u_j` over the units left.
    """
    left = [k for k in range(len(sn_mva)) if k != out]
    if not left:
        return 0.0
    vk = np.array([vk_percent[k] for k in left], dtype=float)
    sn = np.array([sn_mva[k] for k in left], dtype=float)
    return float(limit_share * vk.min() * (sn / vk).sum())


def beta_by_rule(
    level: int,
    arrangement: str,
    unit_ids: Sequence[str],
    sn_mva: Sequence[float],
    vk_percent: Sequence[float],
    rules: dict[str, Rule],
) -> Beta:
    """Beta of one transformer or group of transformers by the rule alone.

    Parameters
    ----------
    level : int
        Place in the order of grading: 1 for 330/220 kV, 2 for 110/66 kV, 3 for 35 kV, 4 for 10 kV.
    arrangement : {'single', 'parallel', 'split'}
    unit_ids : sequence of str, shape (n,)
        Sorted; of equally bad outages the first is named.
    vk_percent : sequence of float, shape (n,)
        All NaN: the units share by rating.
    rules : dict
        Figures of the edition (:func:`grid.rulebook.book.rules`).
    """
    found = _effective_rule(level, arrangement, len(sn_mva))
    if found.method == "fixed":
        worked = filled(formula(RULE_2025, "beta_fixed"), beta=found.value)
        return Beta(found.value, found.value, found.title_zh, found.title_en, worked, found.confidence)
    return _by_n_minus_1(found, unit_ids, sn_mva, vk_percent, rules)


def _effective_rule(level: int, arrangement: str, units: int) -> BetaRule:
    """Split operation with one unit in the row is one unit on its own."""
    return beta_rule(RULE_2025, level, "single" if arrangement == "split" and units == 1 else arrangement)


def _by_n_minus_1(
    found: BetaRule,
    unit_ids: Sequence[str],
    sn_mva: Sequence[float],
    vk_percent: Sequence[float],
    rules: dict[str, Rule],
) -> Beta:
    by_rating = all(math.isnan(v) for v in vk_percent)
    vk = [1.0] * len(sn_mva) if by_rating else list(vk_percent)
    total, limit = float(sum(sn_mva)), rules["n_1_limit"].value
    outages = [n_minus_1_reverse_mva(sn_mva, vk, k, limit) for k in range(len(sn_mva))]
    worst = int(np.argmin(outages))
    intact = n_minus_1_reverse_mva(sn_mva, vk, None, rules["normal_limit"].value)
    if intact < outages[worst]:
        value, out, confidence = intact / total, None, weakest((found.confidence, rules["normal_limit"].confidence))
        zh, en = "全部运行时先达到上限", "the limit with all units in service binds"
    else:
        value, out, confidence = outages[worst] / total, worst, found.confidence
        zh, en = f"退出 {unit_ids[worst]}", f"loss of {unit_ids[worst]}"
    worked = _worked(sn_mva, vk, out, value, limit if out is not None else rules["normal_limit"].value)
    confidence = weakest((confidence, worked.confidence, rules["n_1_limit"].confidence))
    return Beta(value, value, f"{found.title_zh}（{zh}）", f"{found.title_en} ({en})", worked, confidence)


def _worked(sn_mva: Sequence[float], vk: Sequence[float], out: int | None, value: float, limit: float) -> FilledFormula:
    total = float(sum(sn_mva))
    same_vk = len(set(vk)) == 1
    if out is not None and same_vk and len(set(sn_mva)) == 1:
        return filled(formula(RULE_2025, "beta_identical"), n=len(sn_mva), limit=limit, beta=value)
    if same_vk:
        lost = 0.0 if out is None else sn_mva[out]
        return filled(formula(RULE_2025, "beta_unlike"), limit=limit, s=total, s_out=lost, beta=value)
    left = [k for k in range(len(sn_mva)) if k != out]
    terms = " + ".join(f"{number(sn_mva[k])}/{number(vk[k])}" for k in left)
    vk_min = min(vk[k] for k in left)
    return filled(formula(RULE_2025, "beta_sharing"), limit=limit, vk_min=vk_min, terms=terms, s=total, beta=value)


def may_raise(level: int, arrangement: str, tripping_scheme: bool) -> bool:
    """Whether the study may set a rate above the rule: 220/330 kV in split operation or with a tripping scheme."""
    at_split = beta_rule(RULE_2025, level, "split").may_raise == "split"
    at_tripping = beta_rule(RULE_2025, level, "single").may_raise == "tripping"
    return (arrangement == "split" and at_split) or (tripping_scheme and at_tripping)


def given_beta(by_rule: Beta, value: float, reason: str) -> Beta:
    """The study's own rate in place of the rule's, with the rule's beside it."""
    worked = filled(formula(RULE_2025, "beta_given"), beta=value)
    zh = f"研究给定 {number(value)}（{reason}）；规则：{by_rule.reason_zh}，{number(by_rule.rule_value)}"
    en = f"given by the study, {number(value)} ({reason}); by rule: {by_rule.reason_en}, {number(by_rule.rule_value)}"
    return Beta(value, by_rule.rule_value, zh, en, worked, worked.confidence)
