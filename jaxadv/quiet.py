"""Calls into a library that prints its troubles beside the error it raises.

Orbax logs tracebacks from its threads and leaves coroutines unfinished, which Python reports when
they are collected: a hundred lines beside the one that says what is wrong.
"""

import gc
import logging
import sys
import threading
import time
import warnings
from collections.abc import Callable
from typing import TypeVar
from weakref import WeakSet

from jaxadv.errors import UserError
from jaxadv.files import reason

_LOGGERS = ("absl", "asyncio")  # those that Orbax and its event loops write to
_PATIENCE = 1.0  # seconds, at most, for the threads of a failed call to end

Result = TypeVar("Result")


class _Held(logging.Filter):
    """Keeps records back: all while a call runs, later those of the threads that it left behind."""

    def __init__(self) -> None:
        super().__init__()
        self.calling = True
        self.records: list[logging.LogRecord] = []
        self.left: WeakSet[threading.Thread] = WeakSet()

    def filter(self, record: logging.LogRecord) -> bool:
        if self.calling:
            self.records.append(record)
        return not self.calling and threading.current_thread() not in self.left


def quietly(call: Callable[[], Result], fault: Callable[[str], UserError]) -> Result:
    """The call's result; if it fails, one `UserError` and no other word about it.

    fault: the library's own reason to our error. What a call that succeeds has logged is logged
    after it.

    Raises:
        UserError: the call's own, or in the place of any other exception.
    """
    held, before = _Held(), set(threading.enumerate())
    hook, loggers = sys.unraisablehook, [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addFilter(held)
    try:
        sys.unraisablehook = lambda _: None
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "coroutine .* was never awaited", RuntimeWarning)
            try:
                return call()
            except UserError as error:  # without its traceback, which keeps what it has seen alive
                ours = type(error)(str(error))
            except Exception as error:
                ours = fault(reason(error))
            except BaseException:  # Ctrl-C, of which its threads hear nothing
                held.left.update(set(threading.enumerate()) - before)
                held.records.clear()
                raise
            held.left.update(set(threading.enumerate()) - before)
            _wait(list(held.left))
            gc.collect()  # unfinished coroutines are reported when they go: here, to nobody
            held.records.clear()
    finally:
        sys.unraisablehook = hook
        _release(held, loggers)
    raise ours


def _wait(threads: list[threading.Thread]) -> None:
    """Let the threads end, if they do: what they still hold is reported when they drop it."""
    until = time.monotonic() + _PATIENCE
    for thread in threads:
        threading.Thread.join(thread, max(0.0, until - time.monotonic()))


def _release(held: _Held, loggers: list[logging.Logger]) -> None:
    """Log what was kept back; threads left behind stay silent."""
    held.calling = False
    if not held.left:
        for logger in loggers:
            logger.removeFilter(held)
    for record in held.records:
        logging.getLogger(record.name).handle(record)
