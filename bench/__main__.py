"""Run the benchmarks on a stack of their own, print one table, and keep the figures as JSON with the machine's facts.

``make bench``, or ``python -m bench memory --memory-seconds 600``. ``BENCH_ONLY``, ``BENCH_EVENTS``,
``BENCH_MEMORY_SECONDS`` and ``BENCH_RATE_SECONDS`` say the same where no argument does.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Options:
    """What is measured: the parts, in order, the events of each measurement, and for how long."""

    parts: list[str]
    events: int
    memory_seconds: float
    rate_seconds: int


# Parts are imported when they run: asking for help loads none of them, nor NumPy, nor Arrow.


def _start(connection: Any, _: Path, __: Options) -> Rows:
    from bench import start

    return start.run(connection)


def _produce(connection: Any, _: Path, options: Options) -> Rows:
    from bench import produce

    return produce.run(connection, options.events)


def _codec(_: Any, __: Path, options: Options) -> Rows:
    from bench import codec

    return codec.run(options.events)


def _naive(connection: Any, _: Path, options: Options) -> Rows:
    from bench import naive

    return naive.run(connection, options.events)


def _faults(connection: Any, _: Path, options: Options) -> Rows:
    from bench import faults

    return faults.run(connection, options.events)


def _memory(connection: Any, _: Path, options: Options) -> Rows:
    from bench import memory

    return memory.run(connection, options.memory_seconds)


def _load(connection: Any, folder: Path, options: Options) -> Rows:
    from bench import load

    return load.run(connection, options.events, folder)


def _follow(connection: Any, folder: Path, options: Options) -> Rows:
    from bench import follow

    return follow.run(connection, options.memory_seconds, folder)


def _pipeline(connection: Any, folder: Path, options: Options) -> Rows:
    from bench import pipeline

    return pipeline.run(connection, options.events, folder)


def _lake(connection: Any, folder: Path, options: Options) -> Rows:
    from bench import lake

    return lake.run(connection, options.events, folder)


def _rate(connection: Any, _: Path, options: Options) -> Rows:
    from bench import rate

    return rate.run(connection, seconds=options.rate_seconds)


PARTS: dict[str, tuple[str, Callable[[Any, Path, Options], Rows]]] = {
    "start": ("from the command to the first record in the topic", _start),
    "produce": ("each scenario, by one process and by two; customer_events against ProducerPerformance", _produce),
    "codec": ("orders with a decimal and a union against without: encoded and decoded", _codec),
    "naive": ("customer_events against Faker, AvroSerializer and a loop", _naive),
    "faults": ("each scenario with injected faults against itself without", _faults),
    "memory": ("resident memory at full speed, and whether it grows", _memory),
    "load": ("Kafka to durable DuckDB against DuckDB's own INSERT", _load),
    "follow": ("`load --follow` at 10,000 events a second: delay to the commit, and memory", _follow),
    "pipeline": ("`audit --at` on what a pipeline stored: rate, and memory below 1 GB", _pipeline),
    "lake": ("`lake` with Spark against our loader, on the same topic; needs `make lake`", _lake),
    "rate": ("each load shape at 10,000 events a second, second by second", _rate),
}
# Its rows are not ratios: each second of a load shape against what was due.
CONTRACT = "rate"
# What a part needs beside Kafka and the registry.
COMPONENTS = {"pipeline": "postgres"}


def options(arguments: Sequence[str] | None = None) -> Options:
    """Return what the command line and the environment ask for; ends the process with 2 if that cannot be."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure on a stack of its own, as ratios of one run. Without parts, all are measured.",
        epilog="parts:\n" + "\n".join(f"  {name:10}{says}" for name, (says, _) in PARTS.items()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    asked = [name for name in os.environ.get("BENCH_ONLY", "").split(",") if name]
    parser.add_argument("parts", nargs="*", metavar="PART", default=asked, help="what to measure; BENCH_ONLY")
    for flag, variable, kind, default, says in (
        ("--events", "BENCH_EVENTS", int, "1000000", "events of each measurement"),
        ("--memory-seconds", "BENCH_MEMORY_SECONDS", float, "20", "how long memory is watched"),
        ("--rate-seconds", "BENCH_RATE_SECONDS", int, "12", "length of each load shape"),
    ):
        value = os.environ.get(variable, default)
        parser.add_argument(flag, type=_positive(kind), default=value, metavar="N", help=f"{says}; {variable}, {value}")
    found = parser.parse_args(arguments)
    strange = [name for name in found.parts if name not in PARTS]
    if strange:
        parser.error(f"there is no part {', '.join(strange)}; there are {', '.join(PARTS)}")
    return Options(found.parts or list(PARTS), found.events, found.memory_seconds, found.rate_seconds)


def _positive(kind: type[int] | type[float]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"{text} is not above 0")
        return value

    read.__name__ = kind.__name__  # what argparse calls it when it is none
    return read


def main() -> int:
    """Measure, print, keep. Returns 1 when a goal is missed."""
    asked = options()
    from bench import rate
    from bench.broker import private_stack
    from bench.machine import facts

    machine = facts()
    results: Rows = []
    contract: Rows = []
    components = [COMPONENTS[name] for name in asked.parts if name in COMPONENTS]
    with (
        tempfile.TemporaryDirectory(prefix="streamproof-bench-") as folder,
        private_stack(Path(folder), components) as connection,
    ):
        for name in asked.parts:
            sys.stdout.write(f"measuring {name}\n")
            sys.stdout.flush()
            _, measure = PARTS[name]
            (contract if name == CONTRACT else results).extend(measure(connection, Path(folder), asked))
    console = Console(width=None if sys.stdout.isatty() else 160)
    for table in ([_table(results, asked.events)] if results else []) + ([rate.table(contract)] if contract else []):
        console.print(table)
    sys.stdout.write(f"kept in {_keep(results, contract, machine, asked.events)}\n")
    met = [_met(result) is not False for result in results] + [row["met"] for row in contract]
    return 0 if all(met) else 1


def _met(result: dict[str, Any]) -> bool | None:
    return None if result["goal"] is None else result["ratio"] >= result["goal"]


def _table(results: Rows, events: int) -> Table:
    table = Table("path", "ours", "reference", "ratio", "goal", title=f"{events:,} events, one run, one broker")
    colours = {True: "green", False: "red", None: "default"}
    for result in results:
        ours, reference = result.get("ours"), result.get("limit")
        table.add_row(
            result["path"],
            ours or _per_second(result, "ours"),
            f"{result['reference']}: {reference or _per_second(result, 'reference')}",
            f"[{colours[_met(result)]}]{result['ratio']:.2f}x[/]",
            "" if result["goal"] is None else f"{result['goal']:.2f}x",
        )
    return table


def _per_second(result: dict[str, Any], whose: str) -> str:
    megabytes = result.get(f"{whose}_mb_per_s")
    return f"{result[f'{whose}_per_s']:,.0f} /s" + (
        f", {megabytes:,.{0 if megabytes > 10 else 1}f} MB/s" if megabytes else ""
    )


def _keep(results: Rows, contract: Rows, machine: dict[str, Any], events: int) -> Path:
    folder = Path(__file__).parents[1] / "var" / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    path = folder / f"{now:%Y%m%dT%H%M%SZ}.json"
    kept = {"at": now.isoformat(), "events": events, "machine": machine, "results": results, "rate_contract": contract}
    path.write_text(json.dumps(kept, indent=2))
    return path


if __name__ == "__main__":
    sys.exit(main())
