"""The framework's own timers. A leaf."""

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

__all__ = ("call_later",)


def call_later(
    loop: asyncio.AbstractEventLoop, seconds: float, callback: Callable[..., object], *arguments: Any
) -> asyncio.TimerHandle:
    """Call that then, in a context of its own.

    A timer keeps its context until it would have been due, though it were cancelled long before. By default
    that is the context of who makes it: of an operation, and so its whole session.
    """
    # one for each: two loops in two threads cannot be in the same
    return loop.call_later(seconds, callback, *arguments, context=contextvars.Context())
