"""A run killed by the signal nothing can catch goes on to the very numbers it would have had."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jaxadv import results


def command(out: Path, *words: str) -> list[str]:
    few = ["--seeds", "1", "--epochs", "8", "--attacks", "fgsm", "--balls", "linf", "--eps", "0.1"]
    script = [sys.executable, "-m", "experiments.decorrelated_pairs", "--preset", "smoke"]
    return [*script, *few, "--out", str(out), *words]


@pytest.mark.slow
def test_killed_and_resumed_equals_uninterrupted_to_the_bit(tmp_path):
    """A real process, killed in the middle of training by the signal nothing can catch."""
    straight, broken = tmp_path / "straight", tmp_path / "broken"
    subprocess.run(command(straight), check=True, capture_output=True)
    process = subprocess.Popen(command(broken), stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if "epoch 3/8" in line:
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    process.stderr.close()
    assert process.returncode == -signal.SIGKILL
    assert not (broken / "results.json").exists()
    resumed = subprocess.run(
        command(broken, "--resume"), check=True, capture_output=True, text=True
    )
    assert "epoch 1/8" not in resumed.stderr
    assert "epoch 8/8" in resumed.stderr
    assert results.read(broken)["rows"] == results.read(straight)["rows"]
