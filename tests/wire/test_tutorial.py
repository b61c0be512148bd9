"""docs/tutorial.md, as a reader takes it: each file is written, each command run at a terminal."""

import contextlib
import re
import shlex
from pathlib import Path

from tests.serving import ROOT, free_port
from tests.terminal import Terminal, at_terminal

#: a file's name before its block; a console; what a command that still runs shows next
BLOCK = re.compile(
    r"^(?:[^\n]*`(?P<file>[\w.]+)`[^\n]*:\n\n)?```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)

#: what only makes the environment, which the tests have made
SETTING_UP = ("python3 -m venv", ". .venv/", "pip install")

#: s that pytest says it has taken
DURATION = re.compile(r"in \d+\.\d+s")


class Reader:
    """Whoever does the tutorial, in a directory of their own."""

    def __init__(self, folder: Path, stack: contextlib.AsyncExitStack) -> None:
        self.folder = folder
        self.stack = stack
        self.written: list[str] = []
        self.run: list[str] = []
        self.latest_open: tuple[Terminal, str] | None = None

    async def console(self, text: str) -> None:
        """Run each command of a block; it must show what stands below it."""
        for command, shown in re.findall(r"^\$ (.*)\n((?:[^$].*\n)*)", text, re.MULTILINE):
            if not command.startswith(SETTING_UP):
                await self.command(command, shown)

    async def command(self, command: str, shown: str) -> None:
        self.run.append(command)
        program, *arguments = shlex.split(command)
        module = "" if program == "python" else program
        plain = {"NO_COLOR": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # no plugins of ours
        terminal = at_terminal(*arguments, module=module, cwd=self.folder, columns=80, **plain)
        screen = await self.stack.enter_async_context(terminal)
        if arguments[0] in ("host", "listen"):  # it stays
            await screen.shows(re.escape(shown))
            self.latest_open = screen, shown
        else:
            _, seen = await screen.end()
            assert DURATION.sub("", seen) == DURATION.sub("", shown)

    async def goes_on(self, text: str) -> None:
        """What still runs shows this after all that it has shown."""
        assert self.latest_open is not None
        screen, shown = self.latest_open
        await screen.shows(re.escape(shown + text))


async def test_every_step_does_what_it_says(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "tutorial.md").read_text().replace("8004", str(free_port()))
    blocks = list(BLOCK.finditer(text))
    assert len(blocks) == text.count("```") / 2
    async with contextlib.AsyncExitStack() as stack:
        reader = Reader(tmp_path, stack)
        for block in blocks:
            if block["kind"] in ("python", "yaml"):
                with (tmp_path / block["file"]).open("a") as file:  # the configuration grows
                    file.write(block["text"])
                reader.written.append(block["file"])
            elif block["kind"] == "console":
                await reader.console(block["text"])
            else:
                await reader.goes_on(block["text"])
    assert reader.written == ["poll.py", "service.py", "poll.yaml", "poll.yaml", "client.py", "test_poll.py"]
    assert len(reader.run) == 7
