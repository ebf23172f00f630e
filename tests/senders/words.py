"""What an error message must not hold: secrets, proofs, and words of the payload."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes

import orjson
from lxml import etree

from tests.senders.fixtures import Fixture

#: Shorter words may stand in a message by chance.
LENGTH = 6


def disclosed(message: str, fixture: Fixture) -> list[str]:
    """What of this request the message gives away."""
    proofs = [fixture.request.header(name) or "" for name in fixture.proof_headers]
    given = [*fixture.secrets, fixture.other_secret, *proofs, *words(fixture.request.body)]
    return [word for word in given if len(word) >= LENGTH and word in message]


def words(body: bytes) -> Iterator[str]:
    """Every text and number in a body of JSON, XML or a form, but not the names of fields."""
    if body.startswith(b"payload="):
        body = unquote_to_bytes(body.removeprefix(b"payload=").replace(b"+", b" "))
    with suppress(orjson.JSONDecodeError):
        yield from leaves(orjson.loads(body))
        return
    with suppress(etree.XMLSyntaxError):
        yield from (str(text).strip() for text in etree.fromstring(body).itertext())
        return
    yield from (value for _, value in parse_qsl(body.decode(), strict_parsing=True, keep_blank_values=True))


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves(inner)
    else:
        yield str(value)
