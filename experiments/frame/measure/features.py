"""What is measured on the members' features, each function of one run."""

from collections.abc import Callable
from functools import lru_cache

import jax
import jax.numpy as jnp

from jaxadv.data import Dataset, Splits
from jaxadv.data.batches import to_float
from jaxadv.ensemble import Ensemble, features, predict
from jaxadv.errors import UserError
from jaxadv.evaluation import in_chunks
from jaxadv.losses import held_out_r_squared
from jaxadv.precision import in_float32
from jaxadv.types import Array, Key, Variables

SCATTER_POINTS = 2000


def feature_scores(members: tuple[Array, ...]) -> dict[str, Array]:
    """R² of every ordered pair of members `[M, M]`, in-sample and held-out, on halves of images.

    From a row's features a column's are predicted; NaN on the diagonal, and where a feature is not
    finite, in whichever half.
    """
    names = ("r_squared", "r_squared_held_out")
    return dict(zip(names, _each_pair(members, members), strict=True))


def logit_scores(members: tuple[Array, ...], logits: Array) -> dict[str, Array]:
    """Held-out R² of a column's logits, of `[M, N, C]`, from a row's features; NaN on the diagonal.

    R² of features weighs their directions by variance; this one asks for those that decide.
    """
    return {"logit_r_squared_held_out": _each_pair(members, tuple(logits))[1]}


def _each_pair(members: tuple[Array, ...], targets: tuple[Array, ...]) -> tuple[Array, Array]:
    """In-sample and held-out R² `[M, M]` of each target from every other member's features."""
    unknown, numbered = jnp.full((), jnp.nan), list(enumerate(targets))
    scores = [
        [_scores(source, target) if i != j else (unknown, unknown) for j, target in numbered]
        for i, source in enumerate(members)
    ]
    whole = jnp.asarray(scores)
    return whole[..., 0], whole[..., 1]


def _scores(source: Array, target: Array) -> tuple[Array, Array]:
    """R² in-sample and held-out; NaN of what is not finite, where infinity over infinity is 0."""
    finite = jnp.isfinite(source).all() & jnp.isfinite(target).all()
    inside, outside = held_out_r_squared(source, target)
    return jnp.where(finite, inside, jnp.nan), jnp.where(finite, outside, jnp.nan)


def all_features(ensemble: Ensemble, variables: Variables, images: Array) -> tuple[Array, ...]:
    """Every member's features `[N, D_m]` on images `[N, H, W, C]`, in eval mode."""
    forward = features(ensemble, variables)
    return in_chunks(lambda chunk: forward(to_float(chunk)), 1000, images)


def probabilities(ensemble: Ensemble) -> Callable[[Variables, Array], Array]:
    """Every member's class probabilities `[M, N, C]` on images `[N, H, W, C]`, in eval mode."""

    @in_float32
    def measure(variables: Variables, images: Array) -> Array:
        return jax.nn.softmax(all_logits(ensemble, variables, images))

    return measure


def all_logits(ensemble: Ensemble, variables: Variables, images: Array) -> Array:
    """Every member's logits `[M, N, C]` on images `[N, H, W, C]`, in eval mode."""
    forward = predict(ensemble, variables)
    chunks = in_chunks(lambda chunk: jnp.moveaxis(forward(to_float(chunk)), 0, 1), 1000, images)
    return jnp.moveaxis(chunks, 1, 0)


def first_component(features: Array) -> tuple[Array, Array]:
    """Projection `[N]` on the largest principal component (paper's Fig. 2), and its share `[]`.

    The share is of the variance of all features; NaN where there is none.
    """
    centred = features - features.mean(0)
    variances, vectors = jnp.linalg.eigh(centred.T @ centred)
    return centred @ vectors[:, -1], variances[-1] / variances.sum()


def live_columns(features: Array) -> Array:
    """How many features `[N, D]` vary, NaN if some are not finite."""
    varied = jnp.any(features != features[:1], axis=0).sum()
    return jnp.where(jnp.isfinite(features).all(), varied, jnp.nan)


def natural(ensemble: Ensemble) -> Callable[[Variables, Dataset], dict[str, Array]]:
    """Scores on natural images: R², live columns, and the first components.

    A column is live if it varies: a dead unit is constant, but not zero, behind a BatchNorm. How
    many are is NaN where a feature is, which would vary from itself.
    """

    @in_float32
    def measure(variables: Variables, dataset: Dataset) -> dict[str, Array]:
        members = all_features(ensemble, variables, dataset.images)
        logits = all_logits(ensemble, variables, dataset.images)
        first = [first_component(z) for z in members]
        components = jnp.stack([projection for projection, _ in first[:2]])
        correlation = jnp.corrcoef(components)[0, 1]
        return {
            **feature_scores(members),
            **logit_scores(members, logits),
            "component_share": jnp.stack([share for _, share in first]),
            "live_columns": jnp.stack([live_columns(z) for z in members]),
            "component_r_squared": correlation**2,
            "components": components[:, :SCATTER_POINTS],
        }

    return measure


def sample_for_features(splits: Splits, width: int) -> tuple[Dataset, str]:
    """The test images, or the training images where half of the test is too few to regress on."""
    enough = len(splits.test.labels) // 2 > width + 1
    return (splits.test, "test") if enough else (splits.train, "train")


def feature_width(ensemble: Ensemble, dataset: Dataset) -> int:
    """D, the widest member's number of features; no computation."""
    return _width(ensemble, dataset.images.shape[1:])


@lru_cache(maxsize=16)
def _width(ensemble: Ensemble, image: tuple[int, ...]) -> int:
    def outputs(key: Key, x: Array) -> tuple[Array, ...]:
        return ensemble.apply(ensemble.init(key, x), x, train=False, key=None)[0].features

    one = jax.ShapeDtypeStruct((1, *image), jnp.float32)
    return max(z.shape[1] for z in jax.eval_shape(outputs, jax.random.key(0), one))


def check_samples(ensemble: Ensemble, splits: Splits) -> None:
    """Refuse, before anything is trained, images too few to regress the features on after it.

    Raises:
        UserError: if half the images do not outnumber the features.
    """
    width = feature_width(ensemble, splits.test)
    sample, split = sample_for_features(splits, width)
    half = len(sample.labels) // 2
    if half <= width + 1:
        raise UserError(
            f"{len(sample.labels)} {split} images for {width} features: R² is fitted on half of "
            f"them, {half}; give more than {2 * width + 2}"
        )
