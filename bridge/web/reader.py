"""The bytes of one connection -> whole requests. Nothing here reads a socket or a clock, and nothing blocks.

It decides only when a request is complete. What the request says is read by gunicorn's parser, which gets exactly these
bytes; a request that the parser must refuse is handed over as soon as that is certain.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

#: The longest head, from the request line to the empty line. nginx takes 32 KiB, Apache 8 KiB for each line.
MAX_HEAD = 64 << 10
#: The longest request line without its end: gunicorn's `limit_request_line`, which answers 414.
MAX_LINE = 4094
#: What chunk headers and trailers may add to a chunked body, beside once its own size.
CHUNK_OVERHEAD = 64 << 10
#: The longest chunk header. Extensions are allowed, and senders do not use them.
MAX_CHUNK_HEADER = 4096

#: A Content-Length with more digits is for the parser to refuse: Python itself refuses to read very long numbers.
MAX_DIGITS = 18

END_OF_HEAD = b"\r\n\r\n"
LINE_END = b"\r\n"
_BARE_LF = re.compile(rb"(?<!\r)\n")
_FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding|expect)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}(?=[ \t;]|\Z)")
#: What a request can begin with: a letter of its method. One empty line before it is ignored (RFC 9112, 2.2).
_BEGINNING = re.compile(rb"(\r(\n([A-Z]|\Z)|\Z)|[A-Z])")


class Stage(StrEnum):
    """How far the next request of a connection has come."""

    #: Not one byte of it is there.
    NOTHING = "nothing"
    HEAD = "head"
    BODY = "body"
    #: A thread can answer it.
    WHOLE = "whole"
    #: It does not begin like HTTP.
    NOT_HTTP = "not http"
    HEAD_TOO_LARGE = "head too large"


@dataclass(frozen=True, slots=True)
class Taken:
    """One request, as bytes. `partial`: the rest of it is not read, so the connection must close after the answer."""

    head: bytes
    body: bytes
    partial: bool


class Reader:
    """Collects what a connection sends. Bodies of more than `max_body` bytes are handed over without being read."""

    __slots__ = (
        "_body",
        "_chunk",
        "_decoded",
        "_head",
        "_length",
        "_searched",
        "buffer",
        "expects",
        "max_body",
        "stage",
    )

    def __init__(self, max_body: int) -> None:
        self.max_body = max_body
        self.buffer = bytearray()
        self.begin()

    def begin(self) -> None:
        """Start with the next request."""
        self.stage = Stage.NOTHING
        #: The client waits for `100 Continue` before it sends the body.
        self.expects = False
        #: Where to go on looking for the end of the head.
        self._searched = 0
        #: The length of the head, once it is there.
        self._head = 0
        #: Where the request ends, once that is known.
        self._length: int | None = None
        #: Where the next chunk header begins; 0: the body is not chunked.
        self._chunk = 0
        self._decoded = 0
        #: False: the request is handed over without its body.
        self._body = True

    def feed(self, data: bytes) -> Stage:
        self.buffer += data
        return self.look()

    def end(self) -> Stage:
        """The client sends no more. A body that has begun is handed over as it is, to be refused as incomplete."""
        if self.stage is Stage.BODY:
            self._length, self._body, self.stage = len(self.buffer), False, Stage.WHOLE
        return self.stage

    def take(self) -> Taken:
        """The whole request. What follows it stays, and `look` says what that is."""
        end = self._head if self._length is None else self._length
        head = bytes(self.buffer[: self._head])
        taken = Taken(head, bytes(self.buffer[self._head : end]), not self._body)
        del self.buffer[:end]
        self.begin()
        return taken

    @property
    def path(self) -> bytes:
        """The path of a request whose head is there, without its query."""
        line = bytes(self.buffer[: self.buffer.find(LINE_END, 2)])
        return line.partition(b" ")[2].partition(b" ")[0].partition(b"?")[0]

    def look(self) -> Stage:
        if not self.buffer:
            return self.stage
        if self.stage in (Stage.NOTHING, Stage.HEAD):
            self.stage = self.look_at_head()
        if self.stage is Stage.BODY and self.is_whole():
            self.stage = Stage.WHOLE
        return self.stage

    def look_at_head(self) -> Stage:
        if not _BEGINNING.match(self.buffer):
            return Stage.NOT_HTTP
        searched, self._searched = self._searched, max(2, len(self.buffer) - 3)
        end = self.buffer.find(END_OF_HEAD, max(2, searched))
        if end < 0:
            return self.judge_head(searched)
        self._head = end + len(END_OF_HEAD)
        if self._head > MAX_HEAD:
            return Stage.HEAD_TOO_LARGE
        self.read_framing()
        return Stage.BODY

    def judge_head(self, searched: int) -> Stage:
        """Of a head without an end."""
        hopeless = _BARE_LF.search(self.buffer, max(0, searched - 1)) or (
            len(self.buffer) > MAX_LINE + 4 and self.buffer.find(LINE_END, 2, MAX_LINE + 4) < 0
        )
        if hopeless:
            self.hand_over(len(self.buffer))
            return Stage.WHOLE
        return Stage.HEAD_TOO_LARGE if len(self.buffer) > MAX_HEAD else Stage.HEAD

    def hand_over(self, head: int) -> None:
        """As it is, without what follows."""
        self._head = self._length = head
        self._body = False

    def read_framing(self) -> None:
        """Where the body ends. Headers that contradict each other are for the parser to refuse."""
        found = _FRAMING.findall(self.buffer, 0, self._head)
        lengths = [value.rstrip(b" \t") for name, value in found if name.lower() == b"content-length"]
        codings = [value.strip().lower() for name, value in found if name.lower() == b"transfer-encoding"]
        expected = [value.strip().lower() for name, value in found if name.lower() == b"expect"]
        self.expects = expected == [b"100-continue"]
        known = [one for one in lengths if one.isdigit() and len(one) <= MAX_DIGITS and int(one) <= self.max_body]
        if known == lengths and len(known) <= 1 and not codings:
            self._length = self._head + sum(map(int, known))
        elif codings == [b"chunked"] and not lengths:
            self._chunk = self._head
        else:
            self.hand_over(self._head)

    def is_whole(self) -> bool:
        if self._length is None:
            self.look_at_chunks()
        if self._length is None:
            return False
        return len(self.buffer) >= self._length

    def look_at_chunks(self) -> None:
        """Sets where the request ends once that is known: after the last chunk, or where the parser must refuse it."""
        while self._chunk <= len(self.buffer):
            if self._chunk > self._head and self.buffer[self._chunk - 2 : self._chunk] != LINE_END:
                self.give_up()
                return
            end = self.buffer.find(LINE_END, self._chunk, self._chunk + MAX_CHUNK_HEADER)
            if end < 0 and len(self.buffer) - self._chunk < MAX_CHUNK_HEADER:
                break
            size = _CHUNK_SIZE.match(self.buffer, self._chunk, max(end, self._chunk))
            if size is None:
                self.give_up()
                return
            length = int(size[0], 16)
            if length == 0:
                self.look_at_trailers(end + 2)
                return
            self._decoded += length
            self._chunk = end + 2 + length + 2
        received = len(self.buffer) - self._head
        unread = max(0, self._chunk - len(self.buffer))
        if self._decoded - unread > self.max_body or received > 2 * self.max_body + CHUNK_OVERHEAD:
            self.give_up()

    def look_at_trailers(self, start: int) -> None:
        if self.buffer.startswith(LINE_END, start):
            self._length = start + 2
        elif (end := self.buffer.find(END_OF_HEAD, start)) >= 0:
            self._length = end + 4
        elif len(self.buffer) - start > MAX_CHUNK_HEADER:
            self.give_up()

    def give_up(self) -> None:
        """What has been received is enough to refuse the request."""
        self._length, self._body = len(self.buffer), False
