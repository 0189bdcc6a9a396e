"""How a script ends that has failed: soon, whatever threads a library has left behind."""

import atexit
import os
import sys
import threading

GRACE = 5.0  # seconds that threads have to end once the main one has


def end_within(seconds: float, status: int) -> None:
    """See to it that the process ends so long after its main thread, with this status.

    Orbax's threads wait for each other for minutes after a save that failed half way, and Python,
    before it ends, for them.
    """
    ended = threading.Event()
    atexit.register(ended.set)  # called once Python has no more thread to wait for

    def end() -> None:
        threading.main_thread().join()
        if not ended.wait(seconds):
            sys.stdout.flush()
            os._exit(status)

    threading.Thread(target=end, daemon=True).start()
