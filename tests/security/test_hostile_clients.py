"""What a peer with a socket may not do to the host, or to anybody else on it."""

import asyncio
import json
import os
import signal
import socket
import struct
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.doubles import web_socket_binding
from tests.serving import ROOT, EchoService, program, serving, until, web_socket_address
from wsf import InstanceContextMode, Message, OperationContext, service_behavior
from wsf.bindings.custom import CustomBinding
from wsf.encodings.byte_stream import ByteStreamMessageEncoding
from wsf.host import ServiceHost
from wsf.transports._site import Site
from wsf.transports.http import HttpTransport, WebSocketSettings, WebSocketTransportUsage

UPGRADE = (
    b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def masked(opcode: int, payload: bytes) -> bytes:
    assert len(payload) < 126
    return bytes((0x80 | opcode, 0x80 | len(payload))) + bytes(4) + payload


def port_of(host: ServiceHost) -> int:
    return int(host.endpoints[0].address.rsplit(":", 1)[1].split("/")[0])


def small_socket(port: int) -> socket.socket:
    """A connection that takes next to nothing before its sender must wait."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("127.0.0.1", port))
    sock.setblocking(False)
    return sock


async def send(sock: socket.socket, data: bytes) -> None:
    async with asyncio.timeout(20):
        await asyncio.get_running_loop().sock_sendall(sock, data)


@pytest.mark.parametrize("key", ["ä" * 24, "=" * 24, ""])
async def test_any_key_that_is_none_is_refused(key: str, caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as host:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(host))
        writer.write(UPGRADE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", key.encode()) + b"\r\n")
        assert b" 400 " in await reader.readline()
        writer.close()
        assert host.counters().handshakes_refused == 1
    assert "Traceback" not in caplog.text


async def test_a_subprotocol_in_a_second_header_line_is_found_and_echoed() -> None:
    async with serving(binding=web_socket_binding(settings={"sub_protocol": "chat"})) as host:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(host))
        offers = b"Sec-WebSocket-Protocol: foo\r\nSec-WebSocket-Protocol: chat\r\n"
        writer.write(UPGRADE + offers + b"\r\n")
        answer = await reader.readuntil(b"\r\n\r\n")
        assert b" 101 " in answer
        assert b"Sec-WebSocket-Protocol: chat" in answer
        writer.close()


def binding_with(**transport: object) -> CustomBinding:
    settings = WebSocketSettings(
        transport_usage=WebSocketTransportUsage.ALWAYS,
        max_pending_connections=int(str(transport.pop("max_pending_connections", 0))),
    )
    return CustomBinding(
        encoding=ByteStreamMessageEncoding(),
        transport=HttpTransport(web_socket_settings=settings, **transport),  # type: ignore[arg-type]
    )


async def test_a_burst_of_connections_does_not_get_past_the_bound(tmp_path: Path) -> None:
    """All that wait to be accepted while the host is stopped come at once."""
    config = tmp_path / "app.yaml"
    text = (ROOT / "config" / "app.yaml").read_text().replace("8004", "0")
    config.write_text(
        text.replace("transportUsage: Always,", "transportUsage: Always, maxPendingConnections: 5,")
    )
    async with program(str(config)) as running:
        port = int(await running.line(r"Endpoint +ws://localhost:(\d+)"))
        os.kill(running.process.pid, signal.SIGSTOP)
        socks = []
        for _ in range(60):
            sock = socket.socket()
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", port))
            socks.append(sock)
        os.kill(running.process.pid, signal.SIGCONT)
        answers = [asyncio.create_task(asyncio.get_running_loop().sock_recv(sock, 1)) for sock in socks]
        await until(lambda: sum(answer.done() for answer in answers) >= 55)  # told 503, or cut
        for answer in answers:
            answer.cancel()
        await asyncio.gather(*answers, return_exceptions=True)
        for sock in socks:
            sock.close()
        running.process.terminate()
        status, _, err = await running.end()
    assert status == 0
    assert "maxPendingConnections (5) reached" in err
    assert "Traceback" not in err


@pytest.mark.usefixtures("unhurried")
@pytest.mark.parametrize(("taken", "expected"), [(1, b" 101 "), (2, b" 503 ")])
async def test_the_descriptors_are_shared_by_all_sites_of_the_process(
    taken: int, expected: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as one, serving() as other:
        limit = Site.process_connections + 2
        monkeypatch.setattr("wsf.transports._site.descriptor_limit", lambda: limit)
        clients = [await connect(web_socket_address(one)) for _ in range(taken)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(other))
        writer.write(UPGRADE + b"\r\n")
        assert expected in await reader.readline()
        assert ("file descriptors" in caplog.text) is (b"503" in expected)
        writer.close()
        for client in clients:
            await client.close()
    await until(lambda: Site.process_connections == limit - 2)


async def test_a_ping_flood_that_is_not_read_ends_at_send_timeout() -> None:
    """Keep-alive stands still while the socket is full: then sendTimeout must watch, pongs included."""
    async with serving(binding=web_socket_binding(send_timeout=0.3)) as host:
        sock = small_socket(port_of(host))
        await send(sock, UPGRADE + b"\r\n")
        await until(lambda: host.counters().sessions == 1)
        ping = masked(9, b"x" * 125) * 100
        with pytest.raises((ConnectionError, TimeoutError)):
            async with asyncio.timeout(20):
                while host.counters().sessions:
                    await asyncio.get_running_loop().sock_sendall(sock, ping)
                    await asyncio.sleep(0)
                raise ConnectionResetError
        assert host.counters().send_timeouts == 1
        sock.close()


async def test_a_ping_flood_leaves_everybody_their_turn() -> None:
    async with serving() as host, connect(web_socket_address(host)) as good:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(host))
        writer.write(UPGRADE + b"\r\n")
        await reader.readuntil(b"\r\n\r\n")
        reading = asyncio.create_task(read_all(reader))
        writer.write(masked(9, b"") * 20_000)
        await good.send("my turn")
        assert await good.recv() == "my turn"
        writer.transport.abort()
        await reading


async def read_all(reader: asyncio.StreamReader) -> None:
    try:
        while await reader.read(65536):
            pass
    except ConnectionError:
        pass


async def test_a_vanished_client_is_known_while_its_operation_still_runs() -> None:
    states: list[str] = []
    is_running, may_end = asyncio.Event(), asyncio.Event()

    class Waiting(EchoService):
        async def say(self, message: Message) -> None:
            channel = OperationContext.current().channel
            is_running.set()
            await until(lambda: channel.state.value != "Opened")
            states.append(channel.state.value)
            may_end.set()

    async with serving(Waiting) as host:
        client = await connect(web_socket_address(host))
        await client.send("x")
        await is_running.wait()
        client.transport.abort()
        await may_end.wait()
    assert states == ["Faulted"]


async def test_one_slow_goodbye_does_not_cost_the_caller_its_session() -> None:
    """An operation closes another client that never answers; the caller is not to blame."""
    others: list[object] = []

    @service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
    class Closing(EchoService):
        async def say(self, message: Message) -> None:
            channel = OperationContext.current().channel
            others.append(channel)
            if message.get_body(bytes) == b"close the other":
                first = others[0]
                assert hasattr(first, "close")
                await first.close()
            await super().say(message)

    async with serving(Closing, binding=web_socket_binding(close_timeout=0.2)) as host:
        _, silent = await asyncio.open_connection("127.0.0.1", port_of(host))
        silent.write(UPGRADE + b"\r\n" + masked(1, b"first"))
        await until(lambda: host.counters().messages_received == 1)
        async with connect(web_socket_address(host)) as caller:
            await caller.send("close the other")
            await caller.send("still here")
            assert await caller.recv() == "still here"
        assert host.counters().close_timeouts == 1
        silent.transport.abort()


async def test_bodies_and_secrets_of_a_client_are_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    secret = "canary-7f3a"
    async with serving(binding=web_socket_binding(settings={"sub_protocol": "chat"})) as host:
        for more in (b"", b"Sec-WebSocket-Protocol: chat\r\n", b"Origin: http://evil.example\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(host))
            line = UPGRADE.replace(b"/echo", f"/echo?token={secret}".encode())
            writer.write(line + f"Cookie: {secret}\r\nAuthorization: {secret}\r\n".encode() + more + b"\r\n")
            await reader.readuntil(b"\r\n\r\n")
            writer.write(masked(1, json.dumps({"password": secret}).encode()))
            writer.write(masked(8, struct.pack("!H", 1000)))
            await read_all(reader)
            writer.close()
    assert secret not in "".join(message for message in caplog.messages if "asyncio" not in message)
