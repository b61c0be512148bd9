"""A client of the rooms, and all the ways in which one may go wrong."""

import asyncio
import itertools
import json
import random
import socket
import struct
from typing import Any, Final

from tests.light_client import CLOSE, TEXT, LightClient, frame, handshake

__all__ = ("FATES", "Member", "meet")

#: s until an answer is late
DEADLINE: Final = 60.0

#: an opcode that RFC 6455 reserves
RESERVED: Final = 0x3


class Member(LightClient):
    """Hears what is said in its room.

    Attributes:
        heard_of: The number that each sender said last.
        count: How many messages it heard.
        gaps: How many of them did not follow the one before from the same sender.
        answers: Whether it answers the host's question; the session's end is its answer otherwise.
    """

    def __init__(self, target: str, *given: Any) -> None:
        super().__init__(target, self._take_message)
        self.heard_of: dict[int, int] = {}
        self.count = 0
        self.gaps = 0
        self.answers = True
        self._replies: dict[int, asyncio.Future[Any]] = {}
        self._numbers = itertools.count(1)

    @property
    def port(self) -> int:
        """Of the host."""
        return int(self.transport.get_extra_info("peername")[1])

    async def call(self, method: str, *params: Any) -> Any:
        """A call, and its result."""
        number = next(self._numbers)
        reply = self._replies[number] = asyncio.get_running_loop().create_future()
        self.tell(method, *params, id=number)
        async with asyncio.timeout(DEADLINE):
            return await reply

    def tell(self, method: str, *params: Any, **named: Any) -> None:
        """A call that has no answer."""
        self.say(json.dumps({"jsonrpc": "2.0", "method": method, "params": params, **named}).encode())

    async def status(self) -> Any:
        """What the host's process is made of."""
        return json.loads(await self.call("status"))

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for reply in self._replies.values():
            if not reply.done():
                reply.set_exception(EOFError(f"it ended ({self.ending}) before there was an answer"))

    def vanish(self) -> None:
        """Without a word: by a reset, or by a FIN with whatever was under way."""
        if random.random() < 0.5:
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def _take_message(self, payload: bytes) -> None:
        message = json.loads(payload)
        match message.get("method"):
            case "hear":
                self._hear(*message["params"])
            case "ask" if self.answers:
                self.say(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": 1}).encode())
            case "ask":
                self.vanish()
            case None if (reply := self._replies.pop(message["id"], None)) and not reply.done():
                reply.set_result(message["result"]) if "result" in message else reply.set_exception(
                    RuntimeError(f"the host says: {message['error']}")
                )

    def _hear(self, sender: int, number: int) -> None:
        self.count += 1
        self.gaps += number != self.heard_of.get(sender, number - 1) + 1
        self.heard_of[sender] = number


async def half_a_handshake(port: int) -> None:
    """It sends a part of its request, and goes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    request = handshake("/soak")
    writer.write(request[: random.randrange(1, len(request))])
    await writer.drain()
    writer.transport.abort()
    del reader


async def no_answer_awaited(port: int) -> None:
    """It sends its request, and goes."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(handshake("/soak"))
    await writer.drain()
    writer.transport.abort()


async def half_a_frame(member: Member) -> None:
    """It goes in the middle of a message."""
    whole = frame(TEXT, b'{"jsonrpc": "2.0", "method": "question", "params": []}')
    member.transport.write(whole[: random.randrange(1, len(whole))])
    await asyncio.sleep(0)
    member.vanish()


async def mid_callback(member: Member) -> None:
    """It goes when it is asked, and the host waits for its answer."""
    member.answers = False
    member.tell("question", id=0)


async def an_operation_that_fails(member: Member) -> None:
    """The host says 1011."""
    member.tell("fail")


async def mid_operation(member: Member) -> None:
    """It goes while the host works for it."""
    await member.call("join", random.randrange(100, 200))
    member.tell("say", 0, 0)
    member.tell("flood", 10)
    await asyncio.sleep(0)
    member.vanish()


async def without_a_word(member: Member) -> None:
    """It goes."""
    member.vanish()


async def against_the_rules(member: Member) -> None:
    """It sends what RFC 6455 does not know."""
    member.transport.write(frame(RESERVED, b"?"))


async def goodbye(member: Member) -> None:
    """It goes as one should."""
    member.transport.write(frame(CLOSE, struct.pack("!H", 1000)))


async def an_honest_answer(member: Member) -> None:
    """It is asked, answers, and goes as one should."""
    await member.call("join", random.randrange(100, 200))
    await member.call("question")
    await goodbye(member)


#: what may become of a client, before the 101 and after it
FATES: Final = (
    half_a_handshake,
    no_answer_awaited,
    half_a_frame,
    mid_callback,
    mid_operation,
    an_operation_that_fails,
    without_a_word,
    against_the_rules,
    goodbye,
    an_honest_answer,
)

_BEFORE_THE_101: Final = (half_a_handshake, no_answer_awaited)


async def meet(fate: Any, port: int) -> None:
    """Be a client with this fate, until its end."""
    if fate in _BEFORE_THE_101:
        await fate(port)
        return
    member = await Member.connect("127.0.0.1", port, "/soak")
    await fate(member)
    async with asyncio.timeout(DEADLINE):
        await member.is_over
