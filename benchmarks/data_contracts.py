"""What reading and writing a data contract costs, beside json and msgspec alone.

``python benchmarks/data_contracts.py [ROUNDS]``. Each round measures every way once, in turn, so that a busy
neighbour hurts all alike; the medians of the rounds are printed, in CPU time, and each way's ratio to its
base, which is the median of the ratios within a round.
"""

import json
import platform
import statistics
import sys
import time
import timeit
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import version
from typing import Any

import msgspec
from attrs import define, field

from wsf.data_contracts import ExtensionData, read, reader_of, write

CALLS = 200  # of one way in one round: less than a slice of the scheduler's time


@define
class Chatter:
    """The chat's record: three strings, and room for what a newer client adds."""

    nickname: str
    room: str
    message: str
    extension_data: ExtensionData = field(factory=ExtensionData)


@define
class Flat:
    """The same without that room, as msgspec reads it by itself."""

    nickname: str
    room: str
    message: str


@define
class Line:
    """A line of an order."""

    item: str
    count: int
    price: Decimal


@define
class Order:
    """A contract of contracts."""

    id: int
    placed: datetime
    note: str | None
    lines: list[Line]


CHATTER = b'{"message":"%s","nickname":"somebody","room":"lobby"}' % (b"Shall we meet at 12:30? " * 4)[:79]
UNKNOWN = CHATTER[:-1] + b',"date":"today"}'
ORDER = write(Order(1, datetime(2026, 11, 22, 12, tzinfo=UTC), None, [Line("bolt", 3, Decimal("0.05"))] * 20))


def ways() -> list[tuple[str, str, Callable[[], Any]]]:
    """Each way's name, that of its base, and the way itself."""
    chatter, flat, order = read(Chatter, CHATTER), read(Flat, CHATTER), read(Order, ORDER)
    reader, orders = reader_of(Flat), reader_of(Order)
    decode, encode = msgspec.json.Decoder(Flat).decode, msgspec.json.Encoder().encode
    decode_order = msgspec.json.Decoder(Order).decode
    json_, msgspec_ = "json.loads", "msgspec to an attrs class"
    dumps = "json.dumps of a dict"
    order_json, order_msgspec = "order: json.loads", "order: msgspec to attrs classes"
    fields = {"message": flat.message, "nickname": flat.nickname, "room": flat.room}
    return [
        (json_, json_, lambda: json.loads(CHATTER)),
        (msgspec_, msgspec_, lambda: decode(CHATTER)),
        ("reader_of(Flat)", msgspec_, lambda: reader(CHATTER)),
        ("read(Flat)", msgspec_, lambda: read(Flat, CHATTER)),
        ("read(Flat) ", json_, lambda: read(Flat, CHATTER)),
        ("read(Chatter), with ExtensionData", json_, lambda: read(Chatter, CHATTER)),
        ("read(Chatter), a member unknown", json_, lambda: read(Chatter, UNKNOWN)),
        (order_json, order_json, lambda: json.loads(ORDER)),
        (order_msgspec, order_msgspec, lambda: decode_order(ORDER)),
        ("order: reader_of(Order)", order_msgspec, lambda: orders(ORDER)),
        ("order: reader_of(Order) ", order_json, lambda: orders(ORDER)),
        (dumps, dumps, lambda: json.dumps(fields).encode()),
        ("msgspec of an attrs class", dumps, lambda: encode(flat)),
        ("write(Flat)", dumps, lambda: write(flat)),
        ("write(Chatter)", dumps, lambda: write(chatter)),
        ("order: write(Order)", dumps, lambda: write(order)),
    ]


def main(rounds: int) -> None:
    """Measure and print the table."""
    measured: dict[str, list[float]] = {name: [] for name, _, _ in ways()}
    all_ways = ways()
    for _ in range(rounds):
        for name, _, way in all_ways:
            spent = timeit.timeit(way, number=CALLS, timer=time.process_time)
            measured[name].append(spent / CALLS * 1e9)
    versions = ", ".join(f"{name} {version(name)}" for name in ("msgspec", "attrs"))
    print(f"Python {platform.python_version()}, {versions}; {rounds} rounds of {CALLS} calls")
    print(f"Chatter {len(CHATTER)} bytes, Order {len(ORDER)} bytes\n")
    print(f"| {'way':34} | ns, median | ratio to |\n| {'-' * 34} | ---------: | --- |")
    for name, base, _ in all_ways:
        ratio = statistics.median(
            ours / theirs for ours, theirs in zip(measured[name], measured[base], strict=True)
        )
        against = "" if name == base else f"{ratio:.2f} x {base}"
        print(f"| {name:34} | {statistics.median(measured[name]):10,.0f} | {against} |")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 201)
