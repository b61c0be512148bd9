"""Who a client is, over real sockets: what authenticate sees and decides, and that what fails refuses."""

import asyncio
import contextlib
import math
import re
import ssl
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

import tests.serving
from tests.certificates import Certificates
from tests.doubles import web_socket_binding
from tests.serving import (
    DEADLINE,
    ROOT,
    Echo,
    EchoService,
    connect,
    open_connection,
    over_tls,
    program,
    serving,
    until,
    web_socket_address,
)
from wsf.behaviors import ServiceThrottling
from wsf.counters import Meter
from wsf.errors import AuthenticationError, ContractError, HandshakeRefusedError, SecurityAccessDeniedError
from wsf.host import ServiceHost
from wsf.message import RemoteEndpointMessageProperty, WebSocketMessageProperty
from wsf.transports import UpgradeRequest
from wsf.transports._handshake import Refusal
from wsf.transports._upgrade import Handshake, _admit, authenticated

SECRET = "canary-51c2"
UPGRADE = (
    b"GET /echo?token=canary-51c2 HTTP/1.1\r\nHost: 127.0.0.1\r\n"
    b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def port_of(host: ServiceHost) -> int:
    return int(host.endpoints[0].address.rsplit(":", 1)[1].split("/")[0])


async def refusal(host: ServiceHost, **settings: Any) -> Any:
    """The answer that is no 101."""
    with pytest.raises(InvalidStatus) as refused:
        await connect(web_socket_address(host), **settings)
    return refused.value.response


async def anybody(_: UpgradeRequest) -> object:
    return "anybody"


@pytest.mark.usefixtures("each_scheme")
class TestWhoIsLetIn:
    async def test_the_service_knows_who_and_authenticate_has_seen_all_that_the_client_said(self) -> None:
        asked: list[UpgradeRequest] = []
        ann = SimpleNamespace(name="ann")

        async def authenticate(request: UpgradeRequest) -> object:
            asked.append(request)
            return ann

        service = EchoService()
        binding = web_socket_binding(settings={"sub_protocol": "chat"})
        async with serving(service, binding=binding, authenticate=authenticate) as host:
            async with connect(
                web_socket_address(host) + f"?token={SECRET}&token=2&room=a%20b",
                additional_headers={"Cookie": f"session={SECRET}; theme=dark", "X-Who": "ann"},
                subprotocols=[Subprotocol(f"bearer.{SECRET}"), Subprotocol("chat")],
            ) as client:
                await client.send("x")
                await client.recv()
                remote = RemoteEndpointMessageProperty("127.0.0.1", client.local_address[1])
        (request,) = asked
        assert request.path == "/echo"
        assert request.query == {"token": (SECRET, "2"), "room": ("a b",)}
        assert request.cookies == {"session": SECRET, "theme": "dark"}
        assert request.headers["x-who"] == "ann"
        assert request.sub_protocols == (f"bearer.{SECRET}", "chat")
        assert request.remote == remote
        assert request.client_certificate is None
        assert SECRET not in repr(request)
        handshake: Any = service.heard[0].properties[WebSocketMessageProperty.name]
        assert handshake.principal is ann
        assert handshake.cookies == request.cookies
        assert handshake.sub_protocol == "chat"
        assert SECRET not in repr(handshake)
        assert "ann" not in repr(handshake)

    async def test_an_object_may_be_asked(self) -> None:
        class Directory:
            async def __call__(self, request: UpgradeRequest) -> object:
                return request.query.get("name")

        async with serving(authenticate=Directory()) as host:
            async with connect(web_socket_address(host) + "?name=ann") as client:
                await client.send("x")
                assert await client.recv() == "x"
            assert (await refusal(host)).status_code == 401


async def test_it_sees_the_certificate_that_the_client_has_shown(
    certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tests.serving, "secure", certificates)

    async def authenticate(request: UpgradeRequest) -> object | None:
        shown = request.client_certificate
        return shown.common_name if shown is not None and shown.common_name == "ann" else None

    binding = over_tls(web_socket_binding(), require_client_certificate=True)
    credentials = certificates.credentials(asks_clients=True)
    async with serving(binding=binding, credentials=credentials, authenticate=authenticate) as host:
        async with connect(web_socket_address(host), ssl=certificates.client("ann")) as client:
            await client.send("x")
            assert await client.recv() == "x"
        assert (await refusal(host, ssl=certificates.client("ben"))).status_code == 401


def raises(error: BaseException) -> Callable[[UpgradeRequest], Any]:
    async def authenticate(_: UpgradeRequest) -> object:
        raise error

    return authenticate


async def nobody(_: UpgradeRequest) -> None:
    return None


async def sleeps(_: UpgradeRequest) -> None:
    await asyncio.Event().wait()


async def does_not_heed(_: UpgradeRequest) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    for _ in range(100):  # and goes on for many turns of the loop, as if nobody had asked it to stop
        await asyncio.sleep(0)


class TestWhoIsNot:
    """None of them becomes a session, takes the place of one, or learns why."""

    @pytest.mark.parametrize(
        ("authenticate", "status", "counter"),
        [
            (nobody, 401, "authentications_refused"),
            (raises(AuthenticationError("old")), 401, "authentications_refused"),
            (raises(SecurityAccessDeniedError("banned")), 403, "authentications_refused"),
            (raises(ZeroDivisionError("old")), 500, "authentications_failed"),
            (raises(asyncio.CancelledError()), 500, "authentications_failed"),
            (raises(TimeoutError()), 500, "authentications_failed"),
            (sleeps, 503, "authentications_failed"),
            (does_not_heed, 503, "authentications_failed"),
        ],
    )
    async def test_it_is_refused_and_counted_and_one_line_in_the_log(
        self,
        authenticate: Callable[[UpgradeRequest], Any],
        status: int,
        counter: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        caplog.set_level("INFO", "wsf")
        binding = web_socket_binding(open_timeout=0.3 if status == 503 else 60)
        throttling = ServiceThrottling(max_concurrent_sessions=1)
        async with serving(binding=binding, authenticate=authenticate, throttling=throttling) as host:
            answer = await refusal(host)
            assert answer.status_code == status
            for word in (b"old", b"banned", b"ZeroDivision", b"authenticate ", b"Traceback"):
                assert word not in answer.body
            assert ("WWW-Authenticate" in answer.headers) is (status == 401)
            counters = host.counters()
            assert (counters.handshakes_refused, getattr(counters, counter)) == (1, 1)
            assert counters.authentications_refused + counters.authentications_failed == 1
            assert (counters.sessions, counters.sessions_opened, counters.sessions_waiting) == (0, 0, 0)
            assert [line for line in caplog.messages if line.startswith("handshake refused: ")] != []
        assert f"'/echo' {status}: " in caplog.text
        assert ("authenticate failed for '/echo'" in caplog.text) is (status == 500)
        assert len([record for record in caplog.records if record.exc_info]) == (status == 500)

    async def test_a_challenge_is_the_answers_own(self) -> None:
        challenge = 'Basic realm="chat"'
        async with serving(authenticate=raises(AuthenticationError(challenge=challenge))) as host:
            assert (await refusal(host)).headers["WWW-Authenticate"] == challenge

    @pytest.mark.parametrize("challenge", ["", " ", "Bearer\r\nSet-Cookie: a=b", "Bäsic"])
    def test_a_challenge_is_one_line(self, challenge: str) -> None:
        with pytest.raises(ValueError, match="challenge"):
            AuthenticationError(challenge=challenge)

    def test_each_refusal_is_a_status(self) -> None:
        statuses = {refused.status for refused in HandshakeRefusedError.__subclasses__()}
        assert statuses == {401, 403}

    @pytest.mark.parametrize(
        ("headers", "status"), [({"Origin": "http://evil.example"}, 403), ({"Host": "evil.example"}, 421)]
    )
    async def test_nobody_is_asked_about_a_handshake_that_is_refused_anyway(
        self, headers: dict[str, str], status: int
    ) -> None:
        async with serving(authenticate=raises(AssertionError("asked"))) as host:
            lines = UPGRADE
            for name, value in headers.items():
                lines = re.sub(f"{name}: .*\r\n".encode(), b"", lines) + f"{name}: {value}\r\n".encode()
            reader, writer = await open_connection(port_of(host))
            writer.write(lines + b"\r\n")
            assert f" {status} ".encode() in await reader.readline()
            writer.close()
            assert host.counters().authentications_failed == 0


class TestBounds:
    async def test_the_wait_for_an_answer_and_for_a_place_are_one_open_timeout(self) -> None:
        """When it has passed, whoever must wait is refused, and whoever need not comes in."""
        now = asyncio.get_running_loop().time()
        asked: Any = SimpleNamespace(path="/echo")
        late = Handshake(None, asked, deadline=now)

        async def has_place() -> bool:
            return True

        async def has_none() -> bool:
            await asyncio.Event().wait()
            return True

        gone = asyncio.get_running_loop().create_future()
        refused = await authenticated(late, sleeps, gone, Meter())
        assert isinstance(refused, Refusal)
        assert refused.status == 503
        for admit, is_admitted in ((has_place, True), (has_none, False)):
            entrance: Any = SimpleNamespace(admit=admit, open_timeout=math.inf)
            request: Any = SimpleNamespace(transport=object())
            async with asyncio.timeout(20):
                assert await _admit(request, late, entrance) is is_admitted

    @pytest.mark.usefixtures("unhurried")
    async def test_who_is_asked_about_is_pending_and_one_over_the_bound_is_refused(self) -> None:
        answer = asyncio.Event()

        async def authenticate(_: UpgradeRequest) -> object:
            await answer.wait()
            return "somebody"

        binding = web_socket_binding(settings={"max_pending_connections": 2})
        async with serving(authenticate=authenticate, binding=binding) as host:
            waiting = [asyncio.create_task(connect(web_socket_address(host)).__aenter__()) for _ in range(2)]
            await until(lambda: host.counters().connections_pending == 2)
            assert (await refusal(host)).status_code == 503
            assert host.counters().sessions == 0
            answer.set()
            for client in await asyncio.gather(*waiting):
                await client.close()
            await until(lambda: host.counters().connections_pending == 0)

    async def test_the_bound_holds_inside_an_application_too(self) -> None:
        """Its connections are not the host's to count; those that it asks about are."""
        answer, asked = asyncio.Event(), asyncio.Event()

        async def authenticate(_: UpgradeRequest) -> object:
            asked.set()
            await answer.wait()
            return "somebody"

        host = ServiceHost(EchoService, authenticate=authenticate)
        host.add_service_endpoint(Echo, web_socket_binding(settings={"max_pending_connections": 1}), "/echo")
        application = web.Application()
        host.mount(application)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = f"ws://127.0.0.1:{runner.addresses[0][1]}/echo"
        try:
            waiting = asyncio.create_task(connect(address).__aenter__())
            await asked.wait()
            with pytest.raises(InvalidStatus, match="503"):
                async with asyncio.timeout(DEADLINE):
                    await connect(address)
            answer.set()
            await (await waiting).close()
        finally:
            await runner.cleanup()

    @pytest.mark.usefixtures("each_scheme")
    async def test_nobody_is_asked_any_longer_for_who_has_left(self) -> None:
        asked, cancelled = asyncio.Event(), asyncio.Event()

        async def authenticate(_: UpgradeRequest) -> object:
            asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
            return "never"

        async with serving(authenticate=authenticate) as host:
            _, writer = await open_connection(port_of(host))
            writer.write(UPGRADE + b"\r\n")
            await asked.wait()
            writer.transport.abort()
            await asyncio.wait_for(cancelled.wait(), 20)
            await until(lambda: host.counters().handshakes_refused == 1)
            await until(lambda: host.counters().connections_pending == 0)
            assert (host.counters().authentications_failed, host.counters().sessions) == (0, 0)

    async def test_a_host_that_closes_asks_for_nobody_any_longer(self) -> None:
        asked, cancelled = asyncio.Event(), asyncio.Event()

        async def authenticate(_: UpgradeRequest) -> object:
            asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()
            return "never"

        async with serving(authenticate=authenticate) as host:
            reader, writer = await open_connection(port_of(host))
            writer.write(UPGRADE + b"\r\n")
            await asked.wait()
        await asyncio.wait_for(cancelled.wait(), 20)
        with contextlib.suppress(ConnectionError):
            assert b" 101 " not in await reader.read()
        writer.close()

    async def test_who_is_known_only_when_the_host_has_closed_is_not_let_in(self) -> None:
        asked, known = asyncio.Event(), asyncio.Event()

        async def authenticate(_: UpgradeRequest) -> object:
            asked.set()
            await known.wait()
            return "somebody"

        async with serving(authenticate=authenticate) as host:
            reader, writer = await open_connection(port_of(host))
            writer.write(UPGRADE + b"\r\n")
            await asked.wait()
            listener, entrance = host._entrances[0]
            listener.remove(entrance)  # what closing does first
            known.set()
            assert b" 503 " in await reader.readline()
            writer.close()
            assert host.counters().sessions_opened == 0


@pytest.mark.usefixtures("each_scheme")
@pytest.mark.parametrize(
    "authenticate",
    [anybody, nobody, sleeps, raises(AuthenticationError("no")), raises(KeyError("no"))],
    ids=["let in", "none", "late", "refused", "failed"],
)
async def test_what_a_client_shows_is_in_no_log(
    authenticate: Callable[[UpgradeRequest], Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    settings, open_timeout = {"sub_protocol": "chat"}, 0.2 if authenticate is sleeps else 60
    binding = web_socket_binding(open_timeout=open_timeout, settings=settings)
    async with serving(binding=binding, authenticate=authenticate) as host:
        for offers in (b"chat", b"chat, bearer." + SECRET.encode(), b"bearer." + SECRET.encode()):
            reader, writer = await open_connection(port_of(host))
            writer.write(UPGRADE + b"Sec-WebSocket-Protocol: " + offers + b"\r\n")
            writer.write(f"Cookie: a={SECRET}\r\nAuthorization: Bearer {SECRET}\r\n\r\n".encode())
            await reader.readline()
            writer.transport.abort()
        for damage in (b"X y: z\r\n", b"X: \x00\r\n", b"Content-Length: x\r\n", b"\x80\r\n"):
            reader, writer = await open_connection(port_of(host))
            writer.write(UPGRADE + f"Cookie: a={SECRET}\r\n".encode() + damage + b"\r\n")
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await reader.readline()
            writer.transport.abort()
        for line in (
            b"G@T /echo?token=%s HTTP/1.1",
            b"GET /echo?token=%s HTTP/x",
            b"%s",
            b"GET /%s x HTTP/1.1",
        ):
            reader, writer = await open_connection(port_of(host))
            writer.write(line % SECRET.encode() + b"\r\nHost: 127.0.0.1\r\n\r\n")
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await reader.readline()
            writer.transport.abort()
        await until(lambda: host.counters().connections_pending == 0 and host.counters().sessions == 0)
    assert SECRET not in caplog.text


class TestConfigured:
    def write(self, folder: Path, name: str) -> Path:
        (folder / "gate.py").write_text(
            "async def authenticate(request):\n"
            "    return request.query.get('name')\n"
            "def blocking(request):\n"
            "    return 'somebody'\n"
            "class Gate:\n"
            "    async def __call__(self, request):\n"
            "        return None\n"
            "closed = Gate()\n"
        )
        config = folder / "app.yaml"
        text = (ROOT / "config" / "app.yaml").read_text().replace("8004", "0")
        config.write_text(
            text + f"      serviceAuthenticationManager: {{serviceAuthenticationManagerType: '{name}'}}\n"
        )
        return config

    @pytest.mark.parametrize(("name", "is_let_in"), [("gate:authenticate", True), ("gate.closed", False)])
    async def test_a_file_names_who_is_asked(self, tmp_path: Path, name: str, is_let_in: bool) -> None:
        async with program(str(self.write(tmp_path, name)), "--app-dir", str(tmp_path)) as running:
            address = await running.line(r"Endpoint +(ws://\S+)") + f"?name={SECRET}"
            if is_let_in:
                async with connect(address) as client:
                    await client.send('{"nickname":"n","room":"r","message":"m"}')
                    await client.recv()
            else:
                with pytest.raises(InvalidStatus, match="401"):
                    await connect(address)
            running.process.terminate()
            status, _, err = await running.end()
        assert status == 0
        assert SECRET not in err

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("gate:blocking", "is not asynchronous"),
            ("gate:Gate", "is not asynchronous"),
            ("gate:nobody", "module 'gate' has no 'nobody'"),
            ("nowhere:nobody", "there is no module 'nowhere'"),
            ("nowhere", "names no module"),
        ],
    )
    async def test_what_cannot_be_asked_is_one_line_and_status_2(
        self, tmp_path: Path, name: str, words: str
    ) -> None:
        config = self.write(tmp_path, name)
        async with program(str(config), "--app-dir", str(tmp_path)) as running:
            status, _, err = await running.end()
        assert status == 2
        line = rf"{re.escape(str(config))}:27:72: serviceAuthenticationManagerType: '{name}': .*\n"
        assert re.fullmatch(line, err), err
        assert words in err

    async def test_check_imports_nothing(self, tmp_path: Path) -> None:
        config = self.write(tmp_path, "nowhere:nobody")
        async with program(str(config), "--check") as running:
            assert (await running.end())[0] == 0


def test_a_function_that_would_hold_up_everybody_is_refused_when_the_host_is_made() -> None:
    def blocking(_: UpgradeRequest) -> object:
        return "somebody"

    with pytest.raises(ContractError, match="not asynchronous"):
        ServiceHost(EchoService, authenticate=blocking)  # type: ignore[arg-type]
