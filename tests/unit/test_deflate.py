"""Laws of permessage-deflate (RFC 7692): what is compressed, what is read, and what is agreed on."""

import random
import struct
import sys
import tracemalloc
import zlib
from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from wsf.errors import EncodingError
from wsf.transports import _deflate
from wsf.transports._deflate import (
    MAX_STREAMS,
    WINDOW_BITS,
    Deflate,
    Inflater,
    frames_limit,
    negotiate_deflate,
)
from wsf.transports._handshake import Refusal
from wsf.transports.http import WebSocketSettings

TRAILER = b"\x00\x00\xff\xff"
TEXT, BINARY, CONTINUATION, PING = 0x1, 0x2, 0x0, 0x9
FIN, RSV1 = 0x80, 0x40

everything = Deflate(1, sys.maxsize)


def deflated(payload: bytes, window: int = 15) -> bytes:
    """What a client makes of a message."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -window)
    return (compressor.compress(payload) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TRAILER)


def frame(payload: bytes, first: int = FIN | RSV1 | BINARY, *, masked: bool = True) -> bytes:
    """A client's frame, its mask of zeros."""
    mask, bit = (bytes(4), 0x80) if masked else (b"", 0)
    if len(payload) < 126:
        return bytes((first, bit | len(payload))) + mask + payload
    if len(payload) < 65536:
        return struct.pack("!BBH", first, bit | 126, len(payload)) + mask + payload
    return struct.pack("!BBQ", first, bit | 127, len(payload)) + mask + payload


def read(payload: bytes, *, limit: int = 1 << 20, is_compressed: bool = True) -> bytes | None:
    """One message of a client."""
    inflater = Inflater(limit)
    inflater.strip(frame(payload, FIN | BINARY | (RSV1 if is_compressed else 0)))
    return inflater.message(payload)


def read_alone(compressed: bytes) -> bytes:
    """By the worst receiver: of the smallest window that we agree to, and all but this message is lost on it.

    It takes a byte at a time: what it gives out at once it may refer to, however far back it is.
    """
    stream, read = zlib.decompressobj(-WINDOW_BITS), b""
    for byte in compressed + TRAILER:
        read += stream.decompress(bytes((byte,)))
    assert not stream.unused_data
    return read


class TestWhatIsSent:
    @given(st.lists(st.binary(min_size=1, max_size=300) | st.text(min_size=9).map(str.encode), max_size=9))
    def test_no_message_needs_an_earlier_one(self, messages: list[bytes]) -> None:
        for message in [*messages, *messages]:
            compressed = everything.compress(message)
            if compressed is not None:
                assert read_alone(compressed) == message

    def test_who_keeps_a_context_reads_the_same_frames(self) -> None:
        """Some missed a message, since it was not compressed or not for them."""
        stream = zlib.decompressobj(-15)
        for number in range(50):
            message = b"%d sheep, " % number * 40
            compressed = everything.compress(message)
            assert compressed is not None
            if number % 3:
                assert stream.decompress(compressed + TRAILER) == message

    def test_a_message_is_compressed_alike_whatever_was_before_it(self) -> None:
        message = b"the same words, " * 20
        first = everything.compress(message)
        everything.compress(message + b"and others")
        assert everything.compress(message) == first

    def test_nothing_refers_farther_back_than_the_window_agreed_on(self) -> None:
        message = random.Random(7).randbytes(6000) * 2 + b"x" * 9000
        compressed = everything.compress(message)
        assert compressed is not None
        assert read_alone(compressed) == message

    @pytest.mark.parametrize(
        ("size", "is_compressed"),
        [(199, False), (200, True), (201, True), (999, True), (1000, True), (1001, False)],
    )
    def test_small_and_large_messages_go_as_they_are(self, size: int, is_compressed: bool) -> None:
        assert (Deflate(200, 1000).compress(b"x" * size) is not None) is is_compressed

    def test_what_does_not_get_smaller_goes_as_it_is(self) -> None:
        assert everything.compress(random.Random(1).randbytes(1000)) is None
        assert everything.compress(b"abc") is None

    def test_an_interrupted_compression_is_in_nobody_elses_message(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Interrupted:
            """zlib's own, up to the moment when memory is short."""

            def __init__(self) -> None:
                self.compress = zlib.compressobj(1, zlib.DEFLATED, -WINDOW_BITS).compress

            def flush(self, mode: int) -> bytes:
                raise MemoryError

        monkeypatch.setattr(_deflate, "_compressors", deque([Interrupted()]))
        with pytest.raises(MemoryError):
            everything.compress(b"secret " * 100)
        compressed = everything.compress(b"public " * 100)
        assert compressed is not None
        assert zlib.decompressobj(-15).decompress(compressed + TRAILER) == b"public " * 100

    def test_compressors_are_used_again_and_there_are_few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made: list[Any] = []
        compressobj = zlib.compressobj
        monkeypatch.setattr(_deflate, "_compressors", deque())
        monkeypatch.setattr(zlib, "compressobj", lambda *how: made.append(how) or compressobj(*how))
        for each in (everything, Deflate(1, 1000)):
            for _ in range(10):
                each.compress(b"x" * 500)
        assert len(made) == 1


class TestWhatArrives:
    @given(
        st.lists(
            st.tuples(st.binary(max_size=300), st.booleans(), st.integers(1, 3), st.booleans()), max_size=6
        ),
        st.randoms(use_true_random=False),
    )
    def test_messages_are_told_apart_however_their_bytes_arrive(
        self, messages: list[tuple[bytes, bool, int, bool]], chance: random.Random
    ) -> None:
        """Compressed or not, in one frame or several with pings between them, in any pieces of TCP."""
        sent, without_rsv1, payloads = bytearray(), bytearray(), []
        for content, is_compressed, fragments, masked in messages:
            payload = deflated(content) if is_compressed else content
            payloads.append(payload)
            step = -(-len(payload) // fragments) or 1
            parts = [payload[at : at + step] for at in range(0, len(payload), step)] or [b""]
            for number, part in enumerate(parts):
                first = (TEXT if number == 0 else CONTINUATION) | (FIN if number == len(parts) - 1 else 0)
                rsv1 = RSV1 if is_compressed and number == 0 else 0
                sent += frame(part, first | rsv1, masked=masked) + frame(b"?", FIN | PING)
                without_rsv1 += frame(part, first, masked=masked) + frame(b"?", FIN | PING)
        inflater, stripped, rest = Inflater(1 << 20), bytearray(), bytes(sent)
        while rest:
            size = chance.choice([1, 2, 5, 400, len(rest)])
            piece, rest = rest[:size], rest[size:]
            stripped += inflater.strip(piece)
        assert stripped == without_rsv1
        assert [inflater.message(payload) for payload in payloads] == [content for content, *_ in messages]

    @pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
    def test_every_form_of_a_length_is_known(self, size: int) -> None:
        data = frame(bytes(size)) + frame(deflated(b"next"))
        inflater = Inflater(1 << 20)
        for at in range(16):
            inflater.strip(data[at : at + 1])
        inflater.strip(data[16:])
        assert inflater._left == 0
        assert len(inflater._are_compressed) == 2

    @pytest.mark.parametrize("first", [FIN | RSV1 | CONTINUATION, FIN | RSV1 | PING, FIN | RSV1 | 0x8])
    def test_rsv1_where_it_may_not_stand_is_left_for_the_reader_to_refuse(self, first: int) -> None:
        data = frame(b"x", first)
        assert Inflater(1000).strip(data) == data

    @pytest.mark.parametrize(("size", "is_taken"), [(999, True), (1000, True), (1001, False)])
    @pytest.mark.parametrize("is_compressed", [True, False])
    def test_the_bound_is_exact(self, size: int, is_taken: bool, is_compressed: bool) -> None:
        content = b"x" * size
        payload = deflated(content) if is_compressed else content
        assert read(payload, limit=1000, is_compressed=is_compressed) == (content if is_taken else None)

    @pytest.mark.parametrize("size", [1, 100, 1000, 65536, 1 << 20])
    @pytest.mark.parametrize("memory", [1, 8, 9])
    def test_what_does_not_get_smaller_has_room_to_grow(self, size: int, memory: int) -> None:
        compressor = zlib.compressobj(0, zlib.DEFLATED, -9, memory)
        payload = compressor.compress(random.Random(1).randbytes(size))
        payload += compressor.flush(zlib.Z_SYNC_FLUSH)
        assert len(payload) - len(TRAILER) <= frames_limit(size)

    def test_a_bomb_costs_no_more_than_the_largest_message(self) -> None:
        limit, bomb = 1 << 16, deflated(bytes(1 << 26))
        tracemalloc.start()
        try:
            assert read(bomb, limit=limit) is None
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert peak < 4 * limit + 3 * len(bomb)

    @pytest.mark.parametrize("payload", [b"\x00", b"\x02\x00", b""])
    def test_an_empty_message_is_one_however_a_client_writes_it(self, payload: bytes) -> None:
        """The RFC's way is one byte, zlib's own may be two, and some cut off too much."""
        assert read(payload) == b""

    @pytest.mark.parametrize(
        "payload",
        [
            b"\x00\x00",  # one and a half blocks
            b"\x00\x64\x00\x9b\xffhello",  # 100 bytes, it says
            b"\xff\xff\xff",  # no kind of block
            b"\x01\x05\x00\x00\x00hello",  # a length and its complement that are none
            deflated(b"hello hello hello")[:-2],  # cut off
            deflated(b"a" * 1000) + b"\x03\x00\xff",  # something behind the end
            b"\x03\x00",  # a final block, and no other after it (RFC 7692 section 7.2.3.4)
            b"\x03\x00" * MAX_STREAMS + b"\x00",  # final blocks without end
            zlib.compress(b"hello"),  # a zlib stream with its head
        ],
    )
    def test_what_no_compressor_makes_is_refused(self, payload: bytes) -> None:
        with pytest.raises(EncodingError):
            read(payload)

    @pytest.mark.parametrize(
        ("payload", "content"),
        [
            (bytes.fromhex("f248cdc9c90700"), b"Hello"),
            (bytes.fromhex("000500faff48656c6c6f00"), b"Hello"),
            (bytes.fromhex("f348cdc9c9070000"), b"Hello"),
            (bytes.fromhex("f248050000 00ffffcac9c90700"), b"Hello"),
            (b"\x03\x00" * (MAX_STREAMS - 1) + b"\x00", b""),
        ],
    )
    def test_the_examples_of_the_rfc_are_read(self, payload: bytes, content: bytes) -> None:
        """RFC 7692 section 7.2.3: one block, a stored one, a final one, two blocks."""
        assert read(payload) == content

    def test_between_messages_nothing_is_kept_but_a_few_bytes(self) -> None:
        inflater = Inflater(1 << 20)
        for content in (b"a" * 100_000, random.Random(1).randbytes(100_000)):
            payload = deflated(content)
            inflater.strip(frame(payload))
            assert inflater.message(payload) == content
        kept = [getattr(inflater, name) for name in Inflater.__slots__]
        assert {type(each) for each in kept} == {bytes, bytearray, int}
        assert sum(map(sys.getsizeof, [inflater, *kept])) < 500


#: what we answer an offer that asks for nothing, and one that asks for a window
PLAIN = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
WINDOWED = f"{PLAIN}; server_max_window_bits=12"


class TestWhatIsAgreedOn:
    @pytest.mark.parametrize(
        ("offers", "answer"),
        [
            ([], None),
            (["x-webkit-deflate-frame"], None),
            (["permessage-deflate"], PLAIN),
            (["permessage-deflate; client_max_window_bits"], PLAIN),
            (["permessage-deflate; client_max_window_bits=8"], PLAIN),
            (["permessage-deflate; server_no_context_takeover; client_no_context_takeover"], PLAIN),
            (["permessage-deflate; server_max_window_bits=15"], WINDOWED),
            (["permessage-deflate; server_max_window_bits=13"], WINDOWED),
            (["permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"], WINDOWED),
            (['permessage-deflate ;server_max_window_bits = "1\\2"'], WINDOWED),
            (["permessage-deflate; server_max_window_bits=11"], None),
            (["permessage-deflate; server_max_window_bits=8"], None),
            (["permessage-deflate; server_max_window_bits=9, permessage-deflate"], PLAIN),
            (["permessage-deflate; server_max_window_bits=9", "permessage-deflate"], PLAIN),
            (["other; server_max_window_bits=1, , permessage-deflate;client_max_window_bits,"], PLAIN),
            (["permessage-deflate; server_max_window_bits"], None),
            (["permessage-deflate; server_max_window_bits=7"], None),
            (["permessage-deflate; server_max_window_bits=16"], None),
            (["permessage-deflate; server_max_window_bits=012"], None),
            (["permessage-deflate; server_max_window_bits=12.0"], None),
            (["permessage-deflate; client_max_window_bits=16"], None),
            (["permessage-deflate; client_max_window_bits=08"], None),
            (["permessage-deflate; server_no_context_takeover=1"], None),
            (["permessage-deflate; client_no_context_takeover=true"], None),
            (["permessage-deflate; client_max_window_bits; client_max_window_bits"], None),
            (["permessage-deflate; client_max_window_bits=9; client_max_window_bits=10"], None),
            (["permessage-deflate; level=9"], None),
        ],
    )
    def test_the_first_offer_that_can_be_kept_is_answered(
        self, offers: list[str], answer: str | None
    ) -> None:
        headers = CIMultiDict([("Sec-WebSocket-Extensions", offer) for offer in offers])
        assert negotiate_deflate(headers) == answer

    @pytest.mark.parametrize(
        "offer",
        [
            'a; b="c, permessage-deflate"',
            "permessage deflate",
            "permessage-deflate;",
            "a;b=",
            'a;b="',
            'a;b="c d"',
            "a=b",
            "\x00",
            "ä",
        ],
    )
    def test_what_is_no_list_of_extensions_is_refused(self, offer: str) -> None:
        refusal = negotiate_deflate(CIMultiDict({"Sec-WebSocket-Extensions": offer}))
        assert isinstance(refusal, Refusal)
        assert refusal.status == 400
        assert offer not in refusal.text

    @given(st.text(alphabet='aä;=," \\\t', max_size=40))
    def test_any_header_is_answered(self, offer: str) -> None:
        answer = negotiate_deflate(CIMultiDict({"Sec-WebSocket-Extensions": offer}))
        assert answer is None or isinstance(answer, Refusal)


class TestSettings:
    def test_it_is_off_as_shipped(self) -> None:
        assert WebSocketSettings().deflate is None

    def test_connections_of_the_same_settings_share_frames_and_others_do_not(self) -> None:
        settings, others = (WebSocketSettings(permessage_deflate=True) for _ in range(2))
        assert settings.deflate is not None
        assert settings.deflate is settings.deflate
        assert settings.deflate != others.deflate

    @pytest.mark.parametrize(("limit", "is_right"), [(299, False), (300, True), (301, True)])
    def test_a_limit_below_the_threshold_is_a_mistake(self, limit: int, is_right: bool) -> None:
        if is_right:
            WebSocketSettings(compression_threshold=300, compression_limit=limit)
        else:
            with pytest.raises(ValueError, match="compressionLimit is below compressionThreshold"):
                WebSocketSettings(compression_threshold=300, compression_limit=limit)

    @pytest.mark.parametrize(("threshold", "is_right"), [(0, False), (1, True), (2, True)])
    def test_a_threshold_is_at_least_one_byte(self, threshold: int, is_right: bool) -> None:
        if is_right:
            WebSocketSettings(compression_threshold=threshold)
        else:
            with pytest.raises(ValueError, match="compression_threshold"):
                WebSocketSettings(compression_threshold=threshold)
