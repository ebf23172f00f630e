"""The same application, but it forgets each webhook that it has verified and read: what storing could reach at most."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from flask import Flask

from bridge import bootstrap, logs, settings
from bridge.model import Event
from bridge.pipeline.receive import Receiver
from bridge.web.app import create_app
from bridge.web.server import serve


class NoEvents:
    def add(self, source: str, received: Sequence[Event], headers: Mapping[str, str], now: int) -> int:
        return len(received)


def make_app() -> Flask:
    values = settings.load()
    logs.configure(values.log_format, values.log_level)
    bridge = bootstrap.build(values)
    return create_app(replace(bridge, receiver=Receiver(NoEvents(), lambda: None)))  # type: ignore[arg-type]


if __name__ == "__main__":
    values = settings.load()
    serve(
        make_app,
        host=values.host,
        port=values.port,
        processes=values.web_processes,
        threads=values.web_threads,
        stop_seconds=values.stop_seconds,
    )
