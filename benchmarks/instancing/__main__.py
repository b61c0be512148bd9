"""The blog's experiment: which InstanceContextMode is the most responsive and reliable?

Four hosts, one for each mode, are put under the same four loads by thor, the blog's tool, in turns: round
by round, load by load, mode by mode, so that a machine that is slow for a minute is slow for all. What is
printed are medians over the rounds. Everything is on the loopback interface and ends by itself.
"""

import argparse
import asyncio
import os
import platform
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks.instancing import services, thor
from benchmarks.instancing.hosts import Host, serving
from benchmarks.instancing.listeners import listening
from benchmarks.instancing.price import price_of
from benchmarks.instancing.table import Measure, Results, Shape, markdown, terminal

MODES: Final[dict[str, type]] = {
    "Single": services.Single,
    "PerSession": services.PerSession,
    "PerCall": services.PerCall,
    "Single + Multiple": services.SingleMultiple,
}

SHAPES: Final = (
    Shape("chat", "The blog's chat; each message goes to its sender.", "chat", 500, 20),
    Shape(
        "room", "The same with nine silent listeners: each message goes to ten.", "chat", 50, 40, listeners=9
    ),
    Shape("echo", "An operation that keeps nothing: the price of instancing alone.", "echo", 100, 50),
    Shape("query", "The echo after 5 ms, as if a database had been asked.", "query", 50, 10),
)

MAX_ROUNDS: Final = 25


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and print; the exit status: 0, or 1 if something was in the way."""
    options = _options(arguments)
    shapes = [shape for shape in SHAPES if not options.load or shape.name in options.load]
    try:
        if not Path("/proc/self/schedstat").exists():
            raise thor.ToolError(
                "a host's CPU time is read from Linux's /proc/PID/schedstat: there is none here"
            )
        thor.install()
        began = time.monotonic()
        results = asyncio.run(_measure(shapes, options.rounds))
    except (thor.ToolError, RuntimeError) as error:
        print(f"benchmarks.instancing: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # hosts and thor have been ended on the way here
        return 1
    print(markdown(results) if options.markdown else terminal(results))
    print(f"\n{_prices()}\n\n{_circumstances(options.rounds, time.monotonic() - began)}")
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.instancing",
        description="The blog's experiment, on wsf: which InstanceContextMode is the most responsive?",
    )
    parser.add_argument(
        "--rounds", type=int, default=5, choices=range(1, MAX_ROUNDS + 1), metavar="N",
        help=f"how often each mode meets each load, 1 to {MAX_ROUNDS} (default: 5)",
    )  # fmt: skip
    parser.add_argument(
        "--load",
        action="append",
        choices=[shape.name for shape in SHAPES],
        help="only this load (repeatable)",
    )
    parser.add_argument("--markdown", action="store_true", help="print what docs/instancing.md shows")
    return parser.parse_args(arguments)


async def _measure(shapes: Sequence[Shape], rounds: int) -> Results:
    results: dict[Shape, dict[str, list[Measure]]] = {shape: {name: [] for name in MODES} for shape in shapes}
    async with AsyncExitStack() as stack:
        hosts = {name: await stack.enter_async_context(serving(mode)) for name, mode in MODES.items()}
        for number in range(rounds + 1):  # the first warms up, and counts for nothing
            for shape in shapes:
                for name in _rotated(list(MODES), number):
                    _progress(f"round {number} of {rounds}: {shape.name}, {name}")
                    measure = await _run(hosts[name], shape)
                    if number:
                        results[shape][name].append(measure)
    _progress("")
    return results


def _rotated(names: list[str], by: int) -> list[str]:
    """Nobody is always the first."""
    by %= len(names)
    return names[by:] + names[:by]


async def _run(host: Host, shape: Shape) -> Measure:
    address = host.addresses[shape.path]
    async with listening(address, shape.listeners) as listeners:
        before = host.cpu_time()
        report = await thor.run(address, shape.clients, shape.messages)
        await listeners.hear(shape.total)
    content = await host.all_left(report.connected + shape.listeners)
    cpu = host.cpu_time() - before
    # thor is content with a connection that the host has closed: only the host's log tells
    failed = max(report.failed, shape.clients - content)
    return Measure(cpu * 1e6 / shape.total, report.p50, report.p95, report.p99, failed)


def _progress(words: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{words}", end="", file=sys.stderr, flush=True)


def _prices() -> str:
    prices = ", ".join(f"{name} {price_of(mode):.1f}" for name, mode in MODES.items())
    return f"The way through a service object alone, in µs a call: {prices}."


def _circumstances(rounds: int, seconds: float) -> str:
    """What one must know to compare these figures with others."""
    found = {"Python": platform.python_version(), "aiohttp": version("aiohttp"), **thor.versions()}
    tools = ", ".join(f"{name} {number}" for name, number in found.items())
    return (
        f"{datetime.now(UTC):%Y-%m-%d}: {tools}, {platform.system()} {platform.release()}, "
        f"{os.cpu_count()} processors. rounds: {rounds}, in {seconds:.0f} s."
    )


if __name__ == "__main__":
    sys.exit(main())
