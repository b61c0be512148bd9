"""A real host and a client that is not aiohttp: messages, limits, close codes; over TCP and over TLS."""

import asyncio
import json
import socket
import struct
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from tests.clock import Clock
from tests.doubles import web_socket_binding
from tests.serving import (
    Echo,
    EchoCallback,
    EchoService,
    connect,
    connection_of,
    open_connection,
    serving,
    until,
    web_socket_address,
)
from wsf import (
    InstanceContextMode,
    Message,
    MessageType,
    OperationContext,
    channel_of,
    service_behavior,
)
from wsf.behaviors import OutboxSettings
from wsf.host import ServiceHost
from wsf.message import RemoteEndpointMessageProperty, WebSocketMessageProperty

pytestmark = pytest.mark.usefixtures("each_scheme")


async def close_of(client: ClientConnection) -> tuple[int, str]:
    """Read until the server says goodbye: its code and reason."""
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            await client.recv()
    assert closed.value.rcvd is not None, "the server left without a close frame"
    return closed.value.rcvd.code, closed.value.rcvd.reason


async def test_a_message_comes_back_with_its_bytes_and_its_type() -> None:
    async with serving() as host, connect(web_socket_address(host)) as client:
        await client.send("täxt")
        assert await client.recv() == "täxt"
        await client.send(b"\x00\xff")
        assert await client.recv() == b"\x00\xff"


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536])
async def test_every_frame_length_survives(size: int) -> None:
    async with serving() as host, connect(web_socket_address(host)) as client:
        await client.send(b"x" * size)
        assert await client.recv() == b"x" * size


async def test_a_frame_of_zero_bytes_is_a_message_but_the_notification_is_empty() -> None:
    service = EchoService()
    binding = web_socket_binding(settings={"create_notification_on_connection": True})
    async with serving(service, binding=binding) as host, connect(web_socket_address(host)) as client:
        await client.send(b"")
        assert await client.recv() == b""
        assert [message.is_empty for message in service.heard] == [True, False]


@pytest.mark.parametrize(("size", "is_taken"), [(999, True), (1000, True), (1001, False)])
@pytest.mark.parametrize("fragments", [1, 3])
async def test_exactly_max_received_message_size_bytes_pass(
    size: int, is_taken: bool, fragments: int
) -> None:
    binding = web_socket_binding(max_size=1000)
    async with serving(binding=binding) as host, connect(web_socket_address(host)) as client:
        body = b"x" * size
        step = -(-size // fragments)
        await client.send([body[start : start + step] for start in range(0, size, step)])
        if is_taken:
            assert await client.recv() == body
        else:
            assert await close_of(client) == (1009, "message over 1000 bytes (maxReceivedMessageSize)")
            assert host.counters().messages_too_big == 1


async def test_a_client_under_way_with_a_huge_message_still_hears_1009() -> None:
    async with serving() as host:
        client = await connect(web_socket_address(host), max_size=None)
        sending = asyncio.create_task(client.send(b"x" * 20_000_000))
        assert (await close_of(client))[0] == 1009
        await asyncio.wait([sending])
        sending.exception()


async def test_text_that_is_not_utf8_closes_with_1007() -> None:
    async with serving() as host, connect(web_socket_address(host)) as client:
        await client.send(b"\xff\xfe", text=True)
        assert await close_of(client) == (1007, "TEXT that is not UTF-8")


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
async def test_a_clients_close_code_is_answered_with_the_same(code: int) -> None:
    async with serving() as host:
        client = await connect(web_socket_address(host))
        await client.close(code, "bye")
        assert client.close_code == code
        await until(lambda: host.counters().sessions == 0)


async def raw_session(host: ServiceHost) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A session over bytes of our own making."""
    port = int(host.endpoints[0].address.split(":")[2].split("/")[0])
    reader, writer = await open_connection(port)
    writer.write(
        b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101")
    return reader, writer


def client_frame(opcode: int, payload: bytes) -> bytes:
    """A masked frame with a mask of zeros."""
    assert len(payload) < 126
    return bytes((0x80 | opcode, 0x80 | len(payload))) + bytes(4) + payload


@pytest.mark.parametrize(
    "frame",
    [
        client_frame(0x3, b""),  # no such opcode
        client_frame(0x0, b"x"),  # a continuation of nothing
        client_frame(0x8, struct.pack("!H", 1006)),  # a code that nobody may send
        client_frame(0x8, struct.pack("!H", 5000)),
        client_frame(0x8, b"x"),  # half a code
        bytes((0xC1, 0x80)) + bytes(4),  # a reserved bit
    ],
)
async def test_a_frame_against_the_rules_closes_with_1002(frame: bytes) -> None:
    async with serving() as host:
        reader, writer = await raw_session(host)
        writer.write(frame)
        assert (await reader.read())[2:4] == struct.pack("!H", 1002)
        writer.close()
        assert host.counters().protocol_errors == 1


async def test_a_frame_without_mask_is_taken() -> None:
    async with serving() as host:
        reader, writer = await raw_session(host)
        writer.write(b"\x81\x01x")
        assert await reader.readexactly(3) == b"\x81\x01x"
        writer.close()


async def test_every_ping_is_answered_while_messages_flow() -> None:
    async with serving() as host, connect(web_socket_address(host), ping_interval=None) as client:
        for _ in range(3):
            pong = await client.ping()
            await client.send("x")
            await pong
            await client.recv()


async def test_a_message_knows_its_sender_and_its_handshake() -> None:
    service = EchoService()
    async with (
        serving(service) as host,
        connect(web_socket_address(host) + "?token=t", additional_headers={"X-Who": "me"}) as client,
    ):
        await client.send("x")
        await client.recv()
        properties = service.heard[0].properties
        remote = properties[RemoteEndpointMessageProperty.name]
        handshake: Any = properties[WebSocketMessageProperty.name]
        assert remote == RemoteEndpointMessageProperty("127.0.0.1", client.local_address[1])
        assert handshake.headers["x-who"] == "me"
        assert handshake.request_path == "/echo?token=t"
        assert "token" not in repr(handshake)


async def test_a_client_that_vanishes_is_faulted_and_the_service_hears_of_it() -> None:
    events: list[str] = []

    class Watching(EchoService):
        async def say(self, message: Message) -> None:
            channel = channel_of(OperationContext.current().get_callback_channel(EchoCallback))
            channel.faulted += lambda _: events.append("faulted")
            channel.closed += lambda _: events.append("closed")
            await super().say(message)

    async with serving(Watching) as host:
        client = await connect(web_socket_address(host))
        await client.send("x")
        await client.recv()
        sock = client.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.transport.abort()
        await until(lambda: events)
        await until(lambda: host.counters().sessions == 0)
        assert events == ["faulted", "closed"]


class Flooding(Echo):
    """Answers one message with so many that no client can keep up with not reading them."""

    async def say(self, message: Message) -> None:
        callback = OperationContext.current().get_callback_channel(EchoCallback)
        much = Message(b"x" * 65536, MessageType.BINARY)
        while channel_of(callback).state.value == "Opened":
            await callback.hear(much)
            await asyncio.sleep(0)


async def test_a_client_that_does_not_read_is_reset_and_its_memory_is_bounded() -> None:
    async with serving(Flooding, outbox=OutboxSettings(max_bytes=200_000)) as host:
        reader, writer = await raw_session(host)
        writer.transport.pause_reading()
        writer.write(client_frame(0x1, b"go"))
        await until(lambda: host.counters().slow_clients_aborted == 1)
        assert host.counters().outbox_bytes_most <= 200_000
        await until(lambda: host.counters().sessions == 0)
        writer.transport.resume_reading()
        with pytest.raises(ConnectionResetError):
            while await reader.read(65536):
                pass
        writer.close()


async def test_a_stalled_client_stalls_nobody_else() -> None:
    """Both on one endpoint of one SINGLE service: its only lock must not wait for a socket."""

    @service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
    class Both(Echo):
        async def say(self, message: Message) -> None:
            callback = OperationContext.current().get_callback_channel(EchoCallback)
            for _ in range(200 if message.get_body(bytes) == b"flood" else 1):
                await callback.hear(Message(b"x" * 65536))

    async with serving(Both, outbox=OutboxSettings(max_bytes=10**9)) as host:
        _, stalled = await raw_session(host)
        stalled.transport.pause_reading()
        stalled.write(client_frame(0x1, b"flood"))
        await until(lambda: host.counters().outbox_bytes > 10**6)
        async with connect(web_socket_address(host)) as client:
            await client.send("one")
            assert len(await client.recv()) == 65536
        assert host.counters().outbox_bytes > 10**6
        stalled.transport.abort()


async def test_a_client_that_takes_nothing_for_send_timeout_is_aborted() -> None:
    class Once(Flooding):
        async def say(self, message: Message) -> None:
            callback = OperationContext.current().get_callback_channel(EchoCallback)
            await callback.hear(Message(b"x" * 16_000_000))

    async with serving(Once, binding=web_socket_binding(send_timeout=0.2)) as host:
        _, writer = await raw_session(host)
        writer.transport.pause_reading()
        writer.write(client_frame(0x1, b"go"))
        await until(lambda: host.counters().send_timeouts == 1)
        await until(lambda: host.counters().sessions == 0)
        writer.transport.abort()


#: s; nobody waits for it
KEEP_ALIVE = 60.0


async def test_a_peer_that_answers_no_ping_is_aborted(clock: Clock) -> None:
    binding = web_socket_binding(settings={"keep_alive_interval": KEEP_ALIVE})
    async with serving(binding=binding) as host:
        reader, writer = await raw_session(host)
        clock.forward(KEEP_ALIVE)
        assert await reader.readexactly(2) == b"\x89\x00"  # the ping, which it leaves unanswered
        assert host.counters().sessions == 1
        clock.forward(KEEP_ALIVE / 2)
        await until(lambda: host.counters().keep_alive_timeouts == 1)
        await until(lambda: host.counters().sessions == 0)
        writer.transport.abort()


async def test_a_peer_that_answers_pings_stays(clock: Clock) -> None:
    binding = web_socket_binding(settings={"keep_alive_interval": KEEP_ALIVE})
    async with (
        serving(binding=binding) as host,
        connect(web_socket_address(host), ping_interval=None) as client,
    ):
        tap = (await connection_of(host))._tap
        for _ in range(3):  # three intervals of silence but for pongs
            heard_at = tap.heard_at
            clock.forward(KEEP_ALIVE)
            await until(lambda heard_at=heard_at: tap.heard_at > heard_at)
        assert host.counters().keep_alive_timeouts == 0
        await client.send("x")
        assert await client.recv() == "x"


async def test_keep_alive_never_cuts_a_client_that_the_host_itself_has_paused(clock: Clock) -> None:
    """An operation longer than three deadlines, on a client that keeps sending until TCP stops it."""
    may_end = asyncio.Event()

    class Slow(EchoService):
        async def say(self, message: Message) -> None:
            await may_end.wait()

    binding = web_socket_binding(settings={"keep_alive_interval": KEEP_ALIVE})
    async with serving(Slow, binding=binding) as host:
        async with connect(web_socket_address(host), ping_interval=None, max_queue=None) as client:
            sending = asyncio.create_task(send_for_ever(client))
            transport = (await connection_of(host))._transport
            await until(lambda: host.counters().calls == 1 and not transport.is_reading())
            for _ in range(5):
                await clock.elapse(KEEP_ALIVE)
            assert not sending.done()
            assert host.counters().sessions == 1
            assert host.counters().keep_alive_timeouts == 0
            sending.cancel()
            may_end.set()
            await host.abort()


async def send_for_ever(client: ClientConnection) -> None:
    """Until TCP takes no more, and then on when it does."""
    while True:
        await client.send(b"x" * 60_000)


async def test_a_session_without_messages_is_closed_as_idle() -> None:
    async with serving(binding=web_socket_binding(receive_timeout=0.1)) as host:
        async with connect(web_socket_address(host)) as client:
            assert await close_of(client) == (1001, "idle (receiveTimeout)")


async def test_a_service_that_fails_says_1011_and_tells_nothing() -> None:
    class Failing(EchoService):
        async def say(self, message: Message) -> None:
            raise ZeroDivisionError("a secret")

    async with serving(Failing) as host, connect(web_socket_address(host)) as client:
        await client.send(json.dumps({}))
        code, reason = await close_of(client)
        assert code == 1011
        assert "secret" not in reason


async def test_a_service_may_end_a_session_from_inside_an_operation() -> None:
    class Ending(EchoService):
        async def say(self, message: Message) -> None:
            await super().say(message)
            await OperationContext.current().channel.close(4000, "enough")

    async with serving(Ending) as host, connect(web_socket_address(host)) as client:
        await client.send("x")
        assert await client.recv() == "x"
        assert await close_of(client) == (4000, "enough")
