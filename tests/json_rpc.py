"""A JSON-RPC client of our own making, with a real socket below it, that answers what it is told to."""

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.doubles import web_socket_binding
from tests.serving import DEADLINE, serving, web_socket_address
from wsf.bindings.custom import CustomBinding
from wsf.encodings.json_rpc import JsonRpcMessageEncoding
from wsf.host import ServiceHost

__all__ = ("Peer", "json_rpc_binding", "peers", "serving_json_rpc")

Handler = Callable[..., Awaitable[Any]]


def json_rpc_binding(**given: Any) -> CustomBinding:
    """JSON-RPC over a WebSocket."""
    return web_socket_binding(encoding=JsonRpcMessageEncoding(), **given)


class Refused(Exception):  # noqa: N818 - what the other side says, not what went wrong here
    """An error answer."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(str(error))
        self.error = error
        self.code: int = error["code"]


class Peer:
    """One client. ``handlers`` answer the host's calls, each in a task of its own; all is in ``heard``.

    Answers that came in an array are in ``batches``.
    """

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.handlers: dict[str, Handler] = {}
        self.heard: list[dict[str, Any]] = []
        self.batches: list[list[dict[str, Any]]] = []
        self.refusals: list[Refused] = []
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._reading = asyncio.create_task(self._read())

    async def call(self, method: str, *params: Any, **named: Any) -> Any:
        """A call, and its result; ``Refused`` if it is answered with an error."""
        number = next(self._ids)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        await self.send(jsonrpc="2.0", id=number, method=method, params=named or list(params))
        async with asyncio.timeout(DEADLINE):
            return await self._waiting[number]

    async def notify(self, method: str, *params: Any) -> None:
        """A call that nobody answers."""
        await self.send(jsonrpc="2.0", method=method, params=list(params))

    async def send(self, **message: Any) -> None:
        """Anything at all, as JSON."""
        await self.socket.send(json.dumps(message))

    async def hears(self, method: str) -> dict[str, Any]:
        """Wait until the host has called a method; the first such message."""
        async with asyncio.timeout(DEADLINE):
            while True:
                for message in self.heard:
                    if message.get("method") == method:
                        return message
                await asyncio.sleep(0.005)

    async def answer(self) -> dict[str, Any]:
        """Wait for a message that answers nothing we asked by ``call``."""
        async with asyncio.timeout(DEADLINE):
            while not (found := [message for message in self.heard if "method" not in message]):
                await asyncio.sleep(0.005)
        self.heard.remove(found[0])
        return found[0]

    async def closed(self) -> tuple[int | None, str]:
        """Wait until the host has hung up: code and reason."""
        async with asyncio.timeout(DEADLINE):
            await self.socket.wait_closed()
        return self.socket.close_code, self.socket.close_reason or ""

    async def end(self) -> None:
        """Hang up, and leave nothing running."""
        await self.socket.close()
        await self._reading
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read(self) -> None:
        try:
            with contextlib.suppress(ConnectionClosed):
                async for text in self.socket:
                    assert isinstance(text, str), f"JSON-RPC is TEXT, and this is BINARY: {text!r}"
                    said = json.loads(text)
                    if isinstance(said, list):
                        self.batches.append(said)
                    else:
                        self._take(said)
        finally:
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(ConnectionError(f"closed with {self.socket.close_code}"))
                    waiting.exception()

    def _take(self, message: dict[str, Any]) -> None:
        id_ = message.get("id")
        waiting = self._waiting.get(id_) if "method" not in message and isinstance(id_, int) else None
        if waiting is not None:
            if waiting.done():
                return
            if "error" in message:
                waiting.set_exception(Refused(message["error"]))
            else:
                waiting.set_result(message["result"])
            return
        self.heard.append(message)
        if message.get("method") in self.handlers:
            task = asyncio.create_task(self._handle(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _handle(self, message: dict[str, Any]) -> None:
        answer: dict[str, Any]
        try:
            answer = {"result": await self.handlers[message["method"]](*message["params"])}
        except Refused as refused:
            self.refusals.append(refused)
            answer = {"error": refused.error}
        if "id" in message:
            with contextlib.suppress(ConnectionClosed):
                await self.send(jsonrpc="2.0", id=message["id"], **answer)


@contextlib.asynccontextmanager
async def peers(host: ServiceHost, count: int = 1) -> AsyncIterator[list[Peer]]:
    """So many clients of a host's first endpoint."""
    connected: list[Peer] = []
    try:
        for _ in range(count):
            # no pings but those of a test and of the host: a clock may be put forward under them
            connected.append(Peer(await connect(web_socket_address(host), max_size=None, ping_interval=None)))
        yield connected
    finally:
        for peer in connected:
            await peer.end()


@contextlib.asynccontextmanager
async def serving_json_rpc(
    service: object,
    contract: type[Any],
    count: int = 1,
    binding: CustomBinding | None = None,
    **settings: Any,
) -> AsyncIterator[tuple[ServiceHost, list[Peer]]]:
    """An open host whose endpoint speaks JSON-RPC, and so many clients."""
    async with serving(service, contract, binding or json_rpc_binding(), **settings) as host:
        async with peers(host, count) as connected:
            yield host, connected
