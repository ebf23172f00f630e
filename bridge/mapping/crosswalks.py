"""Crosswalks: CSV files beside the mapping files that say which entity of Metronome an id of somebody else's means."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from bridge.mapping.documents import Problem
from bridge.mapping.hints import accepted
from bridge.mapping.values import is_uuid

MAX_CROSSWALK_BYTES = 10 << 20
MAX_ROWS = 100_000
#: What is wrong in one file is told so often; whoever mends that finds the rest.
MAX_PROBLEMS = 20

#: A name and no path: nothing outside of the folder is ever read.
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_. -]*\.csv")


class CrosswalkError(Exception):
    """The file, or a column of it, is not there or cannot be read at all. `about`: which key of the mapping says so."""

    def __init__(self, message: str, about: str = "file") -> None:
        super().__init__(message)
        self.about = about


@dataclass(frozen=True, slots=True)
class Table:
    """A file as it is: the names of its columns, its rows with the lines they begin in, and its bytes."""

    path: str
    columns: Sequence[str]
    rows: Sequence[tuple[int, Sequence[str]]] = field(repr=False)
    content: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Crosswalk:
    """Two columns of a file: from the one to the other."""

    file: str
    column: str
    #: Values of the column -> UUIDs.
    rows: Mapping[str, str] = field(repr=False)


def read(beside: str, name: str) -> Table:
    """The file of that name beside another one. Raises CrosswalkError."""
    path = Path(beside).with_name(name)
    content = content_of(path)
    try:
        # utf-8-sig: Excel begins a file with a byte order mark.
        reader = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        rows = list(lines(reader))
    except UnicodeDecodeError as error:
        raise CrosswalkError(f"is not UTF-8 text: byte {error.start + 1} does not belong there") from None
    except csv.Error as error:
        raise CrosswalkError(f"is not CSV: {error} in line {reader.line_num}") from None
    if not rows:
        raise CrosswalkError("is empty: a line with the names of its columns is expected")
    if len(rows) - 1 > MAX_ROWS:
        raise CrosswalkError(f"has more than {MAX_ROWS} rows")
    return Table(str(path), rows[0][1], rows[1:], content)


def content_of(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise CrosswalkError("is not there, or is no file: put it beside the mapping file")
        with path.open("rb") as file:
            content = file.read(MAX_CROSSWALK_BYTES + 1)
    except OSError as error:
        raise CrosswalkError(f"cannot be read: {error.strerror or type(error).__name__}") from None
    if len(content) > MAX_CROSSWALK_BYTES:
        raise CrosswalkError(f"has more than {MAX_CROSSWALK_BYTES >> 20} MiB")
    return content


def lines(reader: Iterator[Sequence[str]]) -> Iterator[tuple[int, Sequence[str]]]:
    """Rows with something in them. A row with line breaks in quotes counts from where it begins."""
    began = 1
    for row in reader:
        cells = [cell.strip() for cell in row]
        if any(cells):
            yield began, cells
        began = reader.line_num + 1  # type: ignore[attr-defined]  # only the reader of the csv module knows it


def position(table: Table, name: str, about: str) -> int:
    """Which column has the name. Raises CrosswalkError."""
    found = [number for number, column in enumerate(table.columns) if column == name]
    if len(found) > 1:
        raise CrosswalkError(f"has {len(found)} columns {name!r}", about)
    if not found:
        separated = ": its columns are separated by ;, save it with commas" if ";" in table.columns[0] else ""
        raise CrosswalkError(f"has no column {name!r}{separated or accepted(name, table.columns)}", about)
    return found[0]


def crosswalk(table: Table, source: str, target: str) -> tuple[Crosswalk, list[Problem]]:
    """Raises CrosswalkError if there is no such column."""
    from_, to = position(table, source, "from"), position(table, target, "to")
    rows: dict[str, str] = {}
    seen: dict[str, int] = {}
    empty: list[int] = []
    problems: list[Problem] = []
    for line, cells in table.rows:
        if len(cells) != len(table.columns):
            problems.append(at(table, line, f"has {len(cells)} cells: {len(table.columns)} columns are named"))
        elif not cells[from_] or not cells[to]:
            empty.append(line)
        elif cells[from_] in seen:
            first = seen[cells[from_]]
            problems.append(at(table, line, f"this {source} is given twice: first in line {first}"))
        elif not is_uuid(cells[to]):
            problems.append(at(table, line, f"{target} is no UUID"))
        else:
            rows[cells[from_]] = cells[to].lower()
        if len(cells) == len(table.columns):
            seen.setdefault(cells[from_], line)
    if len(problems) > MAX_PROBLEMS:
        more = len(problems) - MAX_PROBLEMS
        problems = [*problems[:MAX_PROBLEMS], at(table, problems[MAX_PROBLEMS].line, f"and {more} more such lines")]
    if empty:
        what = f"rows with an empty {source} or {target} are left out: {len(empty)}, of which this is the first"
        problems.append(at(table, empty[0], what, "warning"))
    return Crosswalk(Path(table.path).name, source, MappingProxyType(rows)), problems


def at(table: Table, line: int, message: str, level: str = "error") -> Problem:
    return Problem(table.path, line, 1, message, level, "crosswalk")
