"""What all benchmarks share: their settings, the rows they make, the table and the file."""

import math
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import torch
import tyro
from rich.console import Console
from rich.table import Table

from benchmarks.timing import Contestant, Timing, interleaved
from jaxadv import results
from jaxadv.compilation import jit
from jaxadv.errors import UserError
from jaxadv.precision import in_float32

EAGER = "torch eager"
BEGUN = time.monotonic()
PEAK = "jax matmul"  # every case is measured against what this reaches in the same rounds
Row = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """Settings of every benchmark."""

    device: Literal["cpu", "gpu", "tpu"] | None = None
    """Where both sides compute; default what jax finds."""
    out: Path = Path("runs/benchmarks")
    """Folder in which NAME.json is written."""
    rounds: int = 10
    """Measured rounds a case, each contestant once a round; one more before them is thrown away."""
    cases: tuple[str, ...] = ()
    """Only the cases whose names contain one of these words; default all."""
    only: tuple[str, ...] = ()
    """Only the contestants whose names contain one of these words; default all."""
    minutes: float = math.inf
    """No case begins later than so many minutes after the start; those left out are named."""
    devices: int = 1
    """Virtual devices into which a CPU is divided; for the seeds and the matrix."""
    data_dir: Path | None = None
    """Folder of the MNIST files; default $JAXADV_DATA, else ./data. Without: random images."""
    reference: Path | None = None
    """Folder of the published weights; default $JAXADV_REFERENCE. Without: random weights."""

    def chosen(self, case: str) -> bool:
        """Whether to measure this case, now."""
        if self.cases and not _named(case, self.cases):
            return False
        if over := time.monotonic() - BEGUN > 60 * self.minutes:
            print(f"{case}: left out, {self.minutes:.1f} minutes are over", file=sys.stderr)
        return not over

    def takes_part(self, contestant: str) -> bool:
        return not self.only or _named(contestant, self.only)


def parse(name: str, description: str | None, usual: Settings) -> Settings:
    """The command line of `python -m benchmarks.NAME`; both sides then compute on its device."""
    words = {"prog": f"python -m benchmarks.{name}", "description": description}
    settings = tyro.cli(Settings, default=usual, **words)
    if settings.device is not None:
        jax.config.update("jax_platforms", {"gpu": "cuda"}.get(settings.device, settings.device))
    if settings.devices > 1:
        jax.config.update("jax_num_cpu_devices", settings.devices)
    torch.set_num_threads(os.cpu_count() or 1)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return settings


def torch_device() -> torch.device:
    """The device on which PyTorch computes: a GPU if jax has one."""
    return torch.device("cuda" if jax.default_backend() == "gpu" else "cpu")


def finish(value: Any) -> Any:
    """`value` once all its arrays are there."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return jax.block_until_ready(value)


def compiled(function: Callable[..., Any], *arguments: Any, **options: Any) -> tuple[Any, float]:
    """The compiled program of a jax function and the seconds that took, tracing included."""
    begun = time.perf_counter()
    program = jit(function, **options).lower(*arguments).compile()
    return program, time.perf_counter() - begun


def matmul() -> tuple[Contestant, float]:
    """A square float32 product of jax's own, and the operations in it."""
    size = 2048 if jax.default_backend() == "cpu" else 8192
    x = jnp.ones((size, size), jnp.float32)
    product, _ = compiled(in_float32(jnp.matmul), x, x)
    return Contestant(PEAK, lambda: finish(product(x, x))), 2.0 * size**3


def case(
    benchmark: str,
    name: str,
    contestants: Sequence[Contestant],
    settings: Settings,
    *,
    operations: float,
    units: int = 1,
) -> list[Row]:
    """Measure one case: a row a contestant, times per unit of work.

    operations: useful floating-point operations in one unit, the same for all contestants.
    units: how many units one call does.
    """
    chosen = [c for c in contestants if settings.takes_part(c.name)]
    peak, peak_operations = matmul()
    timings = interleaved([*chosen, peak], settings.rounds)
    rate = peak_operations / timings.pop(PEAK).median
    eager = timings.get(EAGER)

    def row(contestant: Contestant, timing: Timing) -> Row:
        values = {
            "median_s": timing.median / units,
            "spread_s": timing.spread / units,
            "ratio_to_eager": eager.median / timing.median if eager else None,
            "compile_s": contestant.compile_s,
            "peak_share": operations * units / timing.median / rate,
            "peak_flops": rate,
        }
        keys = {"benchmark": benchmark, "case": name, "contestant": contestant.name}
        return keys | {key: _rounded(value) for key, value in values.items()}

    rows = [row(contestant, timings[contestant.name]) for contestant in chosen]
    show(rows)
    return rows


def _named(name: str, words: Iterable[str]) -> bool:
    return any(word in name for word in words)


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.4g}")


def _cell(value: float | None, scale: float = 1, digits: int = 2) -> str:
    return "" if value is None else f"{value * scale:.{digits}f}"


def show(rows: Sequence[Row]) -> None:
    """Rows of one case as a table on the terminal."""
    first = rows[0]
    rate = f"{first['peak_flops'] / 1e9:,.0f} GFLOP/s" if first.get("peak_flops") else ""
    table = Table(title=f"{first['benchmark']}: {first['case']}  ({rate})", title_justify="left")
    for column in ("contestant", "median ms", "spread ms", "× eager", "compile s", "% of matmul"):
        table.add_column(column, justify="left" if column == "contestant" else "right")
    for row in rows:
        table.add_row(
            row["contestant"],
            _cell(row["median_s"], 1e3),
            _cell(row["spread_s"], 1e3),
            _cell(row["ratio_to_eager"]),
            _cell(row["compile_s"]),
            _cell(row["peak_share"], 100, 1),
        )
    console = Console()
    console.print(table, width=max(console.width, 90))


def write(benchmark: str, rows: Sequence[Row], settings: Settings) -> None:
    """Write `out/BENCHMARK.json`."""
    path = settings.out / f"{benchmark}.json"
    versions = {"torch": torch.__version__}
    made_in = results.environment() | {
        "torch_threads": torch.get_num_threads(),
        "torch_device": str(torch_device()),
        "dtype": "float32",
        "rounds": settings.rounds,
    }
    made_in["versions"] |= versions
    content = {"benchmark": benchmark, "environment": made_in, "rows": list(rows)}
    results.write_json(path, content)
    print(path)


def checked(rows: list[Row], settings: Settings) -> list[Row]:
    """The rows, of which there must be some.

    Raises:
        UserError: if no case was chosen, or none in time.
    """
    if not rows:
        words = " ".join(settings.cases)
        raise UserError(f"--cases {words} --minutes {settings.minutes:g}: no case was measured")
    return rows


def main(
    name: str,
    description: str | None,
    measure: Callable[[Settings], list[Row]],
    usual: Settings = Settings(),
) -> None:
    """Entry point of a benchmark: measure, write; a mistake in the input is one line, status 2."""
    try:
        settings = parse(name, description, usual)
        write(name, checked(measure(settings), settings), settings)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
