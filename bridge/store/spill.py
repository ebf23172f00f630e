"""End states of more keys than fit into memory: a temporary file of SQLite, which nobody else sees."""

import sqlite3
from collections.abc import Iterable, Iterator

from bridge.errors import OperatorError

#: The entity, the kind and the value of its reference, a key and what that holds, and the three parts of its stamp.
Row = tuple[str, str, str, str, str | None, int, int, int]

#: What SQLite may hold of it in memory, in KiB.
CACHE = 16 << 10

#: An empty name is a file that is gone when it is closed, however the process ends, and is written to only once it has
#: grown: https://www.sqlite.org/inmemorydb.html#temp_db
UNNAMED = ""
TABLE = """CREATE TABLE held (
    entity TEXT, kind TEXT, reference TEXT, key TEXT, value TEXT, occurred_at INTEGER, event INTEGER, change INTEGER,
    PRIMARY KEY (entity, kind, reference, key)
) WITHOUT ROWID"""
PUT = """INSERT INTO held VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET value = excluded.value,
    occurred_at = excluded.occurred_at, event = excluded.event, change = excluded.change
    WHERE (occurred_at, event, change) < (excluded.occurred_at, excluded.event, excluded.change)"""
ALL = "SELECT * FROM held ORDER BY entity, kind, reference, key"


class Spill:
    """What keys hold. Opens with the first that is put. Raises OperatorError where there is no room."""

    def __init__(self) -> None:
        self.connection: sqlite3.Connection | None = None

    def put(self, rows: Iterable[Row]) -> None:
        """Per key the newest stamp stays."""
        try:
            if self.connection is None:
                self.connection = opened()
            with self.connection:
                self.connection.executemany(PUT, rows)
        except sqlite3.OperationalError as error:
            raise OperatorError(f"the temporary file cannot be written ({error}): SQLITE_TMPDIR says where") from None

    def rows(self) -> Iterator[Row]:
        """In the order of what comes first in them."""
        return iter(()) if self.connection is None else self.connection.execute(ALL)

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


def opened() -> sqlite3.Connection:
    connection = sqlite3.connect(UNNAMED)
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute(f"PRAGMA cache_size = -{CACHE}")
    connection.execute(TABLE)
    return connection
