"""What the application of the current request was built with."""

from typing import cast

from flask import current_app

from bridge.bootstrap import Bridge
from bridge.web.counters import Counters
from bridge.web.throttle import Throttle


def bridge() -> Bridge:
    return cast("Bridge", current_app.extensions["bridge"])


def counters() -> Counters:
    return cast("Counters", current_app.extensions["counters"])


def throttle() -> Throttle:
    return cast("Throttle", current_app.extensions["throttle"])
