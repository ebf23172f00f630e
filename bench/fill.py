"""A store as it is after months: made of a few statements that count rows up, on SQLite and PostgreSQL alike."""

from sqlalchemy import text

from bridge.store import Store
from bridge.times import HOUR, SECOND

#: When the newest event of a filled store happened.
NOW = 1_795_341_600 * SECOND
#: A source that has been silent for long, one that says little, one that never fails, and others.
SOURCES = """CASE WHEN i <= {events} / 5 AND i % 2 = 0 THEN 'retired' WHEN i % 1000 = 0 THEN 'rare'
    WHEN i % 10 < 6 THEN 'stripe' WHEN i % 10 < 9 THEN 'hubspot' ELSE 'salesforce' END"""
PAYLOAD = """'{{"id"\\: "evt_' || i || '", "data"\\: {{"object"\\: {{"name"\\: "Customer ' || i || '", "note"\\: "'
    || '{padding}' || '"}}}}}}'"""
#: The digits of a number, as the UUID of an entity.
UUID = "'00000000-0000-4000-8000-' || substr(CAST(1000000000000 + {} AS TEXT), 2)"

#: Table -> how many rows, as a part of the events; column -> its value in the row number `i`.
#: Of the events the last hundred are received, one in 300 failed and one in 300 was ignored.
TABLES = (
    (
        "events",
        "{events}",
        {
            "source": SOURCES,
            "event_id": "'evt_' || i",
            "event_type": "'customer.updated'",
            "occurred_at": "{now} - ({events} - i) * 1000000",
            "received_at": "{now} - ({events} - i) * 1000000",
            "payload": PAYLOAD,
            "headers": "'{{}}'",
            "state": "CASE WHEN i > {events} - 100 THEN 'received' WHEN i % 300 = 0 THEN 'failed'"
            " WHEN i % 300 = 1 THEN 'ignored' ELSE 'translated' END",
            "digest": "'0123456789abcdef'",
        },
    ),
    # One change an event. Those of the newest twentieth are pending; of the others nearly all are delivered.
    (
        "changes",
        "{events}",
        {
            "event": "i",
            "source": SOURCES,
            "rule": "'customer'",
            "entity": "'customer'",
            "reference_kind": "'id'",
            "reference_value": UUID.format("i % ({events} / 50)"),
            "entity_id": f"CASE WHEN i > {{events}} - {{events}} / 20 THEN {UUID.format('i % ({events} / 50)')}"
            f" ELSE {UUID.format('i % ({events} / 10)')} END",
            "sets": "'{{\"tier\"\\: \"gold ' || i || '\"}}'",
            "removes": "'[]'",
            "occurred_at": "{now} - ({events} - i) * 1000000",
            "created_at": "{now} - ({events} - i) * 1000000",
            "partial": "false",
            "state": "CASE WHEN i > {events} - {events} / 20 THEN 'pending' WHEN i % 1000 = 7 THEN 'refused'"
            " WHEN i % 20 = 0 THEN 'superseded' ELSE 'delivered' END",
        },
    ),
    # What waits for the busiest entity.
    (
        "changes",
        "{busy}",
        {
            "event": "i",
            "source": "'stripe'",
            "rule": "'customer'",
            "entity": "'contract'",
            "reference_kind": "'id'",
            "reference_value": UUID.format("0"),
            "entity_id": UUID.format("0"),
            "sets": "'{{\"tier\"\\: \"gold ' || i || '\"}}'",
            "removes": "'[]'",
            "occurred_at": "{now} - i * 1000",
            "created_at": "{now}",
            "partial": "false",
            "state": "'pending'",
        },
    ),
    # What waits for a lookup.
    (
        "changes",
        "{events} / 200",
        {
            "event": "i",
            "source": "'stripe'",
            "rule": "'customer'",
            "entity": "'customer'",
            "reference_kind": "'ingest_alias'",
            "reference_value": "'cus_' || (i / 2)",
            "sets": '\'{{"tier"\\: "gold"}}\'',
            "removes": "'[]'",
            "occurred_at": "{now} - i * 1000",
            "created_at": "{now}",
            "partial": "false",
            "state": "'parked'",
        },
    ),
    # One entity in ten failed and is postponed; the eight that wait longest are leased.
    (
        "entities",
        "{events} / 50",
        {
            "entity": "'customer'",
            "entity_id": UUID.format("(i - 1)"),
            "due_at": "CASE WHEN i % 10 = 0 THEN {now} + {hour} + i ELSE {now} - {hour} + i END",
            "leased_until": "CASE WHEN i <= 8 THEN {now} + {hour} ELSE 0 END",
            "lease": "CASE WHEN i <= 8 THEN 'theirs' END",
            "tries": "CASE WHEN i % 10 = 0 THEN 5 ELSE 0 END",
        },
    ),
    (
        "fields",
        "{events} * 3 / 10",
        {
            "entity": "'customer'",
            "entity_id": UUID.format("i / 3"),
            "key": "'key_' || (i % 3)",
            "value": "'value ' || i",
            "occurred_at": "{now} - {hour}",
            "event": "i",
            "change": "i",
            "set_at": "{now} - {hour}",
        },
    ),
    # Half of them of customers who have lost the value since.
    (
        "index_entries",
        "{events}",
        {
            "key": "'crm_account_id'",
            "value": "'A-' || (i / 2)",
            "entity_id": UUID.format("i"),
            "walk": "1 + i % 2",
        },
    ),
    (
        "attempts",
        "{events} / 2",
        {
            "entity": "'customer'",
            "entity_id": UUID.format("i % ({events} / 10)"),
            "call": "'set'",
            "keys": "'[\"tier\"]'",
            "status": "200",
            "verdict": "'accepted'",
            "message": "''",
            "started_at": "{now} - {hour}",
            "duration": "20000",
            "changes": "'[' || i || ']'",
        },
    ),
    # Of the lookups one in eleven is due; the others were answered.
    (
        "references",
        "{events} / 400 * 11",
        {
            "entity": "'customer'",
            "kind": "'ingest_alias'",
            "value": "'cus_' || i",
            "entity_id": f"CASE WHEN i > {{events}} / 400 THEN {UUID.format('i')} END",
            "checked_at": "{now} - {hour}",
            "due_at": "CASE WHEN i <= {events} / 400 THEN {now} - {hour} + i END",
            "leased_until": "0",
            "tries": "0",
        },
    ),
)


def fill(store: Store, events: int, *, busy: int | None = None) -> None:
    """For an empty store. A tenth as many entities as events, a twentieth as many pending changes.

    `busy`: how many changes wait for the busiest entity.
    """
    given = {
        "events": events,
        "now": NOW,
        "hour": HOUR,
        "busy": max(1000, events // 100) if busy is None else busy,
        "padding": "a line of text " * 40,
    }
    with store.database.write() as connection:
        for table, rows, columns in TABLES:
            names = ", ".join(f'"{name}"' for name in columns)
            values = ", ".join(value.format(**given) for value in columns.values())
            statement = (
                "WITH RECURSIVE numbers(i) AS"
                f" (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM numbers WHERE i < {rows.format(**given)})"
                f' INSERT INTO "{table}" ({names}) SELECT {values} FROM numbers'
            )
            connection.execute(text(statement))
    if not store.database.is_sqlite:
        # What autovacuum does in a while.
        with store.database.read() as connection:
            connection.execute(text("VACUUM ANALYZE"))
