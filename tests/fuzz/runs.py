"""Small runs into a folder, for `tests.fuzz_folders`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from experiments.frame import cli, parts, train
from experiments.frame.finished import is_finished
from experiments.frame.parts import Measured
from experiments.frame.study import find
from jaxadv import checkpoint, results
from jaxadv.errors import UserError
from tests.studies import run

FEW = "--preset smoke --seeds 1 --strengths 0.05 --attacks fgsm --balls linf --eps 0.1"
Run = Callable[[Path, bool, int], None]  # of a folder, resumed or not, with so many epochs


def pairs(out: Path, resume: bool, epochs: int) -> None:
    """The study of pairs."""
    words = [*FEW.split(), "--epochs", str(epochs), "--save-adversarial", "2"]
    script("decorrelated_pairs", out, words, resume)


def on_the_way(out: Path, resume: bool, epochs: int) -> None:
    """The study of DVERGE, which measures on the way."""
    words = [*FEW.split(), "--epochs", "2", "--dverge-epochs", str(epochs), "--dverge-steps", "2"]
    script("dverge", out, words, resume)


def script(study: str, out: Path, words: list[str], resume: bool) -> None:
    """A study's script with these words on its command line."""
    train.PAUSE = 0.0  # every epoch has its checkpoint
    run(study, *words, "--out", out, *["--resume"] * resume)


def made_up(out: Path, resume: bool, epochs: int) -> None:
    """Training, measuring on the way and writing as studies do it, of numbers that are made up."""
    cli.run(lambda: _made_up(out, resume, epochs))


def _made_up(out: Path, resume: bool, epochs: int) -> None:
    study, config = find("decorrelated_pairs"), {"seeds": [0], "epochs": epochs}
    results.claim(out, {"experiment": study.name, **config}, resume)
    if is_finished(out, study, config):
        return
    where = out / "checkpoints" / "fc"
    state = {"w": np.zeros(3000, np.float32), "epoch": np.int32(0)}
    state = checkpoint.latest(where, state, config) or state

    def measured() -> Measured:
        at = {"model": "fc", "variant": "plain", "seed": 0, "epoch": int(state["epoch"])}
        row = {"metric": "clean_accuracy", "value": float(state["w"][9]), "n": 9, "target": "1"}
        return Measured([{**row, **at}], {f"w/{state['epoch']}": state["w"]}, {})

    for epoch in range(int(state["epoch"]) + 1, epochs + 1):
        state = {"w": np.cos(state["w"] + epoch, dtype=np.float32), "epoch": np.int32(epoch)}
        parts.once(out, f"fc-epoch-{epoch}", measured)
        checkpoint.save(where, state, epoch, config)
    found = [parts.once(out, f"fc-epoch-{epoch + 1}", measured) for epoch in range(epochs)]
    if len({row["epoch"] for part in found for row in part.rows}) < epochs:
        raise UserError("a part was measured on another epoch's networks")
    parts.write(out, study.name, config, parts.together(found))
