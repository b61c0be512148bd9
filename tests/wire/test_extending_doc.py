"""The program of docs/extending.md runs as it stands there, from its own configuration."""

import re
import textwrap
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.json_rpc import Peer, Refused
from tests.serving import ROOT, program


def blocks(language: str) -> list[str]:
    """The document's fenced blocks in one language."""
    text = (ROOT / "docs" / "extending.md").read_text()
    return [
        textwrap.dedent(found)
        for found in re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    ]


async def test_each_point_does_what_the_document_says(tmp_path: Path) -> None:
    (yaml,) = blocks("yaml")
    (tmp_path / "ledger.py").write_text("\n\n".join(blocks("python")))
    (tmp_path / "ledger.yaml").write_text(yaml.replace(":8004/", ":0/"))
    async with program("host", "ledger.yaml", module="wsf", cwd=tmp_path) as running:
        peer = Peer(await connect(await running.line(r"Endpoint +(ws://\S+)")))
        assert await peer.call("balance", "a") == 100
        with pytest.raises(Refused, match="not so much"):
            await peer.call("transfer", "a", "b", 500)
        assert await peer.call("transfer", "a", "b", 5) == 5
        await peer.end()
        running.process.terminate()
        status, _, err = await running.end()
    assert status == 0
    said = re.findall(r"INFO ledger: (.*)", err)
    assert [re.sub(r"127\S+", "CLIENT", line) for line in said] == [
        "CLIENT calls balance",
        "database session opened",
        "before balance('a',)",
        "after balance",
        "CLIENT calls transfer",
        "before transfer('a', 'b', 500)",
        "after transfer",
        "heard of OverflowError(500)",
        "CLIENT calls transfer",
        "before transfer('a', 'b', 5)",
        "after transfer",
        "database session closed",
        "CLIENT left with 1000",
    ]
