"""The loads, who is put under each, and the figures that wsf is to reach."""

import sys
from typing import Final

from attrs import field, frozen

from benchmarks.delivery.servers import WATCHDOG_TIMEOUT

__all__ = ("CLAIMS", "LOADS", "Claim", "Load")

#: KB: 10,000 sessions may take so much each; s until they are there
IDLE_KB: Final = 20
IDLE_SECONDS: Final = 15

#: s: sendTimeout in config/app.yaml, which is WCF's default; and how late the end of a stalled client may be
SHIPPED_TIMEOUT: Final = 60
GRACE: Final = 1

#: MiB: what one client may keep waiting, as shipped
OUTBOX_MIB: Final = 1

#: 3.12 has eager tasks; before, an operation's way into its task costs a turn of the loop
ECHO_MOST: Final = 1.0 if sys.version_info >= (3, 12) else 1.1


@frozen
class Load:
    """What the generator does.

    Attributes:
        about: What the tables say of it.
        options: The generator's.
        servers: Who meets it in every round.
        others: Who meets it in every second round: for the picture, not for a figure.
        seconds: How long it is measured, in s; None: as the command line says.
        once: It is long, and met in one round only.
        may_lose: The servers here are known to leave somebody without messages: that is the point.
        saturates: The server is to be busy all the time; where it is not, somebody disturbed it.
        offered: Deliveries/s that a fixed rate makes; who does not get near was disturbed, or is too slow.
        is_idle, is_stalled: How it is driven.
        is_watched: When the server's sockets last took something is looked at, too; that costs CPU.
    """

    about: str
    options: tuple[str, ...]
    servers: tuple[str, ...]
    others: tuple[str, ...] = ()
    seconds: float | None = None
    once: bool = False
    may_lose: bool = False
    saturates: bool = True
    offered: float | None = None
    is_idle: bool = False
    is_stalled: bool = False
    is_watched: bool = False


@frozen
class Claim:
    """One figure to reach.

    The figure is a measure of ``server`` under ``load``; over the same of ``base`` if there is one, or the
    other way round for ``at_least``: how many times less it takes. With ``less_base``, it is what the server
    takes more than the base.
    """

    load: str
    server: str
    measure: str
    base: str | None = None
    at_least: float | None = None
    at_most: float | None = None
    base_load: str | None = field(default=None, kw_only=True)
    less_base: bool = field(default=False, kw_only=True)
    words: str = field(default="", kw_only=True)


def _options(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_BIG: Final = "--bytes 65536 --rooms 1 --senders 1"
_ROOM_PEERS: Final = ("Starlette", "python-socketio", "websockets", "picows")

LOADS: Final = {
    "all-talk": Load(
        "a room of 100, all 100 talk",
        _options("--size 100 --senders 100"),
        ("wsf", "wsf, seed's loop", "aiohttp", "Node ws"),
        (*_ROOM_PEERS, "C"),
    ),
    "fixed-rate": Load(
        "a room of 100, 50,000 deliveries/s offered",
        _options("--size 100 --senders 100 --rate 500"),
        ("wsf", "aiohttp"),
        saturates=False,
        offered=50_000,
    ),
    "ten-talk": Load(
        "a room of 1000, 10 talk",
        _options("--size 1000 --senders 10"),
        ("wsf", "aiohttp"),
    ),
    "four-ahead": Load(
        "a room of 1000, one talks, 4 messages ahead",
        _options("--size 1000 --window 4"),
        ("wsf", "aiohttp", "C"),
        (*_ROOM_PEERS, "Node ws"),
    ),
    "small-room": Load(
        "a room of 100, one talks, 4 messages ahead",
        _options("--size 100 --window 4"),
        (),
        ("wsf", "aiohttp", "Node ws", "C"),
    ),
    "one-by-one": Load(
        "a room of 1000, one talks, one message at a time",
        _options("--size 1000"),
        ("wsf", "aiohttp", "C"),
    ),
    "many-rooms": Load(
        "500 rooms of 10, all talk",
        _options("--rooms 500 --size 10 --senders 10"),
        ("wsf", "aiohttp"),
    ),
    "echo": Load(
        "request and reply on 100 connections",
        _options("--rooms 100"),
        ("wsf, echo", "aiohttp, echo", "FastAPI"),
        ("websockets", "picows", "Node ws", "C"),
    ),
    "call": Load(
        "a typed call and its answer on 100 connections",
        _options("--rooms 100"),
        ("wsf, call", "aiohttp, echo", "python-socketio, ack", "FastAPI"),
    ),
    "deflate": Load(
        "a room of 1000, one talks, 4 messages ahead of 1 KB, compressed",
        _options("--size 1000 --window 4 --bytes 1024"),
        ("wsf, deflate", "aiohttp, deflate"),
    ),
    "idle": Load(
        "10,000 silent sessions in 1000 rooms",
        _options("--rooms 1000 --size 10 --idle"),
        ("wsf", "aiohttp", "Node ws"),
        seconds=2,
        once=True,
        saturates=False,
        is_idle=True,
    ),
    "all-read": Load(
        "a room of 50, 64 KB messages, 40/s",
        _options(f"{_BIG} --size 50 --rate 40"),
        ("wsf",),
        seconds=60,
        once=True,
        saturates=False,
    ),
    "one-stalled": Load(
        "the same, and one client stops reading",
        _options(f"{_BIG} --size 50 --rate 40 --stall 1"),
        ("wsf",),
        seconds=60,
        once=True,
        saturates=False,
        is_stalled=True,
    ),
    "watchdog": Load(
        "the same, and nothing but sendTimeout ends it",
        _options(f"{_BIG} --size 50 --rate 40 --stall 1"),
        ("wsf, watchdog",),
        seconds=12,
        once=True,
        saturates=False,
        is_stalled=True,
        is_watched=True,
    ),
    "one-stalled-peers": Load(
        "the same with others, for a short time",
        _options(f"{_BIG} --size 50 --rate 40 --stall 1"),
        ("aiohttp", "Node ws"),
        seconds=6,
        once=True,
        may_lose=True,
        saturates=False,
        is_stalled=True,
    ),
    "1000-read": Load(
        "a room of 1000, 64 KB messages, 4/s",
        _options(f"{_BIG} --size 1000 --rate 4"),
        ("wsf",),
        seconds=40,  # the last of them is found dead after 22.5 s and what it took to fill its kernel
        once=True,
        saturates=False,
    ),
    "100-stalled": Load(
        "the same, and 100 clients stop reading",
        _options(f"{_BIG} --size 1000 --rate 4 --stall 100"),
        ("wsf",),
        seconds=40,  # the last of them is found dead after 22.5 s and what it took to fill its kernel
        once=True,
        saturates=False,
        is_stalled=True,
    ),
}

CLAIMS: Final = (
    Claim("all-talk", "wsf", "cpu", "aiohttp", at_least=20),
    Claim("all-talk", "wsf", "cpu", "Node ws", at_least=20),
    Claim("all-talk", "wsf, seed's loop", "cpu", "aiohttp", at_least=12),
    Claim("fixed-rate", "wsf", "p50", "aiohttp", at_most=1.2),
    Claim("fixed-rate", "wsf", "p99", "aiohttp", at_most=1.5),
    Claim("fixed-rate", "wsf", "cpu", "aiohttp", at_most=1.0),
    Claim("ten-talk", "wsf", "cpu", "aiohttp", at_least=5),
    Claim("four-ahead", "wsf", "cpu", "aiohttp", at_least=3),
    Claim("four-ahead", "wsf", "cpu", "C", at_least=2),
    Claim("one-by-one", "wsf", "cpu", "aiohttp", at_least=1),
    Claim("many-rooms", "wsf", "cpu", "aiohttp", at_least=4.5),
    Claim("echo", "wsf, echo", "cpu", "aiohttp, echo", at_most=ECHO_MOST),
    Claim("echo", "wsf, echo", "cpu", "FastAPI", at_most=0.5),
    Claim("call", "wsf, call", "cpu", "aiohttp, echo", at_most=2),
    Claim("call", "wsf, call", "cpu", "python-socketio, ack", at_most=1),
    Claim("call", "wsf, call", "cpu", "FastAPI", at_most=1),
    Claim("deflate", "wsf, deflate", "cpu", "aiohttp, deflate", at_least=5),
    Claim("deflate", "wsf, deflate", "memory", "aiohttp, deflate", at_most=0.25),
    Claim("idle", "wsf", "memory", at_most=IDLE_KB, words="KB each"),
    Claim("idle", "wsf", "opening", at_most=IDLE_SECONDS, words="s until all are there"),
    Claim("idle", "wsf", "kept", at_most=0, words="sockets kept when they have left"),
    Claim("idle", "wsf", "regrown", at_most=1.05, words="memory of the next 10,000 to theirs"),
    Claim("one-stalled", "wsf", "p99", "wsf", at_most=2, base_load="all-read"),
    Claim("one-stalled", "wsf", "gone", at_most=SHIPPED_TIMEOUT + GRACE, words="s until it is gone"),
    Claim("one-stalled", "wsf", "not reset", at_most=0, words="stalled clients that saw no RST"),
    Claim(
        "one-stalled", "wsf", "grown", "wsf", at_most=OUTBOX_MIB, base_load="all-read", less_base=True,
        words="MiB kept for it",
    ),
    Claim(
        "watchdog", "wsf, watchdog", "gone since", at_most=WATCHDOG_TIMEOUT + GRACE,
        words="s without progress until it is gone",
    ),
    Claim("watchdog", "wsf, watchdog", "not reset", at_most=0, words="stalled clients that saw no RST"),
    Claim("100-stalled", "wsf", "p99", "wsf", at_most=2, base_load="1000-read"),
    Claim("100-stalled", "wsf", "gone", at_most=SHIPPED_TIMEOUT + GRACE, words="s until all are gone"),
    Claim("100-stalled", "wsf", "not reset", at_most=0, words="stalled clients that saw no RST"),
    Claim(
        "100-stalled", "wsf", "grown", "wsf", at_most=100 * OUTBOX_MIB, base_load="1000-read", less_base=True,
        words="MiB kept for them",
    ),
)  # fmt: skip
