"""The pickle in a PyTorch checkpoint, read without PyTorch and without calling what it names.

A pickle may name any function of any module, to be called with what it likes. Here the few that
make dictionaries and tensors have stand-ins; every other name stands for a `Foreign` that does
nothing.
"""

import math
import pickle
import pickletools
from collections.abc import Callable
from typing import IO, Any, NamedTuple

import numpy as np

_STORAGES = {
    **{"FloatStorage": "float32", "DoubleStorage": "float64", "HalfStorage": "float16"},
    **{"BFloat16Storage": "bfloat16", "BoolStorage": "bool", "UntypedStorage": "uint8"},
    **{"ByteStorage": "uint8", "CharStorage": "int8", "ShortStorage": "int16"},
    **{"IntStorage": "int32", "LongStorage": "int64"},
    **{"ComplexFloatStorage": "complex64", "ComplexDoubleStorage": "complex128"},
    **{"QInt8Storage": "int8", "QUInt8Storage": "uint8", "QInt32Storage": "int32"},
}
# Types that came after storages had one each: tensors name them, and their storages are of bytes.
_TYPES = {
    *_STORAGES.values(),
    *("uint16", "uint32", "uint64"),
    *("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz"),
}
_REPEATED = 2**24  # an expanded tensor has no more numbers than this, or than its storage


class Storage(NamedTuple):
    """So many numbers of one type, of which tensors are views; `read` gives their bytes."""

    kind: str
    length: int
    read: Callable[[], bytes]


class Tensor(NamedTuple):
    """A view of a storage; offset and strides are counted in numbers, as in PyTorch."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def numpy(self) -> np.ndarray:
        """Its values, not to be written to.

        Raises:
            ValueError: if the file has other bytes than it says.
        """
        kind = np.dtype(self.storage.kind)
        raw, size = self.storage.read(), self.storage.length * kind.itemsize
        if len(raw) != size:
            raise ValueError(f"{len(raw)} bytes of numbers, expected {size}")
        if 0 in self.shape:
            return np.zeros(self.shape, kind)
        steps = [step * kind.itemsize for step in self.strides]
        return np.ndarray(self.shape, kind, raw, self.offset * kind.itemsize, steps)


class Foreign:
    """Stands for an object that a file names and nobody here needs: nothing of it is kept."""

    name = ""

    def __new__(cls, *_: Any, **__: Any) -> "Foreign":
        return super().__new__(cls)

    def ignored(self, *_: Any, **__: Any) -> None:
        """What unpickling does to objects: their attributes, items and members."""

    __init__ = __setstate__ = __setitem__ = append = extend = add = ignored


class _Dictionary(dict[Any, Any]):
    """An `OrderedDict` without the attributes that modules leave in it."""

    def __setstate__(self, _: Any) -> None: ...


class _Known:
    """A stand-in, made anew wherever it is named: a file changes none for another."""

    __slots__ = ("kind", "stand_in")

    def __init__(self, stand_in: Callable[..., Any], kind: str = "") -> None:
        self.stand_in, self.kind = stand_in, kind

    def __call__(self, *arguments: Any) -> Any:
        return self.stand_in(*arguments)

    def __setstate__(self, _: Any) -> None: ...


def _foreign(name: str) -> type[Foreign]:
    return type("Foreign", (Foreign,), {"name": name})


def _tensor(
    storage: Storage | Foreign, offset: int, size: Any, stride: Any, *rest: Any
) -> Tensor | Foreign:
    """A view, if all of it lies within its storage, and it repeats no number without measure.

    rest: `requires_grad`, hooks, and whether its numbers are to be negated or conjugated.
    """
    if not isinstance(storage, Storage):
        return storage
    if rest[2:] and rest[2]:
        return _foreign("torch._neg_view")()
    shape, strides = tuple(size), tuple(stride)
    last = offset + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    whole = all(isinstance(n, int) and n >= 0 for n in (offset, *shape, *strides))
    count = math.prod(shape)
    if not whole or (count and last >= storage.length) or count > max(storage.length, _REPEATED):
        raise ValueError(f"a tensor of shape {shape} out of {storage.length} numbers")
    return Tensor(storage, offset, shape, strides)


def _typed_tensor(raw: Any, offset: int, size: Any, stride: Any, *rest: Any) -> Tensor | Foreign:
    """A view of bytes, their type named after `requires_grad` and the hooks."""
    kind = rest[2].kind
    count = raw.length // np.dtype(kind).itemsize
    return _tensor(Storage(kind, count, raw.read), offset, size, stride, *rest[:2], *rest[3:])


_STAND_INS: dict[str, Callable[..., Any]] = {
    "collections.OrderedDict": _Dictionary,
    "collections.defaultdict": lambda *_: _Dictionary(),
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_tensor_v3": _typed_tensor,
    "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
    "torch._utils._rebuild_parameter_with_state": lambda tensor, *_: tensor,
    # tensors of a subclass, or with attributes of their own
    "torch._tensor._rebuild_from_type_v2": lambda rebuild, _, arguments, *__: rebuild(*arguments),
}


class _Unpickler(pickle.Unpickler):
    """Makes dictionaries and tensors, whose numbers `storage(kind, count, key)` finds."""

    def __init__(self, file: IO[bytes], storage: Callable[[str, int, str], Storage]) -> None:
        super().__init__(file, encoding="utf-8")
        self.storage = storage

    def find_class(self, module: str, name: str) -> Any:
        called = f"{module}.{name}"
        if called in _STAND_INS:
            return _Known(_STAND_INS[called])
        if module.startswith("torch") and name in _STORAGES:
            return _Known(Foreign, _STORAGES[name])
        if module == "torch" and name in _TYPES:
            return _Known(Foreign, name)
        return _foreign(called)

    def persistent_load(self, saved: Any) -> Any:
        if saved[0] != "storage":
            return saved[1]  # the class of a network that was saved whole, with its source
        _, kind, key, _, count, *view = saved
        if view not in ([], [None]):
            raise ValueError("storages that are views of others, as before PyTorch 0.4")
        return self.storage(kind.kind, count, key) if isinstance(kind, _Known) else kind()


def unpickled(file: IO[bytes], storage: Callable[[str, int, str], Storage]) -> Any:
    """The next pickle of a file: dictionaries, lists, numbers, `Tensor`, `Foreign` for all else.

    storage: finds the numbers of tensors by their type, count and key. A damaged pickle raises
    whatever reading it does.
    """
    start = file.tell()
    put = [int(number or 0) for code, number, _ in pickletools.genops(file) if "PUT" in code.name]
    kept, size = max(put, default=0), file.tell() - start
    if kept > size:  # Python fills a list up to the largest number
        raise ValueError(f"a pickle of {size} bytes that keeps {kept} objects")
    file.seek(start)
    return _Unpickler(file, storage).load()
