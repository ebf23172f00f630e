"""Zoho CRM's workflow webhooks: a form or JSON that an administrator wrote, with a secret in a header or in the URL.

https://www.zoho.com/crm/help/automation/webhooks.html
https://www.zoho.com/crm/developer/docs/api/v8/create-webhook.html
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from bridge.errors import NotThisShapeError, TooMuchError
from bridge.model import Event, Request
from bridge.payload import parse
from bridge.senders import generic, token
from bridge.senders.base import Secrets, Sender

FORM = "application/x-www-form-urlencoded"
#: A workflow's webhook has a parameter for each field of a module that an administrator chose: a few hundred at most.
MAX_FIELDS = 5_000


def unwrap(request: Request, secrets: Secrets, now: int, *, options: Mapping[str, Any]) -> list[Event]:
    token.verify(request, secrets, options)
    return read(request, now, options=options)


def read(request: Request, now: int, *, options: Mapping[str, Any]) -> list[Event]:
    is_form = (request.header("Content-Type") or "").lower().startswith(FORM)
    return generic.read_body(form(request.body) if is_form else parse(request.body), request, now, options)


def form(body: bytes) -> dict[str, str]:
    """Parameters by their names. One without a value is there, and empty."""
    if body.count(b"&") >= MAX_FIELDS:
        raise TooMuchError(f"the form has more than {MAX_FIELDS} fields: remove parameters from the webhook")
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True))
    except ValueError:
        raise NotThisShapeError("the body is not a form in UTF-8") from None


SENDER = Sender(
    name="zoho-workflow",
    summary="Zoho CRM's workflow webhooks, with a secret in a header or in the URL",
    url="https://www.zoho.com/crm/help/automation/webhooks.html",
    credential="secret of your own, in a header or parameter of the webhook",
    unwrap=unwrap,
    read=read,
    sign=token.sign,
    options=token.OptionsSchema,
    places=token.places,
    undated="send a time in ISO form and name it with options.event_time",
    weak="signs nothing, so whoever has the secret can post anything: make it long and random, serve HTTPS only, and"
    " prefer a header to the URL, which ends up in logs",
)
