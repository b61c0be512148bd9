"""What every test needs: the rule for missing tools, and the watch over what a test leaves behind."""

import asyncio
import inspect
import logging
import os
from collections.abc import AsyncIterator, Iterator
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tests.clock import Clock
from tests.doubles import DEADLINE

__all__ = ("require_tool",)

_Found = TypeVar("_Found")


def require_tool(name: str, found: _Found | None, *, why_not: str = "it is not on this machine") -> _Found:
    """``found``, which this test cannot do without.

    A machine that lacks the tool skips the test and says so at the end of the run; where the comma-separated
    ``WSF_REQUIRE`` lists ``name``, as in CI, the test fails instead.
    """
    if found:
        return found
    if name in os.environ.get("WSF_REQUIRE", "").split(","):
        pytest.fail(f"WSF_REQUIRE asks for {name}: {why_not}", pytrace=False)
    # the one skip of the suite: a user's machine need not have Chromium or Python 2.7
    pytest.skip(f"needs {name}: {why_not}")


class _HeavyTogether(LoadScopeScheduling):
    """Tests that drive programs as heavy as themselves start first, one after the other, on one worker.

    Every other test goes to whichever worker is free.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "heavy" if nodeid.startswith(("tests/browser/", "tests/interop/")) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    return _HeavyTogether(config, log) if config.getoption("dist") == "load" else None


@pytest.fixture
async def clock() -> Clock:
    """The clock of this test's event loop."""
    return Clock()


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is one too many has as much time to be told 503 as a busy machine may need."""
    monkeypatch.setattr("wsf.transports._requests.REFUSAL_TIMEOUT", DEADLINE)


@pytest.fixture(autouse=True)
def _tasks_end(request: pytest.FixtureRequest) -> None:
    if inspect.iscoroutinefunction(getattr(request, "function", None)):
        request.getfixturevalue("_tasks_end_with_their_test")


@pytest.fixture
async def _tasks_end_with_their_test() -> AsyncIterator[None]:
    """Fail a test that leaves a task running; set up first, so that all other fixtures are gone by then."""
    yield
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=DEADLINE)
    for task in left:
        task.cancel()
    assert not left, f"tasks outlive the test: {left}"


class _Complaints(logging.Handler):
    """What asyncio says of an exception that nobody awaited: it can only log it, and no test would notice."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(self.format(record))

    def take(self) -> str:
        heard, self.heard = self.heard, []
        return "\n".join(heard)


_complaints = _Complaints()


def pytest_configure() -> None:
    # an example takes as long as the machine needs: pytest's own timeout is the bound of a test
    settings.register_profile("wsf", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("wsf")
    logging.getLogger("asyncio").addHandler(_complaints)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown() -> Iterator[None]:
    """Runs around the whole teardown, so that the end of the event loop is heard too."""
    try:
        yield
    finally:
        heard = _complaints.take()
    if heard:
        pytest.fail(f"asyncio complains:\n{heard}", pytrace=False)
