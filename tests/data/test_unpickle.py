import builtins
import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from jaxadv.data.unpickle import loads_arrays


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_arrays_lists_and_bytes_round_trip(protocol):
    content = {
        b"data": np.arange(6, dtype=np.uint8).reshape(2, 3),
        b"labels": [1, 2],
        b"n": b"\xff",
    }
    loaded = loads_arrays(pickle.dumps(content, protocol=protocol))
    np.testing.assert_array_equal(loaded[b"data"], content[b"data"])
    assert loaded[b"labels"] == [1, 2]
    assert loaded[b"n"] == b"\xff"


def test_a_batch_written_by_numpy_1_is_read():
    data = pickle.dumps(np.arange(3, dtype=np.uint8), protocol=2)
    old = data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    assert old != data
    np.testing.assert_array_equal(loads_arrays(old), [0, 1, 2])


class Evil:
    def __init__(self, function, *arguments):
        self.call = (function, arguments)

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize(
    ("function", "name"),
    [(os.system, "system"), (builtins.exec, "exec"), (builtins.getattr, "getattr")],
)
@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_calls_something_is_refused(function, name, protocol):
    with pytest.raises(pickle.UnpicklingError, match=name):
        loads_arrays(pickle.dumps({b"data": Evil(function, "1")}, protocol=protocol))


def test_nothing_is_called_before_the_refusal(tmp_path):
    marker = tmp_path / "ran"
    data = pickle.dumps(Evil(Path.touch, marker), protocol=2)
    with pytest.raises(pickle.UnpicklingError, match="not admitted"):
        loads_arrays(data)
    assert not marker.exists()
    pickle.loads(data)
    assert marker.exists()  # the pickle is one that does run


def test_other_codecs_are_refused():
    import codecs

    with pytest.raises(pickle.UnpicklingError, match="rot13"):
        loads_arrays(pickle.dumps(Evil(codecs.encode, "text", "rot13"), protocol=2))
