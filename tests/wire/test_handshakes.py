"""Who comes in, over real sockets: status codes, subprotocols, bounds of what is not a session yet."""

import asyncio
import contextlib
import re
import socket
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from tests.clock import Clock
from tests.conftest import require_tool
from tests.doubles import web_socket_binding
from tests.serving import EchoService, serving, until, web_socket_address
from wsf.behaviors import ServiceThrottling
from wsf.bindings.custom import CustomBinding
from wsf.encodings.byte_stream import ByteStreamMessageEncoding
from wsf.host import ServiceHost
from wsf.transports.http import HttpTransport, WebSocketSettings, WebSocketTransportUsage


def has_ipv6() -> bool:
    """Whether this machine can listen on its IPv6 loopback address."""
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
    except OSError:
        return False
    return True


GOOD = {
    "Host": "127.0.0.1",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def port_of(host: ServiceHost) -> int:
    return int(host.endpoints[0].address.rsplit(":", 1)[1].split("/")[0])


async def ask(host: ServiceHost, path: str = "/echo", method: str = "GET", **replaced: str | None) -> str:
    """Head and body of the answer to a handshake, some headers replaced (None: left out)."""
    headers = {name: value for name, value in GOOD.items() if name not in replaced}
    headers |= {name.replace("_", "-"): value for name, value in replaced.items() if value is not None}
    for name in [name.replace("_", "-") for name, value in replaced.items() if value is None]:
        headers.pop(name, None)
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(host))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"{method} {path} HTTP/1.1\r\n{lines}\r\n".encode())
    async with asyncio.timeout(20):
        answer = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"Content-Length: (\d+)", answer)
        answer += (await reader.readexactly(int(length[1]) if length else 0)).decode()
    writer.close()
    return answer


def status(answer: str) -> int:
    return int(answer.split(" ", 2)[1])


@pytest.mark.parametrize(
    ("replaced", "expected"),
    [
        ({"Upgrade": None}, 400),
        ({"Connection": "keep-alive"}, 400),
        ({"Sec_WebSocket_Version": None}, 426),
        ({"Sec_WebSocket_Version": "8"}, 426),
        ({"Sec_WebSocket_Key": "short"}, 400),
        ({"Sec_WebSocket_Protocol": "chat"}, 426),
        ({"Sec_WebSocket_Protocol": "a b"}, 400),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "rebound.example"}, 421),
        ({"Upgrade": "websocketx"}, 400),
        ({"Upgrade": "websocket, h2c"}, 400),
        ({"Connection": "notupgrade"}, 400),
    ],
)
async def test_what_may_not_come_in_is_told_why_in_one_line_and_logged(
    replaced: dict[str, str | None], expected: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "wsf")
    async with serving() as host:
        answer = await ask(host, **replaced)
        assert status(answer) == expected
        body = answer.partition("\r\n\r\n")[2]
        assert body.count("\n") == 1
        assert "evil" not in answer
        assert "rebound" not in answer
        assert "aiohttp" not in answer
        assert host.counters().handshakes_refused == 1
        assert host.counters().sessions_opened == 0
    assert [record for record in caplog.messages if record.startswith("handshake refused: 127.0.0.1:")]


async def test_a_plain_request_gets_400_and_another_path_404() -> None:
    async with serving() as host:
        assert status(await ask(host, Upgrade=None, Connection="close")) == 400
        assert status(await ask(host, method="POST")) == 400
        assert status(await ask(host, path="/other", Connection="close", Upgrade=None)) == 404


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n",
        b"GET /echo HTTP/1.1\r\nHost : 127.0.0.1\r\n\r\n",
    ],
)
async def test_what_is_no_request_is_one_line_in_the_log_and_tells_nothing(
    request_bytes: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    async with serving() as host:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(host))
        writer.write(request_bytes)
        async with asyncio.timeout(20):
            answer = (await reader.read()).decode()
        writer.close()
        assert status(answer) == 400
        assert "Server: wsf" in answer
        assert "this request cannot be answered" in answer
        assert host.counters().requests_refused == 1
    assert "Traceback" not in caplog.text
    (line,) = [message for message in caplog.messages if message.startswith("request refused: 127.0.0.1:")]
    assert line.isprintable()


async def test_a_handshake_needs_http_1_1() -> None:
    async with serving() as host:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(host))
        lines = "".join(f"{name}: {value}\r\n" for name, value in GOOD.items())
        writer.write(f"GET /echo HTTP/1.0\r\n{lines}\r\n".encode())
        assert b" 400 " in await reader.readline()
        writer.close()


async def test_a_subprotocol_is_echoed_as_the_client_wrote_it() -> None:
    binding = web_socket_binding(settings={"sub_protocol": "chat"})
    async with serving(binding=binding) as host:
        offers = [Subprotocol("other"), Subprotocol("CHAT")]
        async with connect(web_socket_address(host), subprotocols=offers) as client:
            assert client.subprotocol == "CHAT"
        with pytest.raises(InvalidStatus) as refused:
            await connect(web_socket_address(host))
        assert refused.value.response.status_code == 426
        assert refused.value.response.headers["Sec-WebSocket-Protocol"] == "chat"


async def test_origins_in_the_settings_may_come_in() -> None:
    binding = web_socket_binding(settings={"allowed_origins": ("null", "https://app.example")})
    async with serving(binding=binding) as host:
        for origin in ("null", "https://app.example"):
            async with connect(web_socket_address(host), additional_headers={"Origin": origin}) as client:
                await client.send("x")
                assert await client.recv() == "x"


@pytest.mark.parametrize("address", ["http://localhost:0/echo", "http://+:0/echo", "http://[::1]:0/echo"])
async def test_addresses_are_bound_as_written(address: str) -> None:
    if "[::1]" in address:
        require_tool("ipv6", has_ipv6())
    async with serving(address=address) as host:
        port = port_of(host)
        name = "[::1]" if "[::1]" in address else "127.0.0.1"
        async with connect(f"ws://{name}:{port}/echo") as client:
            await client.send("x")
            assert await client.recv() == "x"
        if name == "[::1]":
            with pytest.raises(OSError, match="Connect"):
                await connect(f"ws://127.0.0.1:{port}/echo")


class TestPending:
    """Connections that are not a session are bounded in time and in number."""

    def binding(self, **settings: Any) -> CustomBinding:
        return CustomBinding(
            encoding=ByteStreamMessageEncoding(),
            transport=HttpTransport(
                web_socket_settings=WebSocketSettings(
                    transport_usage=WebSocketTransportUsage.ALWAYS,
                    max_pending_connections=settings.pop("max_pending_connections", 0),
                ),
                **settings,
            ),
        )

    async def test_half_a_request_does_not_stay(self, clock: Clock) -> None:
        async with serving(binding=self.binding(request_initialization_timeout=600)) as host:
            reader, writer = await asyncio.open_connection("127.0.0.1", port_of(host))
            writer.write(b"GET /echo HTTP/1.1\r\nHost: ")
            await until(lambda: host.counters().connections_pending == 1)
            await clock.elapse(590)
            assert host.counters().connections_pending == 1
            clock.forward(10)
            async with asyncio.timeout(20):
                with contextlib.suppress(ConnectionResetError):  # what it had not read yet is thrown away
                    assert await reader.read() == b""
            writer.close()

    @pytest.mark.usefixtures("unhurried")
    async def test_as_many_wait_as_the_bound_says_and_one_more_gets_503(self) -> None:
        async with serving(binding=self.binding(max_pending_connections=2)) as host:
            waiting = [await asyncio.open_connection("127.0.0.1", port_of(host)) for _ in range(2)]
            await until(lambda: host.counters().connections_pending == 2)
            answer = await ask(host)
            assert status(answer) == 503
            assert "Retry-After" in answer
            assert host.counters().connections_refused == 1
            waiting[0][1].close()
            await until(lambda: host.counters().connections_pending == 1)
            async with connect(web_socket_address(host)) as client:  # a place is free again
                await client.send("x")
                assert await client.recv() == "x"
            waiting[1][1].close()

    async def test_a_session_is_not_pending(self) -> None:
        async with serving(binding=self.binding(max_pending_connections=1)) as host:
            clients = [await connect(web_socket_address(host)) for _ in range(3)]
            await until(lambda: host.counters().connections_pending == 0)
            for client in clients:
                await client.close()


class TestSessionsThrottle:
    async def test_an_upgrade_over_the_limit_waits_for_a_session_to_end(self) -> None:
        async with serving(throttling=ServiceThrottling(max_concurrent_sessions=1)) as host:
            first = await connect(web_socket_address(host))
            second = asyncio.create_task(connect(web_socket_address(host)).__aenter__())
            await until(lambda: host.counters().sessions_waiting == 1)
            assert not second.done()
            await first.close()
            client = await second
            await client.send("x")
            assert await client.recv() == "x"
            assert host.counters().sessions == 1
            await client.close()

    async def test_who_has_waited_for_open_timeout_gets_503(self) -> None:
        throttling = ServiceThrottling(max_concurrent_sessions=1)
        async with serving(throttling=throttling, binding=web_socket_binding(open_timeout=0.05)) as host:
            async with connect(web_socket_address(host)):
                with pytest.raises(InvalidStatus) as refused:
                    await connect(web_socket_address(host))
                assert refused.value.response.status_code == 503
                assert refused.value.response.headers["Retry-After"] == "1"
            assert host.counters().sessions_waiting == 0

    @pytest.mark.usefixtures("unhurried")
    async def test_more_than_max_pending_connections_do_not_wait(self) -> None:
        throttling = ServiceThrottling(max_concurrent_sessions=1)
        binding = web_socket_binding(settings={"max_pending_connections": 2})
        async with serving(EchoService, throttling=throttling, binding=binding) as host:
            first = await connect(web_socket_address(host))
            waiting = [asyncio.create_task(connect(web_socket_address(host)).__aenter__()) for _ in range(2)]
            await until(lambda: host.counters().sessions_waiting == 2)
            with pytest.raises(InvalidStatus) as refused:
                await connect(web_socket_address(host))
            assert refused.value.response.status_code == 503
            await first.close()
            for task in waiting:
                client = await task
                await client.close()
