"""When a client tries again: within its bounds, at random, and not after what is final."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsf.client import ReconnectSettings
from wsf.client.backoff import Backoff, is_final, is_worth_another_try
from wsf.communication_object import CloseStatus, CommunicationState
from wsf.errors import (
    ConnectError,
    EndpointNotFoundError,
    OpenTimeoutError,
    SecurityNegotiationError,
    ServerTooBusyError,
    UpgradeRefusedError,
)

SETTINGS = ReconnectSettings(initial_delay=1, max_delay=30)


@given(st.integers(1, 60))
def test_the_wait_is_drawn_from_all_of_a_range_that_doubles_up_to_its_cap(attempts: int) -> None:
    ranges: list[tuple[float, float]] = []

    def uniform(low: float, high: float) -> float:
        ranges.append((low, high))
        return high

    backoff = Backoff(SETTINGS, uniform)
    waits = [backoff.next() for _ in range(attempts)]
    assert ranges == [(0, min(30, 2.0**n)) for n in range(attempts)]
    assert waits == [high for _, high in ranges]


def test_so_many_attempts_and_no_more() -> None:
    backoff = Backoff(ReconnectSettings(max_attempts=3))
    assert [backoff.next() is None for _ in range(5)] == [False, False, False, True, True]


@pytest.mark.parametrize(("lasted", "is_anew"), [(29.9, False), (30, False), (30.1, True)])
def test_a_session_that_lasted_begins_the_count_anew(lasted: float, is_anew: bool) -> None:
    backoff = Backoff(SETTINGS)
    backoff.next()
    backoff.after(lasted)
    assert backoff.attempts == (0 if is_anew else 1)


@pytest.mark.parametrize(("asked", "wait"), [(None, 0), (7, 7), (3600, 30)])
def test_what_the_service_asks_for_is_the_least_within_the_cap(asked: float | None, wait: float) -> None:
    backoff = Backoff(SETTINGS, lambda low, _: low)
    assert backoff.next(ServerTooBusyError("x", 503, asked)) == wait


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (EndpointNotFoundError("x"), False),
        (OpenTimeoutError("x"), False),
        (ConnectError("x"), False),
        (ServerTooBusyError("x", 503), False),
        (UpgradeRefusedError("x", 502), False),
        (UpgradeRefusedError("x", 401), True),
        (UpgradeRefusedError("x", 403), True),
        (UpgradeRefusedError("x", 101), True),
        (SecurityNegotiationError("x"), True),
        (OSError("the token provider's"), False),
        (TypeError("the token provider gave str"), True),
    ],
)
def test_what_is_final(error: Exception, final: bool) -> None:
    assert is_final(error) is final


@pytest.mark.parametrize(
    ("state", "status", "again"),
    [
        (CommunicationState.FAULTED, CloseStatus(1006, "", "host"), True),
        (CommunicationState.FAULTED, CloseStatus(1013, "slow", "client"), True),
        (CommunicationState.CLOSED, CloseStatus(1001, "", "host"), True),
        (CommunicationState.CLOSED, CloseStatus(1011, "", "host"), True),
        (CommunicationState.CLOSED, CloseStatus(1012, "", "host"), True),
        (CommunicationState.CLOSED, CloseStatus(1013, "", "host"), True),
        (CommunicationState.CLOSED, CloseStatus(1000, "", "host"), False),
        (CommunicationState.CLOSED, CloseStatus(1008, "", "host"), False),
        (CommunicationState.CLOSED, CloseStatus(4000, "", "host"), False),
        (CommunicationState.CLOSED, CloseStatus(1001, "idle", "client"), False),
        (CommunicationState.CLOSED, None, False),
    ],
)
def test_who_comes_back(state: CommunicationState, status: CloseStatus | None, again: bool) -> None:
    assert is_worth_another_try(state, status) is again
