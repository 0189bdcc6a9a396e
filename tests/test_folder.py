"""One owner of a folder while it runs; what a claim says, and to whom."""

import json
import os
import signal
import subprocess
import sys

import pytest

from jaxadv import environment, folder
from jaxadv.errors import UserError

HOLDER = """
import sys, pathlib
from jaxadv import folder
folder.claim(pathlib.Path(sys.argv[1]), {"epochs": 2}, resume=False)
print("owned", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that owns a folder, and the folder."""
    out = tmp_path / "run"
    command = [sys.executable, "-c", HOLDER, str(out)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "owned\n"
        yield process, out
        process.kill()


@pytest.mark.parametrize("resume", [False, True])
def test_a_second_process_is_refused_before_it_looks_at_the_settings(holder, resume):
    """Also of the same settings; the folder is as it was."""
    _, out = holder
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    for config in ({"epochs": 2}, {"epochs": 3}):
        with pytest.raises(UserError, match="another run is writing there") as refused:
            folder.claim(out, config, resume)
        assert str(out) in str(refused.value)
        assert "\n" not in str(refused.value)
    with pytest.raises(UserError, match="another run"), folder.owned(out):
        pass
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_death_frees_the_folder_and_the_file_left_behind_locks_nothing(holder):
    process, out = holder
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert (out / folder.LOCK).exists()
    folder.claim(out, {"epochs": 3}, resume=False)  # no work was done there
    assert folder.read_config(out) == {"epochs": 3}


def test_a_process_that_ends_leaves_no_lock_behind(holder):
    process, out = holder
    process.stdin.close()
    process.wait()
    assert sorted(path.name for path in out.iterdir()) == ["config.json", "environment.json"]


def test_a_refusal_leaves_no_lock_in_a_folder_of_other_things(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match="not empty"):
        folder.claim(tmp_path, {}, resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_owned_for_a_while_then_free(tmp_path):
    with folder.owned(tmp_path):
        assert (tmp_path / folder.LOCK).exists()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_write_left_is_no_work(tmp_path):
    """Killed before config.json was renamed."""
    folder.claim(tmp_path, {"epochs": 3}, resume=False)
    (tmp_path / "config.json").rename(tmp_path / ".config.json.1234.tmp")
    folder.claim(tmp_path, {"epochs": 2}, resume=True)
    assert not (tmp_path / ".config.json.1234.tmp").exists()
    assert folder.read_config(tmp_path) == {"epochs": 2}


def test_a_command_without_resume_does_not_advise_it(tmp_path):
    folder.claim(tmp_path, {}, resume=False)
    (tmp_path / "results.json").write_text("{}")
    with pytest.raises(UserError, match="already holds this run") as refused:
        folder.claim(tmp_path, {}, resume=False, resumable=False)
    assert "--resume" not in str(refused.value)


def test_an_empty_configuration_is_named(tmp_path):
    folder.claim(tmp_path, {}, resume=False)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "config.json").write_text("")
    with pytest.raises(UserError, match=r"config\.json: not readable as JSON"):
        folder.claim(tmp_path, {}, resume=True)


def test_other_cores_than_a_run_began_with_are_one_line(tmp_path, capsys, monkeypatch):
    folder.claim(tmp_path, {}, resume=False)
    (tmp_path / "results.json").write_text("{}")
    began = json.loads((tmp_path / "environment.json").read_text())["cores"]
    folder.claim(tmp_path, {}, resume=True)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(folder, "cores", lambda: began + 1)
    folder.claim(tmp_path, {}, resume=True)
    (line,) = capsys.readouterr().err.splitlines()
    assert f"begun with {began} processor cores, goes on with {began + 1}" in line
    (tmp_path / "environment.json").write_text("")
    folder.claim(tmp_path, {}, resume=True)
    assert "environment.json is damaged or edited" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="processes are not bound here")
def test_cores_are_those_the_process_may_use():
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert environment.cores() == 1
        assert environment.environment()["cores"] == 1
    finally:
        os.sched_setaffinity(0, allowed)
