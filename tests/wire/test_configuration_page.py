"""What docs/configuration.md shows is right: its two notations say the same, its program serves."""

import asyncio
import re
import sys
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.serving import ROOT
from wsf.configuration import load


def blocks(page: str, language: str) -> list[str]:
    """A document's fenced blocks in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


def test_the_first_example_is_the_same_in_both_notations(tmp_path: Path) -> None:
    page = "docs/configuration.md"
    (tmp_path / "app.yaml").write_text(blocks(page, "yaml")[0])
    (tmp_path / "app.config").write_text(blocks(page, "xml")[0])
    (yaml,), (xml,) = load(tmp_path / "app.yaml").services, load(tmp_path / "app.config").services
    assert (yaml.name, yaml.behavior) == (xml.name, xml.behavior)
    ours, theirs = yaml.endpoints[0], xml.endpoints[0]
    assert (ours.address, ours.binding, ours.contract) == (theirs.address, theirs.binding, theirs.contract)


async def test_the_program_from_code_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int
) -> None:
    (source,) = (block for block in blocks("docs/configuration.md", "python") if "ServiceHost(" in block)
    (tmp_path / "echo.py").write_text(blocks("README.md", "python")[0])
    monkeypatch.syspath_prepend(tmp_path)
    names: dict[str, object] = {}
    exec(source.replace(":8004/", f":{unused_tcp_port}/"), names)
    serve = names["serve"]
    assert callable(serve)
    serving = asyncio.create_task(serve())
    try:
        async for client in connect(f"ws://localhost:{unused_tcp_port}/echo"):
            await client.send("x")
            assert await client.recv() == "x"
            await client.close()
            break
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        sys.modules.pop("echo", None)
