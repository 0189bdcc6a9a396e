"""What every floor's tests share: real data, published weights, one seeded generator."""

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxadv.data import load_dataset
from jaxadv.data.dataset import Dataset
from tests.data.fixtures import REAL_DATA, REPOSITORY, real_data

# read on import, as `REAL_DATA` is: some tests clear the environment
REFERENCE = Path(os.environ.get("JAXADV_REFERENCE") or REPOSITORY / "../shared/reference").resolve()


@pytest.fixture(scope="session", autouse=True)
def compilation_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """One folder of compiled programs for the session, scripts and subprocesses included: most of a
    test's time is compiling, and many tests compile the same program. `.ci/run` has one for all it
    runs.
    """
    named = os.environ.get("JAXADV_TEST_CACHE")
    folder = Path(named) if named else tmp_path_factory.mktemp("cache")
    jax.config.update("jax_compilation_cache_dir", str(folder / "jaxadv" / "xla"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.3)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("JAXADV_CACHE", str(folder))
        yield folder


COMPILED: list[float] = []  # the seconds that each program took since the last were forgotten
MANY = 1000  # programs, that is some 1.5 GB


def compiled(event: str, seconds: float, **_: object) -> None:
    if event == "/jax/core/compile/backend_compile_duration":
        COMPILED.append(seconds)


jax.monitoring.register_event_duration_secs_listener(compiled)


@pytest.fixture(scope="module", autouse=True)
def few_programs() -> Iterator[None]:
    """A process forgets its programs once they are many: kept to the end, they took 5 GB.

    Not after each module, as some of them are met again. Until then the garbage collector is told
    not to look through them, which took 7 % of the time.
    """
    yield
    if len(COMPILED) > MANY:
        gc.unfreeze()
        jax.clear_caches()
        COMPILED.clear()
        gc.collect()
    gc.freeze()


jax.devices()  # one, whatever a script that runs in this process asks for


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def reference_dir() -> Path:
    """The folder of published weights and of the numbers measured on them."""
    if not (REFERENCE / "cnn_reference.json").is_file():
        pytest.skip(
            f"published weights not found in {REFERENCE}; set JAXADV_REFERENCE to their folder"
        )
    return REFERENCE


@pytest.fixture(scope="session")
def mnist_test() -> Dataset:
    """MNIST's 10,000 test images, float32 in [0, 1], with their labels."""
    real_data("mnist")
    test = load_dataset("mnist", "files", REAL_DATA, progress=False).test
    return Dataset(np.asarray(test.images, np.float32) / 255, np.asarray(test.labels))
