"""The public names agree with each other and with the design."""

from __future__ import annotations

import ast
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


MODULES = ("demo", "plots", "reports")


@pytest.mark.parametrize("name", MODULES)
def test_a_public_module_is_loaded_when_it_is_first_used(name: str) -> None:
    code = f"import sys, linq_nb; assert 'linq_nb.{name}' not in sys.modules; print(linq_nb.{name}.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"linq_nb.{name}"


@pytest.mark.parametrize("name", linq_nb.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    home = f"linq_nb.{name}" if name in MODULES else getattr(linq_nb, name).__module__
    assert home.startswith("linq_nb.")
    assert getattr(linq_nb, name).__name__ in (name, home)


def test_every_public_name_is_in_the_star_import() -> None:
    names: dict[str, object] = {}
    exec("from linq_nb import *", names)
    assert set(linq_nb.__all__) <= set(names)


def test_each_name_of_the_stub_is_public_for_a_type_checker() -> None:
    """A stub exports a name only by ``as``, with the same name again."""
    stub = Path(linq_nb.__file__).with_suffix(".pyi").read_text("utf-8")
    names = [alias for node in ast.walk(ast.parse(stub)) if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert [alias.asname for alias in names] == [alias.name for alias in names] == linq_nb.__all__


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
    names = {name for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, Exception)}
    assert {name for name in names if not name.startswith("_")} == set(TREE)


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
