"""The command line: settings from words, and one-line errors."""

import io
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr
from typing import Any, TypeVar

import jax
import tyro

from experiments import AS_SCRIPT
from experiments.frame import numbers
from experiments.frame.ending import GRACE, STOPPED, end_within, interruptible, say
from experiments.frame.settings import Settings
from jaxadv.errors import UserError
from jaxadv.parallel import use_cores

Chosen = TypeVar("Chosen", bound=Settings)
Arguments = TypeVar("Arguments")

PIPE = 141  # the status of a script whose output nobody reads any more, as shells give it


def use_compilation_cache() -> None:
    """Keep compiled programs in the user's cache folder, so that a second run starts at once."""
    base = os.environ.get("JAXADV_CACHE") or os.environ.get("XDG_CACHE_HOME")
    folder = os.path.join(base or os.path.expanduser("~/.cache"), "jaxadv", "xla")
    jax.config.update("jax_compilation_cache_dir", folder)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def parse(
    study: str,
    presets: Mapping[str, Chosen],
    arguments: Sequence[str] | None = None,
) -> Chosen:
    """The settings of a preset with the command line's overrides.

    Raises:
        UserError: unknown preset or option, or impossible value.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = _preset(words) or "quick"
    if name not in presets:
        raise UserError(f"--preset {name}: {study} has {', '.join(presets)}")
    kind, usual = type(presets[name]), {"default": presets[name].but(preset=name)}
    settings = read_arguments(kind, f"experiments.{study}", args=words, **usual)
    numbers.check(settings)
    return settings


def read_arguments(kind: type[Arguments], script: str, **options: Any) -> Arguments:
    """The command line of `python -m SCRIPT`, by tyro, whose box becomes one line.

    Raises:
        UserError: unknown option or impossible value.
    """
    printed, flat = io.StringIO(), (tyro.conf.OmitArgPrefixes,)
    try:
        with redirect_stderr(printed):
            return tyro.cli(kind, prog=f"python -m {script}", config=flat, **options)
    except SystemExit as stopped:
        if not stopped.code:  # --help
            raise
        raise UserError(_one_line(printed.getvalue())) from None


def _one_line(box: str) -> str:
    """What tyro prints in a box, as one line, without the option's help."""
    line = re.sub(r"[\s\u2500-\u257f]+", " ", box).strip()
    line = re.sub(r" Argument helptext:.*?(?= For full helptext|$)", ";", line)
    return re.sub(r"(\d{20})[\d ]{40,}", r"\1...", line)  # numbers of 5,000 digits


def _preset(words: Sequence[str]) -> str | None:
    """The last --preset on the command line."""
    named = None
    for position, word in enumerate(words):
        if word.startswith("--preset="):
            named = word.partition("=")[2]
        elif word == "--preset" and position + 1 < len(words):
            named = words[position + 1]
    return named


def run(task: Callable[[], object], *, resumable: bool = True) -> None:
    """Do what a script is for; bad input ends it with one line on stderr and status 2.

    resumable: whether the command has an option --resume, to be advised when it is stopped.
    """
    advice = ": add --resume to go on from the last epoch kept" if resumable else ""
    stopped = f"\nstopped{advice}"
    with interruptible(stopped):
        try:
            use_compilation_cache()
            use_cores()
            task()
        except UserError as error:
            line, status = f"error: {error}", 2
        except BrokenPipeError:  # whoever read the output has seen enough, as `| head` has
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(PIPE) from None
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            line, status = f"error: {where}{error.strerror or error}; choose another folder", 2
        except KeyboardInterrupt:
            line, status = stopped, STOPPED
        except Exception:
            if AS_SCRIPT:
                end_within(GRACE, 1)
            raise
        else:
            return
    say(line)
    if AS_SCRIPT:
        end_within(GRACE, status)
    raise SystemExit(status)
