"""Who is measured: wsf as it is shipped, and the peers. Each runs in a process of its own, on one core."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from attrs import frozen

from benchmarks.delivery.tools import PEERS, ToolError, compiled, node_modules, peers_python

__all__ = ("GENERATOR_CORE", "SERVERS", "SERVER_CORE", "Running", "Server", "on_core", "running")

ROOT: Final = Path(__file__).parents[2]

#: the server has one core for itself, and so has the generator
SERVER_CORE: Final = 0
GENERATOR_CORE: Final = 1

#: s until a server must listen, and must have ended
START_LIMIT: Final = 30
STOP_LIMIT: Final = 15

#: characters of a server's log that are shown when something is wrong
LOG_SHOWN: Final = 2000

Command = Callable[[Path, int], list[str]]


@frozen
class Server:
    """One who is measured.

    Attributes:
        about: What the tables say of it.
        command: How it is started, from a folder for its files and a port.
        path: Where clients connect.
        options: What the generator must know to speak with it.
    """

    about: str
    command: Command
    path: str = "/"
    options: tuple[str, ...] = ()


@frozen
class Running:
    """A server that listens."""

    pid: int
    port: int

    @property
    def descriptors(self) -> int:
        """How many files it has open: sockets are most of them."""
        return sum(1 for _ in Path("/proc", str(self.pid), "fd").iterdir())


def _wsf(service: str, contract: str, change: Callable[[dict[str, Any]], None] | None = None) -> Command:
    """``python -m wsf.host`` with the shipped config/app.yaml: the port and the service are others."""

    def command(folder: Path, port: int) -> list[str]:
        configuration = yaml.safe_load((ROOT / "config" / "app.yaml").read_text(encoding="utf-8"))
        (configured,) = configuration["services"]
        (endpoint,) = configured["endpoints"]
        configured["name"] = service
        endpoint |= {"address": f"http://127.0.0.1:{port}/chatservice", "contract": contract}
        if change is not None:
            change(configuration)
        file = folder / "app.yaml"
        file.write_text(json.dumps(configuration), encoding="utf-8")  # which is YAML, too
        return [sys.executable, "-m", "wsf.host", str(file)]

    return command


def _settings(configuration: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = configuration["bindings"]["customBinding"][0]["httpTransport"][
        "webSocketSettings"
    ]
    return found


def _without_notification(configuration: dict[str, Any]) -> None:
    """It has no body, and the echo takes nothing but data contracts."""
    del _settings(configuration)["createNotificationOnConnection"]


def _calls(configuration: dict[str, Any]) -> None:
    """JSON-RPC in place of the byte stream."""
    _without_notification(configuration)
    (binding,) = configuration["bindings"]["customBinding"]
    transport = binding.pop("httpTransport")  # which stands last
    del binding["byteStreamMessageEncoding"]
    binding |= {"jsonRpcMessageEncoding": {}, "httpTransport": transport}


def _deflating(configuration: dict[str, Any]) -> None:
    _settings(configuration)["permessageDeflate"] = True


#: s and bytes of the row that shows the watchdog alone: with the shipped bound, the bound is met first
WATCHDOG_TIMEOUT: Final = 2
_UNBOUNDED: Final = "256MiB"


def _watched(configuration: dict[str, Any]) -> None:
    configuration["bindings"]["customBinding"][0]["sendTimeout"] = f"{WATCHDOG_TIMEOUT}s"
    behavior = configuration["behaviors"]["serviceBehaviors"][0]
    behavior["outbox"] |= {"maxBytes": _UNBOUNDED, "maxMessages": 1_000_000}


def _python(name: str) -> Command:
    return lambda _, port: [str(peers_python()), str(PEERS / f"{name}.py"), str(port)]


def _node(_: Path, port: int) -> list[str]:
    return ["env", f"NODE_PATH={node_modules()}", "node", str(PEERS / "ws_room.js"), str(port)]


def _floor(_: Path, port: int) -> list[str]:
    return [str(compiled(PEERS / "floor.c")), str(port)]


_CHAT: Final = "chatservice.ChatServiceImplementation", "chatservice.ChatService"
_ECHO: Final = "benchmarks.delivery.echo.EchoService", "benchmarks.delivery.echo.Echo"
_CALL: Final = "benchmarks.delivery.call.CallService", "benchmarks.delivery.call.Call"
_SORTED: Final = ("--sorted",)  # a data contract's members have an order

SERVERS: Final[Mapping[str, Server]] = {
    "wsf": Server("the chat as shipped", _wsf(*_CHAT), "/chatservice"),
    "wsf, seed's loop": Server(
        "the blog's own loop over stored callbacks",
        _wsf("benchmarks.seed_loop.SeedLoop", _CHAT[1]),
        "/chatservice",
    ),
    "wsf, echo": Server(
        "a data contract in, a callback out", _wsf(*_ECHO, _without_notification), "/chatservice", _SORTED
    ),
    "wsf, call": Server(
        "a typed call over JSON-RPC, a data contract in and out",
        _wsf(*_CALL, _calls),
        "/chatservice",
        (*_SORTED, "--call", "json-rpc"),
    ),
    "wsf, deflate": Server(
        "the chat with permessageDeflate", _wsf(*_CHAT, _deflating), "/chatservice", ("--deflate",)
    ),
    "wsf, watchdog": Server(
        f"the chat with sendTimeout {WATCHDOG_TIMEOUT} s and bounds that nobody meets",
        _wsf(*_CHAT, _watched),
        "/chatservice",
    ),
    "aiohttp": Server("its documentation's loop of send_str", _python("aiohttp_room")),
    "aiohttp, echo": Server("json.loads, and send_str", _python("aiohttp_echo")),
    "aiohttp, deflate": Server("the same loop, compressing", _python("aiohttp_room"), "/", ("--deflate",)),
    "Starlette": Server("under uvicorn with uvloop, a loop of send_text", _python("starlette_room")),
    "FastAPI": Server(
        "under uvicorn with uvloop, a pydantic model in and out", _python("fastapi_echo"), "/", _SORTED
    ),
    "python-socketio": Server(
        "on aiohttp, its own rooms and protocol",
        _python("socketio_room"),
        "/socket.io/?EIO=4&transport=websocket",
        ("--engine-io",),
    ),
    "python-socketio, ack": Server(
        "on aiohttp, an event and its acknowledgement",
        _python("socketio_ack"),
        "/socket.io/?EIO=4&transport=websocket",
        ("--engine-io", "--call", "ack"),
    ),
    "websockets": Server("its broadcast()", _python("websockets_room")),
    "picows": Server("a loop of send()", _python("picows_room")),
    "Node ws": Server("a loop of send()", _node),
    "C": Server("epoll, one send(2) for each delivery", _floor),
}


@contextlib.contextmanager
def on_core(core: int) -> Generator[None]:
    """What is started inside runs on one core, if there is that core: children inherit it."""
    mine = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core} & mine or mine)
    try:
        yield
    finally:
        os.sched_setaffinity(0, mine)


@contextlib.contextmanager
def running(server: Server) -> Generator[Running]:
    """A server in a process of its own, from when it listens until it is told to end.

    Raises:
        ToolError: It does not listen; with what it wrote instead.
    """
    with tempfile.TemporaryDirectory() as name, tempfile.TemporaryFile() as log:
        port = _free_port()
        command = server.command(Path(name), port)
        with on_core(SERVER_CORE):
            process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        try:
            if not _listens(process, port):
                log.seek(0)
                said = log.read().decode(errors="replace")[-LOG_SHOWN:]
                raise ToolError(f"{' '.join(command)} does not listen:\n{said}")
            yield Running(process.pid, port)
        finally:
            process.terminate()
            try:
                process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
        return number


def _listens(process: "subprocess.Popen[bytes]", port: int) -> bool:
    limit = time.monotonic() + START_LIMIT
    while time.monotonic() < limit and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return True
        time.sleep(0.02)
    return False
