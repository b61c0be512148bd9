"""serviceThrottling over real sockets: what is over a limit waits in its order, and can be seen waiting."""

import asyncio
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from tests.serving import DEADLINE, Echo, EchoCallback, serving, until, web_socket_address
from wsf import (
    ConcurrencyMode,
    InstanceContextMode,
    Message,
    OperationContext,
    service_behavior,
)
from wsf.behaviors import ServiceThrottling
from wsf.host import ServiceHost


def a_service(mode: InstanceContextMode, may_end: asyncio.Event, heard: list[str]) -> type[Echo]:
    """Each operation waits to be let go."""

    @service_behavior(instance_context_mode=mode, concurrency_mode=ConcurrencyMode.MULTIPLE)
    class Waiting(Echo):
        async def say(self, message: Message) -> None:
            heard.append(message.get_body(bytes).decode())
            await may_end.wait()
            await OperationContext.current().get_callback_channel(EchoCallback).hear(message)

    return Waiting


async def clients_of(host: ServiceHost, count: int) -> list[ClientConnection]:
    return [await connect(web_socket_address(host)) for _ in range(count)]


@pytest.mark.parametrize("mode", list(InstanceContextMode))
@pytest.mark.parametrize("calls", [1, 2, 3])
async def test_calls_over_the_limit_wait_in_their_order(mode: InstanceContextMode, calls: int) -> None:
    may_end, heard = asyncio.Event(), list[str]()
    throttling = ServiceThrottling(max_concurrent_calls=2)
    async with serving(a_service(mode, may_end, heard), throttling=throttling) as host:
        clients = await clients_of(host, calls)
        for number, client in enumerate(clients):
            await client.send(str(number))
            await until(lambda number=number: sum(under_way(host)) == number + 1)
        assert under_way(host) == (min(calls, 2), max(0, calls - 2))
        assert host.counters().calls_limit == 2
        may_end.set()
        for number, client in enumerate(clients):
            assert await client.recv() == str(number)
            await client.close()
    assert heard == [str(number) for number in range(calls)]
    assert under_way(host) == (0, 0)


def under_way(host: ServiceHost) -> tuple[int, int]:
    counters = host.counters()
    return counters.calls, counters.calls_waiting


@pytest.mark.parametrize(
    ("mode", "clients", "alive"),
    [
        (InstanceContextMode.PER_SESSION, 1, 1),
        (InstanceContextMode.PER_SESSION, 2, 2),
        (InstanceContextMode.PER_SESSION, 4, 2),
        (InstanceContextMode.PER_CALL, 1, 1),
        (InstanceContextMode.PER_CALL, 2, 2),
        (InstanceContextMode.PER_CALL, 4, 2),
        (InstanceContextMode.SINGLE, 1, 1),
        (InstanceContextMode.SINGLE, 4, 1),
    ],
)
async def test_objects_over_the_limit_wait_in_their_order(
    mode: InstanceContextMode, clients: int, alive: int
) -> None:
    may_end, heard = asyncio.Event(), list[str]()
    throttling = ServiceThrottling(max_concurrent_instances=2)
    async with serving(a_service(mode, may_end, heard), throttling=throttling) as host:
        connected = await clients_of(host, clients)
        waiting = clients - alive if mode is not InstanceContextMode.SINGLE else 0
        for number, client in enumerate(connected):
            await client.send(str(number))
            await until(lambda number=number: len(heard) + host.counters().instances_waiting == number + 1)
        counters = host.counters()
        assert (counters.instances, counters.instances_waiting) == (alive, waiting)
        assert counters.calls == clients - waiting  # who waits for an object has no call
        may_end.set()
        for number, client in enumerate(connected):
            assert await client.recv() == str(number)
            await client.close()
        if mode is not InstanceContextMode.SINGLE:
            await until(lambda: host.counters().instances == 0)
    assert heard == [str(number) for number in range(clients)]


async def test_closing_serves_who_waits_for_an_object_and_ends_in_time() -> None:
    may_end, heard = asyncio.Event(), list[str]()
    may_end.set()
    throttling = ServiceThrottling(max_concurrent_instances=1)
    service = a_service(InstanceContextMode.PER_SESSION, may_end, heard)
    async with serving(service, throttling=throttling, close_timeout=3600) as host:
        clients = await clients_of(host, 3)
        for number, client in enumerate(clients):
            await client.send(str(number))
            await until(lambda number=number: host.counters().instances_waiting == number)
        async with asyncio.timeout(DEADLINE):
            await host.close()
    assert heard == ["0", "1", "2"]  # accepted is accepted
    assert [await client.recv() for client in clients] == ["0", "1", "2"]
    assert host.counters().instances == 0


@pytest.mark.parametrize(
    "setting", ["max_concurrent_calls", "max_concurrent_sessions", "max_concurrent_instances"]
)
def test_no_limit_is_below_one(setting: str) -> None:
    limits: dict[str, Any] = {setting: 0}
    with pytest.raises(ValueError, match=setting):
        ServiceThrottling(**limits)
    limits[setting] = 1
    assert getattr(ServiceThrottling(**limits), setting) == 1
