"""A command from its start to its exit status; what it is for is in ``call.py`` and ``listen.py``."""

import argparse
import asyncio
import contextlib
import os
import signal
import ssl
import sys
from abc import ABC, abstractmethod
from typing import ClassVar, Final

from wsf.commands.output import Output
from wsf.commands.session import FaultAnswer, Session, connected
from wsf.encodings.json_rpc import FAULT_NUMBERS
from wsf.errors import WsfError
from wsf.escaping import escaped
from wsf.message import Message, MessageFault

__all__ = ("Command",)

EXIT_CLEAN: Final = 0
EXIT_FAULT: Final = 1
EXIT_NO_ANSWER: Final = 2


class Command(ABC):
    """One session, and what a person or a program sees of it.

    Attributes:
        out, err: Standard output and standard error.
        options: The command line.
    """

    #: the exit status after Ctrl-C
    interrupted: ClassVar[int]

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.out, self.err = Output(sys.stdout), Output(sys.stderr)
        self._enough: asyncio.Future[None] | None = None

    @abstractmethod
    async def converse(self, session: Session) -> None:
        """Do what the command is for."""

    @abstractmethod
    def hear(self, message: Message, answer: bytes | None) -> None:
        """Show what the service calls, and what it is answered if it waits for that."""

    def stop(self) -> None:
        """Hear nothing more, and end."""
        if self._enough is not None and not self._enough.done():
            self._enough.set_result(None)

    def run(self) -> int:
        """Connect, converse, hang up; the exit status."""
        try:
            with contextlib.suppress(BrokenPipeError):  # who reads has had enough, and that is no error
                return self._status()
            self._forget_output()
        except (KeyboardInterrupt, asyncio.CancelledError):
            return self.interrupted
        return EXIT_CLEAN

    def _status(self) -> int:
        try:
            asyncio.run(self._live())
        except FaultAnswer as answer:
            self._tell(answer.fault)
            return EXIT_FAULT
        except BrokenPipeError:
            raise
        except (WsfError, OSError, ssl.SSLError) as error:
            self.err.line(f"error: {escaped(str(error))}")
            return EXIT_NO_ANSWER
        return EXIT_CLEAN

    async def _live(self) -> None:
        loop, mine = asyncio.get_running_loop(), asyncio.current_task()
        if mine is not None and sys.platform != "win32":  # whose loops have no signal handlers
            loop.add_signal_handler(signal.SIGTERM, mine.cancel)
        self._enough = enough = loop.create_future()
        async with connected(self.options, self._show) as session:
            conversing = asyncio.ensure_future(self.converse(session))
            try:
                await asyncio.wait([conversing, enough], return_when=asyncio.FIRST_COMPLETED)
                await (enough if enough.done() else conversing)
            finally:
                conversing.cancel()
                await asyncio.gather(conversing, return_exceptions=True)

    def _show(self, message: Message, answer: bytes | None) -> None:
        if self._enough is None or self._enough.done():
            return
        try:
            self.hear(message, answer)
        except BrokenPipeError as error:
            self._enough.set_exception(error)

    def _tell(self, fault: MessageFault) -> None:
        number = FAULT_NUMBERS[fault.code] if fault.number is None else fault.number
        self.err.fault(number, fault.reason, fault.detail)

    def _forget_output(self) -> None:
        """Python writes at its end what nobody reads any more: to nowhere."""
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):  # it is no file
                os.dup2(nowhere, stream.fileno())
