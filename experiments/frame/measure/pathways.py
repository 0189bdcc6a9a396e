"""What an autoencoder's pathways are read as: on natural images, under attack, in pictures."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments import cli, features, measure, report
from experiments import rows as to_rows
from experiments.autoencoders import Network, Settings, check_sizes, runs_of, train, whole
from experiments.measure import ATTACK_STREAM, Keys, Measured, Trial
from jaxadv import metrics
from jaxadv.attacks import fgsm, pgd
from jaxadv.compilation import jit
from jaxadv.data import Dataset, Splits, evenly_spaced
from jaxadv.data.batches import to_float
from jaxadv.ensemble import Ensemble, EnsembleOutputs
from jaxadv.evaluation import ALL, Predictions, Sources, craft, evaluate, in_chunks
from jaxadv.losses import squared_errors
from jaxadv.parallel import collected, over_runs
from jaxadv.precision import in_float32
from jaxadv.results import Row
from jaxadv.training import State
from jaxadv.types import Array, Variables

# How the pathways are joined under attack: the paper's name to that of `attacks.ensemble`.
JOINED = {"sum": "loss", "squares": "squares", "min": "min"}
SINGLE = "single"  # one pathway at a time


def _errors(outputs: EnsembleOutputs, images: Array) -> dict[str, Array]:
    return {"error": squared_errors(outputs, images)}


def natural(ensemble: Ensemble, state: State, splits: Splits, runs: Sequence[Keys]) -> Measured:
    """Rates of the pathways on the test images, errors of reconstruction, R² of the features."""

    @in_float32
    def one(variables: Variables, images: Array, sample: Array) -> dict[str, Array]:
        def outputs(x: Array) -> tuple[Array, Array]:
            x = to_float(x)
            made = ensemble.apply(variables, x, train=False, key=None)[0]
            return jnp.moveaxis(made.logits, 0, 1), squared_errors(made, x).T

        logits, errors = in_chunks(outputs, 1000, images)
        members = features.all_features(ensemble, variables, sample)
        scores = features.feature_scores(members) if ensemble.size > 1 else {}
        return {"logits": jnp.moveaxis(logits, 1, 0), "error": errors.T, **scores}

    width = features.feature_width(ensemble, splits.test)
    sample, split = features.sample_for_features(splits, width)
    program = jit(over_runs(one))
    found = jax.device_get(collected(program(state.variables, splits.test.images, sample.images)))
    rows = list[Row]()
    for number, run in enumerate(runs):
        mine = {name: value[number] for name, value in found.items()}
        logits, errors = mine.pop("logits"), mine.pop("error")
        rows += pathway_rows(logits, errors, np.asarray(splits.test.labels), run)
        keys = {**run, "split": split}
        rows += to_rows.feature_rows(mine, len(sample.labels) // 2, keys)
    return Measured(rows, {}, {})


def pathway_rows(scores: Array, errors: Array, labels: Array, keys: Keys) -> Iterator[Row]:
    """Rows of one run's pathways: class scores `[M, N, C]` and squared errors `[M, N]`."""
    wrong = metrics.wrong(scores, labels)
    for name, rate in metrics.pathway_rates(wrong, errors).items():
        yield to_rows.row(name, rate, **keys)
    error = metrics.Rate(to_rows.finite(np.mean(errors)), errors.shape[1])
    yield to_rows.row("squared_error", error, **keys)
    yield from to_rows.nonfinite_rows(scores, keys)


def trials(settings: Settings) -> list[Trial]:
    """FGSM and PGD, linf."""
    radii = np.asarray(settings.eps, np.float32)
    step, steps = settings.pgd_step_size, settings.pgd_steps
    known = {
        "fgsm": Trial("fgsm", "linf", fgsm, radii),
        "pgd": Trial(
            "pgd", "linf", lambda eps: pgd(eps, step, steps), radii, settings.pgd_examples
        ),
    }
    return [known[name] for name in settings.attacks]


def sources_of(direction: str, members: int) -> Sources:
    """Each pathway by itself, or all of them."""
    if direction == SINGLE or members == 1:
        return {str(index + 1): (index,) for index in range(members)}
    return {ALL: tuple(range(members))}


def attacked(
    trial: Trial,
    direction: str,
    ensemble: Ensemble,
    state: State,
    test: Dataset,
    runs: Sequence[Keys],
    *,
    keep: int = 0,
    at_once: int = 0,
) -> Measured:
    """Rows and predictions of every run under one attack in one direction.

    keep: with them every run's first so many adversarial images.
    """
    test, indices = evenly_spaced(test, trial.examples)
    sources = sources_of(direction, ensemble.size)
    combine = JOINED.get(direction, "loss")

    def one(run: tuple[Variables, Array], test: Dataset) -> Predictions:
        variables, seed = run
        key = jax.random.fold_in(jax.random.key(seed), ATTACK_STREAM)
        options: dict[str, Any] = {"sources": sources, "combine": combine, "keep": keep}
        options["indices"] = indices
        arguments = (ensemble, variables, trial.make, trial.radii, test, key)
        return evaluate(*arguments, examine=_errors, **options)

    program = jit(over_runs(one, at_once))
    found = jax.device_get(collected(program((state.variables, state.seed), test)))
    measure.warn_of(found.flags, f"{runs[0]['model']}, {trial.name}_{trial.ball}_{direction}")
    rows = list[Row]()
    for number, run in enumerate(runs):
        for e in range(len(trial.radii)):
            for s, source in enumerate(sources):
                at = {**run, **trial.at(e), "direction": direction, "source": source}
                scores = np.asarray(found.adversarial[number, e, s])
                errors = np.asarray(found.extras["error"][number, e, s])
                rows += pathway_rows(scores, errors, found.labels[number], at)
                rows += _transfer_rows(scores, found.labels[number], sources[source], at)
                flags = jax.tree.map(lambda each, n=number: each[n], found.flags)
                rows += measure.flag_rows(flags, (e, s), at)
    arrays: measure.Arrays = {
        "labels": np.asarray(found.labels[0], np.int16),
        "adversarial_class": metrics.predicted(found.adversarial).astype(np.int16),
        "error": np.asarray(found.extras["error"], np.float32),
        "index": indices,
    }
    name = f"{trial.name}_{trial.ball}_{direction}"
    images = measure.kept_images(trial, found, list(sources), test, indices) if keep else {}
    return Measured(rows, measure.under(name, arrays), measure.under(name, images))


def _transfer_rows(
    scores: Array, labels: Array, attacked_members: Sequence[int], keys: Keys
) -> Iterator[Row]:
    """From the one pathway attacked to each other one."""
    if len(attacked_members) > 1:
        return
    wrong = metrics.wrong(scores, labels)
    for target in range(len(wrong)):
        if target not in attacked_members:
            rate = metrics.transfer_rate(wrong[attacked_members[0]], wrong[target])
            yield to_rows.row("transfer_rate", rate, **keys, target=str(target + 1))


def together(states: Mapping[str, State]) -> State:
    """Runs that were trained in several ways as one axis; what trained them is left behind."""
    bare = [state._replace(optimizers=()) for state in states.values()]
    return jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *bare)


def measured(
    settings: Settings, network: Network, states: Mapping[str, State], splits: Splits, out: Path
) -> Measured:
    """One network, trained in each way: natural images, then every attack in every direction."""
    ensemble, state = whole(settings, network, splits), together(states)
    runs = [run for how, state in states.items() for run in runs_of(network, state, how)]
    clean = partial(natural, ensemble, state, splits, runs)
    parts = [measure.once(out, f"{network.name}-natural", clean)]
    options = {"keep": settings.save_adversarial, "at_once": settings.runs_at_once}
    for trial in trials(settings):
        found: dict[str, Measured] = {}
        for direction in settings.directions:
            if ensemble.size == 1 and found:  # one pathway: all directions are one
                found[direction] = _renamed(next(iter(found.values())), direction)
                continue
            make = partial(attacked, trial, direction, ensemble, state, splits.test, runs)
            what = f"{network.name}-{trial.name}-{direction}"
            found[direction] = measure.once(out, what, partial(make, **options))
        parts += found.values()
    rows, arrays, images = measure.together(parts)
    name = network.name
    return Measured(rows, measure.under(name, arrays), measure.under(name, images))


def _renamed(found: Measured, direction: str) -> Measured:
    return Measured([{**row, "direction": direction} for row in found.rows], {}, {})


PICTURED = 500  # test images among which examples for the picture are looked for
PICTURES = 5


def pictures(
    settings: Settings, network: Network, state: State, splits: Splits
) -> dict[str, np.ndarray]:
    """Where the last attack at its largest radius fools one pathway and not another.

    Of the first run: `[4, K, H, W, C]`, K the first examples of which some reconstruction is read
    rightly and some not: natural, perturbed, and one reconstruction of either kind.
    """
    ensemble, trial = whole(settings, network, splits), trials(settings)[-1]
    test, indices = evenly_spaced(splits.test, PICTURED)
    direction = next((d for d in settings.directions if d in JOINED), "sum")
    attack = trial.make(jnp.asarray(trial.radii[-1]))
    key = jax.random.fold_in(jax.random.key(jnp.asarray(state.seed)[0]), ATTACK_STREAM)

    @in_float32
    def perturb(runs: Variables, test: Dataset) -> tuple[Array, EnsembleOutputs]:
        variables = jax.tree.map(lambda leaf: leaf[0], runs)
        members = tuple(range(ensemble.size))
        joined = JOINED[direction]
        images = craft(
            ensemble, variables, members, attack, test, key, combine=joined, indices=indices
        )
        return images, ensemble.apply(variables, images, train=False, key=None)[0]

    images, outputs = jax.device_get(jit(perturb)(state.variables, test))
    wrong = metrics.wrong(outputs.logits, test.labels)
    right, known = wrong == 0, ~np.isnan(wrong).any(0)
    chosen = np.flatnonzero(right.any(0) & ~right.all(0) & known)[:PICTURES]
    made = np.asarray(outputs.reconstructions)
    return {
        "pictures": np.stack(
            [
                np.asarray(to_float(jnp.asarray(test.images)[chosen])),
                images[chosen],
                made[right[:, chosen].argmin(0), chosen],
                made[right[:, chosen].argmax(0), chosen],
            ]
        ).astype(np.float32)
    }


def study(
    name: str,
    settings: Settings,
    networks: Sequence[Network],
    trained: Callable[..., dict[str, State]] = train,
) -> Path:
    """Train, attack, measure, write; the folder of the results.

    trained: `(settings, network, data, out)` to a network's runs, by how they were trained.
    """
    splits, out, config = cli.begin(name, settings)
    if report.is_finished(out, name, config):
        return out
    check_sizes(settings, networks, splits)
    parts = []
    for number, network in enumerate(networks):
        states = trained(settings, network, splits, out)
        parts.append(measured(settings, network, states, splits, out))
        if number == 0:
            parts.append(Measured([], pictures(settings, network, states[""], splits), {}))
    found = measure.together(parts)
    measure.write(out, name, config, found)
    return out
