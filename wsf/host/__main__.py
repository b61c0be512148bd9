"""``python -m wsf.host CONFIG [SERVICE]``: the program that hosts the services of a configuration file.

Exit status: 0 after a clean end, 1 when an address cannot be listened on or a second signal cut the end
short, 2 when the configuration, a contract or a class is not right.
"""

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from wsf.configuration import Configuration, load
from wsf.errors import ConfigurationError, ContractError, ListenError
from wsf.families import word_of
from wsf.host.configured import allow_origins, hosts_of, service_class
from wsf.host.endpoints import ServiceEndpoint
from wsf.host.log import OneLineFormatter, plural
from wsf.host.service_host import ServiceHost

__all__ = ("ABOUT", "add_arguments", "main", "run")

logger = logging.getLogger("wsf.host")

EXIT_CLEAN: Final = 0
EXIT_FAILED: Final = 1
EXIT_MISCONFIGURED: Final = 2

#: the signals that end the program, and whether each says that the service will be back in a moment
SIGNALS: Final = {"SIGINT": False, "SIGTERM": False, "SIGUSR2": True}

#: objects more than before, until the youngest are searched for cycles, and how often that is until older
#: ones are, too. A few connections make Python's own 700, and a server keeps them: a third of the time in
#: which 10,000 connect went into that search. All are still searched as often. Nothing that wsf does for a
#: message leaves a cycle behind, and a session that has ended hardly one
GC_THRESHOLDS: Final = (10_000, 3, 3)

#: s that hosts which have ended, or are cut, leave to what takes no notice of that: a task that is cancelled
#: and goes on, a thread, an object that does not let itself be released
LEAVE_TIMEOUT: Final = 3.0

#: what ``--help`` says of the program, here and as ``wsf host``
ABOUT: Final[dict[str, Any]] = {
    "description": "Host the services of a configuration file.",
    "formatter_class": argparse.RawDescriptionHelpFormatter,
    "epilog": """\
examples:
  wsf host config/app.yaml
  wsf host config/App.config chatservice.ChatServiceImplementation

Enter at a terminal, Ctrl-C or SIGTERM closes: running operations end, every client is told (1001). So does
SIGUSR2, which tells them that the service restarts (1012). A second signal cuts.
Exit status: 0 closed, 1 cannot listen or cut, 2 a mistake in the file, a contract or a class.
""",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The program's arguments, here and as ``wsf host``."""
    parser.add_argument(
        "config", metavar="CONFIG", help="configuration file: .yaml, or .config or .xml as WCF has it"
    )
    parser.add_argument(
        "service",
        metavar="SERVICE",
        nargs="?",
        help="the service class, package.Class: needed where the file calls it by another name (App.config)",
    )
    parser.add_argument("--check", action="store_true", help="check the file, import and start nothing")
    parser.add_argument(
        "--app-dir",
        metavar="DIR",
        default="",
        help="where the service's package is found (default: the working directory)",
    )
    parser.add_argument(
        "--allow-origin",
        metavar="ORIGIN",
        action="append",
        default=[],
        help="let pages of another origin connect, such as https://app.example; null is a page from disk; "
        "several are given one by one",
    )
    parser.add_argument(
        "--log-level",
        choices=["debug", "info", "warning", "error"],
        default="info",
        help="what is logged to standard error (default: info)",
    )


class Told:
    """What signals have told the program: to end, to end and come back, and, the second of them, to cut.

    Attributes:
        to_end: Done with the first: whether the program comes back.
        to_cut: Done with the second.
    """

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.to_end: asyncio.Future[bool] = loop.create_future()
        self.to_cut: asyncio.Future[None] = loop.create_future()
        for name, is_restarting in SIGNALS.items():
            number = getattr(signal, name, None)
            if number is None:
                continue
            if sys.platform == "win32":  # its event loops have no signal handlers
                signal.signal(number, lambda *_, r=is_restarting: loop.call_soon_threadsafe(self.handle, r))
            else:
                loop.add_signal_handler(number, self.handle, is_restarting)

    def once(self) -> None:
        """Somebody hit Enter."""
        if not self.to_end.done():
            self.to_end.set_result(False)

    def handle(self, is_restarting: bool) -> None:
        """A signal has come."""
        if not self.to_end.done():
            self.to_end.set_result(is_restarting)
        elif not self.to_cut.done():
            self.to_cut.set_result(None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m wsf.host", **ABOUT)
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def run(options: argparse.Namespace) -> int:
    """Host what the options say; the exit status."""
    to_standard_error = logging.StreamHandler()
    to_standard_error.setFormatter(OneLineFormatter())
    logging.basicConfig(level=options.log_level.upper(), handlers=[to_standard_error])
    sys.path.insert(0, options.app_dir)  # "" is the working directory
    try:
        configuration = load(options.config, check_only=options.check)
        for warning in configuration.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        if not configuration.services:
            raise ConfigurationError(f"{options.config}: there is no service in it")
        if options.check:
            services = plural(len(configuration.services), "service")
            print(f"{options.config}: {services}, no mistakes (classes and folders are looked up at start)")
            return EXIT_CLEAN
        return asyncio.run(_serve(configuration, options))
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return EXIT_MISCONFIGURED
    except ContractError as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_MISCONFIGURED
    except (ListenError, TimeoutError) as error:
        print(f"error: {error}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:  # before the program listened to signals
        return EXIT_FAILED


def _hosts(configuration: Configuration, options: argparse.Namespace) -> list[ServiceHost]:
    service = service_class(options.service, "command line") if options.service else None
    return hosts_of(allow_origins(configuration, options.allow_origin), service)


async def _serve(configuration: Configuration, options: argparse.Namespace) -> int:
    told = Told()
    hosts = _hosts(configuration, options)  # in the loop: a service may start tasks when it is made
    gc.collect()
    gc.freeze()  # what has been loaded by now stays, and nobody is connected yet
    gc.set_threshold(*GC_THRESHOLDS)
    opening = asyncio.ensure_future(_open(hosts, told))
    status = EXIT_CLEAN
    try:
        await _first(opening, told.to_end)
        if not told.to_end.done():
            await opening
        await told.to_end
        left = sum(host.counters().sessions for host in hosts)
        print(f"Closing   {plural(left, 'session')}", flush=True)
    finally:
        if not await _close(hosts, told):
            status = EXIT_FAILED
        await asyncio.gather(opening, return_exceptions=True)  # what it says of being cut short is no news
    if status == EXIT_FAILED:
        print("cut by a second signal", file=sys.stderr)
    _end_the_process_soon(status)
    return status


async def _open(hosts: Sequence[ServiceHost], told: Told) -> None:
    for host in hosts:
        await host.open()
        _show(host)
    _on_enter(told.once)


async def _close(hosts: Sequence[ServiceHost], told: Told) -> bool:
    """Close every host; False: a second signal has cut that short."""
    restarting = told.to_end.done() and told.to_end.result()
    closing = asyncio.gather(*(host.close(restarting=restarting) for host in hosts))
    await _first(closing, told.to_cut)
    is_clean = closing.done()
    if not is_clean:
        _end_the_process_soon(EXIT_FAILED)
    await asyncio.gather(*(host.abort() for host in hosts))
    await closing
    return is_clean


async def _first(*futures: "asyncio.Future[Any]") -> None:
    await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)


def _end_the_process_soon(status: int) -> None:
    """What takes no notice of its end does not keep the process: it was cut."""

    def end() -> None:
        logger.warning("something of the service takes no notice of its end: the process ends without it")
        logging.shutdown()
        sys.stdout.flush()
        os._exit(status)

    deadline = threading.Timer(LEAVE_TIMEOUT, end)
    deadline.daemon = True  # it waits for nothing itself
    deadline.start()


def _show(host: ServiceHost) -> None:
    """What is served, in WCF's words."""
    print(f"Service   {host.name}")
    for endpoint in host.endpoints:
        for name, value in _facts(endpoint):
            print(f"{name:<9} {value}")
    for page in host.pages:
        print(f"Page      {page}")
    sys.stdout.flush()


def _facts(endpoint: ServiceEndpoint) -> list[tuple[str, str]]:
    binding: Any = endpoint.binding
    contract = endpoint.contract.contract_type
    callback = endpoint.contract.callback
    calls_back = f", calls back {callback.contract_type.__qualname__}" if callback else ""
    words = f"{word_of(type(binding.encoding))} over {word_of(type(binding.transport))}"
    return [
        ("Endpoint", endpoint.address.replace("http", "ws", 1)),
        ("Contract", f"{contract.__module__}.{contract.__qualname__}{calls_back}"),
        ("Binding", f"{' '.join(filter(None, [word_of(type(binding)), binding.name]))}: {words}"),
    ]


def _on_enter(stop: Callable[[], object]) -> None:
    """Enter quits, as it does in the blog's console program; only where there is somebody to hit it."""
    if sys.stdin is None or not sys.stdin.isatty():
        return
    print("Hit Enter to quit.", flush=True)
    loop = asyncio.get_running_loop()

    def wait() -> None:
        sys.stdin.readline()
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop)

    threading.Thread(target=wait, daemon=True).start()  # daemon: nothing interrupts a readline


if __name__ == "__main__":
    sys.exit(main())
