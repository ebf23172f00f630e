"""Refused requests as remembered: a few of each source, for a while."""

from typing import Any

import orjson
from sqlalchemy import Connection, case, delete, func, select

from bridge.model import Capture
from bridge.store.database import Database
from bridge.store.rows import capture_of
from bridge.store.tables import captures, capturing


class Captures:
    def __init__(self, database: Database) -> None:
        self.database = database
        insert = database.insert(capturing)
        same = capturing.c.digest == insert.excluded.digest
        self.begin = insert.on_conflict_do_update(
            index_elements=[capturing.c.source],
            set_={
                "began_at": case((same, capturing.c.began_at), else_=insert.excluded.began_at),
                "digest": insert.excluded.digest,
            },
        ).returning(capturing.c.began_at)

    def began(self, source: str, digest: str, now: int) -> int:
        """Since when this source captures by this text of its mapping file: since now, if it has not yet."""
        given = {"source": source, "digest": digest, "began_at": now}
        return int(self.database.transact_one(lambda one: one.execute(self.begin, given).scalar_one()))

    def add(self, capture: Capture, most: int) -> bool:
        """Keep it, unless there are `most` of its source already. Whether it is kept."""

        def put(connection: Connection) -> bool:
            if self.count(connection, capture.source) >= most:
                return False
            connection.execute(captures.insert().values(**row_of(capture)))
            return True

        return self.database.transact(put)

    def is_full(self, source: str, most: int) -> bool:
        """Whether there are `most` of this source already."""
        with self.database.read() as connection:
            return self.count(connection, source) >= most

    def count(self, connection: Connection, source: str) -> int:
        counted = select(func.count()).select_from(captures).where(captures.c.source == source)
        return int(connection.execute(counted).scalar_one())

    def find(self, source: str) -> list[Capture]:
        """The newest first."""
        statement = select(captures).where(captures.c.source == source).order_by(captures.c.id.desc())
        with self.database.read() as connection:
            return [capture_of(row) for row in connection.execute(statement)]

    def clear(self, source: str) -> int:
        """Forget all of a source, and have it capture anew. How many there were."""

        def remove(connection: Connection) -> int:
            connection.execute(delete(capturing).where(capturing.c.source == source))
            return connection.execute(delete(captures).where(captures.c.source == source)).rowcount

        return self.database.transact(remove)


def row_of(capture: Capture) -> dict[str, Any]:
    return {
        "source": capture.source,
        "received_at": capture.received_at,
        "reason": capture.reason,
        "findings": orjson.dumps(capture.findings).decode(),
        "method": capture.request.method,
        "target": capture.request.target,
        "headers": orjson.dumps(dict(capture.request.headers)).decode(),
        "body": capture.request.body,
        "is_whole": capture.is_whole,
    }
