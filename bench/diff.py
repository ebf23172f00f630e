"""What it costs to compare two mappings over a full store."""

import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import click
from sqlalchemy import text

from bench.stand import empty_database, prepare
from bridge import bootstrap, settings
from bridge.times import SECOND

MAPPING = """
sender: stripe
secrets: ["${STRIPE_WEBHOOK_SECRET}"]
rules:
  - name: profile
    events: [customer.updated]
    entity: customer
    id: data.object.metadata.metronome_customer_id
    fields:
      name: data.object.name
      tier: lower(data.object.metadata.tier)
      credit_limit_usd: "divide(data.object.metadata.credit_limit_cents, `100`)"
      email: data.object.email
      plan: {path: data.object.metadata.plan, default: free}
      region: data.object.metadata.region
      segment: data.object.metadata.segment
      owner: data.object.metadata.owner
      coupon: data.object.discount.coupon.id
      revision: data.object.metadata.revision
"""
CANDIDATE = MAPPING.replace("lower(", "upper(")
NEWEST = 1_795_341_600 * SECOND
#: About a kilobyte, as Stripe sends it.
PAYLOAD = r"""'{"id"\:"evt_' || i || '","type"\:"customer.updated","created"\:1795341600,"data"\:{"object"\:{'
    || '"name"\:"Customer ' || i || '","email"\:"billing@' || i || '.example.com","discount"\:null,"note"\:"<padding>",'
    || '"metadata"\:{"metronome_customer_id"\:"00000000-0000-4000-8000-'
    || substr(CAST(1000000000000 + i % <entities> AS TEXT), 2)
    || '","tier"\:"' || CASE WHEN i % 3 = 0 THEN 'Gold' ELSE 'Silver' END || '","credit_limit_cents"\:' || i
    || ',"plan"\:"plan ' || (i % 7) || '","region"\:"region ' || (i % 5) || '","segment"\:"segment ' || (i % 11)
    || '","owner"\:"owner ' || (i % 101) || '","revision"\:' || i || '}}}}'"""
FILL = """WITH RECURSIVE numbers(i) AS
    (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM numbers WHERE i < <events>)
    INSERT INTO events (source, event_id, event_type, occurred_at, received_at, payload, headers, state, digest)
    SELECT 'stripe', 'evt_' || i, 'customer.updated', <newest> - (<events> - i) * 1000000,
        <newest> - (<events> - i) * 1000000, <payload>, '{}', 'translated', '0123456789ab' FROM numbers"""


@click.command()
@click.option("--events", default=100_000, show_default=True)
@click.option("--entities", default=None, type=int, help="Each with ten keys. Default: a tenth as many as events.")
@click.pass_obj
def diff(databases: dict[str, str | None], events: int, entities: int | None) -> None:
    """What it costs to compare two mappings that differ in one of ten keys: events a second, and memory."""
    for name, server in databases.items():
        with ExitStack() as stack:
            place = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="metronome-bridge-bench-")))
            environ = os.environ | {
                "DATABASE_URL": stack.enter_context(empty_database(server, place)),
                "BRIDGE_MAPPINGS": str(put(place / "current", MAPPING)),
            }
            prepare(environ)
            fill(environ, events, entities or events // 10)
            start = time.perf_counter()
            command = [sys.executable, "-m", "bridge", "diff", "--mappings", str(put(place / "candidate", CANDIDATE))]
            said = subprocess.run(command, env=environ, stdout=subprocess.PIPE, check=False)
            seconds = time.perf_counter() - start
        if said.returncode != 1:
            raise click.ClickException(f"it ended with {said.returncode}: {said.stdout.decode()}")
        # In KiB: https://man7.org/linux/man-pages/man2/getrusage.2.html
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        click.echo(said.stdout.decode())
        click.echo(
            f"{name:12} {events:,} events in {seconds:.1f} s: {events / seconds:,.0f}/s, {memory:.0f} MiB at most"
        )


def put(folder: Path, mapping: str) -> Path:
    folder.mkdir()
    (folder / "stripe.yaml").write_text(mapping)
    return folder


def fill(environ: dict[str, str], events: int, entities: int) -> None:
    statement = FILL.replace("<payload>", PAYLOAD)
    given = {"events": events, "entities": entities, "newest": NEWEST, "padding": "a line of text " * 30}
    for word, value in given.items():
        statement = statement.replace(f"<{word}>", str(value))
    store = bootstrap.build_store(settings.load(environ))
    with store.database.write() as connection:
        connection.execute(text(statement))
    store.close()
