"""The magics: ``%load_ext linq_nb``. Words in, display out; what they do is the Outbox's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_LOADED = "_linq_nb_loaded"


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics and their completion; prints nothing, and twice is as good as once."""
    from traitlets import TraitError

    from linq_nb.errors import SettingsError
    from linq_nb.magics.commands import LinqMagics  # needs IPython, which a script may go without
    from linq_nb.magics.completion import matcher_for
    from linq_nb.magics.pandas_hook import register

    unload_ipython_extension(shell)
    try:
        magics = LinqMagics(shell)
    except TraitError as error:
        raise SettingsError(f"LinqMagics is configured wrongly: {error}") from None
    shell.register_magics(magics)
    matcher = matcher_for(shell)
    shell.Completer.custom_matchers.append(matcher)
    vars(shell)[_LOADED] = (magics, matcher)
    register()


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take the magics and their completion back out; the notebook's own names stay."""
    from linq_nb.magics.pandas_hook import unregister

    unregister()
    magics, matcher = vars(shell).pop(_LOADED, (None, None))
    if magics is None:
        return
    for name in magics.magics["line"]:
        shell.magics_manager.magics["line"].pop(name, None)
    shell.magics_manager.registry.pop(type(magics).__name__, None)
    _remove(shell.configurables, magics)
    _remove(shell.Completer.custom_matchers, matcher)


def _remove(items: list[Any], one: Any) -> None:
    if one in items:
        items.remove(one)
