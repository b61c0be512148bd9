"""Laws of what arrives, for both ways of taking it: from aiohttp's queue, and by public ``receive()``."""

import asyncio

import pytest

from tests.doubles import DEADLINE
from tests.serving import connect, connection_of, serving, until, web_socket_address
from wsf.transports import _arrivals


@pytest.fixture(params=["queue", "receive"], autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_arrivals, "_IS_AS_EXPECTED", request.param == "queue")


def test_this_aiohttp_is_as_expected() -> None:
    """When this fails, messages still come, by the slower way: see whether the faster one can be kept."""
    assert _arrivals._is_as_expected()


async def test_all_that_is_sent_comes_back_in_order() -> None:
    async with serving() as host, connect(web_socket_address(host)) as socket:
        sent = [f"{number} " + "x" * (number * 37 % 2000) for number in range(500)]
        for text in sent:
            await socket.send(text)
        async with asyncio.timeout(DEADLINE):
            assert [await socket.recv() for _ in sent] == sent


async def test_a_message_may_come_in_pieces_and_pings_between_them() -> None:
    async with serving() as host, connect(web_socket_address(host)) as socket, asyncio.timeout(DEADLINE):
        await socket.send(["a", "b", "c"])
        await (await socket.ping())
        assert await socket.recv() == "abc"


async def test_a_close_frame_is_answered_after_what_came_before_it() -> None:
    async with serving() as host, connect(web_socket_address(host)) as socket:
        for number in range(3):
            await socket.send(str(number))
        await socket.close(4001, "bye")
        assert socket.close_code == 4001
        await until(lambda: host.counters().sessions == 0)
        assert host.counters().messages_received == 3


async def test_a_message_that_is_too_big_is_refused() -> None:
    async with serving() as host, connect(web_socket_address(host)) as socket, asyncio.timeout(DEADLINE):
        await socket.send("x" * 65536)
        assert len(await socket.recv()) == 65536
        await socket.send("x" * 65537)
        await socket.wait_closed()
        assert socket.close_code == 1009


async def test_a_peer_that_vanishes_is_known_and_what_it_said_before_was_served() -> None:
    async with serving() as host:
        async with connect(web_socket_address(host)) as socket:
            await socket.send("last words")
            await connection_of(host)
            socket.transport.abort()
            await until(lambda: host.counters().sessions == 0)
        assert host.counters().messages_received == 1
