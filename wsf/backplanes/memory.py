"""The groups of one process: a call is handed on at once, as the very same object."""

from wsf.backplanes import GroupCall, Receive

__all__ = ("MemoryBackplane",)


class MemoryBackplane:
    """See ``Backplane``. Nothing is kept of a topic that nobody subscribes to."""

    def __init__(self) -> None:
        self._subscribers: dict[str, list[Receive]] = {}

    @property
    def topics(self) -> tuple[str, ...]:
        """Those that somebody subscribes to."""
        return tuple(self._subscribers)

    def subscribe(self, topic: str, receive: Receive) -> None:
        """See ``Backplane``."""
        self._subscribers.setdefault(topic, []).append(receive)

    def unsubscribe(self, topic: str, receive: Receive) -> None:
        """See ``Backplane``."""
        subscribers = self._subscribers.get(topic, [])
        if receive in subscribers:
            subscribers.remove(receive)
        if not subscribers:
            self._subscribers.pop(topic, None)

    async def publish(self, topic: str, call: GroupCall, publisher: Receive | None = None) -> None:
        """See ``Backplane``."""
        for receive in tuple(self._subscribers.get(topic, ())):
            if receive != publisher:
                receive(call)
