"""Delivery: what it costs to send a message to a room, on wsf and on its peers.

Every server meets the same loads in turns, round by round, on a core of its own; the clients are one C
program on another core, which compares every delivery with what was sent. What is printed are medians over
the rounds, what wsf is to reach, and whether it does. Everything is on the loopback interface, and ends by
itself.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from benchmarks.delivery.loads import LOADS
from benchmarks.delivery.measure import Measures, generator, run
from benchmarks.delivery.picture import svg
from benchmarks.delivery.servers import GENERATOR_CORE, SERVER_CORE
from benchmarks.delivery.table import errors_of, markdown, results_of, terminal
from benchmarks.delivery.tools import ToolError, node_modules, peers_python

MAX_ROUNDS: Final = 25

#: files that 10,000 connections need, on either side
FILES: Final = 11_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and print; the exit status: 0, or 1 if something was lost, or in the way."""
    options = _options(arguments)
    try:
        kept = _kept(options.show) if options.show else _measured(options)
    except (ToolError, OSError) as error:
        print(f"benchmarks.delivery: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # servers and generator have been ended on the way here
        return 1
    if options.json:
        options.json.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    results = results_of(kept["runs"])
    if options.picture:
        options.picture.write_text(svg(results), encoding="utf-8")
    print(markdown(results) if options.markdown else terminal(results))
    print(f"\n{_circumstances(kept['about'])}")
    errors = [*errors_of(results), *kept["failed"]]
    for line in errors:
        print(f"benchmarks.delivery: {line}", file=sys.stderr)
    return 1 if errors else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.delivery",
        description="What a delivery costs on wsf, and on its peers.",
    )
    parser.add_argument(
        "--rounds", type=int, default=5, choices=range(1, MAX_ROUNDS + 1), metavar="N",
        help=f"how often each server meets each load, 1 to {MAX_ROUNDS} (default: 5)",
    )  # fmt: skip
    parser.add_argument(
        "--seconds", type=float, default=1.0, metavar="S",
        help="how long a run measures (default: 1); below 1, the long loads are shortened by as much",
    )  # fmt: skip
    parser.add_argument("--only", action="append", choices=list(LOADS), help="only this load (repeatable)")
    parser.add_argument("--no-others", action="store_true", help="only the servers that a figure needs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep the whole run in a file")
    parser.add_argument("--show", type=Path, metavar="FILE", help="measure nothing: print what was kept")
    parser.add_argument("--markdown", action="store_true", help="print what docs/performance.md shows")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the run, as SVG")
    return parser.parse_args(arguments)


def _kept(file: Path) -> dict[str, Any]:
    """What an earlier run wrote."""
    kept: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return kept


def _measured(options: argparse.Namespace) -> dict[str, Any]:
    _prepare()
    began = time.monotonic()
    runs: list[dict[str, Any]] = []
    failed: list[str] = []
    for number in range(options.rounds):
        for load, server in _pairs(number, options):
            _progress(f"round {number + 1} of {options.rounds}: {load}, {server}")
            try:
                measures = _run(load, server, options.seconds)
            except ToolError as error:  # the others go on, and the exit status tells
                failed.append(f"{load}, {server}: {error}")
            else:
                runs.append({"load": load, "server": server, "round": number, "measures": measures})
    _progress("")
    about = {**_machine(), "rounds": options.rounds, "took": round(time.monotonic() - began)}
    return {"about": about, "runs": runs, "failed": failed}


def _pairs(number: int, options: argparse.Namespace) -> list[tuple[str, str]]:
    """Who meets what in a round. Nobody is always the first."""
    pairs: list[tuple[str, str]] = []
    for name, load in LOADS.items():
        if (options.only and name not in options.only) or (load.once and number > 0):
            continue
        with_others = number % 2 == 0 and not options.no_others
        servers = [*load.servers, *(load.others if with_others else ())]
        by = number % max(len(servers), 1)
        pairs += [(name, server) for server in servers[by:] + servers[:by]]
    return pairs


def _run(name: str, server: str, seconds: float) -> Measures:
    load = LOADS[name]
    return run(load, server, seconds if load.seconds is None else load.seconds * min(seconds, 1))


def _prepare() -> None:
    """Fetch and compile what is needed, before anything is measured.

    Raises:
        ToolError: Something cannot be had here.
    """
    if not {SERVER_CORE, GENERATOR_CORE} <= _cores():
        raise ToolError("the server and its clients need a core each: this process may not use cores 0 and 1")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < FILES:
        raise ToolError(f"10,000 connections need {FILES} files: `ulimit -Hn` allows {most}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # for the servers: children inherit it
    _progress("compiling the generator, installing the peers")
    generator()
    peers_python()
    node_modules()


def _cores() -> set[int]:
    if sys.platform != "linux":
        raise ToolError("the clients wait with epoll, and CPU time is read from /proc: this needs Linux")
    return os.sched_getaffinity(0)


def _machine() -> dict[str, Any]:
    """What one must know to compare these figures with others."""
    found = {
        "Python": platform.python_version(),
        "aiohttp": version("aiohttp"),
        **_versions_of_peers(),
        "Node.js": _first_line("node", "--version").removeprefix("v"),
        "cc": _first_line("cc", "--version"),
    }
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "versions": found,
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "processors": os.cpu_count(),
        "load": [round(one, 2) for one in os.getloadavg()],
    }


def _versions_of_peers() -> dict[str, str]:
    names = ("starlette", "uvicorn", "uvloop", "fastapi", "python-socketio", "websockets", "picows")
    script = "import importlib.metadata as m, sys; print(*map(m.version, sys.argv[1:]))"
    found = _first_line(str(peers_python()), "-c", script, *names).split()
    about = json.loads((node_modules() / "ws" / "package.json").read_text(encoding="utf-8"))
    return {**dict(zip(names, found, strict=True)), "ws": about["version"]}


def _first_line(*command: str) -> str:
    printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout
    return printed.partition("\n")[0].strip()


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown"
    )


def _circumstances(about: Mapping[str, Any]) -> str:
    tools = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    return (
        f"{about['date']}: {tools}; {about['system']}, {about['processors']} x {about['processor']}, load "
        f"{' '.join(map(str, about['load']))}. rounds: {about['rounds']}, in {about['took']} s."
    )


def _progress(words: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\033[K{words}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
