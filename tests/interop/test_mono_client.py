"""Mono's ClientWebSocket, a .NET client, talks in the chat."""

import asyncio
import shutil
import subprocess
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from chatservice import ChatService, ChatServiceImplementation
from tests.conftest import require_tool
from tests.doubles import web_socket_binding
from tests.serving import DEADLINE, serving, web_socket_address

pytestmark = pytest.mark.interop

SOURCE = Path(__file__).parent / "peers" / "Chat.cs"

#: s for the compiler
COMPILE_LIMIT = 60


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The command that is the client."""
    compiler = require_tool("mono", shutil.which("mcs"))
    runtime = require_tool("mono", shutil.which("mono"))
    program = tmp_path_factory.mktemp("mono") / "chat.exe"
    command = [compiler, f"-out:{program}", "-r:System.dll", str(SOURCE)]
    subprocess.run(command, check=True, capture_output=True, timeout=COMPILE_LIMIT)
    return [runtime, str(program)]


async def test_two_people_in_a_room(chat: list[str]) -> None:
    binding = web_socket_binding(settings={"create_notification_on_connection": True})
    async with serving(ChatServiceImplementation, ChatService, binding) as host:
        process = await asyncio.create_subprocess_exec(
            *chat, web_socket_address(host), stdout=PIPE, stderr=PIPE
        )
        try:
            async with asyncio.timeout(DEADLINE):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()
        assert host.counters().protocol_errors == 0
    assert process.returncode == 0, err.decode()
    hello, tea = (
        f'Text {{"nickname":"{nickname}","room":"kitchen","message":"{message}"}}'
        for nickname, message in (("ann", "hello"), ("bob", "tea?"))
    )
    assert out.decode().splitlines() == [hello, tea, tea, "True", "Closed 1000", "Closed 1000"]
