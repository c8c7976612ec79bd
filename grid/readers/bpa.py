"""PSD-BPA (and BPA IPF) network data into the bus-branch model, with everything that was given up on the way.

::

    (POWERFLOW,CASEID=...,PROJECT=...)      control cards: only MVA_BASE is read
    /MVA_BASE=100\\
    /NETWORK_DATA\\
    BS    name    kV ...                    buses, then branches, in any order
    L     name 1  kV name 2  kV ...
    (END)

How a transformer is understood (tap ratios tk, tm in per unit of the base voltages)::

    y11 = y / tk^2 + (G - j|B|) / (2 tk tm)     y12 = -y / (tk tm)     y22 = y / tm^2 + (G - j|B|) / (2 tk tm)

which is a ratio tk/tm at bus 1, the series impedance z tm^2, and the halves of G - j|B| at the two buses. A phase
shifter has ``exp(j angle)`` in place of tk: bus 1 leads bus 2 by its angle.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from grid.model.contracts import BusBranch, Source
from grid.readers.bpa_cards import ENCODING, Card
from grid.readers.bpa_network import BpaNetwork, BpaReading
from layers.contracts import Finding, InputError

_RECORDS = ("BD", "BM", "LD", "LM", "B", "+", "L", "E", "T", "R", "X", "A", "I")
"""Codes that are read, the longer ones first; BM and LM only to say that they are dropped."""
_NOTES = ("Q", "Z", "P", "D", "C", "G")
"""Codes of capability curves, changes and remarks, dropped with a word."""
_END = re.compile(rb"^\((END|STOP)\)", re.I)
_MVA_BASE = re.compile(r"MVA_BASE\s*=\s*([0-9.]+)", re.I)


def read_bpa(path: Path, shown_path: str = "") -> BusBranch:
    """Read a PSD-BPA data file.

    Parameters
    ----------
    path : Path
        GBK, or UTF-8 (turned into GBK columns first and said so).
    shown_path : str
        What findings call the file; its name by default.

    Returns
    -------
    BusBranch
        Buses numbered from 1 in the file's order. A record that stands for n circuits becomes n branches; sections
        become branches in series with fictitious buses between; a two-terminal DC line becomes what it injects.
        ``losses`` lists every field that was defaulted, converted or dropped.

    Raises
    ------
    InputError
        With every fault of the file at once: not a network data file, cut off, text in number columns, names used
        twice, branches at buses that do not exist, no slack bus.
    """
    shown = shown_path or path.name
    try:
        raw = path.read_bytes()
    except OSError as error:
        remedy = "Check the path and the rights."
        raise InputError(
            [Finding("error", "bpa.unreadable", shown, "file", "", "", f"{error.strerror}.", remedy)]
        ) from error
    reading = BpaReading(shown)
    cards, base_mva, title = _cards(raw, reading)
    reading.stop_on_faults()
    return BpaNetwork(reading, base_mva).read(cards, Source("bpa", "", shown, hashlib.sha256(raw).hexdigest(), title))


# ---------------------------------------------------------------- lines to cards


def _cards(raw: bytes, reading: BpaReading) -> tuple[list[Card], float, str]:
    """Cards of the network data, the power base [MVA] and the title."""
    raw = _gbk(raw, reading)
    lines = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    head = raw[:65536].upper()
    if b"(POWERFLOW" not in head and b"/NETWORK_DATA" not in head:
        reading.fault("format", "file", lines[0][:40].decode(ENCODING, "replace"), "not a PSD-BPA data file: there is "
                      "neither (POWERFLOW nor /NETWORK_DATA.", "Name the .dat file of the network.")  # fmt: skip
        return [], 100.0, ""
    cards: list[Card] = []
    base_mva, title, in_data, ended = 100.0, "", False, False
    for number, line in enumerate(lines, start=1):
        if ended or not line.strip() or line.startswith(b"."):
            continue
        if _END.match(line):
            ended = True
        elif line.startswith((b"(", b"/", b">")):
            text = line.decode(ENCODING, "replace").strip()
            base_mva = _mva_base(text, number, base_mva, reading)
            title = text if text.upper().startswith("(POWERFLOW") else title
            in_data = text.upper().startswith("/NETWORK_DATA") or (in_data and not text.startswith("/"))
        elif in_data:
            card = _card(line, number, reading)
            if card is not None:
                cards.append(card)
    if not ended:
        reading.fault("cut_off", f"line {len(lines)}", "", "the file ends without (END): it may be cut off.",
                      "Fetch the whole file; add (END) when it is complete.")  # fmt: skip
    if not cards and not reading.findings:
        reading.fault("empty", "file", "", "there is no card after /NETWORK_DATA.", "Add the network data.")
    return cards, base_mva, title


def _gbk(raw: bytes, reading: BpaReading) -> bytes:
    """The file in GBK bytes, in which the columns count."""
    raw = raw.removeprefix(b"\xef\xbb\xbf")
    if raw.isascii():
        return raw
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if text:
        reading.lose("file", "encoding", "converted", "UTF-8", "columns were counted as in GBK; save as GBK to be sure")
        return text.encode(ENCODING, "replace")
    for number, line in enumerate(raw.split(b"\n"), start=1):
        try:
            line.decode(ENCODING)
        except UnicodeDecodeError:
            reading.fault("encoding", f"line {number}", repr(line[:24]), "neither GBK nor UTF-8: encodings are mixed.",
                          "Save the whole file in GBK.")  # fmt: skip
    return raw


def _mva_base(text: str, number: int, base_mva: float, reading: BpaReading) -> float:
    match = _MVA_BASE.search(text)
    if match is None:
        return base_mva
    try:
        value = float(match[1])
    except ValueError:
        value = 0.0
    if not value > 0:
        reading.fault("mva_base", f"line {number}", match[1], "the power base must be above 0 MVA.", "Correct it.")
        return base_mva
    return value


def _card(line: bytes, number: int, reading: BpaReading) -> Card | None:
    code = line[:2].decode("ascii", "replace")
    record = next((r for r in _RECORDS if code.startswith(r)), None)
    if record is None:
        if code[:1] in _NOTES:
            reading.lose(f"line {number}", "record", "dropped", code, "records of this code are not read")
        else:
            reading.fault("unknown_card", f"line {number}", code, "no such record code.",
                          f"Codes that are read: {', '.join(_RECORDS)}; a remark begins with a point.")  # fmt: skip
        return None
    if record in ("BM", "LM"):
        reading.lose(f"line {number}", "record", "dropped", record, "give the terminals' exchange as loads")
        return None
    card = Card(record, number, line, reading.card_fault)
    change = line[2:3].strip()
    if change and record not in ("BD", "LD"):
        action = "dropped"
        what = "deleted by its change code" if change == b"D" else "a change of another record"
        reading.lose(f"line {number}", "change", action, change.decode(ENCODING, "replace"), what)
        return None
    return card
