"""The studies, and the scripts beside them: `python -m experiments.NAME`."""

import os
import signal
import sys
from types import FrameType


def _stop(signum: int, frame: FrameType | None) -> None:
    print("\nstopped", file=sys.stderr, flush=True)
    os._exit(128 + signum)


# Whether this process is `python -m …`: so argv begins while Python imports what the script is in.
AS_SCRIPT = sys.argv[:1] == ["-m"]

if AS_SCRIPT:
    # Imports take seconds, and nothing is lost: Ctrl-C then ends them without a traceback.
    signal.signal(signal.SIGINT, _stop)
