"""The door for types that are no data contracts and will not become any: hooks of a cattrs converter.

Nothing here loads cattrs before an author asks for the converter.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = ("structure_hook", "surrogates", "unstructure_hook")

_converters: "list[Converter]" = []  # none or one


def _no_hook(*_: object) -> Any:
    """Stands where nobody registered a hook."""


def surrogates() -> "Converter":
    """The cattrs converter whose hooks read and write the types that are no data contracts.

    One for the process, made when it is first asked for. Register both hooks of a type before a contract that
    holds it is used, best in the module that declares the contract::

        surrogates().register_structure_hook(Money, lambda value, _: Money.parse(value))
        surrogates().register_unstructure_hook(Money, str)

    A structure hook is given the value as ``Any`` would be read; whatever it raises refuses the value, and
    its text stays here. An unstructure hook gives a value that has a JSON form.

    WCF: IDataContractSurrogate, ISerializationSurrogateProvider.
    """
    if not _converters:
        from cattrs import Converter  # noqa: PLC0415 - loaded for those who ask for it

        _converters.append(
            Converter(
                structure_fallback_factory=lambda _: _no_hook, unstructure_fallback_factory=lambda _: _no_hook
            )
        )
    return _converters[0]


def structure_hook(hint: Any) -> Callable[[Any, Any], Any] | None:
    """What makes an instance of a type, if somebody registered it."""
    hook = surrogates().get_structure_hook(hint) if _converters else _no_hook
    return None if hook is _no_hook else hook


def unstructure_hook(cls: type[Any]) -> Callable[[Any], Any] | None:
    """What makes a plain value of an instance, if somebody registered it."""
    hook = surrogates().get_unstructure_hook(cls) if _converters else _no_hook
    return None if hook is _no_hook else hook
