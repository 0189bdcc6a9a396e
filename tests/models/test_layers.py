from functools import cache

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxadv.models.layers import (
    BATCH_FIRST,
    BATCH_LAST,
    Conv,
    Dense,
    batch_norm,
    uniform_fan_in,
)
from jaxadv.models.pooling import max_pool, relu_max_pool

LAYOUTS = {"batch_last": BATCH_LAST, "batch_first": BATCH_FIRST}
layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())


def flattened(maps):
    """`[B, H, W, C]` in PyTorch's order `[B, C·H·W]`."""
    return jnp.transpose(maps, (0, 3, 1, 2)).reshape(len(maps), -1)


def ours(layout, x, kernel, bias):
    return layout.leave(layout.convolve(layout.enter(x), kernel, bias))


def ours_pooled(layout, x, kernel, bias):
    return layout.leave(layout.convolve_pool(layout.enter(x), kernel, bias))


def ours_valid(layout, x, kernel, bias):
    return layout.leave(layout.convolve_pool(layout.enter(x), kernel, bias, valid=True))


def maps(x, kernel, bias, padding="SAME"):
    module = nn.Conv(kernel.shape[-1], kernel.shape[:2], padding=padding, precision="highest")
    return module.apply({"params": {"kernel": kernel, "bias": bias}}, x)


def flax(x, kernel, bias):
    return flattened(maps(x, kernel, bias))


def flax_pooled(x, kernel, bias, padding="SAME"):
    return flattened(nn.max_pool(nn.relu(maps(x, kernel, bias, padding)), (2, 2), (2, 2)))


def flax_valid(x, kernel, bias):
    return flax_pooled(x, kernel, bias, "VALID")


either = pytest.mark.parametrize(
    ("ours", "flax"),
    [(ours, flax), (ours_pooled, flax_pooled), (ours_valid, flax_valid)],
    ids=["plain", "pooled", "valid"],
)


def arguments(rng, height, width, kernel=3, batch=3, channels=2, out=4):
    x = rng.normal(size=(batch, height, width, channels))
    arrays = x, rng.normal(size=(kernel, kernel, channels, out)), rng.normal(size=out)
    return tuple(np.float32(a) for a in arrays)


def derivatives(function, args):
    """Value, gradients of a curved scalar of it, and the gradient of its x-gradient's square."""

    every = lambda f: jax.grad(f, argnums=(0, 1, 2), has_aux=True)  # noqa: E731

    def scalar(x, kernel, bias):
        value = function(x, kernel, bias)
        return jnp.mean(jnp.sin(value) ** 2), value

    def penalty(x, kernel, bias):
        slopes, value = every(scalar)(x, kernel, bias)
        return jnp.sum(slopes[0] ** 2), (slopes, value)

    return jax.jit(every(penalty))(*args)


@cache
def derivatives_of_flax(function, seed, *shape):
    """Those of Flax, with which every layout is compared: computed once."""
    return derivatives(function, arguments(np.random.default_rng(seed), *shape))


def assert_trees_close(actual, expected, tolerance=2e-5):
    for a, b in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, atol=tolerance * np.max(np.abs(b)))


@either
@layouts
@pytest.mark.parametrize("size", [(28, 28), (8, 8), (7, 7), (5, 8), (4, 5)], ids=str)
def test_convolution_and_its_two_derivatives_equal_flax(layout, ours, flax, size):
    args = arguments(np.random.default_rng(0), *size)
    actual = derivatives(lambda *a: ours(layout, *a), args)
    assert_trees_close(actual, derivatives_of_flax(flax, 0, *size))


@layouts
@pytest.mark.parametrize("kernel", [1, 2, 5])
def test_every_kernel_size_pads_as_flax(rng, layout, kernel):
    args = arguments(rng, 7, 6, kernel)
    actual = jax.jit(lambda *a: ours(layout, *a))(*args)
    assert_trees_close(actual, jax.jit(flax)(*args))


@either
@layouts
def test_members_under_vmap_are_each_member_alone(layout, ours, flax):
    def members(x, kernels, biases):
        return jax.vmap(lambda k, b: ours(layout, x, k, b))(kernels, biases)

    assert_trees_close(derivatives(members, two_members()), derivatives_alone(flax))


def two_members():
    x, kernel, bias = arguments(np.random.default_rng(0), 8, 8)
    return x, np.stack([kernel, 2 * kernel]), np.stack([bias, -bias])


@cache
def derivatives_alone(flax):
    """Those of Flax, one member after the other: computed once for every layout."""

    def alone(x, kernels, biases):
        return jnp.stack([flax(x, k, b) for k, b in zip(kernels, biases, strict=True)])

    return derivatives(alone, two_members())


@layouts
def test_leave_undoes_enter_in_pytorch_order(layout):
    x = np.arange(2 * 2 * 3 * 4, dtype=np.float32).reshape(2, 2, 3, 4)
    np.testing.assert_array_equal(
        layout.leave(layout.enter(x)), x.transpose(0, 3, 1, 2).reshape(2, -1)
    )


@layouts
@pytest.mark.parametrize("kernel", [1, 2, 4, 5])
@pytest.mark.parametrize("size", [(7, 6), (4, 5)], ids=str)
def test_every_kernel_size_pools_as_flax(layout, kernel, size):
    args = arguments(np.random.default_rng(0), *size, kernel)
    actual = derivatives(lambda *a: ours_pooled(layout, *a), args)
    assert_trees_close(actual, derivatives_of_flax(flax_pooled, 0, *size, kernel), 2e-4)


@layouts
@pytest.mark.parametrize("kernel", [1, 2, 4, 5])
def test_every_kernel_size_pools_without_padding_as_flax(layout, kernel):
    args = arguments(np.random.default_rng(0), 9, 6, kernel)
    actual = derivatives(lambda *a: ours_valid(layout, *a), args)
    assert_trees_close(actual, derivatives_of_flax(flax_valid, 0, 9, 6, kernel), 2e-4)


@pytest.mark.parametrize("pooled", [False, True])
@pytest.mark.parametrize("size", [2, 3])
def test_the_module_without_padding_is_flax_too(rng, pooled, size):
    x, kernel, bias = arguments(rng, 7, 6, size)
    module = Conv(4, 2, size=size, pooled=pooled, valid=True)
    images = BATCH_LAST if jax.default_backend() == "cpu" else BATCH_FIRST

    @jax.jit
    def made(x, kernel, bias):
        found = module.apply({"params": {"kernel": kernel, "bias": bias}}, images.enter(x))
        return images.leave(found)

    expected = jax.jit(flax_valid if pooled else lambda *a: flattened(maps(*a, "VALID")))
    assert_trees_close(made(x, kernel, bias), expected(x, kernel, bias))


@layouts
def test_of_equal_corners_the_first_takes_the_gradient_of_a_pooled_convolution(layout):
    """On a flat image all corners tie; a kernel of one tap shows which of them was taken."""
    tap = np.zeros((1, 1, 1, 1), np.float32) + 1
    flat = np.ones((1, 4, 4, 1), np.float32)
    total = lambda x: ours_pooled(layout, x, tap, np.zeros(1, np.float32)).sum()  # noqa: E731
    gradient = jax.jit(jax.grad(total))(flat)
    np.testing.assert_array_equal(gradient[0, :2, :2, 0], [[1, 0], [0, 0]])


@pytest.mark.parametrize("channels", [1, 3, 8])
def test_corners_tie_on_a_flat_image_though_one_product_makes_them(rng, channels):
    """They are summed in other orders, but those that differ by rounding alone are equals."""
    x, kernel, bias = arguments(rng, 14, 14, batch=40, channels=channels, out=16)
    flat = np.broadcast_to(np.float32(rng.uniform(size=(40, 1, 1, channels))), x.shape)
    weight = rng.normal(size=(40, 7 * 7 * 16)).astype(np.float32)

    def gradient(layout):
        pooled = lambda x: ours_pooled(layout, x, kernel, bias)  # noqa: E731
        return jax.jit(jax.grad(lambda x: jnp.sum(weight * pooled(x))))(flat)

    np.testing.assert_allclose(gradient(BATCH_LAST), gradient(BATCH_FIRST), atol=1e-3)


@layouts
def test_enlarging_equals_flax(rng, layout):
    x = np.float32(rng.normal(size=(3, 4, 5, 2)))
    kernel, bias = np.float32(rng.normal(size=(2, 2, 2, 6))), np.float32(rng.normal(size=6))
    module = nn.ConvTranspose(6, (2, 2), (2, 2), precision="highest", transpose_kernel=False)
    turned = kernel[::-1, ::-1]  # Flax correlates with the dilated image

    def flax(x, turned, bias):
        return module.apply({"params": {"kernel": turned, "bias": bias}}, x)

    def ours(x, turned, bias):
        return layout.images(layout.enlarge(layout.enter(x), turned[::-1, ::-1], bias))

    args = (x, turned, bias)
    assert_trees_close(derivatives(ours, args), derivatives(flax, args))


@layouts
def test_images_undoes_enter(rng, layout):
    x = np.float32(rng.normal(size=(3, 4, 5, 2)))
    np.testing.assert_array_equal(layout.images(layout.enter(x)), x)
    assert layout.enter(x).shape[layout.channel] == 2


@layouts
def test_pooling_drops_an_odd_row_in_either_layout(rng, layout):
    x = np.float32(rng.normal(size=(3, 7, 5, 2)))
    pooled = jax.jit(lambda x: flattened(nn.max_pool(nn.relu(x), (2, 2), (2, 2))))(x)
    made = jax.jit(lambda x: layout.leave(relu_max_pool(layout.enter(x))))(x)
    np.testing.assert_array_equal(made, pooled)


@pytest.mark.parametrize("rectify", [True, False])
@pytest.mark.parametrize("size", [(6, 6), (7, 7), (2, 3), (28, 28)], ids=str)
def test_max_pooling_equals_pytorch_with_ties(rng, size, rectify):
    torch = pytest.importorskip("torch", reason="compares with PyTorch: pip install torch")
    x = np.float32(rng.integers(-2, 3, size=(4, *size, 3)))  # many ties, many windows all off
    cotangent = np.float32(rng.normal(size=(4, size[0] // 2, size[1] // 2, 3)))
    leaf = torch.tensor(x.transpose(0, 3, 1, 2), requires_grad=True)
    pooled = torch.nn.functional.max_pool2d(torch.relu(leaf) if rectify else leaf, 2)
    pooled.backward(torch.tensor(cotangent.transpose(0, 3, 1, 2).copy()))
    value, pullback = jax.vjp(jax.jit(relu_max_pool if rectify else max_pool), x)
    np.testing.assert_array_equal(value, pooled.detach().numpy().transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(pullback(cotangent)[0], leaf.grad.numpy().transpose(0, 2, 3, 1))


def test_the_first_of_four_equals_takes_the_whole_gradient():
    gradient = jax.jit(jax.grad(lambda x: relu_max_pool(x).sum()))(jnp.ones((1, 2, 2, 1)))
    np.testing.assert_array_equal(gradient[0, ..., 0], [[1, 0], [0, 0]])


def test_second_derivative_through_the_pool(rng):
    """Of the square of the maximum: 2 at the winner, where it is above zero."""
    x = jnp.array([[1.0, 3.0], [2.0, -1.0]]).reshape(1, 2, 2, 1)
    slope = jax.grad(lambda x: jnp.sum(relu_max_pool(x) ** 2))
    curvature = jax.jit(jax.grad(lambda x: jnp.sum(slope(x))))(x)
    np.testing.assert_allclose(curvature[0, ..., 0], [[0, 2], [0, 0]])


@pytest.mark.parametrize("fan_in", [9, 784])
def test_uniform_fan_in_bounds_and_spread(fan_in):
    drawn = np.asarray(uniform_fan_in(fan_in)(jax.random.key(0), (20_000,)))
    bound = fan_in**-0.5
    assert 0.99 * bound < np.max(np.abs(drawn)) <= bound * (1 + 1e-6)
    np.testing.assert_allclose(drawn.mean(), 0, atol=0.02 * bound)
    np.testing.assert_allclose(drawn.std(), bound / 3**0.5, rtol=0.02)


@pytest.mark.parametrize(
    ("layer", "x", "fan_in"), [(Conv(64, 8), (1, 4, 4, 8), 72), (Dense(500), (1, 72), 72)]
)
def test_layers_draw_weights_and_biases_as_pytorch(layer, x, fan_in):
    # batch last is what Conv sees on a CPU; only shapes of parameters matter here
    params = jax.jit(layer.init)(jax.random.key(1), jnp.zeros(x[::-1] if len(x) == 4 else x))
    for leaf in jax.tree.leaves(params):
        assert 0.8 * fan_in**-0.5 < np.max(np.abs(leaf)) <= fan_in**-0.5 * (1 + 1e-6)


def test_batch_norm_keeps_nine_tenths_of_its_running_mean(rng):
    x = np.float32(rng.normal(2.0, 3.0, size=(50, 4)))
    start = jax.jit(batch_norm(False).init)(jax.random.key(0), x)
    _, updated = jax.jit(lambda v, x: batch_norm(True).apply(v, x, mutable=["batch_stats"]))(
        start, x
    )
    np.testing.assert_allclose(updated["batch_stats"]["mean"], 0.1 * x.mean(0), rtol=1e-5)


@pytest.mark.parametrize("ratio", [1, 1e3, 3e3, 3e4])
@pytest.mark.parametrize("axis", [-1, 0])
def test_batch_norm_of_nearly_dead_features_equals_float64(rng, ratio, axis):
    """Mean over standard deviation `ratio`; what is left is the rounding of the mean itself."""
    x = np.float32(ratio + rng.normal(size=(1000, 6)))
    cotangent = np.float32(rng.normal(size=x.shape))
    turn = (lambda a: a.T) if axis == 0 else (lambda a: a)
    layer = batch_norm(True, axis=axis)
    variables = jax.jit(layer.init)(jax.random.key(0), turn(x))

    @jax.jit
    def run(x, cotangent):
        apply = lambda x: layer.apply(variables, x, mutable=["batch_stats"])  # noqa: E731
        made, back, updated = jax.vjp(apply, x, has_aux=True)
        return made, back(cotangent)[0], updated

    made, slope, updated = run(turn(x), turn(cotangent))
    exact = x.astype(np.float64)
    scale = 1 / np.sqrt(exact.var(0) + 1e-5)
    normal = (exact - exact.mean(0)) * scale
    along = cotangent.mean(0) + normal * (cotangent * normal).mean(0)
    rounding = 2e-6 + 2e-7 * ratio
    np.testing.assert_allclose(turn(made), normal, atol=rounding)
    np.testing.assert_allclose(turn(slope), scale * (cotangent - along), atol=rounding)
    variance = updated["batch_stats"]["var"]
    np.testing.assert_allclose(variance, 0.9 + 0.1 * exact.var(0), rtol=1e-5)  # over N, as Flax
