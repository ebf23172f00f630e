"""What several commands need: sources by name, requests from files, tables that fit the terminal."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson
from rich.console import Console
from rich.progress import track
from rich.table import Table

from bridge import bootstrap, settings
from bridge.errors import OperatorError, SenderError
from bridge.mapping import files
from bridge.mapping.files import Mappings
from bridge.mapping.hints import accepted
from bridge.mapping.rules import Source
from bridge.model import Request
from bridge.senders import Sender
from bridge.settings import Settings
from bridge.store import Store
from bridge.times import to_datetime

T = TypeVar("T")

#: Colours and live displays only where somebody looks at them: rich asks the terminal. Elsewhere lines may be long.
console = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else 240)


def find_source(values: Settings, name: str) -> Source:
    """By its name, or by the path of its mapping file. Raises OperatorError that names the sources there are."""
    if name.endswith(files.SUFFIXES):
        source, found = files.load_file(Path(name), partial(settings.read, os.environ))
        if source is None:
            raise OperatorError("\n".join(str(problem) for problem in found if problem.level == "error"))
        return source
    mappings = bootstrap.load_mappings(values)
    if name in mappings.sources:
        return mappings.sources[name]
    problems = [str(problem) for problem in mappings.errors if Path(problem.path).stem == name]
    raise OperatorError("\n".join(problems) or f"there is no source {name!r}{accepted(name, mappings.sources)}")


def request_from(source: Source, path: Path, target: str, values: Settings) -> Request:
    """What is in the file, as this source's sender would post it, unsigned.

    .http: a whole request, headers and body as they are. .json: a payload, which the sender's module puts into the
    form that its product sends. Anything else, such as .xml: the body as it is.
    """
    return request_of(source.sender, path.read_bytes(), path, target, values)


def request_of(sender: Sender, content: bytes, path: Path, target: str, values: Settings) -> Request:
    """The same where the content was read already: `path` says what it is, and is named in messages."""
    headers = {"content-type": sender.content_type, "user-agent": "metronome-bridge send"}
    if path.suffix == ".http":
        return parse_http(content, target, values)
    if path.suffix == ".json" and not sender.content_type.startswith("application/json"):
        content = sender.compose(parse_json(content, path))
    return Request("POST", target, headers, content, values.public_urls)


def parse_http(content: bytes, target: str, values: Settings) -> Request:
    """A captured request: request line, headers, empty line, body."""
    # Editors like to save such a file with other line ends.
    end = b"\r\n" if b"\r\n\r\n" in content else b"\n"
    head, separator, body = content.partition(2 * end)
    lines = head.decode("latin-1").split(end.decode())
    words = lines[0].split(" ")
    if not separator or len(words) != 3:  # noqa: PLR2004
        raise OperatorError("the file is no HTTP request: a request line, headers and an empty line are expected")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return Request(words[0], words[1] or target, headers, body, values.public_urls)


def parse_json(content: bytes, path: Path) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise SenderError(f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from None


@contextmanager
def opened_store() -> Iterator[Store]:
    """The store that the environment names, with our tables. Raises StoreError."""
    store = bootstrap.build_store(settings.load())
    try:
        store.check()
        yield store
    finally:
        store.close()


def confirmed(question: str, *, yes: bool) -> None:
    """Returns if `yes` was said, on the command line or now. Ends the command otherwise."""
    if not yes:
        click.confirm(question, abort=True, err=True)


def progress(what: str) -> Callable[[Sequence[T]], Iterable[T]]:
    """Shows how far a loop is, where somebody looks at it."""

    def watch(steps: Sequence[T]) -> Iterable[T]:
        return track(steps, what, console=console, transient=True, disable=not console.is_terminal)

    return watch


def table(*columns: str) -> Table:
    made = Table(box=None, pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def when(micros: int) -> str:
    return to_datetime(micros).strftime("%Y-%m-%d %H:%M:%S")


def count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def load() -> tuple[Settings, Mappings]:
    values = settings.load()
    return values, bootstrap.load_mappings(values)


def sound_mappings(values: Settings) -> Mappings:
    """Raises OperatorError that says everything that is wrong with the mapping files."""
    mappings = bootstrap.load_mappings(values)
    if mappings.errors:
        raise OperatorError("\n".join(map(str, mappings.errors)))
    return mappings


def format_option(run: Callable[..., None]) -> Callable[..., None]:
    choice = click.Choice(["text", "json"])
    return click.option("--format", "form", type=choice, default="text", show_default=True)(run)


def print_json(value: Any) -> None:
    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2))
