"""Members of an ensemble by their numbers, and their variables one by one and stacked."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxadv.checks import is_traced, numbers
from jaxadv.errors import UserError
from jaxadv.types import Indices, Variables


def check_indices(indices: Indices, size: int) -> None:
    """Refuse what is not a list of members of so many; traced ones cannot be looked at.

    Raises:
        UserError: if so. Negative ones too: they would count from the end.
    """
    if is_traced(indices):
        return
    found = np.asarray(numbers("members", indices, "give a list of their numbers, [0] say"))
    if found.ndim != 1 or found.size == 0 or found.dtype.kind not in "iu":
        raise UserError(f"members {indices}: give a list of their numbers, [0] say")
    if found.min() < 0 or found.max() >= size:
        raise UserError(f"members {found.tolist()}: the ensemble has 0 to {size - 1}")


def member(variables: Variables, index: int) -> Variables:
    """One member's variables out of a stacked ensemble's.

    variables: a pytree whose leaves have a leading axis of members, `[M, …]`.
    index: the member's number, from 0. Returns the same pytree with leaves `[…]`.

    >>> import numpy as np
    >>> from jaxadv import ensemble
    >>> ensemble.member({"w": np.array([[1.0, 2.0], [3.0, 4.0]])}, 1)["w"].tolist()
    [3.0, 4.0]

    Raises:
        UserError: if there is no such member, or the variables have no axis of members.
    """
    shapes = shapes_of(variables)
    if not shapes or () in shapes:
        raise UserError("variables without members: give those of a stacked ensemble")
    if not is_traced(index):
        if np.ndim(index) != 0:
            raise UserError(f"member {index}: give the number of one")
        check_indices([index], min(shape[0] for shape in shapes))
    return jax.tree.map(lambda leaf: leaf[index], variables)


def stack(members: Sequence[Variables]) -> Variables:
    """Variables of a stacked ensemble, leaves `[M, …]`, from those of its M members.

    The inverse of `member`. Networks from `models.load_torch_weights` become an ensemble by it.

    >>> import numpy as np
    >>> from jaxadv import ensemble
    >>> ensemble.stack([{"w": np.array([1.0, 2.0])}, {"w": np.array([3.0, 4.0])}])["w"].tolist()
    [[1.0, 2.0], [3.0, 4.0]]

    Raises:
        UserError: if there are none, or they are of different architectures.
    """
    if not isinstance(members, Sequence) or isinstance(members, str):
        raise UserError(f"a {type(members).__name__} of members to stack: give a list of variables")
    forms = [(jax.tree.structure(each), shapes_of(each)) for each in members]
    if not forms or not forms[0][1] or any(each != forms[0] for each in forms):
        raise UserError(f"{len(forms)} members to stack: give at least 1, of one architecture")
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)


def shapes_of(variables: Variables) -> list[tuple[int, ...]]:
    """The shapes of all arrays in the variables.

    Raises:
        UserError: if there is anything but arrays in them.
    """
    leaves = jax.tree.leaves(variables)
    for leaf in leaves:
        if not hasattr(leaf, "shape"):
            raise UserError(f"a {type(leaf).__name__} among variables: give those of `init`")
    return [leaf.shape for leaf in leaves]


def check_members(variables: Variables, size: int) -> None:
    """Refuse variables that are not those of so many stacked members.

    Raises:
        UserError: if so.
    """
    shapes = shapes_of(variables)
    if not shapes or any(shape[:1] != (size,) for shape in shapes):
        found = sorted({shape[:1] for shape in shapes})
        raise UserError(
            f"variables with a first axis of {found}: give those of {size} stacked members"
        )
