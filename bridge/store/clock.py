"""No time that is remembered is earlier than the last receipt, whatever this machine's clock was set to since."""

from sqlalchemy import ColumnElement, case, func, select

from bridge.store.tables import events

LAST_EVENT = select(func.max(events.c.id)).scalar_subquery()
LAST_RECEIPT = func.coalesce(select(events.c.received_at).where(events.c.id == LAST_EVENT).scalar_subquery(), 0)


def not_before_last_receipt(time: ColumnElement[int]) -> ColumnElement[int]:
    return case((time > LAST_RECEIPT, time), else_=LAST_RECEIPT)
