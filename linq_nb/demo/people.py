"""The seeded lines and chats of the demo; each chat behaves in one way.

Numbers are from the range kept free for fiction (555-0100 to 555-0199), the address from example.com.
"""

from dataclasses import dataclass
from typing import Literal

Service = Literal["iMessage", "SMS", "RCS"]
Health = Literal["HEALTHY", "AT_RISK", "CRITICAL", "OPTED_OUT"]

#: What a chat does to a memo POST. See `faults.scripted` and `lifecycle.stages`.
Script = Literal[
    "plain",
    "just_created",
    "rate_limited",
    "daily_cap",
    "slow",
    "lost_answer",
    "server_error",
    "server_down",
    "fails_then_delivers",
    "fails",
    "line_paused",
]

LINES: tuple[tuple[str, Health], ...] = (("+12025550100", "HEALTHY"), ("+12025550101", "AT_RISK"))
BLOCKED = "+12025550118"
OTHER_ACCOUNT = "a chat of another account"


@dataclass(frozen=True)
class Person:
    """One seeded chat: `carrier` is what really carries its messages when it is not `service`."""

    name: str
    handles: tuple[str, ...]
    line: int = 0
    service: Service = "iMessage"
    carrier: Service | None = None
    health: Health = "HEALTHY"
    reads: bool = False
    script: Script = "plain"
    left: bool = False
    opted_out: bool = False
    zero_retention: bool = False


PEOPLE = (
    Person("Ada Lovelace", ("+12025550111",), reads=True),
    Person("Grace Hopper", ("+12025550112",)),
    Person("Book Club", ("+12025550111", "+12025550113", "+12025550114")),
    Person("Sam SMS", ("+12025550115",), service="SMS"),
    Person("Rosa RCS", ("+12025550116",), service="RCS", reads=True),
    Person("Linus Email", ("linus@example.com",), reads=True),
    Person("Kim Opted Out", ("+12025550117",), opted_out=True),
    Person("Kim Second Line", ("+12025550117",), line=1),
    Person("Lee Blocked", (BLOCKED,)),
    Person("Left Group", ("+12025550113", "+12025550114"), left=True),
    Person("Nia Just Created", ("+12025550119",), script="just_created"),
    Person("Raj Rate Limited", ("+12025550120",), script="rate_limited"),
    Person("Dee Daily Cap", ("+12025550121",), script="daily_cap"),
    Person("Sol Slow", ("+12025550122",), script="slow"),
    Person("Lou Lost Answer", ("+12025550123",), script="lost_answer"),
    Person("Eve Server Error", ("+12025550124",), script="server_error"),
    Person("Dan Server Down", ("+12025550125",), script="server_down"),
    Person("Fay Fails Then Delivers", ("+12025550126",), script="fails_then_delivers"),
    Person("Finn Fails", ("+12025550127",), script="fails"),
    Person("Asa At Risk", ("+12025550128",), line=1, health="AT_RISK"),
    Person("Cora Critical", ("+12025550129",), line=1, health="CRITICAL"),
    Person("Ivy Line Paused", ("+12025550130",), line=1, script="line_paused"),
    Person("Drew Downgraded", ("+12025550131",), carrier="SMS"),
    Person("Zoe Zero Retention", ("+12025550132",), zero_retention=True),
    Person("+12025550133", ("+12025550133",)),
)

#: Area codes for the further chats of `Demo.add_chats`: a hundred fictional numbers each.
AREAS = tuple(area for area in range(203, 990) if area % 100 != 11 and area % 10 != 9)


def extra_person(number: int) -> Person:
    """Give the chat number `number` (from 1) of `Demo.add_chats`: a healthy iMessage chat that reads."""
    area, last = divmod(number - 1, 100)
    return Person(f"Customer {number:03d}", (f"+1{AREAS[area]}55501{last:02d}",), reads=number % 3 == 1)
