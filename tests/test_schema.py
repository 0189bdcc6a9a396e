"""What results may hold: plain numbers written; each fault named, in one line, on reading."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv import results
from jaxadv.errors import UserError

ROW = {"metric": "transfer_rate", "value": 0.5, "n": 10, "seed": 0, "source": "1", "eps": 0.1}


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (np.float32(0.5), 0.5),
        (np.float64(0.1), 0.1),
        (np.int64(3), 3),
        (np.array(0.25), 0.25),
        (jnp.float32(0.5), 0.5),
        (jnp.bfloat16(0.5), 0.5),
        (jnp.int32(4), 4),
        (None, None),
    ],
)
def test_numbers_of_numpy_and_jax_are_written_as_plain_ones(tmp_path, value, plain):
    results.write(tmp_path, "study", {"seeds": [np.int64(0)]}, [{**ROW, "value": value}])
    found = results.read(tmp_path)
    assert found["rows"] == [{**ROW, "value": plain}]
    assert type(found["rows"][0]["value"]) is type(plain)
    assert found["config"] == {"seeds": [0]}


def test_truth_values_stay_truth_values(tmp_path):
    results.write(tmp_path, "study", {"seeds": [0]}, [{**ROW, "flag": np.bool_(True)}])
    assert results.read(tmp_path)["rows"][0]["flag"] is True


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"value": float("nan")}, "row 2: value is nan"),
        ({"value": np.float32("inf")}, "row 2: value is inf"),
        ({"value": jnp.array(jnp.nan)}, "row 2: value is nan"),
        ({"value": np.ones(2)}, r"row 2: value is an array of shape \[2\]"),
        ({"value": jnp.ones((1, 1))}, r"value is an array of shape \[1, 1\]"),
        ({"value": 1j}, "value is complex"),
        ({"value": b"1"}, "value is bytes"),
        ({"value": {1}}, "value is set"),
        ({"value": [0.5]}, "row 2: value is"),
        ({"value": "0.5"}, "row 2: value is '0.5', not a finite number or null"),
        ({3: 1}, "row 2: the key 3 is int; keys are text"),
        ({"n": np.float32(10)}, "row 2: n is 10.0, not a whole number"),
        ({"value": 0.6, "source": "1"}, "row 2: repeats row 1"),
    ],
)
def test_what_no_row_can_hold_is_not_written(tmp_path, row, said):
    rows = [ROW, {**ROW, "source": "2", **row}]
    with pytest.raises(UserError, match=said) as refused:
        results.write(tmp_path, "study", {"seeds": [0]}, rows)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


GOOD = {"experiment": "study", "config": {"seeds": [0]}, "environment": {}, "rows": [ROW]}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rows": [{k: v for k, v in ROW.items() if k != "seed"}]}, "row 1: lacks seed"),
        ({"rows": [ROW, {**ROW, "value": "high"}]}, "row 2: value is 'high'"),
        ({"rows": [{**ROW, "value": True}]}, "row 1: value is True"),
        ({"rows": [{**ROW, "n": -1}]}, "row 1: n is -1"),
        ({"rows": [{**ROW, "n": 1.5}]}, "row 1: n is 1.5"),
        ({"rows": [{**ROW, "eps": None}]}, "row 1: eps is None"),
        ({"rows": [{**ROW, "eps": "0.1"}]}, "row 1: eps is '0.1'"),
        ({"rows": [{**ROW, "metric": ""}]}, "row 1: metric is ''"),
        ({"rows": [{**ROW, "model": "\x1b[2J"}]}, "row 1: model is"),
        ({"rows": [{**ROW, "value": 10**400}]}, "row 1: value is 1000"),
        ({"rows": [{**ROW, "other": [1]}]}, r"row 1: other is \[1\]"),
        ({"rows": [ROW, 7]}, "row 2: is int"),
        ({"rows": {}}, "rows is dict, not a list"),
        ({"rows": [{**ROW, "seed": 5}]}, "row 1: seed 5 is none of config's"),
        ({"rows": [ROW, {**ROW, "value": 0.1}]}, "row 2: repeats row 1"),
        ({"config": {}}, "seeds in config are None"),
        ({"config": {"seeds": 3}}, "seeds in config are 3"),
        ({"config": {"seeds": []}}, "seeds in config"),
        ({"config": {"seeds": [0, 0]}}, "once"),
        ({"config": []}, "config is list"),
        ({"experiment": 3}, "experiment is 3"),
        ({"environment": "here"}, "environment is 'here'"),
    ],
)
def test_edited_results_are_refused_where_they_are_read(tmp_path, change, said):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(GOOD))
    assert results.read(tmp_path) == GOOD
    path.write_text(json.dumps(GOOD | change))
    with pytest.raises(UserError, match=said) as refused:
        results.read(tmp_path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "-Infinity",
        "1e999",
        '"open',
        '{"a": 1, "a": 2}',
        "[" * 100_000,
        "\xff\x00",
        "\ufeff1",
    ],
)
def test_what_is_no_json_is_refused(tmp_path, text):
    (tmp_path / "a.json").write_bytes(text.encode("latin-1" if text < "\u0100" else "utf-8"))
    with pytest.raises(UserError, match=r"a\.json: not readable as JSON") as refused:
        results.read_json(tmp_path / "a.json")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x93NUMPY", b"text\n" * 99])
def test_damaged_arrays_are_named(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.npz: not readable") as refused:
        results.read_arrays(tmp_path / "a.npz", lambda _: True)
    assert "\n" not in str(refused.value)
