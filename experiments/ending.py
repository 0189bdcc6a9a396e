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

GRACE = 5.0  # seconds that Python has to end once the script has
LOOK = 0.2  # seconds from one look to the next
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
    """See to it that the process ends so long after its script, with this status.

    Orbax's threads wait for each other for minutes after a save that failed half way, and Python,
    before it ends, for them.
    """

    def end() -> None:
        while not _script_has_ended():
            time.sleep(LOOK)
        time.sleep(seconds)
        sys.stdout.flush()
        os._exit(status)

    threading.Thread(target=end, daemon=True).start()


def _script_has_ended() -> bool:
    """Whether the main thread does nothing more than wait for the others.

    It counts as alive while the workers of executors are waited for, so its frames are looked at:
    the outermost is then that of `threading._shutdown`.
    """
    main = threading.main_thread()
    frame = sys._current_frames().get(main.ident or 0)
    if frame is None or not main.is_alive():
        return True
    while frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code.co_name == "_shutdown"
