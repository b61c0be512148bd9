"""Laws of the frames that we write ourselves (RFC 6455 sections 5.2 and 5.5)."""

import asyncio
import struct
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsf.transports import SPARE_DESCRIPTORS, descriptor_limit
from wsf.transports._frames import MAX_CLOSE_REASON_BYTES, OPCODE_BINARY, close_reason, encode_frame
from wsf.transports._tap import Tap


@pytest.mark.parametrize(
    ("length", "head"),
    [
        (0, b"\x82\x00"),
        (125, b"\x82\x7d"),
        (126, b"\x82\x7e\x00\x7e"),
        (127, b"\x82\x7e\x00\x7f"),
        (65535, b"\x82\x7e\xff\xff"),
        (65536, b"\x82\x7f" + struct.pack("!Q", 65536)),
        (65537, b"\x82\x7f" + struct.pack("!Q", 65537)),
    ],
)
def test_a_length_takes_the_shortest_form(length: int, head: bytes) -> None:
    assert encode_frame(OPCODE_BINARY, bytes(length)) == head + bytes(length)


@pytest.mark.parametrize(("length", "kept"), [(122, 122), (123, 123), (124, 123)])
def test_a_close_reason_is_as_long_as_a_control_frame_allows(length: int, kept: int) -> None:
    assert len(close_reason("x" * length)) == kept


def test_a_close_reason_is_cut_between_characters() -> None:
    assert close_reason("€" * 50) == ("€" * 41).encode()


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_close_reason_is_always_text_that_fits(reason: str) -> None:
    cut = close_reason(reason)
    assert len(cut) <= MAX_CLOSE_REASON_BYTES
    assert reason.startswith(cut.decode())


def test_some_descriptors_are_left_for_everything_else(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    for soft, limit in ((1024, 1024 - SPARE_DESCRIPTORS), (SPARE_DESCRIPTORS, 1), (10, 1)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=soft: (soft, soft))
        assert descriptor_limit() == limit


async def test_a_write_buffer_that_is_not_empty_at_the_upgrade_is_known_to_be_full() -> None:
    """asyncio tells whoever is the protocol at that moment, and never again: it must be the tap."""

    class Inner(asyncio.Protocol):
        paused = False

        def pause_writing(self) -> None:
            self.paused = True

    class Filled:
        """A transport with unsent bytes, as asyncio's selector transports behave."""

        def __init__(self) -> None:
            self.protocol: Any = Inner()

        def get_protocol(self) -> Any:
            return self.protocol

        def set_protocol(self, protocol: Any) -> None:
            self.protocol = protocol

        def set_write_buffer_limits(self, high: int, low: int) -> None:
            self.protocol.pause_writing()

        def get_extra_info(self, name: str) -> None:
            return None

    transport: Any = Filled()
    inner, told = transport.protocol, []
    connection: Any = SimpleNamespace(on_filled=lambda: told.append("full"))
    tap = Tap(transport, connection)
    assert tap.is_full
    assert told == ["full"]
    assert inner.paused
