"""Files of rows, read one row at a time in bounded memory: CSV, JSON lines, a JSON array, and gzip of any."""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from typing import IO, Any, cast

from bridge.errors import FileError
from bridge.pipeline import rows_csv, rows_json
from bridge.pipeline.row import Form, Row

GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
#: How much of the beginning tells the form.
BEGINNING = 4096


@dataclass(frozen=True, slots=True)
class Sheet:
    """An open file of rows."""

    form: Form
    rows: Iterator[Row]
    #: The names of the columns, in CSV.
    header: tuple[str, ...] = ()


def open_rows(
    stream: IO[bytes],
    *,
    most: int,
    form: Form | None = None,
    delimiter: str = ",",
    empty: Any = rows_csv.LEFT_OUT,
    needed: tuple[str, ...] = (),
) -> Sheet:
    """Rows of up to `most` bytes. The form is seen in the content, unless it is given. Raises FileError.

    `empty`: what an empty cell of CSV is. `needed`: columns that CSV must have.
    """
    try:
        plain = unpacked(stream)
        form = form or form_of(plain)
        if form is not Form.CSV:
            return Sheet(form, readable(rows_json.READERS[form](plain, most)))
        table = rows_csv.Table(plain, delimiter=delimiter, empty=empty, most=most)
        table.check(needed)
        return Sheet(form, readable(table.rows()), table.names)
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(error) from None


def unpacked(stream: IO[bytes]) -> BufferedReader:
    """What `stream` holds, without gzip around it."""
    plain = stream if isinstance(stream, BufferedReader) else BufferedReader(cast("Any", stream))
    if plain.peek(len(GZIP))[: len(GZIP)] != GZIP:
        return plain
    return BufferedReader(cast("Any", gzip.GzipFile(fileobj=plain)))


def form_of(plain: BufferedReader) -> Form:
    """Raises FileError if there is nothing."""
    beginning = plain.peek(BEGINNING).removeprefix(BOM).lstrip()
    if not beginning:
        raise FileError("there is nothing in it: not even a header")
    return {b"[": Form.ARRAY, b"{": Form.LINES}.get(beginning[:1], Form.CSV)


def readable(rows: Iterator[Row]) -> Iterator[Row]:
    """Raises FileError where the file cannot be read any further."""
    try:
        yield from rows
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable(error) from None


def unreadable(error: Exception) -> FileError:
    return FileError(f"it cannot be read to its end: {error}")
