"""A Metronome for tests that need none over HTTP: it holds values, and does as it is told."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bridge.model import Outcome, Verdict

OK = Outcome(Verdict.ACCEPTED, 200)
Judge = Callable[[str, str, Mapping[str, Any]], Outcome]


class FakeMetronome:
    """Applies what `judge` accepts. Values are at `held[entity_id]`, calls in `calls`."""

    def __init__(self, judge: Judge = lambda *_: OK) -> None:
        self.judge = judge
        self.held: dict[str, dict[str, str]] = {}
        self.calls: list[tuple[str, str, dict[str, str | None]]] = []
        self.aliases: dict[str, list[str]] = {}
        #: Custom fields by customer, for those who are found by them.
        self.people: dict[str, dict[str, str]] = {}
        self.listed: dict[str, list[dict[str, Any]]] = {}
        self.page_size = 100
        self.lookups = 0
        #: How many pages an answer to a lookup has.
        self.pages = 1
        self.lock = threading.Lock()

    def set_values(self, entity: str, entity_id: str, values: Mapping[str, str]) -> Outcome:
        return self.make("set", entity_id, dict(values))

    def delete_values(self, entity: str, entity_id: str, keys: Sequence[str]) -> Outcome:
        return self.make("delete", entity_id, dict.fromkeys(keys))

    def make(self, call: str, entity_id: str, values: dict[str, str | None]) -> Outcome:
        with self.lock:
            self.calls.append((call, entity_id, values))
            outcome = self.judge(call, entity_id, values)
            if outcome.verdict is Verdict.ACCEPTED:
                held = self.held.setdefault(entity_id, {})
                for key, value in values.items():
                    held.pop(key, None)
                    if value is not None:
                        held[key] = value
            return outcome

    def customers(self, query: Mapping[str, str | Sequence[str]]) -> tuple[Outcome, Mapping[str, Any]]:
        with self.lock:
            self.lookups += 1
            outcome = self.judge("customers", "", dict(query))
            if "ingest_alias" in query:
                alias = str(query["ingest_alias"])
                found = [{"id": one, "ingest_aliases": [alias]} for one in self.aliases.get(alias, [])]
                page = int(str(query.get("next_page", "1")))
                return outcome, {"data": found, "next_page": str(page + 1) if page < self.pages else None}
            wanted = query.get("customer_ids", self.people)
            found = [{"id": one, "custom_fields": held} for one, held in self.people.items() if one in wanted]
            start = int(str(query.get("next_page", "0")))
            end = start + self.page_size
            return outcome, {"data": found[start:end], "next_page": str(end) if end < len(found) else None}

    def contracts(self, customer_id: str) -> tuple[Outcome, Mapping[str, Any]]:
        with self.lock:
            self.lookups += 1
            return self.judge("contracts", customer_id, {}), {"data": self.listed.get(customer_id, [])}


def answers(*outcomes: Outcome) -> Judge:
    """One after the other; then everything is accepted."""
    left = list(outcomes)
    return lambda *_: left.pop(0) if left else OK
