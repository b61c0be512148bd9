"""A room of one service, whose host a test drives: who is in it, what they are told, who faulted and why."""

import asyncio
from collections.abc import Callable
from typing import Any

import tests.serving
from tests.doubles import web_socket_binding
from tests.light_client import LightClient
from tests.serving import Echo, EchoCallback
from wsf import ConcurrencyMode, InstanceContextMode, Message, OperationContext, channel_of, service_behavior
from wsf.bindings.custom import CustomBinding
from wsf.channel import DuplexSessionChannel
from wsf.host import ServiceHost

__all__ = ("Room", "join", "port_of", "room_binding")


@service_behavior(instance_context_mode=InstanceContextMode.SINGLE, concurrency_mode=ConcurrencyMode.SINGLE)
class Room(Echo):
    """Keeps the channel of who greets it; writes down which of them faulted, and why."""

    def __init__(self) -> None:
        self.channels: list[DuplexSessionChannel] = []
        self.faulted: list[DuplexSessionChannel] = []
        self.reasons: list[str] = []

    async def say(self, message: Message) -> None:
        channel = channel_of(OperationContext.current().get_callback_channel(EchoCallback))
        if channel not in self.channels:
            self.channels.append(channel)
            channel.faulted += self._on_faulted

    def _on_faulted(self, channel: Any) -> None:
        self.faulted.append(channel)
        self.reasons.append(channel.close_status.reason)

    def tell(self, message: Message) -> None:
        """Say it to all that are there."""
        for channel in self.channels:
            if channel.state.value == "Opened":
                channel.send(message)

    async def tell_until(self, message: Message, is_done: Callable[[], object]) -> None:
        """Say it again and again, as fast as the loop turns."""
        async with asyncio.timeout(tests.serving.DEADLINE):
            while not is_done():
                self.tell(message)
                await asyncio.sleep(0)


def room_binding(keep_alive: float = float("inf"), **settings: Any) -> CustomBinding:
    """Without pings, unless there is an interval."""
    return web_socket_binding(settings={"keep_alive_interval": keep_alive}, **settings)


def port_of(host: ServiceHost) -> int:
    """Where it listens."""
    return int(host.endpoints[0].address.split(":")[2].split("/")[0])


async def join(host: ServiceHost, **settings: Any) -> LightClient:
    """A client in this process that has greeted the room."""
    secure = None if tests.serving.secure is None else tests.serving.secure.client()
    client = await LightClient.connect("127.0.0.1", port_of(host), "/echo", secure=secure, **settings)
    client.say(b"here")
    return client
