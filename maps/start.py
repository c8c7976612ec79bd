"""Where Folium's script meets the page's own: tiles that are moved, and the last line, which starts the page."""

from __future__ import annotations

from collections.abc import Sequence

import folium
from branca.element import MacroElement
from folium.template import Template


class ShiftedTileLayer(folium.TileLayer):
    """Tiles drawn on GCJ-02, which the page's script moves under the WGS-84 map."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
            var {{ this.get_name() }} = fengguang.shiftedTiles(
                {{ this.tiles|tojson }}, {{ this.options|tojavascript }}
            );
        {% endmacro %}
        """
    )


class StartScript(MacroElement):
    """Calls ``fengguang.start`` once Folium has made everything. ``groups``: (kind, index within the kind, group)."""

    _template = Template(
        """
        {% macro script(this, kwargs) %}
            fengguang.start({{ this._parent.get_name() }}, {{ this.control.get_name() }}, [
                {%- for kind, index, group in this.groups %}
                {kind: {{ kind|tojson }}, index: {{ index }}, layer: {{ group.get_name() }}},
                {%- endfor %}
            ]);
        {% endmacro %}
        """
    )

    def __init__(self, control: folium.LayerControl, groups: Sequence[tuple[str, int, folium.FeatureGroup]]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._name = "StartScript"
        self.control = control
        self.groups = tuple(groups)
