"""A fuzz of runs' folders, outside the suite: python -m tests.fuzz_folders --kills 100 --seed 0

Shares folders of small runs on the digits and kills their runs, and looks at what comes of them
(`test_bits` damages what they leave):

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
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from experiments import decorrelated_pairs, dverge, train
from jaxadv import folder, results
from jaxadv.leftovers import left_over

FEW = "--preset smoke --seeds 1 --strengths 0.05 --attacks fgsm --balls linf --eps 0.1"
PAIRS = (decorrelated_pairs, f"{FEW} --epochs 4 --save-adversarial 2")
DVERGE = (dverge, f"{FEW} --epochs 2 --dverge-epochs 3 --dverge-steps 2")
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
        train.PAUSE = 0.0  # every epoch has its checkpoint
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


def script(module: object, words: str) -> Callable[[], None]:
    """A study's script with these words on its command line."""

    def run() -> None:
        sys.argv = ["script", *words.split()]
        module.main()  # type: ignore[attr-defined]

    return run


def study(kind: tuple[object, str], out: Path, words: str = "") -> Callable[[], None]:
    """One of the small runs into a folder."""
    return script(kind[0], f"{kind[1]} --out {out} {words}")


def content(out: Path) -> tuple[list[results.Row], dict[str, list[object]], list[str]]:
    """A run's rows, arrays, and what lies in its folder but for checkpoints."""
    arrays = {}
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
    """Straight runs to compare with, and a count of what went wrong."""

    def __init__(self, place: Path, seed: int) -> None:
        self.place, self.rng, self.faults = place, np.random.default_rng(seed), list[str]()
        self.said, self.straight, self.work = place / "said", dict[int, Path](), dict[int, float]()
        for number, kind in enumerate((PAIRS, DVERGE)):
            for _ in range(2):  # the first compiles
                out = place / f"straight-{number}"
                shutil.rmtree(out, ignore_errors=True)
                used = resource.getrusage(resource.RUSAGE_CHILDREN)
                status = ended(child(study(kind, out), self.said))
                assert status == 0, self.said.read_text()
                now = resource.getrusage(resource.RUSAGE_CHILDREN)
            self.straight[number] = out
            self.work[number] = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime

    def wrong(self, what: str) -> None:
        self.faults.append(what)
        print(f"FAULT {what}\n{self.said.read_text()[-2000:]}", flush=True)

    def races(self, count: int) -> str:
        """Pairs of runs, the second begun up to two seconds of work after the first."""
        refused = 0
        for number in range(count):
            out, said = self.place / f"race-{number}", [self.said, self.place / "said-2"]
            first = child(study(PAIRS, out), said[0])
            time.sleep(float(self.rng.uniform(0, 1.5 * self.work[0])) * (number % 4 > 0))
            second = child(study(PAIRS, out, "--epochs 3"), said[1])
            status = [ended(first), ended(second)]
            lines = [each.read_text().splitlines() for each in said]
            loser = status.index(2) if sorted(status) == [0, 2] else -1
            if loser < 0 or sum("error:" in line for line in lines[loser]) != 1:
                self.wrong(f"race {number}: ended with {status}")
                continue
            refused += len(lines[loser]) == 1
            found = results.read(out)
            if found["config"]["epochs"] != (3 if loser == 0 else 4):
                self.wrong(f"race {number}: the folder is the refused run's")
            elif loser == 1 and fault_of(out, self.straight[0]):
                self.wrong(f"race {number}: {fault_of(out, self.straight[0])}")
            shutil.rmtree(out)
        return f"{count} races: the other refused in one line {refused} times"

    def _resumed(self, kind: int, name: str, deaths: Iterator[Callable[[], None]]) -> int:
        """Run, killed by each of the deaths in turn; the kills before the run got through."""
        out, kills = self.place / name, 0
        for death in deaths:
            words = "--resume" if out.exists() else ""
            status = ended(child(study((PAIRS, DVERGE)[kind], out, words), self.said, death))
            if status == 0:
                break
            if status >= 0:
                self.wrong(f"{name}: after {kills} kills ended with {status}")
                return kills
            kills += 1
        if why := fault_of(out, self.straight[kind]):
            self.wrong(f"{name}: after {kills} kills {why}")
        shutil.rmtree(out)
        return kills

    def kills(self, count: int) -> str:
        """Random kills, several of one run in a row."""
        done, runs = 0, 0
        while done < count:
            kind = runs % 2

            def deaths(kind: int = kind) -> Iterator[Callable[[], None]]:
                for _ in range(4):
                    yield partial(die_after, float(self.rng.uniform(0.05, 1.1 * self.work[kind])))
                yield lambda: None

            done += self._resumed(kind, f"killed-{runs}", deaths())
            runs += 1
        return f"{done} random kills in {runs} runs"

    def operations(self, count: int) -> str:
        """Kills just before operations on files, evenly spread over all that a run does."""
        counted, done = self.place / "counted", 0
        for kind in (0, 1):
            out = self.place / "counting"
            before = partial(die_at, 0, counted)
            ended(child(study((PAIRS, DVERGE)[kind], out), self.said, before))
            shutil.rmtree(out)
            whole = int(counted.read_text())
            for number in np.linspace(1, whole, count // 2).astype(int).tolist():
                ways = iter((partial(die_at, number), lambda: None))
                done += self._resumed(kind, f"operation-{kind}-{number}", ways)
        return f"{done} kills at operations on files"


def main() -> None:
    """Entry point of the script."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, usual in (("races", 20), ("kills", 100), ("operations", 40)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        fuzz = Fuzz(Path(place), asked.seed)
        for name in ("races", "kills", "operations"):
            if getattr(asked, name):
                begun = time.perf_counter()
                line = getattr(fuzz, name)(getattr(asked, name))
                print(f"{line}, in {time.perf_counter() - begun:.0f} s", flush=True)
    print(f"{len(fuzz.faults)} faults")
    sys.exit(bool(fuzz.faults))


if __name__ == "__main__":
    main()
