"""CGMES and UCTE-DEF by pandapower's converters, then by our own mapping of a pandapower net.

What the converters give up is theirs; they are asked for everything they can hold, and each file read this way has
one loss item that says so.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from grid.model.contracts import BusBranch, LossItem, Source
from grid.readers.source import open_source, unreadable
from layers.contracts import InputError

_MOST_BYTES = 2_000_000_000


def read_ucte(path: Path, shown: str | None = None) -> BusBranch:
    """Read a UCTE-DEF file.

    The regulated side of a transformer is its second node, as the format has it; a tap of ``##R`` is in the ratio.

    Raises
    ------
    InputError
        If pandapower's converter cannot make a network of it, with the converter's words.
    """
    source = open_source(path, shown, "ucte")
    if b"##N" not in source.content:
        raise unreadable("ucte", source.shown, "format", "", "There is no ##N section: not a UCTE-DEF file.")

    def convert() -> Any:
        from pandapower.converter.ucte.from_ucte import from_ucte

        return from_ucte(str(path), slack_as_gen=False)

    return _converted("ucte", source.shown, source.sha256, convert)


def read_cgmes(path: Path, shown: str | None = None) -> BusBranch:
    """Read CGMES 2.4.15 profiles: a zip, a folder of XML files, or one XML file.

    Equipment (EQ), steady state (SSH) and topology (TP) are needed, state variables (SV) are used where there are
    some. Several XML files are one profile each.

    Raises
    ------
    InputError
        If there is no equipment profile, or pandapower's converter cannot make a network of it.
    """
    label = shown or path.name
    with _profiles(path, label) as files:
        contents = [open_source(file, f"{label}/{file.name}", "cgmes").content for file in files]
        if not any(b"CIM-schema-cim" in content[:65536] for content in contents):
            raise unreadable("cgmes", label, "format", "", "None of the files holds CIM objects.")
        if find_spec("lxml") is None:
            text, remedy = (
                "pandapower's CGMES converter needs the package lxml.",
                "Install lxml and read the file again.",
            )
            raise unreadable("cgmes", label, "package_missing", "lxml", text, remedy)

        def convert() -> Any:
            from pandapower.converter.cim.cim2pp.from_cim import from_cim

            return from_cim(file_list=[str(file) for file in files])

        return _converted("cgmes", label, hashlib.sha256(b"".join(contents)).hexdigest(), convert)


@contextmanager
def _profiles(path: Path, label: str) -> Iterator[list[Path]]:
    """The XML files of a folder or zip, as paths."""
    if path.is_dir():
        yield sorted(path.glob("*.xml"))
        return
    if path.suffix.lower() != ".zip":
        yield [path]
        return
    with tempfile.TemporaryDirectory() as folder:
        yield _unpacked(path, label, Path(folder))


def _unpacked(path: Path, label: str, folder: Path) -> list[Path]:
    """XML members of an archive as numbered files; nothing is written outside ``folder`` whatever their names."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if m.filename.lower().endswith(".xml")]
            if sum(m.file_size for m in members) > _MOST_BYTES:
                raise unreadable("cgmes", label, "too_large", "", "The archive unpacks to more than 2 GB.")
            files = []
            for n, member in enumerate(sorted(members, key=lambda m: m.filename)):
                file = folder / f"{n}.xml"
                file.write_bytes(archive.read(member))
                files.append(file)
    except (OSError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        words = type(error).__name__
        raise unreadable("cgmes", label, "unreadable", words, "The archive cannot be unpacked.") from error
    return files


def _converted(kind: str, shown: str, sha256: str, convert: Callable[[], Any]) -> BusBranch:
    from grid.model.pandapower_import import from_pandapower

    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")  # the converters warn of their own use of pandas
        try:
            net = convert()
            if not len(net.bus):
                raise unreadable(kind, shown, "empty", "0", "pandapower's converter found no bus.")
            case = from_pandapower(net, Source(kind, "", shown, sha256, str(net.name or "")))
        except InputError:
            raise
        except Exception as error:  # the converters stop at broken content with whatever pandas or lxml raises
            words = f"{type(error).__name__}: {error}".splitlines()[0][:160]
            message = "pandapower's converter found no network in it."
            raise unreadable(kind, shown, "converter", words, message) from error
    loss = LossItem("file", "converter", "converted", "pandapower", "compare a few flows with the source's own program")
    return replace(case, losses=(*case.losses, loss))


@contextmanager
def _quiet() -> Iterator[None]:
    """The converters' progress logs are not for users."""
    loggers = [logging.getLogger(name) for name in ("pandapower", "cim", "UCTEParser", "UCTE2pandapower", "CimParser",
               "CimConverter")]  # fmt: skip
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
