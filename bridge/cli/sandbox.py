"""sandbox"""

from pathlib import Path

import click
import orjson

from bridge.bootstrap import now
from bridge.cli.terminal import echo
from bridge.errors import OperatorError
from bridge.metronome.sandbox import arrange, create_sandbox
from bridge.metronome.world import ApiError, Faults, World
from bridge.web.server import serve


@click.command("sandbox")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65535), default=8181, show_default=True)
@click.option("--token", help="The only bearer token to accept. Default: any.")
@click.option("--data", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="What to hold: JSON.")
@click.option("--latency-ms", type=click.FloatRange(0, 60_000), default=0, help="How long every answer takes.")
@click.option(
    "--rate-limit", type=click.FloatRange(0), default=0, help="Calls a second; above it 429 with Retry-After."
)
@click.option("--error-rate", type=click.FloatRange(0, 1), default=0, help="The share of calls that are answered 500.")
@click.option("--outage", is_flag=True, help="Answer every call 503.")
@click.option("--enforce-keys", is_flag=True, help="Set only keys that were added with addKey.")
@click.option("--enforce-customers", is_flag=True, help="Answer 404 for customers that do not exist.")
@click.option(
    "--conflict-status",
    type=click.Choice([409, 400]),
    default=409,
    show_default=True,
    help="What a unique value that another entity holds is answered.",
)
def command(host: str, port: int, token: str | None, data: Path | None, **faults: float | bool) -> None:
    """Run a local stand-in for Metronome's API.

    It validates as the API does and keeps what it is told in memory. GET /sandbox shows it as JSON: values, keys,
    customers, contracts, rules, calls. POST /sandbox switches faults while it runs, for example
    {"faults": {"outage": true}}, and sets rules for single calls, for example
    {"rules": [{"endpoint": "/v2/contracts/list", "status": 403}]}. See docs/cli.md.
    """
    world = World(faults=Faults(**faults))  # type: ignore[arg-type]
    if data is not None:
        populate(world, data)
    echo(f"a stand-in for Metronome listens on http://{host}:{port}", err=True)
    app = create_sandbox(world, clock=now, token=token)
    # One process: what it holds is in memory.
    serve(lambda: app, host=host, port=port, processes=1, threads=32, stop_seconds=1)


def populate(world: World, path: Path) -> None:
    """{customers: [{name, id, ingest_aliases, salesforce_account_id}], contracts: [{customer_id, ...}], rules, ...}"""
    try:
        scene = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise OperatorError(f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from None
    try:
        arrange(world, scene, now())
    except ApiError as error:
        raise OperatorError(f"{path}: {error}") from None
