"""Units that the ends of column names state, in pandapower's spelling: ``capacity_mw`` is in MW."""

from __future__ import annotations

_SUFFIX_UNITS = {
    "cny_per_kwh": "CNY/kWh", "cny_per_mwh": "CNY/MWh", "cny_per_mw": "CNY/MW", "kwh_per_kw": "kWh/kW",
    "percent": "%", "share": "1", "gw": "GW",
    "degree": "degree", "deg": "degree", "mwh": "MWh", "mva": "MVA", "mvar": "Mvar", "mw": "MW", "km2": "km2",
    "m2": "m2", "km": "km", "kv": "kV", "ka": "kA", "pu": "pu", "cny": "CNY", "years": "a", "m": "m",
}  # fmt: skip
"""Units by the end of a column's name, the longest first."""

_WORDS_ZH = {"CNY": "元", "degree": "°", "a": "年", "1": "%", "km2": "km²", "m2": "m²"}
_WORDS_EN = {"degree": "°", "1": "%", "km2": "km²", "m2": "m²"}


def unit_of(column: str) -> str:
    """Unit that the end of a column's name states; empty where it states none."""
    for suffix, unit in _SUFFIX_UNITS.items():
        if column == suffix or column.endswith(f"_{suffix}"):
            return unit
    return ""


def unit_words(unit: str, language: str) -> str:
    """A unit as a reader of ``language`` writes it: CNY/kWh is 元/kWh in Chinese. A share is told in percent."""
    words = _WORDS_ZH if language == "zh" else _WORDS_EN
    return "/".join(words.get(part, part) for part in unit.split("/"))
