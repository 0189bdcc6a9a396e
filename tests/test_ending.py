"""Ctrl-C ends a script, whoever takes the exception: one line, status 130."""

import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from experiments.__main__ import TOOLS
from experiments.frame import cli, merge, page, report
from jaxadv.errors import UserError
from jaxadv.quiet import quietly
from tests.data.fixtures import REPOSITORY
from tests.studies import refused, tool

HEAD = """
import gc, time
from experiments.frame import cli, ending
ending.GRACE = {grace}
class Slow:
    def __del__(self):
        time.sleep(20)
def swallow():
    print("ready", flush=True)
    while True:
        try:
            time.sleep(20)
        except BaseException:
            pass
def collect():
    print("ready", flush=True)
    Slow()  # what is raised while it goes is printed and forgotten
    time.sleep(60)
def sleep():
    print("ready", flush=True)
    time.sleep(60)
"""


def started(script: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stopped(code: str, grace: float, signals: int = 1) -> tuple[int, str]:
    """Status and stderr of a script that gets so many SIGINT once it is ready."""
    script = HEAD.format(grace=grace) + code
    process = started(script)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    for _ in range(signals):
        process.send_signal(signal.SIGINT)
        try:
            process.wait(1)
        except subprocess.TimeoutExpired:
            continue
    _, said = process.communicate(timeout=60)
    return process.returncode, said


@pytest.mark.parametrize(
    ("code", "grace", "signals"),
    [
        ("cli.run(sleep)", 50, 1),
        ("cli.run(swallow)", 0.1, 1),
        ("cli.run(swallow)", 50, 2),
        ("cli.run(collect)", 0.1, 1),
    ],
    ids=["raised", "taken", "twice", "forgotten"],
)
def test_ctrl_c_ends_a_script(code, grace, signals):
    status, said = stopped(code, grace, signals)
    assert status == 130
    assert said.endswith("\nstopped: add --resume to go on from the last epoch kept\n")
    assert said.count("\n") == 2 or "Exception ignored in" in said  # Python's own word for it


@pytest.mark.parametrize(
    ("fault", "status", "last"),
    [
        ('UserError("bad input")', 2, "error: bad input"),
        ('ValueError("a fault")', 1, "ValueError: a fault"),
        ("KeyboardInterrupt", 130, "stopped: add --resume to go on from the last epoch kept"),
    ],
)
def test_a_script_that_failed_waits_for_no_worker(fault, status, last):
    """As those of Orbax, which go on for minutes after a save that failed half way.

    Python waits for the workers of executors before its main thread counts as ended.
    """
    script = f"""
import time
from concurrent.futures import ThreadPoolExecutor
from experiments.frame import cli
from jaxadv.errors import UserError
cli.AS_SCRIPT, cli.GRACE = True, 0.1
def study():
    ThreadPoolExecutor().submit(time.sleep, 600)
    raise {fault}
cli.run(study)
"""
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=REPOSITORY,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        stderr=subprocess.PIPE,
        text=True,
        timeout=300,
    )
    assert ended.returncode == status
    assert ended.stderr.splitlines()[-1] == last


def test_a_call_within_a_program_leaves_no_thread(capsys):
    def bad() -> None:
        raise UserError("bad input")

    before = threading.active_count()
    with pytest.raises(SystemExit):
        cli.run(bad)
    assert threading.active_count() == before


def test_ctrl_c_during_imports_is_no_traceback():
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "experiments", "plot"],
        cwd=REPOSITORY,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.split("|")[-1].strip() == "jax._src.config":  # with most still to come
            process.send_signal(signal.SIGINT)
            break
    said = [line for line in process.stderr if not line.startswith("import time:")]
    assert process.wait() == 130
    assert said == ["\n", "stopped\n"]


@pytest.mark.parametrize("name", TOOLS)
def test_ctrl_c_in_the_tools(name, tmp_path, capsys, monkeypatch):
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    for module in (report, merge, page):
        monkeypatch.setattr(module, "read", stop)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        tool(name, *{"merge": ("a", "--out", "b"), "plot": ("a",), "page": ()}[name])
    assert ended.value.code == 130
    assert capsys.readouterr().err == "\nstopped\n"
    assert not list(tmp_path.iterdir())


def test_threads_of_a_call_that_is_given_up_say_nothing(caplog):
    """Orbax's, which a Ctrl-C during a save leaves behind."""
    go, threads = threading.Event(), []

    def complain() -> None:
        go.wait()
        logging.getLogger("absl").error("a traceback of 300 lines")

    def call() -> None:
        threads.append(threading.Thread(target=complain))
        threads[0].start()
        logging.getLogger("absl").error("another")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quietly(call, UserError)
    go.set()
    threads[0].join()
    assert not caplog.records


def test_handlers_are_as_before():
    before = signal.getsignal(signal.SIGINT)
    cli.run(lambda: None)
    assert signal.getsignal(signal.SIGINT) is before


def test_plot_without_a_folder(capsys):
    line = refused(capsys, tool, "plot")
    assert line == "error: nothing to draw: give at least one run's folder"


def test_lines_of_the_script_hold_nothing_that_a_terminal_obeys(capsys):
    def absent() -> None:
        Path("\x1b[31m/x").read_bytes()

    with pytest.raises(SystemExit):
        cli.run(absent)
    assert capsys.readouterr().err.startswith("error: \\x1b[31m/x: No such file")


def test_a_script_whose_output_nobody_reads_any_more_ends_in_silence():
    """As in `python -m experiments.NAME --help | head -1`."""
    code = "from experiments.frame import cli\ncli.run(lambda: [print(n) for n in range(10**6)])"
    process = started(code)
    assert process.stdout is not None
    assert process.stdout.readline() == "0\n"
    process.stdout.close()
    assert process.stderr is not None
    assert (process.wait(60), process.stderr.read()) == (cli.PIPE, "")
