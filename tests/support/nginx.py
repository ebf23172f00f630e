"""A real nginx for tests, set up as the docs say: on 127.0.0.1, with everything that it writes in the test's folder."""

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

#: Debian keeps it where only root looks.
PLACES = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
DOCS = Path(__file__).parent.parent.parent / "docs" / "operations.md"

AROUND = """
{user}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
events {{}}
http {{
    log_format replicas "$status $upstream_addr $upstream_status";
    access_log {folder}/access.log replicas;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{documented}
}}
"""


class NoNginxError(Exception):
    """There is none."""


def command(folder: Path, port: int, upstreams: Sequence[int]) -> list[str]:
    """How to start an nginx that listens on `port` and hands requests on to `upstreams`."""
    program = shutil.which("nginx", path=PLACES)
    if program is None:
        raise NoNginxError("there is no nginx: apt-get install nginx")
    folder.mkdir()
    configuration = folder / "nginx.conf"
    configuration.write_text(
        AROUND.format(
            # As root, nginx would hand its work to a user who may not write into the folder.
            user="user root;" if os.geteuid() == 0 else "",
            folder=folder,
            documented=documented(port, upstreams),
        )
    )
    return [program, "-e", "stderr", "-p", str(folder), "-c", str(configuration)]


def documented(port: int, upstreams: Sequence[int]) -> str:
    """What the docs show, with our addresses."""
    (text,) = re.findall(r"```nginx\n(.*?)```", DOCS.read_text(), re.DOTALL)
    text = text.replace("listen 80;", f"listen 127.0.0.1:{port};")
    # One line for each replica, in place of those that the docs have.
    settings = re.search(r"server [\d.]+:\d+(.*);", text)[1]
    servers = "\n".join(f"    server 127.0.0.1:{one}{settings};" for one in upstreams)
    return re.sub(r"( *server [\d.]+:\d+.*;\n)+", f"{servers}\n", text)
