"""serve"""

from functools import partial

import click

from bridge import bootstrap, logs, settings
from bridge.web.app import running_app
from bridge.web.server import serve


@click.command("serve")
@click.option("--upgrade", is_flag=True, help="Create the tables, or bring them up to date, before anything else.")
def command(upgrade: bool) -> None:
    """Take webhooks, and deliver unless BRIDGE_DELIVERY is off.

    Runs WEB_CONCURRENCY processes on BRIDGE_HOST:PORT until it is told to stop (SIGTERM); then it finishes what is in
    flight and gives the rest back. Changed mapping files are taken up while it runs, on SIGHUP at once.

    Run `metronome-bridge upgrade` first, once for each new version.
    """
    values = settings.load()
    logs.configure(values.log_format, values.log_level)
    check(values, upgrade=upgrade)
    logs.announce(f"metronome-bridge listens on http://{values.host}:{values.port}")
    serve(
        # The files have been checked. Should one be wrong later, a process that takes another's place still starts.
        partial(running_app, strict=False),
        on_hangup=lambda app: app.extensions["reloader"].ask(),
        host=values.host,
        port=values.port,
        processes=values.web_processes,
        threads=values.web_threads,
        stop_seconds=values.stop_seconds,
    )


def check(values: settings.Settings, *, upgrade: bool) -> None:
    """Whatever would stop the web processes is said here, once. Raises OperatorError."""
    bridge = bootstrap.build(values)
    try:
        if upgrade:
            bridge.store.upgrade()
        bridge.store.check()
        if values.delivery:
            bootstrap.build_worker(bridge)
    finally:
        bridge.close()
