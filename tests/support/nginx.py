"""A real nginx for tests: a load balancer on 127.0.0.1, with everything that it writes inside the test's folder."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

#: Debian keeps it where only root looks.
PLACES = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])

#: The upstream and the location are those of docs/operations.md.
CONFIGURATION = """
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

    upstream bridge {{
        {servers}
        keepalive 32;
    }}

    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 64m;

        location / {{
            proxy_pass http://bridge;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $host;
            proxy_connect_timeout 1s;
            proxy_next_upstream error timeout non_idempotent;
        }}
    }}
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
        CONFIGURATION.format(
            # As root, nginx would hand its work to a user who may not write into the folder.
            user="user root;" if os.geteuid() == 0 else "",
            folder=folder,
            port=port,
            servers="\n        ".join(f"server 127.0.0.1:{one} max_fails=0;" for one in upstreams),
        )
    )
    return [program, "-e", "stderr", "-p", str(folder), "-c", str(configuration)]
