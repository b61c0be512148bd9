"""A client that is not let in says why, in one error of its own; one that has a token shows it."""

import asyncio
import socket
from typing import Any

import pytest

from tests.certificates import Certificates
from tests.json_rpc import json_rpc_binding
from tests.serving import over_tls, serving, until
from tests.ticker import Ticker, TickerService, Watcher, factory_of, ticking
from wsf import CommunicationState, ContractError
from wsf.behaviors import ServiceThrottling
from wsf.client import DuplexChannelFactory, SecurityToken
from wsf.errors import (
    AuthenticationError,
    CommunicationObjectAbortedError,
    CommunicationObjectFaultedError,
    ConnectError,
    EndpointNotFoundError,
    OpenTimeoutError,
    SecurityAccessDeniedError,
    SecurityNegotiationError,
    ServerTooBusyError,
    UpgradeRefusedError,
)
from wsf.transports import UpgradeRequest


def to(address: str, **settings: Any) -> DuplexChannelFactory[Ticker]:
    binding = settings.pop("binding", None) or json_rpc_binding()
    return DuplexChannelFactory(Ticker, Watcher(), binding, address, **settings)


class Answering:
    """A server that gives every request the same answer."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.requests: list[bytes] = []

    async def __aenter__(self) -> "Answering":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        self.address = f"ws://127.0.0.1:{self.port}/"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self._answer)
            await reader.read()
        finally:
            writer.close()


class TestWhoIsNotThere:
    async def test_nobody_listens(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"ws://127.0.0.1:{probe.getsockname()[1]}/"
        factory = to(address)
        channel = factory.create_channel()
        with pytest.raises(EndpointNotFoundError, match=f"nobody listens at {address}"):
            await channel.open()
        assert channel.state is CommunicationState.FAULTED
        assert factory.counters().connects_failed == 1
        with pytest.raises(CommunicationObjectFaultedError, match="nobody listens"):
            await channel.close()

    async def test_there_is_no_such_path(self) -> None:
        async with ticking() as (_, host):
            with pytest.raises(EndpointNotFoundError, match="answers 404 'there is nothing here'"):
                await factory_of(host, address=host.endpoints[0].address + "/nowhere").create_channel().open()

    async def test_nobody_answers_within_open_timeout(self) -> None:
        async with Answering(b"") as server:
            channel = to(server.address, binding=json_rpc_binding(open_timeout=0.1)).create_channel()
            with pytest.raises(OpenTimeoutError, match=r"not open within 0\.1 s \(openTimeout\)"):
                await channel.open()

    async def test_a_token_is_asked_for_within_open_timeout(self) -> None:
        async def late() -> SecurityToken:
            await asyncio.Event().wait()
            raise AssertionError

        async with ticking() as (_, host):
            binding = json_rpc_binding(open_timeout=0.1)
            channel = factory_of(host, binding=binding, token_provider=late).create_channel()
            with pytest.raises(OpenTimeoutError):
                await channel.open()

    async def test_a_timeout_of_the_token_providers_own_is_its_own(self) -> None:
        async def broken() -> SecurityToken:
            raise TimeoutError("the vault")

        async with ticking() as (_, host):
            with pytest.raises(TimeoutError, match="the vault") as caught:
                await factory_of(host, token_provider=broken).create_channel().open()
            assert not isinstance(caught.value, OpenTimeoutError)

    @pytest.mark.parametrize(
        ("answer", "error", "says"),
        [
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", UpgradeRefusedError, "answers 200 'hi'"),
            (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", UpgradeRefusedError, "answers 500"),
            (
                b"HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
                ServerTooBusyError,
                "answers 503",
            ),
            (b"SSH-2.0-OpenSSH_9.6\r\n", ConnectError, "handshake failed"),
            (
                b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: x\r\n\r\n",
                UpgradeRefusedError,
                "no WebSocket handshake",
            ),
        ],
    )
    async def test_what_answers_is_no_such_service(
        self, answer: bytes, error: type[ConnectError], says: str
    ) -> None:
        async with Answering(answer) as server:
            with pytest.raises(error, match=says) as caught:
                await to(server.address + "?token=secret").create_channel().open()
            assert "secret" not in str(caught.value)
            if isinstance(caught.value, ServerTooBusyError):
                assert (caught.value.status, caught.value.retry_after) == (503, 7)

    async def test_no_redirection_takes_a_token_along(self) -> None:
        async def token() -> SecurityToken:
            return SecurityToken(headers={"X-Token": "secret"})

        async with Answering(b"HTTP/1.1 101 S\r\n\r\n") as elsewhere:
            to_there = (
                f"HTTP/1.1 307 T\r\nLocation: http://127.0.0.1:{elsewhere.port}/\r\nContent-Length: 0\r\n\r\n"
            )
            async with Answering(to_there.encode()) as server:
                with pytest.raises(UpgradeRefusedError, match="answers 307"):
                    await to(server.address, token_provider=token).create_channel().open()
            assert elsewhere.requests == []

    async def test_who_is_one_too_many_hears_that(self) -> None:
        async with ticking(
            json_rpc_binding(open_timeout=0.1), throttling=ServiceThrottling(max_concurrent_sessions=1)
        ) as (_, host):
            async with factory_of(host, binding=json_rpc_binding()).create_channel():
                with pytest.raises(ServerTooBusyError):
                    await factory_of(host, binding=json_rpc_binding()).create_channel().open()

    async def test_a_certificate_that_is_not_trusted(self, certificates: Certificates) -> None:
        binding = over_tls(json_rpc_binding())
        async with serving(
            TickerService, Ticker, binding, "https://127.0.0.1:0/", credentials=certificates.credentials()
        ) as host:
            address = host.endpoints[0].address
            with pytest.raises(SecurityNegotiationError, match="TLS failed"):
                await to(address, binding=binding).create_channel().open()
            async with to(address, binding=binding, tls=certificates.client()).create_channel() as ticker:
                assert await ticker.subscribe("MSFT") == 2

    async def test_abort_cuts_an_open_short(self) -> None:
        async with Answering(b"") as server:
            channel = to(server.address).create_channel()
            opening = asyncio.ensure_future(channel.open())
            await until(lambda: server.requests)
            channel.abort()
            with pytest.raises(CommunicationObjectAbortedError):
                await opening
            assert channel.state is CommunicationState.CLOSED

    async def test_a_cancelled_open_leaves_nothing_open(self) -> None:
        async with ticking() as (_, host):
            for turns in range(1, 40):
                channel = factory_of(host).create_channel()
                opening = asyncio.ensure_future(channel.open())
                for _ in range(turns):
                    await asyncio.sleep(0)
                is_cancelled = opening.cancel()
                await asyncio.wait([opening])
                if is_cancelled and opening.cancelled():
                    assert channel.state is CommunicationState.FAULTED
                channel.abort()
                await channel.close()
            await until(lambda: not host.counters().sessions)


class TestTokens:
    @staticmethod
    async def authenticate(request: UpgradeRequest) -> str:
        token = request.headers.get("authorization") or request.query.get("token", ("",))[0]
        if not token:
            token = next((offer for offer in request.sub_protocols if offer.startswith("token.")), "")
        if not token:
            raise AuthenticationError("no token")
        if "wrong" in token:
            raise SecurityAccessDeniedError("not you")
        return token

    @pytest.mark.parametrize(
        "token",
        [
            SecurityToken(headers={"Authorization": "Bearer right"}),
            SecurityToken(query={"token": "right & good"}),
        ],
    )
    async def test_it_is_shown_in_a_header_or_in_the_query(self, token: SecurityToken) -> None:
        async def provider() -> SecurityToken:
            return token

        async with ticking(authenticate=self.authenticate) as (_, host):
            factory = factory_of(
                host, token_provider=provider, address=host.endpoints[0].address + "?room=1&x=%20"
            )
            async with factory.create_channel() as ticker:
                assert await ticker.subscribe("MSFT") == 2
        assert "right" not in repr(token)

    async def test_it_is_shown_as_a_sub_protocol(self) -> None:
        async def provider() -> SecurityToken:
            return SecurityToken(sub_protocols=("token.right",))

        binding = json_rpc_binding(settings={"sub_protocol": "ticker.v1"})
        async with ticking(binding, authenticate=self.authenticate) as (_, host):
            async with factory_of(host, token_provider=provider).create_channel() as ticker:
                assert await ticker.subscribe("MSFT") == 2

    @pytest.mark.parametrize(
        ("header", "status"), [({}, 401), ({"Authorization": "wrong"}, 403)], ids=["401", "403"]
    )
    async def test_who_is_refused_hears_the_status(self, header: dict[str, str], status: int) -> None:
        async def provider() -> SecurityToken:
            return SecurityToken(headers=header)

        async with ticking(authenticate=self.authenticate) as (_, host):
            with pytest.raises(UpgradeRefusedError) as caught:
                await factory_of(host, token_provider=provider).create_channel().open()
        assert caught.value.status == status

    @pytest.mark.parametrize(
        "given",
        [
            {"headers": {"Host": "x"}},
            {"headers": {"Sec-WebSocket-Key": "x"}},
            {"headers": {"X": "a\r\nY: b"}},
            {"headers": {"X Y": "a"}},
            {"sub_protocols": ("a,b",)},
        ],
    )
    def test_what_is_the_handshakes_own_is_refused(self, given: Any) -> None:
        with pytest.raises(ValueError, match=r"headers|sub_protocols"):
            SecurityToken(**given)

    async def test_what_is_no_token_is_said_so(self) -> None:
        async def provider() -> Any:
            return "Bearer x"

        async with ticking() as (_, host):
            with pytest.raises(TypeError, match="SecurityToken"):
                await factory_of(host, token_provider=provider).create_channel().open()

    def test_a_provider_that_holds_everybody_up_is_refused(self) -> None:
        with pytest.raises(ContractError, match="not asynchronous"):
            to("ws://x/", token_provider=SecurityToken)


class TestSubProtocols:
    async def test_the_bindings_own_is_offered_and_demanded(self) -> None:
        binding = json_rpc_binding(settings={"sub_protocol": "ticker.v1"})
        async with ticking(binding) as (_, host), factory_of(host).create_channel() as ticker:
            assert await ticker.subscribe("MSFT") == 2
        async with ticking() as (_, host):
            with pytest.raises(UpgradeRefusedError, match="426"):
                await factory_of(host, binding=binding).create_channel().open()
