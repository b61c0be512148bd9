"""The Python client: the same contracts from the other side, over real sockets."""

import asyncio
import contextlib
from typing import Any

import attrs
import pytest

from tests.json_rpc import json_rpc_binding
from tests.serving import DEADLINE, Echo, EchoCallback, EchoService, serving, until, web_socket_address
from tests.ticker import Order, Refusal, Ticker, TickerCallback, Watcher, factory_of, ticking
from wsf import (
    CommunicationState,
    ConcurrencyMode,
    FaultException,
    InvalidOperationError,
    Message,
    OperationContext,
    channel_of,
    service_behavior,
)
from wsf.client import DuplexChannelFactory
from wsf.errors import (
    CloseCode,
    CommunicationError,
    CommunicationObjectAbortedError,
    CommunicationObjectClosedError,
    CommunicationObjectFaultedError,
)
from wsf.testing import flaky_link


class Ear(EchoCallback):
    def __init__(self) -> None:
        self.heard: asyncio.Queue[Message] = asyncio.Queue()

    async def hear(self, message: Message) -> None:
        self.heard.put_nowait(message)


class TestCalls:
    async def test_a_call_returns_what_its_contract_says(self) -> None:
        watcher = Watcher()
        async with ticking() as (_, host), factory_of(host, watcher).create_channel() as ticker:
            assert await ticker.subscribe("MSFT") == 2
            assert await ticker.subscribe(symbol="AAPL") == 2
        assert watcher.prices == [("MSFT", 100), ("MSFT", 101), ("AAPL", 100), ("AAPL", 101)]

    async def test_a_one_way_call_arrives_in_order_before_the_goodbye(self) -> None:
        async with ticking() as (service, host):
            async with factory_of(host).create_channel() as ticker:
                for number in range(3000):  # more than an outbox holds: who calls waits for room
                    await ticker.note(f"{number}")
            await until(lambda: len(service.notes) == 3000)
        assert service.notes == [f"{number}" for number in range(3000)]

    async def test_a_one_way_call_waits_for_room_while_nothing_goes_out(self) -> None:
        async with ticking() as (service, host), flaky_link(web_socket_address(host)) as link:
            factory = factory_of(host, address=link.address)
            async with factory.create_channel() as ticker:
                link.stop()

                async def note() -> None:
                    for _ in range(200):
                        await ticker.note("x" * 60_000)  # 12 MB: no kernel takes so much

                noting = asyncio.ensure_future(note())
                session = channel_of(ticker)
                await until(lambda: session.outbox.is_awaited)
                link.restore()
                await noting
            await until(lambda: len(service.notes) == 200)
        assert factory.counters().slow_clients_aborted == 0

    async def test_many_large_calls_at_a_time_wait_for_room_and_lose_nothing(self) -> None:
        async with ticking() as (service, host):
            service.released.set()
            factory = factory_of(host)
            async with factory.create_channel() as ticker:
                answers = await asyncio.gather(*(ticker.hold("x" * 60_000) for _ in range(100)))
        assert answers == ["released"] * 100
        assert factory.counters().slow_clients_aborted == 0

    async def test_a_fault_is_raised_as_what_it_was(self) -> None:
        async with ticking() as (_, host), factory_of(host).create_channel() as ticker:
            with pytest.raises(FaultException) as caught:
                await ticker.buy(Order("MSFT", 11))
            assert caught.value.detail == Refusal("MSFT")
            assert await ticker.buy(Order("MSFT", 1)) == "bought"

    async def test_the_service_calls_back_and_gets_the_answer(self) -> None:
        async with ticking() as (_, host), factory_of(host).create_channel() as ticker:
            assert await ticker.buy(Order("MSFT", 5)) == "bought"
            assert await ticker.buy(Order("MSFT", 6)) == "left"
            with pytest.raises(FaultException):
                await ticker.buy(Order("MSFT", 7))

    async def test_a_callback_may_call_the_service_before_it_answers(self) -> None:
        class Nesting(Watcher):
            async def confirm(self, order: Order) -> bool:
                service = OperationContext.current().get_callback_channel(Ticker)  # type: ignore[type-abstract]
                return await service.nest(order.count - 1) == order.count - 1

        async with ticking() as (service, host), factory_of(host, Nesting()).create_channel() as ticker:
            async with asyncio.timeout(DEADLINE):
                assert await ticker.nest(1) == 2
            assert service.called == 2

    async def test_a_byte_stream_is_spoken_both_ways(self) -> None:
        ear = Ear()
        async with serving() as host:
            binding, address = host.endpoints[0].binding, host.endpoints[0].address
            async with DuplexChannelFactory(Echo, ear, binding, address).create_channel() as echo:
                for size in (0, 1, 125, 126, 65535, 65536):
                    body = bytes(range(256)) * 256 + b"!"
                    await echo.say(Message(body[:size]))
                    async with asyncio.timeout(DEADLINE):
                        assert (await ear.heard.get()).body == body[:size]
                await echo.say(Message.create("grüß dich"))
                assert (await ear.heard.get()).body == "grüß dich".encode()

    async def test_over_tls(self, each_scheme: str) -> None:
        import tests.serving

        tls = None if tests.serving.secure is None else tests.serving.secure.client()
        async with ticking() as (_, host), factory_of(host, tls=tls).create_channel() as ticker:
            assert await ticker.subscribe("MSFT") == 2


class TestItsLife:
    async def test_states_and_events_are_those_of_a_session(self) -> None:
        seen: list[str] = []
        async with ticking() as (_, host):
            channel = factory_of(host).create_channel()
            for name in ("opening", "opened", "closing", "closed", "faulted"):
                event = getattr(channel, name)
                event += lambda sender, name=name: seen.append(f"{name} {sender.state.value}")
            assert channel.state is CommunicationState.CREATED
            ticker = await channel.open()
            assert channel.state is CommunicationState.OPENED
            assert channel_of(ticker) is channel.session
            assert channel_of(ticker).state is CommunicationState.OPENED
            await channel.close()
            assert channel.state is CommunicationState.CLOSED
            await asyncio.sleep(0)
        assert [event.split()[0] for event in seen] == ["opening", "opened", "closing", "closed"]

    async def test_it_is_opened_once(self) -> None:
        async with ticking() as (_, host):
            channel = factory_of(host).create_channel()
            async with channel:
                with pytest.raises(InvalidOperationError):
                    await channel.open()
            with pytest.raises(CommunicationObjectClosedError):
                await channel.open()

    async def test_after_close_a_call_says_so(self) -> None:
        async with ticking() as (_, host):
            async with factory_of(host).create_channel() as ticker:
                pass
            with pytest.raises(CommunicationObjectClosedError):
                await ticker.subscribe("MSFT")

    async def test_the_service_hears_the_code_and_the_reason(self) -> None:
        async with ticking() as (_, host):
            channel = factory_of(host).create_channel()
            await channel.open()
            (session,) = host._dispatchers[0].channels
            with pytest.raises(ValueError, match="1006"):
                await channel.close(1006)
            await channel.close(4711, "tired")
            await until(lambda: session.close_status is not None)
        assert (session.close_status.code, session.close_status.reason, session.close_status.by) == (
            4711,
            "tired",
            "client",
        )
        assert channel.close_status == session.close_status

    async def test_the_services_goodbye_closes_it(self) -> None:
        async with ticking() as (_, host):
            channel = factory_of(host).create_channel()
            ticker = await channel.open()
            await host.close()
            await until(lambda: channel.state is CommunicationState.CLOSED)
            with pytest.raises(CommunicationObjectClosedError):
                await ticker.subscribe("MSFT")
            await channel.close()
        assert channel.close_status is not None
        assert (channel.close_status.code, channel.close_status.by) == (CloseCode.GOING_AWAY, "host")

    async def test_a_terminating_call_ends_the_session(self) -> None:
        async with ticking() as (_, host):
            channel = factory_of(host).create_channel()
            ticker = await channel.open()
            await ticker.leave()
            await until(lambda: channel.state is CommunicationState.CLOSED)
            await channel.close()

    async def test_a_lost_link_faults_it_and_fails_every_call_at_once(self) -> None:
        async with ticking() as (service, host):
            channel = factory_of(host).create_channel()
            ticker = await channel.open()
            calls = [asyncio.ensure_future(ticker.hold()) for _ in range(20)]
            await until(lambda: service.holding == 20)
            host._dispatchers[0].channels[0].abort()
            results = await asyncio.gather(*calls, return_exceptions=True)
            assert {type(result) for result in results} == {CommunicationObjectFaultedError}
            await until(lambda: channel.state is CommunicationState.FAULTED)
            for _ in range(5):
                with pytest.raises(CommunicationObjectFaultedError, match="connection lost"):
                    await ticker.subscribe("MSFT")
                await asyncio.sleep(0)
            with pytest.raises(CommunicationObjectFaultedError):
                await channel.close()
            assert channel.state is CommunicationState.CLOSED

    async def test_abort_ends_it_without_a_word(self) -> None:
        async with ticking() as (service, host):
            channel = factory_of(host).create_channel()
            ticker = await channel.open()
            call = asyncio.ensure_future(ticker.hold())
            await until(lambda: service.holding)
            channel.abort()
            with pytest.raises(CommunicationObjectAbortedError):
                await call
            with pytest.raises(CommunicationObjectAbortedError):
                await ticker.note("late")
            await channel.close()

    async def test_leaving_the_block_says_that_the_link_was_lost(self) -> None:
        async with ticking() as (_, host):
            channel = factory_of(host).create_channel()
            with pytest.raises(CommunicationObjectFaultedError):
                async with channel as ticker:
                    await ticker.note("perhaps")
                    host._dispatchers[0].channels[0].abort()
                    await until(lambda: channel.state is CommunicationState.FAULTED)

    async def test_the_blocks_own_error_is_not_hidden(self) -> None:
        async with ticking() as (_, host):
            channel = factory_of(host).create_channel()
            with pytest.raises(ZeroDivisionError):
                async with channel:
                    channel.abort()
                    raise ZeroDivisionError

    async def test_a_busy_service_does_not_take_the_goodbye_for_a_loss(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        @service_behavior(concurrency_mode=ConcurrencyMode.SINGLE)
        class Busy(EchoService):
            async def say(self, message: Message) -> None:
                client = OperationContext.current().get_callback_channel(EchoCallback)
                busy.set()
                with contextlib.suppress(CommunicationError):
                    while not released.is_set():
                        await client.hear(message)
                        await asyncio.sleep(0.002)

        monkeypatch.setattr("wsf.transports._websocket.ANSWER_INTERVAL", 0.001)
        busy, released = asyncio.Event(), asyncio.Event()
        async with serving(Busy, Echo) as host:
            endpoint = host.endpoints[0]
            channel = DuplexChannelFactory(Echo, Ear(), endpoint.binding, endpoint.address).create_channel()
            echo = await channel.open()
            await echo.say(Message(b"x"))
            await busy.wait()
            (session,), heard = host._dispatchers[0].channels, set[float]()
            tap = channel.session._connection._tap  # type: ignore[union-attr]
            closing = asyncio.ensure_future(channel.close())
            await until(lambda: heard.add(tap.heard_at) or len(heard) > 9)  # it goes on talking
            released.set()
            await closing
            await until(lambda: session.close_status is not None)
        assert (session.close_status.code, session.close_status.by) == (1000, "client")

    async def test_a_callback_may_close_its_own_channel(self) -> None:
        channels: list[Any] = []

        class Leaving(Watcher):
            async def price(self, symbol: str, cents: int) -> None:
                await channels[0].close()

        async with ticking() as (_, host):
            channels.append(factory_of(host, Leaving()).create_channel())
            ticker = await channels[0].open()
            with contextlib.suppress(CommunicationObjectClosedError):  # unless the answer had come, too
                await ticker.subscribe("MSFT")
            await until(lambda: channels[0].state is CommunicationState.CLOSED)
            with pytest.raises(CommunicationObjectClosedError):
                await ticker.subscribe("MSFT")

    async def test_a_callback_that_never_ends_is_cancelled_at_the_end(self) -> None:
        class Stuck(TickerCallback):
            async def price(self, symbol: str, cents: int) -> None:
                await asyncio.Event().wait()

            async def confirm(self, order: Order) -> bool:
                return True

        async with ticking() as (_, host):
            factory = factory_of(host, Stuck(), binding=json_rpc_binding(close_timeout=0.2))
            async with factory.create_channel() as ticker:
                await ticker.subscribe("MSFT")


class TestAFactory:
    async def test_many_channels_of_one_factory_are_many_sessions(self) -> None:
        watcher = Watcher()
        async with ticking() as (_, host):
            factory = factory_of(host, watcher)
            channels = [factory.create_channel() for _ in range(10)]
            tickers = [await channel.open() for channel in channels]
            await asyncio.gather(*(ticker.subscribe("MSFT") for ticker in tickers))
            assert host.counters().sessions == 10
            for channel in channels:
                await channel.close()
        assert len(watcher.prices) == 20
        assert factory.counters().sessions_closed == 10

    def test_it_outlives_an_event_loop(self) -> None:
        factories: list[DuplexChannelFactory[Ticker]] = []

        async def talk() -> None:
            async with ticking() as (_, host):
                factory = factories[0] if factories else factory_of(host)
                factories.append(factory)
                factory.endpoint = attrs.evolve(factory.endpoint, address=web_socket_address(host))
                channel = factory.create_channel()
                ticker = await channel.open()
                assert await ticker.subscribe("MSFT") == 2
                await ticker.note("never flushed")
                channel.abort()
                await channel.close()

        asyncio.run(talk())
        asyncio.run(talk())
