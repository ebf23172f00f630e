"""diagnose"""

import sys
from pathlib import Path

import click

from bridge import private, settings
from bridge.cli.common import find_source, opened_store, when
from bridge.cli.terminal import console, echo
from bridge.errors import BridgeError
from bridge.model import Capture, Request
from bridge.text import harmless


@click.command("diagnose")
@click.argument("source")
@click.option(
    "--fixture",
    nargs=2,
    type=(int, click.Path(dir_okay=False, path_type=Path)),
    metavar="NUMBER FILE",
    help="Write one captured request to a .http file, for `try` and for tests.",
)
@click.option("--clear", is_flag=True, help="Forget what was captured, and begin anew.")
def command(source: str, fixture: tuple[int, Path] | None, clear: bool) -> None:
    """Show why requests to SOURCE were refused, and what would have to be otherwise.

    They are kept while its mapping file says `on_unverified: capture`, without what is secret in them. Ends with 1 if
    none was kept.
    """
    with opened_store() as store:
        if clear:
            echo(f"{store.captures.clear(source)} captured requests forgotten")
            return
        found = store.captures.find(source)
    if fixture:
        write(found, *fixture)
        return
    for capture in found:
        show(capture)
    if not found:
        say_why_not(source)
        sys.exit(1)


def show(capture: Capture) -> None:
    request = capture.request
    console.print(f"[bold]request {capture.id}[/] of {when(capture.received_at)} UTC")
    console.print(harmless(f"  {request.method} {request.target}, {len(request.body)} bytes"), markup=False)
    for name, value in request.headers.items():
        console.print(harmless(f"  {name}: {value}"), markup=False)
    console.print(harmless(f"  refused: {capture.reason}"), markup=False)
    for finding in capture.findings:
        console.print(harmless(f"  found: {finding}"), markup=False)
    if not capture.findings:
        console.print("  found: nothing else that was tried helps: compare the secret with the one the sender shows")
    console.print()


def write(found: list[Capture], number: int, path: Path) -> None:
    capture = next((one for one in found if one.id == number), None)
    if capture is None:
        raise BridgeError(f"there is no captured request {number} of this source")
    private.write(path, wire(capture.request))
    left_out = "" if capture.is_whole else "; something was left out of its body, so its signature fits no longer"
    echo(f"{path} written{left_out}")


def wire(request: Request) -> bytes:
    """As it came: request line, headers, empty line, body."""
    headers = {**request.headers, "content-length": str(len(request.body))}
    lines = [f"{request.method} {request.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + request.body


def say_why_not(name: str) -> None:
    """Raises OperatorError if there is no such source."""
    source = find_source(settings.load(), name)
    if source.capture is None:
        echo(f"nothing is captured: write `on_unverified: capture` into {source.path}, and have a request sent")
    else:
        echo("nothing was captured yet: no request was refused since the bridge read the mapping file")
