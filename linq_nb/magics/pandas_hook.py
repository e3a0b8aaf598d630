"""``df.linq`` is there as soon as pandas is: loading pandas with the extension would cost ten times what it does."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec
    from types import ModuleType

ACCESSOR = "linq_nb.accessor"


def register() -> None:
    """Register ``df.linq`` now if pandas is loaded, else right after it will be."""
    if "pandas" in sys.modules:
        importlib.import_module(ACCESSOR)
    elif not any(isinstance(one, _Finder) for one in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def unregister() -> None:
    """Wait for pandas no longer; an accessor that is registered stays."""
    sys.meta_path[:] = [one for one in sys.meta_path if not isinstance(one, _Finder)]


class _Finder:
    """Finds pandas as everybody does, and has the accessor imported after it is loaded.

    It stays until then: others look whether pandas is there without loading it, and loading may fail at first.
    """

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname != "pandas":
            return None
        others = [one for one in sys.meta_path if not isinstance(one, _Finder)]
        spec = next(filter(None, (one.find_spec(fullname, path, target) for one in others)), None)
        if spec is not None and spec.loader is not None:
            spec.loader = _Then(spec.loader)  # type: ignore[assignment]
        return spec


class _Then:
    """Loads pandas by its own loader, then the accessor."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        unregister()
        importlib.import_module(ACCESSOR)
