"""A fuzz of runs' folders, outside the suite: python -m tests.fuzz_folders --kills 100 --seed 0

Shares the folders of runs, kills these, and looks at what comes of them (`test_bits` damages what
they leave). The runs are made up, of a study's parts around a training that takes no time, so that
most moments are moments of writing; with --studies they are two studies on the digits.

    races        two runs of other settings begun together in one folder: one is refused in one
                 line, the folder is the other's alone
    kills        runs killed at random moments of their work, then resumed, killed again, ...: the
                 rows, arrays and files of a run that nobody stopped, and nothing left over
    operations   the same, killed at chosen operations on files and folders
"""

import argparse
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from jaxadv import folder, results
from jaxadv.leftovers import left_over
from tests.fuzz.runs import Run, made_up, on_the_way, pairs

OPERATIONS = ("replace", "rename", "fsync", "unlink", "mkdir", "rmdir")


def child(work: Callable[[], None], said: Path, before: Callable[[], None] = lambda: None) -> int:
    """A process that does the work, and its number; what it prints goes to the file.

    A fork: what takes longest in so short a run is to import JAX.
    """
    number = os.fork()
    if number:
        return number
    status = 1
    try:
        out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1)
        os.dup2(out, 2)
        before()
        work()
        status = 0
    except SystemExit as ended:
        status = int(ended.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        folder._disown_all()
        os._exit(status)


def ended(number: int) -> int:
    """A process's exit status, negative for the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def content(out: Path) -> tuple[list[results.Row], dict[str, list[object]], list[str]]:
    """A run's rows, arrays, and what lies in its folder but for checkpoints."""
    arrays = dict[str, list[object]]()
    for path in sorted(out.glob("*.npz")):
        with np.load(path) as archive:
            arrays |= {f"{path.name}/{key}": archive[key].tolist() for key in archive.files}
    names = sorted(str(path.relative_to(out)) for path in out.rglob("*"))
    return (
        results.read(out)["rows"],
        arrays,
        [name for name in names if not name.startswith("checkpoints/")],
    )


def fault_of(out: Path, straight: Path) -> str:
    """What of a resumed run is not as in the straight one; nothing if all is."""
    for what, here, there in zip(
        ("rows", "arrays", "files"), content(out), content(straight), strict=True
    ):
        if here != there:
            return f"{what} differ" if what != "files" else f"files {here}"
    if left := list(left_over(out)):
        return f"left over: {left}"
    many = [path for path in out.glob("checkpoints/*") if len(list(path.iterdir())) > 2]
    return f"more than two checkpoints in {many}" if many else ""


def die_after(seconds: float) -> None:
    """Let the kernel end this process after so much work, by a signal that nothing catches."""
    signal.setitimer(signal.ITIMER_PROF, seconds)


def die_at(count: int, counted: Path | None = None) -> None:
    """End this process just before its operation of that number; `counted` gets how many it did."""
    done = [0]
    for name in OPERATIONS:
        usual = getattr(os, name)

        def operation(*given: object, _usual: Callable = usual, **named: object) -> object:
            done[0] += 1
            if done[0] == count:
                os.kill(os.getpid(), signal.SIGKILL)
            if counted is not None:
                counted.write_text(str(done[0]))
            return _usual(*given, **named)

        setattr(os, name, operation)


class Fuzz:
    """Straight runs to compare with, and what went wrong."""

    def __init__(self, place: Path, seed: int, runs: Sequence[Run]) -> None:
        self.place, self.rng, self.runs = place, np.random.default_rng(seed), runs
        self.said, self.faults = place / "said", list[str]()
        self.work = [self._straight(number) for number in range(len(runs))]

    def _straight(self, kind: int) -> float:
        """Run undisturbed, twice, as the first compiles; seconds of a processor for the second."""
        for _ in range(2):
            out = self.place / f"straight-{kind}"
            shutil.rmtree(out, ignore_errors=True)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            status = ended(self._begin(kind, out))
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            assert status == 0, self.said.read_text()
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def _begin(
        self, kind: int, out: Path, death: Callable[[], None] = lambda: None, epochs: int = 3
    ) -> int:
        said = self.said if epochs == 3 else self.place / "said-2"
        return child(
            partial(self.runs[kind], out, out.exists() and epochs == 3, epochs), said, death
        )

    def wrong(self, what: str) -> None:
        """Note a fault, and show what the run said."""
        self.faults.append(what)
        print(f"FAULT {what}\n{self.said.read_text()[-2000:]}", flush=True)

    def races(self, count: int) -> str:
        """Pairs of runs of other settings, the second begun within a run's time of the first."""
        refused = 0
        for number in range(count):
            out, kind = self.place / f"race-{number}", number % len(self.runs)
            first = self._begin(kind, out)
            time.sleep(float(self.rng.uniform(0, 1.2 * self.work[kind])) * (number % 4 > 0))
            second = self._begin(kind, out, epochs=2)
            status = [ended(first), ended(second)]
            said = [path.read_text() for path in (self.said, self.place / "said-2")]
            if sorted(status) != [0, 2] or said[status.index(2)].count("error:") != 1:
                self.wrong(f"race {number}: ended with {status}, saying {said}")
                continue
            loser = status.index(2)
            refused += said[loser].count("\n") == 1
            found = results.read(out)
            if loser == 1 and (why := fault_of(out, self.place / f"straight-{kind}")):
                self.wrong(f"race {number}: {why}")
            if loser == 0 and {row.get("epoch", 2) for row in found["rows"]} - {0, 1, 2}:
                self.wrong(f"race {number}: rows of the refused run")
            shutil.rmtree(out)
        return f"{count} races: the other refused in one line, and no more said, {refused} times"

    def _resumed(self, kind: int, name: str, deaths: Iterator[Callable[[], None]]) -> int:
        """Run, killed by each of the deaths in turn; the kills before the run got through."""
        out, kills = self.place / name, 0
        for death in deaths:
            status = ended(self._begin(kind, out, death))
            if status == 0:
                break
            if status > 0:
                self.wrong(f"{name}: after {kills} kills ended with {status}")
                return kills
            kills += 1
        if why := fault_of(out, self.place / f"straight-{kind}"):
            self.wrong(f"{name}: after {kills} kills {why}")
        shutil.rmtree(out)
        return kills

    def kills(self, count: int) -> str:
        """Random kills, several of one run in a row."""
        done, runs = 0, 0
        while done < count:
            kind = runs % len(self.runs)
            moments = self.rng.uniform(0.02, 1.1, 5) * self.work[kind]
            deaths = [partial(die_after, float(moment)) for moment in moments]
            done += self._resumed(kind, f"killed-{runs}", iter([*deaths, lambda: None]))
            runs += 1
        return f"{done} random kills in {runs} runs"

    def operations(self, count: int) -> str:
        """Kills just before operations on files, evenly spread over all that a run does."""
        counted, done = self.place / "counted", 0
        for kind in range(len(self.runs)):
            out = self.place / "counting"
            ended(self._begin(kind, out, partial(die_at, 0, counted)))
            shutil.rmtree(out)
            whole = int(counted.read_text())
            for number in np.linspace(1, whole, count // len(self.runs)).astype(int).tolist():
                ways = iter((partial(die_at, number), lambda: None))
                done += self._resumed(kind, f"operation-{kind}-{number}", ways)
        return f"{done} kills at operations on files"


def main() -> None:
    """Entry point of the script."""
    parser = argparse.ArgumentParser(description="A fuzz of runs' folders.")
    for name, usual in (("races", 20), ("kills", 100), ("operations", 40)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--studies", action="store_true", help="two studies, not a made-up run")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        fuzz = Fuzz(Path(place), asked.seed, (pairs, on_the_way) if asked.studies else (made_up,))
        for name in ("races", "kills", "operations"):
            if getattr(asked, name):
                begun = time.perf_counter()
                line = getattr(fuzz, name)(getattr(asked, name))
                print(f"{line}, in {time.perf_counter() - begun:.0f} s", flush=True)
    print(f"{len(fuzz.faults)} faults")
    sys.exit(bool(fuzz.faults))


if __name__ == "__main__":
    main()
