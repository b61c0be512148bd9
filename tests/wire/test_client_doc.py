"""The programs of docs/client.md and docs/testing.md do what stands there."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.serving import ROOT
from wsf.client import DuplexChannelFactory
from wsf.configuration import load
from wsf.testing import flaky_link, serve
from wsf.transports import UpgradeRequest


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The page's programs, as modules that import each other."""
    names = ("ticker", "watch", "again", "token_of")
    for name, source in zip(names, blocks("client.md", "python"), strict=True):
        (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    found: Any = SimpleNamespace(**{name: __import__(name) for name in names})
    yield found
    for name in names:
        del sys.modules[name]


async def test_the_watcher_hears_the_price(
    programs: SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serve(programs.ticker.StockTickerService, path="/ticker") as address:
        await programs.watch.watch(str(address))
    assert capsys.readouterr().out.splitlines() == ["MSFT 123.00", "1 subscription"]


async def test_it_goes_on_watching(
    programs: SimpleNamespace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(programs.ticker.StockTickerService) as address, flaky_link(address) as link:
        heard = 0
        price = programs.watch.Watcher.price

        async def cutting(self: Any, symbol: str, cents: int) -> None:
            nonlocal heard
            heard += 1
            await price(self, symbol, cents)
            if heard == 1:
                link.cut()

        monkeypatch.setattr(programs.watch.Watcher, "price", cutting)
        await programs.again.keep_watching(str(link.address), rounds=20)
    said = capsys.readouterr().out.splitlines()
    assert said.count("lost") == said.count("back") == 1
    assert said.count("MSFT 123.00") in (20, 21)


async def test_the_token_is_shown(programs: SimpleNamespace) -> None:
    seen: list[str] = []

    async def authenticate(request: UpgradeRequest) -> str:
        seen.append(request.headers["authorization"])
        return "somebody"

    async with serve(programs.ticker.StockTickerService, authenticate=authenticate) as address:
        async with programs.token_of.factory(str(address)).create_channel() as ticker:
            assert await ticker.subscribe("MSFT") == 1
    assert seen == ["Bearer mF_9.B5f-4.1JqM"]


def test_the_file_is_read(programs: SimpleNamespace, tmp_path: Path) -> None:
    file = tmp_path / "app.yaml"
    file.write_text(blocks("client.md", "yaml")[0])
    assert load(file).warnings == ()
    contract, watcher = programs.ticker.StockTicker, programs.watch.Watcher()
    factory: DuplexChannelFactory[Any] = DuplexChannelFactory.from_configuration(contract, watcher, file)
    assert factory.endpoint.reconnect is not None


def test_the_tests_of_the_testing_page_pass(tmp_path: Path) -> None:
    (tmp_path / "ticker.py").write_text(blocks("client.md", "python")[0])
    names = ("test_ticker", "test_links", "test_fixtures")
    for name, source in zip(names, blocks("testing.md", "python"), strict=True):
        (tmp_path / f"{name}.py").write_text(source)
    finished = subprocess.run(
        [
            sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider",
            "-p", "wsf.pytest_plugin", "-p", "pytest_asyncio.plugin", "-c", "/dev/null",
            "--rootdir", str(tmp_path), "-o", "asyncio_mode=auto",
            "-o", "asyncio_default_fixture_loop_scope=function", str(tmp_path),
        ],
        cwd=tmp_path, check=False, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert "5 passed" in finished.stdout
