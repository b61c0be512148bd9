"""A real host on a free port, in this process or as a program, for tests that talk to it over sockets."""

import asyncio
import contextlib
import os
import random
import re
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Protocol

import attrs
from websockets.asyncio import client

from tests.certificates import Certificates
from tests.doubles import DEADLINE, web_socket_binding
from wsf import (
    ConcurrencyMode,
    InstanceContextMode,
    Message,
    OperationContext,
    callback_contract,
    operation_contract,
    service_behavior,
    service_contract,
)
from wsf.bindings.custom import CustomBinding
from wsf.host import ServiceHost
from wsf.transports.https import HttpsTransport

__all__ = (
    "DEADLINE",
    "Echo",
    "EchoCallback",
    "EchoService",
    "connect",
    "connection_of",
    "free_port",
    "open_connection",
    "program",
    "serving",
    "until",
    "web_socket_address",
)

ROOT = Path(__file__).parent.parent

#: while it is set, what ``serving`` serves it serves over TLS, and clients made here trust that
secure: Certificates | None = None


@callback_contract
class EchoCallback(Protocol):
    @operation_contract(is_one_way=True, action="*")
    async def hear(self, message: Message) -> None: ...


@service_contract(callback_contract=EchoCallback)
class Echo(Protocol):
    @operation_contract(is_one_way=True, action="*")
    async def say(self, message: Message) -> None: ...


@service_behavior(instance_context_mode=InstanceContextMode.SINGLE, concurrency_mode=ConcurrencyMode.SINGLE)
class EchoService(Echo):
    """Says again what it hears; what it hears is in ``heard``."""

    def __init__(self) -> None:
        self.heard: list[Message] = []

    async def say(self, message: Message) -> None:
        self.heard.append(message)
        if not message.is_empty:
            await OperationContext.current().get_callback_channel(EchoCallback).hear(message)


@contextlib.asynccontextmanager
async def serving(
    service: object = EchoService,
    contract: type[Any] = Echo,
    binding: CustomBinding | None = None,
    address: str = "http://127.0.0.1:0/echo",
    **settings: Any,
) -> AsyncIterator[ServiceHost]:
    """An open host with one endpoint."""
    binding = binding or web_socket_binding()
    if secure is not None:
        binding, address = over_tls(binding), address.replace("http:", "https:")
        settings.setdefault("credentials", secure.credentials())
    host = ServiceHost(service, **settings)
    host.add_service_endpoint(contract, binding, address)
    async with host:
        yield host


def over_tls(binding: CustomBinding, **settings: Any) -> CustomBinding:
    """The same binding over httpsTransport."""
    transport = binding.transport
    fields = {field.alias: getattr(transport, field.name) for field in attrs.fields(type(transport))}
    return attrs.evolve(binding, transport=HttpsTransport(**fields | settings))


def connect(address: str, **settings: Any) -> Any:
    """A WebSocket client that trusts the authority of the tests."""
    if secure is not None:
        settings.setdefault("ssl", secure.client())
    return client.connect(address, **settings)


async def open_connection(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Bytes of a test's own making."""
    context = None if secure is None else secure.client()
    return await asyncio.open_connection("127.0.0.1", port, ssl=context)


def free_port() -> int:
    """For endpoints that must share one site: port 0 would be another one for each.

    It is none of those that a system gives to whoever asks for any, so that nobody gets it by chance before
    the host listens; and no other worker of this run looks for one there.
    """
    first = 10_000 + 1000 * int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    for port in random.sample(range(first, first + 1000), 1000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("", port))
            return port
    raise AssertionError("every port is taken")


def web_socket_address(host: ServiceHost) -> str:
    """What a client connects to."""
    return host.endpoints[0].address.replace("http", "ws", 1)


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(DEADLINE):
        while not condition():
            await asyncio.sleep(0.005)


async def connection_of(host: ServiceHost) -> Any:
    """The host's side of its only client's connection, as soon as it is a session."""
    (dispatcher,) = host._dispatchers
    await until(lambda: dispatcher.channels)
    (channel,) = dispatcher.channels
    return channel.outbox._connection


class Program:
    """A host as a process: what it printed, and how it ended."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.printed = ""

    async def line(self, pattern: str) -> str:
        """Read on until a line of standard output has the pattern; its first group, or the line."""
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE):
            while line := (await self.process.stdout.readline()).decode():
                self.printed += line
                if found := re.search(pattern, line):
                    return found[1] if found.groups() else line
        raise AssertionError(f"no line has {pattern!r}: {self.printed}")

    async def end(self) -> tuple[int, str, str]:
        """Wait for its end: exit status, standard output, standard error."""
        async with asyncio.timeout(DEADLINE):
            out, err = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, self.printed + out.decode(), err.decode()


@contextlib.asynccontextmanager
async def program(*arguments: str, module: str = "wsf.host", cwd: Path = ROOT) -> AsyncIterator[Program]:
    """``python -m wsf.host ARGUMENTS``, killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdout=PIPE, stderr=PIPE, stdin=asyncio.subprocess.DEVNULL,
        cwd=cwd, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    running = Program(process)
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
