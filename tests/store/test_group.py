import threading

import pytest

from bridge.store.group import Group


class Till:
    """Serves while it is let, and remembers who was served together."""

    def __init__(self):
        self.served = []
        self.begun = threading.Semaphore(0)
        self.go_on = threading.Semaphore(0)
        self.fails = False

    def serve(self, items):
        self.served.append(list(items))
        self.begun.release()
        assert self.go_on.acquire(timeout=30)
        if self.fails:
            raise OSError("no paper")
        return [item.upper() for item in items]


def everybody(group, items):
    """One thread for each; what they got, when `join` is called."""
    got = {}

    def ask(item):
        try:
            got[item] = group.do(item)
        except OSError as error:
            got[item] = str(error)

    threads = [threading.Thread(target=ask, args=[item]) for item in items]
    for thread in threads:
        thread.start()
    return threads, got


def wait_in_line(group, count):
    ready = threading.Event()
    while len(group.line) < count:
        ready.wait(0.001)


def test_one_caller_is_served_alone():
    group = Group(lambda items: [item * 2 for item in items])
    assert [group.do(2), group.do(3)] == [4, 6]


def test_those_who_come_meanwhile_are_served_together_and_each_gets_their_own_result():
    till = Till()
    group = Group(till.serve)
    first, got_first = everybody(group, "a")
    assert till.begun.acquire(timeout=30)
    others, got = everybody(group, "bcdef")
    wait_in_line(group, 5)
    till.go_on.release(2)
    for thread in first + others:
        thread.join(30)
    assert got_first == {"a": "A"}
    assert got == {"b": "B", "c": "C", "d": "D", "e": "E", "f": "F"}
    assert [sorted(served) for served in till.served] == [["a"], ["b", "c", "d", "e", "f"]]


def test_a_failure_reaches_all_who_were_served_together_and_the_next_are_served():
    till = Till()
    till.fails = True
    group = Group(till.serve)
    first, got_first = everybody(group, "a")
    assert till.begun.acquire(timeout=30)
    others, got = everybody(group, "bc")
    wait_in_line(group, 2)
    till.go_on.release(2)
    for thread in first + others:
        thread.join(30)
    assert (got_first, got) == ({"a": "no paper"}, {"b": "no paper", "c": "no paper"})
    till.fails = False
    till.go_on.release()
    assert group.do("d") == "D"


def test_whoever_serves_too_few_is_told():
    with pytest.raises(ValueError, match="shorter"):
        Group(lambda items: []).do("a")


def test_a_crowd_is_served_once_each():
    served = []

    def serve(items):
        served.extend(items)
        return items

    group = Group(serve)
    threads, got = everybody(group, range(200))
    for thread in threads:
        thread.join(30)
    assert got == {item: item for item in range(200)}
    assert sorted(served) == list(range(200))
