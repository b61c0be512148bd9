"""What a session leaves behind is freed when it ends, and not when Python next searches for cycles."""

import gc

import pytest

from tests.doubles import web_socket_binding
from tests.serving import EchoService, connect, serving, until, web_socket_address
from wsf.idle import IdleWatch
from wsf.inbox import Inbox
from wsf.outbox import Outbox
from wsf.session import Session
from wsf.transports._keep_alive import KeepAlive
from wsf.transports._tap import Tap
from wsf.transports._websocket import WebSocketConnection

#: of a session that has ended. A channel and its callback know each other: those two wait for the search
PARTS = (Session, Inbox, Outbox, IdleWatch, WebSocketConnection, Tap, KeepAlive)


def parts() -> dict[str, int]:
    found = [type(one).__name__ for one in gc.get_objects() if issubclass(type(one), PARTS)]
    return {name: found.count(name) for name in found}


@pytest.mark.parametrize("how", ["closed", "reset"])
async def test_an_ended_session_waits_for_no_search(how: str) -> None:
    async with serving(EchoService, binding=web_socket_binding()) as host:
        gc.collect()
        before = parts()
        gc.disable()
        try:
            for _ in range(5):
                client = await connect(web_socket_address(host))
                await client.send("hello")
                assert await client.recv() == "hello"
                if how == "closed":
                    await client.close()
                else:
                    client.transport.abort()
            await until(lambda: host.counters().sessions == 0)
            del client
            await until(lambda: all(count <= before.get(name, 0) for name, count in parts().items()))
        finally:
            gc.enable()
