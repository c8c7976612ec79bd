"""Which limits a capacity study holds a case to, and what the new plant (or load) is like.

==================== ============================================ =============================================
limit                before any outage (N-0)                      after an outage (N-1)
==================== ============================================ =============================================
line loading         current <= ``line_percent`` of rating a      <= ``line_n_1_percent`` of rating b, else a
transformer loading  the same with ``transformer_percent``        ``transformer_n_1_percent`` (short time)
reverse flow         low to high side <= ``reverse_percent``      not applied
voltage              the bus's own band                           the band widened by ``post_fault_band_pu``, or
                                                                  the level's post-fault band where that is wider
voltage step         change by the plant <= ``voltage_step_pu``   the same, against the outage without the plant
==================== ============================================ =============================================

A value that sits on its limit before anything is added may move by ``slack_pu`` or ``slack_percent``: numerical room,
without which the answers are noise. A value *beyond* its limit then is a broken base case; ``tolerate_base`` blames
the plant only for what it worsens by more than that room.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from grid.limits import LimitSettings


@dataclass(frozen=True)
class PlantControl:
    """Reactive power of the new plant.

    ``power_factor`` below 1 absorbs, or produces where ``produces``. With ``droop_per_pu`` the plant follows Q(U)
    instead: ``Q = -droop (U - u_ref)`` beyond the dead band, in units of its active power per pu of voltage, at most
    ``q_max`` of its active power either way (GB/T 19964-2024: at least 0.33 is asked for).
    """

    power_factor: float = 1.0
    produces: bool = False
    droop_per_pu: float = 0.0
    u_ref_pu: float = 1.0
    dead_band_pu: float = 0.0
    q_max: float = 0.33

    @property
    def unit_power(self) -> complex:
        """Complex power injected per unit of active power, Q(U) left out."""
        q = float(np.tan(np.arccos(self.power_factor)))
        return complex(1.0, q if self.produces else -q)


@dataclass(frozen=True)
class CapacitySettings:
    """Figures of one study; the defaults are those of ``standards/study_limits.csv`` (see :meth:`standard`)."""

    line_percent: float = 100.0
    line_n_1_percent: float = 100.0
    transformer_percent: float = 100.0
    transformer_n_1_percent: float = 120.0
    reverse_percent: float | None = None
    rating: str = "a"
    rating_n_1: str = "b"
    voltage: bool = True
    """Whether the voltage bands of the buses are limits."""
    post_fault_band_pu: float = 0.0
    """How far the band opens at either end after an outage."""
    post_fault_standard: bool = False
    """After an outage also allow the post-fault band of ``standards/voltage_limits.csv`` for the bus's level."""
    voltage_step_pu: float | None = None
    slack_pu: float = 0.001
    slack_percent: float = 1.0
    tolerate_base: bool = False
    plant: PlantControl = PlantControl()
    load: bool = False
    """Study an added load instead of an added plant; capacities are then MW of load."""
    search_cap_factor: float = 1.2
    """Largest injection tried, by the sum of the ratings of the bus's branches."""
    search_cap_mw: float = np.inf

    @classmethod
    def standard(cls) -> CapacitySettings:
        """The figures of the standard tables, the Henan reverse-flow rule included."""
        figures = LimitSettings.standard()
        return cls(
            line_percent=figures.line_percent,
            line_n_1_percent=figures.line_n_1_percent,
            transformer_percent=figures.transformer_percent,
            transformer_n_1_percent=figures.transformer_n_1_percent,
            reverse_percent=figures.reverse_percent,
            slack_pu=figures.base_slack_pu,
            slack_percent=figures.base_slack_percent,
            search_cap_factor=figures.search_cap_factor,
            plant=PlantControl(figures.plant_power_factor),
            post_fault_standard=figures.post_fault_voltage,
        )

    @property
    def direction(self) -> complex:
        """Complex power added to the bus's injection per pu of capacity."""
        return -self.plant.unit_power if self.load else self.plant.unit_power
