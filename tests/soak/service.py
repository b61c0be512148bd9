"""The service that the soaks talk to: rooms, a question in return, a flood, and how its process is."""

import asyncio
import gc
import json
import os
import time
import tracemalloc
from collections import Counter
from typing import Any, Protocol

from wsf import (
    ConcurrencyMode,
    InstanceContextMode,
    OperationContext,
    callback_contract,
    channel_of,
    operation_contract,
    service_behavior,
    service_contract,
)
from wsf.pump import TASK_NAME


def _resident() -> int:
    """Bytes of this process in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


@callback_contract
class Member(Protocol):
    @operation_contract(is_one_way=True)
    async def hear(self, sender: int, number: int) -> None: ...
    @operation_contract(is_one_way=True)
    async def take(self, text: str) -> None: ...
    @operation_contract
    async def ask(self) -> int: ...


@service_contract(callback_contract=Member)
class Rooms(Protocol):
    @operation_contract
    async def join(self, room: int) -> bool: ...
    @operation_contract(is_one_way=True)
    async def say(self, sender: int, number: int) -> None: ...
    @operation_contract
    async def question(self) -> int: ...
    @operation_contract(is_one_way=True)
    async def flood(self, messages: int) -> None: ...
    @operation_contract(is_one_way=True)
    async def fail(self) -> None: ...
    @operation_contract
    async def status(self) -> str: ...


@service_behavior(instance_context_mode=InstanceContextMode.SINGLE, concurrency_mode=ConcurrencyMode.MULTIPLE)
class Soak(Rooms):
    """Rooms by number, their members by session."""

    def __init__(self) -> None:
        self._rooms: dict[int, dict[str, Member]] = {}
        self._room_of: dict[str, int] = {}

    async def join(self, room: int) -> bool:
        context = OperationContext.current()
        name = context.channel.session_id
        self._rooms.setdefault(room, {})[name] = context.get_callback_channel(Member)
        self._room_of[name] = room
        context.channel.closed += self._leave
        return True

    def _leave(self, channel: Any) -> None:
        room = self._room_of.pop(channel.session_id)
        del self._rooms[room][channel.session_id]

    async def say(self, sender: int, number: int) -> None:
        room = self._rooms[self._room_of[OperationContext.current().channel.session_id]]
        for member in list(room.values()):
            if channel_of(member).state.value == "Opened":
                await member.hear(sender, number)

    async def question(self) -> int:
        return await OperationContext.current().get_callback_channel(Member).ask()

    async def flood(self, messages: int) -> None:
        member = OperationContext.current().get_callback_channel(Member)
        for number in range(messages):
            if channel_of(member).state.value != "Opened":
                break
            await member.take(f"{number:06d}" + "x" * 60_000)
            await asyncio.sleep(0)

    async def fail(self) -> None:
        raise ZeroDivisionError

    async def status(self) -> str:
        """What the process is made of at this moment, this very call included."""
        gc.collect()
        loop: Any = asyncio.get_running_loop()
        kinds = Counter(
            f"{kind.__module__}.{kind.__qualname__}"
            for kind in map(type, gc.get_objects())
            if str(kind.__module__).startswith("wsf.")
        )
        counters = OperationContext.current().host.counters()
        names = [task.get_name() for task in asyncio.all_tasks()]
        return json.dumps(
            {
                "sessions": counters.sessions,
                "pending": counters.connections_pending,
                "resident": _resident(),
                "processor": time.process_time(),
                "traced": tracemalloc.get_traced_memory()[0],
                "tasks": sum(name != TASK_NAME for name in names),
                "pump": sum(name == TASK_NAME for name in names),
                "descriptors": len(os.listdir("/proc/self/fd")),
                # asyncio tells nobody how many timers there are; cancelled ones stay until they are many
                "timers": sum(not timer.cancelled() for timer in loop._scheduled),
                "objects": kinds.total(),
                "kinds": kinds,
                "slow": counters.slow_clients_aborted + counters.send_timeouts,
                "dead": counters.keep_alive_timeouts,
                "opened": counters.sessions_opened,
            }
        )
