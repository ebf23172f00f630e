"""send"""

import sys
from dataclasses import dataclass
from pathlib import Path

import click
import requests

from bridge import settings
from bridge.bootstrap import now
from bridge.cli.common import find_source, request_from
from bridge.cli.terminal import echo
from bridge.errors import BridgeError, OperatorError
from bridge.mapping.rules import Source
from bridge.model import Request

TIMEOUT_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: str


@click.command("send")
@click.argument("source")
@click.argument("event", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--to", metavar="URL", help="Where the bridge is. Default: this machine, at PORT.")
def command(source: str, event: Path, to: str | None) -> None:
    """Sign an EVENT as its sender would, with the source's first secret, and post it to a running bridge.

    EVENT is a file: .json (a payload), .http (a whole request) or the raw body. Ends with 1 if it is refused.
    """
    values = settings.load()
    found = find_source(values, source)
    request = request_from(found, event, f"/webhooks/{source}", values)
    reply = post(sign(found, request), to or f"http://127.0.0.1:{values.port}")
    echo(f"{reply.status} {reply.body}")
    sys.exit(0 if reply.status == requests.codes.ok else 1)


def sign(source: Source, request: Request) -> Request:
    """With the first secret, now. Raises OperatorError if there is none."""
    if source.unset:
        raise OperatorError(f"{source.path}: {', '.join(source.unset)} is not set: signing needs it")
    secret = "" if source.sender.open else source.secrets[0]
    return source.sender.sign(request, secret, now())


def post(request: Request, base_url: str) -> Reply:
    """Raises BridgeError if nobody answers."""
    try:
        response = requests.request(
            request.method,
            base_url.rstrip("/") + request.target,
            data=request.body,
            headers=dict(request.headers),
            timeout=TIMEOUT_SECONDS,
            allow_redirects=False,
        )
    except requests.RequestException as error:
        raise BridgeError(f"{base_url} does not answer ({type(error).__name__}): does the bridge run there?") from None
    return Reply(response.status_code, response.text)
