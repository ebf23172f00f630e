"""gunicorn, set up for what we serve: threads, and nothing in the home folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

#: Where gunicorn's heartbeat does not wait for a disk: https://docs.gunicorn.org/en/stable/faq.html
MEMORY = "/dev/shm"  # noqa: S108


class Server(BaseApplication):
    """Serves what `load` makes, once in each worker process, until it is told to stop."""

    def __init__(self, make_app: Callable[[], Any], options: dict[str, Any]) -> None:
        self.make_app = make_app
        self.options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self.options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self.make_app()


def serve(
    make_app: Callable[[], Any], *, host: str, port: int, processes: int, threads: int, stop_seconds: float
) -> None:
    """Returns, by SystemExit, when the server was told to stop."""
    Server(
        make_app,
        {
            "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            "workers": processes,
            "worker_class": "gthread",
            "threads": threads,
            "proc_name": "metronome-bridge",
            "graceful_timeout": round(stop_seconds) + 5,
            # Longer than the load balancers in front keep idle connections, so that they close them and not we.
            "keepalive": 75,
            "worker_tmp_dir": MEMORY if Path(MEMORY).is_dir() else None,
            # gunicorn would open one in the home folder.
            "control_socket_disable": True,
            "loglevel": "warning",
        },
    ).run()
