"""How a script ends that has failed: soon, whatever threads a library has left behind."""

import os
import sys
import threading
import time

GRACE = 5.0  # seconds that Python has to end once the script has
LOOK = 0.2  # seconds from one look to the next


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
