"""The order in which rows are locked, so that no two transactions wait for each other.

Events first, then references, then entities, then changes; of one table by rising number. An UPDATE of PostgreSQL locks
rows in whatever order it finds them: https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-DEADLOCKS
"""

from sqlalchemy import ColumnElement, Connection, Select, Table, select


def in_order(table: Table, *which: ColumnElement[bool]) -> Select[tuple[int]]:
    """Returns a statement that locks these rows, and waits for each in turn."""
    return select(table.c.id).where(*which).order_by(table.c.id).with_for_update()


def hold(connection: Connection, statement: Select[tuple[int]], given: dict[str, object] | None = None) -> None:
    """Run a statement of `in_order`. SQLite has one writer at a time, and locks no rows."""
    if connection.dialect.name != "sqlite":
        connection.execute(statement, given or {}).close()
