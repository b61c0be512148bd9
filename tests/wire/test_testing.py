"""wsf.testing: what users test their own services with does what it says."""

import asyncio
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.json_rpc import json_rpc_binding
from tests.serving import DEADLINE, ROOT, Echo, EchoCallback, EchoService, until
from tests.ticker import Ticker, TickerService, Watcher
from wsf import CommunicationState, ContractError, Message, OperationContext
from wsf.behaviors import OutboxSettings
from wsf.errors import (
    CommunicationError,
    CommunicationObjectFaultedError,
    ReplyTimeoutError,
    UpgradeRefusedError,
)
from wsf.testing import connect, flaky_link, serve, stalled_client


class Ear(EchoCallback):
    def __init__(self) -> None:
        self.heard: list[Message] = []

    async def hear(self, message: Message) -> None:
        self.heard.append(message)


class TestServe:
    async def test_a_class_is_served_and_called_in_two_lines(self) -> None:
        watcher = Watcher()
        async with serve(TickerService) as address, connect(Ticker, address, watcher) as ticker:
            assert await ticker.subscribe("MSFT") == 2
        assert address.host.counters().sessions_closed == 1
        assert watcher.prices == [("MSFT", 100), ("MSFT", 101)]

    async def test_the_encoding_is_one_that_carries_the_contract(self) -> None:
        ear = Ear()
        async with serve(EchoService, path="/echo") as address:
            assert address.endswith("/echo")
            async with connect(Echo, address, ear) as echo:
                await echo.say(Message.create("hello"))
                await until(lambda: ear.heard)

    async def test_settings_are_the_hosts_and_the_bindings_ones_own(self) -> None:
        binding = json_rpc_binding(close_timeout=1)
        async with serve(TickerService, binding=binding, outbox=OutboxSettings(max_messages=7)) as address:
            assert address.binding is binding
            assert address.host.counters().outbox_max_messages == 7

    async def test_an_encoding_that_cannot_carry_it_says_so(self) -> None:
        with pytest.raises(ContractError, match="byteStreamMessageEncoding"):
            async with serve(TickerService, encoding="byteStreamMessageEncoding"):
                pass


class TestALink:
    async def test_it_passes_everything_on(self) -> None:
        async with serve(TickerService) as address, flaky_link(address) as link:
            async with connect(Ticker, link.address, Watcher()) as ticker:
                await ticker.note("x" * 60_000)
                assert await ticker.subscribe("MSFT") == 2
            assert link.bytes_relayed > 60_000
        assert link.connections == 0

    @pytest.mark.parametrize("how", ["cut", "reset", "refuse"])
    async def test_both_ends_hear_that_it_is_cut(self, how: str) -> None:
        async with serve(TickerService) as address, flaky_link(address) as link:
            channel = connect(Ticker, link.address, Watcher())
            ticker = await channel.open()
            getattr(link, how)()
            await until(lambda: channel.state is CommunicationState.FAULTED)
            await until(lambda: address.host.counters().sessions_closed == 1)
            with pytest.raises(CommunicationObjectFaultedError):
                await ticker.subscribe("MSFT")
            channel.abort()
            await channel.close()
            again = connect(Ticker, link.address, Watcher())
            if how == "refuse":
                with pytest.raises(CommunicationError):
                    await again.open()
                link.restore()
                again = connect(Ticker, link.address, Watcher())
            async with again as ticker:
                assert await ticker.subscribe("MSFT") == 2

    async def test_a_stopped_one_lets_nothing_through_until_it_is_restored(self) -> None:
        binding = json_rpc_binding(send_timeout=0.2)
        async with serve(TickerService, binding=binding) as address, flaky_link(address) as link:
            async with connect(Ticker, link.address, Watcher()) as ticker:
                link.stop()
                with pytest.raises(ReplyTimeoutError):
                    await ticker.subscribe("MSFT")
                link.restore()
                assert await ticker.subscribe("MSFT") == 2

    async def test_a_slow_one_lets_everything_through_in_order(self) -> None:
        watcher = Watcher()
        async with serve(TickerService) as address, flaky_link(address) as link:
            async with connect(Ticker, link.address, watcher) as ticker:
                link.slow(20_000)
                assert await ticker.subscribe("MSFT") == 2
                link.restore()
                assert await ticker.subscribe("AAPL") == 2
        assert [symbol for symbol, _ in watcher.prices] == ["MSFT", "MSFT", "AAPL", "AAPL"]


class Flood(Echo):
    """Whoever says something is sent more than a kernel takes."""

    async def say(self, message: Message) -> None:
        client = OperationContext.current().get_callback_channel(EchoCallback)
        for _ in range(200):
            await client.hear(Message(b"x" * 60_000))


class TestAStalledClient:
    async def test_it_is_cut_and_can_be_read_to_its_end(self) -> None:
        async with serve(Flood) as address, stalled_client(address) as client:
            await client.send("go")
            await until(lambda: address.host.counters().slow_clients_aborted)
            async with asyncio.timeout(DEADLINE):
                assert await client.drain()

    async def test_who_is_not_let_in_hears_the_status(self) -> None:
        async with serve(EchoService) as address:
            with pytest.raises(UpgradeRefusedError) as caught:
                async with stalled_client(address + "nowhere"):
                    pass
        assert caught.value.status == 404

    async def test_it_speaks_no_tls(self) -> None:
        with pytest.raises(ValueError, match="wss"):
            async with stalled_client("wss://127.0.0.1/"):
                pass


PLUGIN_TEST = """
    from tests.ticker import Ticker, TickerService, Watcher
    from wsf.testing import connect
    import asyncio


    def test_without_any_plugin_for_asyncio(wsf_serve):
        address = wsf_serve(TickerService)

        async def talk():
            async with connect(Ticker, address, Watcher()) as ticker:
                return await ticker.subscribe("MSFT")

        assert asyncio.run(talk()) == 2


    def test_a_link_and_a_stalled_client(wsf_serve, wsf_link, wsf_stalled_client, wsf_loop, wsf_connect):
        address = wsf_serve(TickerService)
        link = wsf_link(address)
        client = wsf_stalled_client(link.address)
        wsf_loop.run(client.send('{"jsonrpc": "2.0", "id": 1, "method": "subscribe", "params": ["MSFT"]}'))
        assert b"MSFT" in wsf_loop.run(client.read())
        wsf_loop.call(link.cut)
        wsf_loop.run(client.drain())
        assert link.connections == 0
"""

ASYNC_TEST = """
    async def test_in_a_loop_of_its_own(wsf_serve, wsf_connect):
        async with wsf_connect(Ticker, wsf_serve(TickerService), Watcher()) as ticker:
            assert await ticker.subscribe("MSFT") == 2
"""


class TestThePlugin:
    @pytest.mark.parametrize("with_asyncio", [False, True])
    def test_its_fixtures_work_with_and_without_pytest_asyncio(
        self, tmp_path: Path, with_asyncio: bool
    ) -> None:
        test = tmp_path / "test_it.py"
        test.write_text(textwrap.dedent(PLUGIN_TEST) + (textwrap.dedent(ASYNC_TEST) if with_asyncio else ""))
        finished = subprocess.run(
            [
                sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider",
                "-p", "wsf.pytest_plugin", "-c", "/dev/null", "--rootdir", str(tmp_path),
                *(["-p", "pytest_asyncio.plugin", "-o", "asyncio_mode=auto",
                   "-o", "asyncio_default_fixture_loop_scope=function"] if with_asyncio else []),
                str(test),
            ],
            cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
            check=False, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert finished.returncode == 0, finished.stdout + finished.stderr
        assert f"{3 if with_asyncio else 2} passed" in finished.stdout

    @pytest.mark.parametrize("module", ["aiohttp", "cattrs", "wsf.host"])
    def test_loading_it_does_not_load(self, module: str) -> None:
        program = f"import sys, wsf.pytest_plugin; sys.exit({module!r} in sys.modules)"
        assert subprocess.run([sys.executable, "-c", program], check=False, timeout=30).returncode == 0
