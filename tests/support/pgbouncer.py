"""A real pgbouncer for tests, on 127.0.0.1, with everything that it writes in a folder of its own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from sqlalchemy.engine import make_url

from tests.support.postgres import UNPRIVILEGED, free_port
from tests.support.processes import until

#: Debian keeps it where only root looks.
PLACES = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
#: As Debian ships it, but for addresses and sizes: https://www.pgbouncer.org/config.html
CONFIGURATION = """
[databases]
* = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = {mode}
default_pool_size = {sessions}
max_client_conn = 500
logfile = {folder}/log
"""


class NoPgbouncerError(Exception):
    """There is none."""


@contextmanager
def pgbouncer(database_url: str, mode: str, *, sessions: int = 4) -> Iterator[str]:
    """Yields the URL of this database behind a pgbouncer with so many sessions."""
    program = shutil.which("pgbouncer", path=PLACES)
    if program is None:
        raise NoPgbouncerError("there is no pgbouncer: apt-get install pgbouncer")
    url, listen = make_url(database_url), free_port()
    with tempfile.TemporaryDirectory(prefix="bridge-pgbouncer-") as name:
        folder = Path(name)
        (folder / "users").write_text(f'"{url.username}" ""\n')
        configuration = folder / "pgbouncer.ini"
        configuration.write_text(
            CONFIGURATION.format(
                host=url.host, port=url.port, listen=listen, folder=folder, mode=mode, sessions=sessions
            )
        )
        # It refuses to run as root.
        user = UNPRIVILEGED if os.geteuid() == 0 else None
        folder.chmod(0o777)
        process = subprocess.Popen([program, str(configuration)], user=user, stderr=subprocess.DEVNULL)
        pooled = url.set(port=listen).render_as_string(hide_password=False)
        try:
            until(lambda: answers(pooled))
            yield pooled
        finally:
            process.kill()
            process.wait()


def answers(url: str) -> bool:
    try:
        psycopg.connect(url).close()
    except psycopg.OperationalError:
        return False
    return True
