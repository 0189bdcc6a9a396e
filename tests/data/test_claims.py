"""Files that claim more than they hold: refused in one line, and no memory is given to the claim.

The inputs are a few bytes each, and harmless to other programs.
"""

import gzip
import io
import pickle
import struct
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest

from jaxadv import npz
from jaxadv.data import archive, cifar, from_arrays
from jaxadv.data.catalogue import CATALOGUE
from jaxadv.data.folders import find
from jaxadv.data.idx import read_idx
from jaxadv.errors import UserError
from tests.data.fixtures import assert_one_line, encode, folder_members, write_members, write_tar

LITTLE = 6 << 20  # bytes; the claims are of a gigabyte and more


def refusal(kind, call):
    """The error that a call ends with, having held little memory."""
    tracemalloc.start()
    try:
        with pytest.raises(kind) as error:
            call()
        assert tracemalloc.get_traced_memory()[1] < LITTLE
    finally:
        tracemalloc.stop()
    return error


def header(name, size, kind=tarfile.REGTYPE):
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def read(path, wanted=lambda _: True):
    return list(archive.members(path, False, wanted, 1 << 20))


@pytest.mark.parametrize("size", [2**20 + 1, 2**40])
def test_a_member_larger_than_it_can_be(tmp_path, size):
    path = tmp_path / "a.tar"
    path.write_bytes(header("a.png", size) + bytes(2048))
    error = refusal(UserError, lambda: read(path))
    assert_one_line(error, path, "a.png", f"{size:,} bytes", "at most 1,048,576")


def test_members_that_nobody_needs_are_not_held(tmp_path):
    path = tmp_path / "a.tar.gz"
    write_tar(path, {"film": bytes(64 << 20), "a.png": b"picture"})
    tracemalloc.start()
    assert read(path, "a.png".__eq__) == [("a.png", b"picture")]
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held < LITTLE


def test_headers_are_not_kept(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes(b"".join(header(f"{n:05}", 0) for n in range(8000)) + bytes(1024))
    tracemalloc.start()
    assert sum(1 for _ in archive.members(path, False, lambda _: True, 0)) == 8000
    assert tracemalloc.get_traced_memory()[1] < 2 << 20  # kept, they are 5 MB
    tracemalloc.stop()


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_a_name_longer_than_names_are(tmp_path, kind):
    path = tmp_path / "a.tar"
    path.write_bytes(header("x", 2**33, kind) + bytes(4096))
    error = refusal(UserError, lambda: read(path))
    # from Python 3.13 on tarfile gives another reason in the brackets
    assert_one_line(error, path, "not a complete tar archive (", "download it again")
    assert archive.first_names(path, 3) == []


def test_headers_of_headers_of_headers(tmp_path):
    path = tmp_path / "a.tar"
    path.write_bytes((header("x", 512, tarfile.XHDTYPE) + bytes(512)) * 5000)
    assert_one_line(refusal(UserError, lambda: read(path)), path, "not a complete tar archive")


def test_a_sparse_member_of_a_terabyte(tmp_path):
    path, buffer = tmp_path / "a.tar", bytearray(header("a.png", 0, tarfile.GNUTYPE_SPARSE))
    buffer[483:495] = tarfile.itn(2**40, 12, tarfile.GNU_FORMAT)  # where its real size stands
    buffer[148:156] = b"%06o\0 " % tarfile.calc_chksums(buffer)[0]
    path.write_bytes(buffer + bytes(1024))
    assert_one_line(refusal(UserError, lambda: read(path)), "a.png", f"{2**40:,} bytes")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("shape", [(2**32 - 1,) * 3, (2**20, 2**10, 2**10), (2**10,) * 3])
def test_idx_of_more_than_there_is(tmp_path, packed, shape):
    path, data = tmp_path / "images", struct.pack(">4I", 2051, *shape) + bytes(100)
    path.write_bytes(gzip.compress(data) if packed else data)
    assert_one_line(refusal(UserError, lambda: read_idx(path, 3)), path, "again", str(shape))


def test_no_more_of_an_idx_file_is_unpacked_than_it_announces(tmp_path):
    path = tmp_path / "images"
    path.write_bytes(gzip.compress(struct.pack(">4I", 2051, 2, 28, 28) + bytes(64 << 20)))
    error = refusal(UserError, lambda: read_idx(path, 3))
    assert_one_line(error, path, "more than 1584 bytes found, 1584 expected")


def zipped(path, name, shape, data=b"123456", packing=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    about = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, about)
    with zipfile.ZipFile(path, "w", packing) as made:
        made.writestr(f"{name}.npy", buffer.getvalue() + data)


@pytest.mark.parametrize("shape", [(2**40,), (2**62, 2**62), (2**34,), (-1, -6), (7,), ()])
def test_npz_of_more_than_there_is(tmp_path, shape):
    zipped(tmp_path / "a.npz", "a", shape)
    error = refusal(ValueError, lambda: npz.read(tmp_path / "a.npz"))
    assert "'a.npy' claims shape" in str(error.value)


def test_npz_that_claims_more_than_its_file_packs(tmp_path):
    path = tmp_path / "a.npz"
    zipped(path, "a", (2**31,))
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\1\2")
    for at in (20, 24):  # packed and unpacked size, in the list of contents
        data[entry + at : entry + at + 4] = struct.pack("<I", 2**31 + 128)
    path.write_bytes(data)
    assert "claims" in str(refusal(ValueError, lambda: npz.read(path)).value)


def test_arrays_of_an_npz_that_nobody_asks_for_are_not_unpacked(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", big=np.zeros(64 << 20, np.uint8), small=np.arange(3))
    tracemalloc.start()
    found = npz.read(tmp_path / "a.npz", "small".__eq__)
    assert tracemalloc.get_traced_memory()[1] < LITTLE
    tracemalloc.stop()
    np.testing.assert_array_equal(found["small"], [0, 1, 2])


def test_npz_round_trip(tmp_path):
    arrays = {
        "a/b": np.arange(6.0).reshape(2, 3),
        "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "text": np.array("héy"),
        "none": np.zeros((0, 3), np.float16),
        "one": np.array(True),
        "pairs": np.zeros(3, [("x", "i4"), ("y", "f8", (2,))]),
    }
    for save in (np.savez, np.savez_compressed):
        save(tmp_path / "a.npz", **arrays)
        found = npz.read(tmp_path / "a.npz")
        assert found.keys() == arrays.keys()
        for name, array in arrays.items():
            assert found[name].dtype == array.dtype
            assert found[name].flags.writeable
            np.testing.assert_array_equal(found[name], array)


def test_npz_that_names_an_array_twice(tmp_path):
    zipped(tmp_path / "a.npz", "a", (6,))
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as made, pytest.warns(match="Duplicate"):
        made.writestr("a.npy", b"")
    with pytest.raises(ValueError, match="'a' comes twice"):
        npz.read(tmp_path / "a.npz")


ARRAY = pickle.dumps({b"data": np.zeros((2, 3), np.uint8)}, protocol=2)
BATCH = "here: data_batch_1"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        # (2, 3) with its six bytes becomes an array of 2**31 - 1 by 2**31 - 1
        ((b"K\x02K\x03\x86", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86"), "other bytes than"),
        ((b"K\x00\x85", b"J\xff\xff\xff\x7f\x85"), "without bytes"),  # the empty one at first
        ((b"X\x02\x00\x00\x00u1", b"X\x07\x00\x00\x00V999999"), "type 'V999999', not admitted"),
        ((b"X\x02\x00\x00\x00u1", b"X\x01\x00\x00\x00O"), "type 'O', not admitted"),
        ((b"q\x01", b"r\xff\xff\xff\x03"), "LONG_BINPUT 67108863, not admitted"),
        ((b"\x80\x02", b"\x80\x05\x96" + struct.pack("<Q", 2**40)), "not a CIFAR-10 batch"),
    ],
    ids=["shape", "without bytes", "void", "objects", "memo", "bytes"],
)
def test_pickles_of_more_than_there_is(change, said):
    data = ARRAY.replace(*change, 1)
    assert data != ARRAY
    assert_one_line(refusal(UserError, lambda: cifar.parse_python(data, BATCH)), BATCH, said)


def test_lists_of_one_list_again_and_again():
    again = [0, 1]
    for _ in range(40):
        again = [again, again]  # 2**41 numbers, in 200 bytes
    data = pickle.dumps({b"data": np.zeros((2, 3), np.uint8), b"labels": again}, protocol=2)
    error = refusal(UserError, lambda: cifar.parse_python(data, BATCH))
    assert_one_line(error, "labels is neither an array nor a list of numbers")


@pytest.mark.parametrize("label", [10**18, 2**70, -1, -(2**70), 10])
def test_labels_of_any_size_in_a_batch(label, monkeypatch, tmp_path):
    monkeypatch.setattr(cifar, "RECORDS", 2)
    data = pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [0, label]}, 2)
    write_members(tmp_path, dict.fromkeys(cifar.LAYOUTS[1].names, data))
    with pytest.raises(UserError) as error:
        cifar.find(tmp_path, CATALOGUE["cifar10"]).read(False)
    said = f"label {label} at index 1" if -(2**63) <= label < 2**63 else "labels of type object"
    assert_one_line(error, "data_batch_1", said)


@pytest.mark.parametrize("label", [10**18, 2**63 - 1, 2**64 - 1, 10**6, -1, -(2**63), 2**70])
@pytest.mark.parametrize("named", [True, False])
def test_labels_of_any_size_from_a_user(label, named):
    images = np.linspace(0, 1, 32, dtype=np.float32).reshape(2, 4, 4)
    labels = np.array([0, label])
    names = {"class_names": ["cat", "dog"]} if named else {}
    call = lambda: from_arrays(images, labels, images, [0, 1], **names)  # noqa: E731
    assert_one_line(refusal(UserError, call), "label")


@pytest.mark.parametrize("packed", [False, True])
def test_a_picture_larger_than_a_picture_can_be(tmp_path, packed):
    names, shape = CATALOGUE["cifar10"].class_names, (32, 32, 3)
    members = folder_members(names, shape)
    first = next(iter(members))
    members[first] = encode(np.zeros(shape, np.uint8)) + bytes(8 << 20)
    if packed:
        write_tar(tmp_path / "cifar10.tar.gz", members)
    else:
        write_members(tmp_path, members)
    call = lambda: find(tmp_path, CATALOGUE["cifar10"]).read(False)  # noqa: E731
    assert_one_line(refusal(UserError, call), first, "at most 4,194,304 expected")


def test_names_that_a_terminal_would_obey(tmp_path):
    picture = encode(np.zeros((32, 32, 3), np.uint8))
    names = ("train/cat\x1b[2J/0.png", "\x1b]0;title\x07/0.png", "train/cat/\u202e0.png\r.png")
    for number, name in enumerate(names):
        folder = tmp_path / str(number)
        write_tar(folder / "cifar10.tar", {name: picture if number < 2 else b"no picture"})
        with pytest.raises(UserError) as error:
            find(folder, CATALOGUE["cifar10"]).read(False)
        assert str(error.value).isprintable()
        assert "\\x1b" in str(error.value) or "\\u202e" in str(error.value)
