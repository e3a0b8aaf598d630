"""The magics, loaded by ``%load_ext linq_nb``. They read a line, call the Outbox and display the result."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_LOADED = "_linq_nb_loaded"


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Register the magics, their completion and ``df.linq``. Prints nothing; loading twice changes nothing."""
    from traitlets import TraitError

    from linq_nb.errors import SettingsError
    from linq_nb.magics.commands import LinqMagics, register_accessor  # these need IPython, a script may lack it
    from linq_nb.magics.completion import matcher_for

    unload_ipython_extension(shell)
    try:
        magics = LinqMagics(shell)
    except TraitError as error:
        raise SettingsError(
            f"invalid configuration of LinqMagics: {error}; the magics were not loaded; correct it where IPython is "
            "configured"
        ) from None
    shell.register_magics(magics)
    matcher = matcher_for(shell)
    shell.Completer.custom_matchers.append(matcher)
    shell.events.register("pre_run_cell", register_accessor)
    register_accessor()
    vars(shell)[_LOADED] = (magics, matcher)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Remove the magics and their completion; the notebook's own names stay, and so does ``df.linq``."""
    magics, matcher = vars(shell).pop(_LOADED, (None, None))
    if magics is None:
        return
    from linq_nb.magics.commands import register_accessor

    shell.events.unregister("pre_run_cell", register_accessor)
    for name in magics.magics["line"]:
        shell.magics_manager.magics["line"].pop(name, None)
    shell.magics_manager.registry.pop(type(magics).__name__, None)
    for items, item in ((shell.configurables, magics), (shell.Completer.custom_matchers, matcher)):
        if item in items:
            items.remove(item)
