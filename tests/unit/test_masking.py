"""Masked frames are what a server reads: by the RFC's own algorithm, byte for byte."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wsf.transports._frames import encode_frame
from wsf.transports._masking import masked

OPCODES = st.sampled_from([1, 2, 8, 9, 10])
SIZES = st.one_of(st.integers(0, 300), st.sampled_from([125, 126, 127, 65535, 65536, 65537]))


def unmasked(data: bytes) -> list[tuple[int, bytes, bytes]]:
    """Opcode, key and payload of each frame (RFC 6455 section 5.3, as it stands there)."""
    frames: list[tuple[int, bytes, bytes]] = []
    at = 0
    while at < len(data):
        assert data[at + 1] & 0x80, "a client's frame is masked"
        size, head = data[at + 1] & 0x7F, 2
        if size >= 126:
            width = 2 if size == 126 else 8
            size, head = int.from_bytes(data[at + 2 : at + 2 + width]), 2 + width
        key = data[at + head : at + head + 4]
        payload = data[at + head + 4 : at + head + 4 + size]
        assert len(payload) == size
        frames.append((data[at], key, bytes(byte ^ key[i % 4] for i, byte in enumerate(payload))))
        at += head + 4 + size
    return frames


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(st.tuples(OPCODES, SIZES), max_size=5), st.randoms())
def test_a_server_reads_what_was_written(sizes, random) -> None:
    frames = [(opcode, random.randbytes(size)) for opcode, size in sizes]
    data = b"".join(encode_frame(opcode, payload) for opcode, payload in frames)
    assert [(first & 0x0F, payload) for first, _, payload in unmasked(masked(data))] == frames


def test_no_two_frames_have_the_same_key() -> None:
    data = encode_frame(1, b"hello") * 100
    keys = {key for _, key, _ in unmasked(masked(data) + masked(data))}
    assert len(keys) > 190  # of 200, drawn from 2^32
