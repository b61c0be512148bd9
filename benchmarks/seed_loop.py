"""The blog's own loop: the chat with nothing but stored callbacks, called one after the other.

No group, no batch: what a service author writes who knows WCF and nothing else of wsf. What it costs is the
proxy's and the outbox's work for each client.
"""

from chatservice import ChatService, ChatServiceCallback, Chatter
from wsf import (
    DuplexSessionChannel,
    InstanceContextMode,
    Message,
    MessageType,
    OperationContext,
    channel_of,
    service_behavior,
)

__all__ = ("SeedLoop",)


@service_behavior(instance_context_mode=InstanceContextMode.SINGLE)
class SeedLoop(ChatService):
    """Rooms of callbacks by nickname."""

    def __init__(self) -> None:
        self._rooms: dict[str, dict[str, ChatServiceCallback]] = {}

    async def send_message(self, message: Message) -> None:
        """Tell the whole room, the sender too."""
        if message.is_empty:  # the connect notification
            return
        chatter = message.get_body(Chatter)
        room = self._rooms.setdefault(chatter.room, {})
        if chatter.nickname not in room:
            room[chatter.nickname] = self._callback()

        said = Message(message.get_body(bytes), MessageType.TEXT)
        for callback in list(room.values()):
            await callback.receive_message(said)

    def _callback(self) -> ChatServiceCallback:
        callback = OperationContext.current().get_callback_channel(ChatServiceCallback)
        channel = channel_of(callback)
        channel.faulted += self._left
        channel.closed += self._left
        return callback

    def _left(self, channel: DuplexSessionChannel) -> None:
        for room in self._rooms.values():
            for nickname, callback in list(room.items()):
                if channel_of(callback) is channel:
                    del room[nickname]
