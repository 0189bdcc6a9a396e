"""One bit turned anywhere in a file that is read again is noticed: refused, or said in one line."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.frame import finished, kept
from experiments.frame.study import find
from jaxadv import checkpoint, folder, manifest, results, sums
from jaxadv.errors import UserError

TURNS = 40  # bits, for each kind of file
CONFIG = {"seeds": [0, 1], "epochs": 8, "eps": [0.1, 0.05], "out of": "λ"}
STATE = {"w": jnp.linspace(-1.0, 1.0, 3000).reshape(3, 1000), "b": jnp.int32(7)}
ROWS = [
    {"metric": "clean_accuracy", "value": 0.1 * s, "n": 360, "seed": s, "target": t}
    for s in (0, 1)
    for t in ("1", "2")
]
ARRAYS = {"fc/components": np.arange(300.0), "fc/component_labels": np.arange(50, dtype=np.uint8)}
FULL = [{**row, "model": "fc", "variant": "plain"} for row in ROWS]


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    """All that a run leaves, made up."""
    out = tmp_path_factory.mktemp("bits") / "run"
    folder.claim(out, CONFIG, resume=False)
    for epoch in (7, 8):
        checkpoint.save(out / "checkpoints/fc", STATE, epoch, CONFIG)
    kept.write(out / "measured", "fc-pgd", ROWS, ARRAYS, CONFIG)
    results.write_arrays(out / "predictions.npz", ARRAYS)
    results.write(out, "decorrelated_pairs", CONFIG, FULL)
    folder.disown(out)
    return out


def of_checkpoint(out: Path) -> Any:
    found = checkpoint.latest(out / "checkpoints/fc", STATE, CONFIG)
    return jax.tree.map(lambda leaf: np.asarray(leaf).tolist(), found)


def of_part(out: Path) -> Any:
    rows, arrays = kept.read(out / "measured", "fc-pgd", CONFIG)
    return rows, {name: array.tolist() for name, array in arrays.items()}


def of_results(out: Path) -> Any:
    return finished.read(out, find)[1]


def arrays_of(out: Path) -> dict[str, np.ndarray]:
    return finished.Finished(out, "", {}, None, []).arrays("component")


def of_arrays(out: Path) -> Any:
    return {name: array.tolist() for name, array in arrays_of(out).items()}


def of_environment(out: Path) -> Any:
    folder._warn_of_cores(out)


KINDS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "manifest": ("checkpoints/fc/epoch-8/manifest.json", of_checkpoint),
    "metadata": ("checkpoints/fc/epoch-8/*METADATA", of_checkpoint),
    "tree": ("checkpoints/fc/epoch-8/*/_METADATA", of_checkpoint),
    "data": ("checkpoints/fc/epoch-8/*/ocdbt*/d/*", of_checkpoint),
    "index": ("checkpoints/fc/epoch-8/*/*.ocdbt", of_checkpoint),
    "every other": ("checkpoints/fc/epoch-8/**/*", of_checkpoint),
    "part's rows": ("measured/fc-pgd.json", of_part),
    "part's arrays": ("measured/fc-pgd.npz", of_part),
    "settings": ("config.json", folder.read_config),
    "environment": ("environment.json", of_environment),
    "results": ("results.json", of_results),
    "predictions": ("predictions.npz", of_arrays),
}


@contextmanager
def turned(path: Path, bit: int) -> Iterator[None]:
    """The file with one bit turned, for a while."""
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[bit // 8] ^= 1 << bit % 8
    path.write_bytes(changed)
    try:
        yield
    finally:
        path.write_bytes(whole)


def taken(read: Callable[[Path], Any], out: Path) -> Any:
    """What is read, or the refusal."""
    try:
        return read(out)
    except UserError as refused:
        return refused


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_turned_bit_is_noticed(kind, run, capsys):
    pattern, read = KINDS[kind]
    files = [path for path in sorted(run.glob(pattern)) if path.is_file() and path.stat().st_size]
    assert files
    before, rng, noticed = read(run), np.random.default_rng(0), 0
    assert capsys.readouterr().err == ""
    for turn in range(TURNS):
        path = files[turn % len(files)]
        sums.say_none.cache_clear()
        with turned(path, int(rng.integers(8 * path.stat().st_size))):
            found, said = taken(read, run), capsys.readouterr().err
        lines = said.count("\n") + isinstance(found, UserError)
        # Where a letter of an escape in JSON changes case, what is read is what was written.
        assert lines == 1 or (lines == 0 and found == before and path.suffix == ".json")
        noticed += lines
    assert noticed >= TURNS - 1


def test_the_checkpoint_before_a_damaged_one_is_taken_and_named(tmp_path, capsys):
    older = {"w": jnp.zeros(5)}
    checkpoint.save(tmp_path, older, 7)
    checkpoint.save(tmp_path, {"w": jnp.ones(5)}, 8)
    with turned(tmp_path / "epoch-8" / manifest.NAME, 99):
        np.testing.assert_array_equal(checkpoint.latest(tmp_path, older)["w"], 0.0)
        (line,) = capsys.readouterr().err.splitlines()
        assert "epoch-8: the checkpoint is damaged (manifest.json" in line
        assert "epoch-7 is taken instead" in line
        checkpoint.save(tmp_path, {"w": jnp.full(5, 2.0)}, 8)  # in the place of the damaged one
    # The bit is turned back in what is now another file: its sum tells.
    assert sorted(os.listdir(tmp_path)) == ["epoch-7", "epoch-8"]


def test_training_goes_on_over_a_damaged_later_checkpoint(tmp_path):
    """The one before it is of an earlier epoch, after which others come."""
    for epoch in (3, 8):
        checkpoint.save(tmp_path, {"w": jnp.full(5, float(epoch))}, epoch)
    next((tmp_path / "epoch-8").rglob("ocdbt*/d/*")).write_bytes(b"")
    (found,) = jax.tree.leaves(checkpoint.latest(tmp_path, {"w": jnp.ones(5)}))
    np.testing.assert_array_equal(found, 3.0)
    checkpoint.save(tmp_path, {"w": jnp.full(5, 4.0)}, 4)
    assert sorted(os.listdir(tmp_path)) == ["epoch-3", "epoch-4"]


def test_if_both_are_damaged_it_is_one_line(run, tmp_path):
    copy = tmp_path / "fc"
    shutil.copytree(run / "checkpoints/fc", copy)
    for path in copy.glob("*/*/_METADATA"):
        path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(UserError, match=r"epoch-8: .*damaged .*, and so is the one before") as both:
        checkpoint.latest(copy, STATE)
    assert "\n" not in str(both.value)


def test_results_without_a_sum_are_read_with_a_line(run, tmp_path, capsys):
    """As older versions wrote them, and as they are once edited on purpose."""
    content = results.read(run)
    edited = {key: value for key, value in content.items() if key not in (sums.KEY, "arrays")}
    edited["rows"][0]["value"] = 0.5
    results.write_json(tmp_path / "results.json", edited)
    assert of_results(tmp_path).rows[0]["value"] == 0.5
    (line,) = capsys.readouterr().err.splitlines()
    assert "results.json: carries no sha256" in line
    results.write_json(tmp_path / "results.json", edited | {sums.KEY: content[sums.KEY]})
    with pytest.raises(UserError, match="take its sha256 out if it is right as it is"):
        results.read(tmp_path)


def test_results_laid_out_otherwise_are_the_same(run, tmp_path):
    path = run / "results.json"
    otherwise = path.read_text().replace("\n", "\r\n").replace(": ", ":")
    (tmp_path / "results.json").write_text(otherwise)
    assert results.read(tmp_path) == results.read(run)


def test_arrays_of_other_results_are_refused(run, tmp_path):
    shutil.copytree(run, tmp_path / "copy")
    results.write_arrays(tmp_path / "copy" / "predictions.npz", {**ARRAYS, "more": np.ones(3)})
    with pytest.raises(UserError, match=r"predictions\.npz: not as results\.json beside it says"):
        arrays_of(tmp_path / "copy")
    (tmp_path / "copy" / "predictions.npz").unlink()  # they are large, and may be let go of
    assert arrays_of(tmp_path / "copy") == {}


def test_a_part_measured_by_other_settings_is_not_taken(run):
    with pytest.raises(UserError, match="fc-pgd: of other settings"):
        kept.read(run / "measured", "fc-pgd", CONFIG | {"epochs": 20})
