"""How a configuration word becomes a class. A family is a folder; a file's name is its registration.

``find("encodings", "byteStreamMessageEncoding")`` imports ``wsf/encodings/byte_stream.py`` and takes its
``ByteStreamMessageEncoding``. There is no registry: a new file is a new word. A class from outside is
written ``package.module:ClassName``.
"""

import difflib
import importlib
import pkgutil
import re
from typing import Any, Final

__all__ = ("FAMILY_SUFFIXES", "find", "resolve", "word_of", "words")

#: what a family's words and class names end in, after the stem that names the file
FAMILY_SUFFIXES: Final = {
    "encodings": "MessageEncoding",
    "transports": "Transport",
    "bindings": "Binding",
}

_DOTTED: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?::[A-Za-z_]\w*)?")


def words(family: str) -> tuple[str, ...]:
    """Every configuration word of a family, sorted: one for each public file in its folder."""
    package = importlib.import_module(f"wsf.{family}")
    stems = (module.name for module in pkgutil.iter_modules(package.__path__) if module.name[0] != "_")
    return tuple(sorted(_camel(stem) + FAMILY_SUFFIXES[family] for stem in stems))


def word_of(found: type[Any]) -> str:
    """What configuration files call a class of a family, or one from outside."""
    name = found.__name__
    if found.__module__.startswith("wsf."):
        return name[0].lower() + name[1:]
    return f"{found.__module__}:{name}"


def find(family: str, word: str) -> type[Any]:
    """The class that a family's configuration word names.

    Raises:
        LookupError: No file of the family is registered under that word.
    """
    if word not in words(family):
        raise LookupError(f"no {word} in wsf/{family}")
    stem = _snake(word.removesuffix(FAMILY_SUFFIXES[family]))
    found: type[Any] = getattr(importlib.import_module(f"wsf.{family}.{stem}"), word[0].upper() + word[1:])
    return found


def resolve(name: str) -> Any:
    """The object that ``package.module.Name`` or ``package.module:Name`` names.

    Raises:
        LookupError: The name is malformed, or nothing is there; the message says which part is missing.
    """
    if not _DOTTED.fullmatch(name):
        raise LookupError(f"{name!r} is not of the form package.module.Class")
    module_name, _, attribute = name.rpartition(":" if ":" in name else ".")
    if not module_name:
        raise LookupError(f"{name!r} names no module: write package.module.Class")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not (module_name + ".").startswith(error.name + "."):
            raise  # the module is there and imports something that is not: its author wants that traceback
        raise LookupError(f"there is no module {error.name!r} on the import path") from None
    try:
        return getattr(module, attribute)
    except AttributeError:
        near = difflib.get_close_matches(attribute, vars(module), 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        raise LookupError(f"module {module_name!r} has no {attribute!r}{hint}") from None


def _camel(stem: str) -> str:
    head, *tail = stem.split("_")
    return head + "".join(part.capitalize() for part in tail)


def _snake(word: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", word).lower()
