"""Clients that only listen: what makes a room of the chat out of thor, which can only echo."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Final

import aiohttp

__all__ = ("Listeners", "listening")

#: as in chat.js
ROOM: Final = "asgard"

#: s until the last message must have been heard
HEAR_LIMIT: Final = 20

_SAID_BY_THOR: Final = '"nickname":"thor"'


class Listeners:
    """How often each of them heard thor."""

    def __init__(self, number: int) -> None:
        self.heard = [0] * number
        self._joined = asyncio.Semaphore(0)
        self._more = asyncio.Event()

    async def join(self) -> None:
        """Wait until all hear what is said in the room.

        Raises:
            RuntimeError: Some do not.
        """
        try:
            async with asyncio.timeout(HEAR_LIMIT):
                for _ in self.heard:
                    await self._joined.acquire()
        except TimeoutError:
            raise RuntimeError(f"a listener did not get into the room within {HEAR_LIMIT} s") from None

    async def hear(self, messages: int) -> None:
        """Wait until each has heard so many messages.

        Raises:
            RuntimeError: Some were lost.
        """
        try:
            async with asyncio.timeout(HEAR_LIMIT):
                while any(heard < messages for heard in self.heard):
                    self._more.clear()
                    await self._more.wait()
        except TimeoutError:
            raise RuntimeError(f"of {messages} messages, a listener heard {min(self.heard)}") from None

    async def listen(self, number: int, address: str) -> None:
        """Be one of them: speak once, which is how one joins, and be silent."""
        async with aiohttp.ClientSession() as session, session.ws_connect(address) as socket:
            await socket.send_json(
                {"nickname": f"listener {number}", "room": ROOM, "message": ""},
                dumps=lambda said: json.dumps(said, separators=(",", ":")),
            )
            await socket.receive_str()  # its own
            self._joined.release()
            async for message in socket:
                if _SAID_BY_THOR in message.data:
                    self.heard[number] += 1
                    self._more.set()


@contextlib.asynccontextmanager
async def listening(address: str, number: int) -> AsyncGenerator[Listeners]:
    """``number`` clients in thor's room."""
    listeners = Listeners(number)
    tasks = [asyncio.create_task(listeners.listen(one, address)) for one in range(number)]
    try:
        await listeners.join()
        yield listeners
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
