"""Choices of the PV chain that hold for a whole study."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from siting.pv.shading import Horizon
from siting.pv.transposition import Transposition

Reflection = Literal["physical", "ashrae", "none"]
CellTemperature = Literal["pvsyst", "faiman", "sapm"]
ModuleModel = Literal["pvwatts", "single_diode"]


@dataclass(frozen=True)
class PvOptions:
    """How light becomes power.

    ``horizons``: skylines by weather cell, ``""`` for every other cell. ``subhourly_clipping``: an hour
    whose beam is below that of a clear sky is taken as a bright and a dull part with the same mean, so that the
    inverter limits what an hourly mean hides.
    """

    transposition: Transposition = "haydavies"
    reflection: Reflection = "physical"
    cell_temperature: CellTemperature = "pvsyst"
    module_model: ModuleModel = "pvwatts"
    subhourly_clipping: bool = False
    horizons: Mapping[str, Horizon] = field(default_factory=dict)

    def horizon(self, cell_id: str) -> Horizon | None:
        """Skyline of a weather cell, or None."""
        return self.horizons.get(cell_id, self.horizons.get(""))
