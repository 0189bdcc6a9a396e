"""The studies, and the scripts beside them: `python -m experiments.NAME`."""

import os
import signal
import sys
from types import FrameType


def _stop(signum: int, frame: FrameType | None) -> None:
    print("\nstopped", file=sys.stderr, flush=True)
    os._exit(128 + signum)


if sys.argv[:1] == ["-m"]:  # what stands there while Python imports what a script is in
    # That takes seconds, and nothing is lost: Ctrl-C then ends it without a traceback.
    signal.signal(signal.SIGINT, _stop)
