"""When an event was received: by one clock for all replicas, and in the order of event ids.

On PostgreSQL the server's clock dates receipts, whatever the clocks of replicas say. SQLite has only the machine's.
Either can step. An event that brings no time is dated by its receipt, so two rules follow:

- A step back must not make a later event older than an earlier one, or the older value would win. So no receipt is
  dated before the last one, if that is at most LONGEST_STEP ahead of the clock. Of equal times the higher id wins.
- A last receipt that is further ahead was dated by a clock that was wrong then, such as a year ahead after a boot
  without a network. It counts for nothing: else every later event would be dated a year ahead too, win over events
  that bring their own time, and be kept a year longer.

Nothing tells a clock that went ahead from a bridge that was not running. Keys that were stamped while it was wrong keep
their stamps: `metronome-bridge fields release --ahead` finds and frees them.
"""

from sqlalchemy import BigInteger, ColumnElement, and_, case, func, literal_column, select

from bridge.store.tables import events
from bridge.times import DAY

#: How far a clock is taken to have been set back. Longer: it was ahead before.
LONGEST_STEP = DAY

#: The time at which the server began the statement: all rows of one statement have the same.
SERVER_RECEIPT = literal_column("(extract(epoch FROM statement_timestamp()) * 1000000)::bigint", BigInteger)

LAST_EVENT = select(func.max(events.c.id)).scalar_subquery()
LAST_RECEIPT = func.coalesce(select(events.c.received_at).where(events.c.id == LAST_EVENT).scalar_subquery(), 0)


def not_before_last_receipt(time: ColumnElement[int]) -> ColumnElement[int]:
    is_near = and_(time < LAST_RECEIPT, time + LONGEST_STEP >= LAST_RECEIPT)
    return case((is_near, LAST_RECEIPT), else_=time)
