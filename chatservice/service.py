"""The chat: a message goes to every client that has spoken in its room."""

from chatservice.chatter import Chatter
from chatservice.contracts import ChatService, ChatServiceCallback
from wsf import (
    CommunicationState,
    DuplexSessionChannel,
    InstanceContextMode,
    Message,
    MessageType,
    OperationContext,
    channel_of,
    service_behavior,
)

__all__ = ("ChatServiceImplementation",)


@service_behavior(
    instance_context_mode=InstanceContextMode.SINGLE,
    configuration_name="ChatService.ChatServiceImplementation",
)
class ChatServiceImplementation(ChatService):
    """Rooms of clients by nickname. A nickname that speaks from a new connection moves there."""

    def __init__(self) -> None:
        self.rooms: dict[str, dict[str, ChatServiceCallback]] = {}

    async def send_message(self, message: Message) -> None:
        """Say something in a room; whoever speaks in a room hears it from then on."""
        if message.is_empty:  # the connect notification
            return

        chatter = message.get_body(Chatter)
        callback = OperationContext.current().get_callback_channel(ChatServiceCallback)

        channel = channel_of(callback)
        channel.faulted += self._left
        channel.closed += self._left

        room = self.rooms.setdefault(chatter.room, {})
        room[chatter.nickname] = callback

        said = Message(message.get_body(bytes), MessageType.TEXT)
        for client in set(room.values()):  # one connection may use several nicknames
            if channel_of(client).state is CommunicationState.OPENED:
                await client.receive_message(said)

    def _left(self, channel: DuplexSessionChannel) -> None:
        for name, room in list(self.rooms.items()):
            for nickname, client in list(room.items()):
                if channel_of(client) is channel:
                    del room[nickname]
            if not room:
                del self.rooms[name]
