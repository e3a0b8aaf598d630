"""The public names of linq_nb: the one list of them."""

from linq_nb import demo as demo, plots as plots, reports as reports
from linq_nb.auditing import audit as audit
from linq_nb.board import StatusBoard as StatusBoard
from linq_nb.errors import (
    ApiError as ApiError,
    AudioError as AudioError,
    AuthenticationError as AuthenticationError,
    ConflictError as ConflictError,
    JournalError as JournalError,
    LinqError as LinqError,
    NotFoundError as NotFoundError,
    NotSent as NotSent,
    OutcomeUnknown as OutcomeUnknown,
    PermissionDeniedError as PermissionDeniedError,
    PreflightError as PreflightError,
    RateLimitError as RateLimitError,
    SettingsError as SettingsError,
    WebhookError as WebhookError,
)
from linq_nb.explorer import Explorer as Explorer
from linq_nb.export import read_parquet as read_parquet
from linq_nb.forms import SendForm as SendForm
from linq_nb.frames import errors_frame as errors_frame, to_frame as to_frame
from linq_nb.handles import to_e164 as to_e164
from linq_nb.magics import (
    load_ipython_extension as load_ipython_extension,
    unload_ipython_extension as unload_ipython_extension,
)
from linq_nb.model import (
    BadDraft as BadDraft,
    Chat as Chat,
    Draft as Draft,
    Event as Event,
    Finding as Finding,
    Handle as Handle,
    Line as Line,
    Message as Message,
    Plan as Plan,
    PlanRow as PlanRow,
    Reputation as Reputation,
    Send as Send,
    SendList as SendList,
    VoiceMemo as VoiceMemo,
)
from linq_nb.outbox import Outbox as Outbox, connect as connect
from linq_nb.recorder import Recorder as Recorder

__version__: str
