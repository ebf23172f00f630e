"""Secrets that are taken from their files again and again, so that they can be rotated without a restart."""

from collections.abc import Callable, Mapping

from bridge.errors import SettingError
from bridge.settings import read, token


class Rotating:
    """A secret that may change while it is used, because it is in a file. Call it for its value as it is now."""

    def __init__(
        self, environ: Mapping[str, str], name: str, value: str, tell: Callable[[str, str | None], object]
    ) -> None:
        """`value` counts until another can be read. `tell` is told `name` and, if it cannot be read, why: once."""
        self.environ = environ
        self.name = name
        self.value = value
        self.tell = tell
        self.problem: str | None = None

    def __call__(self) -> str:
        if not self.environ.get(f"{self.name}_FILE"):
            return self.value
        before = self.value, self.problem
        try:
            self.value, self.problem = token(read(self.environ, self.name) or ""), None
        except (SettingError, ValueError) as error:
            self.problem = str(error)
        if (self.value, self.problem) != before:
            self.tell(self.name, self.problem)
        return self.value
