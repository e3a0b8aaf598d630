"""linq_nb: iMessage voice memos from a notebook through the Linq Partner API v3, each exactly once, and audited.

    import linq_nb
    outbox = linq_nb.connect(demo=True)
    memo = linq_nb.VoiceMemo.from_file("hello.m4a")
    send = outbox.send(memo, outbox.find_chat("Ada Lovelace"))
    linq_nb.to_frame(outbox.sends())

Importing this loads no third-party package. The public names are listed in ``__init__.pyi``, for type checkers and for
this module, which loads each name when it is first used.
"""

import importlib
import os

__version__ = "0.1.0"


def _modules_by_name() -> dict[str, str]:
    """Return the public names with the module that each is imported from, read from the stub file."""
    import ast  # not needed to import the package, and slower than the rest of it

    with open(os.path.join(os.path.dirname(__file__), "__init__.pyi"), encoding="utf-8") as stub:
        imports = [node for node in ast.parse(stub.read()).body if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module or __name__ for node in imports for alias in node.names}


def __getattr__(name: str) -> object:
    modules = _modules_by_name()
    if name == "__all__":
        return list(modules)
    if name not in modules:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if modules[name] == __name__:
        return importlib.import_module(f"{__name__}.{name}")
    if name == "to_frame":
        importlib.import_module(f"{__name__}.accessor")  # frames and df.linq come together
    value = globals()[name] = getattr(importlib.import_module(modules[name]), name)
    return value


def __dir__() -> list[str]:
    return [*_modules_by_name(), "__version__", "__doc__", "__file__", "__name__", "__path__"]
