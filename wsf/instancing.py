"""Which service object takes a message, and how long it lives. WCF: InstanceBehavior, InstanceContext."""

import asyncio
from abc import ABC, abstractmethod
from typing import Any, ClassVar, Protocol

from wsf.behaviors import ConcurrencyMode, InstanceContextMode
from wsf.concurrency import InstanceLock
from wsf.extension_collection import ExtensionCollection
from wsf.message import Message
from wsf.throttling import UNLIMITED, Gate

__all__ = (
    "ClassInstanceProvider",
    "InstanceContext",
    "InstanceProvider",
    "Instancing",
    "PerCall",
    "PerSession",
    "Single",
    "instancing_for",
)


class InstanceContext:
    """A service object's place: the object once there is one, and the lock in front of it.

    Attributes:
        host: The ServiceHost. WCF: ``InstanceContext.Host``.
        instance: The service object; None before the first call.

    WCF: InstanceContext.
    """

    __slots__ = ("_extensions", "has_place", "host", "instance", "is_active", "lock", "opening")

    def __init__(self, host: Any, lock: InstanceLock) -> None:
        self.host = host
        self.lock = lock
        self.instance: Any = None
        self.is_active = False
        self.has_place = False
        self.opening: asyncio.Lock | None = None
        self._extensions: ExtensionCollection | None = None

    @property
    def extensions(self) -> ExtensionCollection:
        """What others keep with this object. WCF: ``Extensions``."""
        if self._extensions is None:
            self._extensions = ExtensionCollection(self)
        return self._extensions


class InstanceProvider(Protocol):
    """Makes and takes back service objects; both may be ``async``. A place for any container of dependencies.

    WCF: IInstanceProvider.
    """

    def get_instance(self, context: InstanceContext, message: Message) -> Any:
        """The service object for a session (PER_SESSION), a call (PER_CALL) or the host (SINGLE).

        ``message`` is the one that asks for it; for SINGLE an empty one.
        """
        ...

    def release_instance(self, context: InstanceContext, instance: Any) -> Any:
        """The object's session, call or host has ended."""
        ...


class ClassInstanceProvider:
    """The class itself makes its objects: without arguments.

    An async context manager is entered and left, any other object is released by ``aclose()`` or ``close()``,
    if it has one. WCF: what calls the default constructor, and IDisposable.Dispose.
    """

    def __init__(self, service: type[Any]) -> None:
        self._service = service

    def create(self) -> Any:
        """An object that nobody has entered yet."""
        return self._service()

    async def enter(self, instance: Any) -> Any:
        """Enter an async context manager."""
        if hasattr(type(instance), "__aenter__"):
            await instance.__aenter__()
        return instance

    def get_instance(self, context: InstanceContext, message: Message) -> Any:
        """See ``InstanceProvider``."""
        instance = self.create()
        return self.enter(instance) if hasattr(type(instance), "__aenter__") else instance

    async def release_instance(self, context: InstanceContext, instance: Any) -> None:
        """See ``InstanceProvider``."""
        if hasattr(type(instance), "__aexit__"):
            await instance.__aexit__(None, None, None)
            return
        release = getattr(instance, "aclose", None) or getattr(instance, "close", None)
        if release is not None:
            await _maybe_awaited(release())


class Instancing(ABC):
    """One instancing mode. Made once for a host; a session keeps what it needs in its own context.

    Args:
        provider: Makes the objects.
        mode: Decides the lock of each.
        instances: The throttle of objects that live at a time. WCF: MaxConcurrentInstances.
        host: What contexts are of.
    """

    #: whether an object ends with its call
    ends_with_call: ClassVar[bool] = False

    def __init__(
        self, provider: InstanceProvider, mode: ConcurrencyMode, instances: Gate, host: Any = None
    ) -> None:
        self._provider = provider
        self._mode = mode
        #: whether nobody else can be about to make a context's object: it is a call's own, or behind the lock
        self._is_alone = self.ends_with_call or mode is ConcurrencyMode.SINGLE
        self._instances = instances
        self._host = host

    @abstractmethod
    def for_call(self, of_session: InstanceContext | None) -> InstanceContext:
        """The context for the next call of a session that had ``of_session`` for the one before it."""

    @abstractmethod
    def lock_of(self, of_session: InstanceContext | None) -> InstanceLock | None:
        """The lock that the next call of that session has to pass; None: one of its own."""

    @property
    def calls_limit(self) -> int:
        """How many calls can run at most, each with its object."""
        return UNLIMITED

    def try_reserve(self, context: InstanceContext) -> bool:
        """Take the place that a context's object needs among all, unless it has one, or none is free."""
        if not context.has_place:
            context.has_place = self._instances.try_enter()
        return context.has_place

    async def reserve(self, context: InstanceContext) -> None:
        """Wait for that place, after everybody who came before. It is given back with the object."""
        if not self.try_reserve(context):
            await self._instances.enter()
            context.has_place = True

    async def activate(self, context: InstanceContext, message: Message) -> Any:
        """The object of a context, made now if it is the first to ask. However many ask, it is made once."""
        if not context.is_active and self._is_alone:
            await self._open(context, message)
        elif not context.is_active:
            context.opening = context.opening or asyncio.Lock()
            async with context.opening:
                if not context.is_active:
                    await self._open(context, message)
        return context.instance

    async def start(self) -> None:  # noqa: B027 - most modes make their objects later
        """The host opens."""

    async def end_of_call(self, context: InstanceContext) -> None:  # noqa: B027 - most modes keep their object
        """An operation has ended."""

    async def end_of_session(self, context: InstanceContext | None) -> None:  # noqa: B027 - the same
        """A session has ended; ``context`` is the last it had."""

    async def end_of_host(self) -> None:  # noqa: B027 - the same
        """The host has closed."""

    def _new(self) -> InstanceContext:
        return InstanceContext(self._host, InstanceLock(self._mode))

    async def _open(self, context: InstanceContext, message: Message) -> None:
        if not context.has_place:
            await self.reserve(context)
        context.instance = await _maybe_awaited(self._provider.get_instance(context, message))
        context.is_active = True

    async def _release(self, context: InstanceContext | None) -> None:
        """Release a context's object, if it has one, and give its place back in any case."""
        if context is None:
            return
        was_active, context.is_active = context.is_active, False
        instance, context.instance = context.instance, None
        try:
            if was_active:
                await _maybe_awaited(self._provider.release_instance(context, instance))
        finally:
            if context.has_place:
                context.has_place = False
                self._instances.leave()


class Single(Instancing):
    """One object for the host. One made by class is created with the host and released with it.

    Args:
        instance: The object, if somebody else made it: then it is never released.
    """

    def __init__(
        self,
        provider: InstanceProvider,
        mode: ConcurrencyMode,
        instances: Gate,
        host: Any = None,
        *,
        instance: Any = None,
    ) -> None:
        super().__init__(provider, mode, instances, host)
        self._context = self._new()
        self._is_ours = instance is None
        self._is_entered = instance is not None
        if instance is None and isinstance(provider, ClassInstanceProvider):
            instance = provider.create()
        if instance is not None:
            self._context.instance = instance
            self._context.is_active = self.try_reserve(self._context)

    def for_call(self, of_session: InstanceContext | None) -> InstanceContext:
        """Always the same."""
        return self._context

    def lock_of(self, of_session: InstanceContext | None) -> InstanceLock | None:
        """The one."""
        return self._context.lock

    async def start(self) -> None:
        """Make the object, unless it was made with the host; enter it, if it is an async context manager."""
        if self._is_entered:
            return
        if isinstance(self._provider, ClassInstanceProvider):
            await self._provider.enter(self._context.instance)
        else:
            await self.activate(self._context, Message())
        self._is_entered = True

    async def end_of_host(self) -> None:
        """Release the object, unless somebody else made it; what was never entered is never left."""
        is_half_made = not self._is_entered and hasattr(type(self._context.instance), "__aenter__")
        if self._is_ours and not is_half_made:
            await self._release(self._context)


class PerSession(Instancing):
    """One object for each session, made at its first message, released at its end."""

    def for_call(self, of_session: InstanceContext | None) -> InstanceContext:
        """The session's own."""
        return of_session or self._new()

    def lock_of(self, of_session: InstanceContext | None) -> InstanceLock | None:
        """The session's own."""
        return None if of_session is None else of_session.lock

    async def end_of_session(self, context: InstanceContext | None) -> None:
        """Release the session's object."""
        await self._release(context)


class PerCall(Instancing):
    """One object for each call."""

    ends_with_call: ClassVar[bool] = True

    def for_call(self, of_session: InstanceContext | None) -> InstanceContext:
        """A new one."""
        return self._new()

    def lock_of(self, of_session: InstanceContext | None) -> InstanceLock | None:
        """None: each call has its own."""
        return None

    @property
    def calls_limit(self) -> int:
        """As many as objects may live."""
        return self._instances.limit

    async def end_of_call(self, context: InstanceContext) -> None:
        """Release the call's object."""
        await self._release(context)


def instancing_for(
    mode: InstanceContextMode,
    concurrency: ConcurrencyMode,
    provider: InstanceProvider,
    instances: Gate,
    host: Any = None,
) -> Instancing:
    """The instancing of a mode."""
    kinds: dict[InstanceContextMode, type[Instancing]] = {
        InstanceContextMode.SINGLE: Single,
        InstanceContextMode.PER_SESSION: PerSession,
        InstanceContextMode.PER_CALL: PerCall,
    }
    return kinds[mode](provider, concurrency, instances, host)


async def _maybe_awaited(value: Any) -> Any:
    return await value if hasattr(value, "__await__") else value
