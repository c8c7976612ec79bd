"""The text of a MATPOWER ``.m`` case as tables of numbers, its conversion statements executed.

Many distribution cases give ohm and kW in the matrices and convert them in statements below (``mpc.bus(:, [PD, QD])
= mpc.bus(:, [PD, QD]) / 1e3;``). A parser that only reads the matrices returns loads a thousand times too large; here
the arithmetic statements are executed, and a statement that cannot be is an error, never passed over.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from grid.readers.source import SourceFile, fault, unreadable
from layers.contracts import Finding, InputError

RULE = "matpower"
MATRICES = ("bus", "gen", "branch", "dcline")
NAMES = ("bus_name", "gen_name", "branch_name", "genfuel")
_PASSED_OVER = re.compile(r"(function\b.*|end|return|define_constants|\[.*\]\s*=\s*idx_\w+|clear\b.*)\s*;?\s*$")
_ASSIGNMENT = re.compile(r"(?P<left>[A-Za-z]\w*(?:\.\w+)*(?:\([^=]*\))?)\s*=(?!=)\s*(?P<right>.+?);?\s*$", re.DOTALL)
_NOT_A_NUMBER = re.compile(r"^[+-]?(nan)$", re.IGNORECASE)

Floats = npt.NDArray[np.float64]


@dataclass
class MatpowerText:
    """Matrices by name, names by name, the base, and the statements that were executed."""

    base_mva: float
    version: str
    matrices: dict[str, Floats]
    names: dict[str, list[str]]
    executed: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """Fields of the case that the reader does not use."""


def read_text(source: SourceFile) -> MatpowerText:
    """Parse a version 2 case file.

    Raises
    ------
    InputError
        If it is no case, rows are ragged or cut off, a field is no number, or a statement cannot be executed.
    """
    from matpowercaseframes.reader import find_attributes, parse_file

    text = _without_comments(source.text())
    if not re.search(r"\bmpc\.(bus|baseMVA)\b", text):
        raise unreadable(RULE, source.shown, "not_a_case", "", "There is no mpc.bus: this is no version 2 case file.")
    findings: list[Finding] = []
    matrices: dict[str, Floats] = {}
    for name in MATRICES:
        if re.search(rf"\bmpc\.{name}\s*=\s*\[", text) is None:
            if name != "dcline":
                findings.append(_fault(source, "table_missing", name, "", f"There is no mpc.{name}."))
            continue
        rows = parse_file(name, text)
        if rows is None:
            findings.append(_fault(source, "table_cut_off", name, "", f"mpc.{name} has no end: the file is cut off."))
            continue
        matrix = _matrix(source, name, rows, findings)
        if matrix is not None:
            matrices[name] = matrix
    names = {name: _cell_texts(text, name) for name in NAMES if f"mpc.{name}" in text}
    if findings:
        raise InputError(findings)
    result = MatpowerText(
        np.nan, _version(text), matrices, names, left_out=sorted(set(find_attributes(text)) - _used(text))
    )
    _run_statements(source, text, result, findings)
    if not np.isfinite(result.base_mva):
        findings.append(_fault(source, "base_missing", "baseMVA", "", "There is no mpc.baseMVA."))
    if result.version != "2":
        message = "Only version 2 of the case format is read."
        findings.append(_fault(source, "version", "version", result.version, message))
    if findings:
        raise InputError(findings)
    return result


def _fault(source: SourceFile, what: str, layer: str, value: str, message: str, item: str = "") -> Finding:
    return fault(RULE, source.shown, what, value, message, "Give a whole, unchanged case file.", layer, item)


def _used(text: str) -> set[str]:
    known = {*MATRICES, *NAMES, "version", "baseMVA"}
    return known | {a for a in re.findall(r"mpc\.([^\s=]*)", text) if a.partition("(")[0] in known}


def _version(text: str) -> str:
    match = re.search(r"mpc\.version\s*=\s*['\"]?([^'\";\s]+)", text)
    return match.group(1) if match else "2"


def _without_comments(text: str) -> str:
    """Code only: block and line comments off, continued lines joined, a row of a matrix on a line of its own."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = re.sub(r"^[ \t]*%\{[ \t]*\n.*?^[ \t]*%\}[ \t]*$", "", text, flags=re.DOTALL | re.MULTILINE)
    lines = [_code_of(line) for line in text.split("\n")]
    joined = re.sub(r"\.\.\.[^\n]*\n", " ", "\n".join(lines))
    return re.sub(r"(=\s*\[)([^\[\]]*)\]", lambda m: m.group(1) + "\n" + _rows(m.group(2)) + "\n]", joined)


def _rows(body: str) -> str:
    rows = (row.replace(",", " ").strip() for row in body.replace(";", "\n").split("\n"))
    return "\n".join(row + ";" for row in rows if row)


def _code_of(line: str) -> str:
    """The line up to a ``%`` that is outside quotes."""
    if "%" not in line:
        return line
    quoted = False
    for k, character in enumerate(line):
        if character == "'":
            quoted = not quoted
        elif character == "%" and not quoted:
            return line[:k]
    return line


def _matrix(source: SourceFile, name: str, rows: list[list[Any]], findings: list[Finding]) -> Floats | None:
    """Rows as one float matrix; integers become floats, so that no solved power is cut."""
    count = len(findings)
    widths = {len(row) for row in rows}
    if len(widths) > 1:
        common = max(widths, key=lambda w: sum(len(row) == w for row in rows))
        for k, row in enumerate(rows):
            if len(row) != common and len(findings) < count + 20:
                message = f"The row has {len(row)} fields, the others have {common}."
                findings.append(_fault(source, "ragged_row", name, " ".join(map(str, row)), message, f"row {k + 1}"))
        return None
    for k, row in enumerate(rows):
        for j, value in enumerate(row):
            number = _number(value)
            if number is None:
                if len(findings) < count + 20:
                    message = "The field is no number."
                    item = f"row {k + 1}, field {j + 1}"
                    findings.append(_fault(source, "not_a_number", name, str(value), message, item))
                number = np.nan
            row[j] = number
    if len(findings) > count:
        return None
    return np.array(rows, dtype=float).reshape(len(rows), widths.pop() if widths else 0)


def _number(value: Any) -> float | None:
    if isinstance(value, (int, float)):
        return float(value)
    text = str(value).strip()
    if re.fullmatch(r"[+-]?inf", text, re.IGNORECASE):
        return float(text)
    if _NOT_A_NUMBER.match(text):
        return np.nan
    if len(text) > 40:
        return None
    try:
        # a constant expression such as 11/sqrt(3) stands for its value
        return float(_evaluate(text, {"pi": np.pi}, MatpowerText(np.nan, "2", {}, {})))
    except _FAILURES:
        return None


def _cell_texts(text: str, name: str) -> list[str]:
    match = re.search(rf"mpc\.{name}\s*=\s*\{{(.*?)\}}", text, re.DOTALL)
    if match is None:
        return []
    return [a.replace("''", "'") for a in re.findall(r"'((?:[^'\n]|'')*)'", match.group(1))]


# ---------------------------------------------------------------- statements

_OPERATORS: Mapping[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    name: getattr(np, "arccos" if name == "acos" else name) for name in ("sin", "cos", "tan", "sqrt", "acos")
}


class _Unknown(Exception):
    pass


_FAILURES = (
    _Unknown,
    SyntaxError,
    ValueError,
    IndexError,
    TypeError,
    ZeroDivisionError,
    RecursionError,
    OverflowError,
    MemoryError,
)
"""What an expression can fail with."""


def _run_statements(source: SourceFile, text: str, result: MatpowerText, findings: list[Finding]) -> None:
    """Execute, in order, everything that is no matrix, no name list and no comment."""
    code = re.sub(r"\b[\w.]+\s*=\s*\[[^\[\]]*\];?", "", text)
    code = re.sub(r"\bmpc\.\w+(\.\w+)*\s*=\s*\{[^{}]*\};?", "", code)
    variables: dict[str, Any] = {"pi": np.pi}
    for line in code.split("\n"):
        for statement in (s.strip() for s in re.split(r";", line)):
            if not statement or _PASSED_OVER.fullmatch(statement):
                continue
            match = _ASSIGNMENT.fullmatch(statement)
            try:
                if match is None:
                    raise _Unknown
                _assign(match["left"].strip(), match["right"].strip(), variables, result)
            except _FAILURES:
                if len(findings) < 20:
                    message = "The reader cannot execute this statement, and passing over it could change the numbers."
                    remedy = "Save the case from MATPOWER with savecase, which writes plain numbers."
                    findings.append(
                        fault(RULE, source.shown, "statement", statement, message, remedy, "statements", "")
                    )


def _assign(left: str, right: str, variables: dict[str, Any], result: MatpowerText) -> None:
    if left.startswith("mpc.") and "(" not in left:
        name = left.removeprefix("mpc.")
        if name == "baseMVA":
            result.base_mva = float(_evaluate(right, variables, result))
        elif name in MATRICES:
            raise _Unknown
        return
    if "(" not in left:
        if left.startswith("mpc"):
            raise _Unknown
        variables[left] = _evaluate(right, variables, result)
        return
    target = ast.parse(_python(left), mode="eval").body
    if not isinstance(target, ast.Call):
        raise _Unknown
    table, rows, columns = _address(target, variables, result)
    result.matrices[table][rows, columns] = _evaluate(right, variables, result)
    result.executed.append(f"{left} = {right}")


def _python(expression: str) -> str:
    text = expression.replace("./", "/").replace(".*", "*").replace(".^", "**").replace("^", "**")
    text = re.sub(r"\(\s*:\s*,", "(ALL,", text)
    return re.sub(r"\[([^\[\]]*)\]", lambda m: "[" + ",".join(m.group(1).replace(",", " ").split()) + "]", text)


def _evaluate(expression: str, variables: Mapping[str, Any], result: MatpowerText) -> Any:
    with np.errstate(all="ignore"):
        return _value(ast.parse(_python(expression), mode="eval").body, variables, result)


def _value(node: ast.expr, variables: Mapping[str, Any], result: MatpowerText) -> Any:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return float(node.value)
    if isinstance(node, ast.Name) and node.id in variables:
        return variables[node.id]
    if isinstance(node, ast.Attribute) and ast.unparse(node) == "mpc.baseMVA":
        return result.base_mva
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        operand = _value(node.operand, variables, result)
        return -operand if isinstance(node.op, ast.USub) else operand
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _value(node.left, variables, result), _value(node.right, variables, result)
        return _OPERATORS[type(node.op)](left, right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
        (argument,) = node.args
        return _FUNCTIONS[node.func.id](_value(argument, variables, result))
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        table, rows, columns = _address(node, variables, result)
        return result.matrices[table][rows, columns]
    raise _Unknown


def _address(call: ast.Call, variables: Mapping[str, Any], result: MatpowerText) -> tuple[str, Any, Any]:
    """Table, row index and column index of ``mpc.table(rows, columns)``; MATLAB counts from 1."""
    from matpowercaseframes.constants import COLUMNS

    table = ast.unparse(call.func).removeprefix("mpc.")
    if table not in result.matrices or len(call.args) != 2:
        raise _Unknown
    constants = {name: float(k + 1) for k, name in enumerate(COLUMNS[table])}
    row, column = call.args
    if isinstance(row, ast.Name) and row.id == "ALL":
        rows: Any = slice(None)
    else:
        rows = int(_value(row, variables, result)) - 1
    listed = column.elts if isinstance(column, ast.List) else [column]
    wanted = [int(_value(c, {**constants, **variables}, result)) - 1 for c in listed]
    if min(wanted) < 0 or (isinstance(rows, int) and rows < 0):
        raise _Unknown
    return table, rows, wanted if isinstance(column, ast.List) else wanted[0]
