"""PV in the technology files: variants, their sides, mountings and loss chains as records.

======================  =====================================================================
pv_variants.csv         module, inverter, DC/AC ratio, mounting, ground
pv_orientations.csv     one row for each side of a variant, weighted by ``share`` of the DC capacity
pv_mountings.csv        heat loss of the mounting (PVsyst, SAPM and Faiman models)
pv_modules.csv          data sheet and single diode parameters of module classes
pv_rows.csv             rows on the ground: cover, tracking, what shade costs
pv_losses.csv           itemised loss chains, in the order of the rows
======================  =====================================================================
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from layers.tables import Table, column
from siting.contracts import Confidence
from siting.technologies.reader import LABELS, LOSS_COLUMNS, PROVENANCE, Loss, Row, TableReader, losses_of, without

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
        "module": column(str, "", "row of pv_modules.csv"),
        "rows": column(str, "", "row of pv_rows.csv; empty where rows do not shade each other", nullable=True),
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
    "Heat loss coefficients of cell temperature models; empty where the model has none for the mounting.",
    {
        "mounting": column(str, "", "id", unique=True),
        "u_c_w_per_m2_k": column(float, "W/(m2 K)", "constant part", gt=0),
        "u_v_w_s_per_m3_k": column(float, "W s/(m3 K)", "part by wind speed at 10 m", ge=0),
        "sapm_a": column(float, "1", "SAPM: exponent in still air", nullable=True, ge=-10, le=0),
        "sapm_b": column(float, "s/m", "SAPM: exponent by wind speed at 10 m", nullable=True, ge=-1, le=0),
        "sapm_delta_t_k": column(float, "K", "SAPM: cell above back at 1000 W/m2", nullable=True, ge=0, le=10),
        "faiman_u0_w_per_m2_k": column(float, "W/(m2 K)", "Faiman: constant part", nullable=True, gt=0),
        "faiman_u1_w_s_per_m3_k": column(float, "W s/(m3 K)", "Faiman: part by wind speed", nullable=True, ge=0),
        **PROVENANCE,
    },
)
PV_MODULES = Table(
    "pv_modules",
    "Module classes: data sheet at standard test conditions, and parameters of the single diode model.",
    {
        "module": column(str, "", "id", unique=True),
        **LABELS,
        "cell": column(str, "", "cell technology", isin=("mono_perc", "topcon", "cdte")),
        "fit": column(
            str, "", "cec: parameters of the CEC list; desoto: fitted to the data sheet", isin=("cec", "desoto")
        ),
        "v_mp_v": column(float, "V", "voltage at maximum power", gt=0),
        "i_mp_a": column(float, "A", "current at maximum power", gt=0),
        "v_oc_v": column(float, "V", "open circuit voltage", gt=0),
        "i_sc_a": column(float, "A", "short circuit current", gt=0),
        "cells_in_series": column(float, "1", "cells in series", ge=1, le=400),
        "alpha_sc_a_per_k": column(float, "A/K", "short circuit current by temperature", ge=-0.1, le=0.1),
        "beta_voc_v_per_k": column(float, "V/K", "open circuit voltage by temperature", ge=-2, le=0),
        "gamma_pdc_per_k": column(float, "1/K", "power by temperature", ge=-0.01, le=0),
        "bifaciality": column(float, "1", "rear by front efficiency; 0 for a closed rear", ge=0, le=1),
        "a_ref_v": column(float, "V", "modified ideality factor", gt=0),
        "i_l_ref_a": column(float, "A", "light current", gt=0),
        "i_o_ref_a": column(float, "A", "dark saturation current", gt=0),
        "r_s_ohm": column(float, "ohm", "series resistance", ge=0),
        "r_sh_ref_ohm": column(float, "ohm", "shunt resistance", gt=0),
        "adjust_percent": column(float, "%", "CEC: correction of alpha_sc", ge=-100, le=100),
        "eg_ref_ev": column(float, "eV", "band gap", ge=0.5, le=3),
        "eg_slope_per_k": column(float, "1/K", "relative change of the band gap", ge=-0.01, le=0),
        **PROVENANCE,
    },
)
PV_ROWS = Table(
    "pv_rows",
    "Long level rows of modules that shade each other and the ground.",
    {
        "rows": column(str, "", "id", unique=True),
        "gcr": column(float, "1", "ground cover: slant length by pitch", gt=0, le=0.95),
        "tracking": column(
            str, "", "fixed, or single_axis: level axis towards the azimuth", isin=("fixed", "single_axis")
        ),
        "max_rotation_deg": column(float, "degree", "of a tracker to either side", ge=0, le=90),
        "backtracking": column(str, "", "tracker turns back so that rows do not shade each other", isin=("yes", "no")),
        "cell_blocks": column(
            float, "1", "blocks of cells along the slant; 0: loss in proportion to shade", ge=0, le=20
        ),
        "structure_shading_percent": column(float, "%", "of the rear light, by beams and posts", ge=0, le=50),
        **PROVENANCE,
    },
)
PV_LOSSES = Table("pv_losses", "Loss chains of PV, applied to DC power.", LOSS_COLUMNS)


@dataclass(frozen=True)
class Mounting:
    """Heat loss of a mounting: ``T_cell - T_air = 0.9 G (1 - 0.1) / (u_c + u_v v)`` (PVsyst), and the coefficients of
    SAPM and Faiman, NaN where none are known."""

    mounting: str
    u_c_w_per_m2_k: float
    u_v_w_s_per_m3_k: float
    source: str
    confidence: Confidence
    sapm_a: float = math.nan
    sapm_b: float = math.nan
    sapm_delta_t_k: float = math.nan
    faiman_u0_w_per_m2_k: float = math.nan
    faiman_u1_w_s_per_m3_k: float = math.nan


@dataclass(frozen=True)
class PvModule:
    """Module class; the single diode parameters hold at 1000 W/m2 and 25 degC."""

    module: str
    label_zh: str
    label_en: str
    cell: Literal["mono_perc", "topcon", "cdte"]
    fit: Literal["cec", "desoto"]
    v_mp_v: float
    i_mp_a: float
    v_oc_v: float
    i_sc_a: float
    cells_in_series: float
    alpha_sc_a_per_k: float
    beta_voc_v_per_k: float
    gamma_pdc_per_k: float
    bifaciality: float
    a_ref_v: float
    i_l_ref_a: float
    i_o_ref_a: float
    r_s_ohm: float
    r_sh_ref_ohm: float
    adjust_percent: float
    eg_ref_ev: float
    eg_slope_per_k: float
    source: str
    confidence: Confidence


@dataclass(frozen=True)
class PvRows:
    """Rows on the ground. A tracker's orientation has tilt 0 and the azimuth of its axis. The height above ground is
    no parameter: between endless rows the mean light on modules and ground does not depend on it."""

    rows: str
    gcr: float
    tracking: Literal["fixed", "single_axis"]
    max_rotation_deg: float
    backtracking: bool
    cell_blocks: float
    structure_shading_share: float
    source: str
    confidence: Confidence
    shading: bool = True
    """False leaves the rows' shade out: a tracker by itself, as ModelChain has it."""


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
    module: PvModule | None = None
    """Needed for the single diode model and for light on the rear."""
    rows: PvRows | None = None
    """None: nothing shades (what does is in the loss chain)."""


def read_pv_variants(reader: TableReader) -> list[Row]:
    """Rows of the PV files, put together: one row for each variant, ready for :func:`pv_variant_of`.

    What is wrong goes to ``reader.findings``; the rows must only be used when there are none.
    """
    variants = reader.read(PV_VARIANTS)
    orientations = reader.read(PV_ORIENTATIONS)
    mountings = reader.read(PV_MOUNTINGS)
    losses = reader.read(PV_LOSSES)
    modules = reader.read(PV_MODULES)
    rows = reader.read(PV_ROWS)
    reader.refer(variants, PV_VARIANTS, "mounting", mountings)
    reader.refer(variants, PV_VARIANTS, "loss_set", losses)
    reader.refer(variants, PV_VARIANTS, "pv_variant", orientations)
    reader.refer(orientations, PV_ORIENTATIONS, "pv_variant", variants)
    reader.refer(variants, PV_VARIANTS, "module", modules)
    reader.refer(variants, PV_VARIANTS, "rows", rows, only=lambda row: row["rows"] != "")
    _check_shares(reader, orientations)
    _check_trackers(reader, variants, orientations, rows)
    reader.check_loss_items(PV_LOSSES, losses)
    parts = {"orientations": orientations, "mountings": mountings, "losses": losses, "modules": modules, "rows": rows}
    return [{"row": row, **parts} for row in variants]


def pv_variant_of(parts: Row) -> PvVariant:
    """Record of one variant from what :func:`read_pv_variants` gives."""
    row = parts["row"]
    mounting = next(m for m in parts["mountings"] if m["mounting"] == row["mounting"])
    module = next(m for m in parts["modules"] if m["module"] == row["module"])
    rows = [_rows_of(r) for r in parts["rows"] if r["rows"] == row["rows"]]
    return PvVariant(
        **without(row, "mounting", "loss_set", "module", "rows"),
        orientations=tuple(
            Orientation(o["tilt_deg"], o["azimuth_deg"], o["share"])
            for o in parts["orientations"]
            if o["pv_variant"] == row["pv_variant"]
        ),
        mounting=Mounting(**mounting),
        losses=losses_of(parts["losses"], row["loss_set"]),
        module=PvModule(**module),
        rows=rows[0] if rows else None,
    )


def _rows_of(row: Row) -> PvRows:
    return PvRows(
        **without(row, "backtracking", "structure_shading_percent"),
        backtracking=row["backtracking"] == "yes",
        structure_shading_share=row["structure_shading_percent"] / 100,
    )


def _check_shares(reader: TableReader, orientations: list[Row]) -> None:
    for name in sorted({row["pv_variant"] for row in orientations}):
        total = math.fsum(row["share"] for row in orientations if row["pv_variant"] == name)
        if not abs(total - 1) < 1e-9:
            reader.add(PV_ORIENTATIONS, "shares", name, total, "Shares do not add up to 1.", "Correct the shares.")


def _check_trackers(reader: TableReader, variants: list[Row], orientations: list[Row], rows: list[Row]) -> None:
    tracking = {row["rows"] for row in rows if row["tracking"] == "single_axis"}
    tracked = {row["pv_variant"] for row in variants if row["rows"] in tracking}
    for side in orientations:
        if side["pv_variant"] in tracked and side["tilt_deg"] != 0:
            message, remedy = "A tracker's axis is level.", "Write tilt 0 and the azimuth of the axis."
            reader.add(PV_ORIENTATIONS, "tracker_tilt", side["pv_variant"], side["tilt_deg"], message, remedy)
    for row in rows:
        if row["tracking"] == "single_axis" and not row["max_rotation_deg"] > 0:
            message, remedy = "A tracker that does not turn.", "State max_rotation_deg, or fixed."
            reader.add(PV_ROWS, "tracker_rotation", row["rows"], row["max_rotation_deg"], message, remedy)
