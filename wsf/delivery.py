"""Delivery: what becomes of a message for a client that does not keep up. Part of the contract.

A callback operation says it once: ``@operation_contract(is_one_way=True, delivery=Delivery.DROP_OLDEST)``. As
long as a client takes what it is sent, all of them are the same. Not in WCF, whose sends block.
"""

from collections.abc import Callable, Hashable
from enum import Enum
from typing import Any, ClassVar

from attrs import define, field, frozen

__all__ = ("Delivery", "DeliveryMode", "Outlet")


class DeliveryMode(Enum):
    """What gives way when a client's outbox is full."""

    DISCONNECT = "disconnect"
    DROP_OLDEST = "dropOldest"
    DROP_NEWEST = "dropNewest"
    LATEST = "latest"
    BLOCK = "block"


@frozen
class Delivery:
    """What becomes of an operation's messages for a client whose outbox is full.

    ``Delivery.DISCONNECT``, the default: the client is cut, with 1013 if that can still be sent; its channel
    is FAULTED. Nothing is lost without its knowing.
    ``Delivery.DROP_OLDEST``: the operation's oldest waiting messages make room.
    ``Delivery.DROP_NEWEST``: the new message is dropped, what waits stays.
    ``Delivery.latest("symbol")``: conflation: a message takes the place of the one with the same key that
    still waits. Over a bound all the same, the client is cut.
    ``Delivery.block(5)``: the caller waits for room, at most so many seconds, then the client is cut. WCF's
    own way. Not for a ``CallbackGroup``: one client would hold up the others.

    Attributes:
        mode: Which of them it is.
        key: LATEST's: the name of a parameter, perhaps with attributes of it (``"quote.symbol"``), or a
            function of the operation's arguments; None: all of the operation's messages have the same key.
        timeout: BLOCK's, in s.
    """

    mode: DeliveryMode
    key: str | Callable[..., Hashable] | None = None
    timeout: float = 0.0

    DISCONNECT: ClassVar["Delivery"]
    DROP_OLDEST: ClassVar["Delivery"]
    DROP_NEWEST: ClassVar["Delivery"]

    @classmethod
    def latest(cls, key: str | Callable[..., Hashable] | None = None) -> "Delivery":
        """A newer value takes the place of the one that still waits under the same key.

        Raises:
            TypeError: ``key`` is neither a name nor a function.
        """
        given: Any = key
        if not (given is None or callable(given) or (isinstance(given, str) and given)):
            raise TypeError(f"a key is a parameter's name or a function of the arguments, not {given!r}")
        return cls(DeliveryMode.LATEST, key=key)

    @classmethod
    def block(cls, timeout: float) -> "Delivery":
        """The caller waits for room, at most ``timeout`` s.

        Raises:
            ValueError: ``timeout`` is not positive.
        """
        if not timeout > 0:
            raise ValueError(f"block({timeout}): the timeout is in seconds, and positive")
        return cls(DeliveryMode.BLOCK, timeout=timeout)

    def __str__(self) -> str:
        """As an operator reads it."""
        return f"block({self.timeout:g})" if self.mode is DeliveryMode.BLOCK else self.mode.value


Delivery.DISCONNECT = Delivery(DeliveryMode.DISCONNECT)
Delivery.DROP_OLDEST = Delivery(DeliveryMode.DROP_OLDEST)
Delivery.DROP_NEWEST = Delivery(DeliveryMode.DROP_NEWEST)


@define(eq=False)
class Outlet:
    """What the messages of one callback operation have in common on their way out: one for each host.

    Attributes:
        operation: ``Contract.method``, for counters and log lines.
        delivery: What gives way.
        max_bytes, max_messages: The operation's own bounds, within those of the outbox; None: just those.
        is_plain: Whether its messages need no account: the outbox's bounds, and over them the end.
    """

    operation: str
    delivery: Delivery = Delivery.DISCONNECT
    max_bytes: int | None = None
    max_messages: int | None = None
    is_plain: bool = field(init=False, default=True)

    def __attrs_post_init__(self) -> None:
        has_bounds = self.max_bytes is not None or self.max_messages is not None
        is_kept = self.delivery.mode in (DeliveryMode.DISCONNECT, DeliveryMode.BLOCK)
        self.is_plain = is_kept and not has_bounds
