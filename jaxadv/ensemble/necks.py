"""The necks of one autoencoder as members (Wiedeman & Wang, Patterns 2022: DNA)."""

import jax
import jax.numpy as jnp

from jaxadv.ensemble.ensemble import Ensemble, EnsembleOutputs
from jaxadv.ensemble.logits import logits_of
from jaxadv.errors import UserError
from jaxadv.members import check_indices
from jaxadv.models.autoencoders import Autoencoder
from jaxadv.models.model import Model
from jaxadv.types import Array, Indices, Key, Variables


def pathways(autoencoder: Autoencoder, classifier: Model, train: str = "") -> Ensemble:
    """The necks of one autoencoder as members: the one classifier reads each reconstruction.

    variables: `{"autoencoder", "classifier"}`.
    train: the part of the two that is being trained; the other stays in eval mode, its BatchNorm
        statistics as they are. Default both.

    >>> import jax, jax.numpy as jnp
    >>> from jaxadv import ensemble, models
    >>> necks = models.dna(necks=2, widths=(5, 4, 3, 4, 5))
    >>> pair, x = ensemble.pathways(necks, models.fc(10)), jnp.zeros((5, 8, 8, 1))
    >>> variables = jax.eval_shape(pair.init, jax.random.key(0), x)  # `init` itself, to have them
    >>> outputs, _ = jax.eval_shape(pair.apply, variables, x)
    >>> outputs.logits.shape, outputs.reconstructions.shape
    ((2, 5, 10), (2, 5, 8, 8, 1))

    Raises:
        UserError: when applied, if the classifier has no logits; when members are put in place of
            others, which shared weights do not allow.
    """
    members, trained = autoencoder.necks, train

    def init(key: Key, x: Array) -> Variables:
        encoder_key, classifier_key = jax.random.split(key)
        return {
            "autoencoder": autoencoder.model.init(encoder_key, x),
            "classifier": classifier.init(classifier_key, x),
        }

    def apply(
        variables: Variables, x: Array, *, train: bool = False, key: Key | None = None
    ) -> tuple[EnsembleOutputs, Variables]:
        keys = (None, None) if key is None else jax.random.split(key)
        made, encoder = autoencoder.model.apply(
            variables["autoencoder"], x, train=train and trained != "classifier", key=keys[0]
        )
        images = jnp.reshape(jnp.asarray(made.reconstruction), (members * len(x), *x.shape[1:]))
        reading = train and trained != "autoencoder"
        read, reader = classifier.apply(variables["classifier"], images, train=reading, key=keys[1])
        outputs = EnsembleOutputs(
            logits_of(read).reshape(members, len(x), -1),
            tuple(made.taps[autoencoder.model.feature].reshape(members, len(x), -1)),
            made.reconstruction,
        )
        return outputs, {"autoencoder": encoder, "classifier": reader}

    def pick(variables: Variables, indices: Indices) -> tuple[Ensemble, Variables]:
        check_indices(indices, members)
        chosen, encoder = autoencoder.pick(variables["autoencoder"], indices)
        return pathways(chosen, classifier, trained), {**variables, "autoencoder": encoder}

    return Ensemble(init, apply, members, pick, _shared, alike=True)


def _shared(variables: Variables, indices: Indices, chosen: Variables) -> Variables:
    raise UserError("pathways share their weights: they cannot be replaced one by one")
