"""Files as `torch.save` writes them, made without PyTorch."""

import struct
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

STORAGES = {"float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16"} | {
    **{"int64": "Long", "int8": "Char", "bool": "Bool", "complex64": "ComplexFloat"}
}


class Named(NamedTuple):
    """A function or class of a module."""

    module: str
    name: str


class Call(NamedTuple):
    """A function's value."""

    function: Named
    arguments: tuple[Any, ...]


class View(NamedTuple):
    """A tensor that shares the numbers of an array; offset and strides count these."""

    numbers: np.ndarray
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    rest: tuple[Any, ...] = (False, Call(Named("collections", "OrderedDict"), ()))


class Pickled:
    """Pickles of protocol 2, and the arrays met in them by the keys they were given."""

    def __init__(self, *last: None) -> None:
        self.last, self.storages = last, {}

    def __call__(self, value: Any) -> bytes:
        return b"\x80\x02" + self._written(value) + b"."

    def _written(self, value: Any) -> bytes:
        match value:
            case View():
                return self._view(value)
            case np.ndarray():
                flat = np.ascontiguousarray(value)
                strides = tuple(step // flat.itemsize for step in flat.strides)
                return self._view(View(flat, 0, flat.shape, strides))
            case Named(module, name):
                return f"c{module}\n{name}\n".encode()
            case Call(function, arguments):
                return self._written(function) + self._written(arguments) + b"R"
            case dict():
                pairs = (self._written(k) + self._written(v) + b"s" for k, v in value.items())
                return b"}" + b"".join(pairs)
            case list():
                return b"]" + b"".join(self._written(item) + b"a" for item in value)
            case tuple():
                return b"(" + b"".join(map(self._written, value)) + b"t"
            case str():
                return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
            case bool() | None:
                return {True: b"\x88", False: b"\x89", None: b"N"}[value]
            case int():
                raw = value.to_bytes(12, "little", signed=True)
                return b"\x8a" + bytes([len(raw)]) + raw
            case float():
                return b"G" + struct.pack(">d", value)
        raise TypeError(type(value))

    def _view(self, view: View) -> bytes:
        keys = [key for key, array in self.storages.items() if array is view.numbers]
        key = keys[0] if keys else str(len(self.storages))
        self.storages[key] = view.numbers
        kind = Named("torch", f"{STORAGES[view.numbers.dtype.name]}Storage")
        stored = ("storage", kind, key, "cuda:0", view.numbers.size, *self.last)
        function = self._written(Named("torch._utils", "_rebuild_tensor_v2"))
        rest = b"".join(map(self._written, view[1:4] + view.rest))
        return function + b"(" + self._written(stored) + b"Q" + rest + b"tR"


def save(path: Path, saved: Any, root: str = "archive", **others: bytes) -> None:
    """The archive that `torch.save(saved, path)` writes, arrays in it being tensors."""
    pickled = Pickled()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{root}/data.pkl", pickled(saved))
        for key, array in pickled.storages.items():
            archive.writestr(f"{root}/data/{key}", array.tobytes())
        for name, content in {"version": b"3\n", **others}.items():
            archive.writestr(f"{root}/{name}", content)


def save_in_a_row(path: Path, saved: Any, little: bool = True) -> None:
    """The file that it wrote before 2020."""
    pickled = Pickled(None)
    system = {"protocol_version": 1001, "little_endian": little, "type_sizes": {"int": 4}}
    pickles = [pickled(part) for part in (0x1950A86A20F9469CFC6C, 1001, system, saved)]
    keys = pickled(sorted(pickled.storages))
    numbers = [
        struct.pack("<q", array.size) + array.tobytes()
        for _, array in sorted(pickled.storages.items())
    ]
    path.write_bytes(b"".join([*pickles, keys, *numbers]))
