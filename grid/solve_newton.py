"""Newton on one connected part: lightsim2grid's (KLU), and an own damped one for what it cannot do.

The slack power is one more unknown, shared by weights: P_i = scheduled_i + weight_i * slack at every node. The
angle is held at one reference only. lightsim2grid wants every sharing node to hold its voltage; where a sharing
generator stands at a reactive limit the own Newton takes over (same equations).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.linalg import splu, spsolve

from grid.jacobian import power_derivatives

Floats = npt.NDArray[np.float64]
Complexes = npt.NDArray[np.complex128]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

SMALLEST_STEP = 1 / 64


@dataclass(frozen=True)
class Part:
    """One connected part with its own numbering 0..n-1."""

    ybus: sp.csc_matrix
    injected: Complexes
    """Scheduled injections [pu]; the reactive part means nothing where the voltage is held."""
    held: Bools
    vm_set_pu: Floats
    reference: int
    reference_rad: float
    weight: Floats
    """Shares of the slack power, sum 1."""
    f: Ints
    t: Ints
    susceptance: Floats
    """Of the DC start, per branch of the part."""
    shift_rad: Floats


@dataclass(frozen=True)
class Newton:
    """How it ended. ``mismatch_pu`` is the largest remaining power error; ``slack_pu`` the shared power."""

    voltage: Complexes
    converged: bool
    iterations: int
    mismatch_pu: float
    slack_pu: float


def start_dc(part: Part) -> Complexes:
    """Angles of the DC load flow, phase shifts included, at set-point or nominal magnitudes."""
    n, f, t, b = len(part.held), part.f, part.t, part.susceptance
    entries, rows, columns = (
        np.concatenate([b, -b, -b, b]),
        np.concatenate([f, f, t, t]),
        np.concatenate([f, t, f, t]),
    )
    matrix = sp.csr_matrix((entries, (rows, columns)), shape=(n, n))
    p = part.injected.real - part.weight * part.injected.real.sum()
    p = p + np.bincount(f, b * part.shift_rad, n) - np.bincount(t, b * part.shift_rad, n)
    angle = np.full(n, part.reference_rad)
    rest = np.setdiff1d(np.arange(n), [part.reference])
    if len(rest):
        change = np.atleast_1d(spsolve(matrix[rest][:, rest].tocsc(), p[rest]))
        angle[rest] += np.where(np.isfinite(change), change, 0.0)
    return _with_set_points(part, np.exp(1j * angle))


def start_flat(part: Part) -> Complexes:
    """Nominal magnitudes (set points where held); angles follow only the phase shifts from the reference."""
    return start_dc(replace(part, injected=np.zeros_like(part.injected)))


def _with_set_points(part: Part, voltage: Complexes) -> Complexes:
    """``voltage`` turned to the reference angle, with the held magnitudes."""
    turned = voltage * np.exp(1j * (part.reference_rad - np.angle(voltage[part.reference])))
    unit = turned / np.abs(turned)
    return np.asarray(np.where(part.held, part.vm_set_pu * unit, turned), dtype=np.complex128)


def newton_lightsim2grid(part: Part, guess: Complexes, tolerance_pu: float, most_iterations: int) -> Newton:
    """lightsim2grid's Newton-Raphson on our admittances. Every node that shares slack power must hold its voltage."""
    from lightsim2grid.lightsim2grid_cpp import NR_KLU

    first = _with_set_points(part, guess)
    n = len(first)
    if n == 1:
        return _judged(part, first, 0, tolerance_pu)
    sharing = np.flatnonzero((part.weight > 0) & (np.arange(n) != part.reference))
    slack = np.concatenate([[part.reference], sharing]).astype(np.int32)
    pv = np.setdiff1d(np.flatnonzero(part.held), slack).astype(np.int32)
    pq = np.setdiff1d(np.arange(n), np.concatenate([pv, slack])).astype(np.int32)
    solver = NR_KLU()
    solver.solve(
        part.ybus,
        first.copy(),
        part.injected,
        slack,
        part.weight,
        pv,
        pq,
        most_iterations,
        tolerance_pu,
    )
    voltage = np.array(solver.get_V())
    if len(voltage) != n or not np.isfinite(voltage).all():
        return Newton(first, False, int(solver.get_nb_iter()), np.inf, 0.0)
    return _judged(part, voltage, int(solver.get_nb_iter()), tolerance_pu)


def newton_damped(part: Part, guess: Complexes, tolerance_pu: float, most_iterations: int) -> Newton:
    """Newton with the step halved until the error falls; any node may share the slack power."""
    voltage = _with_set_points(part, guess)
    n = len(voltage)
    if n == 1:
        return _judged(part, voltage, 0, tolerance_pu)
    angles = np.setdiff1d(np.arange(n), [part.reference])
    magnitudes = np.flatnonzero(~part.held)
    weight = sp.csc_matrix(-part.weight[:, None])
    slack = _slack(part, voltage)
    error = _error(part, voltage, slack, magnitudes)
    for iteration in range(most_iterations):
        if np.abs(error).max() < tolerance_pu:
            return _judged(part, voltage, iteration, tolerance_pu)
        by_angle, by_magnitude = power_derivatives(part.ybus.tocsr(), voltage)
        jacobian = sp.bmat(
            [
                [by_angle.real[:, angles], by_magnitude.real[:, magnitudes], weight],
                [by_angle.imag[magnitudes][:, angles], by_magnitude.imag[magnitudes][:, magnitudes], None],
            ],
            format="csc",
        )
        try:
            change = -splu(jacobian).solve(error)
        except RuntimeError:
            break
        if not np.isfinite(change).all():
            break
        size, step = float(np.linalg.norm(error)), 1.0
        while step >= SMALLEST_STEP:
            angle, magnitude = np.angle(voltage), np.abs(voltage)
            angle[angles] += step * change[: n - 1]
            magnitude[magnitudes] += step * change[n - 1 : -1]
            moved = magnitude * np.exp(1j * angle)
            moved_error = _error(part, moved, slack + step * change[-1], magnitudes)
            if (magnitude > 0).all() and np.linalg.norm(moved_error) < size:
                break
            step /= 2
        else:
            break
        voltage, slack, error = moved, slack + step * float(change[-1]), moved_error
    return _judged(part, voltage, most_iterations, tolerance_pu)


def _slack(part: Part, voltage: Complexes) -> float:
    return float(_power_error(part, voltage).real.sum())


def _power_error(part: Part, voltage: Complexes) -> Complexes:
    return np.asarray(voltage * np.conj(part.ybus @ voltage) - part.injected, dtype=np.complex128)


def _error(part: Part, voltage: Complexes, slack: float, magnitudes: Ints) -> Floats:
    s = _power_error(part, voltage)
    return np.concatenate([s.real - part.weight * slack, s.imag[magnitudes]])


def _judged(part: Part, voltage: Complexes, iterations: int, tolerance_pu: float) -> Newton:
    """Own verdict on any solver's answer: the equations are checked again here."""
    slack = _slack(part, voltage)
    error = _error(part, voltage, slack, np.flatnonzero(~part.held))
    mismatch = float(np.abs(error).max()) if len(error) else 0.0
    held = bool(np.allclose(np.abs(voltage[part.held]), part.vm_set_pu[part.held], rtol=0, atol=1e-9))
    # summing the slack over n nodes adds rounding that the solver's own test does not see
    return Newton(voltage, mismatch < 10 * tolerance_pu and held, iterations, mismatch, slack)
