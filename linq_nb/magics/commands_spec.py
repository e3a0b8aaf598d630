"""What each magic takes: the one table that parsing, help and completion read."""

from __future__ import annotations

from linq_nb.magics.options import Command, Option

VIA = Option("--via", "use the Outbox of this name instead of `outbox`", "NAME")
INTO = Option("--into", "store the result under this name", "NAME")
QUIET = Option("--quiet", "show and return nothing; --into takes the result", None)
HANDLES = Option(
    "--handles", "masked (default), hashed (to join on) or full", "HOW", choices=("masked", "hashed", "full")
)
CHAT = Option("--chat", "a chat id, or a name or handle that only one chat has", "CHAT", many=True)

CONNECT = Command(
    "linq_connect",
    "Connect to Linq, or to the demo that is built in; binds `outbox` and returns it.",
    (
        Option("--demo", "a whole small Linq in this process: no key, no network"),
        Option("--fresh", "start the demo anew, with an empty journal"),
        Option("--profile", "a profile of the Linq CLI", "P"),
        Option("--base-url", "another base URL", "U"),
        Option("--journal", "a file or database URL for the journal", "URL"),
        Option("--timeout", "seconds that a request may take (60)", "S", number=True),
        Option("--into", "bind this name instead of `outbox`", "NAME"),
        QUIET,
    ),
    examples=("%linq_connect --demo", "%linq_connect --profile work --journal ~/audit/journal.sqlite"),
    notes=(
        "The API key comes from LINQ_API_V3_API_KEY, LINQ_API_KEY, LINQ_TOKEN, the Linq CLI's profile,",
        "Colab's secrets, or a prompt; it is never shown, stored or taken on the command line.",
    ),
)

VOICEMEMO = Command(
    "linq_voicememo",
    "Show a voice memo as its card, check it, and send it to one or several chats, each once.",
    (
        CHAT,
        Option("--preview", "show and check only, send nothing"),
        Option("--copy", "2 sends a second bubble; asked for again it sends nothing", "N", number=True),
        Option("--yes", "send without asking"),
        Option("--rate", "sample rate in Hz, when SOURCE is samples", "HZ", number=True),
        Option("--accept", "take a finding upon you: chat_critical, too_large", "CODE", many=True),
        Option("--override-optout", "why you write to someone who opted out; the journal keeps it", "REASON"),
        Option("--convert", "make an M4A of audio that Linq does not take (needs linq_nb[audio])"),
        INTO,
        QUIET,
        VIA,
    ),
    operand="SOURCE",
    operand_about="a path, an https URL, an attachment id, or a Python name (VoiceMemo, bytes, samples)",
    operand_needed=True,
    examples=(
        "%linq_voicememo hello.m4a --preview",
        '%linq_voicememo "my memo.m4a" --chat "Book Club"',
        "%linq_voicememo memo --chat {chat} --into send",
        "%linq_voicememo $samples --rate 16000 --chat {chat} --copy 2",
    ),
    notes=(
        "{expression} and $name are Python values; 'single quotes' keep the signs as they are.",
        "Against a real account it asks before it sends; where nobody can answer it refuses, unless --yes.",
        "Many at once: %%linq_voicememo with a CSV cell, or a DataFrame: see %linq_voicememo --from --help.",
    ),
    sends=True,
)

BATCH = Command(
    "linq_voicememo",
    "Send many memos, each once: a CSV cell (%%linq_voicememo) or a DataFrame (--from). Shows the plan first.",
    (
        Option("--from", "a DataFrame with chat or chat_id, audio or path, and copy; or a list of drafts", "FRAME"),
        Option("--plan", "show what would happen, send nothing; returns the Plan"),
        Option("--yes", "send without asking"),
        Option("--workers", "so many requests at once (4)", "N", number=True),
        Option("--strict", "one bad row stops all"),
        Option("--accept", "take a finding upon you: chat_critical, too_large", "CODE", many=True),
        INTO,
        QUIET,
        VIA,
    ),
    examples=(
        "%%linq_voicememo --into sends\\n  chat,audio\\n  Ada Lovelace,hello.m4a",
        "%linq_voicememo --from df --plan",
    ),
    notes=(
        "Run again after a crash or an interrupt it goes on where it stopped: what was accepted is not sent again.",
    ),
    sends=True,
)

CHATS = Command(
    "linq_chats",
    "List your chats as a DataFrame.",
    (
        Option("--to", "only chats with this handle", "HANDLE"),
        Option("--from", "only chats of this line", "LINE"),
        Option("--limit", "at most so many", "N", number=True),
        HANDLES,
        INTO,
        QUIET,
        VIA,
    ),
    examples=("%linq_chats", "%linq_chats --to +12025550111 --into chats"),
)
SENDS = Command(
    "linq_sends",
    "List the journal's sends as a DataFrame: what was sent, refused, lost.",
    (Option("--status", "only sends that stand so", "STATUS", many=True), CHAT, HANDLES, INTO, QUIET, VIA),
    examples=("%linq_sends --status unknown", '%linq_sends --chat "Ada Lovelace" --into sends'),
)
STATUS = Command(
    "linq_status",
    "Ask Linq for the delivery status of open sends; returns the sends as a DataFrame.",
    (
        Option("--watch", "ask again and again until all are settled, in a live table"),
        Option("--timeout", "watch so many seconds at most (120)", "S", number=True),
        Option("--horizon", "open for so long is unconfirmed, as in 30m, 1h, 2d", "TIME"),
        Option("--settled", "ask for settled ones too: failed may be delivered since, delivered read"),
        CHAT,
        Option("--status", "only sends that stand so now", "STATUS", many=True),
        HANDLES,
        INTO,
        QUIET,
        VIA,
    ),
    examples=("%linq_status", "%linq_status --watch --timeout 60 --into sends", "%linq_status --horizon 1h"),
    notes=(
        "Settled are delivered, read and failed, and sent in groups and by SMS, which give no further receipts.",
        "--horizon adds the column `unconfirmed`: open for so long, which is not failed.",
    ),
)
RECONCILE = Command(
    "linq_reconcile",
    "Look in the chats for sends whose answer was lost; sends nothing. Returns them as a DataFrame.",
    (HANDLES, INTO, QUIET, VIA),
    examples=("%linq_reconcile",),
)
WEBHOOKS = Command(
    "linq_webhooks",
    "List your webhook subscriptions as a DataFrame, or create or delete one.",
    (
        Option("--create", "have Linq post what becomes of memos to this address", "URL"),
        Option("--events", "other event types than sent, delivered, read and failed", "TYPE", many=True),
        Option("--line", "only events of this line (E.164)", "LINE", many=True),
        Option("--secret-into", "keep the signing secret under this name (webhook_secret)", "NAME"),
        Option("--secret-file", "write the signing secret to this new file, for its owner only", "FILE"),
        Option("--delete", "delete the subscription with this id", "ID"),
        INTO,
        QUIET,
        VIA,
    ),
    examples=(
        "%linq_webhooks",
        "%linq_webhooks --create https://hooks.example.com/linq --secret-file linq.secret",
    ),
    notes=(
        "Linq tells a subscription's secret once, at its creation. It is not shown, since outputs are saved: it goes",
        "to a file, for `python -m linq_nb.webhooks --secret-file`, or to a variable, for outbox.ingest.",
    ),
)
ERRORS = Command(
    "linq_errors",
    "List Linq's error codes as a DataFrame: what each means, whether again helps and is safe, what to do.",
    (INTO, QUIET),
    operand="CODE",
    operand_about="only this code, as in 2001",
    examples=("%linq_errors", "%linq_errors 2001"),
)
FORM = Command(
    "linq_form",
    "Show a form to choose chats and audio, see the card and send.",
    (INTO, VIA),
    examples=("%linq_form", "%linq_form --into form"),
    notes=("Against a real account its button asks once more, as %config LinqMagics.ask says.",),
)
DOCTOR = Command(
    "linq_doctor",
    "Check the settings, the key, whether Linq answers, the journal and the optional parts; sends nothing.",
    (INTO, QUIET, VIA),
    examples=("%linq_doctor",),
)

COMMANDS = {
    one.name: one for one in (CONNECT, VOICEMEMO, CHATS, SENDS, STATUS, RECONCILE, WEBHOOKS, ERRORS, FORM, DOCTOR)
}
