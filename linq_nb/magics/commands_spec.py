"""The magics: for each the text of its help, which declares the operand and the options of its line.

Parser, help and Tab completion read these texts; ``options.read_help`` says how.
"""

from __future__ import annotations

from collections.abc import Iterable

from linq_nb.magics.lexer import Token
from linq_nb.magics.options import Command, read_help

INTO = "  --into NAME               store the result under this name"
QUIET = "  --quiet                   show and return nothing; --into still stores the result"
VIA = "  --via NAME                use the Outbox of this name instead of `outbox`"
HELP = "  --help                    show this help, as -h does"
RESULT = "\n".join((INTO, QUIET, VIA, HELP))
HANDLES = "  --handles masked|hashed|full  masked (default), hashed (to join on) or full"
COLUMNS = "  --columns NAME...         show all columns (`all`), or these; --into stores all in any case"
CHAT = "  --chat CHAT...            a chat id, or a name or handle that only one chat has"
STATUS_IS = "  --status STATUS...        only sends with this status; needs_me: all that a person must look at"
SINCE = "  --since TIME              only sends since then, as in 7d, 1h30m or 2026-03-01"
ACCEPT = "  --accept CODE...          send despite this finding: chat_critical, too_large, url_may_repeat"
YES = "  --yes                     send without asking"

CONNECT = read_help(f"""\
%linq_connect: Connect to Linq, or to the built-in demo. Binds the name `outbox` and returns it.

  --demo                    a small Linq in this process, without API key and network
  --fresh                   start a new demo with an empty journal
  --profile P               use this profile of the Linq CLI
  --base-url U              use this base URL
  --journal URL             keep the journal in this file or database URL
  --recover                 open a journal that lost its last writes; chats are read before memos are sent to them
  --timeout S               time limit of a request, in seconds (60)
  --into NAME               bind this name instead of `outbox`
{QUIET}
{HELP}

Examples:
  %linq_connect --demo
  %linq_connect --profile work --journal ~/audit/journal.sqlite

The API key comes from LINQ_API_V3_API_KEY, LINQ_API_KEY, LINQ_TOKEN, the Linq CLI's profile,
Colab's secrets or a prompt. It is never shown or stored, and it cannot be given in the line.""")

VOICEMEMO = read_help(f"""\
%linq_voicememo: Show the card of a voice memo, check the memo, and send it once to each of the chats.

  SOURCE                    a path, an https URL, an attachment id, or a Python name (VoiceMemo, bytes, samples)
{CHAT}
  --from FRAME              many memos, from a table: %linq_voicememo --from --help shows its options
  --preview                 show and check, send nothing
  --copy N                  2 sends a second bubble; --copy 2 again sends nothing
{YES}
  --rate HZ                 sample rate in Hz, when SOURCE is samples
{ACCEPT}
  --override-optout REASON  send to a person who opted out, for this reason; the journal keeps it
  --force-notify            set Linq's field force_notify (Linq documents only its name)
  --convert                 convert audio that Linq does not accept to M4A (needs linq_nb[audio])
{RESULT}

Examples:
  %linq_voicememo hello.m4a --preview
  %linq_voicememo "my memo.m4a" --chat "Book Club"
  %linq_voicememo memo --chat {{chat}} --into send
  %linq_voicememo $samples --rate 16000 --chat {{chat}} --copy 2

{{expression}} and $name are Python values, except in 'single quotes'.
With a real account it asks before it sends. Where nobody can answer, it sends only with --yes.
To send many memos, use a CSV cell (%%linq_voicememo) or a table (--from).""")

BATCH = read_help(
    f"""\
%linq_voicememo: Send many memos, each once, from a CSV cell (%%linq_voicememo) or a DataFrame. Shows the plan first.

  --from FRAME              a table (pandas, Polars, DuckDB, Arrow) with the columns below; or a list of drafts
  --plan                    show the plan and return it, send nothing
{YES}
  --workers N               number of requests at the same time (4)
  --strict                  send nothing if a row is refused
{ACCEPT}
{COLUMNS}
{RESULT}

Examples:
  %%linq_voicememo --into sends
  chat,audio
  Ada Lovelace,hello.m4a

  %linq_voicememo --from df --plan

Columns: chat, chat_id, recipient or phone; audio, path, file or voice_memo_url; copy if you like. The others come
back in the result. A cell may be pasted from Excel: separated by tabs, semicolons, bars or commas.
After a crash or an interrupt, run it again: it sends the rest. Accepted memos are not sent again.""",
    {
        "--chat": "--chat: each row of the table names its chat: add a column, as in df.assign(chat=...)",
        "--copy": "--copy: add a column, as in df.assign(copy=2)",
        "--preview": "--preview: --plan shows what would be sent, and sends nothing",
        "--convert": "--convert: convert the memos first, as in df.assign(audio=[memo.convert() for memo in memos])",
        "--rate": "--rate: make the memos first, by VoiceMemo.from_samples(samples, rate)",
        "--override-optout": "--override-optout: send that row by itself, by %linq_voicememo SOURCE --chat CHAT",
    },
)


CHATS = read_help(f"""\
%linq_chats: List your chats as a DataFrame.

  --to HANDLE               only chats with this handle
  --from LINE               only chats of this line
  --limit N                 maximum number of chats
{HANDLES}
{RESULT}

Examples:
  %linq_chats
  %linq_chats --to +12025550111 --into chats""")

SENDS = read_help(f"""\
%linq_sends: List the sends of the journal as a DataFrame, also those that were refused or are unclear.

{STATUS_IS}
{SINCE}
{CHAT}
{COLUMNS}
{HANDLES}
{RESULT}

Examples:
  %linq_sends --status needs_me --since 7d
  %linq_sends --columns all
  %linq_sends --chat "Ada Lovelace" --into sends""")

STATUS = read_help(f"""\
%linq_status: Ask Linq for the delivery status of open sends. Returns the sends as a DataFrame.

  --watch                   ask again until all sends are final, with a live table
  --timeout S               stop --watch after this many seconds (120)
  --horizon TIME            a send that is open for longer is unconfirmed, as in 30m, 1h, 2d
  --settled                 ask for final sends too: a failed send may be delivered by now, a delivered one read
{CHAT}
{STATUS_IS}
{SINCE}
{COLUMNS}
{HANDLES}
{RESULT}

Examples:
  %linq_status
  %linq_status --watch --timeout 60 --into sends
  %linq_status --horizon 1h

Final are delivered, read and failed, and also sent in groups and by SMS, which give no further receipts.
--horizon adds the column `unconfirmed`. An unconfirmed send is late, not failed.
The demo's clock stands still: without --watch, this moves it on by 5 minutes first.""")

RECONCILE = read_help(f"""\
%linq_reconcile: Look in the chats for sends whose answer was lost. Sends nothing. Returns them as a DataFrame.

{COLUMNS}
{HANDLES}
{RESULT}

Examples:
  %linq_reconcile""")

WEBHOOKS = read_help(f"""\
%linq_webhooks: List your webhook subscriptions as a DataFrame, or create or delete one.

  --create URL              make Linq post the status of memos to this URL
  --events TYPE...          other event types than sent, delivered, read and failed
  --line LINE...            only events of this line (E.164)
  --routing-key-header H    Linq puts a routing token in this header, for a load balancer
  --routing-id-header H     and the chat id in this one (Linq-Chat-Id)
  --secret-into NAME        store the signing secret under this name (webhook_secret)
  --secret-file FILE        write the signing secret to this new file, readable only by you
  --delete ID               delete the subscription with this id
{RESULT}

Examples:
  %linq_webhooks
  %linq_webhooks --create https://hooks.example.com/linq --secret-file linq.secret

Linq gives the signing secret once, at creation. It is not shown, because outputs are saved: it goes to a
file, for `python -m linq_nb.webhooks --secret-file`, or to a variable, for outbox.ingest.""")

ERRORS = read_help(f"""\
%linq_errors: List Linq's error codes as a DataFrame: the meaning, whether a retry helps and is safe, and what to do.

  [CODE]                    only this code, as in 2001
{INTO}
{QUIET}
{HELP}

Examples:
  %linq_errors
  %linq_errors 2001""")

AUDIT = read_help(f"""\
%linq_audit: Audit the sends of a period on one page: what arrived, what went wrong, what is open, what to do next.

  --since TIME              only sends since then (7d), as in 30d, 2026-03-01 or all
  --until TIME              only sends before then
  --chat CHAT               only sends to this chat: an id, or a name or handle that only one chat has
  --tz ZONE                 time zone of days and times (UTC), as in America/New_York
  --html FILE               write the page to this new file too; it prints on A4
  --xlsx FILE               write the tables to this new Excel file too (needs linq_nb[audit])
{RESULT}

Examples:
  %linq_audit
  %linq_audit --since 30d --tz America/New_York --html audit.html --xlsx audit.xlsx

It reads the journal only: %linq_status asks Linq first for what is new.""")

FORM = read_help(f"""\
%linq_form: Show a form: choose chats and audio, see the card, send.

{INTO}
{VIA}
{HELP}

Examples:
  %linq_form
  %linq_form --into form

With a real account the button asks before it sends, as %config LinqMagics.ask says.""")

EXPLORE = read_help(f"""\
%linq_explore: Show a log of sends: filter, count, sort, open one, export. Counts are made in the kernel.

  --from FRAME              a frame of sends (pandas, Polars, DuckDB) instead of the journal
  --status STATUS           only sends with this status; needs_me: all that a person must look at
  --search TEXT             only sends whose chat, file, error or id has this text
{INTO}
{VIA}
{HELP}

Examples:
  %linq_explore
  %linq_explore --status needs_me
  %linq_explore --from df --into explorer

Over a frame nothing can be asked of Linq: open the log over the journal for that.""")

DOCTOR = read_help(f"""\
%linq_doctor: Check the settings, the API key, the answer of Linq, the journal and the optional packages. Sends nothing.

  --reputation              let Linq audit the reputation of each line, and show the main reason and what to do
{RESULT}

Examples:
  %linq_doctor
  %linq_doctor --reputation

An audit takes some seconds a line, and Linq makes the next one only after some time. Without --reputation the
rating of each line is shown, and what an audit in the journal said.""")

_ALL = (CONNECT, VOICEMEMO, CHATS, SENDS, STATUS, RECONCILE, AUDIT, WEBHOOKS, ERRORS, FORM, EXPLORE, DOCTOR)
COMMANDS = {command.name: command for command in _ALL}
_WRITTEN = {**{f"%{command.name}": command for command in _ALL}, "%linq_voicememo --from": BATCH}
for _command in _WRITTEN.values():  # the hint for an option names the commands that have it
    for _name in {name for other in _WRITTEN.values() for name in other.options} - set(_command.options):
        _others = [written for written, other in _WRITTEN.items() if _name in other.options]
        _command.instead.setdefault(_name, f"{_name} is an option of {' and '.join(_others[:2])}")


def command_of(name: str, tokens: Iterable[Token], *, is_cell: bool = False) -> Command | None:
    """Return the command of a magic: a cell, or a line with --from, sends a batch."""
    is_batch = is_cell or any(token.plain.partition("=")[0] == "--from" and not token.quoted for token in tokens)
    return BATCH if name == VOICEMEMO.name and is_batch else COMMANDS.get(name)
