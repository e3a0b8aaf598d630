"""The names of a memo's content, and the uploads of contents."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from linq_nb.journal.engine import Database, Room
from linq_nb.journal.prepared import Prepared
from linq_nb.journal.schema import attachments, names


class Contents(Room):
    """The names that stand for the same content, and the attachment ids of uploads."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        dialect = database.engine.dialect
        named, same = names.alias("named"), names.alias("same")
        both = named.join(same, same.c.content == named.c.content)
        is_named = named.c.name == sa.bindparam("its_name", type_=sa.Text)
        self._linked = Prepared(sa.select(same.c.content, same.c.name).select_from(both).where(is_named), dialect)

    def _group(self, db: sa.Connection, its_names: Sequence[str]) -> tuple[str, list[str]]:
        """Return the name under which a content is stored, and all its names."""
        rows = [row for name in its_names for row in self._linked.rows(db, {"its_name": name})]
        if not rows:
            return its_names[0], list(its_names)
        contents = [content for content, _ in rows]
        return min(contents), list(dict.fromkeys([*its_names, *contents, *(name for _, name in rows)]))

    def link(self, its_names: Sequence[str]) -> None:
        """Write that these names stand for the same content."""
        if len(its_names) < 2:
            return
        with self.database.write() as db:
            rows = self._linked.rows(db, {"its_name": its_names[0]})
            if set(its_names) <= {name for _, name in rows}:
                return  # as usual: nothing to write, nobody to wait for
            self.database.lock(db, "names")
            content, group = self._group(db, its_names)
            db.execute(names.delete().where(names.c.name.in_(group)))
            db.execute(names.insert(), [{"name": name, "content": content} for name in sorted(group)])

    def attachment(self, account: str, sha256: str) -> str | None:
        """Return the attachment id under which these bytes were uploaded before."""
        with self.database.read() as db:
            return db.execute(sa.select(attachments.c.attachment_id).where(_upload(account, sha256))).scalar()

    def is_of_other_bytes(self, account: str, attachment_id: str, sha256: str) -> bool:
        """Whether an attachment id is that of another upload of this account."""
        its_id = sa.and_(attachments.c.account == account, attachments.c.attachment_id == attachment_id)
        others = sa.select(attachments.c.sha256).where(its_id, attachments.c.sha256 != sha256).limit(1)
        with self.database.read() as db:
            return db.execute(others).first() is not None

    def keep_attachment(self, account: str, sha256: str, attachment_id: str, at: datetime) -> None:
        """Write an upload, and that its attachment id stands for these bytes."""
        row = {"account": account, "sha256": sha256, "attachment_id": attachment_id, "uploaded_at": at}
        with self.database.write("attachments") as db:
            db.execute(attachments.delete().where(_upload(account, sha256)))
            db.execute(attachments.insert().values(**row))
        self.link([f"sha256:{sha256}", f"attachment:{attachment_id}"])

    def forget_attachment(self, account: str, sha256: str) -> None:
        """Delete an upload that Linq no longer has."""
        with self.database.write() as db:
            db.execute(attachments.delete().where(_upload(account, sha256)))


def _upload(account: str, sha256: str) -> sa.ColumnElement[bool]:
    return sa.and_(attachments.c.account == account, attachments.c.sha256 == sha256)
