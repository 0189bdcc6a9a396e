"""A run that is stopped as if by Ctrl-C, once so many checkpoints are written."""

from collections.abc import Callable

import pytest

from experiments.frame import train
from jaxadv import checkpoint


def stop_after(saves: int, monkeypatch: pytest.MonkeyPatch, run: Callable[[], None]) -> None:
    """Every epoch is saved, and the script ends with status 130 after the last of them."""
    save, saved = checkpoint.save, []

    def save_and_stop(*arguments: object) -> None:
        save(*arguments)
        saved.append(arguments)
        if len(saved) == saves:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(checkpoint, "save", save_and_stop)
        patched.setattr(train, "PAUSE", 0.0)
        with pytest.raises(SystemExit) as stopped:
            run()
    assert stopped.value.code == 130
