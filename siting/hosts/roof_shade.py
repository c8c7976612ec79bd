"""What the shade of mapped neighbours leaves of the yield of roof sites."""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import numpy as np
import pandas as pd

from siting.contracts import HostType
from siting.sites.attributes import roof_columns
from siting.technologies.tables import TechnologyTables, load_technology_tables

_ITEM = "shading"
_LEAST = 0.01
"""Of a roof in full shade: factors of sites are over 0."""


def shade_factors(
    candidates: gpd.GeoDataFrame,
    roofs: pd.DataFrame | None,
    host_types: Sequence[HostType],
    tables: TechnologyTables | None = None,
) -> pd.Series:
    """Energy left by taller neighbours, beyond the flat allowance for shade that the loss chain takes already.

    Parameters
    ----------
    candidates : GeoDataFrame
        Candidates with ``candidate_id`` and ``host_type``.
    roofs : DataFrame or None
        Mapped roofs, :data:`siting.hosts.roofs.ROOFS` and ``host_type``.
    host_types : sequence of HostType
    tables : TechnologyTables, optional

    Returns
    -------
    Series of float, index ``candidate_id``
        Over 0, at most 1. A candidate without a roof of known height keeps the flat allowance: 1.

    Notes
    -----
    ``min(1, (1 - s) / (1 - f))`` with the area mean s of ``shading_loss_share`` and the item "shading" f of the loss
    chain of the host type's PV variant (3 % of PVWatts v5, NREL/TP-6A20-62641). The larger of the two losses counts,
    not both: f stands for nearby objects in general, and also for those that no map shows.
    """
    known = load_technology_tables() if tables is None else tables
    loss = roof_columns(candidates, roofs)["shading_loss_share"]
    flat = candidates["host_type"].map({h.host_type: _flat_share(h, known) for h in host_types}).to_numpy(float)
    left = np.where(np.isfinite(loss), (1 - loss) / (1 - flat), 1.0)
    return pd.Series(np.clip(left, _LEAST, 1.0), index=pd.Index(candidates["candidate_id"]), name="shade_factor")


def _flat_share(host_type: HostType, tables: TechnologyTables) -> float:
    """Share of energy that the loss chain of a host type takes for shade, 0 where it has no such item."""
    technology = tables.technology(host_type.technology)
    if technology.kind == "wind":
        return 0.0
    losses = tables.pv_variant(host_type.pv_variant).losses
    return float(sum(loss.loss_share for loss in losses if loss.item == _ITEM))
