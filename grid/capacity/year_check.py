"""AC in the hours that matter: the plant at its limit, in the outage that binds, against the linear answer.

What is checked: the lowest hour of every bus, the extreme hour of every element that binds anywhere, and a random
sample of all the others, which shows how far the limits of the hours that nobody looks at may be off. Where the
limit is reached by AC is found by secants on AC states, many checks side by side.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from grid.capacity.year_records import CHECKS, REASONS, HourlyLimits, Residuals
from grid.capacity.year_study import Progress, Study

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
SECANTS = 5
SETTLED = 1e-6
"""Distance from a bound, as a share of it (currents) or in pu (voltages), at which a search ends."""
_AT_A_TIME = 512


@dataclass(frozen=True)
class Picked:
    """Checks: bus (row of the limits), hour, code of what binds there, and why it was picked."""

    bus: Ints
    hour: Ints
    code: Ints
    reason: npt.NDArray[np.object_]

    def part(self, which: Bools | Ints) -> Picked:
        return Picked(self.bus[which], self.hour[which], self.code[which], self.reason[which])


def checked(found: HourlyLimits, study: Study, progress: Progress | None = None) -> HourlyLimits:
    """The limits with the checked hours corrected where they are off, and the checks."""
    settings = study.settings
    limit = found.limit_mw.copy()
    tables, done = [], np.zeros(limit.shape, dtype=bool)
    picked = _first_picks(found, study)
    for turn in range(1 + settings.rounds):
        if not len(picked.bus):
            break
        tables.append(_check(found, study, picked, limit))
        done[picked.bus, picked.hour] = True
        picked = _firm_hours(found, limit, done)
        if progress:
            progress("checks", (turn + 1) / (1 + settings.rounds))
    table = pd.concat(tables, ignore_index=True) if tables else CHECKS.empty()
    work = replace(found.work, ac_states=study.ac_states)
    return replace(found, limit_mw=limit, checks=CHECKS.validate(table), residuals=_summary(table), work=work)


def _first_picks(found: HourlyLimits, study: Study) -> Picked:
    firm = _firm_hours(found, found.limit_mw, np.zeros(found.limit_mw.shape, dtype=bool))
    rows, hours = np.nonzero((found.code >= 0) & (found.limit_mw > 0))
    code = found.code[rows, hours].astype(np.int64)
    row = code % len(found.row_names)
    order = np.argsort(found.limit_mw[rows, hours], kind="stable")
    _, first = np.unique(row[order], return_index=True)
    extreme = order[first]
    thermal = np.array([found.row_names[k][0].endswith("loading") for k in row[extreme]], dtype=bool)
    rng = np.random.default_rng(study.settings.seed)
    count = min(study.settings.sample_checks, len(rows))
    sample = np.sort(rng.choice(len(rows), count, replace=False)) if count else np.empty(0, np.int64)
    at = np.concatenate([extreme, sample])
    reason = np.concatenate([np.where(thermal, "branch", "voltage"), np.full(count, "sample")]).astype(object)
    bus, hour = np.concatenate([firm.bus, rows[at]]), np.concatenate([firm.hour, hours[at]])
    picked = Picked(bus, hour, np.concatenate([firm.code, code[at]]), np.concatenate([firm.reason, reason]))
    _, once = np.unique(np.stack([bus, hour]), axis=1, return_index=True)
    return picked.part(np.sort(once))


def _firm_hours(found: HourlyLimits, limit: Floats, done: Bools) -> Picked:
    """The lowest hour of each bus, where it is not checked yet and something binds there above 0."""
    bus = np.arange(len(limit))
    hour = limit.argmin(axis=1)
    code = found.code[bus, hour].astype(np.int64)
    use = (code >= 0) & (limit[bus, hour] > 0) & ~done[bus, hour]
    return Picked(bus[use], hour[use].astype(np.int64), code[use], np.full(int(use.sum()), "firm", dtype=object))


def _check(found: HourlyLimits, study: Study, picked: Picked, limit: Floats) -> pd.DataFrame:
    """Table of one round; ``limit`` is lowered where the AC answer is lower by more than the tolerance."""
    parts = [
        _check_part(found, study, picked.part(np.arange(first, min(first + _AT_A_TIME, len(picked.bus)))), limit)
        for first in range(0, len(picked.bus), _AT_A_TIME)
    ]
    return pd.concat(parts, ignore_index=True)


def _check_part(found: HourlyLimits, study: Study, picked: Picked, limit: Floats) -> pd.DataFrame:
    settings, rule = study.settings, _Rule.of(study, picked)
    linear = limit[picked.bus, picked.hour]
    at_limit = rule.gap(linear)
    exact = _reached(rule, linear, at_limit)
    apart = linear - exact
    off = np.maximum(settings.tolerance_mw, settings.tolerance_percent / 100 * np.abs(exact))
    lower = np.isfinite(exact) & (apart > off)
    limit[picked.bus[lower], picked.hour[lower]] = exact[lower]
    names = [found.binding(int(c)) for c in picked.code]
    study.ac_states += rule.solved
    return pd.DataFrame({
        "bus_id": found.bus_ids[picked.bus], "hour": np.array(found.labels, dtype=object)[picked.hour],
        "reason": picked.reason, "outage": [n[0] for n in names], "element": [n[1] for n in names],
        "limit": [n[2] for n in names], "limit_mw": linear, "ac_limit_mw": exact, "residual_mw": apart,
        "residual_percent": np.where(rule.voltage, np.nan, 100 * at_limit),
        "residual_pu": np.where(rule.voltage, at_limit, np.nan),
        "intact_percent": _intact_percent(study, picked, np.where(np.isfinite(exact), exact, linear)),
        "corrected": lower,
    })  # fmt: skip


def _reached(rule: _Rule, p: Floats, gap: Floats) -> Floats:
    """Where each check's value meets its bound [MW]; NaN where the secants end nowhere."""
    before, gap_before = np.zeros(len(p)), rule.gap_0
    now, gap_now = p.copy(), gap.copy()
    for _ in range(SECANTS):
        slope = (gap_now - gap_before) / np.where(now == before, np.nan, now - before)
        with np.errstate(invalid="ignore", divide="ignore"):
            step = np.where(np.abs(gap_now) > SETTLED, -gap_now / slope, 0.0)
        after = np.clip(now + step, 0.0, 3 * p + 10.0)
        moving = np.isfinite(after) & (after != now)
        if not moving.any():
            break
        value = gap_now.copy()
        value[moving] = rule.gap(after, moving)
        before, gap_before = np.where(moving, now, before), np.where(moving, gap_now, gap_before)
        now, gap_now = np.where(moving, after, now), value
    return np.where(np.abs(gap_now) < 100 * SETTLED, now, np.nan)


@dataclass
class _Rule:
    """The value that binds in each check, by AC."""

    study: Study
    picked: Picked
    outage: Ints
    """Branch row that is lost, -1 none."""
    row: Ints
    voltage: Bools
    bound: Floats
    """1 (currents, as a share of their limit; reverse flow) or the voltage, with the room of a value near it."""
    gap_0: Floats
    solved: int = 0

    @classmethod
    def of(cls, study: Study, picked: Picked) -> _Rule:
        w = study.watched
        number, row = np.divmod(picked.code, w.row_count)
        outage = np.where(number > 0, study.outages[np.maximum(number - 1, 0)] if len(study.outages) else -1, -1)
        first = 2 * w.rows.n_branch
        voltage = (row >= first) & (row < first + 2 * w.rows.n_node)
        rule = cls(study, picked, outage, row, voltage, np.zeros(len(row)), np.zeros(len(row)))
        start = rule._value(np.zeros(len(row)), np.arange(len(row)))
        limits = study.settings.limits
        given = np.where(voltage, rule._given_voltage(), 1.0)
        room = np.where(voltage, limits.slack_pu, limits.slack_percent / 100)
        rule.bound = np.maximum(given, start + room)
        rule.gap_0 = start - rule.bound
        return rule

    def gap(self, p: Floats, which: Bools | None = None) -> Floats:
        """Value less bound with ``p`` MW [share of the limit; pu], of the checks in ``which``."""
        at = np.arange(len(self.row)) if which is None else np.flatnonzero(which)
        return self._value(p[at], at) - self.bound[at]

    def _given_voltage(self) -> Floats:
        w = self.study.watched
        at = self.row - 2 * w.rows.n_branch
        low, node = at >= w.rows.n_node, np.clip(at % max(w.rows.n_node, 1), 0, None)
        high_0, high_1, low_0, low_1 = (x[node] for x in (w.rows.high_0, w.rows.high_1, w.rows.low_0, w.rows.low_1))
        intact = self.outage < 0
        return np.asarray(np.where(low, -np.where(intact, low_0, low_1), np.where(intact, high_0, high_1)))

    def _value(self, p: Floats, at: Ints) -> Floats:
        v = states(self.study, self.picked.hour[at], self.picked.bus[at], p, self.outage[at])
        self.solved += len(at)
        w, value = self.study.watched, np.full(len(at), np.nan)
        row, column = self.row[at], np.arange(len(at))
        n_branch, n_node = w.rows.n_branch, w.rows.n_node
        there = np.where(np.isfinite(v), v, 1.0)
        x = w.values(there)
        end = np.full(w.row_count, -1)
        end[w.end] = np.arange(len(w.end))
        reverse = np.full(w.row_count, -1)
        reverse[w.reverse_row] = np.arange(len(w.reverse))
        use = end[row] >= 0
        e, c = end[row[use]], column[use]
        limit = np.where(self.outage[at][use] < 0, w.limit_0[e], w.limit_1[e])
        limit = limit * self.study.factor[w.kind[e], self.picked.hour[at][use]]
        value[use] = np.hypot(x.re[e, c], x.im[e, c]) / limit
        volts = self.voltage[at]
        node = (row[volts] - 2 * n_branch) % n_node
        size = np.abs(there[node, column[volts]])
        value[volts] = np.where(row[volts] - 2 * n_branch >= n_node, -size, size)
        back = reverse[row] >= 0
        value[back] = x.reverse[reverse[row[back]], column[back]] / w.reverse_limit[reverse[row[back]]]
        value[~np.isfinite(v).any(axis=0)] = np.nan
        return value


def states(study: Study, hour: Ints, bus: Ints, p: Floats, outage: Ints) -> Complexes:
    """Node voltages of the part, one state each: an hour, a plant of ``p`` MW at ``study.bus[bus]``, a lost branch
    row or -1; NaN where there is no solution."""
    change = np.zeros((study.solver.arrays.n_bus, len(hour)), complex)
    known: dict[int, Complexes] = {}
    for k, h in enumerate(hour.tolist()):
        if h not in known:
            known[h] = study.injection(h)
        change[:, k] = known[h]
    np.add.at(change, (study.bus[bus], np.arange(len(hour))), p * study.settings.limits.direction)
    blocks = list(study.solver.outages_at(change, outage))
    return np.concatenate([b.node_voltage[study.solver.members] for b in blocks], axis=1)


def _intact_percent(study: Study, picked: Picked, p: Floats) -> Floats:
    """Highest loading of the intact network with the plant in, of its bound [%]."""
    v = states(study, picked.hour, picked.bus, p, np.full(len(p), -1))
    study.ac_states += len(p)
    w, there = study.watched, np.isfinite(v).all(axis=0)
    x = w.values(np.where(there, v, 1.0))
    share = np.hypot(x.re, x.im) / (w.limit_0[:, None] * study.factor[w.kind][:, picked.hour])
    return np.where(there, 100 * share.max(axis=0), np.nan)


def _summary(table: pd.DataFrame) -> tuple[Residuals, ...]:
    rows = []
    for reason in REASONS:
        own = table[table["reason"] == reason]
        if own.empty:
            continue
        solved = own[own["residual_mw"].notna()]
        mw = solved["residual_mw"].to_numpy(float)

        def largest(values: Floats) -> float:
            known = np.abs(values[np.isfinite(values)])
            return float(known.max()) if len(known) else 0.0

        rows.append(Residuals(
            reason, len(own), largest(mw), float(np.abs(mw).mean()) if len(mw) else 0.0,
            float(mw.mean()) if len(mw) else 0.0, largest(own["residual_percent"].to_numpy(float)),
            largest(own["residual_pu"].to_numpy(float)), len(own) - len(solved),
        ))  # fmt: skip
    return tuple(rows)
