"""pytest fixtures: hosts in a thread of their own, so that any test can use them, asynchronous or not.

No plugin for asyncio is needed, and none is in the way: what runs here has its own event loop. Everything
ends with its test. For a host in the test's own loop write ``async with serve(...)`` instead.
pytest loads this file in every run of who has wsf installed: what a fixture needs, it imports itself.
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest

if TYPE_CHECKING:
    from wsf.testing import FlakyLink, ServedAddress, StalledClient

__all__ = ("WsfLoop", "wsf_connect", "wsf_link", "wsf_loop", "wsf_serve", "wsf_stalled_client")

T = TypeVar("T")

#: s that anything here may take before the test is failed
TIMEOUT: Final = 60.0


class WsfLoop:
    """An event loop in a thread of its own, and what was opened in it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._stack = AsyncExitStack()
        self._thread = threading.Thread(target=self.loop.run_forever, name="wsf", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there, and wait for what it returns or raises. Not from that loop itself."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(TIMEOUT)

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function there: ``wsf_loop.call(link.cut)``."""

        async def called() -> T:
            return function(*arguments)

        return self.run(called())

    def enter(self, context: AbstractAsyncContextManager[T]) -> T:
        """Open something there that ends with the test."""
        return self.run(self._stack.enter_async_context(context))

    def end(self) -> None:
        """End everything, the last first, then the loop."""
        try:
            self.run(self._stack.aclose())
            self.run(self.loop.shutdown_asyncgens())
            self.run(self.loop.shutdown_default_executor())
        finally:
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(TIMEOUT)
            self.loop.close()


@pytest.fixture
def wsf_loop() -> Iterator[WsfLoop]:
    """Where the other fixtures run what they open."""
    loop = WsfLoop()
    try:
        yield loop
    finally:
        loop.end()


@pytest.fixture
def wsf_serve(wsf_loop: WsfLoop) -> "Callable[..., ServedAddress]":
    """``address = wsf_serve(Service)``: see ``wsf.testing.serve``."""
    from wsf.testing import serve  # noqa: PLC0415 - see above

    return lambda *arguments, **settings: wsf_loop.enter(serve(*arguments, **settings))


@pytest.fixture
def wsf_link(wsf_loop: WsfLoop) -> "Callable[[str], FlakyLink]":
    """``link = wsf_link(address)``: see ``wsf.testing.flaky_link``; ``wsf_loop.call(link.cut)``."""
    from wsf.testing import flaky_link  # noqa: PLC0415 - see above

    return lambda address: wsf_loop.enter(flaky_link(address))


@pytest.fixture
def wsf_stalled_client(wsf_loop: WsfLoop) -> "Callable[..., StalledClient]":
    """See ``wsf.testing.stalled_client``; ``wsf_loop.run(client.send(...))``."""
    from wsf.testing import stalled_client  # noqa: PLC0415 - see above

    return lambda *arguments, **settings: wsf_loop.enter(stalled_client(*arguments, **settings))


@pytest.fixture
def wsf_connect() -> Callable[..., Any]:
    """``async with wsf_connect(Contract, address, callback) as service``: see ``wsf.testing.connect``."""
    from wsf.testing import connect  # noqa: PLC0415 - see above

    return connect
