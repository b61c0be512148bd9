"""The program of docs/streams.md prints what stands there."""

import asyncio
import re
import sys
from pathlib import Path

from tests.serving import DEADLINE, ROOT


async def test_the_program_prints_what_the_document_says(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "streams.md").read_text(encoding="utf-8")
    (source,) = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (printed,) = re.findall(r"^It prints:\n\n```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "quotes.py").write_text(source)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "quotes.py", cwd=tmp_path, stdout=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    async with asyncio.timeout(DEADLINE):
        out, _ = await process.communicate()
    assert out.decode() == printed
    assert process.returncode == 0
