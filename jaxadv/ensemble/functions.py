"""Networks that are already trained, the reader's own functions, as members."""

from collections.abc import Sequence

import jax.numpy as jnp

from jaxadv.ensemble.ensemble import Ensemble, EnsembleOutputs
from jaxadv.ensemble.logits import joined
from jaxadv.errors import UserError
from jaxadv.members import check_indices
from jaxadv.models.functions import plain_function
from jaxadv.types import Array, Indices, Key, Predict, Variables


def callables(functions: Sequence[Predict]) -> Ensemble:
    """The reader's own trained functions `x -> logits [B, C]`; variables are `()`.

    Their logits serve as features, since a plain function shows nothing else.

    >>> import jax.numpy as jnp
    >>> from jaxadv import ensemble
    >>> pair = ensemble.callables([lambda x: x, lambda x: 2 * x])
    >>> ensemble.predict(pair, ())(jnp.array([[1.0, 3.0]])).tolist()
    [[[1.0, 3.0]], [[2.0, 6.0]]]

    Raises:
        UserError: if there are none, or what is given is no function; when applied, if they do not
            return logits of the same classes.
    """
    if not isinstance(functions, Sequence) or isinstance(functions, str) or not functions:
        raise UserError("functions of an ensemble: give a list of at least one, [f, g] say")
    functions = [plain_function(function) for function in functions]

    def apply(
        variables: Variables, x: Array, *, train: bool = False, key: Key | None = None
    ) -> tuple[EnsembleOutputs, Variables]:
        logits = tuple(function(x) for function in functions)
        return EnsembleOutputs(joined(jnp.stack, logits), logits), variables

    def pick(variables: Variables, indices: Indices) -> tuple[Ensemble, Variables]:
        check_indices(indices, len(functions))
        return callables([functions[index] for index in indices]), variables

    return Ensemble(lambda key, x: (), apply, len(functions), pick, _no_weights)


def _no_weights(variables: Variables, indices: Indices, chosen: Variables) -> Variables:
    raise UserError("plain functions have no weights to train: give models, `stacked` or `mixed`")
