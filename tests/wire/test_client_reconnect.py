"""A client comes back when its link was lost, if it was told to; and nothing is ever said twice."""

import asyncio
import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.json_rpc import json_rpc_binding
from tests.serving import DEADLINE, until
from tests.ticker import Ticker, TickerService, Watcher
from wsf import CommunicationState, channel_of
from wsf.client import ReconnectSettings, SecurityToken
from wsf.errors import (
    AuthenticationError,
    CommunicationError,
    CommunicationObjectClosedError,
    CommunicationObjectFaultedError,
    ConnectionClosedError,
    OpenTimeoutError,
)
from wsf.testing import FlakyLink, connect, flaky_link, serve
from wsf.transports import UpgradeRequest

SOON = ReconnectSettings(initial_delay=0.001, max_delay=0.01)


class TestComingBack:
    @pytest.mark.parametrize("how", ["cut", "reset"])
    async def test_the_same_proxy_is_the_service_again(self, how: str) -> None:
        watcher = Watcher()
        async with serve(TickerService) as address, flaky_link(address) as link:
            channel = connect(Ticker, link.address, watcher, reconnect=SOON)
            back: list[CommunicationState] = []
            channel.reconnected += lambda sender: back.append(sender.state)
            async with channel as ticker:
                for count in range(1, 4):
                    first = channel_of(ticker)
                    assert await ticker.subscribe("MSFT") == 2
                    getattr(link, how)()
                    await until(lambda count=count: len(back) == count)
                    assert channel_of(ticker) is not first
            assert back == [CommunicationState.OPENED] * 3
        assert len(watcher.prices) == 6

    async def test_while_there_is_no_link_a_call_fails_at_once(self) -> None:
        async with serve(TickerService) as address, flaky_link(address) as link:
            channel = connect(Ticker, link.address, Watcher(), reconnect=SOON)
            lost: list[CommunicationState] = []
            channel.reconnecting += lambda sender: lost.append(sender.state)
            async with channel as ticker:
                link.refuse()
                await until(lambda: lost)
                assert lost == [CommunicationState.OPENING]
                for call in (ticker.subscribe("MSFT"), ticker.note("nobody hears it")):
                    with pytest.raises(CommunicationObjectFaultedError):
                        await call
                link.restore()
                await channel.wait_opened()
                assert await ticker.subscribe("MSFT") == 2

    async def test_who_waits_in_the_very_turn_of_the_loss_waits_for_the_next_session(self) -> None:
        async with serve(TickerService) as address:
            channel = connect(Ticker, address, Watcher(), reconnect=SOON)
            async with channel as ticker:
                first = channel.session
                assert first is not None
                first.ended(ConnectionClosedError(1006, clean=False))
                with pytest.raises(CommunicationObjectFaultedError):
                    await ticker.subscribe("MSFT")
                await channel.wait_opened()
                assert channel.session is not first
                assert await ticker.subscribe("MSFT") == 2

    async def test_a_callback_that_runs_on_holds_nobody_up_and_may_wait_for_the_next_session(self) -> None:
        came_back: list[int] = []
        lost = asyncio.Event()

        class Busy(Watcher):
            async def price(self, symbol: str, cents: int) -> None:
                if cents == 100 and not came_back:
                    await lost.wait()
                    await channel.wait_opened()
                    came_back.append(cents)

        async with serve(TickerService) as address, flaky_link(address) as link:
            channel = connect(Ticker, link.address, Busy(), reconnect=SOON)
            channel.reconnecting += lambda _: lost.set()
            async with channel as ticker:
                assert await ticker.subscribe("MSFT") == 2
                link.reset()
                await until(lambda: came_back)
                assert await ticker.subscribe("MSFT") == 2

    async def test_waiting_for_it_has_an_end(self) -> None:
        binding = json_rpc_binding(open_timeout=0.1)
        async with serve(TickerService, binding=binding) as address, flaky_link(address) as link:
            channel = connect(Ticker, link.address, Watcher(), reconnect=SOON)
            async with channel:
                link.refuse()
                await until(lambda: channel.state is CommunicationState.OPENING)
                with pytest.raises(OpenTimeoutError):
                    await channel.wait_opened()

    async def test_no_call_is_ever_repeated(self) -> None:
        service: list[TickerService] = []

        async with serve(made := _single(service)) as address, flaky_link(address) as link:
            channel = connect(Ticker, link.address, Watcher(), reconnect=SOON)
            async with channel as ticker:
                calls = [asyncio.ensure_future(ticker.hold()) for _ in range(10)]
                await until(lambda: made.holding == 10)
                link.reset()
                results = await asyncio.gather(*calls, return_exceptions=True)
                assert {type(result) for result in results} == {CommunicationObjectFaultedError}
                await channel.wait_opened()
                assert await ticker.subscribe("MSFT") == 2
                assert made.called == 11
                made.released.set()

    async def test_the_token_is_asked_for_again(self) -> None:
        given_out = itertools.count(1)
        seen: list[str] = []

        async def token() -> SecurityToken:
            return SecurityToken(headers={"Authorization": f"Bearer {next(given_out)}"})

        async def authenticate(request: UpgradeRequest) -> str:
            seen.append(request.headers["authorization"])
            return "somebody"

        async with serve(TickerService, authenticate=authenticate) as address, flaky_link(address) as link:
            channel = connect(Ticker, link.address, Watcher(), reconnect=SOON, token_provider=token)
            async with channel:
                link.cut()
                await until(lambda: len(seen) == 2 and channel.state is CommunicationState.OPENED)
        assert seen == ["Bearer 1", "Bearer 2"]

    async def test_a_service_that_restarts_is_found_again(self) -> None:
        async with serve(TickerService) as address, flaky_link(address) as link:
            channel = connect(Ticker, link.address, Watcher(), reconnect=SOON)
            async with channel as ticker:
                await address.host.close(restarting=True)
                await until(lambda: channel.state is CommunicationState.OPENING)
                async with serve(TickerService) as again:
                    link._target = ("127.0.0.1", int(again.rsplit(":", 1)[1].strip("/")))
                    await channel.wait_opened()
                    assert await ticker.subscribe("MSFT") == 2

    async def test_a_token_providers_trouble_is_tried_again(self) -> None:
        asked = itertools.count()

        async def token() -> SecurityToken:
            if next(asked) in (1, 2):
                raise OSError("the vault is closed")
            return SecurityToken()

        async with serve(TickerService) as address, flaky_link(address) as link:
            channel = connect(Ticker, link.address, Watcher(), reconnect=SOON, token_provider=token)
            async with channel as ticker:
                link.cut()
                await until(lambda: next(asked) > 3 and channel.state is CommunicationState.OPENED)
                assert await ticker.subscribe("MSFT") == 2


def _single(made: list[TickerService]) -> TickerService:
    made.append(TickerService())
    return made[0]


class TestStayingAway:
    async def test_without_reconnect_it_is_over(self) -> None:
        async with serve(TickerService) as address, flaky_link(address) as link:
            channel = connect(Ticker, link.address, Watcher())
            await channel.open()
            link.cut()
            await until(lambda: channel.state is CommunicationState.FAULTED)
            with pytest.raises(CommunicationObjectFaultedError):
                await channel.wait_opened()
            channel.abort()
            await channel.close()

    async def test_who_is_sent_away_in_good_order_stays_away(self) -> None:
        async with serve(TickerService) as address:
            channel = connect(Ticker, address, Watcher(), reconnect=SOON)
            async with channel as ticker:
                await ticker.leave()
                await until(lambda: channel.state is CommunicationState.CLOSED)
                with pytest.raises(CommunicationObjectClosedError):
                    await ticker.subscribe("MSFT")

    async def test_who_is_refused_for_good_does_not_ask_again(self) -> None:
        asked = itertools.count(1)

        async def authenticate(request: UpgradeRequest) -> str:
            if next(asked) > 1:
                raise AuthenticationError("grown old")
            return "somebody"

        async with serve(TickerService, authenticate=authenticate) as address, flaky_link(address) as link:
            channel = connect(Ticker, link.address, Watcher(), reconnect=SOON)
            with pytest.raises(CommunicationObjectFaultedError, match="answers 401"):
                async with channel:
                    link.cut()
                    await until(lambda: channel.state is CommunicationState.FAULTED)
            assert next(asked) == 3

    async def test_after_max_attempts_it_is_faulted(self) -> None:
        few = ReconnectSettings(initial_delay=0.001, max_delay=0.01, max_attempts=3)
        async with serve(TickerService) as address, flaky_link(address) as link:
            channel = connect(Ticker, link.address, Watcher(), reconnect=few)
            with pytest.raises(CommunicationObjectFaultedError):
                async with channel:
                    link.refuse()
                    await until(lambda: channel.state is CommunicationState.FAULTED)

    @pytest.mark.parametrize("end", ["close", "abort"])
    async def test_who_closes_meanwhile_need_not_wait(self, end: str) -> None:
        never = ReconnectSettings(initial_delay=3600, max_delay=3600)
        async with serve(TickerService) as address, flaky_link(address) as link:
            channel = connect(Ticker, link.address, Watcher(), reconnect=never)
            await channel.open()
            link.refuse()
            await until(lambda: channel.state is CommunicationState.OPENING)
            if end == "abort":
                channel.abort()
            async with asyncio.timeout(DEADLINE):
                await channel.close()
            assert channel.state is CommunicationState.CLOSED


TROUBLE: dict[str, Callable[[FlakyLink], None]] = {
    "cut": FlakyLink.cut,
    "reset": FlakyLink.reset,
    "stop": FlakyLink.stop,
    "slow": lambda link: link.slow(100_000),
    "restore": FlakyLink.restore,
}


@settings(max_examples=15)
@given(
    plan=st.lists(st.tuples(st.sampled_from(sorted(TROUBLE)), st.integers(0, 30)), min_size=1, max_size=6),
    comes_back=st.booleans(),
    seed=st.integers(0, 2**32),
)
def test_whatever_happens_to_the_link_every_call_ends(
    plan: list[tuple[str, int]], comes_back: bool, seed: int
) -> None:
    """With a reply or with the right error; none twice; and no task is left."""

    async def run() -> None:
        service, chance = TickerService(), random.Random(seed)
        service.released.set()
        binding = json_rpc_binding(send_timeout=0.3, close_timeout=0.3, open_timeout=5)
        results: list[Any] = []
        made = 0
        async with serve(service, binding=binding) as address, flaky_link(address) as link:
            channel = connect(Ticker, link.address, Watcher(), reconnect=SOON if comes_back else None)
            ticker = await channel.open()

            async def talk() -> None:
                nonlocal made
                for _ in range(10):
                    made += 1
                    work = chance.choice([ticker.subscribe, ticker.nest, ticker.hold])
                    argument: Any = chance.choice([0, 1]) if work == ticker.nest else "MSFT"
                    results.extend(await asyncio.gather(work(argument), return_exceptions=True))
                    await asyncio.sleep(0)

            async with asyncio.timeout(DEADLINE):
                talking = [asyncio.ensure_future(talk()) for _ in range(8)]
                for what, turns in plan:
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    TROUBLE[what](link)
                await asyncio.gather(*talking)
                link.restore()
                channel.abort()
                await channel.close()
        assert len(results) == made == 80
        wrong = [result for result in results if not isinstance(result, int | str | CommunicationError)]
        assert wrong == []
        answered = [result for result in results if isinstance(result, int | str)]
        assert len(answered) <= service.called <= made
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert not left

    asyncio.run(run())


def test_settings_are_checked() -> None:
    for wrong in ({"initial_delay": 0}, {"max_delay": float("inf")}, {"max_attempts": 0}):
        with pytest.raises(ValueError, match=r"must be|Infinite"):
            ReconnectSettings(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="below"):
        ReconnectSettings(initial_delay=2, max_delay=1)
