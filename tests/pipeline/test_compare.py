"""The laws of comparing. `truth` says what must come out, in the plainest way there is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Field, Reference, Stamp, Target
from bridge.pipeline.compare import Difference, Folded, Kind, compare
from bridge.store.spill import Spill
from tests.support.making import ENTITY_ID, NOW, OTHER_ID, change

REFERENCES = (Reference("id", ENTITY_ID), Reference("id", OTHER_ID), Reference("ingest_alias", "Söhne \U0001f600"))
asked = st.dictionaries(st.sampled_from(("tier", "plan", "Ä", "\U0001f600")), st.none() | st.sampled_from("abc"))
#: Few different times, so that ties are common. Numbers are unique: a later receipt has a higher one.
histories = st.lists(st.tuples(asked, st.integers(0, 3), st.sampled_from(REFERENCES)), max_size=8).map(
    lambda rows: [
        (change(values, at, reference=reference), Stamp(at, number, 0))
        for number, (values, at, reference) in enumerate(rows, 1)
    ]
)


@pytest.fixture(scope="module")
def new_spill():
    """Spills that are closed in the end."""
    made = []

    def make():
        made.append(Spill())
        return made[-1]

    yield make
    for spill in made:
        spill.close()


def truth(history):
    """Per target the field of the newest change."""
    newest = {}
    for one, stamp in sorted(history, key=lambda pair: pair[1]):
        for key, value in {**one.set, **dict.fromkeys(one.remove)}.items():
            newest[Target(one.entity, one.reference, key)] = Field(value, stamp)
    return newest


def folded(history, spill, most=1000):
    made = Folded(spill, most)
    for one, stamp in history:
        made.add(one, stamp)
    return made


@given(histories, st.randoms(), st.integers(0, 4))
def test_neither_the_order_of_arrival_nor_the_memory_there_is_matters(new_spill, history, random, most):
    random.shuffle(history)
    made = folded(history, new_spill(), most)
    assert list(made) == sorted(truth(history).items(), key=lambda held: held[0])
    assert list(made) == list(made)


@given(histories, histories, st.integers(0, 4))
def test_exactly_what_differs_in_value_is_told(new_spill, before, after, most):
    old, new = truth(before), truth(after)
    found = list(compare(folded(before, new_spill(), most), folded(after, new_spill(), most)))
    nothing = Field("nothing touches it", Stamp(0, 0, 0))
    assert found == [
        Difference(target, old.get(target), new.get(target))
        for target in sorted(old.keys() | new.keys())
        if old.get(target, nothing).value != new.get(target, nothing).value
    ]


@given(histories)
def test_nothing_differs_from_itself(new_spill, history):
    assert list(compare(folded(history, new_spill()), folded(history, new_spill(), 0))) == []


def test_what_is_added_later_counts_even_after_a_look(new_spill):
    made = folded([(change({"tier": "gold"}), Stamp(NOW, 2, 0))], new_spill(), 0)
    assert [field.value for _, field in made] == ["gold"]
    made.add(change({"tier": "silver"}), Stamp(NOW, 3, 0))
    made.add(change({"tier": "older"}), Stamp(NOW, 1, 0))
    assert [field.value for _, field in made] == ["silver"]


@pytest.mark.parametrize(
    ("before", "after", "kind", "event"),
    [
        ([], [{"tier": "gold"}], Kind.ADDED, 1),
        ([{"tier": None}], [{}, {"tier": "gold"}], Kind.ADDED, 2),
        ([{"tier": "gold"}], [{"tier": "silver"}], Kind.CHANGED, 1),
        ([{"tier": "gold"}], [{}, {"tier": None}], Kind.REMOVED, 2),
        ([], [{"tier": None}], Kind.REMOVED, 1),
        ([{}, {"tier": "gold"}], [{"plan": "x"}], Kind.UNMAPPED, 2),
        ([{"tier": None}], [], Kind.UNMAPPED, 1),
    ],
)
def test_a_difference_says_what_it_is_and_which_event_makes_it(new_spill, before, after, kind, event):
    sides = (
        folded([(change(values), Stamp(NOW, number, 0)) for number, values in enumerate(side, 1)], new_spill())
        for side in (before, after)
    )
    (found,) = (one for one in compare(*sides) if one.target.key == "tier")
    assert (found.kind, found.event) == (kind, event)
