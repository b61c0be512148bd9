"""The family of backplanes: what carries a group's calls to the groups of the same name elsewhere.

One file, one class: ``memory`` is ``memory.py: MemoryBackplane``. A group serves its own members itself,
whatever its backplane does: what is published goes to the others.
"""

from collections.abc import Callable
from typing import Any, Protocol

from attrs import frozen

from wsf.description import ContractDescription

__all__ = ("Backplane", "GroupCall", "Receive")


@frozen
class GroupCall:
    """One call of a group's operation, as it travels: all that is needed to write it, or to make it again.

    Attributes:
        contract: The callback contract; both sides have it.
        operation: The method's name in it.
        arguments: In order.
    """

    contract: ContractDescription
    operation: str
    arguments: tuple[Any, ...]


#: what a backplane does with a call that has been published: it never waits, and never raises
Receive = Callable[[GroupCall], object]


class Backplane(Protocol):
    """What a backplane is. Everything here is called by the event loop's thread."""

    def subscribe(self, topic: str, receive: Receive) -> None:
        """Have ``receive`` called with what others publish under a topic, in the order of each publisher."""
        ...

    def unsubscribe(self, topic: str, receive: Receive) -> None:
        """Not any more; nothing happens if it was not."""
        ...

    async def publish(self, topic: str, call: GroupCall, publisher: Receive | None = None) -> None:
        """Hand a call to every subscriber of a topic but the publisher itself.

        Raises:
            CommunicationError: It could not be handed on.
        """
        ...
