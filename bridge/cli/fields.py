"""fields"""

from typing import Any

import click
import orjson
import structlog
from rich.markup import escape

from bridge import bootstrap, logs, settings
from bridge.cli.common import confirmed, count, opened_store, when
from bridge.cli.terminal import console, echo, table
from bridge.errors import BridgeError
from bridge.mapping.rules import FUTURE_EVENTS
from bridge.model import ENTITIES
from bridge.store import Store
from bridge.store.held import Held, Scope
from bridge.times import to_iso


def selection(run: Any) -> Any:
    """Which keys: all that fit everything that is said."""
    for option in (
        click.option("--ahead", is_flag=True, help="Only keys that are stamped later than now."),
        click.option("--source", help="Only keys that were set by an event of this source, if it is kept."),
        click.option("--key", "keys", multiple=True, help="Only this key; several times for several."),
        click.option("--id", "ids", multiple=True, metavar="UUID", help="Only this entity; several times for several."),
        click.option("--entity", type=click.Choice(ENTITIES), metavar="KIND", help="Only entities of this kind."),
    ):
        run = option(run)
    return run


@click.group("fields")
def command() -> None:
    """Look at the keys that the bridge has written, and free those that no event can set."""


@command.command("show")
@selection
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line.")
def show(as_json: bool, **which: Any) -> None:
    """Show keys with their values, and the time and the event that decide who may set them."""
    with opened_store() as store:
        found = find(store, **which)
    if as_json:
        for one in found:
            echo(orjson.dumps(as_dict(one)))
        return
    console.print(listed(found))


@command.command("release")
@selection
@click.option("--yes", is_flag=True, help="Do not ask.")
def release(yes: bool, **which: Any) -> None:
    """Drop the stamp of keys, so that the next event sets them, whatever its time.

    A key is stamped with the time of the event that set it, and no older event can set it again. A wrong time, such
    as a renewal date, holds it for years. The values stay as they are, here and in Metronome, until an event or a
    replay sets them. Say which keys with --id, --key, --source or --ahead.
    """
    if not any(which[name] for name in ("ids", "keys", "source", "ahead")):
        raise click.UsageError("say which keys: --id, --key, --source or --ahead")
    with opened_store() as store:
        found = find(store, **which)
        if not found:
            raise BridgeError("no key with a stamp fits")
        console.print(listed(found))
        confirmed(f"free {count(len(found), 'key', 'keys')}, so that the next event sets them?", yes=yes)
        freed = store.stamps.release(found, bootstrap.now())
    values = settings.load()
    logs.configure(values.log_format, values.log_level)
    log = structlog.get_logger()
    for one in freed:
        stamped = to_iso(one.stamp.occurred_at)
        place = {"entity": one.entity, "entity_id": one.entity_id, "key": one.key}
        log.warning("key released", **place, stamped=stamped, number=one.stamp.event)
    changed = len(found) - len(freed)
    echo(
        f"{count(len(freed), 'key', 'keys')} freed"
        + (f"; {count(changed, 'key was', 'keys were')} set by an event meanwhile" if changed else "")
    )


def find(store: Store, *, entity: str | None, ids: tuple[str, ...], keys: tuple[str, ...], **which: Any) -> list[Held]:
    scope = Scope(entity, tuple(one.lower() for one in ids), which["source"])
    later_than = None
    if which["ahead"]:
        later_than = store.glance(bootstrap.now()).now + FUTURE_EVENTS.tolerance
    return store.stamps.find(scope, keys, later_than)


def listed(found: list[Held]) -> Any:
    rows = table("entity", "id", "key", "value", "stamped (UTC)", "event", "written (UTC)")
    for one in found:
        value = "(removed)" if one.value is None else one.value
        texts = (one.entity, one.entity_id, one.key, value, when(one.stamp.occurred_at), str(one.stamp.event))
        rows.add_row(*(escape(text) for text in (*texts, when(one.set_at))))
    return rows


def as_dict(one: Held) -> dict[str, object]:
    return {
        "entity": one.entity,
        "entity_id": one.entity_id,
        "key": one.key,
        "value": one.value,
        "stamped": to_iso(one.stamp.occurred_at),
        "event": one.stamp.event,
        "written": to_iso(one.set_at),
    }
