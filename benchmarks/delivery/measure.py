"""One load on one server: the generator is run, and what it reports becomes measures."""

import json
import subprocess
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.delivery.loads import Load
from benchmarks.delivery.servers import GENERATOR_CORE, SERVERS, Running, Server, on_core, running
from benchmarks.delivery.tools import HERE, ToolError, compiled

__all__ = ("NEVER", "Measures", "generate", "generator", "measures_of", "run")

#: what was measured in one run, by name: numbers only, so that runs can be kept as JSON
Measures = Mapping[str, float]

#: s that a run may take beside what it measures: connecting, and getting what is in flight at its end
OVERHEAD_LIMIT: Final = 240

#: s between two looks at the server's sockets; until the sockets of clients that left must be closed
WATCH_INTERVAL: Final = 0.1
LEAVE_LIMIT: Final = 30

#: s: of what did not happen at all; JSON has no infinity
NEVER: Final = 1e9

KB: Final = 1024
MIB: Final = 1024 * 1024

_ERRORS: Final = ("bad", "doubled", "disordered", "lost", "cut", "skipped")


def generator() -> Path:
    """The load generator, compiled.

    Raises:
        ToolError: It cannot be.
    """
    return compiled(HERE / "generator.c", "-lz", "-lm")


def generate(server: Server, place: Running, options: tuple[str, ...], seconds: float) -> dict[str, Any]:
    """Put a load on a server; the generator's report.

    Raises:
        ToolError: The generator could not do its work; with what it says.
    """
    command = [
        str(generator()), *options, *server.options, "--seconds", str(seconds), "--pid", str(place.pid),
        "127.0.0.1", str(place.port), server.path,
    ]  # fmt: skip
    with on_core(GENERATOR_CORE):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        printed, complaint = process.communicate(timeout=seconds + OVERHEAD_LIMIT)
    except subprocess.TimeoutExpired:
        raise ToolError(f"{' '.join(command)} does not end") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode:
        raise ToolError(f"{' '.join(command)}:\n{complaint}")
    report: dict[str, Any] = json.loads(printed)
    return report


def run(load: Load, name: str, seconds: float) -> Measures:
    """A server that is started for this, put under a load, and ended.

    Raises:
        ToolError: A tool failed, or the server does not serve.
    """
    server = SERVERS[name]
    with running(server) as place:
        if load.is_idle:
            return _idle(load, server, place, seconds)
        sockets = _Sockets(place.port) if load.is_watched else None
        try:
            measures = measures_of(generate(server, place, load.options, seconds))
        finally:
            if sockets is not None:
                sockets.stop()
        if sockets is not None:
            measures["gone since"] = sockets.gone_since()
        return measures


def measures_of(report: Mapping[str, Any]) -> dict[str, float]:
    """The generator's report, in the units of the tables: µs, ms, KB for each connection, MiB, %."""
    memory, connections = report["memory"], report["connections"]
    measures = {
        "errors": float(sum(report[kind] for kind in _ERRORS)),
        "opening": report["open_seconds"],
        "opening cpu": report["opening"]["cpu"] * 1e6 / connections,
        "memory": (memory["joined"] - memory["before"]) / KB / connections,
    }
    if "measured" not in report:
        measures["errors"] += connections - report["left"]
        return measures
    measured, seconds, deliveries = report["measured"], report["seconds"], report["deliveries"]
    ticks = (measured["user"] + measured["system"]) or 1.0
    measures |= {
        "cpu": measured["cpu"] * 1e6 / max(deliveries, 1),
        "user": measured["user"] / ticks * 100,
        "rate": deliveries / seconds,
        "p50": report["p50"],
        "p99": report["p99"],
        "busy": measured["cpu"] / seconds * 100,
        "waited": measured["waited"] / seconds * 100,
        "generator": measured["generator"] / seconds * 100,
        "grown": (memory["end"] - memory["joined"]) / MIB,
        "most": (memory["most"] - memory["joined"]) / MIB,
    }
    if stalled := report["stalled"]:
        measures["not reset"] = float(sum(not client["reset"] for client in stalled))
        measures["gone"] = max(client["seconds"] if client["gone"] else NEVER for client in stalled)
    return measures


def _idle(load: Load, server: Server, place: Running, seconds: float) -> Measures:
    """Twice the same clients: a server that frees what they took is not larger for the second ones."""
    before = place.descriptors
    measures = measures_of(first := generate(server, place, load.options, seconds))
    measures["kept"] = _kept(place, before)
    if measures["kept"]:
        return {**measures, "regrown": NEVER}
    second = generate(server, place, load.options, seconds)
    measures["errors"] += measures_of(second)["errors"]
    measures["regrown"] = second["memory"]["joined"] / first["memory"]["joined"]
    return measures


def _kept(place: Running, before: int) -> float:
    limit = time.monotonic() + LEAVE_LIMIT
    while (more := place.descriptors - before) > 0 and time.monotonic() < limit:
        time.sleep(WATCH_INTERVAL)
    return float(max(more, 0))


class _Sockets(threading.Thread):
    """Watches how much the server's sockets hold, and when each of those that went last took something."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self._suffix = f":{port:04X}"
        self._held: dict[str, int] = {}
        self._took_at: dict[str, float] = {}
        self._gone: list[float] = []
        self._ended = threading.Event()
        self.start()

    def run(self) -> None:
        """Look until told to stop."""
        while not self._ended.wait(WATCH_INTERVAL):
            self._look(time.monotonic())

    def stop(self) -> None:
        """Look no more. What left together with the generator does not count."""
        self._ended.set()
        self.join()

    def gone_since(self) -> float:
        """The longest that a socket that is gone had taken nothing, in s; ``NEVER``: none is gone."""
        return max(self._gone, default=NEVER)

    def _look(self, now: float) -> None:
        held: dict[str, int] = {}
        for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
            _, local, remote, state, queues, *_ = line.split()
            if local.endswith(self._suffix) and state == "01":  # established
                held[remote] = int(queues.partition(":")[0], 16)
        for remote, size in held.items():
            if size > self._held.get(remote, -1) or size == 0:
                self._took_at[remote] = now
        for remote in self._held.keys() - held.keys():
            self._gone.append(now - self._took_at[remote])
        self._held = held
