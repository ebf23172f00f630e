"""worker"""

import signal
import sys
import threading
from types import FrameType

import click

from bridge import bootstrap, logs, settings
from bridge.web import ops


@click.command("worker")
def command() -> None:
    """Deliver, and nothing else.

    For installations whose web processes run with BRIDGE_DELIVERY=off. Run as many as you like: they share the work
    through the database. SIGTERM ends one after it has finished what is in flight. Changed mapping files are taken up
    while it runs, on SIGHUP at once.
    """
    values = settings.load()
    logs.configure(values.log_format, values.log_level)
    bridge = bootstrap.build(values)
    bridge.store.check()
    worker = bootstrap.build_worker(bridge)
    reloader = bootstrap.build_reloader(bridge, delivers=True)
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGHUP, lambda _number, _frame: reloader.ask())
    if values.ops_port:
        ops.serve(bridge, values.host, values.ops_port, stop)
    reloader.start()
    worker.start()
    logs.announce(f"metronome-bridge delivers to {values.metronome_base_url}")
    stop.wait()
    reloader.stop()
    in_time = worker.stop(values.stop_seconds)
    bridge.close()
    sys.exit(0 if in_time else 1)
