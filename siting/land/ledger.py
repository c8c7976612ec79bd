"""The land ledger: every square metre has at most one owner, except where co-use is declared.

Masks are sub-cell masks (uint16, 16 sub-cells a cell), so that ownership is exact bit algebra. Who comes first where
several host types could use the same land is a stated policy (:class:`LedgerPolicy`); whichever it is, the owned land
adds up to the land that any of them may use, and the order of the layers does not matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from layers.contracts import Finding
from siting.contracts import HostType
from siting.hosts.types import nearest_key

Mask = npt.NDArray[np.uint16]
Policy = Literal["priority", "best_value", "given"]


@dataclass(frozen=True)
class LedgerPolicy:
    """Who comes first on disputed land.

    ==========  =======================================================================================================
    priority    the lower ``ledger_priority`` of the host types
    given       the host type named first in ``order``; all must be named
    best_value  the better figure of ``values``, or per cell of the rasters in ``value_rasters``; no figure comes last
    ==========  =======================================================================================================

    Ties fall back to the priority, then to the name.
    """

    kind: Policy = "priority"
    order: tuple[str, ...] = ()
    values: tuple[tuple[str, float], ...] = ()
    """(host type, figure), e.g. cost of energy or net worth per km2."""
    value_rasters: tuple[tuple[str, str], ...] = ()
    """(host type, raster layer) where the figure varies from cell to cell."""
    lower_is_better: bool = False


BY_PRIORITY = LedgerPolicy()


def may_share(a: str, b: str, co_use: Sequence[tuple[str, str]]) -> bool:
    """Whether two host types are declared to share land, in either order."""
    return (a, b) in co_use or (b, a) in co_use


def share_matrix(hosts: Sequence[HostType], co_use: Sequence[tuple[str, str]]) -> npt.NDArray[np.bool_]:
    """``[i, j]``: whether hosts i and j may share land."""
    return np.array([[may_share(a.host_type, b.host_type, co_use) for b in hosts] for a in hosts], bool).reshape(
        len(hosts), len(hosts)
    )


def owner_order(hosts: Sequence[HostType], policy: LedgerPolicy = BY_PRIORITY) -> npt.NDArray[np.int64]:
    """Positions of the hosts, first owner first; where values are rasters, the order among equals."""
    values = dict(policy.values)
    sign = 1.0 if policy.lower_is_better else -1.0

    def rank(k: int) -> tuple[float, int, str]:
        host = hosts[k]
        place = 0.0
        if policy.kind == "given":
            place = float(policy.order.index(host.host_type)) if host.host_type in policy.order else np.inf
        elif policy.kind == "best_value":
            value = values.get(host.host_type, np.nan)
            place = np.inf if np.isnan(value) else sign * value
        return place, host.ledger_priority, host.host_type

    return np.array(sorted(range(len(hosts)), key=rank), np.int64)


def assign_owners(
    eligible: Sequence[tuple[HostType, Mask]],
    co_use: Sequence[tuple[str, str]] = (),
    policy: LedgerPolicy = BY_PRIORITY,
    values: npt.NDArray[np.float32] | None = None,
) -> tuple[Mask, ...]:
    """Owned land of each host type, in the order given.

    A disputed sub-cell goes to the host that the policy puts first, whatever the order of ``eligible``. Host types
    declared to share land do not block each other.

    Parameters
    ----------
    eligible : sequence of (HostType, uint16 array)
        Eligible land, all arrays of one shape.
    co_use : sequence of (host type, host type)
        Declared pairs.
    policy : LedgerPolicy
    values : float32 array, shape (hosts, rows, columns), optional
        Figures per cell, NaN where not known; only for ``best_value`` with rasters.
    """
    from siting.land.kernels import assign_by_value, assign_in_order

    if not eligible:
        return ()
    hosts = [host for host, _ in eligible]
    masks = np.stack([mask for _, mask in eligible])
    order, share = owner_order(hosts, policy), share_matrix(hosts, co_use)
    if values is None:
        return tuple(assign_in_order(masks, order, share))
    return tuple(assign_by_value(masks, order, share, -values if policy.lower_is_better else values))


def check_policy(
    policy: LedgerPolicy, used: Sequence[str], rasters: Sequence[str], *, file: str = "study"
) -> list[Finding]:
    """What is wrong with a policy for the host types of a study."""
    found: list[Finding] = []

    def add(rule: str, item: str, value: object, message: str, remedy: str) -> None:
        found.append(Finding("error", f"ledger.{rule}", file, "land", item, str(value), message, remedy))

    named = {
        "order": policy.order,
        "values": [name for name, _ in policy.values],
        "value_rasters": [name for name, _ in policy.value_rasters],
    }
    for key, names in named.items():
        for name in dict.fromkeys(names):
            if name not in used:
                add("unknown_host", key, name, f"no host of the study is {name!r}.", nearest_key(name, used))
            if list(names).count(name) > 1:
                add("named_twice", key, name, "the host type is named twice.", "Name it once.")
    if policy.kind == "given":
        for name in used:
            if name not in policy.order:
                add("not_in_order", "order", name, "the host type has no place in the order.", "Add it to land.order.")
    if policy.kind == "best_value":
        for name in used:
            if name not in named["values"] and name not in named["value_rasters"]:
                remedy = "Add it to land.values or land.value_rasters."
                add("no_value", "values", name, "the host type has no figure to compare.", remedy)
        if policy.values and policy.value_rasters and set(named["values"]) & set(named["value_rasters"]):
            both = ", ".join(sorted(set(named["values"]) & set(named["value_rasters"])))
            add("two_values", "values", both, "a figure and a raster are given for one host type.", "Keep one of them.")
        for host, raster in policy.value_rasters:
            if raster not in rasters:
                add("unknown_raster", host, raster, f"there is no raster {raster!r}.", nearest_key(raster, rasters))
    elif policy.values or policy.value_rasters:
        message = f"figures do not matter for the policy {policy.kind!r}."
        add("values_unused", "policy", policy.kind, message, "Use policy = 'best_value', or drop the figures.")
    if policy.kind != "given" and policy.order:
        message = f"an order does not matter for the policy {policy.kind!r}."
        add("order_unused", "policy", policy.kind, message, "Use policy = 'given', or drop the order.")
    for name, value in policy.values:
        if not np.isfinite(value):
            add("not_a_number", "values", f"{name} = {value}", "the figure is not a number.", "Give a finite number.")
    return found
