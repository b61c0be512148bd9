"""The host as a program: what it prints, how it ends, and what it says of mistakes."""

import asyncio
import os
import pty
import re
import shutil
import signal
import socket
import sys
from pathlib import Path

import pytest
from aiohttp import ClientSession
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.certificates import Certificates
from tests.serving import ROOT, program


def on_free_port(tmp_path: Path, name: str = "app.yaml") -> str:
    """A copy of a configuration file whose port is any free one."""
    copy = tmp_path / name
    copy.write_text((ROOT / "config" / name).read_text().replace("8004", "0"))
    return str(copy)


def with_service(tmp_path: Path, name: str, source: str) -> str:
    """The chat's configuration with another service, ``module.Class``, whose file stands beside it."""
    (tmp_path / name.partition(".")[0]).with_suffix(".py").write_text(source)
    config = Path(on_free_port(tmp_path))
    config.write_text(config.read_text().replace("chatservice.ChatServiceImplementation", name))
    return str(config)


@pytest.mark.parametrize(
    "arguments", [["app.yaml"], ["App.config", "chatservice.ChatServiceImplementation"]], ids=["yaml", "xml"]
)
@pytest.mark.parametrize(("number", "module"), [(signal.SIGTERM, "wsf.host"), (signal.SIGINT, "wsf")])
async def test_it_says_what_it_serves_and_a_signal_ends_it_cleanly(
    tmp_path: Path, arguments: list[str], number: signal.Signals, module: str
) -> None:
    file, *service = arguments
    command = ["host"] if module == "wsf" else []
    async with program(*command, on_free_port(tmp_path, file), *service, module=module) as running:
        address = await running.line(r"Endpoint +(ws://\S+)")
        client = await connect(address)
        running.process.send_signal(number)
        with pytest.raises(ConnectionClosed) as closed:
            await client.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        status, out, err = await running.end()
    assert status == 0
    assert "Service   chatservice.service.ChatServiceImplementation" in out
    assert "chatservice.contracts.ChatService, calls back ChatServiceCallback" in out
    assert "customBinding webSocketHttpBinding: byteStreamMessageEncoding over httpTransport" in out
    assert ("Page      http://localhost:" in out) is (file == "app.yaml")
    assert "Traceback" not in err
    for line in ("listening: http://localhost:", "session opened: ", "session closed: ", "code 1001"):
        assert line in err


async def test_the_chat_runs_over_tls_from_configuration_alone(
    tmp_path: Path, certificates: Certificates
) -> None:
    for file in (certificates.certificate_file, certificates.key_file):  # called as the configuration has it
        shutil.copy(file, tmp_path)
    config = tmp_path / "app-https.yaml"
    config.write_text((ROOT / "config" / config.name).read_text().replace("8443", "0"))
    async with program(str(config)) as running:
        address = await running.line(r"Endpoint +(wss://\S+)")
        await running.line("byteStreamMessageEncoding over httpsTransport")
        page = await running.line(r"Page +(https://\S+)")
        trusting = certificates.client()
        async with ClientSession() as session, session.get(page, ssl=trusting) as answer:
            assert b'data-endpoint="chatservice"' in await answer.read()
        headers = {"Origin": page.rstrip("/")}
        async with connect(address, ssl=trusting, additional_headers=headers) as client:
            await client.send('{"nickname":"n","room":"r","message":"m"}')
            assert await client.recv() == '{"nickname":"n","room":"r","message":"m"}'
        running.process.send_signal(signal.SIGTERM)
        status, _, err = await running.end()
    assert status == 0
    assert "listening: https://localhost:" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("check", [[], ["--check"]])
async def test_a_certificate_that_is_not_there_is_one_line_and_status_2(
    tmp_path: Path, check: list[str]
) -> None:
    config = tmp_path / "app-https.yaml"
    shutil.copy(ROOT / "config" / config.name, config)
    status, err = await outcome(str(config), *check)
    assert status == 2
    missing = repr(str(tmp_path / "service.pem"))
    line = rf":\d+:\d+: certificateFile: {re.escape(missing)}: No such file or directory\n"
    assert re.fullmatch(re.escape(str(config)) + line, err)


async def test_a_second_signal_cuts(tmp_path: Path) -> None:
    config = with_service(
        tmp_path,
        "hanging.Hanging",
        "import asyncio\n"
        "from chatservice import ChatService\n"
        "from wsf import Message\n"
        "class Hanging(ChatService):\n"
        "    async def send_message(self, message: Message) -> None:\n"
        "        print('called', flush=True)\n"
        "        await asyncio.Event().wait()\n",
    )
    async with program(config, "--app-dir", str(tmp_path)) as running:
        async with connect(await running.line(r"Endpoint +(ws://\S+)")):
            await running.line("called")
            running.process.send_signal(signal.SIGTERM)
            await running.line("Closing   1 session")
            running.process.send_signal(signal.SIGTERM)
            status, _, err = await running.end()
    assert status == 1
    assert "Traceback" not in err


async def test_enter_quits_at_a_terminal(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "wsf.host", on_free_port(tmp_path), "--log-level", "error",
        stdin=theirs, stdout=asyncio.subprocess.PIPE, cwd=ROOT,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            await process.stdout.readuntil(b"Hit Enter to quit.\n")
            os.write(ours, b"\n")
            assert await process.wait() == 0
            await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
        os.close(ours)
        os.close(theirs)


async def outcome(*arguments: str, cwd: Path = ROOT) -> tuple[int, str]:
    """Exit status and standard error of a run that ends by itself."""
    async with program(*arguments, cwd=cwd) as running:
        status, _, err = await running.end()
    assert "Traceback" not in err
    return status, err


async def test_an_address_in_use_is_one_line_and_status_1(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        config = Path(on_free_port(tmp_path))
        config.write_text(config.read_text().replace(":0/", f":{port}/"))
        status, err = await outcome(str(config))
    assert status == 1
    assert err.count("\n") == 1
    assert f"localhost:{port}: the address is in use" in err


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nowhere.Service", ["app.yaml:", "no module 'nowhere'"]),
        ("chatservice.Nobody", ["app.yaml:", "has no 'Nobody'"]),
        ("chatservice.ChatServiceImplementaton", ["(did you mean 'ChatServiceImplementation'?)"]),
        ("chatservice.Chatter", ["app.yaml:", "implements no service contract"]),
        ("os.path", ["app.yaml:", "not a class"]),
        ("broken.Service", ["app.yaml:", "broken.py:1", "ZeroDivisionError"]),
        ("mistyped.Service", ["app.yaml:", "mistyped.py:1", "invalid syntax"]),
        ("failing.Failing", ["app.yaml:", "failing.py:6", "no database"]),
    ],
)
async def test_a_bad_class_is_one_line_and_status_2(tmp_path: Path, name: str, words: list[str]) -> None:
    (tmp_path / "broken.py").write_text("1 / 0\n")
    (tmp_path / "mistyped.py").write_text("class class\n")
    (tmp_path / "failing.py").write_text(
        "from chatservice import ChatServiceImplementation\n"
        "from wsf import InstanceContextMode, service_behavior\n"
        "@service_behavior(instance_context_mode=InstanceContextMode.SINGLE)\n"
        "class Failing(ChatServiceImplementation):\n"
        "    def __init__(self) -> None:\n"
        "        raise RuntimeError('no database')\n"
    )
    config = Path(on_free_port(tmp_path))
    config.write_text(config.read_text().replace("chatservice.ChatServiceImplementation", name))
    status, err = await outcome(str(config), "--app-dir", str(tmp_path))
    assert status == 2
    assert err.count("\n") == 1, err
    for word in words:
        assert word in err


async def test_app_config_without_its_class_says_how_to_give_it(tmp_path: Path) -> None:
    status, err = await outcome(on_free_port(tmp_path, "App.config"))
    assert status == 2
    assert "give the class: wsf host CONFIG package.Class" in err


BROKEN = {
    "app.yaml": [
        ("binding: customBinding", "bindng: customBinding"),
        ("staticContent: chatservice:web", "staticContent: [1]"),
        ("transportUsage: Always", "transportUsage: Allways"),
        ("maxBytes: 1MiB", "maxBytes: a lot"),
    ],
    "App.config": [
        ('transportUsage="Always"', 'transprotUsage="Always"'),
        ("<byteStreamMessageEncoding/>", "<byteStreamMesageEncoding/>"),
        ('bindingConfiguration="webSocketHttpBinding"', 'bindingConfiguration="webSocketHtpBinding"'),
        ('createNotificationOnConnection="true"', 'createNotificationOnConnection="yes"'),
    ],
}


@pytest.mark.parametrize("name", ["app.yaml", "App.config"])
async def test_every_mistake_of_a_file_is_printed_with_its_place_and_nothing_starts(
    tmp_path: Path, name: str
) -> None:
    text = (ROOT / "config" / name).read_text()
    for right, wrong in BROKEN[name]:
        assert right in text
        text = text.replace(right, wrong)
    copy = tmp_path / name
    copy.write_text(text)
    status, err = await outcome(str(copy))
    lines = err.splitlines()
    assert status == 2
    assert len(lines) >= len(BROKEN[name]), err
    assert all(re.match(re.escape(str(copy)) + r":\d+:\d+: ", line) for line in lines), err
    assert "did you mean" in err


@pytest.mark.parametrize("check", [[], ["--check"]])
async def test_a_file_without_a_service_is_refused(tmp_path: Path, check: list[str]) -> None:
    (tmp_path / "empty.yaml").write_text("{}\n")
    assert await outcome(str(tmp_path / "empty.yaml"), *check) == (
        2,
        f"{tmp_path}/empty.yaml: there is no service in it\n",
    )


async def test_an_origin_on_the_command_line_is_one(tmp_path: Path) -> None:
    status, err = await outcome(on_free_port(tmp_path), "--allow-origin", "https://a.example/path")
    assert status == 2
    assert err.startswith("--allow-origin: ")


async def test_a_service_may_start_tasks_when_it_is_made(tmp_path: Path) -> None:
    config = with_service(
        tmp_path,
        "pushing.Pushing",
        "import asyncio\n"
        "from chatservice import ChatServiceImplementation\n"
        "from wsf import InstanceContextMode, service_behavior\n"
        "@service_behavior(instance_context_mode=InstanceContextMode.SINGLE)\n"
        "class Pushing(ChatServiceImplementation):\n"
        "    def __init__(self) -> None:\n"
        "        super().__init__()\n"
        "        self.task = asyncio.create_task(self.push())\n"
        "    async def push(self) -> None:\n"
        "        print('pushing', flush=True)\n",
    )
    async with program(config, "--app-dir", str(tmp_path)) as running:
        await running.line("pushing")


async def test_connections_do_not_make_python_search_for_cycles_all_the_time(tmp_path: Path) -> None:
    config = with_service(
        tmp_path,
        "tuned.Tuned",
        "import gc\n"
        "from chatservice import ChatServiceImplementation\n"
        "from wsf import InstanceContextMode, service_behavior\n"
        "@service_behavior(instance_context_mode=InstanceContextMode.SINGLE)\n"
        "class Tuned(ChatServiceImplementation):\n"
        "    async def __aenter__(self) -> None:\n"
        "        print('young', gc.get_threshold()[0], 'frozen', gc.get_freeze_count() > 0, flush=True)\n"
        "    async def __aexit__(self, *error: object) -> None:\n"
        "        pass\n",
    )
    async with program(config, "--app-dir", str(tmp_path)) as running:
        assert "young 10000 frozen True" in await running.line("young")


async def test_an_encoding_from_outside_is_a_file_and_a_word(tmp_path: Path) -> None:
    (tmp_path / "shouting.py").write_text(
        "from attrs import frozen\n"
        "from wsf import Message\n"
        "from wsf.encodings.byte_stream import ByteStreamMessageEncoding\n"
        "@frozen\n"
        "class ShoutingMessageEncoding(ByteStreamMessageEncoding):\n"
        "    mark: str = '!'\n"
        "    def encode(self, message: Message) -> bytes:\n"
        "        return super().encode(message).upper() + self.mark.encode()\n"
    )
    config = Path(on_free_port(tmp_path))
    text = config.read_text()
    config.write_text(
        text.replace("byteStreamMessageEncoding: {}", "shouting:ShoutingMessageEncoding: {mark: '?'}")
    )
    async with program(str(config), "--app-dir", str(tmp_path)) as running:
        address = await running.line(r"Endpoint +(ws://\S+)")
        await running.line("shouting:ShoutingMessageEncoding over httpTransport")
        async with connect(address) as client:
            await client.send('{"nickname":"n","room":"r","message":"m"}')
            assert await client.recv() == '{"NICKNAME":"N","ROOM":"R","MESSAGE":"M"}?'


async def test_check_imports_and_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "effects.py").write_text("raise SystemExit('imported')\n")
    config = Path(on_free_port(tmp_path))
    config.write_text(config.read_text().replace("chatservice.ChatServiceImplementation", "effects.Service"))
    async with program(str(config), "--check", "--app-dir", str(tmp_path)) as running:
        status, out, err = await running.end()
    assert (status, err) == (0, "")
    assert "no mistakes" in out


async def test_the_working_directory_is_first_on_the_import_path(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "chatservice", tmp_path / "mychat", ignore=shutil.ignore_patterns("__pycache__"))
    for file in (tmp_path / "mychat").glob("*.py"):
        file.write_text(file.read_text().replace("chatservice", "mychat"))
    config = Path(on_free_port(tmp_path))
    config.write_text(config.read_text().replace("chatservice.Chat", "mychat.Chat"))
    async with program("app.yaml", cwd=tmp_path) as running:
        assert "mychat.service" in await running.line("Service")


async def test_a_null_origin_comes_in_only_when_it_is_allowed(tmp_path: Path) -> None:
    config = Path(on_free_port(tmp_path))
    config.write_text(config.read_text().replace("Always,", "Always, allowedOrigins: https://a.example,"))
    async with program(str(config), "--allow-origin", "null") as running:
        address = await running.line(r"Endpoint +(ws://\S+)")
        for origin in ("null", "https://a.example"):  # the file's own stay allowed
            async with connect(address, additional_headers={"Origin": origin}) as client:
                await client.send('{"nickname":"n","room":"r","message":"m"}')
                assert await client.recv()
