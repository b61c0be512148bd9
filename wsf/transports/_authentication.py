"""Who a client is: the host's ``authenticate`` is asked before the 101, and whatever goes wrong refuses.

The law of this file: it fails closed, in time, and tells the client nothing. An ``authenticate`` that does
not heed its cancellation is left behind, and nobody waits for it.
"""

import asyncio
import logging
from typing import Any, Final

from wsf.counters import Meter
from wsf.errors import AuthenticationError, HandshakeRefusedError
from wsf.transports import Authenticate, UpgradeRequest
from wsf.transports._handshake import Refusal, quoted

__all__ = ("LEFT", "principal_of")

logger = logging.getLogger("wsf.transports")

#: who is gone needs no answer: the status is for the log
LEFT: Final = Refusal(499, "the client left during the handshake")


async def principal_of(
    request: UpgradeRequest,
    authenticate: Authenticate,
    *,
    timeout: float | None,  # noqa: ASYNC109 - it returns a refusal, and does not raise
    gone: "asyncio.Future[None]",
    meter: Meter,
) -> object | Refusal:
    """Whoever ``authenticate`` says that the client is, or why it is not let in.

    Args:
        timeout: s that are left of openTimeout; None: as long as it takes.
        gone: Done when the client is: then there is nobody to ask for.
    """

    async def ask() -> object | None:  # a task of its own: what it does wrong happens in there
        return await authenticate(request)

    asked = asyncio.ensure_future(ask())
    either: set[asyncio.Future[Any]] = {asked, gone}
    try:
        await asyncio.wait(either, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        asked.cancel()
        asked.add_done_callback(_forget)
    if gone.done():
        return LEFT
    if not asked.done():
        meter.authentications_failed += 1
        late = "authenticate took longer than openTimeout"
        return Refusal(503, "this takes too long", late, {"Retry-After": "1"})
    return _outcome(request, asked, meter)


def _outcome(request: UpgradeRequest, asked: "asyncio.Task[object | None]", meter: Meter) -> object | Refusal:
    error = asyncio.CancelledError() if asked.cancelled() else asked.exception()
    if error is None:
        principal = asked.result()
        if principal is not None:
            return principal
        error = AuthenticationError("authenticate returned None")
    if isinstance(error, HandshakeRefusedError):
        meter.authentications_refused += 1
        why = f": {quoted(str(error))}" if str(error) else ""
        if isinstance(error, AuthenticationError):
            text, headers = "not authenticated", {"WWW-Authenticate": error.challenge}
            return Refusal(error.status, text, text + why, headers)
        return Refusal(error.status, "access denied", "access denied" + why)
    meter.authentications_failed += 1
    logger.error("authenticate failed for %s", quoted(request.path), exc_info=error)
    return Refusal(500, "internal error", f"authenticate raised {type(error).__name__}")


def _forget(asked: "asyncio.Task[object | None]") -> None:
    """What becomes of it is nobody's business any more; asyncio would log it as never looked at."""
    if not asked.cancelled():
        asked.exception()
