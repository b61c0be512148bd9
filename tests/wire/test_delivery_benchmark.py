"""What benchmarks/delivery reports can be trusted: its clients notice all that a server can do wrong."""

import asyncio
import contextlib
import json
import re
import shutil
import socket
import struct
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from websockets.asyncio.server import ServerConnection, serve

from benchmarks.delivery import measure, picture, servers, table, tools
from benchmarks.delivery.loads import CLAIMS, LOADS, Claim
from benchmarks.delivery.measure import NEVER
from tests.conftest import require_tool

ERRORS = ("bad", "doubled", "disordered", "lost", "cut", "skipped")

#: a run ends with its messages, however long they take; drain is how long one waits for those that were lost
QUICK = ("--warm-up", "0", "--seconds", "0", "--drain", "2")

#: the message that is spoiled, and the client that it is spoiled for
SPOILED, VICTIM = 5, 2

#: messages in flight: so many more are said when one is lost
WINDOW = 4

Spoil = Callable[[int, str, list[str]], list[str]]


@pytest.fixture(scope="session")
def generator() -> Path:
    found, why_not = None, ""
    try:
        found = measure.generator()
    except tools.ToolError as error:  # no compiler, or no headers
        why_not = str(error)
    return require_tool("cc", found, why_not=why_not)


def honest(_: int, text: str, __: list[str]) -> list[str]:
    return [text]


def loses(number: int, text: str, _: list[str]) -> list[str]:
    return [] if number == SPOILED else [text]


def doubles(number: int, text: str, _: list[str]) -> list[str]:
    return [text, text] if number == SPOILED else [text]


def swaps(number: int, text: str, held: list[str]) -> list[str]:
    if number == SPOILED:
        held.append(text)
        return []
    late = [held.pop()] if held else []
    return [text, *late]


def makes_it_longer(number: int, text: str, _: list[str]) -> list[str]:
    return [text.replace('"}', '!"}') if number == SPOILED else text]


def changes_a_letter(number: int, text: str, _: list[str]) -> list[str]:
    return [text[:-3] + "Z" + text[-2:] if number == SPOILED else text]


def says_it_in_another_room(number: int, text: str, _: list[str]) -> list[str]:
    return [text.replace("r00000", "r00001") if number == SPOILED else text]


@contextlib.asynccontextmanager
async def chat(
    spoil: Spoil = honest,
    compression: str | None = None,
    on_message: Callable[[int, list[ServerConnection]], None] = lambda *_: None,
) -> AsyncGenerator[int]:
    """A room that treats its third client as ``spoil`` says; its port."""
    room: list[ServerConnection] = []
    held: list[str] = []

    async def client(connection: ServerConnection) -> None:
        text = await connection.recv(decode=True)
        room.append(connection)
        await connection.send(text)
        async for text in connection:
            assert isinstance(text, str)
            number = int(re.findall(r'"m(\d{10}) ', text)[0])
            for place, other in enumerate(list(room)):
                for said in spoil(number, text, held) if place == VICTIM else [text]:
                    with contextlib.suppress(OSError):
                        await other.send(said)
            on_message(number, room)

    async with serve(client, "127.0.0.1", 0, compression=compression) as server, asyncio.timeout(30):
        yield next(iter(server.sockets)).getsockname()[1]


def at_least(messages: int) -> tuple[str, str]:
    return "--at-least", str(messages)


async def generate(generator: Path, port: int, *options: str) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        generator, *QUICK, *options, "--concurrency", "1", "127.0.0.1", str(port), "/",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    printed, complaint = await process.communicate()
    assert process.returncode == 0, complaint.decode()
    return json.loads(printed)


@pytest.mark.parametrize(
    ("spoil", "errors"),
    [
        (honest, {}),
        (loses, {"lost": 1}),
        (doubles, {"doubled": 1}),
        (swaps, {"disordered": 1}),
        (makes_it_longer, {"bad": 1, "lost": 1}),
        (changes_a_letter, {"bad": 1}),
        (says_it_in_another_room, {"bad": 1}),
    ],
    ids=lambda found: found.__name__ if callable(found) else "",
)
async def test_what_a_server_does_wrong_is_counted(
    generator: Path, spoil: Spoil, errors: dict[str, int]
) -> None:
    async with chat(spoil) as port:
        report = await generate(
            generator, port, "--size", "4", "--window", f"{WINDOW}", *at_least(SPOILED + WINDOW)
        )
    assert {kind: report[kind] for kind in ERRORS} == dict.fromkeys(ERRORS, 0) | errors
    assert report["received"] == report["messages"] * 4 - errors.get("lost", 0)
    assert measure.measures_of(report)["errors"] == sum(errors.values())


@pytest.mark.parametrize("options", [["--senders", "4"], ["--senders", "4", "--rate", "200"], ["--sorted"]])
async def test_every_way_of_speaking_is_heard_by_all(generator: Path, options: list[str]) -> None:
    async with chat() as port:
        report = await generate(generator, port, "--size", "4", *options, *at_least(40))
    assert {report[kind] for kind in ERRORS} == {0}
    assert report["received"] == report["messages"] * 4 >= 160


@pytest.mark.parametrize("size", [100, 70_000])
async def test_compressed_messages_are_inflated_and_compared(generator: Path, size: int) -> None:
    """websockets looks back at earlier messages: each client's stream is one of its own."""
    async with chat(compression="deflate") as port:
        report = await generate(
            generator, port, "--size", "3", "--deflate", "--bytes", f"{size}", *at_least(20)
        )
    assert {report[kind] for kind in ERRORS} == {0}
    assert report["received"] == report["messages"] * 3 >= 60
    assert report["deflated"] >= report["received"]
    assert report["bytes"] < report["received"] * size


def abort(connection: ServerConnection, *, reset: bool) -> None:
    if reset:
        found = connection.transport.get_extra_info("socket")
        found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.transport.abort()
    else:
        connection.transport.write_eof()


@pytest.mark.parametrize("reset", [True, False])
async def test_the_end_of_a_client_that_stopped_reading_is_told(generator: Path, reset: bool) -> None:
    def on_message(number: int, room: list[ServerConnection]) -> None:
        if number == SPOILED:
            abort(room.pop(), reset=reset)

    async with chat(on_message=on_message) as port:
        report = await generate(generator, port, "--size", "4", "--stall", "1", *at_least(40))
    assert {report[kind] for kind in ERRORS} == {0}  # nobody else missed anything
    (stalled,) = report["stalled"]
    assert (stalled["gone"], stalled["reset"]) == (True, reset)
    measures = measure.measures_of(report)
    assert measures["not reset"] == (not reset)
    assert measures["gone"] < NEVER


async def test_a_client_that_was_cut_is_an_error(generator: Path) -> None:
    def on_message(number: int, room: list[ServerConnection]) -> None:
        if number == SPOILED:
            abort(room.pop(), reset=True)

    async with chat(on_message=on_message) as port:
        report = await generate(generator, port, "--size", "4", *at_least(SPOILED + 2))
    assert report["cut"] == 1
    assert report["lost"] == 1  # it did not hear the next one


WSF = ["wsf", "wsf, seed's loop", "wsf, echo", "wsf, watchdog"]


@pytest.mark.parametrize("name", [*WSF, "C"])
def test_the_servers_that_are_always_here_serve_the_generator(generator: Path, name: str) -> None:
    server = servers.SERVERS[name]
    size = "1" if "echo" in name else "5"
    with servers.running(server) as place:
        # so many that the kernel's account of its time, kept by ticks, moves for the fastest of them, too
        options = (*QUICK, "--rooms", "3", "--size", size, *at_least(5000))
        report = measure.generate(server, place, options, seconds=0)
    measures = measure.measures_of(report)
    assert measures["errors"] == 0
    assert report["received"] == report["messages"] * int(size) >= 5000
    assert measures["cpu"] > 0
    assert measures["memory"] > 0


def test_a_server_that_does_not_listen_is_an_error_that_tells_why() -> None:
    server = servers.Server("", lambda *_: ["cc", "--no-such-option"])
    require_tool("cc", shutil.which("cc"))
    with pytest.raises(tools.ToolError, match=r"does not listen:\n.*no-such-option"), servers.running(server):
        pass


def test_a_claim_is_about_servers_that_meet_its_load_in_every_round() -> None:
    for claim in CLAIMS:
        assert claim.server in LOADS[claim.load].servers, claim
        assert claim.base is None or claim.base in LOADS[claim.base_load or claim.load].servers, claim
        assert (claim.at_least is None) != (claim.at_most is None), claim
    names = [name for load in LOADS.values() for name in (*load.servers, *load.others)]
    assert set(names) == set(servers.SERVERS)


ALL_TALK = {
    "rate": 1000.0,
    "p50": 1.0,
    "p99": 2.0,
    "generator": 5.0,
    "memory": 1.0,
    "errors": 0.0,
    "busy": 99.0,
}


def runs(load: str, name: str, *cpu: float, **more: float) -> list[dict[str, Any]]:
    return [
        {"load": load, "server": name, "round": number, "measures": {**ALL_TALK, "cpu": one, **more}}
        for number, one in enumerate(cpu)
    ]


def verdict_of(claim: Claim, found: list[dict[str, Any]]) -> table.Verdict:
    (verdict,) = (one for one in table.verdicts(table.results_of(found)) if one.claim == claim)
    return verdict


def test_a_figure_is_a_ratio_of_medians() -> None:
    claim = CLAIMS[0]
    found = [*runs("all-talk", "wsf", 1, 2, 9), *runs("all-talk", "aiohttp", 40, 44, 46)]
    assert verdict_of(claim, found) == table.Verdict(claim, 22, 22, disturbed=False)
    assert verdict_of(claim, found).is_met
    assert not verdict_of(claim, [*found[3:], *runs("all-talk", "wsf", 1, 2.3, 9)]).is_met
    (row,) = (
        line
        for line in table.markdown(table.results_of(found)).splitlines()
        if ">= 20" in line and "aio" in line
    )
    assert row.endswith("| >= 20 | 22.00 | 22.00 | met |")


def test_what_was_not_measured_is_not_met() -> None:
    verdict = verdict_of(CLAIMS[0], runs("all-talk", "aiohttp", 40))
    assert verdict.value is None
    assert not verdict.is_met


def test_a_server_that_others_disturbed_is_marked() -> None:
    found = [*runs("all-talk", "wsf", 1, busy=84.0), *runs("all-talk", "aiohttp", 40)]
    assert verdict_of(CLAIMS[0], found).disturbed
    assert not verdict_of(CLAIMS[0], [*found[1:], *runs("all-talk", "wsf", 1, busy=85.0)]).disturbed


def test_a_server_that_did_less_than_was_offered_is_marked() -> None:
    (claim, *_) = (one for one in CLAIMS if one.load == "fixed-rate")
    found = [*runs("fixed-rate", "wsf", 1, rate=49_000.0), *runs("fixed-rate", "aiohttp", 1, rate=47_000.0)]
    assert verdict_of(claim, found).disturbed
    assert not verdict_of(claim, [found[0], *runs("fixed-rate", "aiohttp", 1, rate=48_000.0)]).disturbed


def test_whatever_was_lost_is_told_but_where_that_is_the_point() -> None:
    found = [
        *runs("all-talk", "wsf", 1, 1, errors=2.0),
        *runs("one-stalled-peers", "aiohttp", 1, errors=9.0),
    ]
    (line,) = table.errors_of(table.results_of(found))
    assert line.startswith("all-talk, wsf: 4 deliveries lost")


def test_the_picture_has_a_bar_for_each_server_of_each_busy_load() -> None:
    one = {"cpu": 2.0, "busy": 99, "rate": 1.0}
    runs = [
        {"load": load, "server": server, "round": 0, "measures": one}
        for load in ("all-talk", "echo", "idle")
        for server in ("wsf", "a & b")
    ]
    drawn = ElementTree.fromstring(picture.svg(table.results_of(runs)))
    bars = [
        element for element in drawn.iter("{http://www.w3.org/2000/svg}rect") if "height" in element.attrib
    ]
    assert len(bars) == 1 + 4  # the ground, and two loads of two servers: silent sessions have no deliveries
