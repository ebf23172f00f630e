"""Every error raised on purpose, drawn as one tree: the branch says who must act.

A message names the place and the remedy. It never holds a secret, an expected signature or a payload.
"""


class BridgeError(Exception):
    """The root of all errors that the bridge raises on purpose."""


class SenderError(BridgeError):
    """Whoever posted the request must act. `code` is for machines, `status` is the HTTP answer."""

    status = 400
    code = "bad_request"


class NotVerifiedError(SenderError):
    """The request does not prove that it comes from the sender: nothing of it is kept."""

    status = 401
    code = "not_verified"


class NotThisShapeError(SenderError):
    """The request is verified, or needs no proof, but is not what this sender posts."""

    status = 400
    code = "not_this_shape"


class TooMuchError(SenderError):
    """The request holds more than one request may: more events, or events that would take far more room than it did."""

    status = 413
    code = "too_much"


class IncompleteError(SenderError):
    """The body ended before its announced end, or its chunks are broken."""

    status = 400
    code = "incomplete_body"


class CompressedError(SenderError):
    """The body is compressed: signatures cover the bytes before compression or after it, and vendors send none."""

    status = 415
    code = "unsupported_media_type"


class OperatorError(BridgeError):
    """Whoever runs the bridge must act: settings, mapping files or the database."""


class SettingError(OperatorError):
    """An environment variable is missing or has a value that cannot be used."""


class StoreError(OperatorError):
    """The database is unreachable, locked, full or of another version. Nothing was stored."""


class TryAgainError(StoreError):
    """The same may well work at once: a connection was lost, or two transactions stood in each other's way."""


class UnstorableError(StoreError):
    """The database is well, and does not take this value: to try again would be the same."""


class BusyError(StoreError):
    """As much is under way as this process has room for."""


class LockedError(StoreError):
    """Somebody else has held what we need for longer than we wait."""


class RuleError(BridgeError):
    """A mapping author must act: a rule cannot make its change from this event."""


class SignError(BridgeError):
    """A request cannot be signed or composed as this sender would: see `send` and `try`."""


class RowError(BridgeError):
    """Whoever made a file of rows must act: this row cannot become an event. The others can."""


class FileError(BridgeError):
    """Whoever made a file of rows must act: it cannot be read from the named place on."""
