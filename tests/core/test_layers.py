"""Imports go down the floors only, also for the type checker; the package loads nothing third-party by itself."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "linq_nb"
FLOORS = {
    9: "magics forms explorer auditing board recorder receiver accessor",
    8: "outbox widgets",
    7: "session optouts directory",
    6: "client journal settings download export sheets live",
    5: "preflight rules wire answer_errors proof webhooks frames tables contacts reports plots consent",
    4: "views",
    3: "model",
    2: "audio",
    1: "errors catalog clocks status text times storable handles hosts secret process",
}
"""As drawn in notebooks/contributing.md: a part imports from its own floor, without a ring, and from those below."""

FLOOR_OF = {name: floor for floor, names in FLOORS.items() for name in names.split()}

EXCEPTIONS = {("model/record.py", "views")}
"""A record asks the views for its display, when it is shown: the only import that goes up."""

DOORS = {"webhooks/__main__.py": "receiver"}
"""Files that only open another part: ``python -m linq_nb.webhooks`` runs the receiver."""

FILES = sorted(file for file in PACKAGE.rglob("*.py") if file != PACKAGE / "__init__.py")


def name_of(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix()


def part_of(file: Path) -> str:
    """The module or package right under linq_nb that a file belongs to."""
    return DOORS.get(name_of(file), file.relative_to(PACKAGE).parts[0].removesuffix(".py"))


def imported_names(file: Path) -> Iterator[str]:
    """Every module or name of ours that a file imports: at run time, inside functions, or for the type checker."""
    package = ["linq_nb", *file.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "linq_nb")
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            path = [*base, *(node.module or "").split(".")] if node.module else base
            if path[:1] == ["linq_nb"]:
                yield from (".".join([*path, alias.name]) for alias in node.names)


def imported_parts(file: Path) -> set[str]:
    """The other parts of linq_nb that a file imports."""
    parts = {name.split(".")[1] for name in imported_names(file)}
    return {part for part in parts if not part.startswith("_")} - {part_of(file)}


def module_of(name: str) -> str | None:
    """The file, relative to the package, that an imported name is or comes from."""
    inside = name.split(".")[1:]
    for parts in (inside, inside[:-1]):
        for file in (PACKAGE.joinpath(*parts).with_suffix(".py"), PACKAGE.joinpath(*parts, "__init__.py")):
            if parts and file.is_file():
                return name_of(file)
    return None


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_a_module_imports_only_from_its_floor_and_those_below(file: Path) -> None:
    mine = part_of(file)
    if mine == "demo":
        return
    others = {part for part in imported_parts(file) if part != "demo" and (name_of(file), part) not in EXCEPTIONS}
    above = {part for part in others if FLOOR_OF[part] > FLOOR_OF[mine]}
    assert not above, f"{name_of(file)} (floor {FLOOR_OF[mine]}) imports {above}"


def test_no_modules_import_each_other_in_a_ring() -> None:
    graph = {
        name_of(file): {
            other
            for other in map(module_of, imported_names(file))
            if other not in (None, "__init__.py", name_of(file))
            and (name_of(file), str(other).split("/")[0].removesuffix(".py")) not in EXCEPTIONS
        }
        for file in FILES
        if part_of(file) != "demo"
    }
    TopologicalSorter(graph).prepare()  # raises CycleError, with the ring


def test_every_part_has_a_floor_and_the_demo_stands_apart() -> None:
    assert {part_of(file) for file in FILES} - {"demo"} <= set(FLOOR_OF)
    assert {part for file in FILES if part_of(file) == "demo" for part in imported_parts(file)} <= {"demo"}
    assert list(imported_names(PACKAGE / "__init__.py")) == []


def test_no_two_files_of_the_package_have_one_name() -> None:
    names = [file.name for file in FILES if part_of(file) != "demo" and not file.name.startswith("__")]
    assert sorted(name for name in names if names.count(name) > 1) == []


def test_no_module_is_too_long_to_read() -> None:
    lengths = {name_of(file): len(file.read_text("utf-8").splitlines()) for file in FILES}
    assert {name: length for name, length in lengths.items() if length > 450} == {}


def test_no_function_is_too_long_to_read_without_a_reason() -> None:
    long = {}
    for file in FILES:
        lines = file.read_text("utf-8").splitlines()
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 40:
                long[f"{name_of(file)}.{node.name}"] = lines[node.lineno - 1]
    assert {name: line for name, line in long.items() if "# over 40 lines: " not in line} == {}


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


def test_numpy_is_loaded_before_a_send_can_be_interrupted() -> None:
    """An interrupt in the middle of its import spoils it: it cannot be loaded twice in a process."""
    code = "import sys, linq_nb; linq_nb.connect(demo=True, fresh=True).close(); print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    assert done.stdout.strip() == "True"
