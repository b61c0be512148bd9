"""The README's program runs as it stands there."""

import importlib
import json
import re
import shlex
import sys
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.serving import ROOT, program


def blocks(language: str) -> list[str]:
    """The README's fenced blocks in one language."""
    return re.findall(
        rf"^```{language}\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )


async def test_the_contract_and_the_configuration_of_the_readme_serve(tmp_path: Path) -> None:
    (echo, *_), (yaml,) = blocks("python"), blocks("yaml")
    (tmp_path / "echo.py").write_text(echo)
    (tmp_path / "echo.yaml").write_text(yaml.replace(":8004/", ":0/"))
    async with program("host", "echo.yaml", module="wsf", cwd=tmp_path) as running:
        async with connect(await running.line(r"Endpoint +(ws://\S+)")) as client:
            await client.send("x")
            assert await client.recv() == "x"


async def test_the_push_of_the_readme_pushes(tmp_path: Path) -> None:
    (echo, clock, *_), (yaml,) = blocks("python"), blocks("yaml")
    (tmp_path / "echo.py").write_text(echo)
    (tmp_path / "clock.py").write_text(clock)
    (tmp_path / "clock.yaml").write_text(
        yaml.replace(":8004/", ":0/").replace("echo.EchoService", "clock.Clock")
    )
    async with program("host", "clock.yaml", module="wsf", cwd=tmp_path) as running:
        async with connect(await running.line(r"Endpoint +(ws://\S+)")) as client:
            await client.send("hello")
            assert ":" in str(await client.recv())
        running.process.terminate()
        status, _, err = await running.end()
    assert status == 0
    assert "Traceback" not in err


async def test_the_calls_of_the_readme_are_answered_as_it_says(tmp_path: Path) -> None:
    (_, _, shop, _), (yaml,) = blocks("python"), blocks("yaml")
    (tmp_path / "shop.py").write_text(shop)
    yaml = yaml.replace("echo.EchoService", "shop.ShopService").replace("echo.Echo", "shop.Shop")
    yaml = yaml.replace("byteStreamMessageEncoding", "jsonRpcMessageEncoding").replace(":8004/", ":0/")
    (tmp_path / "shop.yaml").write_text(yaml)
    talk = re.findall(r"^(client|host) +(\{.*\})$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert [speaker for speaker, _ in talk] == ["client", "host"] * 2
    async with program("host", "shop.yaml", module="wsf", cwd=tmp_path) as running:
        async with connect(await running.line(r"Endpoint +(ws://\S+)")) as client:
            for speaker, text in talk:
                if speaker == "client":
                    await client.send(text)
                else:
                    received = await client.recv()
                    assert isinstance(received, str)
                    assert json.loads(received) == json.loads(text)


async def test_the_client_of_the_readme_orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("shop", "readme_shop_test")
    for name, source in zip(names, blocks("python")[2:], strict=True):
        (tmp_path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    try:
        await importlib.import_module("readme_shop_test").test_who_confirms_has_ordered()
    finally:
        for name in names:
            sys.modules.pop(name, None)


async def test_the_shell_of_the_readme_orders(tmp_path: Path) -> None:
    (call,) = re.findall(r"^\$ wsf (call .*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    (tmp_path / "shop.py").write_text(blocks("python")[2])
    yaml = blocks("yaml")[0].replace("echo.EchoService", "shop.ShopService").replace("echo.Echo", "shop.Shop")
    yaml = yaml.replace("byteStreamMessageEncoding", "jsonRpcMessageEncoding").replace(
        ":8004/echo", ":0/shop"
    )
    (tmp_path / "shop.yaml").write_text(yaml)
    async with program("host", "shop.yaml", module="wsf", cwd=tmp_path) as running:
        address = await running.line(r"Endpoint +(ws://\S+)")
        arguments = shlex.split(call.replace("ws://localhost:8004/shop", address))
        async with program(*arguments, module="wsf", cwd=tmp_path) as calling:
            status, out, _ = await calling.end()
    assert (status, out) == (0, "7\n")


def test_the_newcomers_first_screen_is_short() -> None:
    (echo, *_), (yaml,) = blocks("python"), blocks("yaml")
    assert len([line for line in echo.splitlines() if line]) <= 20
    assert len(yaml.splitlines()) <= 13
