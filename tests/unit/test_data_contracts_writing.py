"""The laws of what is written."""

import pytest

from tests.data_contracts import Closed, Inner, Values
from wsf.data_contracts import write
from wsf.errors import SerializationError


def test_what_is_written_is_compact_utf_8_with_no_more_escapes_than_json_asks_for() -> None:
    # deviations: WCF escapes the slash, every surrogate pair and U+2028
    assert (
        write(Closed('/é€😀\u2028\x7f"\\\n\x01'))
        == '{"nickname":"/é€😀\u2028\x7f\\"\\\\\\n\\u0001"}'.encode()
    )


@pytest.mark.parametrize(
    ("instance", "path"),
    [
        (Closed("\ud800"), r"Closed: \$\.nickname: "),
        (
            Values(d=float("nan")),
            r"Values: \$\.d: JSON has no nan",
        ),  # deviation: WCF writes NaN, which is not JSON
        (Values(o=[float("-inf")]), r"Values: \$\.o\[0\]: JSON has no -inf"),
        (Values(ln=[Inner(next=Inner(x="\ud800"))]), r"Values: \$\.ln\[0\]\.next\.x: "),  # type: ignore[arg-type]
    ],
)
def test_what_json_cannot_say_is_the_writers_fault(instance: object, path: str) -> None:
    with pytest.raises(ValueError, match="^" + path) as caught:
        write(instance)
    assert not isinstance(caught.value, SerializationError)


def test_a_cycle_is_refused_in_one_line() -> None:
    ring = Inner()
    ring.next = ring
    with pytest.raises(ValueError, match=r"^Inner: \$\.\.\..*nested too deeply$"):
        write(ring)
