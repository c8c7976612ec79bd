"""PV in the technology files: variants, their sides, mountings and loss chains as records.

======================  =====================================================================
pv_variants.csv         module, inverter, DC/AC ratio, mounting, ground
pv_orientations.csv     one row for each side of a variant, weighted by ``share`` of the DC capacity
pv_mountings.csv        heat loss of the mounting (PVsyst model)
pv_losses.csv           itemised loss chains, in the order of the rows
======================  =====================================================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from layers.tables import Table, column
from siting.contracts import Confidence
from siting.technology_reader import LABELS, LOSS_COLUMNS, PROVENANCE, Loss, Row, TableReader, losses_of, without

PV_VARIANTS = Table(
    "pv_variants",
    "How PV is built on a kind of place.",
    {
        "pv_variant": column(str, "", "id", unique=True),
        **LABELS,
        "mounting": column(str, "", "row of pv_mountings.csv"),
        "loss_set": column(str, "", "chain of pv_losses.csv"),
        "dc_ac_ratio": column(float, "1", "module DC rating by inverter AC rating", ge=0.5, le=3),
        "gamma_pdc_per_k": column(float, "1/K", "power change by cell temperature", ge=-0.01, le=0),
        "inverter_efficiency": column(float, "1", "at rated power", gt=0.8, le=1),
        "albedo": column(float, "1", "ground reflectance", ge=0, le=1),
        **PROVENANCE,
    },
)
PV_ORIENTATIONS = Table(
    "pv_orientations",
    "Sides of a variant; shares of one variant add up to 1.",
    {
        "pv_variant": column(str, "", "row of pv_variants.csv"),
        "tilt_deg": column(float, "degree", "0 flat, 90 upright", ge=0, le=90),
        "azimuth_deg": column(float, "degree", "0 north, 90 east, 180 south, 270 west", ge=0, le=360),
        "share": column(float, "1", "share of the variant's DC capacity", gt=0, le=1),
        **PROVENANCE,
    },
)
PV_MOUNTINGS = Table(
    "pv_mountings",
    "Heat loss coefficients of the PVsyst cell temperature model.",
    {
        "mounting": column(str, "", "id", unique=True),
        "u_c_w_per_m2_k": column(float, "W/(m2 K)", "constant part", gt=0),
        "u_v_w_s_per_m3_k": column(float, "W s/(m3 K)", "part by wind speed at 10 m", ge=0),
        **PROVENANCE,
    },
)
PV_LOSSES = Table("pv_losses", "Loss chains of PV, applied to DC power.", LOSS_COLUMNS)


@dataclass(frozen=True)
class Mounting:
    """Heat loss of a mounting: ``T_cell - T_air = 0.9 G (1 - 0.1) / (u_c + u_v v)``."""

    mounting: str
    u_c_w_per_m2_k: float
    u_v_w_s_per_m3_k: float
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class Orientation:
    """One side of a variant. Azimuth clockwise from north, tilt from the horizontal."""

    tilt_deg: float
    azimuth_deg: float
    share: float


@dataclass(frozen=True)
class PvVariant:
    """How PV is built on a kind of place. Every side has inverters of its own."""

    pv_variant: str
    label_zh: str
    label_en: str
    orientations: tuple[Orientation, ...]
    mounting: Mounting
    losses: tuple[Loss, ...]
    dc_ac_ratio: float
    gamma_pdc_per_k: float
    inverter_efficiency: float
    albedo: float
    source: str
    confidence: Confidence


def read_pv_variants(reader: TableReader) -> list[Row]:
    """Rows of the PV files, put together: one row for each variant, ready for :func:`pv_variant_of`.

    What is wrong goes to ``reader.findings``; the rows must only be used when there are none.
    """
    variants = reader.read(PV_VARIANTS)
    orientations = reader.read(PV_ORIENTATIONS)
    mountings = reader.read(PV_MOUNTINGS)
    losses = reader.read(PV_LOSSES)
    reader.refer(variants, PV_VARIANTS, "mounting", mountings)
    reader.refer(variants, PV_VARIANTS, "loss_set", losses)
    reader.refer(variants, PV_VARIANTS, "pv_variant", orientations)
    reader.refer(orientations, PV_ORIENTATIONS, "pv_variant", variants)
    _check_shares(reader, orientations)
    reader.check_loss_items(PV_LOSSES, losses)
    return [{"row": row, "orientations": orientations, "mountings": mountings, "losses": losses} for row in variants]


def pv_variant_of(parts: Row) -> PvVariant:
    """Record of one variant from what :func:`read_pv_variants` gives."""
    return _variant(parts["row"], parts["orientations"], parts["mountings"], parts["losses"])


def _variant(row: Row, orientations: list[Row], mountings: list[Row], losses: list[Row]) -> PvVariant:
    return PvVariant(
        **without(row, "mounting", "loss_set"),
        orientations=tuple(
            Orientation(o["tilt_deg"], o["azimuth_deg"], o["share"])
            for o in orientations
            if o["pv_variant"] == row["pv_variant"]
        ),
        mounting=next(Mounting(**m) for m in mountings if m["mounting"] == row["mounting"]),
        losses=losses_of(losses, row["loss_set"]),
    )


def _check_shares(reader: TableReader, orientations: list[Row]) -> None:
    for name in sorted({row["pv_variant"] for row in orientations}):
        total = math.fsum(row["share"] for row in orientations if row["pv_variant"] == name)
        if not abs(total - 1) < 1e-9:
            reader.add(PV_ORIENTATIONS, "shares", name, total, "Shares do not add up to 1.", "Correct the shares.")
