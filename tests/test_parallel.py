"""The same numbers on one device, on eight, and in two processes over loopback."""

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from tests.data.fixtures import REPOSITORY


def start(*words, devices=1, **environment):
    # compiled as users do, not in the suite's haste: in question is how that rounds
    flags = f"--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=3"
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, words)],
        cwd=REPOSITORY,
        env={**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": flags, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finished(*processes):
    for process in processes:
        printed, _ = process.communicate(timeout=500)
        assert process.returncode == 0, printed


def two_processes(*words):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    joined = {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": "2"}
    finished(*(start(*words, JAX_PROCESS_ID=str(number), **joined) for number in (0, 1)))


def arrays(path):
    with np.load(path) as found:
        return [found[name] for name in found.files]


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    out = tmp_path_factory.mktemp("alone") / "out.npz"
    finished(start("tests.shared_out", out))
    return arrays(out)


def assert_same(actual, expected):
    assert len(actual) == len(expected) > 20
    for a, b in zip(actual, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


def test_eight_devices(alone, tmp_path):
    finished(start("tests.shared_out", tmp_path / "out.npz", devices=8))
    assert_same(arrays(tmp_path / "out.npz"), alone)


@pytest.mark.slow
def test_two_processes(alone, tmp_path):
    two_processes("tests.shared_out", tmp_path / "out.npz")
    assert_same(arrays(tmp_path / "out.npz"), alone)


@pytest.mark.slow
def test_a_study_in_two_processes(tmp_path):
    few = "--preset smoke --seeds 1 --epochs 1 --attacks fgsm --balls linf --eps 0.1 --distributed"
    study = ["experiments.decorrelated_pairs", *few.split(), "--out"]
    two_processes(*study, tmp_path / "run")
    found = json.loads((tmp_path / "run" / "results.json").read_text())
    assert found["environment"]["processes"] == 2
    assert {row["seed"] for row in found["rows"]} == {0}
    assert (tmp_path / "run" / "figures" / "transfer.png").is_file()
    assert not (tmp_path / "run" / "measured").exists()


def test_nothing_to_join():
    process = start("experiments.decorrelated_pairs", "--preset", "smoke", "--distributed")
    printed, _ = process.communicate(timeout=100)
    assert process.returncode == 2
    assert printed.splitlines()[-1].startswith("error: --distributed: no other processes found")
