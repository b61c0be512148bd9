"""Where sockets are read into: one piece of memory for all connections of a thread.

asyncio reads into 256 KiB of new memory each time, which the C library takes from the system and gives back:
two system calls and a page fault for a message of a hundred bytes. What is read is handed on at once, so one
buffer does for everybody.
"""

import asyncio
import threading
from abc import ABC, abstractmethod
from typing import Final

__all__ = ("ReceiveBuffer",)

#: bytes read at a time: enough for the best throughput; a copy of it is below what the C library maps anew
BUFFER_SIZE: Final = 64 * 1024

_memory = threading.local()


class ReceiveBuffer(asyncio.BufferedProtocol, ABC):
    """A protocol that hears of what arrives by ``data_received``, as it would without."""

    __slots__ = ()

    def get_buffer(self, sizehint: int) -> memoryview:
        """For the transport: it writes here, and calls ``buffer_updated`` before it does anything else."""
        try:
            view: memoryview = _memory.view
        except AttributeError:
            view = _memory.view = memoryview(bytearray(BUFFER_SIZE))
        return view

    def buffer_updated(self, nbytes: int) -> None:
        """So much has arrived."""
        self.data_received(bytes(_memory.view[:nbytes]))

    @abstractmethod
    def data_received(self, data: bytes) -> None:
        """What has arrived, to be kept as long as one likes."""
