"""A session in a notebook without a server: the demo in the browser's own Python. Prints one line of JSON."""

import json

from IPython.core.interactiveshell import InteractiveShell

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

shell = InteractiveShell()
shell.run_line_magic("load_ext", "linq_nb")
shell.run_line_magic("linq_connect", "--demo --quiet")
sent = shell.run_line_magic("linq_voicememo", f"{linq_nb.demo.sample('hello.mp3')} --chat 'Ada Lovelace'")
facts["magic"] = sent.status
try:
    facts["frame"] = list(linq_nb.to_frame([sent])["status"])
except ImportError:  # pandas is compiled, and the test has no build of it for the browser
    facts["frame"] = None
print(json.dumps(facts))
