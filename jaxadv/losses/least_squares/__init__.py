"""The least squares behind the correlation loss, made of matrix products.

    min over W of  ‖Z2c − Z1c W‖² + mu ‖W‖²,   Z·c centred: the same as a free intercept

Every backend does matrix products at its full rate, factorisations at a fraction of it. So the
normal equations are solved by a Cholesky factor, on trained features by a second one besides, with
as many steps of iterative refinement as the residual asks for. What cannot be solved so takes a QR
factorisation, three times as dear.
"""

from jaxadv.losses.least_squares.fit import Fit as Fit
from jaxadv.losses.least_squares.fit import solve as solve
from jaxadv.losses.least_squares.fit import solve_by_qr as solve_by_qr
from jaxadv.losses.least_squares.qr import kept_columns as kept_columns
