"""Lookups for tests that build their pipeline themselves."""

from collections.abc import Callable, Collection
from typing import Any

from bridge.metronome.directory import Directory
from bridge.pipeline.index import Indexer
from bridge.store import Store
from bridge.times import SECOND

LEASE = 30 * SECOND
#: From one walk through all customers to the next.
EVERY = 300 * SECOND


def finding(
    store: Store, metronome: Any, clock: Callable[[], int], keys: Callable[[], Collection[str]] = lambda: ()
) -> tuple[Directory, Indexer]:
    """What a resolver asks."""
    directory = Directory(metronome)
    return directory, Indexer(
        store.index, store.references, directory, clock=clock, keys=keys, every=EVERY, lease_for=LEASE
    )
