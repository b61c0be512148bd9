"""One spelling for each kind of scalar; nothing is guessed."""

import contextlib
import math
from enum import Enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsf.configuration import scalars
from wsf.configuration.addresses import Address, absolute, is_relative, joined
from wsf.configuration.words import MAX_QUOTED, camel_case, did_you_mean, quoted


class Usage(Enum):
    ALWAYS = "Always"
    WHEN_DUPLEX = "WhenDuplex"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("00:00:00", 0),
        ("00:01:00", 60),
        ("23:59:59", 86399),
        ("1.00:00:00", 86400),
        ("2.03:04:05.5", 183845.5),
        ("00:00:00.0000001", 1e-7),
        ("Infinite", math.inf),
        ("10675199.02:48:05.4775807", math.inf),
        ("500ms", 0.5),
        ("30s", 30),
        ("1.5m", 90),
        ("2h", 7200),
        ("0s", 0),
    ],
)
def test_durations_are_wcfs_or_a_number_with_its_unit(text: str, seconds: float) -> None:
    assert scalars.duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", "30", "1:00", "01:00", "24:00:00", "00:60:00", "00:00:60", "-1s", "-00:00:01", "30 s", "30S", "1d",
     "1e3s", "infinite", "٣s", "10 apples", "00:01:00 ", "1.5", "9" * 13 + "s", "00:00:00.12345678"],
)  # fmt: skip
def test_other_durations_are_refused_with_the_way_to_write_them(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration: write hh:mm:ss, 30s or Infinite$"):
        scalars.duration(text)


@pytest.mark.parametrize(
    ("text", "count"), [("0", 0), ("65536", 65536), ("64KiB", 65536), ("1MiB", 1048576), ("2GiB", 2147483648)]
)
def test_sizes_are_bytes_or_powers_of_two(text: str, count: int) -> None:
    assert scalars.byte_count(text) == count


@pytest.mark.parametrize(
    "text", ["", "64kB", "64KB", "64K", "64kib", "64 KiB", "-1", "+1", "1.5MiB", "0x10", "1_000", "٣"]
)
def test_sizes_that_may_mean_two_things_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size: write bytes, as 65536 or 64KiB"):
        scalars.byte_count(text)


def test_booleans_are_true_and_false_and_nothing_else() -> None:
    for text in ("true", "True", "TRUE"):
        assert scalars.boolean(text) is True
    assert scalars.boolean("false") is False
    for text in ("truth", "yes", "on", "1", "", " true"):
        with pytest.raises(ValueError, match="is neither true nor false"):
            scalars.boolean(text)


@pytest.mark.parametrize("text", ["", "1.0", "1e3", " 1", "0x1", "1_0", "٣", "9" * 19, "--1", "true"])
def test_whole_numbers_are_digits(text: str) -> None:
    assert (scalars.integer("0"), scalars.integer("-5"), scalars.integer("+7")) == (0, -5, 7)
    with pytest.raises(ValueError, match="is not a whole number"):
        scalars.integer(text)


@pytest.mark.parametrize("text", ["", "1e3", "nan", "inf", ".5", "1.", "1,5"])
def test_numbers_are_digits_with_a_point(text: str) -> None:
    assert (scalars.number("1"), scalars.number("-0.25")) == (1.0, -0.25)
    with pytest.raises(ValueError, match="is not a number"):
        scalars.number(text)


def test_the_words_of_an_enumeration_are_its_values_in_their_own_case() -> None:
    assert scalars.member(Usage, "Always") is Usage.ALWAYS
    with pytest.raises(
        ValueError, match=r"^'always' is not Always or WhenDuplex \(did you mean 'Always'\?\)$"
    ):
        scalars.member(Usage, "always")
    with pytest.raises(ValueError, match=r"^'ALWAYS_ON' is not Always or WhenDuplex"):
        scalars.member(Usage, "ALWAYS_ON")


@given(st.text())
def test_no_text_raises_anything_but_value_error(text: str) -> None:
    for read in (
        scalars.boolean,
        scalars.byte_count,
        scalars.duration,
        scalars.integer,
        scalars.number,
        absolute,
    ):
        with contextlib.suppress(ValueError):
            read(text)


@given(st.from_regex(r"[0-9]{1,3}\.[01][0-9]:[0-5][0-9]:[0-5][0-9]", fullmatch=True))
def test_a_duration_is_the_sum_of_its_parts(text: str) -> None:
    days, clock = text.split(".")
    hours, minutes, seconds = map(int, clock.split(":"))
    assert scalars.duration(text) == ((int(days) * 24 + hours) * 60 + minutes) * 60 + seconds


def test_an_address_has_a_scheme_a_host_and_maybe_port_and_path() -> None:
    assert absolute("http://localhost:8004/chat") == Address("http", "localhost", 8004, "/chat")
    assert absolute("HTTP://+/") == Address("http", "+", None, "/")
    assert absolute("https://[::1]:0") == Address("https", "[::1]", 0, "")


@pytest.mark.parametrize(
    "text", ["", "chat", "/chat", "http:/x", "http://", "localhost:8004/chat", "http://a b/", "http://a/?q", "http://a/#f",
             "http://u@h/", "http://h:port/", "http://h:123456/", "http://::1/", "://h/"],
)  # fmt: skip
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not an address: write http://host:port/path"):
        absolute(text)


def test_a_port_over_65535_is_refused() -> None:
    assert absolute("http://h:65535").port == 65535
    with pytest.raises(ValueError, match="has a port over 65535"):
        absolute("http://h:65536")


def test_a_websocket_address_is_refused_with_the_http_address_to_write() -> None:
    with pytest.raises(
        ValueError, match=r"^write 'https://h:1/p': what listens is HTTP, and clients connect to wss://$"
    ):
        absolute("wss://h:1/p")


@pytest.mark.parametrize(
    ("base", "relative", "address"),
    [
        ("http://h/a", "b", "http://h/a/b"),
        ("http://h/a/", "b", "http://h/a/b"),
        ("http://h/a", "/b", "http://h/a/b"),
        ("http://h/a//", "//b/c", "http://h/a/b/c"),
        ("http://h", "b", "http://h/b"),
        ("http://h/a/", "", "http://h/a/"),
    ],
)
def test_a_relative_address_is_under_its_base_with_one_slash_between(
    base: str, relative: str, address: str
) -> None:
    assert is_relative(relative)
    assert joined(base, relative) == address


def test_the_nearest_word_is_found_whatever_its_case() -> None:
    assert did_you_mean("BINDNG", ["binding", "contract"]) == " (did you mean 'binding'?)"
    assert did_you_mean("zebra", ["binding", "contract"]) == ""
    assert did_you_mean("a" * 10_000, ["a" * 9_999]) == ""


@given(st.text())
def test_quoted_text_is_one_short_printable_line(text: str) -> None:
    assert quoted(text).isprintable()
    assert len(quoted(text[:MAX_QUOTED])) <= 10 * MAX_QUOTED + 2


def test_fields_are_camel_case_in_files() -> None:
    assert camel_case("close_timeout") == "closeTimeout"
    assert camel_case("x509_find_type") == "x509FindType"
    assert camel_case("_private_name") == "privateName"
    assert camel_case("name") == "name"
