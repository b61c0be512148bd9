"""permessage-deflate over real sockets: shared frames, mixed rooms, and what a client may not do with it."""

import asyncio
import contextlib
import ssl
import struct
import tracemalloc
import zlib

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

from tests.doubles import web_socket_binding
from tests.serving import (
    EchoCallback,
    EchoService,
    connect,
    open_connection,
    serving,
    until,
    web_socket_address,
)
from wsf import InstanceContextMode, Message, MessageType, OperationContext, service_behavior
from wsf.bindings.custom import CustomBinding
from wsf.host import ServiceHost
from wsf.transports import _deflate

pytestmark = pytest.mark.usefixtures("each_scheme")

TRAILER = b"\x00\x00\xff\xff"
TEXT, BINARY, CONTINUATION, PING, CLOSE = 0x1, 0x2, 0x0, 0x9, 0x8
FIN, RSV1 = 0x80, 0x40
WORDS = "all work and no play makes Jack a dull boy. " * 20


@service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
class Room(EchoService):
    """Says what one says to all who have said anything."""

    def __init__(self) -> None:
        super().__init__()
        self.all: dict[int, EchoCallback] = {}

    async def say(self, message: Message) -> None:
        callback = OperationContext.current().get_callback_channel(EchoCallback)
        self.all[id(callback)] = callback
        for each in self.all.values():
            await each.hear(message)


def deflating(max_size: int = 65536, **settings: object) -> CustomBinding:
    return web_socket_binding(max_size=max_size, settings={"permessage_deflate": True, **settings})


def deflated(payload: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TRAILER)


def frame(payload: bytes, first: int = FIN | RSV1 | TEXT) -> bytes:
    """A client's frame, its mask of zeros."""
    if len(payload) < 126:
        return bytes((first, 0x80 | len(payload))) + bytes(4) + payload
    if len(payload) < 65536:
        return struct.pack("!BBH", first, 0x80 | 126, len(payload)) + bytes(4) + payload
    return struct.pack("!BBQ", first, 0x80 | 127, len(payload)) + bytes(4) + payload


async def raw_session(
    host: ServiceHost, offer: str = "permessage-deflate"
) -> tuple[str, asyncio.StreamReader, asyncio.StreamWriter]:
    """The head of the answer, and a session over bytes of our own making."""
    port = int(host.endpoints[0].address.split(":")[2].split("/")[0])
    reader, writer = await open_connection(port)
    writer.write(
        b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        + (f"Sec-WebSocket-Extensions: {offer}\r\n" if offer else "").encode()
        + b"\r\n"
    )
    return (await reader.readuntil(b"\r\n\r\n")).decode(), reader, writer


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """One frame of the server's: its first byte and its payload."""
    first, length = await reader.readexactly(2)
    if length > 125:
        length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8))
    return first, await reader.readexactly(length)


async def close_of(client: ClientConnection) -> tuple[int, str]:
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            await client.recv()
    assert closed.value.rcvd is not None, "the server left without a close frame"
    return closed.value.rcvd.code, closed.value.rcvd.reason


@pytest.mark.parametrize(
    "offer",
    [
        ClientPerMessageDeflateFactory(),
        ClientPerMessageDeflateFactory(client_max_window_bits=True),
        ClientPerMessageDeflateFactory(client_max_window_bits=9, server_max_window_bits=12),
        ClientPerMessageDeflateFactory(server_no_context_takeover=True),
        ClientPerMessageDeflateFactory(server_no_context_takeover=True, client_no_context_takeover=True),
        None,
    ],
    ids=["nothing", "browsers", "windows", "server", "both", "default"],
)
async def test_a_client_that_nobody_here_wrote_talks_compressed(
    offer: ClientPerMessageDeflateFactory | None,
) -> None:
    service = EchoService()
    how = {"compression": "deflate"} if offer is None else {"compression": None, "extensions": [offer]}
    async with (
        serving(service, binding=deflating()) as host,
        connect(web_socket_address(host), **how) as client,
    ):
        assert [extension.name for extension in client.protocol.extensions] == ["permessage-deflate"]
        for text in ("", "x", "short", WORDS, "a" * 65536, WORDS + "and again"):
            await client.send(text)
            assert await client.recv() == text
            await client.send([text[:100], text[100:]])
            assert await client.recv() == text
            await client.send(text.encode())
            assert await client.recv() == text.encode()
        assert host.counters().messages_compressed == 9
        assert service.heard[-1].message_type is MessageType.BINARY


@pytest.mark.parametrize(
    ("offer", "is_compressed"),
    [
        ("permessage-deflate; server_max_window_bits=9", False),
        ("permessage-deflate; unheard_of", False),
        ("permessage-deflate; server_max_window_bits=9, permessage-deflate", True),
        ("", False),
    ],
)
async def test_who_does_not_agree_is_served_without(offer: str, is_compressed: bool) -> None:
    async with serving(binding=deflating()) as host:
        head, reader, writer = await raw_session(host, offer)
        assert ("Sec-WebSocket-Extensions: permessage-deflate; " in head) is is_compressed
        writer.write(frame(b"x" * 250, FIN | TEXT))
        assert (await read_frame(reader))[0] == FIN | TEXT | (RSV1 if is_compressed else 0)
        writer.close()


async def test_a_header_that_is_no_list_of_extensions_is_refused() -> None:
    async with serving(binding=deflating()) as host:
        head, _, writer = await raw_session(host, "permessage-deflate;")
        assert head.startswith("HTTP/1.1 400 ")
        writer.close()


async def test_it_is_off_as_shipped() -> None:
    async with serving() as host:
        head, reader, writer = await raw_session(host)
        assert "Sec-WebSocket-Extensions" not in head
        writer.write(frame(deflated(b"x")))
        assert (await reader.read())[2:4] == struct.pack("!H", 1002)
        writer.close()


async def test_one_compressed_frame_is_everybodys() -> None:
    """With their context or without it, and whatever each of them has heard before."""
    offers = [
        "permessage-deflate",
        "permessage-deflate; server_no_context_takeover",
        "permessage-deflate; server_max_window_bits=12",
        "permessage-deflate; client_max_window_bits",
    ]
    async with serving(Room, binding=deflating()) as host:
        sessions = [await raw_session(host, offer) for offer in offers]
        streams = [zlib.decompressobj(-15) for _ in sessions]
        for number, (_, reader, writer) in enumerate(sessions):
            said = f"{number}: {WORDS}".encode()
            writer.write(frame(said, FIN | TEXT))
            frames = [await read_frame(reader) for _, reader, _ in sessions[: number + 1]]
            assert len(set(frames)) == 1
            assert frames[0][0] == FIN | RSV1 | TEXT
            for stream in streams[: number + 1]:
                assert stream.decompress(frames[0][1] + TRAILER) == said
            assert host.counters().messages_compressed == number + 1
        assert host.counters().messages_sent == 1 + 2 + 3 + 4
        for _, _, writer in sessions:
            writer.close()


async def test_a_client_without_compression_shares_the_room() -> None:
    async with (
        serving(Room, binding=deflating()) as host,
        connect(web_socket_address(host), compression=None) as plain,
        connect(web_socket_address(host), compression=None) as also_plain,
        connect(web_socket_address(host)) as compressed,
        connect(web_socket_address(host)) as also_compressed,
    ):
        everybody = [plain, also_plain, compressed, also_compressed]
        heard = 0
        for number, client in enumerate(everybody):
            said = f"{number}: {WORDS}"
            await client.send(said)
            for each in everybody[: number + 1]:
                assert await each.recv() == said
            heard += number >= 2
            assert host.counters().messages_compressed == heard


@pytest.mark.parametrize(("size", "is_compressed"), [(299, False), (300, True), (301, True), (501, False)])
async def test_the_settings_say_what_is_compressed(size: int, is_compressed: bool) -> None:
    binding = deflating(compression_threshold=300, compression_limit=500)
    async with serving(binding=binding) as host:
        _, reader, writer = await raw_session(host)
        writer.write(frame(b"x" * size, FIN | BINARY))
        assert (await read_frame(reader))[0] == FIN | BINARY | (RSV1 if is_compressed else 0)
        writer.close()


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        "frames",
        [
            frame(b"", FIN | RSV1 | PING),
            frame(struct.pack("!H", 1000), FIN | RSV1 | CLOSE),
            frame(deflated(b"x")[:1], RSV1 | TEXT) + frame(deflated(b"x")[1:], FIN | RSV1 | CONTINUATION),
            frame(b"x", TEXT) + frame(b"x", FIN | RSV1 | CONTINUATION),
            frame(b"x", FIN | 0x20 | TEXT),
        ],
        ids=["ping", "close", "continuation", "continuation of plain", "rsv2"],
    )
    async def test_rsv1_stands_only_where_a_message_begins(self, frames: bytes) -> None:
        async with serving(binding=deflating()) as host:
            _, reader, writer = await raw_session(host)
            writer.write(frames)
            assert (await reader.read())[2:4] == struct.pack("!H", 1002)
            writer.close()
            assert host.counters().protocol_errors == 1

    @pytest.mark.parametrize(("size", "is_taken"), [(999, True), (1000, True), (1001, False)])
    @pytest.mark.parametrize("is_compressed", [True, False])
    async def test_exactly_max_received_message_size_bytes_pass(
        self, size: int, is_taken: bool, is_compressed: bool
    ) -> None:
        service = EchoService()
        async with serving(service, binding=deflating(max_size=1000)) as host:
            _, reader, writer = await raw_session(host)
            body = b"x" * size
            writer.write(frame(deflated(body)) if is_compressed else frame(body, FIN | TEXT))
            if is_taken:
                await read_frame(reader)
                assert [message.body for message in service.heard] == [body]
            else:
                answer = await reader.read()
                assert answer[2:4] == struct.pack("!H", 1009)
                assert answer[4:] == b"message over 1000 bytes (maxReceivedMessageSize)"
                assert service.heard == []
                assert host.counters().messages_too_big == 1
            writer.close()

    async def test_a_message_that_does_not_get_smaller_passes_at_the_bound(self) -> None:
        async with serving(binding=deflating(max_size=1000)) as host:
            _, reader, writer = await raw_session(host)
            body = bytes(range(256)) * 3 + bytes(range(232))
            stored = b"\x00" + struct.pack("<HH", 1000, 0xFFFF ^ 1000) + body + b"\x00"
            writer.write(frame(stored, FIN | RSV1 | BINARY))
            assert (await read_frame(reader))[0] == FIN | RSV1 | BINARY
            writer.close()

    async def test_a_bomb_ends_its_session_and_costs_next_to_nothing(self) -> None:
        async with serving(binding=deflating()) as host:
            bomb = frame(deflated(bytes(64 << 20)), FIN | RSV1 | BINARY)
            assert len(bomb) < 66_000
            _, reader, writer = await raw_session(host)
            tracemalloc.start()
            try:
                writer.write(bomb)
                answer = await reader.read()
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            writer.close()
            assert answer[2:4] == struct.pack("!H", 1009)
            assert peak < 2 << 20
            async with connect(web_socket_address(host)) as client:
                await client.send(WORDS)
                assert await client.recv() == WORDS

    @pytest.mark.parametrize("payload", [b"\xff\xff\xff", deflated(WORDS.encode())[:-3]])
    async def test_what_no_compressor_makes_is_1007(self, payload: bytes) -> None:
        async with serving(binding=deflating()) as host:
            _, reader, writer = await raw_session(host)
            writer.write(frame(payload) + frame(b"not looked at", FIN | TEXT))
            answer = await reader.read()
            writer.close()
            assert answer[2:] == struct.pack("!H", 1007) + b"not a compressed message"
            assert host.counters().protocol_errors == 1
            assert host.counters().messages_received == 0

    async def test_compressed_text_that_is_not_utf8_is_1007(self) -> None:
        async with serving(binding=deflating()) as host, connect(web_socket_address(host)) as client:
            await client.send(b"\xff\xfe", text=True)
            assert await close_of(client) == (1007, "TEXT that is not UTF-8")

    async def test_who_speaks_before_the_answer_harms_nobody_else(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Nobody knows what was agreed on before the 101 (RFC 6455 section 4.1)."""
        async with serving(binding=deflating()) as host:
            port = int(host.endpoints[0].address.split(":")[2].split("/")[0])
            for early in (frame(deflated(b"x")), frame(b"x" * 90)[:50], frame(b"x", FIN | TEXT) * 3):
                reader, writer = await open_connection(port)
                writer.write(
                    b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n" + early
                )
                await reader.readuntil(b"\r\n\r\n")
                writer.write(frame(deflated(WORDS.encode())) * 3)
                writer.write_eof() if writer.can_write_eof() else writer.close()
                with contextlib.suppress(ssl.SSLError):  # TLS has no half-closed connections in Python
                    await reader.read()
                writer.close()
            async with connect(web_socket_address(host)) as client:
                await client.send(WORDS)
                assert await client.recv() == WORDS
            await until(lambda: host.counters().sessions == 0)
        assert "Traceback" not in caplog.text


async def test_a_connection_that_is_quiet_keeps_no_history() -> None:
    """A window alone would be 32 KiB, and all that goes with two of them 100; this is the last message."""

    async def talks() -> asyncio.StreamWriter:
        _, reader, writer = await raw_session(host)
        writer.write(frame(deflated(WORDS.encode())) * 3)
        for _ in range(3):
            await read_frame(reader)
        return writer

    def held() -> int:
        only = [tracemalloc.Filter(True, _deflate.__file__)]
        return sum(trace.size for trace in tracemalloc.take_snapshot().filter_traces(only).traces)

    service = EchoService()
    async with serving(service, binding=deflating()) as host:
        tracemalloc.start()
        try:
            writers = [await talks()]
            service.heard.clear()
            before = held()
            writers += [await talks() for _ in range(10)]
            service.heard.clear()
            assert (held() - before) / 10 < 4000
        finally:
            tracemalloc.stop()
        assert host.counters().sessions == 11
        for writer in writers:
            writer.close()
