"""A host's life: what is refused when, several endpoints, the page, an application of one's own."""

import asyncio
import socket
from typing import Any, Protocol

import pytest
from aiohttp import ClientSession, web
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

from tests.doubles import web_socket_binding
from tests.serving import Echo, EchoCallback, EchoService, free_port, serving, until, web_socket_address
from wsf import (
    CommunicationState,
    InstanceContextMode,
    Message,
    OperationContext,
    SessionMode,
    operation_contract,
    service_behavior,
    service_contract,
)
from wsf.behaviors import OutboxSettings, ServiceThrottling
from wsf.bindings.custom import CustomBinding
from wsf.draining import DrainSettings
from wsf.errors import (
    AddressAlreadyInUseError,
    ConfigurationError,
    ContractError,
    InvalidOperationError,
    ListenError,
)
from wsf.host import ServiceHost
from wsf.transports import descriptor_limit
from wsf.transports.http import HttpTransport, WebSocketTransportUsage


class PerSessionEcho(Echo):
    """With WCF's default behavior."""

    async def say(self, message: Message) -> None: ...


async def test_a_host_lives_from_created_to_closed() -> None:
    host = ServiceHost(EchoService)
    host.add_service_endpoint(Echo, web_socket_binding(), "http://127.0.0.1:0/echo")
    states = [host.state]
    await host.open()
    states.append(host.state)
    with pytest.raises(InvalidOperationError, match="Opened"):
        await host.open()
    with pytest.raises(InvalidOperationError, match="Opened"):
        host.add_service_endpoint(Echo, web_socket_binding(), "http://127.0.0.1:0/other")
    await host.close()
    await host.close()
    assert [*states, host.state] == [
        CommunicationState.CREATED,
        CommunicationState.OPENED,
        CommunicationState.CLOSED,
    ]


async def test_closing_says_1001_to_every_client_at_once() -> None:
    async with serving() as host:
        clients = [await connect(web_socket_address(host)) for _ in range(5)]
        await until(lambda: host.counters().sessions == 5)
    for client in clients:
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
    assert host.counters().sessions == 0


async def test_what_is_waiting_for_clients_reaches_them_before_1001() -> None:
    async with serving() as host:
        client = await connect(web_socket_address(host))
        await client.send("last words")
        await until(lambda: host.counters().messages_sent == 1)
    assert await client.recv() == "last words"


async def test_an_operation_that_never_ends_is_cut_at_close_timeout(caplog: pytest.LogCaptureFixture) -> None:
    class Hanging(EchoService):
        async def say(self, message: Message) -> None:
            await asyncio.Event().wait()

    async with serving(Hanging, close_timeout=0.1) as host:
        client = await connect(web_socket_address(host))
        await client.send("x")
        await until(lambda: host.counters().calls == 1)
    assert "Hanging: 1 session, 1 operation still running: closeTimeout (0.1 s) is over" in caplog.text
    assert host.counters().sessions == 0
    with pytest.raises(ConnectionClosed):
        await client.recv()


async def test_nobody_comes_in_after_closing() -> None:
    async with serving() as host:
        address = web_socket_address(host)
    with pytest.raises(OSError, match="Connect"):
        await connect(address)


class TestRefusedWhenBuilt:
    def test_an_object_of_no_contract(self) -> None:
        with pytest.raises(ContractError, match="no service contract"):
            ServiceHost(int)

    def test_a_missing_operation(self) -> None:
        class Lazy(Echo): ...

        with pytest.raises(ContractError, match=r"Lazy\.say is missing"):
            ServiceHost(Lazy)

    def test_a_single_class_that_needs_arguments(self) -> None:
        @service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
        class Needs(PerSessionEcho):
            def __init__(self, database: object) -> None: ...

        with pytest.raises(ContractError, match="'database'"):
            ServiceHost(Needs)

    def test_an_endpoint_for_a_contract_that_is_not_implemented(self) -> None:
        with pytest.raises(ContractError, match=r"does not implement the contract nobody\.Knows"):
            ServiceHost(EchoService).add_service_endpoint("nobody.Knows", web_socket_binding(), "http://a/")

    @pytest.mark.parametrize("address", ["localhost:1", "http://", "ws://localhost:1/x", "http://a:99999/"])
    def test_an_address_that_is_none(self, address: str) -> None:
        with pytest.raises(ContractError, match="address"):
            ServiceHost(EchoService).add_service_endpoint(Echo, web_socket_binding(), address)


class TestRefusedWhenOpened:
    async def refused(self, host: ServiceHost, *words: str) -> None:
        with pytest.raises(ContractError) as caught:
            await host.open()
        for word in words:
            assert word in str(caught.value)
        assert host.state is CommunicationState.FAULTED

    async def test_no_endpoints(self) -> None:
        await self.refused(ServiceHost(EchoService), "no endpoints")

    async def test_an_object_of_a_class_that_is_not_single(self) -> None:
        host = ServiceHost(PerSessionEcho())
        host.add_service_endpoint(Echo, web_socket_binding(), "http://127.0.0.1:0/")
        await self.refused(host, "PER_SESSION", "SINGLE")

    async def test_a_class_that_needs_arguments(self) -> None:
        class Needs(PerSessionEcho):
            def __init__(self, database: object) -> None: ...

        host = ServiceHost(Needs)
        host.add_service_endpoint(Echo, web_socket_binding(), "http://127.0.0.1:0/")
        await self.refused(host, "'database'", "instance provider", "SINGLE")

    @pytest.mark.parametrize("usage", [WebSocketTransportUsage.NEVER, WebSocketTransportUsage.WHEN_DUPLEX])
    async def test_http_without_web_sockets(self, usage: WebSocketTransportUsage) -> None:
        @service_contract
        class OneSided(Protocol):
            @operation_contract(is_one_way=True, action="*")
            async def say(self, message: Message) -> None: ...

        class Service(OneSided):
            async def say(self, message: Message) -> None: ...

        host = ServiceHost(Service)
        host.add_service_endpoint(OneSided, self.binding(usage), "http://127.0.0.1:0/")
        await self.refused(host, "OneSided", "transportUsage", "Always", usage.value)

    async def test_when_duplex_serves_duplex_contracts(self) -> None:
        async with serving(binding=self.binding(WebSocketTransportUsage.WHEN_DUPLEX)) as host:
            async with connect(web_socket_address(host)) as client:
                await client.send("x")
                assert await client.recv() == "x"

    def binding(self, usage: WebSocketTransportUsage) -> Any:
        from attrs import evolve

        from wsf.transports.http import WebSocketSettings

        settings = WebSocketSettings(transport_usage=usage)
        return evolve(web_socket_binding(), transport=HttpTransport(web_socket_settings=settings))

    async def test_a_contract_without_sessions(self) -> None:
        @service_contract(callback_contract=EchoCallback, session_mode=SessionMode.NOT_ALLOWED)
        class Datagram(Protocol):
            @operation_contract(is_one_way=True, action="*")
            async def say(self, message: Message) -> None: ...

        class Service(Datagram):
            async def say(self, message: Message) -> None: ...

        host = ServiceHost(Service)
        host.add_service_endpoint(Datagram, web_socket_binding(), "http://127.0.0.1:0/")
        await self.refused(host, "Datagram", "NOT_ALLOWED")

    async def test_two_contracts_of_one_name(self) -> None:
        @service_contract(name="Echo", callback_contract=EchoCallback)
        class Another(Protocol):
            @operation_contract(is_one_way=True, action="*")
            async def shout(self, message: Message) -> None: ...

        class Both(EchoService, Another):
            async def shout(self, message: Message) -> None: ...

        host = ServiceHost(Both)
        host.add_service_endpoint(Echo, web_socket_binding(), "http://127.0.0.1:0/a")
        host.add_service_endpoint(Another, web_socket_binding(), "http://127.0.0.1:0/b")
        await self.refused(host, "Echo", "Another", "name=")

    async def test_two_endpoints_at_one_address(self) -> None:
        port = free_port()
        host = ServiceHost(EchoService)
        for _ in range(2):
            host.add_service_endpoint(Echo, web_socket_binding(), f"http://127.0.0.1:{port}/echo")
        await self.refused(host, "/echo")

    async def test_an_address_of_another_scheme(self) -> None:
        with pytest.raises(ContractError, match=r"https://.*listens on http://"):
            ServiceHost(EchoService).add_service_endpoint(Echo, web_socket_binding(), "https://localhost:1/x")

    async def test_a_path_without_an_application_to_mount_into(self) -> None:
        host = ServiceHost(EchoService)
        host.add_service_endpoint(Echo, web_socket_binding(), "/chat")
        await self.refused(host, "'/chat'", "mount", "http://host:port/chat")

    async def test_endpoints_of_one_site_that_disagree_about_it(self) -> None:
        port = free_port()
        host = ServiceHost(EchoService)
        for number in (1, 2):
            binding = web_socket_binding(settings={"max_pending_connections": number})
            host.add_service_endpoint(Echo, binding, f"http://127.0.0.1:{port}/{number}")
        await self.refused(host, "/1", "/2", "maxPendingConnections")

    async def test_an_address_in_use(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            address = f"http://127.0.0.1:{taken.getsockname()[1]}/echo"
            host = ServiceHost(EchoService)
            host.add_service_endpoint(Echo, web_socket_binding(), address)
            with pytest.raises(AddressAlreadyInUseError, match="in use"):
                await host.open()
            assert host.state is CommunicationState.FAULTED

    async def test_an_address_of_another_machine(self) -> None:
        host = ServiceHost(EchoService)
        host.add_service_endpoint(Echo, web_socket_binding(), "http://192.0.2.1:0/echo")
        with pytest.raises(ListenError, match=r"192\.0\.2\.1"):
            await host.open()

    async def test_a_page_that_is_not_there(self) -> None:
        host = ServiceHost(EchoService, static_content="chatservice:nowhere")
        host.add_service_endpoint(Echo, web_socket_binding(), "http://127.0.0.1:0/echo")
        with pytest.raises(ConfigurationError, match="chatservice:nowhere"):
            await host.open()


async def test_one_service_has_several_endpoints_and_one_object() -> None:
    service = EchoService()
    host = ServiceHost(service)
    for path in ("a", "b"):
        host.add_service_endpoint(Echo, web_socket_binding(), f"http://127.0.0.1:0/{path}")
    async with host:
        for endpoint in host.endpoints:
            async with connect(endpoint.address.replace("http", "ws", 1)) as client:
                await client.send(endpoint.address)
                assert await client.recv() == endpoint.address
    assert len(service.heard) == 2


async def test_two_services_share_a_site() -> None:
    listeners: Any = {}
    port = free_port()
    hosts = [ServiceHost(EchoService, listeners=listeners) for _ in range(2)]
    for number, host in enumerate(hosts):
        host.add_service_endpoint(Echo, web_socket_binding(), f"http://127.0.0.1:{port}/{number}")
    async with hosts[0]:
        async with hosts[1]:
            for number in range(2):
                async with connect(f"ws://127.0.0.1:{port}/{number}") as client:
                    await client.send("x")
                    assert await client.recv() == "x"
        with pytest.raises(InvalidStatus):
            await connect(f"ws://127.0.0.1:{port}/0", origin=Origin("http://evil.example"))
        assert [host.counters().handshakes_refused for host in hosts] == [1, 0]
        async with connect(f"ws://127.0.0.1:{port}/0") as client:  # the other one's end is not this one's
            await client.send("x")
            assert await client.recv() == "x"


class TestPage:
    async def test_it_is_at_the_root_of_the_endpoints_site_with_strict_headers(self) -> None:
        async with serving(static_content="chatservice:web") as host, ClientSession() as client:
            root = host.pages[0]
            async with client.get(root) as answer:
                assert answer.status == 200
                assert answer.content_type == "text/html"
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                policy = answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in policy
                assert "frame-ancestors 'none'" in policy
                assert "unsafe" not in policy
                assert answer.headers["Server"] == "wsf"
                etag = answer.headers["ETag"]
            async with client.get(root, headers={"If-None-Match": etag}) as answer:
                assert answer.status == 304
            async with client.post(root) as answer:
                assert answer.status == 405
            async with client.get(root + "chat.js") as answer:
                assert answer.content_type in ("text/javascript", "application/javascript")

    @pytest.mark.parametrize(
        "path", ["../service.py", "%2e%2e/service.py", "..%2fservice.py", "index.html/", "nope"]
    )
    async def test_nothing_else_can_be_asked_for(self, path: str) -> None:
        async with serving(static_content="chatservice:web") as host, ClientSession() as client:
            from yarl import URL

            async with client.get(URL(host.pages[0] + path, encoded=True)) as answer:
                assert answer.status == 404

    async def test_it_answers_only_hosts_that_name_the_endpoint(self) -> None:
        async with serving(static_content="chatservice:web") as host, ClientSession() as client:
            async with client.get(host.pages[0], headers={"Host": "rebound.example"}) as answer:
                assert answer.status == 421


async def test_a_host_mounts_into_an_application_of_ones_own() -> None:
    async def hello(request: web.Request) -> web.Response:
        return web.Response(text="mine")

    application = web.Application()
    application.router.add_get("/mine", hello)
    host = ServiceHost(EchoService, static_content="chatservice:web")
    host.add_service_endpoint(Echo, web_socket_binding(), "/echo")
    host.mount(application)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        assert host.state is CommunicationState.OPENED
        async with ClientSession() as session, session.get(f"http://127.0.0.1:{port}/mine") as answer:
            assert await answer.text() == "mine"
        client = await connect(f"ws://127.0.0.1:{port}/echo")
        await client.send("x")
        assert await client.recv() == "x"
    finally:
        await runner.cleanup()
    with pytest.raises(ConnectionClosed) as closed:
        await client.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
    assert host.state is CommunicationState.CLOSED


async def test_nobody_comes_in_while_a_running_operation_delays_the_end() -> None:
    is_running, may_end = asyncio.Event(), asyncio.Event()

    class Slow(EchoService):
        async def say(self, message: Message) -> None:
            is_running.set()
            await may_end.wait()
            await super().say(message)

    host = ServiceHost(Slow)
    host.add_service_endpoint(Echo, web_socket_binding(), "http://127.0.0.1:0/echo")
    await host.open()
    client = await connect(web_socket_address(host))
    await client.send("last words")
    await is_running.wait()
    closing = asyncio.create_task(host.close())
    await until(lambda: host.state is CommunicationState.CLOSING)
    with pytest.raises(OSError, match="Connect"):
        await connect(web_socket_address(host))
    may_end.set()
    await closing
    assert await client.recv() == "last words"


async def test_a_message_that_waits_for_its_turn_is_answered_before_1001() -> None:
    """Accepted is accepted: also what waits at the call throttle is served before the goodbye."""
    is_running, may_end = asyncio.Event(), asyncio.Event()

    class OneAtATime(PerSessionEcho):
        async def say(self, message: Message) -> None:
            is_running.set()
            await may_end.wait()
            await OperationContext.current().get_callback_channel(EchoCallback).hear(message)

    host = ServiceHost(OneAtATime, throttling=ServiceThrottling(max_concurrent_calls=1))
    host.add_service_endpoint(Echo, web_socket_binding(), "http://127.0.0.1:0/echo")
    await host.open()
    clients = [await connect(web_socket_address(host)) for _ in range(2)]
    for client in clients:
        await client.send("x")
    await until(lambda: host.counters().calls_waiting == 1)
    assert (host.counters().calls, host.counters().calls_limit) == (1, 1)
    closing = asyncio.create_task(host.close())
    await until(lambda: host.state is CommunicationState.CLOSING)
    may_end.set()
    await closing
    assert [await client.recv() for client in clients] == ["x", "x"]


async def test_a_single_object_made_by_class_is_released_with_the_host_and_a_given_one_is_not() -> None:
    released: list[str] = []

    @service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
    class Closing(EchoService):
        def __init__(self, name: str = "made") -> None:
            super().__init__()
            self.name = name

        def close(self) -> None:
            released.append(self.name)

    for service in (Closing, Closing("given")):
        async with serving(service):
            assert released in ([], ["made"])
    assert released == ["made"]
    await ServiceHost(Closing).close()  # never opened, but made
    assert released == ["made", "made"]


async def test_a_path_may_have_escapes() -> None:
    async with serving(address="http://127.0.0.1:0/caf%C3%A9") as host:
        async with connect(web_socket_address(host)) as client:
            await client.send("x")
            assert await client.recv() == "x"


def test_the_defaults_are_those_of_the_documents() -> None:
    import inspect
    import os

    from wsf.configuration.model import HostElement, HostTimeoutsElement

    binding = CustomBinding(encoding=None, transport=None)
    transport, settings = HttpTransport(), HttpTransport().web_socket_settings
    cpus = os.cpu_count() or 1
    assert (binding.open_timeout, binding.close_timeout, binding.send_timeout) == (60, 60, 60)
    assert binding.receive_timeout == 600
    assert transport.max_received_message_size == 65536
    assert transport.request_initialization_timeout == 10
    assert transport.pending_connections_limit == 100 * cpus
    assert settings.effective_keep_alive_interval == 15
    assert settings.transport_usage is WebSocketTransportUsage.NEVER
    assert ServiceThrottling().max_concurrent_calls == 16 * cpus
    assert (OutboxSettings().max_bytes, OutboxSettings().max_messages) == (1024 * 1024, 1024)
    host = ServiceHost(EchoService)
    assert host.counters().sessions_limit == descriptor_limit()
    given = inspect.signature(ServiceHost).parameters
    assert (given["open_timeout"].default, given["close_timeout"].default) == (60, 10)
    assert host._drain == HostElement().drain == DrainSettings(batch_size=100, batch_interval=0.2)
    timeouts = HostTimeoutsElement()
    assert (timeouts.open_timeout, timeouts.close_timeout) == (60, 10)


async def test_a_service_may_close_its_host_from_inside_an_operation() -> None:
    hosts: list[ServiceHost] = []

    class Quitting(EchoService):
        async def say(self, message: Message) -> None:
            await hosts[0].close()

    host = ServiceHost(Quitting, close_timeout=0.1)
    hosts.append(host)
    host.add_service_endpoint(Echo, web_socket_binding(), "http://127.0.0.1:0/echo")
    await host.open()
    client = await connect(web_socket_address(host))
    await client.send("quit")
    await until(lambda: host.state is CommunicationState.CLOSED)
    with pytest.raises(ConnectionClosed):
        await client.recv()


async def test_the_first_service_of_a_site_to_close_does_not_cut_the_other() -> None:
    listeners: Any = {}
    port = free_port()
    is_running, may_end = asyncio.Event(), asyncio.Event()

    class Slow(EchoService):
        async def say(self, message: Message) -> None:
            is_running.set()
            await may_end.wait()
            await super().say(message)

    hosts = [ServiceHost(service, listeners=listeners) for service in (EchoService, Slow)]
    for number, host in enumerate(hosts):
        host.add_service_endpoint(Echo, web_socket_binding(), f"http://127.0.0.1:{port}/{number}")
        await host.open()
    client = await connect(f"ws://127.0.0.1:{port}/1")
    await client.send("x")
    await is_running.wait()
    closing = asyncio.gather(*(host.close() for host in hosts))
    await until(lambda: hosts[0].state is CommunicationState.CLOSED)
    may_end.set()
    await closing
    assert await client.recv() == "x"
    with pytest.raises(ConnectionClosed) as closed:
        await client.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001
