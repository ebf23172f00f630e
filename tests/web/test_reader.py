"""When a request is whole, however its bytes arrive."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.web.reader import MAX_HEAD, MAX_LINE, Reader, Stage, Taken

MAX_BODY = 1000
HEAD = b"POST /webhooks/stripe?token=a HTTP/1.1\r\nHost: bridge\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
#: Head and body of requests that are whole.
REQUESTS = {
    "no body": (b"GET /healthz HTTP/1.1\r\nHost: b\r\n\r\n", b""),
    "no headers": (b"GET /healthz HTTP/1.0\r\n\r\n", b""),
    "after an empty line": (b"\r\nGET /healthz HTTP/1.1\r\n\r\n", b""),
    "a length": (HEAD + b"content-length:  5 \r\n\r\n", b"hello"),
    "a length of nothing": (HEAD + b"Content-Length: 0\r\n\r\n", b""),
    "an end of a head in the body": (HEAD + b"Content-Length: 8\r\n\r\n", b"\r\n\r\n\r\n\r\n"),
    "chunks": (CHUNKED, b"5\r\nhello\r\nA\r\n0\r\n\r\n01234\r\n0\r\n\r\n"),
    "chunks with extensions and trailers": (CHUNKED, b'5;a="b;c"\r\nhello\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n'),
}


def read(pieces):
    """Each request that the pieces hold, and how far the one after them has come."""
    reader, taken = Reader(MAX_BODY), []
    for piece in pieces:
        stage = reader.feed(piece)
        while stage is Stage.WHOLE:
            taken.append(reader.take())
            stage = reader.look()
    return taken, reader.stage


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_that_comes_byte_by_byte_is_whole_with_its_last_byte(name):
    head, body = REQUESTS[name]
    reader = Reader(MAX_BODY)
    stages = [reader.feed(bytes([byte])) for byte in head + body]
    assert Stage.WHOLE not in stages[:-1]
    assert stages[-1] is Stage.WHOLE
    assert reader.take() == Taken(head, body, partial=False)
    assert (reader.look(), reader.buffer) == (Stage.NOTHING, b"")


@given(st.lists(st.sampled_from(list(REQUESTS.values())), max_size=5), st.data())
def test_however_requests_are_cut_into_pieces_they_are_the_same(requests, data):
    stream = b"".join(head + body for head, body in requests)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert read(pieces) == ([Taken(head, body, partial=False) for head, body in requests], Stage.NOTHING)


@pytest.mark.parametrize(
    ("sent", "stage"),
    [
        (b"", Stage.NOTHING),
        (b"\r\n", Stage.HEAD),
        (HEAD, Stage.HEAD),
        (HEAD + b"\r", Stage.HEAD),
        (HEAD + b"Content-Length: 5\r\n\r\nhell", Stage.BODY),
        (CHUNKED + b"5\r\nhello", Stage.BODY),
        (CHUNKED + b"5\r\nhello\r\n0\r\nX: y\r\n", Stage.BODY),
        (b"\x16\x03\x01\x02\x00\x01", Stage.NOT_HTTP),
        (b"\r\n\r\n", Stage.NOT_HTTP),
        (b"get / HTTP/1.1\r\n", Stage.NOT_HTTP),
        (HEAD + b"X: " + b"x" * MAX_HEAD, Stage.HEAD_TOO_LARGE),
    ],
)
def test_what_is_not_whole_is_waited_for_or_refused(sent, stage):
    assert Reader(MAX_BODY).feed(sent) is stage


#: What the parser or the application refuses as soon as it sees it.
HOPELESS = {
    "a bare LF": b"GET / HTTP/1.1\nHost: b\n",
    "a bare LF after a header": HEAD + b"X: y\n",
    "a line without an end": b"GET /" + b"a" * (MAX_LINE + 10),
    "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "a length and chunks": HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    "a length that is not a number": HEAD + b"Content-Length: five\r\n\r\n",
    "a negative length": HEAD + b"Content-Length: -5\r\n\r\n",
    "a length of 5,000 digits": HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n",
    "another coding": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
    "more than is accepted": HEAD + b"Content-Length: 1001\r\n\r\n",
    "a chunk without a size": CHUNKED + b"zz\r\n",
    "a negative chunk": CHUNKED + b"-5\r\n",
    "a chunk longer than it says": CHUNKED + b"5\r\nhello!!",
    "an endless chunk header": CHUNKED + b"5;" + b"x" * 5000,
    "endless trailers": CHUNKED + b"0\r\n" + b"X: y\r\n" * 1000,
    "chunks of more than is accepted": CHUNKED
    + b"64\r\n"
    + b"x" * 100
    + b"\r\n"
    + (b"64\r\n" + b"x" * 100 + b"\r\n") * 10,
    "tiny chunks in long lines": CHUNKED + (b"1;" + b"x" * 2000 + b"\r\nx\r\n") * 40,
}


@pytest.mark.parametrize("name", HOPELESS)
def test_what_must_be_refused_is_handed_over_without_its_rest(name):
    reader = Reader(MAX_BODY)
    assert reader.feed(HOPELESS[name]) is Stage.WHOLE
    assert reader.take().partial


def test_a_body_that_ends_early_is_handed_over_as_it_is():
    reader = Reader(MAX_BODY)
    head = HEAD + b"Content-Length: 10\r\n\r\n"
    reader.feed(head + b"hello")
    assert reader.end() is Stage.WHOLE
    assert reader.take() == Taken(head, b"hello", partial=True)


@pytest.mark.parametrize("sent", [b"", b"GET /", HEAD])
def test_a_head_that_ends_early_is_nothing(sent):
    reader = Reader(MAX_BODY)
    reader.feed(sent)
    assert reader.end() is not Stage.WHOLE


def test_a_client_that_waits_to_be_told_to_go_on_is_seen():
    reader = Reader(MAX_BODY)
    reader.feed(HEAD + b"Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n")
    assert reader.expects
    reader.feed(b"hello")
    reader.take()
    assert not reader.expects


def test_the_path_is_told_without_the_query():
    reader = Reader(MAX_BODY)
    reader.feed(b"\r\nGET /healthz?a=b HTTP/1.1\r\n\r\n")
    assert reader.path == b"/healthz"
