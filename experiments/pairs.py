"""The frame of the studies of pairs: architectures by name, and one study over several of them."""

from collections.abc import Callable, Sequence
from pathlib import Path

from experiments import cli, measure, report
from experiments.measure import Measured
from jaxadv import models
from jaxadv.data import Splits
from jaxadv.ensemble import Ensemble
from jaxadv.models import Model

MODELS: dict[str, Callable[..., Model]] = {
    "cnn": models.cnn,
    "fc": models.fc,
    "lenet": models.lenet,
}


def each_model(
    name: str,
    settings: cli.Common,
    names: Sequence[str],
    members: Callable[[Model], Ensemble],
    one: Callable[[str, Ensemble, Splits, Path], Measured],
    check: Callable[[Ensemble, Splits], None],
) -> None:
    """A study of pairs: what `one` measures of every architecture, written and drawn.

    names: the architectures, of `MODELS`. members: a model to the ensemble that is trained.
    one: `(architecture, ensemble, data, out)` to what is measured.
    check: refuses impossible sizes before the first model is trained.
    """
    splits, out, config = cli.begin(name, settings)
    if report.is_finished(out, name, config):  # what it measured on the way is not kept
        report.show(out)
        return
    classes = len(splits.class_names)
    ensembles = {model: members(MODELS[model](classes)) for model in names}
    for ensemble in ensembles.values():
        check(ensemble, splits)
    whole = measure.together([one(m, e, splits, out) for m, e in ensembles.items()])
    measure.write(out, name, config, whole)
    report.show(out)
