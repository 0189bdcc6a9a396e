"""What killed writes leave is cleared; nothing else ever is."""

from pathlib import Path

import jax.numpy as jnp
import pytest

from jaxadv import checkpoint, folder, leftovers, results
from jaxadv.errors import UserError

OURS = (
    *(".config.json.12.tmp", ".results.json.12.tmp", ".predictions.npz.12.tmp.npz"),
    *("measured/.fc-pgd.json.12.tmp", "measured/.fc-pgd.npz.12.tmp.npz", "figures/.a.png.1.tmp"),
    *("checkpoints/fc/.epoch-3.0.tmp/state/d/x", "checkpoints/fc/.epoch-1.1.tmp/state/x"),
    *("checkpoints/fc/.epoch-3.0.tmp.orbax-checkpoint-tmp/x",),
    *("checkpoints/fc/epoch-3.orbax-checkpoint-tmp-17/x",),  # an older version's
)
OTHERS = (
    *(".thesis.tex.12.tmp", ".config.json.swp", "config.json.12.tmp", "measured/notes.txt"),
    *("measured/.notes.txt.1.tmp", "figures/.plan.svg.3.tmp", "deep/.config.json.12.tmp"),
    *("checkpoints/fc/.epoch-x.0.tmp/y", "checkpoints/fc/deep/.epoch-3.0.tmp/y"),
)


def put(directory: Path, names: tuple[str, ...]) -> None:
    for name in names:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def files(directory: Path) -> set[str]:
    found = directory.rglob("*")
    return {path.relative_to(directory).as_posix() for path in found if path.is_file()}


def test_the_next_owner_clears_what_is_ours_alone(tmp_path):
    folder.claim(tmp_path, {"epochs": 2}, resume=False)
    put(tmp_path, OURS + OTHERS)
    folder.claim(tmp_path, {"epochs": 2}, resume=True)
    claim = {folder.LOCK, folder.CONFIG, folder.BEGUN_IN}
    assert files(tmp_path) == set(OTHERS) | claim


def test_a_folder_of_other_things_keeps_even_what_looks_like_ours(tmp_path):
    put(tmp_path, ("thesis.tex", *OURS))
    with pytest.raises(UserError, match="is not empty and is no run's folder"):
        folder.claim(tmp_path, {}, resume=True)
    assert files(tmp_path) == {"thesis.tex", *OURS}


@pytest.mark.parametrize("name", [folder.CONFIG, folder.BEGUN_IN])
def test_another_programs_file_of_the_same_name_is_kept(tmp_path, name):
    (tmp_path / name).write_text('{"compilerOptions": {}}')
    with pytest.raises(UserError, match="choose a new --out"):
        folder.claim(tmp_path, {"epochs": 2}, resume=False)
    assert files(tmp_path) == {name}
    assert (tmp_path / name).read_text() == '{"compilerOptions": {}}'


def test_links_are_not_followed(tmp_path):
    elsewhere, out = tmp_path / "elsewhere", tmp_path / "out"
    put(elsewhere, ("fc/.epoch-3.0.tmp/x", ".fc.json.1.tmp"))
    folder.claim(out, {}, resume=False)
    for name in ("checkpoints", "measured", ".config.json.7.tmp"):
        (out / name).symlink_to(elsewhere)
    leftovers.clear(out)
    assert files(elsewhere) == {"fc/.epoch-3.0.tmp/x", ".fc.json.1.tmp"}
    assert (out / ".config.json.7.tmp").is_symlink()


@pytest.mark.parametrize("claimed", [True, False])
def test_a_folder_in_which_no_work_was_done_is_taken_over(tmp_path, claimed):
    """Killed before the claim was whole, or in the first write after it."""
    if claimed:
        folder.claim(tmp_path, {"epochs": 2}, resume=False)
    put(tmp_path, OURS)
    (tmp_path / "checkpoints" / "cnn").mkdir()
    folder.claim(tmp_path, {"epochs": 3}, resume=False)
    assert folder.read_config(tmp_path) == {"epochs": 3}
    assert files(tmp_path) == {folder.LOCK, folder.CONFIG, folder.BEGUN_IN}
    assert not any(path.is_dir() for path in tmp_path.iterdir())


def test_work_is_not_taken_over(tmp_path):
    folder.claim(tmp_path, {"epochs": 2}, resume=False)
    checkpoint.save(tmp_path / "checkpoints" / "fc", {"w": jnp.ones(2)}, 1)
    with pytest.raises(UserError, match="another configuration"):
        folder.claim(tmp_path, {"epochs": 3}, resume=False)
    (tmp_path / folder.CONFIG).unlink()
    with pytest.raises(UserError, match="is no run's folder"):
        folder.claim(tmp_path, {"epochs": 2}, resume=True)


def test_a_failed_write_leaves_the_old_file_and_one_line(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    results.write_json(path, {"value": 1})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(leftovers.Path, "write_bytes", full)
    with pytest.raises(UserError, match=r"a\.json: cannot be written \(No space left on device\)"):
        results.write_json(path, {"value": 2})
    assert results.read_json(path) == {"value": 1}
    assert files(tmp_path) == {"a.json"}
