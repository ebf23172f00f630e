"""Rows as CSV with a header. A header such as `data.object.id` makes objects; values are text."""

import csv
from collections.abc import Iterator, Sequence
from io import BufferedReader
from typing import Any, Final, NamedTuple

from bridge.errors import FileError, RowError
from bridge.mapping.hints import accepted
from bridge.payload import MAX_DEPTH
from bridge.pipeline.row import PROBLEM, Line, Lines, Row, too_large

#: An empty cell is not there at all.
LEFT_OUT: Final = object()

Steps = tuple[str, ...]


class Record(NamedTuple):
    line: int
    cells: list[str]
    size: int
    problem: str | None = None


class Records:
    """The records of CSV. One that cannot be read costs its first line alone: reading goes on with the next line."""

    def __init__(self, lines: Lines, delimiter: str, most: int) -> None:
        self.lines = lines
        self.most = most
        self.taken: list[Line] = []
        self.size = 0
        # For the whole process. Records are bounded by us.
        csv.field_size_limit(max(most, csv.field_size_limit()))
        self.reader = csv.reader(self, delimiter=delimiter, strict=True)

    def __iter__(self) -> "Records":
        return self

    def __next__(self) -> str:
        """The next line, for the reader. Raises RowError if the record becomes too large."""
        line = next(self.lines)
        self.taken.append(line)
        self.size += len(line.text)
        if self.size > self.most or not line.is_whole:
            raise RowError(too_large(self.most) + ("" if line.is_whole else ", and only its beginning is here"))
        return line.text

    def all(self) -> Iterator[Record]:
        while (record := self.record()) is not None:
            if record.cells:
                yield record

    def record(self) -> Record | None:
        self.taken, self.size = [], 0
        try:
            cells = next(self.reader)
            return Record(self.taken[0].number, cells, self.size)
        except StopIteration:
            return None
        except (csv.Error, RowError) as error:
            first, *others = self.taken
            self.lines.put_back(others)
            problem = str(error) if isinstance(error, RowError) else f"the line is not CSV: {error}"
            return Record(first.number, [first.text.rstrip("\r\n")], self.size, problem)


class Table:
    """A header, and the records below it."""

    def __init__(self, stream: BufferedReader, *, delimiter: str, empty: Any, most: int) -> None:
        """Raises FileError if the header cannot be used."""
        self.empty = empty
        self.delimiter = delimiter
        self.records = Records(Lines(stream, most), delimiter, most).all()
        header = next(self.records, None)
        if header is None or header.problem:
            raise FileError(f"it has no header: {header.problem if header else 'there is no line in it'}")
        #: Where a file of rejects says what was wrong.
        self.remark = header.cells.index(PROBLEM) if PROBLEM in header.cells else None
        self.names = tuple(self.without_remark(header.cells))
        self.columns = columns_of(self.names)

    def check(self, needed: Sequence[str]) -> None:
        """Raises FileError if a column is not there."""
        for name in needed:
            if name not in self.names:
                others = [sign for sign in (";", "\t", "|") if sign != self.delimiter and sign in "".join(self.names)]
                hint = f". Or is {others[0]!r} the delimiter?" if others else ""
                raise FileError(f"there is no column {name!r}{accepted(name, self.names)}{hint}")

    def rows(self) -> Iterator[Row]:
        for record in self.records:
            yield self.row(record)

    def row(self, record: Record) -> Row:
        place = f"line {record.line}"
        cells = self.without_remark(record.cells) if record.problem is None else record.cells
        problem = record.problem
        if problem is None and len(cells) != len(self.names):
            problem = f"it has {len(cells)} cells, and the header has {len(self.names)}"
        return Row(place, None if problem else self.value(cells), cells, record.size, problem)

    def without_remark(self, cells: list[str]) -> list[str]:
        return cells if self.remark is None else cells[: self.remark] + cells[self.remark + 1 :]

    def value(self, cells: Sequence[str]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for (*way, last), cell in zip(self.columns, cells, strict=True):
            value = cell or self.empty
            if value is LEFT_OUT:
                continue
            target = made
            for step in way:
                target = target.setdefault(step, {})
            target[last] = value
        return made


def columns_of(names: Sequence[str]) -> tuple[Steps, ...]:
    """Where the cell of each column goes. Raises FileError that names the column."""
    columns: list[Steps] = []
    seen: dict[Steps, int] = {}
    for number, name in enumerate(names, 1):
        steps = tuple(name.split("."))
        if not all(step.strip() for step in steps):
            raise FileError(
                f"column {number} has no name" if not name.strip() else f"column {number}: {name!r} has a gap"
            )
        if len(steps) >= MAX_DEPTH:
            raise FileError(f"column {number} is nested more than {MAX_DEPTH} levels deep")
        if steps in seen:
            raise FileError(f"columns {seen[steps]} and {number} have the same name: {name!r}")
        seen[steps] = number
        columns.append(steps)
    for steps, number in seen.items():
        for length in range(1, len(steps)):
            if outer := seen.get(steps[:length]):
                raise FileError(f"column {outer} would be a value and hold column {number} too: {'.'.join(steps)!r}")
    return tuple(columns)
