"""The chat: a message goes to every client that has spoken in its room."""

from weakref import WeakValueDictionary

from chatservice.chatter import Chatter
from chatservice.contracts import ChatService, ChatServiceCallback
from wsf import (
    CallbackGroup,
    InstanceContextMode,
    Message,
    MessageType,
    OperationContext,
    group_operation,
    service_behavior,
)

__all__ = ("ChatRoom", "ChatServiceImplementation")


class ChatRoom(CallbackGroup[ChatServiceCallback]):
    """The clients in a room, by nickname. A nickname that speaks from a new connection moves there."""

    receive_message = group_operation(ChatServiceCallback.receive_message)


@service_behavior(
    instance_context_mode=InstanceContextMode.SINGLE,
    configuration_name="ChatService.ChatServiceImplementation",
)
class ChatServiceImplementation(ChatService):
    """Rooms by name. A room lasts as long as somebody is in it."""

    def __init__(self) -> None:
        self.rooms: WeakValueDictionary[str, ChatRoom] = WeakValueDictionary()

    async def send_message(self, message: Message) -> None:
        """Say something in a room; whoever speaks in a room hears it from then on."""
        if message.is_empty:  # the connect notification
            return

        chatter = message.get_body(Chatter)
        callback = OperationContext.current().get_callback_channel(ChatServiceCallback)

        room = self.rooms.get(chatter.room) or self.rooms.setdefault(chatter.room, ChatRoom())
        room.join(callback, key=chatter.nickname)

        await room.receive_message(Message(message.get_body(bytes), MessageType.TEXT))
