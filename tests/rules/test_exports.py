"""Every public module says what it exports, and exports what it says. Ruff keeps the names in order."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from types import ModuleType

import pytest

import chatservice
import wsf


def _public_modules(package: ModuleType) -> Iterator[str]:
    yield package.__name__
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not any(part.startswith("_") for part in module.name.split(".")):
            yield module.name


def _statements(module: ModuleType) -> list[ast.stmt]:
    tree = ast.parse(inspect.getsource(module))
    return tree.body[1:] if ast.get_docstring(tree) else tree.body


MODULES = sorted(name for package in (wsf, chatservice) for name in _public_modules(package))


@pytest.mark.parametrize("name", MODULES)
def test_a_module_exports_a_tuple_of_names_that_exist(name):
    module = importlib.import_module(name)
    if not _statements(module):
        return  # a package that holds no code
    assert isinstance(module.__all__, tuple)
    assert len(set(module.__all__)) == len(module.__all__)
    assert [export for export in module.__all__ if not hasattr(module, export)] == []


@pytest.mark.parametrize("name", MODULES)
def test_the_classes_and_functions_of_a_module_are_exported_or_underscored(name):
    module = importlib.import_module(name)
    kinds = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    defined = {statement.name for statement in _statements(module) if isinstance(statement, kinds)}
    public = {found for found in defined if not found.startswith("_")}
    assert public - set(getattr(module, "__all__", ())) == set()
