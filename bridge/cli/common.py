"""What several commands need: sources by name, requests from files, tables that fit the terminal."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import click
from rich.progress import track

from bridge import bootstrap, settings
from bridge.cli.terminal import console
from bridge.errors import OperatorError
from bridge.mapping import files, samples
from bridge.mapping.files import Mappings
from bridge.mapping.hints import accepted
from bridge.mapping.rules import Source
from bridge.model import Request
from bridge.senders import Sender
from bridge.settings import Settings
from bridge.store import Store
from bridge.times import to_datetime

T = TypeVar("T")

#: What both databases can hold.
LARGEST_NUMBER = (1 << 63) - 1
#: The number of a stored event.
NUMBER = click.IntRange(max=LARGEST_NUMBER)


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
    """What is in the file, as this source's sender would post it, unsigned."""
    return request_of(source.sender, path.read_bytes(), path, target, values)


def request_of(sender: Sender, content: bytes, path: Path, target: str, values: Settings) -> Request:
    """The same where the content was read already: `path` says what it is, and is named in messages."""
    request = samples.request_of(sender, path, content, target, values.public_urls)
    return replace(request, headers={"user-agent": "metronome-bridge send", **request.headers})


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
