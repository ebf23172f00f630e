"""A real nginx that ends TLS before the bridge and calls it by another name, as proxies do."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import missing
from tests.support.postgres import free_port

#: Debian keeps it where only root looks.
PLACES = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
PUBLIC_NAME = "hooks.example.com"
INNER_NAME = "bridge.internal"

CONFIGURATION = """
daemon off;
# Nobody else's process, which could not write here.
master_process off;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        server_name {public};
        ssl_certificate {certificate};
        ssl_certificate_key {folder}/key.pem;
        location / {{
            proxy_pass http://127.0.0.1:{upstream};
            proxy_set_header Host {inner};
            proxy_set_header X-Forwarded-Host $host;
            proxy_set_header X-Forwarded-Proto https;
        }}
    }}
}}
"""


@dataclass(frozen=True, slots=True)
class TlsProxy:
    command: list[str]
    url: str
    #: Signed by itself: who calls has to trust it by name.
    certificate: Path


def tls_proxy(folder: Path, upstream: int) -> TlsProxy:
    """An nginx to be started, which hands on to the port `upstream`. Skips the test if there is none."""
    program = shutil.which("nginx", path=PLACES)
    if program is None:
        missing("no nginx")
    folder.mkdir()
    port, certificate = free_port(), certified(folder)
    configuration = folder / "nginx.conf"
    configuration.write_text(
        CONFIGURATION.format(
            folder=folder, port=port, certificate=certificate, upstream=upstream, public=PUBLIC_NAME, inner=INNER_NAME
        )
    )
    command = [program, "-e", "stderr", "-p", str(folder), "-c", str(configuration)]
    return TlsProxy(command, f"https://127.0.0.1:{port}", certificate)


def certified(folder: Path) -> Path:
    if shutil.which("openssl") is None:
        missing("no openssl")
    certificate = folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={PUBLIC_NAME}"]
    names = ["-addext", f"subjectAltName=DNS:{PUBLIC_NAME},IP:127.0.0.1"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(certificate)]
    subprocess.run([*command, *names, *files], capture_output=True, check=True)
    return certificate
