"""Counting without reading everything."""

from sqlalchemy import Column, ColumnElement, ScalarSelect, Text, and_, func, literal_column, select

from bridge.model import ChangeState, EventState, Wait
from bridge.store.database import Database

#: Where counting ends. Whoever has more to look into needs no exact figure.
MOST_COUNTED = 500


def counted(which: ColumnElement[bool], *order: Column[str] | Column[int]) -> ScalarSelect[int]:
    """How many rows there are, up to MOST_COUNTED. `order`: the columns of the index that has them."""
    # In its order, so that PostgreSQL takes this index, whatever it believes about the number of rows.
    found = select(order[-1]).where(which).order_by(*order).limit(MOST_COUNTED).subquery()
    return select(func.count()).select_from(found).scalar_subquery()


def is_only(database: Database, column: Column[str], state: EventState | ChangeState | Wait) -> ColumnElement[bool]:
    """For PostgreSQL an equality said as a range: only so is the column a part of the order, and one index has that."""
    value = literal_column(f"'{state}'", Text)
    return column == value if database.is_sqlite else and_(column >= value, column <= value)
