"""A host that ends: who is told when, who is served on, who is refused, and what is counted and logged."""

import asyncio
from typing import Any

import pytest
from aiohttp import ClientSession, web
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.protocol import State

import wsf.host.drain
from tests.doubles import web_socket_binding
from tests.serving import Echo, EchoCallback, EchoService, connect, serving, until, web_socket_address
from wsf import (
    CommunicationState,
    ConcurrencyMode,
    InstanceContextMode,
    Message,
    OperationContext,
    service_behavior,
)
from wsf.behaviors import OutboxSettings, ServiceThrottling
from wsf.draining import DrainSettings
from wsf.host import ServiceHost

CLOSING, CLOSED = CommunicationState.CLOSING, CommunicationState.CLOSED

#: s; no test waits for it: whatever would is cut short by the test, or is a failure
FOREVER = 10_000.0

#: one batch is three clients, and the next batch never comes
THREE = DrainSettings(batch_size=3, batch_interval=FOREVER)

#: more than the kernel takes for a client that does not read
FILLING = [f"{number:03}" * 70_000 for number in range(100)]


@service_behavior(instance_context_mode=InstanceContextMode.SINGLE, concurrency_mode=ConcurrencyMode.MULTIPLE)
class Busy(EchoService):
    """Echoes; or keeps its operation running, or sends more than anybody takes at once."""

    def __init__(self) -> None:
        super().__init__()
        self.may_end = asyncio.Event()

    async def say(self, message: Message) -> None:
        text = message.get_body(bytes).decode()
        callback = OperationContext.current().get_callback_channel(EchoCallback)
        if text == "wait":
            await self.may_end.wait()
        for body in FILLING if text == "fill" else [text]:
            await callback.hear(Message.create(body))


async def told(client: ClientConnection) -> tuple[list[Any], int, str]:
    """What a client hears until the host says goodbye, once; and how it says so."""
    heard: list[Any] = []
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            heard.append(await client.recv())
    assert closed.value.rcvd is not None, "the host left without a close frame"
    return heard, closed.value.rcvd.code, closed.value.rcvd.reason


async def echoes(client: ClientConnection) -> bool:
    await client.send("still there")
    return await client.recv() == "still there"


class TestBatches:
    @pytest.mark.parametrize("clients", [1, 2, 3])
    async def test_one_batch_is_told_at_once(self, clients: int) -> None:
        async with serving(close_timeout=FOREVER, drain=THREE) as host:
            connected = [await connect(web_socket_address(host)) for _ in range(clients)]
        assert [await told(client) for client in connected] == [([], 1001, "shutting down")] * clients
        assert (host.counters().sessions_drained, host.counters().sessions_cut) == (clients, 0)

    async def test_who_is_not_in_the_first_batch_talks_on(self) -> None:
        async with serving(close_timeout=10 * FOREVER, drain=THREE) as host:
            clients = [await connect(web_socket_address(host)) for _ in range(4)]
            closing = asyncio.create_task(host.close())
            await until(lambda: host.counters().sessions == 1)
            (left,) = [client for client in clients if client.state is State.OPEN]
            assert await echoes(left)
            assert host.state is CLOSING
            assert not closing.done()
            await host.abort()
            await closing
        for client in clients:
            if client is not left:
                assert await told(client) == ([], 1001, "shutting down")
        with pytest.raises(ConnectionClosed) as cut:
            await left.recv()
        assert cut.value.rcvd is None
        assert (host.counters().sessions_drained, host.counters().sessions_cut) == (3, 1)

    async def test_no_batch_is_waited_for_when_everybody_has_left(self) -> None:
        async with serving(close_timeout=10 * FOREVER, drain=THREE) as host:
            clients = [await connect(web_socket_address(host)) for _ in range(4)]
            closing = asyncio.create_task(host.close())
            await until(lambda: host.counters().sessions == 1)
            for client in clients:
                await client.close()
            await closing
        assert (host.counters().sessions_drained, host.counters().sessions_cut) == (3, 0)

    async def test_every_batch_comes(self) -> None:
        drain = DrainSettings(batch_size=1, batch_interval=0.001)
        async with serving(drain=drain) as host:
            clients = [await connect(web_socket_address(host)) for _ in range(10)]
        assert [await told(client) for client in clients] == [([], 1001, "shutting down")] * 10

    async def test_half_of_close_timeout_is_left_after_the_last_batch(self) -> None:
        """The interval alone would be longer than all the time there is."""
        drain = DrainSettings(batch_size=1, batch_interval=FOREVER)
        async with serving(drain=drain, close_timeout=1) as host:
            clients = [await connect(web_socket_address(host)) for _ in range(3)]
        assert [await told(client) for client in clients] == [([], 1001, "shutting down")] * 3
        assert host.counters().sessions_cut == 0


class TestWhatIsSaid:
    async def test_a_host_that_restarts_says_1012(self) -> None:
        async with serving() as host:
            client = await connect(web_socket_address(host))
            await host.close(restarting=True)
            assert await told(client) == ([], 1012, "restarting")

    async def test_whoever_closes_first_says_what_is_said(self) -> None:
        async with serving() as host:
            client = await connect(web_socket_address(host))
            await asyncio.gather(host.close(), host.close(restarting=True), host.close())
            assert await told(client) == ([], 1001, "shutting down")
            assert host.state is CLOSED

    @pytest.mark.parametrize("restarting", [False, True])
    async def test_who_is_busy_hears_it_when_its_operation_has_ended(self, restarting: bool) -> None:
        service = Busy()
        async with serving(service, close_timeout=FOREVER) as host:
            busy, idle = [await connect(web_socket_address(host)) for _ in range(2)]
            await busy.send("wait")
            await until(lambda: host.counters().calls == 1)
            closing = asyncio.create_task(host.close(restarting=restarting))
            code = 1012 if restarting else 1001
            assert (await told(idle))[:2] == ([], code)
            await busy.send("too late")
            assert not closing.done()
            service.may_end.set()
            assert (await told(busy))[:2] == (["wait"], code)
            await closing

    async def test_the_log_says_how_far_it_is_and_how_it_ended(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(wsf.host.drain, "PROGRESS_INTERVAL", 0.0)  # each turn of the loop
        caplog.set_level("INFO", "wsf.host")
        service = Busy()

        def said(text: str) -> int:
            lines = [record.getMessage() for record in caplog.records if record.name == "wsf.host"]
            return sum(line == text.replace("NAME", host.name) for line in lines)

        async with serving(service, close_timeout=FOREVER) as host:
            clients = [await connect(web_socket_address(host)) for _ in range(3)]
            await clients[0].send("wait")
            await until(lambda: host.counters().calls == 1)
            closing = asyncio.create_task(host.close())
            progress = "closing: NAME: 2 of 3 sessions closed, 1 operation still running"
            await until(lambda: said(progress))
            for _ in range(100):
                await asyncio.sleep(0)
            assert said(progress) == 1  # nothing new is not said again
            service.may_end.set()
            await closing
        beginning = "closing: NAME: 3 sessions, told 1001 shutting down, at most 10000 s (closeTimeout)"
        assert said(beginning) == said("closed: NAME: 3 cleanly, 0 cut") == 1

    async def test_the_log_says_how_many_were_cut(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("INFO", "wsf.host")
        async with serving(Busy(), close_timeout=0.2) as host:
            clients = [await connect(web_socket_address(host)) for _ in range(3)]
            await clients[0].send("wait")
            await until(lambda: host.counters().calls == 1)
        assert f"cut: {host.name}: 1 session, 1 operation still running: closeTimeout (0.2 s)" in caplog.text
        assert f"closed: {host.name}: 2 cleanly, 1 cut" in caplog.text
        assert (host.counters().sessions_drained, host.counters().sessions_cut) == (2, 1)


class TestAClientThatDoesNotRead:
    @staticmethod
    async def stuck(host: ServiceHost) -> ClientConnection:
        """A client for which something waits in its outbox."""
        client: ClientConnection = await connect(web_socket_address(host), max_queue=None)
        client.transport.pause_reading()
        await client.send("fill")
        await until(lambda: host.counters().outbox_messages and not host.counters().calls)
        return client

    async def test_it_holds_nobody_up_and_gets_what_was_accepted_before_the_goodbye(self) -> None:
        outbox = OutboxSettings(max_bytes=2**30)
        async with serving(Busy(), close_timeout=FOREVER, outbox=outbox) as host:
            stuck = await self.stuck(host)
            others = [await connect(web_socket_address(host)) for _ in range(3)]
            closing = asyncio.create_task(host.close())
            assert [await told(client) for client in others] == [([], 1001, "shutting down")] * 3
            await stuck.send("too late")  # nobody serves it, and it is in nobody's way
            await until(lambda: host.counters().sessions == 1)
            assert not closing.done()
            stuck.transport.resume_reading()
            assert await told(stuck) == (FILLING, 1001, "shutting down")
            await closing
        assert (host.counters().sessions_drained, host.counters().sessions_cut) == (4, 0)

    async def test_it_is_cut_at_close_timeout(self) -> None:
        outbox = OutboxSettings(max_bytes=2**30)
        async with serving(Busy(), close_timeout=0.5, outbox=outbox) as host:
            stuck = await self.stuck(host)
            other = await connect(web_socket_address(host))
        assert await told(other) == ([], 1001, "shutting down")
        assert (host.counters().sessions_drained, host.counters().sessions_cut) == (1, 1)
        stuck.transport.abort()


class TestWhoComesLate:
    async def test_an_upgrade_that_waits_for_a_session_is_refused_at_once(self) -> None:
        """An operation keeps the one session: nothing is to be waited for."""
        service = Busy()
        throttling = ServiceThrottling(max_concurrent_sessions=1)
        async with serving(service, close_timeout=FOREVER, throttling=throttling) as host:
            address = web_socket_address(host)
            inside = await connect(address)
            await inside.send("wait")
            waiting = [asyncio.create_task(connect(address).__aenter__()) for _ in range(2)]
            await until(lambda: host.counters().sessions_waiting == 2 and host.counters().calls == 1)
            closing = asyncio.create_task(host.close())
            for task in waiting:
                with pytest.raises(InvalidStatus) as refused:
                    await task
                response = refused.value.response
                assert (response.status_code, response.body) == (503, b"shutting down\n")
                assert (response.headers["Retry-After"], response.headers["Connection"]) == ("1", "close")
            assert not closing.done()
            service.may_end.set()
            await closing
            assert (await told(inside))[:2] == (["wait"], 1001)

    @pytest.mark.parametrize("path", ["/echo", "/", "/chat.js", "/nothing"])
    async def test_a_connection_that_lives_on_is_refused_and_let_go(self, path: str) -> None:
        service = Busy()
        async with (
            serving(service, close_timeout=FOREVER, static_content="chatservice:web") as host,
            ClientSession() as session,
        ):
            async with session.get(host.pages[0]) as page:
                assert page.status == 200
                await page.read()
            inside = await connect(web_socket_address(host))
            await inside.send("wait")
            await until(lambda: host.counters().calls == 1)
            closing = asyncio.create_task(host.close())
            await until(lambda: host.state is CLOSING)
            site = host.pages[0].rstrip("/")
            upgrade = {
                "Upgrade": "websocket",
                "Connection": "Upgrade",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            }
            # on the connection that had the page: another one could not be made
            async with session.get(site + path, headers=upgrade if path == "/echo" else {}) as answer:
                assert (answer.status, await answer.text()) == (503, "shutting down\n")
                assert (answer.headers["Retry-After"], answer.headers["Connection"]) == ("1", "close")
            service.may_end.set()
            await closing
        assert host.counters().handshakes_refused == (path == "/echo")

    async def test_another_service_of_the_site_goes_on(self) -> None:
        from tests.wire.test_hosting import free_port

        listeners: Any = {}
        port = free_port()
        hosts = [ServiceHost(EchoService, listeners=listeners) for _ in range(2)]
        for number, host in enumerate(hosts):
            host.add_service_endpoint(Echo, web_socket_binding(), f"http://127.0.0.1:{port}/{number}")
        async with hosts[0], hosts[1]:
            await hosts[0].close()
            async with connect(f"ws://127.0.0.1:{port}/1") as client:
                assert await echoes(client)
            with pytest.raises(InvalidStatus) as refused:
                await connect(f"ws://127.0.0.1:{port}/0")
            assert refused.value.response.status_code == 503


class TestInsideAnApplication:
    @staticmethod
    async def mounted() -> tuple[ServiceHost, web.Application, web.AppRunner]:
        application = web.Application()
        host = ServiceHost(EchoService)
        host.add_service_endpoint(Echo, web_socket_binding(), "/echo")
        host.mount(application)
        return host, application, web.AppRunner(application)

    @staticmethod
    async def start(runner: web.AppRunner) -> str:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return f"ws://127.0.0.1:{runner.addresses[0][1]}/echo"

    async def test_its_own_cleanup_finds_every_session_closed(self) -> None:
        host, application, runner = await self.mounted()
        found: list[Any] = []

        async def clean_up(_: web.Application) -> None:
            found.append((host.state, host.counters().sessions, host.counters().sessions_drained))

        application.on_cleanup.append(clean_up)
        clients = [await connect(await self.start(runner))]
        await runner.cleanup()
        assert found == [(CLOSED, 0, 1)]
        assert [await told(client) for client in clients] == [([], 1001, "shutting down")]

    async def test_it_may_close_the_host_itself_and_go_on(self) -> None:
        host, _, runner = await self.mounted()
        address = await self.start(runner)
        client = await connect(address)
        await host.close(restarting=True)
        assert await told(client) == ([], 1012, "restarting")
        with pytest.raises(InvalidStatus) as refused:
            await connect(address)
        assert refused.value.response.status_code == 503
        await runner.cleanup()

    async def test_an_application_that_cannot_start_leaves_no_host_open(self) -> None:
        host, application, runner = await self.mounted()

        async def fail(_: web.Application) -> None:
            raise ZeroDivisionError("no database")

        application.on_startup.append(fail)
        with pytest.raises(ZeroDivisionError):
            await runner.setup()
        assert host.state is CommunicationState.OPENED
        await runner.cleanup()
        assert host.state is CLOSED
