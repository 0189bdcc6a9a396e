"""Members that learn what is robust against one another (Yang et al. 2020, DVERGE).

Of every two images, the first is moved until another member takes it for the second, and a member
is trained to see the first in it: the weakness of one member is what the others unlearn.
"""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import optax
from jax import lax

from jaxadv.attacks import Attack, resembling
from jaxadv.data.dataset import Dataset
from jaxadv.ensemble import Ensemble, features
from jaxadv.ensemble.ensemble import check_classes
from jaxadv.errors import UserError
from jaxadv.losses.classification import accuracy, cross_entropy
from jaxadv.phases import Metrics
from jaxadv.streams import Stream, stream
from jaxadv.training import Phase, State
from jaxadv.types import Array, Key, Variables


def dverge(
    ensemble: Ensemble,
    optimizer: optax.GradientTransformation,
    *,
    eps: float = 0.15,
    step_size: float = 3 / 255,
    steps: int = 20,
    layers: Sequence[Ensemble] = (),
) -> list[Phase]:
    """One phase a member, to be taken in turn: cross-entropy on what the others distilled.

    A member of M sees M − 1 versions of a batch, one of each other member's making, and the sum of
    their losses. Radius, step and steps are those of the simplified form of Wiedeman & Wang
    (Patterns 2022, Fig 4), with two members and one layer; theirs takes turns by epochs, the
    original by batches (`training.fit`, `turns`). Theirs pairs images of the whole data set, here
    of the batch, an image at times with itself. Signed steps, no momentum and no random start; who
    distils is in eval mode.

    optimizer: one that leaves alone what has no gradient, as Adam does: weight decay would shrink
        the other members too.
    layers: the ensemble as seen at several layers, `stacked(models.cnn(feature_block=n))` for each
        n, of which one is drawn for each epoch as in the original; default its own features.
    eps, step_size: in units of the image range. steps: of the distillation.

    >>> import optax
    >>> from jaxadv import defences, ensemble, models
    >>> trio = ensemble.stacked(models.fc(10), 3)
    >>> len(defences.dverge(trio, optax.adam(1e-3)))  # a phase for each member
    3

    Raises:
        UserError: if there are no two members.
    """
    if ensemble.size < 2:
        raise UserError(f"DVERGE of {ensemble.size} member(s): give at least 2")
    attack = Attack(eps, step_size, steps)
    seen = tuple(layers) or (ensemble,)

    def phase(learner: int) -> Phase:
        others = [member for member in range(ensemble.size) if member != learner]
        return Phase(
            partial(_loss, ensemble, learner),
            optimizer,
            partial(_made_by, others, attack, seen),
            check=partial(check_classes, ensemble),
        )

    return [phase(learner) for learner in range(ensemble.size)]


def _made_by(
    makers: Sequence[int],
    attack: Attack,
    seen: Sequence[Ensemble],
    state: State,
    batch: Dataset,
    key: Key,
) -> Dataset:
    """A version of the batch for each maker, `[makers · B, …]`, at the layer of this epoch."""
    order = jax.random.permutation(key, len(batch.labels))
    drawn = stream(state.seed, Stream.LAYERS)
    layer = jax.random.randint(jax.random.fold_in(drawn, state.epoch), (), 0, len(seen))

    def at(seen_at: Ensemble) -> Array:
        each = [seen_at.pick(state.variables, (maker,)) for maker in makers]
        return jnp.concatenate([_distilled(attack, *one, batch.images, order) for one in each])

    images = lax.switch(layer, [partial(at, each) for each in seen])
    return Dataset(images, jnp.tile(batch.labels, len(makers)))


def _distilled(
    attack: Attack, maker: Ensemble, variables: Variables, images: Array, order: Array
) -> Array:
    """The images moved until their lone maker's features are those of the images in that order."""
    read = lambda x: features(maker, variables)(x)[0]  # noqa: E731
    return attack(resembling(read, read(images[order])), images)


def _loss(
    ensemble: Ensemble,
    learner: int,
    variables: Variables,
    batch: Dataset,
    key: Key,
    epoch: Array,
    varied: dict[str, Array],
) -> tuple[Array, tuple[Variables, Metrics]]:
    """The learner's cross-entropy on what the others made, summed over these."""
    alone, chosen = ensemble.pick(variables, (learner,))
    outputs, updated = alone.apply(chosen, batch.images, train=True, key=key)
    mean = jnp.mean(cross_entropy(outputs.logits[0], batch.labels))
    right = jnp.mean(accuracy(outputs.logits, batch.labels))
    whole = ensemble.put(variables, (learner,), updated)
    return (ensemble.size - 1) * mean, (whole, {f"accuracy {learner + 1}": right})
