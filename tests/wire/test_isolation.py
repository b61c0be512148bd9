"""The law: whatever one service does in one session, the host and every other session are as they were.

All of it happens in one host, one after the other and at once, beside clients that go on talking.
"""

import argparse
import asyncio
from typing import Any, Protocol

import pytest

from tests.clock import Clock
from tests.json_rpc import Peer, Refused, json_rpc_binding, peers, serving_json_rpc
from tests.serving import until
from wsf import (
    ConcurrencyMode,
    InstanceContextMode,
    OperationContext,
    SessionMode,
    callback_contract,
    operation_contract,
    service_behavior,
    service_contract,
)
from wsf.host import ServiceHost


@callback_contract
class Callback(Protocol):
    @operation_contract
    async def ask(self) -> int: ...
    @operation_contract(is_one_way=True)
    async def tell(self, number: int) -> None: ...


@service_contract(callback_contract=Callback, session_mode=SessionMode.REQUIRED)
class Contract(Protocol):
    @operation_contract
    async def well(self, number: int) -> int: ...
    @operation_contract
    async def badly(self, how: str) -> Any: ...
    @operation_contract(is_one_way=True)
    async def badly_one_way(self, how: str) -> None: ...
    @operation_contract(is_initiating=False)
    async def later(self) -> None: ...


#: callbacks of clients that are gone
DEAD: list[Callback] = []

#: the test's clock: who blocks is a loop that finds, when it goes on, that time has passed
CLOCK: list[Clock] = []

#: s: longer than every keep-alive deadline of the test's binding
BLOCKED_FOR = 600.0

#: s: longer than any test, blocked or not
NEVER = 36_000.0


async def misbehave(how: str) -> Any:  # noqa: PLR0912 - one branch for each way
    context = OperationContext.current()
    client = context.get_callback_channel(Callback)
    match how:
        case "raises":
            raise ZeroDivisionError(how)
        case "raises a group":
            raise BaseExceptionGroup(how, [ValueError(how), asyncio.CancelledError()])
        case "exits":
            argparse.ArgumentParser().parse_args(["--no-such-option"])
        case "is cancelled":
            raise asyncio.CancelledError
        case "stops iterating":
            raise StopAsyncIteration
        case "recurses":
            await misbehave(how)
        case "hangs":
            await asyncio.Event().wait()
        case "blocks":
            CLOCK[0].forward(BLOCKED_FOR)
        case "calls the dead":
            await DEAD[0].tell(1)
        case "asks the dead":
            await DEAD[0].ask()
        case "asks and is not answered":
            await client.ask()
        case "returns what it must not":
            return object()
        case "aborts its own session":
            context.channel.abort()
            await client.tell(1)
        case "closes its own session":
            await context.channel.close(4000, "had enough")
    return None


@service_behavior(
    instance_context_mode=InstanceContextMode.PER_SESSION, concurrency_mode=ConcurrencyMode.MULTIPLE
)
class Service(Contract):
    async def well(self, number: int) -> int:
        return number

    async def badly(self, how: str) -> Any:
        return await misbehave(how)

    async def badly_one_way(self, how: str) -> None:
        await misbehave(how)

    async def later(self) -> None: ...


WAYS = [
    "raises",
    "raises a group",
    "exits",
    "is cancelled",
    "stops iterating",
    "recurses",
    "hangs",
    "blocks",
    "calls the dead",
    "asks the dead",
    "asks and is not answered",
    "returns what it must not",
    "aborts its own session",
    "closes its own session",
]

#: what leaves even the misbehaving session as it was
HARMLESS = {"hangs", "blocks", "calls the dead", "asks the dead", "asks and is not answered"}


async def leave_dead(host: ServiceHost) -> None:
    """A client whose callback somebody keeps, and who goes without a word."""
    DEAD.clear()
    async with peers(host) as (gone,):
        await gone.notify("badly_one_way", "is kept")
        gone.socket.transport.abort()
        await gone.socket.wait_closed()


class Keeps(Service):
    async def badly_one_way(self, how: str) -> None:
        if how == "is kept":
            DEAD.append(OperationContext.current().get_callback_channel(Callback))
        await super().badly_one_way(how)


async def talk(peer: Peer) -> None:
    """A good client, all the time."""
    number = 0
    while True:
        number += 1
        assert await peer.call("well", number) == number


@pytest.mark.parametrize("concurrency", list(ConcurrencyMode))
@pytest.mark.parametrize("method", ["badly", "badly_one_way"])
async def test_nobody_else_is_disturbed(
    concurrency: ConcurrencyMode, method: str, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    CLOCK[:] = [clock]
    monkeypatch.setattr("tests.json_rpc.DEADLINE", NEVER)  # calls of the good ones are under way meanwhile
    kind = service_behavior(concurrency_mode=concurrency)(type("Keeps", (Keeps,), {}))
    timeouts = dict.fromkeys(("send_timeout", "close_timeout", "receive_timeout"), NEVER)
    binding = json_rpc_binding(settings={"keep_alive_interval": BLOCKED_FOR / 4}, **timeouts)
    async with serving_json_rpc(kind, Contract, 2, binding=binding, close_timeout=0.5) as (host, good):
        await leave_dead(host)
        await until(lambda: DEAD and host.counters().sessions == 2)
        talks = [asyncio.create_task(talk(peer)) for peer in good]
        async with peers(host, len(WAYS)) as bad:
            for peer, how in zip(bad, WAYS, strict=True):
                await peer.notify(method, how)
            ended = [peer for peer, how in zip(bad, WAYS, strict=True) if not _is_harmless(how, method)]
            for peer in ended:
                await peer.closed()
            await until(lambda: host.counters().sessions <= 2 + len(bad) - len(ended))
            for peer in good:
                assert await peer.call("well", -1) == -1
            assert host.counters().sessions == 2 + len(bad) - len(ended)
            for peer in bad:
                peer.socket.transport.abort()  # a session whose operation hangs answers no close frame
        for task in talks:
            assert not task.done()
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        assert [peer.socket.close_code for peer in good] == [None, None]
    assert host.counters().sessions == 0
    assert host.counters().calls == 0


def _is_harmless(how: str, method: str) -> bool:
    return how in HARMLESS or (how == "returns what it must not" and method == "badly_one_way")


async def test_calls_in_a_wrong_state_end_their_own_session_only() -> None:
    async with serving_json_rpc(Service, Contract, 3) as (host, (good, early, unknown)):
        await early.notify("later")
        assert (await early.closed())[0] == 1002
        await unknown.notify("no such thing")
        assert (await unknown.closed())[0] == 1003
        with pytest.raises(Refused):
            await good.call("no such thing")
        assert await good.call("well", 1) == 1
        await until(lambda: host.counters().sessions <= 1)
        assert host.counters().sessions == 1


async def test_an_object_that_cannot_be_made_or_released_is_its_sessions_problem(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = 0

    @service_behavior(instance_context_mode=InstanceContextMode.PER_SESSION)
    class Fragile(Service):
        def __init__(self) -> None:
            nonlocal made
            made += 1
            if made == 2:
                raise OSError("no memory")

        async def aclose(self) -> None:
            raise OSError("cannot be released")

    async with serving_json_rpc(Fragile, Contract, 3) as (host, (one, two, three)):
        assert await one.call("well", 1) == 1
        with pytest.raises(Refused):
            await two.call("well", 1)
        assert (await two.closed())[0] == 1011
        assert await three.call("well", 1) == 1
        await one.end()
        await until(lambda: host.counters().sessions == 1 and host.counters().instances <= 1)
        assert await three.call("well", 2) == 2
        assert host.counters().instances == 1
    assert "cannot be released" in caplog.text
    assert host.counters().instances == 0


async def test_an_object_whose_release_hangs_does_not_keep_the_host_from_closing() -> None:
    is_hanging = asyncio.Event()

    @service_behavior(instance_context_mode=InstanceContextMode.PER_SESSION)
    class Hangs(Service):
        async def aclose(self) -> None:
            is_hanging.set()
            await asyncio.Event().wait()

    async with asyncio.timeout(20):
        async with serving_json_rpc(Hangs, Contract, 2, close_timeout=0.1) as (_, (one, other)):
            assert await one.call("well", 1) == 1
            await one.end()
            await is_hanging.wait()
            assert await other.call("well", 1) == 1
