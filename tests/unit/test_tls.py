"""TLS without a socket: what stands between a transport and a protocol."""

import asyncio
import contextlib
import ssl
from typing import Any

import pytest

from tests.certificates import Certificates
from wsf.transports._tls import TlsTransport


class Wire:
    """A socket's transport that keeps what is written."""

    def __init__(self) -> None:
        self.written = b""
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Hearing(asyncio.Protocol):
    """Reads one piece at a time."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.has_heard_all = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.heard.append(data)
        self.transport.pause_reading()

    def eof_received(self) -> None:
        self.has_heard_all = True


@pytest.fixture
def certificates(tmp_path: Any) -> Certificates:
    return Certificates(tmp_path)


async def test_who_reads_one_piece_at_a_time_gets_all_that_has_arrived_in_order(
    certificates: Certificates,
) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = certificates.client().wrap_bio(incoming, outgoing, server_hostname="localhost")
    context = certificates.credentials().server_context(require_client_certificate=False)
    hearing, wire, ended = Hearing(), Wire(), []
    tls = TlsTransport(context, hearing, 3600, lambda _, problem: ended.append(problem))
    socket: Any = wire
    tls.connection_made(socket)
    while not ended:
        with contextlib.suppress(ssl.SSLWantReadError):
            client.do_handshake()
        tls.data_received(outgoing.read())
        incoming.write(wire.written)
        wire.written = b""
    assert ended == [None]
    for word in (b"one", b"two", b"three"):
        client.write(word)
    with pytest.raises(ssl.SSLWantReadError):
        client.unwrap()
    tls.data_received(outgoing.read())
    for number, word in enumerate((b"one", b"two", b"three"), 1):
        assert hearing.heard[number - 1 :] == [word]
        assert not hearing.has_heard_all
        tls.resume_reading()
        await asyncio.sleep(0)
    assert hearing.has_heard_all
    assert wire.is_closed
