"""TLS over real sockets: what is agreed on, who is let in, what is bounded. Sessions: test_sessions."""

import asyncio
import contextlib
import shutil
import socket
import ssl
import struct
from typing import Any

import attrs
import pytest
import trustme
from aiohttp import ClientSession, web
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as connect_to
from websockets.exceptions import InvalidMessage

import tests.serving
from tests.certificates import Certificates
from tests.clock import Clock
from tests.doubles import web_socket_binding
from tests.serving import (
    Echo,
    EchoCallback,
    EchoService,
    connect,
    connection_of,
    free_port,
    open_connection,
    over_tls,
    serving,
    until,
    web_socket_address,
)
from wsf import InstanceContextMode, Message, OperationContext, service_behavior
from wsf.behaviors import OutboxSettings
from wsf.bindings.custom import CustomBinding
from wsf.credentials import ServiceCertificate, ServiceCredentials
from wsf.errors import ConfigurationError, ContractError
from wsf.host import ServiceHost
from wsf.message import ClientCertificateMessageProperty
from wsf.transports.http import HttpTransport

UPGRADE = (
    b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@pytest.fixture(autouse=True)
def over_https(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tests.serving, "secure", certificates)


def port_of(host: ServiceHost) -> int:
    return int(host.endpoints[0].address.rsplit(":", 1)[1].split("/")[0])


async def echo(client: ClientConnection) -> None:
    await client.send("x")
    assert await client.recv() == "x"


async def ended(reader: asyncio.StreamReader) -> None:
    """Read until the other side has gone, politely or not."""
    async with asyncio.timeout(20):
        try:
            while await reader.read(65536):
                pass
        except (ConnectionError, ssl.SSLError):
            pass


class TestWhatIsAgreedOn:
    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    async def test_tls_1_2_and_up(self, version: ssl.TLSVersion, certificates: Certificates) -> None:
        context = certificates.client()
        context.minimum_version = context.maximum_version = version
        async with serving() as host, connect(web_socket_address(host), ssl=context) as client:
            await echo(client)
            assert client.transport.get_extra_info("ssl_object").version() == version.name.replace("_", ".")

    @pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
    async def test_nothing_below(self, certificates: Certificates, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("INFO", "wsf")
        context = certificates.client()
        context.set_ciphers("ALL:@SECLEVEL=0")  # or the client's own OpenSSL would not even ask
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        async with serving() as host:
            with pytest.raises(ssl.SSLError):
                await connect(web_socket_address(host), ssl=context)
            await until(lambda: host.counters().tls_handshakes_failed == 1)
        (line,) = [line for line in caplog.messages if line.startswith("TLS handshake failed: 127.0.0.1:")]
        assert line.endswith("'UNSUPPORTED_PROTOCOL'")

    async def test_http_1_1_is_what_is_spoken(self, certificates: Certificates) -> None:
        context = certificates.client()
        context.set_alpn_protocols(["h2", "http/1.1"])
        async with serving() as host, connect(web_socket_address(host), ssl=context) as client:
            assert client.transport.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    async def test_no_ticket_is_given_and_tls_1_3_resumes_nothing(
        self, version: ssl.TLSVersion, certificates: Certificates
    ) -> None:
        context = certificates.client()
        context.maximum_version = version

        def ask(session: ssl.SSLSession | None) -> ssl.SSLSession | None:
            with socket.create_connection(("127.0.0.1", port_of(host)), timeout=20) as plain:
                with context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as sock:
                    sock.sendall(b"GET /other HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                    while sock.recv(65536):
                        pass
                    assert not sock.session_reused or version is ssl.TLSVersion.TLSv1_2
                    return sock.session

        async with serving() as host:
            session = await asyncio.to_thread(ask, None)
            assert session is None or not session.has_ticket
            await asyncio.to_thread(ask, session)

    async def test_a_client_that_does_not_trust_us_leaves_and_is_counted(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO", "wsf")
        async with serving() as host:
            with pytest.raises(ssl.SSLCertVerificationError):
                await connect(web_socket_address(host), ssl=ssl.create_default_context())
            await until(lambda: host.counters().tls_handshakes_failed == 1)
            await until(lambda: host.counters().connections_pending == 0)
        assert "TLS handshake failed: 127.0.0.1:" in caplog.text

    @pytest.mark.parametrize(
        "said", [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\x00\x05hello"]
    )
    async def test_what_is_no_tls_is_let_go_and_is_one_line_in_the_log(
        self, said: bytes, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        async with serving() as host:
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(host))
            writer.write(said)
            await ended(reader)
            writer.close()
            await until(lambda: host.counters().tls_handshakes_failed == 1)
            async with connect(web_socket_address(host)) as client:
                await echo(client)
        assert "Traceback" not in caplog.text
        assert len([line for line in caplog.messages if line.startswith("TLS handshake failed: ")]) == 1

    async def test_one_byte_at_a_time_is_as_good(self, certificates: Certificates) -> None:
        """Records come in pieces: of the handshake, and of messages."""
        tls, incoming, outgoing = memory_client(certificates)
        async with serving() as host:
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(host))
            await shake_hands(tls, incoming, outgoing, reader, writer)
            tls.write(UPGRADE)
            await drip(outgoing.read(), writer)
            incoming.write(await reader.read(65536))
            assert b" 101 " in tls.read(65536)
            writer.transport.abort()
            await until(lambda: host.counters().sessions == 0)


def memory_client(certificates: Certificates) -> tuple[ssl.SSLObject, ssl.MemoryBIO, ssl.MemoryBIO]:
    """A client's TLS without a socket, and what goes into it and comes out."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = certificates.client().wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    return tls, incoming, outgoing


async def drip(data: bytes, writer: asyncio.StreamWriter) -> None:
    for byte in data:
        writer.write(bytes([byte]))
        await asyncio.sleep(0)


async def shake_hands(
    tls: ssl.SSLObject,
    incoming: ssl.MemoryBIO,
    outgoing: ssl.MemoryBIO,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
) -> None:
    """Byte by byte."""
    async with asyncio.timeout(20):
        while True:
            try:
                tls.do_handshake()
                await drip(outgoing.read(), writer)
                return
            except ssl.SSLWantReadError:
                await drip(outgoing.read(), writer)
                incoming.write(await reader.read(65536))


async def test_what_a_client_has_not_taken_is_known_to_the_byte_that_it_takes() -> None:
    """sendTimeout asks for it: who reads slowly makes progress, who does not read makes none."""

    class Much(EchoService):
        async def say(self, message: Message) -> None:
            await (
                OperationContext.current().get_callback_channel(EchoCallback).hear(Message(b"x" * 16_000_000))
            )

    async with serving(Much) as host:
        reader, writer = await open_connection(port_of(host))
        writer.write(UPGRADE)
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()
        writer.write(masked(0x1, b"go"))
        await until(lambda: host.counters().messages_sent == 1)
        connection = await connection_of(host)
        await until(lambda: connection.unsent > 8_000_000)
        before = connection.unsent
        writer.transport.resume_reading()
        await reader.readexactly(8_000_000)
        await until(lambda: connection.unsent < before)
        await reader.readexactly(8_000_000)
        await until(lambda: connection.unsent == 0)
        writer.transport.abort()


async def test_half_a_record_is_a_sign_of_life(certificates: Certificates, clock: Clock) -> None:
    """A client on a thin line, in the middle of what TLS hands on only as a whole, is not dead."""
    interval = 60
    tls, incoming, outgoing = memory_client(certificates)
    binding = web_socket_binding(settings={"keep_alive_interval": interval})
    async with serving(binding=binding) as host:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(host))
        await shake_hands(tls, incoming, outgoing, reader, writer)
        tls.write(UPGRADE)
        writer.write(outgoing.read())
        await until(lambda: host.counters().sessions == 1)
        tls.write(masked(0x1, b"x" * 100))
        record = outgoing.read()
        tap = (await connection_of(host))._tap
        for byte in record[:24]:  # a byte for each sixth: without them, the deadline would have passed twice
            heard_at = tap.heard_at
            await clock.elapse(interval / 6)
            writer.write(bytes([byte]))
            await until(lambda heard_at=heard_at: tap.heard_at > heard_at)
        assert host.counters().keep_alive_timeouts == 0
        assert host.counters().sessions == 1
        writer.write(record[24:])
        await until(lambda: host.counters().messages_received == 1)
        writer.transport.abort()
        await until(lambda: host.counters().sessions == 0)


class TestPending:
    """A connection whose TLS handshake is not done is bounded in time and in number, like any that waits."""

    def binding(self, **settings: Any) -> CustomBinding:
        limit = settings.pop("max_pending_connections", 0)
        plain = web_socket_binding(settings={"max_pending_connections": limit})
        return over_tls(plain, **settings)

    async def test_one_that_says_nothing_is_pending_and_is_cut(
        self, clock: Clock, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO", "wsf")
        async with serving(binding=self.binding(request_initialization_timeout=600)) as host:
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(host))
            await until(lambda: host.counters().connections_pending == 1)
            await clock.elapse(590)
            assert host.counters().connections_pending == 1
            clock.forward(10)
            await ended(reader)
            writer.close()
            await until(lambda: host.counters().connections_pending == 0)
            assert host.counters().tls_handshakes_failed == 1
        assert "requestInitializationTimeout" in caplog.text

    async def test_half_a_request_does_not_stay(self, clock: Clock) -> None:
        async with serving(binding=self.binding(request_initialization_timeout=600)) as host:
            reader, writer = await open_connection(port_of(host))
            ((listener, _),) = host._entrances
            await until(lambda: not listener._shaking)  # the client is done with TLS before the host is
            writer.write(UPGRADE[:40])
            await clock.elapse(590)
            assert host.counters().connections_pending == 1
            clock.forward(10)
            await ended(reader)
            writer.close()
            await until(lambda: host.counters().connections_pending == 0)
            assert host.counters().tls_handshakes_failed == 0

    async def test_as_many_as_the_bound_says_and_one_more_is_cut_without_a_handshake(self) -> None:
        async with serving(binding=self.binding(max_pending_connections=2)) as host:
            waiting = [await asyncio.open_connection("127.0.0.1", port_of(host)) for _ in range(2)]
            await until(lambda: host.counters().connections_pending == 2)
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(host))
            writer.write(b"hello")
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
            writer.close()
            assert host.counters().connections_refused == 1
            waiting[0][1].close()
            await until(lambda: host.counters().connections_pending == 1)
            async with connect(web_socket_address(host)) as client:  # a place is free again
                await echo(client)
            waiting[1][1].close()

    async def test_one_that_leaves_before_its_handshake_is_no_failure(self) -> None:
        """A load balancer's look whether anybody listens."""
        async with serving() as host:
            _, writer = await asyncio.open_connection("127.0.0.1", port_of(host))
            await until(lambda: host.counters().connections_pending == 1)
            writer.close()
            await until(lambda: host.counters().connections_pending == 0)
            assert host.counters().tls_handshakes_failed == 0

    async def test_a_host_that_closes_does_not_wait_for_them(self) -> None:
        async with serving(binding=self.binding(request_initialization_timeout=3600)) as host:
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(host))
            await until(lambda: host.counters().connections_pending == 1)
        await ended(reader)
        writer.close()
        assert host.counters().connections_pending == 0


class TestClosing:
    async def test_a_clients_close_frame_is_heard_after_our_own_and_our_half_of_tls_is_closed(
        self, certificates: Certificates
    ) -> None:
        """It answers only when it has read to the end, as some applications do that shut down."""

        class Ending(EchoService):
            async def say(self, message: Message) -> None:
                await OperationContext.current().channel.close(4000, "enough")

        def converse(port: int) -> bytes:
            with socket.create_connection(("127.0.0.1", port), timeout=20) as plain:
                with certificates.client().wrap_socket(plain, server_hostname="127.0.0.1") as sock:
                    sock.sendall(UPGRADE)
                    assert b" 101 " in sock.recv(65536)
                    sock.sendall(masked(0x1, b"go") + masked(0x1, b"more"))
                    heard = sock.recv(65536)
                    sock.sendall(masked(0x1, b"and more"))
                    while data := sock.recv(65536):  # to close_notify, and not to an error
                        heard += data
                    sock.sendall(masked(0x8, struct.pack("!H", 4000)))
                    return heard

        async with serving(Ending) as host:
            heard = await asyncio.to_thread(converse, port_of(host))
            assert heard == b"\x88\x08" + struct.pack("!H", 4000) + b"enough"
            await until(lambda: host.counters().sessions == 0)
            assert host.counters().close_timeouts == 0
            assert host.counters().protocol_errors == 0


def masked(opcode: int, payload: bytes) -> bytes:
    return bytes((0x80 | opcode, 0x80 | len(payload))) + bytes(4) + payload


class TestClientCertificates:
    def serving(self, certificates: Certificates, service: object = EchoService) -> Any:
        binding = over_tls(web_socket_binding(), require_client_certificate=True)
        return serving(service, binding=binding, credentials=certificates.credentials(asks_clients=True))

    async def test_the_service_sees_who_has_shown_one(self, certificates: Certificates) -> None:
        service = EchoService()
        async with self.serving(certificates, service) as host:
            async with connect(web_socket_address(host), ssl=certificates.client("ann")) as client:
                await echo(client)
        shown: Any = service.heard[0].properties[ClientCertificateMessageProperty.name]
        assert shown.common_name == "ann"
        assert ("commonName", "ann") in shown.subject
        assert shown.subject_alternative_names == (("email", "ann@example"),)
        assert len(shown.fingerprint) == 64
        assert shown.der.startswith(b"\x30")
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            shown.subject = ()

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    @pytest.mark.parametrize("shows", ["none", "another authority's"])
    async def test_others_are_not_let_in(
        self,
        shows: str,
        version: ssl.TLSVersion,
        certificates: Certificates,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level("INFO", "wsf")
        name = "" if shows == "none" else "mallory"
        context = certificates.client(name, trustme.CA())
        context.maximum_version = version
        async with self.serving(certificates) as host:
            with pytest.raises((ssl.SSLError, ConnectionError, InvalidMessage)):
                await connect(web_socket_address(host), ssl=context)
            await until(lambda: host.counters().tls_handshakes_failed == 1)
            assert host.counters().sessions_opened == 0
        why = "unable to get local issuer certificate" if name else "PEER_DID_NOT_RETURN_A_CERTIFICATE"
        assert f": {why!r}" in caplog.text

    async def test_without_the_setting_nobody_is_asked(self, certificates: Certificates) -> None:
        service = EchoService()
        async with serving(service) as host:
            async with connect(web_socket_address(host), ssl=certificates.client("ann")) as client:
                await echo(client)
        assert ClientCertificateMessageProperty.name not in service.heard[0].properties


class TestOneSite:
    def hosts(self, one: ServiceCredentials, other: ServiceCredentials, **settings: Any) -> list[ServiceHost]:
        listeners: Any = {}
        port = free_port()
        hosts = [
            ServiceHost(EchoService, credentials=credentials, listeners=listeners)
            for credentials in (one, other)
        ]
        plain = over_tls(web_socket_binding())
        hosts[0].add_service_endpoint(Echo, plain, f"https://127.0.0.1:{port}/one")
        hosts[1].add_service_endpoint(
            Echo, over_tls(web_socket_binding(), **settings), f"https://127.0.0.1:{port}/two"
        )
        return hosts

    async def test_two_services_share_it_with_one_certificate(self, certificates: Certificates) -> None:
        one, two = self.hosts(certificates.credentials(), certificates.credentials())
        async with one, two:
            for host in (one, two):
                async with connect(web_socket_address(host)) as client:
                    await echo(client)

    async def test_two_certificates_are_refused_when_the_second_is_built(
        self, certificates: Certificates, tmp_path: Any
    ) -> None:
        copy = shutil.copy(certificates.certificate_file, tmp_path / "copy.pem")
        another = ServiceCredentials(ServiceCertificate(str(copy), str(certificates.key_file)))
        one, two = self.hosts(certificates.credentials(), another)
        one.build()
        with pytest.raises(
            ContractError, match=r"/one and /two are on one site: their serviceCredentials must"
        ):
            two.build()

    async def test_one_that_asks_clients_and_one_that_does_not_are_refused(
        self, certificates: Certificates
    ) -> None:
        both = certificates.credentials(asks_clients=True)
        one, two = self.hosts(both, both, require_client_certificate=True)
        one.build()
        with pytest.raises(ContractError, match="requireClientCertificate must be equal"):
            two.build()


class TestRefusedWhenBuilt:
    def host(self, credentials: ServiceCredentials | None, **settings: Any) -> ServiceHost:
        host = ServiceHost(EchoService, credentials=credentials)
        host.add_service_endpoint(
            Echo, over_tls(web_socket_binding(), **settings), "https://127.0.0.1:0/echo"
        )
        return host

    def test_no_certificate(self) -> None:
        with pytest.raises(ContractError, match="serviceCredentials/serviceCertificate"):
            self.host(None).build()

    def test_no_authority_to_ask_for(self, certificates: Certificates) -> None:
        with pytest.raises(ConfigurationError, match="certificateAuthorityFile"):
            self.host(certificates.credentials(), require_client_certificate=True).build()

    def test_a_file_that_is_gone(self, certificates: Certificates) -> None:
        gone = ServiceCredentials(ServiceCertificate("gone.pem", str(certificates.key_file)))
        with pytest.raises(ConfigurationError, match=r"certificateFile: 'gone.pem': No such file"):
            self.host(gone).build()

    def test_an_application_that_listens_itself(self, certificates: Certificates) -> None:
        with pytest.raises(ContractError, match="write httpTransport"):
            self.host(certificates.credentials()).mount(web.Application())


@pytest.mark.parametrize(("scheme", "expected"), [("https", 101), ("http", 403)])
async def test_a_page_that_came_without_tls_is_of_another_site(scheme: str, expected: int) -> None:
    async with serving() as host:
        reader, writer = await open_connection(port_of(host))
        origin = f"Host: 127.0.0.1:{port_of(host)}\r\nOrigin: {scheme}://127.0.0.1:{port_of(host)}\r\n"
        writer.write(UPGRADE.replace(b"Host: 127.0.0.1\r\n", origin.encode()))
        assert (await reader.readline()).split()[1] == str(expected).encode()
        writer.transport.abort()


async def test_the_page_is_served_beside_the_endpoint(certificates: Certificates) -> None:
    async with serving(static_content="chatservice:web") as host, ClientSession() as session:
        async with session.get(host.pages[0], ssl=certificates.client()) as answer:
            assert (answer.status, answer.url.scheme) == (200, "https")
            assert b"<title>Chat</title>" in await answer.read()
        assert host.pages[0].startswith("https://127.0.0.1:")


async def test_a_host_inside_an_application_with_asyncios_own_tls_bounds_a_slow_client_too(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    @service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
    class Flooding(EchoService):
        async def say(self, message: Message) -> None:
            callback = OperationContext.current().get_callback_channel(EchoCallback)
            if message.get_body(bytes) == b"x":  # in turns: what is empty must not be taken for full
                for _ in range(4):
                    await callback.hear(message)
                    await asyncio.sleep(0.01)
            for _ in range(500 if message.get_body(bytes) == b"flood" else 0):
                await callback.hear(Message(b"x" * 65536))
                await asyncio.sleep(0)

    application = web.Application()
    host = ServiceHost(Flooding, outbox=OutboxSettings(max_bytes=200_000))
    host.add_service_endpoint(Echo, web_socket_binding(), "/echo")
    assert isinstance(web_socket_binding().transport, HttpTransport)
    host.mount(application)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificates.certificate_file, certificates.key_file)
    runner = web.AppRunner(application)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=server).start()
    try:
        address = f"wss://127.0.0.1:{port}/echo"
        async with connect_to(address, ssl=certificates.client()) as client:
            await client.send("x")
            async with asyncio.timeout(20):
                assert [await client.recv() for _ in range(4)] == ["x"] * 4
        reader, writer = await open_connection(port)
        writer.write(UPGRADE)
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()
        writer.write(masked(0x1, b"flood"))
        await until(lambda: host.counters().slow_clients_aborted == 1)
        writer.transport.abort()
    finally:
        await runner.cleanup()
