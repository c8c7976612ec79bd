"""Derivatives of the power-flow equations: the one place where they are written out.

S = V conj(Y V),   dS/dtheta = j V conj(I - Y V),   dS/d|V| = V conj(Y V/|V|) + conj(I) V/|V|
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

Complexes = npt.NDArray[np.complex128]
Ints = npt.NDArray[np.int64]


def power_derivatives(ybus: sp.csr_matrix, voltage: Complexes) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """(dS/dtheta [pu/rad], dS/d|V| [pu/pu]) of the injections, both (n, n) complex."""
    current = ybus @ voltage
    unit = voltage / np.abs(voltage)
    v, i, u = sp.diags(voltage), sp.diags(current), sp.diags(unit)
    by_angle = 1j * v @ (i - ybus @ v).conj()
    by_magnitude = v @ (ybus @ u).conj() + i.conj() @ u
    return by_angle.tocsr(), by_magnitude.tocsr()


def reduced_jacobian(ybus: sp.csr_matrix, voltage: Complexes, angles: Ints, magnitudes: Ints) -> sp.csc_matrix:
    """[[dP/dtheta, dP/d|V|], [dQ/dtheta, dQ/d|V|]]: rows P at ``angles``, Q at ``magnitudes``, same columns."""
    by_angle, by_magnitude = power_derivatives(ybus, voltage)
    return sp.bmat(
        [
            [by_angle[angles][:, angles].real, by_magnitude[angles][:, magnitudes].real],
            [by_angle[magnitudes][:, angles].imag, by_magnitude[magnitudes][:, magnitudes].imag],
        ],
        format="csc",
    )
