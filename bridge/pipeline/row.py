"""One row of a file, and the lines that it is made of."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import IO, Any, Final, NamedTuple

from bridge.errors import FileError

#: What a file of rejects says about a row, as a column or a key. It is left out when such a file is read.
PROBLEM: Final = "backfill_problem"


class Form(StrEnum):
    CSV = "csv"
    #: One JSON value a line.
    LINES = "jsonl"
    #: One JSON array.
    ARRAY = "json"


@dataclass(frozen=True, slots=True)
class Row:
    #: Where it is: the line that it begins in, or which element of an array it is.
    place: str
    #: What rules see. None if there is a problem.
    value: Any = field(repr=False)
    #: What the file has there, to be written to a file of rejects: cells, or an object.
    given: Any = field(repr=False)
    #: Bytes, roughly.
    size: int
    #: Why it cannot be read.
    problem: str | None = None


def too_large(most: int) -> str:
    return f"the row is larger than {most} bytes: see BRIDGE_MAX_BODY_BYTES"


class Line(NamedTuple):
    number: int
    text: str
    #: False: it was cut, for it is longer than anything may be.
    is_whole: bool = True


class Lines:
    """The lines of a stream as text, cut after `most` bytes. Lines can be put back, to be read again."""

    def __init__(self, stream: IO[bytes], most: int) -> None:
        self.stream = stream
        self.most = most
        self.number = 0
        #: Bytes before the next line.
        self.offset = 0
        self.again: deque[Line] = deque()

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> Line:
        """Raises FileError where the text is not UTF-8."""
        if self.again:
            return self.again.popleft()
        raw = self.stream.readline(self.most + 1)
        if not raw:
            raise StopIteration
        self.number += 1
        is_whole = len(raw) <= self.most or raw.endswith(b"\n")
        text = self.decoded(raw) if is_whole else raw.decode(errors="replace")
        self.offset += len(raw) if is_whole else len(raw) + self.skip()
        return Line(self.number, text, is_whole)

    def put_back(self, lines: Sequence[Line]) -> None:
        self.again.extendleft(reversed(lines))

    def decoded(self, raw: bytes) -> str:
        try:
            return raw.decode("utf-8-sig" if self.number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise not_utf8(f"line {self.number}", self.offset + error.start) from None

    def skip(self) -> int:
        """Leave out the rest of a line. How many bytes that was."""
        skipped = 0
        while raw := self.stream.readline(self.most):
            skipped += len(raw)
            if raw.endswith(b"\n"):
                break
        return skipped


def not_utf8(place: str, offset: int) -> FileError:
    return FileError(
        f"{place} is not UTF-8, at byte {offset} of the file: save it as UTF-8, or turn it into that first, as"
        " `iconv -f cp1252 -t utf-8` does with what Excel writes"
    )
