"""What a JSON-RPC peer may not do to the host, or to anybody else on it."""

import asyncio

import pytest

from tests.json_rpc import Peer, serving_json_rpc
from tests.security.test_hostile_clients import UPGRADE, masked, port_of
from tests.serving import until
from tests.wire.test_deadlocks import Asks, service
from wsf.host import ServiceHost
from wsf.pump import MESSAGES_PER_TURN

#: more nesting than any reader follows
DEEP = 5_000


@pytest.mark.parametrize(
    "text",
    [
        '{"jsonrpc":"2.0","id":1,"method":1,"params":' + "[" * DEEP + "]" * DEEP + "}",
        '{"jsonrpc":"2.0","id":1,"method":"inner","params":' + "[" * DEEP + "]" * DEEP + "}",
        '{"jsonrpc":' + "[" * DEEP + "]" * DEEP + "}",
        "[" * DEEP,
        '{"id":' * DEEP,
    ],
)
async def test_what_nests_deep_is_answered_and_the_session_goes_on(text: str) -> None:
    async with serving_json_rpc(service(), Asks) as (_, (peer,)):
        await peer.socket.send(text)
        assert "error" in await peer.answer()
        assert await peer.call("inner", 1) == 10


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b'{"jsonrpc":"2.0","id":"wsf:1","result":1}',
        b'{"jsonrpc":"2.0","method":"$/x"}',
        b'{"jsonrpc":"2.0","method":"note","params":[1]}',
        b'{"jsonrpc":"2.0","id":1,"method":"inner","params":[1]}',
    ],
)
async def test_a_flood_of_small_messages_leaves_everybody_their_turn(payload: bytes) -> None:
    async with serving_json_rpc(service(), Asks) as (host, (good,)):
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(host))
        writer.write(UPGRADE + b"\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await _flood(payload, host, good, reader, writer)


async def test_a_flood_of_answers_to_nothing_leaves_everybody_their_turn_while_one_is_waited_for() -> None:
    async with serving_json_rpc(service(), Asks) as (host, (good,)):
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(host))
        writer.write(UPGRADE + b"\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(masked(1, b'{"jsonrpc":"2.0","id":1,"method":"outer","params":[1]}'))
        await reader.readuntil(b"confirm")
        await _flood(b'{"jsonrpc":"2.0","id":"wsf:9","result":1}', host, good, reader, writer)


async def _flood(
    payload: bytes, host: ServiceHost, good: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """They are in the host's memory already, so that none of them has to be waited for."""
    count, most = 5_000, 0
    answers = asyncio.create_task(reader.read(-1))
    before = host.counters().messages_received
    writer.write(masked(1, payload) * count)
    seen = before
    async with asyncio.timeout(20):
        while seen < before + count:
            await asyncio.sleep(0)
            now = host.counters().messages_received
            most, seen = max(most, now - seen), now
    assert most <= MESSAGES_PER_TURN
    assert await good.call("inner", 1) == 10
    writer.transport.abort()
    await asyncio.gather(answers, return_exceptions=True)
    await until(lambda: host.counters().sessions == 1)
