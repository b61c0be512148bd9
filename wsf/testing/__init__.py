"""For the tests of your own services: real hosts, real sockets, free ports, bad links; nothing sleeps.

::

    async with serve(TickerService) as address:
        async with connect(Ticker, address, Watcher()) as ticker:
            assert await ticker.subscribe("MSFT") == 2

The same as pytest fixtures is in ``wsf.pytest_plugin``, which pytest finds by itself.
"""

from wsf.testing.links import FlakyLink, flaky_link
from wsf.testing.serving import ServedAddress, connect, serve
from wsf.testing.stalled import StalledClient, stalled_client

__all__ = ("FlakyLink", "ServedAddress", "StalledClient", "connect", "flaky_link", "serve", "stalled_client")
