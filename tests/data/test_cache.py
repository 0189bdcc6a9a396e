import os
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from jaxadv.data import cache
from jaxadv.data.arrays import checked
from jaxadv.data.cache import cache_path, default_cache_dir, fingerprint, read_cached
from jaxadv.data.reader import Decoded, Reader
from jaxadv.errors import UserError
from tests.data.fixtures import pictures


class Counter:
    """A slow reader of one file that counts how often it decodes."""

    def __init__(self, folder: Path, slow: bool = True) -> None:
        self.calls = 0
        self.file = folder / "source"
        self.file.write_bytes(b"abc")
        self.reader = Reader(self.file, (self.file,), self.read, slow)

    def read(self, progress: bool) -> Decoded:
        self.calls += 1
        train, test = (checked(*pictures(n, (28, 28, 1), n), 10, "") for n in (20, 10))
        return Decoded(train, test, jpeg=True)


@pytest.fixture
def counter(tmp_path):
    return Counter(tmp_path)


def _same(one: Decoded, other: Decoded) -> None:
    assert one.jpeg == other.jpeg
    for a, b in zip(one.train + one.test, other.train + other.test, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


def _read(counter, tmp_path):
    return read_cached("mnist", counter.reader, tmp_path / "cache", False)


def test_a_hit_gives_the_same_arrays_without_decoding(counter, tmp_path):
    first = _read(counter, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        second = _read(counter, tmp_path)
    assert counter.calls == 1
    _same(first, second)
    # one file, and no temporary one left
    path = cache_path("mnist", counter.reader, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == [path]


def test_fast_readers_are_not_cached(tmp_path):
    fast = Counter(tmp_path, slow=False)
    _read(fast, tmp_path)
    _read(fast, tmp_path)
    assert fast.calls == 2
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("change", ["size", "time", "files", "format"])
def test_a_changed_source_is_decoded_again(counter, tmp_path, change, monkeypatch):
    _read(counter, tmp_path)
    if change == "size":
        times = counter.file.stat()
        counter.file.write_bytes(b"abcd")
        os.utime(counter.file, ns=(times.st_atime_ns, times.st_mtime_ns))
    elif change == "time":
        os.utime(counter.file, ns=(1, 1))
    elif change == "files":
        other = tmp_path / "other"
        other.touch()
        counter.reader = replace(counter.reader, files=(counter.file, other))
    else:
        monkeypatch.setattr(cache, "FORMAT", cache.FORMAT + 1)
    _read(counter, tmp_path)
    assert counter.calls == 2
    _read(counter, tmp_path)
    assert counter.calls == 2  # the new one was written over the old
    assert len(list((tmp_path / "cache").iterdir())) == 1


def _damage(path: Path, fault: str) -> None:
    data = bytearray(path.read_bytes())
    if fault == "flipped pixel":
        data[2000] ^= 1  # inside the training images
    elif fault == "truncated":
        data = data[: len(data) // 2]
    elif fault == "empty":
        data = bytearray()
    elif fault == "not a zip":
        data = bytearray(b"hello")
    path.write_bytes(data)


@pytest.mark.parametrize("fault", ["flipped pixel", "truncated", "empty", "not a zip"])
def test_a_corrupt_cache_is_said_and_rebuilt(counter, tmp_path, fault):
    first = _read(counter, tmp_path)
    path = cache_path("mnist", counter.reader, tmp_path / "cache")
    _damage(path, fault)
    with pytest.warns(UserWarning, match="corrupt") as caught:
        second = _read(counter, tmp_path)
    assert str(path) in str(caught[0].message)
    assert "\n" not in str(caught[0].message)
    _same(first, second)
    assert counter.calls == 2
    _same(first, _read(counter, tmp_path))
    assert counter.calls == 2


@pytest.mark.parametrize("missing", ["test_labels", "fingerprint", "train_images"])
def test_an_incomplete_cache_is_rebuilt(counter, tmp_path, missing):
    _read(counter, tmp_path)
    path = cache_path("mnist", counter.reader, tmp_path / "cache")
    with np.load(path) as stored:
        np.savez(path, **{key: stored[key] for key in stored if key != missing})
    with pytest.warns(UserWarning, match=missing):
        _read(counter, tmp_path)
    assert counter.calls == 2


def test_a_cache_of_pickled_objects_is_not_unpickled(counter, tmp_path):
    _read(counter, tmp_path)
    path = cache_path("mnist", counter.reader, tmp_path / "cache")
    key = np.asarray(fingerprint(counter.reader))
    np.savez(path, fingerprint=key, train_images=np.array([print], object))
    with pytest.warns(UserWarning, match="of type object"):
        _read(counter, tmp_path)


def test_a_cache_of_other_shapes_is_rebuilt(counter, tmp_path):
    _read(counter, tmp_path)
    path = cache_path("mnist", counter.reader, tmp_path / "cache")
    with np.load(path) as stored:
        np.savez(path, **{**stored, "train_images": stored["train_images"][:, :5]})
    with pytest.warns(UserWarning, match="shape"):
        _read(counter, tmp_path)
    assert counter.calls == 2


def test_an_unwritable_cache_costs_a_warning_only(counter, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.warns(UserWarning, match="JAXADV_CACHE") as caught:
        decoded = _read(counter, tmp_path)
    assert len(caught) == 1
    assert len(decoded.train.labels) == 20


@pytest.mark.parametrize("fault", [OSError("disk full"), KeyboardInterrupt()])
def test_an_interrupted_write_leaves_the_old_file_whole(counter, tmp_path, monkeypatch, fault):
    _read(counter, tmp_path)
    path = cache_path("mnist", counter.reader, tmp_path / "cache")
    before = path.read_bytes()
    os.utime(counter.file, ns=(1, 1))

    def half(file, **arrays):
        file.write(b"half")
        raise fault

    monkeypatch.setattr(np, "savez", half)
    if isinstance(fault, OSError):
        with pytest.warns(UserWarning, match="disk full"):
            _read(counter, tmp_path)
    else:
        with pytest.raises(KeyboardInterrupt):
            _read(counter, tmp_path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_the_new_file_takes_the_name_by_renaming_alone(counter, tmp_path, monkeypatch):
    _read(counter, tmp_path)
    path = cache_path("mnist", counter.reader, tmp_path / "cache")
    before = path.read_bytes()
    os.utime(counter.file, ns=(1, 1))

    def refuse(*_):
        raise OSError("no renaming")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.warns(UserWarning, match="no renaming"):
        _read(counter, tmp_path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_a_faulty_source_writes_nothing(counter, tmp_path):
    def fail(progress):
        raise UserError("corrupt")

    reader = replace(counter.reader, read=fail)
    with pytest.raises(UserError):
        read_cached("mnist", reader, tmp_path / "cache", False)
    assert not (tmp_path / "cache").exists()


def test_two_sources_have_two_files(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, other = Counter(tmp_path / "a"), Counter(tmp_path / "b")
    assert cache_path("mnist", one.reader, tmp_path) != cache_path("mnist", other.reader, tmp_path)


def test_default_folder(monkeypatch, tmp_path):
    assert default_cache_dir() == Path.home() / ".cache/jaxadv"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "jaxadv"
    monkeypatch.setenv("JAXADV_CACHE", str(tmp_path / "own"))
    assert default_cache_dir() == tmp_path / "own"
