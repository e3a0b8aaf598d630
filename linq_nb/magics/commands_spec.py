"""The magics: their options, help texts and examples. Parser, help and Tab completion read this table."""

from __future__ import annotations

from linq_nb.magics.options import Command, Option

VIA = Option("--via", "use the Outbox of this name instead of `outbox`", "NAME")
INTO = Option("--into", "store the result under this name", "NAME")
QUIET = Option("--quiet", "show and return nothing; --into still stores the result")
HANDLES = Option(
    "--handles", "masked (default), hashed (to join on) or full", "HOW", choices=("masked", "hashed", "full")
)
CHAT = Option("--chat", "a chat id, or a name or handle that only one chat has", "CHAT", many=True)

CONNECT = Command(
    "linq_connect",
    "Connect to Linq, or to the built-in demo. Binds the name `outbox` and returns it.",
    (
        Option("--demo", "a small Linq in this process, without API key and network"),
        Option("--fresh", "start a new demo with an empty journal"),
        Option("--profile", "use this profile of the Linq CLI", "P"),
        Option("--base-url", "use this base URL", "U"),
        Option("--journal", "keep the journal in this file or database URL", "URL"),
        Option("--timeout", "time limit of a request, in seconds (60)", "S", number=True),
        Option("--into", "bind this name instead of `outbox`", "NAME"),
        QUIET,
    ),
    examples=("%linq_connect --demo", "%linq_connect --profile work --journal ~/audit/journal.sqlite"),
    notes=(
        "The API key comes from LINQ_API_V3_API_KEY, LINQ_API_KEY, LINQ_TOKEN, the Linq CLI's profile,",
        "Colab's secrets or a prompt. It is never shown or stored, and it cannot be given in the line.",
    ),
)

VOICEMEMO = Command(
    "linq_voicememo",
    "Show the card of a voice memo, check the memo, and send it once to each of the chats.",
    (
        CHAT,
        Option("--preview", "show and check, send nothing"),
        Option("--copy", "2 sends a second bubble; --copy 2 again sends nothing", "N", number=True),
        Option("--yes", "send without asking"),
        Option("--rate", "sample rate in Hz, when SOURCE is samples", "HZ", number=True),
        Option("--accept", "send despite this finding: chat_critical, too_large", "CODE", many=True),
        Option("--override-optout", "send to a person who opted out, for this reason; the journal keeps it", "REASON"),
        Option("--convert", "convert audio that Linq does not accept to M4A (needs linq_nb[audio])"),
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
        "{expression} and $name are Python values, except in 'single quotes'.",
        "With a real account it asks before it sends. Where nobody can answer, it sends only with --yes.",
        "To send many memos, use a CSV cell or a DataFrame: see %linq_voicememo --from --help.",
    ),
    sends=True,
)

BATCH = Command(
    "linq_voicememo",
    "Send many memos, each once, from a CSV cell (%%linq_voicememo) or a DataFrame (--from). Shows the plan first.",
    (
        Option(
            "--from", "a DataFrame with columns chat or chat_id, audio or path, and copy; or a list of drafts", "FRAME"
        ),
        Option("--plan", "show the plan and return it, send nothing"),
        Option("--yes", "send without asking"),
        Option("--workers", "number of requests at the same time (4)", "N", number=True),
        Option("--strict", "send nothing if a row is refused"),
        Option("--accept", "send despite this finding: chat_critical, too_large", "CODE", many=True),
        INTO,
        QUIET,
        VIA,
    ),
    examples=(
        "%%linq_voicememo --into sends\\n  chat,audio\\n  Ada Lovelace,hello.m4a",
        "%linq_voicememo --from df --plan",
    ),
    notes=("After a crash or an interrupt, run it again: it sends the rest. Accepted memos are not sent again.",),
    sends=True,
)

CHATS = Command(
    "linq_chats",
    "List your chats as a DataFrame.",
    (
        Option("--to", "only chats with this handle", "HANDLE"),
        Option("--from", "only chats of this line", "LINE"),
        Option("--limit", "maximum number of chats", "N", number=True),
        HANDLES,
        INTO,
        QUIET,
        VIA,
    ),
    examples=("%linq_chats", "%linq_chats --to +12025550111 --into chats"),
)
SENDS = Command(
    "linq_sends",
    "List the sends of the journal as a DataFrame, also those that were refused or are unclear.",
    (Option("--status", "only sends with this status", "STATUS", many=True), CHAT, HANDLES, INTO, QUIET, VIA),
    examples=("%linq_sends --status unknown", '%linq_sends --chat "Ada Lovelace" --into sends'),
)
STATUS = Command(
    "linq_status",
    "Ask Linq for the delivery status of open sends. Returns the sends as a DataFrame.",
    (
        Option("--watch", "ask again until all sends are final, with a live table"),
        Option("--timeout", "stop --watch after this many seconds (120)", "S", number=True),
        Option("--horizon", "a send that is open for longer is unconfirmed, as in 30m, 1h, 2d", "TIME"),
        Option("--settled", "ask for final sends too: a failed send may be delivered by now, a delivered one read"),
        CHAT,
        Option("--status", "only sends with this status", "STATUS", many=True),
        HANDLES,
        INTO,
        QUIET,
        VIA,
    ),
    examples=("%linq_status", "%linq_status --watch --timeout 60 --into sends", "%linq_status --horizon 1h"),
    notes=(
        "Final are delivered, read and failed, and also sent in groups and by SMS, which give no further receipts.",
        "--horizon adds the column `unconfirmed`. An unconfirmed send is late, not failed.",
    ),
)
RECONCILE = Command(
    "linq_reconcile",
    "Look in the chats for sends whose answer was lost. Sends nothing. Returns them as a DataFrame.",
    (HANDLES, INTO, QUIET, VIA),
    examples=("%linq_reconcile",),
)
WEBHOOKS = Command(
    "linq_webhooks",
    "List your webhook subscriptions as a DataFrame, or create or delete one.",
    (
        Option("--create", "make Linq post the status of memos to this URL", "URL"),
        Option("--events", "other event types than sent, delivered, read and failed", "TYPE", many=True),
        Option("--line", "only events of this line (E.164)", "LINE", many=True),
        Option("--secret-into", "store the signing secret under this name (webhook_secret)", "NAME"),
        Option("--secret-file", "write the signing secret to this new file, readable only by you", "FILE"),
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
        "Linq gives the signing secret once, at creation. It is not shown, because outputs are saved: it goes to a",
        "file, for `python -m linq_nb.webhooks --secret-file`, or to a variable, for outbox.ingest.",
    ),
)
ERRORS = Command(
    "linq_errors",
    "List Linq's error codes as a DataFrame: the meaning, whether a retry helps and is safe, and what to do.",
    (INTO, QUIET),
    operand="CODE",
    operand_about="only this code, as in 2001",
    examples=("%linq_errors", "%linq_errors 2001"),
)
FORM = Command(
    "linq_form",
    "Show a form: choose chats and audio, see the card, send.",
    (INTO, VIA),
    examples=("%linq_form", "%linq_form --into form"),
    notes=("With a real account the button asks before it sends, as %config LinqMagics.ask says.",),
)
DOCTOR = Command(
    "linq_doctor",
    "Check the settings, the API key, the answer of Linq, the journal and the optional packages. Sends nothing.",
    (INTO, QUIET, VIA),
    examples=("%linq_doctor",),
)

COMMANDS = {
    command.name: command
    for command in (CONNECT, VOICEMEMO, CHATS, SENDS, STATUS, RECONCILE, WEBHOOKS, ERRORS, FORM, DOCTOR)
}
