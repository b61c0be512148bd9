"""What benchmarks/instancing compares is comparable: four modes, one behaviour; and where it is not one."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator

import pytest
from websockets.asyncio.client import connect

from benchmarks.instancing import hosts, services, thor
from benchmarks.instancing.__main__ import MODES, SHAPES
from benchmarks.instancing.table import Measure, Shape, markdown, terminal
from tests.serving import Echo, EchoCallback, serving, until, web_socket_address
from wsf import ConcurrencyMode, InstanceContextMode, Message, OperationContext, service_behavior
from wsf.behaviors import behavior_of
from wsf.configuration import load
from wsf.host.configured import hosts_of

SHAPE = Shape("echo", "Nothing is kept.", "echo", clients=2, messages=3)


def says(nickname: str, message: str = "") -> str:
    return json.dumps({"nickname": nickname, "room": "asgard", "message": message})


@contextlib.asynccontextmanager
async def served(mode: type) -> AsyncGenerator[dict[str, str]]:
    """Where the benchmark's configuration serves a mode, by the last part of the path."""
    (host,) = hosts_of(load(hosts.HERE / "app.yaml"), mode)
    async with host, asyncio.timeout(20):
        addresses = [endpoint.address.replace("http", "ws", 1) for endpoint in host.endpoints]
        yield {address.rpartition("/")[2]: address for address in addresses}


@pytest.mark.parametrize("mode", MODES.values(), ids=lambda mode: mode.__name__)
@pytest.mark.parametrize("path", sorted({shape.path for shape in SHAPES}))
async def test_each_mode_answers_the_sender(mode: type, path: str) -> None:
    """As thor speaks: all are one nickname, and each waits for its answer."""
    async with served(mode) as addresses:
        async with connect(addresses[path]) as one, connect(addresses[path]) as other:
            for number in range(3):
                for client in (one, other):
                    await client.send(says("thor", f"{number}"))
                    assert await client.recv() == says("thor", f"{number}")


@pytest.mark.parametrize("mode", MODES.values(), ids=lambda mode: mode.__name__)
async def test_each_mode_has_one_room_for_all_its_objects(mode: type) -> None:
    async with served(mode) as addresses:
        async with connect(addresses["chat"]) as one, connect(addresses["chat"]) as other:
            await one.send(says("one"))
            assert await one.recv() == says("one")
            await other.send(says("other"))
            assert await one.recv() == await other.recv() == says("other")


def test_nothing_but_the_decorator_differs() -> None:
    assert [vars(mode).keys() ^ vars(services.Single).keys() for mode in MODES.values()] == [set()] * 4
    behaviors = [behavior_of(mode) for mode in MODES.values()]
    assert [(found.instance_context_mode, found.concurrency_mode) for found in behaviors] == [
        (InstanceContextMode.SINGLE, ConcurrencyMode.SINGLE),
        (InstanceContextMode.PER_SESSION, ConcurrencyMode.SINGLE),
        (InstanceContextMode.PER_CALL, ConcurrencyMode.SINGLE),
        (InstanceContextMode.SINGLE, ConcurrencyMode.MULTIPLE),
    ]


async def test_who_was_not_served_to_the_end_is_counted() -> None:
    """thor takes a connection that the host closes for a good end: the host's log tells them apart."""
    async with hosts.serving(services.Single) as host:
        async with connect(host.addresses["chat"]) as client:
            await client.send("no JSON")
            await client.wait_closed()
        async with connect(host.addresses["chat"]) as client:
            client.transport.write(bytes((0x88, 0x80)) + bytes(4))  # as thor: a close frame without a code
            await client.wait_closed()
        assert await host.all_left(2) == 1


class Halfway(Echo):
    """Answers whom it finds in a place that all its objects share, after an await."""

    speaker: EchoCallback
    inside = 0
    may_go_on: asyncio.Event

    async def say(self, message: Message) -> None:
        Halfway.speaker = OperationContext.current().get_callback_channel(EchoCallback)
        Halfway.inside += 1
        await Halfway.may_go_on.wait()
        await Halfway.speaker.hear(message)


@service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
class SingleHalfway(Halfway):
    pass


@service_behavior(instance_context_mode=InstanceContextMode.PER_CALL)
class PerCallHalfway(Halfway):
    pass


@pytest.mark.parametrize("mode", [SingleHalfway, PerCallHalfway])
async def test_only_single_keeps_what_is_shared_across_an_await(mode: type) -> None:
    """The blog's "reliable", perhaps: threads have such a moment everywhere, an event loop at an await."""
    Halfway.inside, Halfway.may_go_on = 0, asyncio.Event()
    async with serving(mode) as host, asyncio.timeout(20):
        address = web_socket_address(host)
        async with connect(address) as one, connect(address) as other:
            await one.send("of one")
            await until(lambda: Halfway.inside == 1)
            await other.send("of other")
            await until(lambda: host.counters().messages_received == 2)
            if mode is PerCallHalfway:
                await until(lambda: Halfway.inside == 2)
            Halfway.may_go_on.set()
            if mode is SingleHalfway:
                assert (await one.recv(), await other.recv()) == ("of one", "of other")
            else:  # the answer to one went astray
                assert {await other.recv(), await other.recv()} == {"of one", "of other"}


THOR_SAYS = """\
Online               1378 milliseconds
Connected            200
Disconnected         0
Failed               300

Durations (ms):

                     min     mean     stddev  median max
Latency              20      42           25      35 201

Percentile (ms):

                      50%     66%     75%     80%     90%     95%     98%     98%    100%
Handshaking          285     295     300     305     308     310     312     312     313
Latency              35      39      40      41      62      106     135     161     201
"""


def test_the_report_of_thor_is_read() -> None:
    assert thor.parse(THOR_SAYS) == thor.Report(connected=200, failed=300, p50=35, p95=106, p99=161)


def test_a_thor_that_reports_nothing_is_an_error() -> None:
    with pytest.raises(thor.ToolError, match="gave no report:\nOdin"):
        thor.parse("Odin is disappointed")


def test_a_table_has_medians_ratios_of_medians_and_all_that_failed() -> None:
    single = [Measure(cpu, 10, 20, 30, 0) for cpu in (40.0, 50.0, 90.0)]
    per_call = [Measure(cpu, 5, 6, 7, 1) for cpu in (60.0, 100.0, 110.0)]
    results = {SHAPE: {"Single": single, "PerCall": per_call}}
    assert markdown(results).splitlines()[2:] == [
        "| **echo**, 2 clients x 3 messages | Single | 50 | 40-90 | 1.00 | 10 | 20 | 30 | 1.00 | 0 |",
        "|  | PerCall | 100 | 60-110 | 2.00 | 5 | 6 | 7 | 0.50 | 3 |",
    ]
    (per_call_row,) = (line for line in terminal(results).splitlines() if line.startswith("PerCall"))
    assert per_call_row.split() == [*("PerCall", "100", "60-110", "2.00", "5", "6", "7", "0.50", "3")]
