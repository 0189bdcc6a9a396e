"""The least squares behind the correlation loss, made of matrix products."""

from jaxadv.losses.least_squares.cholesky_qr import Fit, kept_columns, solve, solve_by_qr

__all__ = ["Fit", "kept_columns", "solve", "solve_by_qr"]
