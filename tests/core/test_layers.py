"""Layers import downward only; the package loads nothing third-party by itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "linq_nb"
LAYERS = {
    8: "magics forms board accessor receiver",
    7: "outbox recorder",
    6: "settings client download journal export widgets demo",
    5: "preflight wire rules webhooks frames reports plots consent live",
    4: "views",
    3: "model",
    2: "audio",
    1: "errors catalog status text hosts secret",
}
LAYER_OF = {name: layer for layer, names in LAYERS.items() for name in names.split()}
SIDEWAYS = {
    ("magics", "forms"),
    ("webhooks", "wire"),
    ("reports", "rules"),
    ("export", "journal"),
    ("rules", "wire"),
    ("download", "client"),
}
SIDEWAYS |= {("model", "views")}  # a record asks for its display, by one lazy import
"""%linq_form is the form by another door: it shows it and adds nothing. A webhook's payload is Linq's JSON. A report
counts by the send rules: when a send is open, what a horizon is.
The export copies the journal. The rules judge answers. A download goes by the client's transport."""

DOORS = {"webhooks/__main__.py": "receiver"}
"""Files that only open another part: ``python -m linq_nb.webhooks`` runs the receiver."""

FILES = sorted(PACKAGE.rglob("*.py"))


def part_of(file: Path) -> str:
    """The module or package right under linq_nb that a file belongs to."""
    inside = file.relative_to(PACKAGE)
    return DOORS.get(inside.as_posix(), inside.parts[0].removesuffix(".py"))


def run_time_nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """Walk a tree past what only a type checker reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield from run_time_nodes(other)
            continue
        yield node
        yield from run_time_nodes(node)


def imported(file: Path) -> Iterator[str]:
    """The parts of linq_nb that a file imports when it runs, also inside functions."""
    package = ["linq_nb", *file.relative_to(PACKAGE).parts[:-1]]
    for node in run_time_nodes(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith("linq_nb."))
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            path = [*base, *(node.module or "").split(".")] if node.module else base
            if path[:1] == ["linq_nb"]:
                yield from path[1:2] or (alias.name for alias in node.names if not alias.name.startswith("_"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_module_imports_only_from_layers_below_its_own(file: Path) -> None:
    mine = part_of(file)
    if mine == "__init__":
        assert list(imported(file)) == []
        return
    others = {other for other in imported(file) if other != mine and (mine, other) not in SIDEWAYS}
    wrong = {other for other in others if LAYER_OF[other] >= LAYER_OF[mine]}
    assert not wrong, f"{mine} (layer {LAYER_OF[mine]}) imports {wrong}"


def test_every_module_has_a_layer() -> None:
    assert {part_of(file) for file in FILES} - {"__init__"} <= set(LAYER_OF)


def test_the_demo_imports_nothing_of_ours() -> None:
    assert {other for file in FILES if part_of(file) == "demo" for other in imported(file)} <= {"demo"}


def test_importing_the_package_loads_no_third_party_package() -> None:
    code = (
        "import sys; before = set(sys.modules); import linq_nb; "
        "new = {name.split('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(new - set(sys.stdlib_module_names) - {'linq_nb'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("used", "allowed"),
    [
        ("linq_nb.errors, linq_nb.catalog, linq_nb.hosts, linq_nb.secret", set()),
        ("linq_nb.audio, linq_nb.views, linq_nb.model, linq_nb.wire, linq_nb.rules, linq_nb.preflight", set()),
        ("linq_nb.frames, linq_nb.settings, linq_nb.reports, linq_nb.plots", set()),
        ("linq_nb.client, linq_nb.download", {"httpx"}),
        ("linq_nb.journal", {"sqlalchemy"}),
    ],
)
def test_a_package_is_loaded_only_by_the_part_that_needs_it(used: str, allowed: set[str]) -> None:
    heavy = {
        "pandas",
        "IPython",
        "ipywidgets",
        "anywidget",
        "sqlalchemy",
        "mutagen",
        "httpx",
        "av",
        "numpy",
        "polars",
        "duckdb",
        "pyarrow",
        "matplotlib",
    }
    code = f"import sys, {used}; print(*sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert set(done.stdout.split()) <= allowed
