"""How a script ends that was stopped or has failed: soon, and with its status, whatever else runs.

Ctrl-C raises KeyboardInterrupt wherever Python happens to be. In a callback of the garbage
collector or of a library, or below an `except` that takes everything, it is lost and the script
goes on: so a clock runs from the key on. What a run writes is whole or not there at any moment.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jaxadv.errors import printable

GRACE = 5.0  # seconds that Python has to end
STOPPED = 130  # the status of a script that Ctrl-C has stopped


def say(line: str) -> None:
    """A line on stderr, fit for a terminal; line breaks before it stay."""
    text = line.lstrip("\n")
    print("\n" * (len(line) - len(text)) + printable(text), file=sys.stderr, flush=True)


@contextmanager
def interruptible(line: str) -> Iterator[None]:
    """Within it, Ctrl-C raises KeyboardInterrupt; if nothing comes of that, the process ends.

    line: said then, on stderr. A second Ctrl-C ends the process at once. Not in the main thread,
    where signals cannot be attended to, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    left, times = threading.Event(), 0

    def end() -> None:
        say(line)
        os._exit(STOPPED)

    def wait() -> None:
        if not left.wait(GRACE):
            end()

    def stop(signum: int, frame: Any) -> None:
        nonlocal times
        times += 1
        if times > 1:
            end()
        threading.Thread(target=wait, daemon=True).start()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        left.set()
        signal.signal(signal.SIGINT, before)


def end_within(seconds: float, status: int) -> None:
    """See to it that the process ends so soon, with this status: its script is at its end.

    Orbax's threads wait for each other for minutes after a save that failed half way, and Python,
    before it ends, for them.
    """

    def end() -> None:
        time.sleep(seconds)
        sys.stdout.flush()
        os._exit(status)

    threading.Thread(target=end, daemon=True).start()
