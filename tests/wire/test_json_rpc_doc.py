"""The program of docs/json-rpc.md runs as it stands there, and its client prints what stands there."""

import asyncio
import re
import sys
from pathlib import Path

from tests.serving import DEADLINE, ROOT, program


def blocks(opening: str) -> list[str]:
    """The document's fenced blocks that begin so."""
    text = (ROOT / "docs" / "json-rpc.md").read_text()
    return re.findall(rf"^{opening}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


async def test_the_client_prints_what_the_document_says(tmp_path: Path) -> None:
    (shop, client, _), (yaml,) = blocks("```python"), blocks("```yaml")
    (printed,) = blocks("It prints:\n\n```")
    (tmp_path / "shop.py").write_text(shop)
    (tmp_path / "client.py").write_text(client)
    (tmp_path / "shop.yaml").write_text(yaml.replace(":8004/", ":0/"))
    async with program("host", "shop.yaml", module="wsf", cwd=tmp_path) as running:
        url = await running.line(r"Endpoint +(ws://\S+)")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "client.py", url, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(DEADLINE):
            out, _ = await process.communicate()
    assert out.decode() == printed
    assert process.returncode == 0
