"""Every number that ``notebooks/audit.ipynb`` shows, once more by SQL written by hand over the same month."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import duckdb
import nbformat
import pytest
from matplotlib import pyplot

import linq_nb
import linq_nb.accessor  # df.linq
from linq_nb import plots
from linq_nb.outbox import session_of

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "audit.ipynb"
WRONG = "status IN ('failed', 'unknown', 'rejected', 'not_sent')"
LEFT = "status NOT IN ('preparing', 'sending', 'not_sent', 'rejected', 'unknown')"
REPORTS_IT = "NOT is_group AND service IS DISTINCT FROM 'SMS'"
SENT = f"({LEFT} AND (sent_at IS NOT NULL OR status IN ('sent', 'delivered', 'read')))"
CODE = """CASE WHEN status = 'failed' OR http_status IS NULL THEN status ELSE http_status::VARCHAR END
    || coalesce('/' || error_code, '')"""
CHATS = """SELECT any_value(chat_name) AS chat_name, count(*) AS sends, count(*) FILTER ({left}) AS accepted,
    count(*) FILTER (status IN ('delivered', 'read')) AS delivered, count(*) FILTER (status = 'failed') AS failed,
    count(*) FILTER (status IN ('rejected', 'not_sent')) AS refused, count(*) FILTER (status = 'unknown') AS unclear
    FROM sends GROUP BY chat_id ORDER BY failed DESC, refused DESC, unclear DESC, sends DESC, chat_id LIMIT {limit}"""
STAGES = f"""SELECT count(*) AS asked, count(*) FILTER ({LEFT}) AS accepted, count(*) FILTER ({SENT}) AS sent,
    count(*) FILTER ({SENT} AND {REPORTS_IT}) AS telling,
    count(*) FILTER (status IN ('delivered', 'read') AND {REPORTS_IT}) AS delivered,
    count(*) FILTER (status = 'read' AND {REPORTS_IT}) AS read FROM sends"""

#: The table that a cell shows, by words that only this cell has.
TABLES = {
    "len(sends)": "SELECT count(*) AS n FROM sends",
    "funnel().round": f"""WITH s AS ({STAGES}) FROM (SELECT 'asked' AS stage, asked AS sends, asked AS of, 1.0 AS share FROM s
        UNION ALL SELECT 'accepted', accepted, asked, accepted / asked FROM s
        UNION ALL SELECT 'sent', sent, accepted, sent / accepted FROM s
        UNION ALL SELECT 'delivered', delivered, telling, delivered / telling FROM s
        UNION ALL SELECT 'read', read, delivered, read / delivered FROM s)""",
    "errors()[[": f"""SELECT status, if(status = 'failed', NULL, http_status) AS http_status, error_code, count(*) AS sends,
        count(DISTINCT chat_id) AS chats FROM sends WHERE {WRONG} GROUP BY ALL ORDER BY sends DESC""",
    "lines.pivot": """SELECT day::VARCHAR AS day, count(*) FILTER (from_handle LIKE '%0100' AND status = 'failed') AS "+1•••••0100",
        count(*) FILTER (from_handle LIKE '%0101' AND status = 'failed') AS "+1•••••0101" FROM sends
        WHERE day BETWEEN '2026-02-09' AND '2026-02-16' GROUP BY day ORDER BY day""",
    'errors(by="from_handle")': """SELECT from_handle, count(*) AS sends, count(DISTINCT chat_id) AS chats,
        min(created_at) AS first_at FROM sends WHERE status = 'failed' AND error_code = 4002 GROUP BY 1 ORDER BY 2 DESC""",
    "days[days": f"""SELECT day::VARCHAR AS day, count(*) AS sends, count(*) FILTER ({LEFT}) AS accepted,
        count(*) FILTER (status IN ('rejected', 'not_sent')) AS refused, count(*) FILTER (status = 'unknown') AS unclear
        FROM sends GROUP BY day HAVING refused + unclear > 100 ORDER BY day""",
    "sends.linq.by_chat()": CHATS.format(left=LEFT, limit=8),
    "reasons[[": f"""SELECT chat_name, status, error_code, count(*) AS sends, min(created_at) AS first_at FROM sends
        WHERE {WRONG} GROUP BY chat_id, chat_name, status, error_code ORDER BY sends DESC, chat_id LIMIT 8""",
    "latency().round": """SELECT service, is_group::VARCHAR AS is_group, count(*) AS sends, quantile_cont(delivery_s, 0.5) AS p50_s,
        quantile_cont(delivery_s, 0.9) AS p90_s, quantile_cont(delivery_s, 0.99) AS p99_s
        FROM sends WHERE delivery_s IS NOT NULL GROUP BY ALL ORDER BY ALL""",
    "reports.by_chat(table)": CHATS.format(left=LEFT, limit=5),
    "FROM chats": """SELECT count(DISTINCT chat_id) AS chats, count(*) FILTER (status = 'failed') AS failed,
        count(*) FILTER (status IN ('rejected', 'not_sent')) AS refused FROM sends""",
}

#: The sentence that a cell prints, or that stands below its picture, and the numbers in it.
SENTENCES = {
    "plot.funnel()": f"SELECT asked, accepted, sent, delivered, read FROM ({STAGES})",
    "plot.errors()": f"""SELECT count(*), count(DISTINCT chat_id),
        (SELECT count(*) FROM sends WHERE {WRONG} GROUP BY chat_id ORDER BY 1 DESC LIMIT 1),
        (SELECT count(*) FROM sends WHERE {WRONG} GROUP BY {CODE} ORDER BY 1 DESC LIMIT 1) FROM sends WHERE {WRONG}""",
    "plot.latency()": """SELECT unnest(list_concat(list_value(r50, r90), list_value(i50, i90))) FROM (
        SELECT quantile_cont(delivery_s, 0.5) FILTER (service = 'RCS') AS r50,
        quantile_cont(delivery_s, 0.9) FILTER (service = 'RCS') AS r90,
        quantile_cont(delivery_s, 0.5) FILTER (service = 'iMessage') AS i50,
        quantile_cont(delivery_s, 0.9) FILTER (service = 'iMessage') AS i90 FROM sends)""",
    "sends.linq.unconfirmed": f"""SELECT count(*), count(DISTINCT chat_id), (SELECT count(*) FROM (SELECT 1 FROM sends
            WHERE {LEFT} OR status = 'unknown' GROUP BY chat_id, coalesce(sha256, attachment_id)
            HAVING count(*) > 1 AND coalesce(sha256, attachment_id) IS NOT NULL))
        FROM sends WHERE (status IN ('pending', 'queued') OR (status = 'sent' AND {REPORTS_IT}))
        AND accepted_at <= TIMESTAMPTZ '2026-03-02 09:00:00+00' - INTERVAL 1 DAY""",
    "reports.compare(ours, theirs)": """SELECT count(*) FILTER (o.message_id IS NULL), count(*) FILTER (l.message_id IS NULL)
        FROM (SELECT message_id FROM sends WHERE message_id IS NOT NULL AND chat_id IN (FROM ten)) o
        FULL JOIN listed l ON o.message_id = l.message_id""",
}

CELLS = [cell for cell in nbformat.read(NOTEBOOK, as_version=4).cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """The month of the notebook in tables of DuckDB: our sends, and the messages that Linq lists for ten chats."""
    folder = tmp_path_factory.mktemp("month")
    with linq_nb.connect(demo=True, fresh=True) as outbox, duckdb.connect() as database:
        outbox.replay(outbox.demo.month())
        outbox.to_parquet(folder / "sends")
        database.execute("SET TimeZone = 'UTC'")
        database.execute(f"CREATE TABLE sends AS FROM read_parquet('{folder}/sends/**/*.parquet', hive_partitioning=1)")
        ten = database.sql("SELECT chat_id FROM sends GROUP BY chat_id ORDER BY min(chat_name), chat_id LIMIT 10")
        database.execute("CREATE TABLE ten AS FROM ten")
        ids = [message_id for (chat_id,) in ten.fetchall() for message_id in audio_of(outbox, chat_id)]
        database.execute("CREATE TABLE listed (message_id VARCHAR)")
        database.executemany("INSERT INTO listed VALUES (?)", [[message_id] for message_id in ids])
        plot = linq_nb.to_frame(outbox.sends()).linq.plot
        captions = [
            [f"plot.{name}()", plots.caption(getattr(plot, name)())] for name in ("funnel", "errors", "latency")
        ]
        database.execute("CREATE TABLE captions (words VARCHAR, caption VARCHAR)")
        database.executemany("INSERT INTO captions VALUES (?, ?)", captions)
        pyplot.close("all")
        yield database


def audio_of(outbox: linq_nb.Outbox, chat_id: str) -> list[str]:
    """The ids of the voice memos from your line that Linq lists of a chat."""
    listed = session_of(outbox).client.messages(chat_id)
    return [m.message_id for m in listed if m.is_from_me and any("audio/" in (a.mime_type or "") for a in m.media)]


def cell_with(words: str) -> Any:
    (cell,) = [cell for cell in CELLS if words in cell.source]
    return cell


def test_every_cell_with_numbers_is_recomputed() -> None:
    recomputed = {id(cell_with(words)) for words in (*TABLES, *SENTENCES)}
    assert recomputed == {id(cell) for cell in CELLS if cell.outputs}


@pytest.mark.parametrize("words", TABLES)
def test_a_table_equals_the_result_of_sql(words: str, month: duckdb.DuckDBPyConnection) -> None:
    shown = table_of(cell_with(words))
    result = month.sql(TABLES[words])
    assert set(result.columns) <= set(shown[0]) or len(result.columns) == 1
    wanted = result.fetchall()
    assert len(shown) == len(wanted)
    for row, values in zip(shown, wanted, strict=True):
        for name, value in zip(result.columns, values, strict=True):
            assert is_same(row[name], value), f"{name}: {row[name]} in the notebook, {value} by SQL"


@pytest.mark.parametrize("words", SENTENCES)
def test_a_sentence_has_the_numbers_of_sql(words: str, month: duckdb.DuckDBPyConnection) -> None:
    outputs = cell_with(words).outputs
    captions = month.execute("SELECT caption FROM captions WHERE words = ?", [words]).fetchall()
    printed = next((o.text for o in outputs if o.output_type == "stream"), None)
    text = captions[0][0] if captions else printed or outputs[0].data["text/plain"]
    text = re.sub(r"1:1|p90|dtype: \w+|Boston 14|\(4002\)", "", text)
    numbers = [float(number.replace(",", "")) for number in re.findall(r"\d[\d,]*(?:\.\d+)?", text)]
    wanted = [float(value) for row in month.sql(SENTENCES[words]).fetchall() for value in row]
    assert numbers == pytest.approx(wanted, abs=0.051)


def table_of(cell: Any) -> list[dict[str, str]]:
    """The rows of the table that a cell shows, as text."""
    data = next(o.data for o in cell.outputs if o.output_type == "execute_result")
    if "text/html" not in data:
        return [{"n": data["text/plain"]}]
    reader = Reader()
    reader.feed(data["text/html"])
    head, *rows = [row for row in reader.rows if any(row)]
    if rows and not any(rows[0][1:]):  # a line of its own that names the index
        head = [rows[0][0], *head[1:]]
        rows = rows[1:]
    return [dict(zip(head, row, strict=True)) for row in rows]


class Reader(HTMLParser):
    """Reads the cells of a table."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._is_cell = False

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._is_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._is_cell = self._is_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._is_cell:
            self.rows[-1][-1] += data


def is_same(text: str, value: Any) -> bool:
    """Whether a cell shows a value, compared with the precision of the cell."""
    if value is None:
        return text in ("<NA>", "NaN", "None")
    if isinstance(value, int | float) and not isinstance(value, bool):
        digits = len(text.partition(".")[2])
        return abs(float(text) - value) <= 0.5001 * 10**-digits
    return text.casefold() == str(value).casefold()
