"""Where a training begins: new runs, or trained ones with fresh optimizers."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from jaxadv.checks import check_function
from jaxadv.data.batches import take
from jaxadv.data.dataset import Dataset, check_dataset
from jaxadv.memory import check_memory
from jaxadv.phases import Phase, State, check_phases, check_seeds, first_opt_states
from jaxadv.streams import Stream, stream
from jaxadv.types import Array, Key, Variables


def init(
    ensemble_init: Callable[[Key, Array], Variables],
    phases: Sequence[Phase],
    dataset: Dataset,
    seeds: Sequence[int],
    varied: Mapping[str, ArrayLike] | None = None,
) -> State:
    """The state of every run before training, leading axis `len(seeds)`.

    ensemble_init: `(key, x [1, …]) -> variables`, `ensemble.init` say.
    dataset: images `[N, …]` and labels `[N]`; its first image is shown to `ensemble_init`.
    varied: for each name one value a run, traced: runs that differ in them share one program.

    Two runs of one seed begin at the same weights and see the same batches.

    >>> import jax.numpy as jnp, optax
    >>> from jaxadv import data, training
    >>> loss = lambda w, batch, key, epoch, varied: (w["params"] ** 2, (w, {}))
    >>> phases = [training.Phase(loss, optax.sgd(0.1))]
    >>> given = data.Dataset(jnp.ones((4, 1)), jnp.zeros(4, int))
    >>> first = lambda key, x: {"params": jnp.float32(1.0)}
    >>> state = training.init(first, phases, given, [0, 1], {"strength": [0.0, 0.05]})
    >>> state.seed.tolist(), state.epoch.tolist(), state.variables["params"].tolist()
    ([0, 1], [0, 0], [1.0, 1.0])

    Raises:
        UserError: seeds, phases, scalars or data that are none, do not fit each other, or whose
            states do not fit into memory.
    """
    check_phases(phases)
    check_dataset(dataset)
    check_seeds(seeds, varied or {})
    check_function("init", ensemble_init, "a function (key, x) -> variables, ensemble.init say")
    example = take(dataset, jnp.zeros(1, jnp.int32)).images

    def one(seed: Array, varied: dict[str, Array]) -> State:
        variables = ensemble_init(stream(seed, Stream.WEIGHTS), example)
        opt_states = first_opt_states(phases, variables)
        return State(variables, opt_states, jnp.zeros((), jnp.int32), seed, varied)

    values = {name: jnp.asarray(v, jnp.float32) for name, v in (varied or {}).items()}
    scalars = {name: jax.ShapeDtypeStruct((), jnp.float32) for name in values}
    run = jax.eval_shape(one, jax.ShapeDtypeStruct((), jnp.uint32), scalars)
    check_memory(run, len(seeds))
    # Random bits unroll into much code that runs once: unoptimised, it compiles ten times faster.
    quick = {"xla_backend_optimization_level": 0}
    return jax.jit(jax.vmap(one), compiler_options=quick)(jnp.asarray(seeds, jnp.uint32), values)


def onward(state: State, phases: Sequence[Phase]) -> State:
    """Trained runs at the beginning of another training: their variables, fresh optimizers.

    A copy: `fit` may take it and leave the state it was made from.

    >>> import jax.numpy as jnp, optax
    >>> from jaxadv import training
    >>> loss = lambda w, batch, key, epoch, varied: (w["params"] ** 2, (w, {}))
    >>> trained = {"params": jnp.array([0.5, 0.25])}  # of two runs
    >>> state = training.State(trained, (), jnp.array([7, 7]), jnp.arange(2), {})
    >>> again = training.onward(state, [training.Phase(loss, optax.sgd(0.1))])
    >>> again.epoch.tolist(), again.variables["params"].tolist()
    ([0, 0], [0.5, 0.25])

    Raises:
        UserError: if the phases are no list of them.
    """
    check_phases(phases)
    copied = jax.jit(partial(jax.tree.map, jnp.copy))(state)
    opt_states = jax.jit(jax.vmap(partial(first_opt_states, phases)))(copied.variables)
    return copied._replace(opt_states=opt_states, epoch=jnp.zeros_like(copied.epoch))
