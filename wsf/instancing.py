"""Which service object takes a message, and how long it lives. WCF: InstanceBehavior, InstanceContext."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from wsf.behaviors import ConcurrencyMode, InstanceContextMode
from wsf.concurrency import instance_gate
from wsf.throttling import Gate

__all__ = ("InstanceContext", "InstanceProvider", "PerCall", "PerSession", "Single", "instancing_for")


class InstanceContext:
    """A service object and the gate in front of it. WCF: InstanceContext."""

    __slots__ = ("gate", "instance")

    def __init__(self, instance: Any, gate: Gate) -> None:
        self.instance = instance
        self.gate = gate


class InstanceProvider(ABC):
    """One instancing mode. Made once for a host; a session keeps what it needs in its own context.

    Args:
        create: Makes a service object.
        mode: Decides the gate of each.
    """

    def __init__(self, create: Callable[[], Any], mode: ConcurrencyMode) -> None:
        self._create = create
        self._mode = mode

    @abstractmethod
    def for_call(self, of_session: InstanceContext | None) -> InstanceContext:
        """The context for the next call of a session that had ``of_session`` for the one before it."""

    async def end_of_call(self, context: InstanceContext) -> None:  # noqa: B027 - most modes keep their object
        """An operation has ended."""

    async def end_of_session(self, context: InstanceContext | None) -> None:  # noqa: B027 - the same
        """A session has ended; ``context`` is the last it had."""

    async def end_of_host(self) -> None:  # noqa: B027 - the same
        """The host has closed."""

    def _new(self) -> InstanceContext:
        return InstanceContext(self._create(), instance_gate(self._mode))


class Single(InstanceProvider):
    """One object for the host. One made by class is created with the host and released with it."""

    def __init__(self, create: Callable[[], Any], mode: ConcurrencyMode, *, owned: bool = True) -> None:
        super().__init__(create, mode)
        self._context = self._new()
        self._owned = owned

    def for_call(self, of_session: InstanceContext | None) -> InstanceContext:
        """Always the same."""
        return self._context

    async def end_of_host(self) -> None:
        """Release the object, unless somebody else made it."""
        if self._owned:
            await _release(self._context.instance)


class PerSession(InstanceProvider):
    """One object for each session, made at its first message, released at its end."""

    def for_call(self, of_session: InstanceContext | None) -> InstanceContext:
        """The session's own."""
        return of_session or self._new()

    async def end_of_session(self, context: InstanceContext | None) -> None:
        """Release the session's object."""
        if context is not None:
            await _release(context.instance)


class PerCall(InstanceProvider):
    """One object for each call."""

    def for_call(self, of_session: InstanceContext | None) -> InstanceContext:
        """A new one."""
        return self._new()

    async def end_of_call(self, context: InstanceContext) -> None:
        """Release the call's object."""
        await _release(context.instance)


def instancing_for(
    mode: InstanceContextMode, concurrency: ConcurrencyMode, create: Callable[[], Any], *, owned: bool = True
) -> InstanceProvider:
    """The provider of a mode. ``owned``: whether a SINGLE object is ours to release."""
    if mode is InstanceContextMode.SINGLE:
        return Single(create, concurrency, owned=owned)
    return (PerSession if mode is InstanceContextMode.PER_SESSION else PerCall)(create, concurrency)


async def _release(instance: Any) -> None:
    """What .NET calls Dispose: ``aclose()`` or ``close()``, if the object has one."""
    aclose = getattr(instance, "aclose", None)
    if aclose is not None:
        await aclose()
    elif (close := getattr(instance, "close", None)) is not None:
        close()
