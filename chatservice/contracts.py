"""The conversation, declared once: what clients send, and what they are sent."""

from typing import Protocol

from wsf import Message, callback_contract, operation_contract, service_contract

__all__ = ("ChatService", "ChatServiceCallback")


@callback_contract
class ChatServiceCallback(Protocol):
    """What the chat calls on its clients."""

    @operation_contract(is_one_way=True, action="*")
    async def receive_message(self, message: Message) -> None:
        """Show what somebody said."""
        ...


@service_contract(callback_contract=ChatServiceCallback, configuration_name="ChatService.IChatService")
class ChatService(Protocol):
    """What clients call on the chat."""

    @operation_contract(is_one_way=True, action="*")
    async def send_message(self, message: Message) -> None:
        """Say something in a room; whoever speaks in a room hears it from then on."""
        ...
