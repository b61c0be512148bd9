"""The chat of the blog post that wsf began with: one contract, one service, one page."""

from chatservice.chatter import Chatter
from chatservice.contracts import ChatService, ChatServiceCallback
from chatservice.service import ChatServiceImplementation

__all__ = ("ChatService", "ChatServiceCallback", "ChatServiceImplementation", "Chatter")
