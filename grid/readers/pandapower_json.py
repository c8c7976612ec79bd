"""pandapower's JSON files, read by pandapower and mapped here."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

from grid.model.contracts import BusBranch, Source
from grid.model.pandapower_import import from_pandapower
from grid.readers.source import open_source, unreadable
from layers.contracts import InputError

RULE = "pandapower_json"


def read_pandapower_json(path: Path, shown: str | None = None) -> BusBranch:
    """Read a net saved with ``pandapower.to_json``; files of older editions are brought up to date by pandapower.

    Raises
    ------
    InputError
        If the file is no such net, or its content is broken.
    """
    source = open_source(path, shown, RULE)
    text = source.text()
    try:
        head = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise unreadable(
            RULE, source.shown, "not_json", "", "The file is no JSON: it is cut off or another format."
        ) from error
    if not isinstance(head, dict) or head.get("_class") != "pandapowerNet":
        raise unreadable(RULE, source.shown, "not_a_net", "", "The file holds no pandapower net.")
    import pandapower as pp

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            net = pp.from_json_string(text, convert=True)
        version = str(net.get("version", ""))
        return from_pandapower(net, Source("pandapower_json", version, source.shown, source.sha256))
    except InputError:
        raise
    except Exception as error:
        # pandapower raises whatever it stumbles over: a net that it or the mapping cannot take is a broken file
        message = "pandapower cannot take the net, or a table lacks what it must have."
        raise unreadable(RULE, source.shown, "broken_net", f"{type(error).__name__}: {error}", message) from error
