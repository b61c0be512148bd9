"""The program is told to end: by which signal, under load, while it opens, and by who takes no notice."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path
from typing import Final

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.serving import program, until
from tests.wire.test_program import on_free_port

#: clients of the test under load: ``WSF_STOPPING_CLIENTS=1000`` is what a long run has
CLIENTS: Final = int(os.environ.get("WSF_STOPPING_CLIENTS", "200"))

#: what a client has under way at a time
AHEAD: Final = 3

SERVICE: Final = """
import asyncio, threading
from chatservice import ChatService, ChatServiceCallback
from wsf import ConcurrencyMode, InstanceContextMode, Message, OperationContext, service_behavior

single = service_behavior(
    instance_context_mode=InstanceContextMode.SINGLE, concurrency_mode=ConcurrencyMode.MULTIPLE
)

@single
class Loaded(ChatService):
    begun = ended = 0
    async def send_message(self, message: Message) -> None:
        if not message.is_empty:
            callback = OperationContext.current().get_callback_channel(ChatServiceCallback)
            self.begun += 1
            await asyncio.sleep(0.01)  # the work
            await callback.receive_message(message)
            self.ended += 1
    async def aclose(self) -> None:
        print("begun", self.begun, "ended", self.ended, flush=True)

@single
class Hanging(ChatService):
    async def send_message(self, message: Message) -> None:
        print("called", flush=True)
        await asyncio.Event().wait()

@single
class Unreleasable(Hanging):
    async def aclose(self) -> None:
        print("releasing", flush=True)
        await asyncio.Event().wait()

@single
class Stubborn(ChatService):
    async def send_message(self, message: Message) -> None:
        print("called", flush=True)
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass

@single
class Blocked(ChatService):
    async def send_message(self, message: Message) -> None:
        print("called", flush=True)
        await asyncio.to_thread(threading.Event().wait)

@single
class Opening(ChatService):
    async def send_message(self, message: Message) -> None: ...
    async def __aenter__(self) -> None:
        print("entering", flush=True)
        await asyncio.Event().wait()
    async def __aexit__(self, *_: object) -> None: ...
"""


def serving_file(tmp_path: Path, service: str, host: str) -> list[str]:
    """The program's arguments for a service of SERVICE and the settings of its host."""
    (tmp_path / "services.py").write_text(SERVICE)
    config = Path(on_free_port(tmp_path))
    text = config.read_text().replace("chatservice.ChatServiceImplementation", f"services.{service}")
    config.write_text(text.replace("staticContent: chatservice:web", host))
    return [str(config), "--app-dir", str(tmp_path)]


class Load:
    """Clients that all talk, until the host has said goodbye to each."""

    def __init__(self, clients: list[ClientConnection]) -> None:
        self.heard: list[list[int]] = [[] for _ in clients]
        self.codes: list[int] = []
        self.talking = [
            asyncio.create_task(self._talk(*pair)) for pair in zip(clients, self.heard, strict=True)
        ]

    @property
    def answers(self) -> int:
        return sum(map(len, self.heard))

    async def _talk(self, client: ClientConnection, heard: list[int]) -> None:
        """Say numbers, so many ahead, until the host says goodbye; hear what it said before that."""
        with contextlib.suppress(ConnectionClosed):
            for number in range(AHEAD):
                await client.send(str(number))
            while True:
                heard.append(int(await client.recv()))
                await client.send(str(len(heard) + AHEAD - 1))
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                heard.append(int(await client.recv()))
        assert closed.value.rcvd is not None, "the host left without a close frame"
        self.codes.append(closed.value.rcvd.code)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 1001), (signal.SIGUSR2, 1012)])
async def test_under_load_everybody_hears_all_answers_and_then_the_code(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    arguments = serving_file(tmp_path, "Loaded", "drain: {batchSize: 30, batchInterval: 20ms}")
    async with program(*arguments, "--log-level", "warning") as running:
        address = await running.line(r"Endpoint +(ws://\S+)")
        load = Load([await connect(address, ping_interval=None) for _ in range(CLIENTS)])
        await until(lambda: all(load.heard))
        running.process.send_signal(number)
        await until(lambda: load.codes)
        with pytest.raises(OSError, match="Connect"):  # though others still talk
            await connect(address)
        await asyncio.gather(*load.talking)
        status, out, err = await running.end()
    assert (status, err) == (0, "")
    assert load.codes == [code] * CLIENTS
    assert all(sorted(heard) == list(range(len(heard))) for heard in load.heard)
    assert f"begun {load.answers} ended {load.answers}" in out  # no operation was cut, no answer lost


async def test_two_signals_at_once_cut(tmp_path: Path) -> None:
    async with program(*serving_file(tmp_path, "Hanging", "timeouts: {closeTimeout: Infinite}")) as running:
        async with connect(await running.line(r"Endpoint +(ws://\S+)")):
            await running.line("called")
            running.process.send_signal(signal.SIGTERM)
            running.process.send_signal(signal.SIGINT)
            status, _, err = await running.end()
    assert status == 1
    assert "cut by a second signal" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("service", ["Stubborn", "Blocked"])
async def test_who_takes_no_notice_of_the_end_does_not_keep_the_process(tmp_path: Path, service: str) -> None:
    arguments = serving_file(tmp_path, service, "timeouts: {closeTimeout: 100ms}")
    async with program(*arguments) as running, connect(await running.line(r"Endpoint +(ws://\S+)")):
        await running.line("called")
        running.process.send_signal(signal.SIGTERM)
        status, _, err = await running.end()
    assert status == 0
    assert "1 session, 1 operation still running: closeTimeout (0.1 s) is over" in err
    assert "takes no notice of its end" in err
    assert "Traceback" not in err


async def test_an_object_that_is_never_released_is_left_behind_by_a_second_signal(tmp_path: Path) -> None:
    async with program(*serving_file(tmp_path, "Unreleasable", "timeouts: {closeTimeout: 1s}")) as running:
        await running.line("Endpoint")
        running.process.send_signal(signal.SIGTERM)
        await running.line("releasing")
        running.process.send_signal(signal.SIGTERM)
        status, _, err = await running.end()
    assert status == 1
    assert "takes no notice of its end" in err


async def test_a_program_that_still_opens_ends_at_once(tmp_path: Path) -> None:
    arguments = serving_file(tmp_path, "Opening", "timeouts: {openTimeout: Infinite, closeTimeout: Infinite}")
    async with program(*arguments) as running:
        await running.line("entering")
        running.process.send_signal(signal.SIGTERM)
        status, out, err = await running.end()
    assert (status, err) == (0, "")
    assert "Closing   0 sessions" in out
