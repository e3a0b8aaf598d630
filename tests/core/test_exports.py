"""The public names agree with each other and with the design."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import linq_nb
from linq_nb import errors

TREE = {
    "LinqError": "Exception",
    "SettingsError": "LinqError",
    "AudioError": "LinqError",
    "PreflightError": "LinqError",
    "ApiError": "LinqError",
    "AuthenticationError": "ApiError",
    "PermissionDeniedError": "ApiError",
    "NotFoundError": "ApiError",
    "ConflictError": "ApiError",
    "RateLimitError": "ApiError",
    "NotSent": "LinqError",
    "OutcomeUnknown": "LinqError",
    "WebhookError": "LinqError",
    "JournalError": "LinqError",
}


def typed_names() -> dict[str, str]:
    """The names that the type checker sees, with the module that each is from."""
    tree = ast.parse(Path(inspect.getfile(linq_nb)).read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.name: str(node.module).removeprefix("linq_nb.")
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def test_the_lists_of_public_names_agree() -> None:
    home = {name: module for module, names in linq_nb._HOME.items() for name in names}
    assert sorted(linq_nb.__all__) == sorted([*home, *linq_nb._MODULES])
    assert typed_names() == {**home, **dict.fromkeys(linq_nb._MODULES, "linq_nb")}
    assert set(linq_nb.__all__) <= set(dir(linq_nb))


@pytest.mark.parametrize("name", linq_nb._MODULES)
def test_a_public_module_is_loaded_when_it_is_first_used(name: str) -> None:
    code = f"import sys, linq_nb; assert 'linq_nb.{name}' not in sys.modules; print(linq_nb.{name}.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"linq_nb.{name}"


@pytest.mark.parametrize("name", sorted(set(linq_nb.__all__) - set(linq_nb._MODULES)))
def test_every_public_name_can_be_imported(name: str) -> None:
    home = next(module for module, names in linq_nb._HOME.items() if name in names)
    assert getattr(linq_nb, name) is getattr(importlib.import_module(f"linq_nb.{home}"), name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing_of_this'"):
        _ = linq_nb.nothing_of_this


@pytest.mark.parametrize(("name", "parent"), TREE.items())
def test_the_error_tree_is_the_designs(name: str, parent: str) -> None:
    kind = getattr(linq_nb, name)
    assert issubclass(kind, linq_nb.LinqError)
    assert parent in [base.__name__ for base in kind.__mro__[1:]]
    assert "ApiError" not in [base.__name__ for base in kind.__mro__[1:]] or parent == "ApiError"


def test_no_error_is_missing_from_the_public_names() -> None:
    made = {name for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, Exception)}
    assert {name for name in made if not name.startswith("_")} == set(TREE)


@pytest.mark.parametrize("name", TREE)
def test_an_error_is_one_line_in_a_notebook(name: str) -> None:
    error = getattr(linq_nb, name)("what happened; nothing was sent; what to do")
    assert error._render_traceback_() == [f"{name}: what happened; nothing was sent; what to do"]


def test_the_kind_of_an_api_error_follows_its_status() -> None:
    assert {status: kind.__name__ for status, kind in errors.BY_STATUS.items()} == {
        401: "AuthenticationError",
        403: "PermissionDeniedError",
        404: "NotFoundError",
        409: "ConflictError",
        429: "RateLimitError",
    }
