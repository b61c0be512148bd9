"""The documents are true: their links lead somewhere, their Python is Python."""

import re
import textwrap
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")])
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<code>.*?)^ *```$", re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"\]\((?P<target>[^()\s]+)\)|\b(?:href|src)=\"(?P<attribute>[^\"]+)\"")
HEADING = re.compile(r"^#+ +(?P<text>.+)$", re.MULTILINE)
EXTERNAL = re.compile(r"[a-z]+:")


PICTURE = re.compile(r"^```\n( +inbound, read downward.*?)^```$", re.MULTILINE | re.DOTALL)


def _prose(document: Path) -> str:
    """A document without its blocks of code."""
    return FENCE.sub("", document.read_text(encoding="utf-8"))


def _anchors(document: Path) -> set[str]:
    """What a document's headings are called in a link's fragment."""
    headings = (match["text"] for match in HEADING.finditer(_prose(document)))
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def _leads_nowhere(document: Path, target: str) -> bool:
    path, _, fragment = unquote(target).partition("#")
    found = (document.parent / path).resolve() if path else document
    if not found.is_relative_to(ROOT) or not found.exists():
        return True
    return bool(fragment) and found.suffix == ".md" and fragment not in _anchors(found)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_every_link_into_the_repository_leads_somewhere(document):
    found = (match["target"] or match["attribute"] for match in LINK.finditer(_prose(document)))
    targets = [target for target in found if not EXTERNAL.match(target)]
    assert [target for target in targets if _leads_nowhere(document, target)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document.relative_to(ROOT)))
def test_every_block_of_python_compiles(document):
    text = document.read_text(encoding="utf-8")
    for block in FENCE.finditer(text):
        if block["language"] in {"python", "py"}:
            line = text.count("\n", 0, block.start("code"))
            compile("\n" * line + textwrap.dedent(block["code"]), str(document), "exec")


def test_the_readme_links_every_page() -> None:
    linked = {match["target"] for match in LINK.finditer(_prose(ROOT / "README.md"))}
    pages = {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} | {"docs/decisions/"}
    assert pages - linked == set()


def test_the_picture_of_a_messages_way_is_one() -> None:
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/message-path.md")]
    mine, its = (PICTURE.findall(text) for text in texts)
    assert mine == its
    assert len(mine) == 1
