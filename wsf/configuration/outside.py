"""Classes from outside: how a file names them, and which settings they take.

A key is ``package.module:ClassName``, or a name that ``extensions`` gives such a class: WCF's way, and the
only one where a key has to be an XML name. WCF: ExtensionsSection, BehaviorExtensionElement.
"""

import inspect
import re
import typing
from collections.abc import Collection, Mapping
from typing import Any, Final

import attrs

from wsf import families
from wsf.configuration.document import Node
from wsf.configuration.shapes import Misfit, Settings
from wsf.configuration.words import quoted

__all__ = ("FORM", "Names", "check_name", "class_of", "names_in", "parameters_of", "said")

#: names that a file gives to classes -> the classes' own
Names = Mapping[str, str]

FORM: Final = "package.module:ClassName"

_EXTERNAL: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*", re.ASCII)

#: parameters that a file can name
_NAMED: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def check_name(name: str) -> None:
    """Refuse what cannot name a class from outside.

    Raises:
        ValueError: With the form that it must have.
    """
    if not _EXTERNAL.fullmatch(name):
        raise ValueError(f"{quoted(name)} is not of the form {FORM}")


def names_in(root: Node, collection: str) -> Names:
    """The names that a collection of ``extensions`` gives; the first of two counts, both are refused."""
    extensions = root.get("extensions")
    listed = extensions.get(collection) if extensions is not None else None
    found = list(listed.nodes()) if listed is not None and isinstance(listed.tree, list) else []
    return {node.text("name"): node.text("type") for node in reversed(found) if node.text("name")}


def class_of(node: Node, name: str, methods: Collection[str] = ()) -> type[Any]:
    """Import the class that a node of the file stands for.

    Raises:
        Misfit: It is not there, is no class, or has not these methods; or its module cannot be imported.
    """
    try:
        found = families.resolve(name)
    except LookupError as error:
        raise Misfit(node.at_key(str(error))) from None
    except Exception as error:  # the author's module
        raise Misfit(node.at_key(f"importing {name} failed: {said(error)}")) from error
    if not isinstance(found, type):
        raise Misfit(node.at_key(f"{name} is not a class"))
    for method in methods:
        if not callable(getattr(found, method, None)):
            raise Misfit(node.at_key(f"{name} has no {method}()"))
    return found


def parameters_of(cls: type[Any]) -> Settings:
    """What a class that is no attrs class takes by name; without annotation, a text."""
    hints = typing.get_type_hints(cls.__init__)
    fields: dict[str, Any] = {
        parameter.name: attrs.field(
            default=attrs.NOTHING if parameter.default is parameter.empty else parameter.default,
            type=hints.get(parameter.name, str),
        )
        for parameter in inspect.signature(cls).parameters.values()
        if parameter.kind in _NAMED
    }
    taken: Any = attrs.make_class(cls.__name__, fields, kw_only=True)
    return {field.name: field for field in attrs.fields(taken)}


def said(error: Exception) -> str:
    """An author's error as part of one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
