"""Small files in every format, and where the real data lie."""

import gzip
import io
import json
import os
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]
# read on import: the `isolated` fixture clears the variable for each test
REAL_DATA = Path(os.environ.get("JAXADV_DATA") or REPOSITORY / "../shared/data").resolve()


def real_data(relative: str) -> Path:
    """A file of the real data, or a skip that says why."""
    path = REAL_DATA / relative
    if not path.exists():
        pytest.skip(
            f"real data {path} not found; set JAXADV_DATA to the folder that holds {relative}"
        )
    return path


def assert_one_line(error: pytest.ExceptionInfo, *parts: object) -> None:
    """The message is one line and names every part."""
    message = str(error.value)
    assert "\n" not in message
    for part in parts:
        assert str(part) in message, f"{part!r} not in {message!r}"


def pictures(n: int, shape: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """n random images of a shape and labels 0, 1, …, 9, 0, …"""
    images = np.random.default_rng(seed).integers(0, 256, (n, *shape), dtype=np.uint8)
    return images, np.arange(n, dtype=np.uint8) % 10


def idx_bytes(array: np.ndarray, type_code: int = 8) -> bytes:
    header = struct.pack(f">I{array.ndim}I", type_code << 8 | array.ndim, *array.shape)
    return header + array.tobytes()


def write_mnist(folder: Path, compressed: bool = False, dot: bool = False, seed: int = 0) -> dict:
    """Twenty training and ten test images as IDX files; returns the four arrays by stem."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {}
    for stem, n in (("train", 20), ("t10k", 10)):
        images, labels = pictures(n, (28, 28), seed + n)
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            name = f"{stem}-{kind}-ubyte"
            name = name.replace("-idx", ".idx") if dot else name
            data = idx_bytes(array)
            if compressed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(data))
            else:
                (folder / name).write_bytes(data)
            arrays[f"{stem}-{kind[:6]}"] = array
    return arrays


def encode(image: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind)
    return buffer.getvalue()


def folder_members(
    class_names: tuple[str, ...], shape: tuple[int, ...], kind: str = "PNG", each: int = 2
) -> dict[str, bytes]:
    """`{"train/CLASS/NAME.png": bytes}`; the first pixel of every image is its label times 20."""
    members = {}
    for seed, split in enumerate(("train", "test")):
        for label, name in enumerate(class_names):
            for index in range(each):
                image = np.full(shape, 20 * label, np.uint8)
                image[-1] = seed + index  # makes the images differ
                members[f"{split}/{name}/{index:04d}.{kind.lower()}"] = encode(image, kind)
    return members


def write_members(folder: Path, members: dict[str, bytes]) -> None:
    for name, data in members.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def write_tar(path: Path, members: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = {".gz": "w:gz", ".tgz": "w:gz", ".xz": "w:xz", ".bz2": "w:bz2"}.get(path.suffix, "w")
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))


def cifar_batches(records: int, layout: str) -> tuple[dict[str, bytes], np.ndarray, np.ndarray]:
    """Six batches by path in the archive, with the 6 * records images [N, 32, 32, 3] and labels."""
    images, labels = pictures(6 * records, (32, 32, 3))
    stems = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    batches = {}
    for index, stem in enumerate(stems):
        part = slice(index * records, (index + 1) * records)
        pixels = images[part].transpose(0, 3, 1, 2).reshape(records, -1)
        if layout == "binary":
            data = np.concatenate([labels[part, None], pixels], axis=1).tobytes()
            batches[f"cifar-10-batches-bin/{stem}.bin"] = data
        else:
            content = {b"data": pixels, b"labels": labels[part].tolist(), b"batch_label": b"x"}
            batches[f"cifar-10-batches-py/{stem}"] = pickle.dumps(content, protocol=2)
    return batches, images, labels


def write_tfds(root: Path, name: str, version: str, n: tuple[int, int] = (20, 10)) -> np.ndarray:
    """A tiny prepared MNIST in the array_record format; returns the training images."""
    tfds = pytest.importorskip("tensorflow_datasets")
    array_record = pytest.importorskip("array_record.python.array_record_module")
    from tensorflow_datasets.proto import tf_example_pb2, tf_feature_pb2

    folder = root / name / version
    folder.mkdir(parents=True)
    tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(28, 28, 1)),
            "label": tfds.features.ClassLabel(num_classes=10),
        }
    ).save_config(folder)
    splits, first = [], None
    for split, count in zip(("train", "test"), n, strict=True):
        images, labels = pictures(count, (28, 28), count)
        first = images if first is None else first
        writer = array_record.ArrayRecordWriter(
            str(folder / f"{name}-{split}.array_record-00000-of-00001"), "group_size:1"
        )
        for image, label in zip(images, labels, strict=True):
            png = tf_feature_pb2.BytesList(value=[encode(image)])
            index = tf_feature_pb2.Int64List(value=[int(label)])
            features = tf_feature_pb2.Features(
                feature={
                    "image": tf_feature_pb2.Feature(bytes_list=png),
                    "label": tf_feature_pb2.Feature(int64_list=index),
                }
            )
            writer.write(tf_example_pb2.Example(features=features).SerializeToString())
        writer.close()
        template = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"
        splits.append(
            {
                "name": split,
                "shardLengths": [str(count)],
                "numBytes": "1",
                "filepathTemplate": template,
            }
        )
    info = {"name": name, "version": version, "fileFormat": "array_record", "splits": splits}
    (folder / "dataset_info.json").write_text(json.dumps(info))
    assert first is not None
    return first
