"""The page about data contracts is a program that runs."""

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "data-contracts.md"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_every_block_of_the_page_runs_after_those_above_it():
    text = PAGE.read_text(encoding="utf-8")
    names = {"__name__": "page"}
    blocks = list(BLOCK.finditer(text))
    for block in blocks:
        line = text.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block[1], str(PAGE), "exec"), names)
    assert len(blocks) >= 7
    assert sum(block[1].count("assert ") for block in blocks) >= 12
