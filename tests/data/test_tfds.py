import importlib
import importlib.util
import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from jaxadv.data import load_dataset, tfds
from jaxadv.errors import UserError
from tests.data.fixtures import REPOSITORY, assert_one_line, write_tfds


def _load(**options):
    return load_dataset("mnist", options.pop("source", "tfds"), progress=False, **options)


def _tensorflow_is(monkeypatch, present: bool) -> None:
    real = importlib.util.find_spec
    found = SimpleNamespace() if present else None
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: found if name == "tensorflow" else real(name)
    )


def test_reads_a_prepared_dataset(tmp_path):
    images = write_tfds(tmp_path, "mnist", "3.0.1")
    splits = _load(data_dir=tmp_path)
    assert splits.source == "tfds: mnist 3.0.1"
    assert splits.title == "MNIST, 20 + 10 images"
    np.testing.assert_array_equal(splits.train.images[..., 0], images)
    assert splits.train.labels.tolist() == [*range(10), *range(10)]
    assert splits.train.labels.dtype == np.int32
    assert splits.test.images.shape == (10, 28, 28, 1)


def test_reading_imports_no_tensorflow(tmp_path):
    write_tfds(tmp_path, "mnist", "3.0.1")
    script = (
        "import sys\n"
        "from jaxadv.data import load_dataset\n"
        "assert 'tensorflow_datasets' not in sys.modules\n"
        f"print(load_dataset('mnist', 'tfds', {str(tmp_path)!r}).source)\n"
        "assert 'tensorflow_datasets' in sys.modules\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=REPOSITORY, check=False
    )
    assert (done.returncode, done.stdout) == (0, "tfds: mnist 3.0.1\n"), done.stderr


def test_the_default_folder_is_tfds_own(tmp_path, monkeypatch):
    write_tfds(tmp_path / "own", "mnist", "3.0.1")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "own"))
    (tmp_path / "elsewhere").mkdir()
    assert _load(data_dir=tmp_path / "elsewhere").source == "tfds: mnist 3.0.1"
    assert _load().source == "tfds: mnist 3.0.1"


def test_the_newest_finished_version_is_taken(tmp_path):
    for version in ("3.0.1", "3.0.10", "3.0.9"):
        write_tfds(tmp_path, "mnist", version)
    write_tfds(tmp_path, "mnist", "3.1.0.incompleteAB12")
    tfrecord = tmp_path / "mnist" / "4.0.0"
    tfrecord.mkdir()
    (tfrecord / "dataset_info.json").touch()
    (tfrecord / "mnist-train.tfrecord-00000-of-00001").touch()
    assert _load(data_dir=tmp_path).source == "tfds: mnist 3.0.10"


def test_a_tfrecord_preparation_is_refused_with_the_remedy(tmp_path):
    write_tfds(tmp_path, "mnist", "3.0.1")
    folder = tmp_path / "mnist" / "3.0.1"
    info = json.loads((folder / "dataset_info.json").read_text())
    (folder / "dataset_info.json").write_text(json.dumps(info | {"fileFormat": "tfrecord"}))
    for path in folder.glob("*array_record*"):
        path.rename(path.with_name(path.name.replace("array_record", "tfrecord")))
    with pytest.raises(UserError) as error:
        _load(data_dir=tmp_path)
    assert_one_line(error, folder, "array_record expected", "prepare it again")


def test_damaged_preparations_are_named(tmp_path):
    write_tfds(tmp_path, "mnist", "3.0.1")
    folder = tmp_path / "mnist" / "3.0.1"
    next(folder.glob("*train*")).write_bytes(b"x" * 100)
    with pytest.raises(UserError) as error:
        _load(data_dir=tmp_path)
    assert_one_line(error, folder, "prepare it again")
    (folder / "dataset_info.json").write_text("{")
    with pytest.raises(UserError) as error:
        _load(data_dir=tmp_path)
    assert_one_line(error, folder, "prepare it again")


def test_classes_in_another_order_are_refused(tmp_path):
    write_tfds(tmp_path, "mnist", "3.0.1")
    names = "\n".join(reversed("0123456789"))
    (tmp_path / "mnist" / "3.0.1" / "label.labels.txt").write_text(names + "\n")
    with pytest.raises(UserError) as error:
        _load(data_dir=tmp_path)
    assert_one_line(error, "classes 9, 8", "0, 1, 2", "expected")


def test_unprepared_without_tensorflow_says_what_to_install(tmp_path, monkeypatch):
    _tensorflow_is(monkeypatch, present=False)
    with pytest.raises(UserError) as error:
        _load(data_dir=tmp_path)
    assert_one_line(error, "'mnist'", tmp_path, "TensorFlow", "pip install 'jaxadv[tfds]'")


class FakeTfds:
    """Stands for the tensorflow_datasets module and its builder; preparing writes a real one."""

    def __init__(self, fault: Exception | None = None) -> None:
        self.fault = fault
        self.calls: list[tuple] = []

    def disable_progress_bar(self):
        self.calls.append(("disable_progress_bar",))

    def builder(self, name, *, data_dir):
        self.calls.append(("builder", name, data_dir))

        def download_and_prepare(*, file_format):
            self.calls.append(("prepare", file_format))
            if self.fault:
                raise self.fault
            from pathlib import Path

            write_tfds(Path(data_dir), name, "3.0.1")

        return SimpleNamespace(download_and_prepare=download_and_prepare)

    def install(self, monkeypatch):
        """Only for preparing: reading goes to the real module."""
        real = importlib.import_module("tensorflow_datasets")
        for name in ("builder", "disable_progress_bar"):
            monkeypatch.setattr(real, name, getattr(self, name))


def test_prepares_where_it_was_told_and_reads_it(tmp_path, monkeypatch):
    _tensorflow_is(monkeypatch, present=True)
    fake = FakeTfds()
    fake.install(monkeypatch)
    splits = _load(data_dir=tmp_path / "new")
    assert fake.calls == [
        ("disable_progress_bar",),
        ("builder", "mnist", str(tmp_path / "new")),
        ("prepare", "array_record"),
    ]
    assert splits.source == "tfds: mnist 3.0.1"
    _load(data_dir=tmp_path / "new")
    assert len(fake.calls) == 3  # prepared once


def test_prepares_in_tfds_own_folder_by_default(tmp_path, monkeypatch):
    _tensorflow_is(monkeypatch, present=True)
    monkeypatch.setenv("JAXADV_DATA", str(tmp_path))
    fake = FakeTfds()
    fake.install(monkeypatch)
    _load()
    assert ("builder", "mnist", str(tfds.default_root())) in fake.calls


def test_a_failed_download_is_one_line(tmp_path, monkeypatch):
    _tensorflow_is(monkeypatch, present=True)
    FakeTfds(ConnectionError("Max retries\nexceeded")).install(monkeypatch)
    with pytest.raises(UserError) as error:
        _load(data_dir=tmp_path)
    assert_one_line(error, "'mnist'", tmp_path, "Max retries exceeded", "check the network")


def test_auto_never_downloads(tmp_path, monkeypatch):
    _tensorflow_is(monkeypatch, present=True)
    fake = FakeTfds()
    fake.install(monkeypatch)
    with pytest.raises(UserError, match="not found"):
        _load(source="auto", data_dir=tmp_path)
    assert fake.calls == []


def test_a_module_that_cannot_be_imported_is_named(tmp_path, monkeypatch):
    write_tfds(tmp_path, "mnist", "3.0.1")
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)
    with pytest.raises(UserError) as error:
        _load(data_dir=tmp_path)
    assert_one_line(error, "tensorflow_datasets cannot be imported", "pip install")
