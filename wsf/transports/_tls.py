"""TLS between a socket and its protocol: above a transport, below a protocol, in between OpenSSL.

The law of this file: what is written is encrypted at once, so that the socket's own buffer is all there is,
and whoever asks how much a peer has not taken is told. asyncio's own TLS keeps a second buffer, which hides
the first one. Only public parts are used: ``ssl.SSLObject`` and ``ssl.MemoryBIO``.
"""

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import Callable
from typing import Any, Final, cast

from wsf.message import ClientCertificateMessageProperty

__all__ = ("TlsTransport", "client_certificate")

#: bytes that are asked of OpenSSL at a time: as much as a record holds (RFC 8446 section 5.1)
RECORD_SIZE: Final = 16384


class TlsTransport(asyncio.Transport, asyncio.Protocol):
    """One connection's TLS, server side. ``protocol`` sees it when the handshake is done, and not before.

    Args:
        protocol: Speaks in clear text; its ``connection_made`` is given this transport.
        handshake_timeout: s from the connection's beginning until it is cut.
        ended: Called once when the handshake is over: with None, or, when the connection is lost, with why
            it failed (empty: the peer never said anything).

    Attributes:
        heard_at: The loop's time when the last byte arrived, be it of half a record.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        protocol: asyncio.Protocol,
        handshake_timeout: float,
        ended: "Callable[[TlsTransport, str | None], None]",
    ) -> None:
        super().__init__()
        self._loop = asyncio.get_running_loop()
        self._context = context
        self._protocol: Any = protocol
        self._handshake_timeout = handshake_timeout
        self._ended = ended
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._has_begun = False
        self._is_open = False
        self._is_silent = False  # close_notify is out: nothing more may follow
        self._is_paused = False
        self._problem = ""
        self.heard_at = self._loop.time()

    # ── below: what the socket's transport calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = cast(asyncio.Transport, transport)
        self._deadline = self._loop.call_later(self._handshake_timeout, self._give_up)

    def data_received(self, data: bytes) -> None:
        self.heard_at = self._loop.time()
        self._has_begun = True
        self._incoming.write(data)
        if not self._is_open and not self._problem:
            self._shake_hands()
        if self._is_open:
            self._read()

    def eof_received(self) -> bool | None:
        return bool(self._protocol.eof_received()) if self._is_open else False

    def pause_writing(self) -> None:
        if self._is_open:
            self._protocol.pause_writing()

    def resume_writing(self) -> None:
        if self._is_open:
            self._protocol.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        if self._is_open:
            self._protocol.connection_lost(exc)
        else:
            self._ended(self, self._problem or ("the client left" if self._has_begun else ""))

    # ── above: what the protocol calls

    def write(self, data: "bytes | bytearray | memoryview[Any]") -> None:
        if not data or self._is_silent or self._socket.is_closing():
            return
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._tls.write(rest) :]
        except ssl.SSLError as error:
            self._fail(error)
            return
        self._flush()

    def close(self) -> None:
        """Say close_notify and let go once everything is out; the peer's answer is not waited for."""
        self._say_goodbye()
        self._socket.close()

    def abort(self) -> None:
        self._socket.abort()

    def is_closing(self) -> bool:
        return self._socket.is_closing()

    def can_write_eof(self) -> bool:
        return self._socket.can_write_eof()

    def write_eof(self) -> None:
        """Say close_notify, and close this side of the socket; the peer may go on (RFC 8446 section 6.1)."""
        self._say_goodbye()
        self._socket.write_eof()

    def pause_reading(self) -> None:
        self._is_paused = True
        self._socket.pause_reading()

    def resume_reading(self) -> None:
        if self._is_paused:
            self._is_paused = False
            self._socket.resume_reading()
            self._loop.call_soon(self._read)  # what had arrived with what was read last

    def is_reading(self) -> bool:
        return self._socket.is_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._socket.set_write_buffer_limits(high, low)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._socket.get_write_buffer_limits()

    def get_write_buffer_size(self) -> int:
        return self._socket.get_write_buffer_size()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return cast(asyncio.BaseProtocol, self._protocol)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """asyncio's names: ``ssl_object`` and ``sslcontext``, and what the socket's transport knows."""
        own = {"ssl_object": self._tls, "sslcontext": self._context}
        return own[name] if name in own else self._socket.get_extra_info(name, default)

    # ── between them

    def _shake_hands(self) -> None:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except ssl.SSLError as error:
            self._fail(error)
            return
        self._flush()
        self._deadline.cancel()
        self._is_open = True
        self._ended(self, None)
        self._protocol.connection_made(self)

    def _read(self) -> None:
        """Hand on what has arrived, record by record, while it is wanted."""
        try:
            while not self._is_paused and not self._socket.is_closing():
                data = self._tls.read(RECORD_SIZE)
                if not data:
                    raise ssl.SSLZeroReturnError
                self._protocol.data_received(data)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:  # close_notify: the peer has said all
            self._protocol.eof_received()
            self.close()
            return
        except ssl.SSLError as error:
            self._fail(error)
            return
        self._flush()  # an answer of TLS's own, such as to a key update

    def _flush(self) -> None:
        encrypted = self._outgoing.read()
        if encrypted and not self._socket.is_closing():
            self._socket.write(encrypted)

    def _say_goodbye(self) -> None:
        if self._is_open and not self._is_silent:
            with contextlib.suppress(ssl.SSLError):  # it wants the peer's close_notify, too
                self._tls.unwrap()
            self._flush()
        self._is_silent = True

    def _fail(self, error: ssl.SSLError) -> None:
        """The peer broke TLS's rules, or we cannot agree: tell it by an alert, and let go."""
        self._problem = getattr(error, "verify_message", "") or error.reason or type(error).__name__
        self._flush()
        self._is_silent = True
        self._socket.close()

    def _give_up(self) -> None:
        self._problem = self._problem or "it took longer than requestInitializationTimeout"
        self._socket.abort()


def client_certificate(transport: asyncio.BaseTransport) -> ClientCertificateMessageProperty | None:
    """The verified certificate of the peer; None where none was asked for, and where there is no TLS."""
    tls: Any = transport.get_extra_info("ssl_object")
    if tls is None:
        return None
    said: Any = tls.getpeercert()
    if not said:
        return None
    der: bytes = tls.getpeercert(binary_form=True)
    return ClientCertificateMessageProperty(
        subject=_parts(said.get("subject", ())),
        issuer=_parts(said.get("issuer", ())),
        subject_alternative_names=tuple(
            (str(kind), str(name)) for kind, name in said.get("subjectAltName", ())
        ),
        serial_number=said.get("serialNumber", ""),
        fingerprint=hashlib.sha256(der).hexdigest(),
        der=der,
    )


def _parts(names: Any) -> tuple[tuple[str, str], ...]:
    """A distinguished name without the nesting that Python's ``ssl`` gives it."""
    return tuple((str(name), str(value)) for relative in names for name, value in relative)
