"""The README's program runs as it stands there."""

import re
from pathlib import Path

from websockets.asyncio.client import connect

from tests.serving import ROOT, program


def blocks(language: str) -> list[str]:
    """The README's fenced blocks in one language."""
    return re.findall(
        rf"^```{language}\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )


async def test_the_contract_and_the_configuration_of_the_readme_serve(tmp_path: Path) -> None:
    (echo, _), (yaml,) = blocks("python"), blocks("yaml")
    (tmp_path / "echo.py").write_text(echo)
    (tmp_path / "echo.yaml").write_text(yaml.replace(":8004/", ":0/"))
    async with program("host", "echo.yaml", module="wsf", cwd=tmp_path) as running:
        async with connect(await running.line(r"Endpoint +(ws://\S+)")) as client:
            await client.send("x")
            assert await client.recv() == "x"


async def test_the_push_of_the_readme_pushes(tmp_path: Path) -> None:
    (echo, clock), (yaml,) = blocks("python"), blocks("yaml")
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


def test_the_newcomers_first_screen_is_short() -> None:
    (echo, _), (yaml,) = blocks("python"), blocks("yaml")
    assert len([line for line in echo.splitlines() if line]) <= 20
    assert len(yaml.splitlines()) <= 13
