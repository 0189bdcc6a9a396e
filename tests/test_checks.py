"""What every floor looks at before it computes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv import checks
from jaxadv.data.dataset import Dataset, check_dataset, check_labels
from jaxadv.errors import UserError
from tests.data.fixtures import assert_one_line

RAGGED = [[1.0], [2.0, 3.0]]
NO_NUMBERS = [RAGGED, "seven", None, {"x": 1}, object(), 1j, ["a"], dict, jax.random.key(0)]


@pytest.mark.parametrize("value", [*NO_NUMBERS, np.zeros(2, "timedelta64[s]")], ids=range(10))
def test_what_is_no_array_of_real_numbers(value):
    with pytest.raises(UserError) as error:
        checks.numbers("scores", value, "give [N]")
    assert_one_line(error, "scores", "give [N]")


@pytest.mark.parametrize(
    "value", [1, 2.5, [1, 2], np.float16([1]), jnp.bfloat16([1]), [True]], ids=str
)
def test_numbers_are_taken_in_any_type(value):
    np.testing.assert_array_equal(
        np.asarray(checks.numbers("x", value, ""), float), np.asarray(value, float)
    )


def test_traced_numbers_pass_as_they_are():
    assert jax.jit(lambda x: 2 * checks.numbers("x", x, ""))(1.5) == 3


def test_a_message_that_names_an_array_is_one_line():
    with pytest.raises(UserError) as error:
        checks.check_whole("chunk", np.ones((3, 3), complex), 1)
    assert_one_line(error, "chunk [[1.+0.j", "a whole number")
    assert str(UserError("a folder  with two spaces")) == "a folder  with two spaces"


@pytest.mark.parametrize(
    "value", ["mean", None, ["loss"], np.array(["loss", "min"]), 0], ids=range(5)
)
def test_choices(value):
    with pytest.raises(UserError) as error:
        checks.check_choice("combine", value, ("loss", "min"))
    assert_one_line(error, "combine", "choose one of loss, min")


@pytest.mark.parametrize(
    "value", [np.ones(2), None, object(), "1", -1, np.nan, [1.0]], ids=range(7)
)
def test_single_numbers(value):
    with pytest.raises(UserError) as error:
        checks.check_single("decay", value, "at least 0")
    assert_one_line(error, "decay", "at least 0")


def test_flags_and_functions():
    for value in (None, "no", 1):
        with pytest.raises(UserError) as error:
            checks.check_flag("random_start", value)
        assert_one_line(error, "random_start", "True or False")
    checks.check_flag("random_start", np.bool_(True))
    with pytest.raises(UserError) as error:
        checks.check_function("a monitor", {}, "a function")
    assert_one_line(error, "a dict for a monitor: give a function")


@pytest.mark.parametrize("value", [RAGGED, jax.random.key(0)], ids=range(2))
def test_data_that_are_no_arrays(value):
    x, y = np.zeros((2, 4, 4, 1), np.float32), np.arange(2)
    for call in (
        lambda: check_labels(value),
        lambda: check_dataset(Dataset(value, y)),
        lambda: check_dataset(Dataset(x, value)),
    ):
        with pytest.raises(UserError) as error:
            call()
        assert_one_line(error, "give")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("red \x1b[31m, and \x9b2J", "red \\x1b[31m, and \\x9b2J"),
        ("a\r\nb\n\n  c\u2028d", "a b c d"),
        ("nul \0, tab \t, bell \a", "nul \\x00, tab \\t, bell \\x07"),
        ("turned \u202e, no byte of a text \udcff", "turned \\u202e, no byte of a text \\udcff"),
        ("λ = 0.05 · ‖θ1 − θ2‖²", "λ = 0.05 · ‖θ1 − θ2‖²"),
    ],
    ids=range(5),
)
def test_messages_hold_nothing_that_a_terminal_obeys(text, shown):
    assert str(UserError(text)) == shown
    assert shown.isprintable()
