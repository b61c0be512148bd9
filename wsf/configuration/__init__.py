"""Configuration files: one model, several notations, every mistake of a file in one go.

``load`` is the door. A notation is one file of this folder: it has ``read``, and a file's suffix names it, or
stands below. A file walks ``yaml.py`` or ``xml.py`` -> ``document`` -> ``structure`` and ``references`` ->
``model`` -> ``resolved``; nothing is imported by name before all of it is right.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from itertools import islice
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Final

from attrs import field, frozen

from wsf.configuration.bounds import MAX_BYTES, MAX_PROBLEMS
from wsf.configuration.certificates import certificate_problems, certificate_warnings, with_whole_paths
from wsf.configuration.client_behaviors import client_problems, client_warnings, clients_with_whole_paths
from wsf.configuration.document import Document, Problem
from wsf.configuration.model import ServiceModel
from wsf.configuration.references import check
from wsf.configuration.resolved import (
    ConfiguredClientEndpoint,
    ConfiguredEndpoint,
    ConfiguredService,
    resolve,
)
from wsf.configuration.structure import Structure, structure
from wsf.configuration.words import listing
from wsf.errors import ConfigurationError

__all__ = (
    "Configuration",
    "ConfiguredClientEndpoint",
    "ConfiguredEndpoint",
    "ConfiguredService",
    "ServiceModel",
    "load",
    "notations",
)

#: suffixes beside a notation's own: App.config is WCF's name for an XML file
OTHER_SUFFIXES: Final = {"config": "xml", "yml": "yaml"}


@frozen
class Configuration:
    """A file that is right.

    Attributes:
        file: Its name, as it was given.
        model: What it says.
        services: What a host needs of it, every name followed.
        warnings: ``file:line:column: text``, for what has no effect.
        client_endpoints: What a client needs of it.
    """

    file: str = field(eq=False)
    model: ServiceModel
    services: tuple[ConfiguredService, ...]
    warnings: tuple[str, ...] = field(eq=False)
    client_endpoints: tuple[ConfiguredClientEndpoint, ...] = ()


def load(path: str | PathLike[str], *, check_only: bool = False) -> Configuration:
    """Read, check and resolve a configuration file.

    Args:
        path: Its suffix says which notation it is in.
        check_only: Import nothing of the user's; what a class from outside would say of its settings
            stays unknown, and a warning says so.

    Raises:
        ConfigurationError: One line for each mistake, ``file:line:column: text``, in file order.

    WCF: what ``new ServiceHost`` does with App.config; its ConfigurationErrorsException has one mistake.
    """
    file = fspath(path)
    document = _reader(file)(_content(file), file)
    found = structure(document, ServiceModel, imports=False)
    _raise(document, [*document.problems, *found.problems, *islice(check(document), MAX_PROBLEMS)])
    if found.externals and not check_only:
        found = structure(document, ServiceModel, imports=True)
        _raise(document, found.problems)
    return _configuration(document, found)


def notations() -> dict[str, str]:
    """The notations by the suffixes of their files, without the dot."""
    own = {name: name for name in _modules() if hasattr(_module(name), "read")}
    return own | {suffix: name for suffix, name in OTHER_SUFFIXES.items() if name in own}


def _configuration(document: Document, found: Structure[ServiceModel]) -> Configuration:
    model = found.model or ServiceModel()
    resolution = resolve(model, document)
    services = resolution.services
    _raise(
        document,
        [
            *resolution.problems,
            *certificate_problems(model, services, document),
            *client_problems(model, document),
        ],
    )
    not_imported = [node.at_key(f"{node.key} is not imported, so not checked") for node in found.externals]
    unused = [*certificate_warnings(model, services, document), *client_warnings(model, services, document)]
    warnings = [*document.warnings, *found.warnings, *not_imported, *unused]
    return Configuration(
        document.file,
        model,
        with_whole_paths(services, document),
        _lines(document, warnings),
        clients_with_whole_paths(resolution.client_endpoints, document),
    )


def _reader(file: str) -> Callable[[bytes, str], Document]:
    suffix = Path(file).suffix.lower().removeprefix(".")
    name = OTHER_SUFFIXES.get(suffix, suffix)
    read: Any = getattr(_module(name), "read", None) if name in _modules() else None
    if read is None:
        known = listing(f".{suffix}" for suffix in sorted(notations()))
        raise ConfigurationError(f"{file}: the name of a configuration file ends in {known}")
    return read  # type: ignore[no-any-return]


def _modules() -> list[str]:
    return [module.name for module in pkgutil.iter_modules(__path__)]


def _module(name: str) -> Any:
    return importlib.import_module(f"{__name__}.{name}")


def _content(file: str) -> bytes:
    try:
        with open(file, "rb") as stream:
            return stream.read(MAX_BYTES + 1)  # one more than allowed: the reader says that it is too much
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror or error}") from None
    except ValueError as error:  # a NUL in the name
        raise ConfigurationError(f"{file!r}: {error}") from None


def _raise(document: Document, problems: Iterable[Problem]) -> None:
    lines = _lines(document, problems)
    if lines:
        raise ConfigurationError(*lines)


def _lines(document: Document, problems: Iterable[Problem]) -> tuple[str, ...]:
    """In file order, each once: an alias brings the same mistake to many places."""
    return tuple(problem.line(document.file) for problem in sorted(set(problems)))
