"""A session in a notebook without a server: the demo in the browser's own Python. Prints one line of JSON."""

import contextlib
import importlib
import json
import re
from pathlib import Path

from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

import linq_nb
from linq_nb import Draft, OutcomeUnknown, VoiceMemo

facts = {}
outbox = linq_nb.connect(demo=True)
memo = VoiceMemo.from_file(linq_nb.demo.sample("hello.mp3"))
facts["card"] = "<audio" in memo._repr_mimebundle_()["text/html"]
facts["sent"] = [(send.status, send.repeated) for send in (outbox.send(memo, "Ada Lovelace") for _ in range(2))]

plan = outbox.plan([Draft(memo=memo, chat=chat) for chat in ("Ada Lovelace", "Book Club", "Grace Hopper")])
facts["batch"] = [send.status for send in outbox.send_all(plan)]

outbox.demo.lose_next_answer()
try:
    outbox.send(memo, "Grace Hopper", copy=2)
except OutcomeUnknown:
    facts["lost"] = [send.status for send in outbox.sends(status="unknown")]
facts["found"] = [send.status for send in outbox.reconcile()]
facts["bubbles"] = sorted(set(outbox.demo.bubbles().values()))
outbox.demo.advance(seconds=300)
facts["followed"] = sorted({send.status for send in outbox.watch(timeout=0)})

config = Config()
config.HistoryManager.enabled = False
shell = InteractiveShell(config=config)
shell.run_line_magic("load_ext", "linq_nb")
shell.run_line_magic("linq_connect", "--demo --quiet")
sent = shell.run_line_magic("linq_voicememo", f"{linq_nb.demo.sample('hello.mp3')} --chat 'Ada Lovelace'")
facts["magic"] = sent.status


def cells() -> list[str]:
    """Return the quick start's code; without pandas only what needs no DataFrame."""
    notebook = json.loads((Path(linq_nb.__file__).parents[1] / "notebooks" / "quickstart.ipynb").read_text("utf-8"))
    sources = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    with contextlib.suppress(ImportError):
        importlib.import_module("pandas")
        return sources
    is_frame = re.compile(r"to_frame\(|%linq_(chats|status|errors)").search
    return [source.replace(", to_frame", "") for source in sources if not is_frame(source)]


results = [shell.run_cell(source) for source in cells()]
errors = [result.error_before_exec or result.error_in_exec for result in results]
facts["quick start"] = [type(error).__name__ for error in errors if error]
facts["cells"] = len(results)

board = linq_nb.StatusBoard(shell.user_ns["outbox"])
facts["board"] = [board.is_running, str(board.error)]
try:
    facts["frame"] = list(linq_nb.to_frame([sent])["status"])
except ImportError:  # pandas is compiled, and the test has no build of it for the browser
    facts["frame"] = None
print(json.dumps(facts))
