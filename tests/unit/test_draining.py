"""How long a host waits between two batches of clients; the deadline stays."""

import math

import pytest

from wsf.draining import TELLING_PART, DrainSettings


@pytest.mark.parametrize(("sessions", "pause"), [(0, 0), (1, 0), (99, 0), (100, 0), (101, 0.2), (201, 0.2)])
def test_a_host_with_one_batch_waits_for_nothing(sessions: int, pause: float) -> None:
    assert DrainSettings().pause(sessions, close_timeout=10) == pause


@pytest.mark.parametrize(("sessions", "pauses"), [(2600, 25), (2601, 26), (2701, 27), (100_001, 1000)])
def test_all_are_told_within_half_of_close_timeout(sessions: int, pauses: int) -> None:
    """25 pauses of 0.2 s are half of 10 s: one more, and each is shorter."""
    pause = DrainSettings().pause(sessions, close_timeout=10)
    assert pause <= 0.2
    assert (pause < 0.2) is (pauses > 25)
    assert pause * pauses == pytest.approx(TELLING_PART * 10)


def test_a_host_that_may_take_any_time_takes_its_batches_time() -> None:
    assert DrainSettings().pause(1_000_000, close_timeout=math.inf) == 0.2


@pytest.mark.parametrize("close_timeout", [0, 10, math.inf])
def test_an_interval_of_0_is_no_pause(close_timeout: float) -> None:
    assert DrainSettings(batch_interval=0).pause(1000, close_timeout) == 0


@pytest.mark.parametrize(
    "wrong", [{"batch_size": 0}, {"batch_interval": -1}, {"batch_interval": math.inf}], ids=str
)
def test_what_would_tell_nobody_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the configuration shows attrs' own words with their place
        DrainSettings(**wrong)  # type: ignore[arg-type]
