"""The laws of folding. `truth` says what must come out, in the plainest way there is."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bridge.model import Field, Stamp
from bridge.pipeline.fold import doubted, fold
from tests.support.making import NOW, stored_change

KEYS = ("tier", "plan", "seats")
asked = st.dictionaries(st.sampled_from(KEYS), st.one_of(st.none(), st.sampled_from("abc")), min_size=1)
#: Few different times, so that ties are common. Numbers are unique: a later receipt has a higher one.
histories = st.lists(st.tuples(asked, st.integers(0, 3)), max_size=8).map(
    lambda rows: [stored_change(number, values, at) for number, (values, at) in enumerate(rows, 1)]
)


def truth(changes):
    """Per key the value of the newest change."""
    newest = {}
    for change in sorted(changes, key=lambda change: change.stamp):
        for key, value in change.values.items():
            newest[key] = Field(value, change.stamp)
    return newest


def deliver(changes, known, cuts=()):
    """What Metronome holds after these changes were delivered in as many pieces as `cuts` make."""
    held = dict(known)
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(changes)], strict=True):
        made = fold(changes[start:end], held)
        held |= made.unchanged | made.written
    return held


@given(histories, st.randoms())
def test_the_order_of_arrival_does_not_matter(changes, random):
    shuffled = list(changes)
    random.shuffle(shuffled)
    assert deliver(shuffled, {}) == truth(changes)


@given(histories, st.randoms(), st.data())
def test_it_does_not_matter_how_deliveries_are_cut(changes, random, data):
    random.shuffle(changes)
    cuts = data.draw(st.lists(st.integers(0, len(changes)), max_size=4))
    assert deliver(changes, {}, cuts) == truth(changes)


@given(histories, st.randoms())
def test_delivering_anything_again_changes_nothing_and_makes_no_call(changes, random):
    held = deliver(changes, {})
    again = random.choices(changes, k=len(changes)) if changes else []
    made = fold(again, held)
    assert (dict(made.write.set), made.write.remove) == ({}, ())
    assert deliver(again, held) == held


@given(histories)
def test_a_write_sets_and_removes_exactly_what_differs(changes):
    half = len(changes) // 2
    held = deliver(changes[:half], {})
    made = fold(changes[half:], held)
    after = truth(changes)
    assert dict(made.write.set) == {
        key: field.value for key, field in after.items() if field.value is not None and differs(key, held, field)
    }
    assert set(made.write.remove) == {
        key for key, field in after.items() if field.value is None and differs(key, held, field)
    }


def differs(key, held, field):
    return key not in held or held[key].value != field.value


@given(histories)
def test_every_change_is_either_effective_or_superseded(changes):
    made = fold(changes, {})
    assert sorted((*made.effective, *made.superseded)) == [change.id for change in changes]
    assert set(made.effective) == {field.stamp.change for field in truth(changes).values()}


def test_the_newest_event_wins_a_key_and_not_the_last_to_arrive():
    made = fold([stored_change(1, {"tier": "new"}, NOW + 1), stored_change(2, {"tier": "old"}, NOW)], {})
    assert dict(made.write.set) == {"tier": "new"}
    assert made.superseded == (2,)


def test_a_tie_goes_to_the_event_received_later():
    made = fold([stored_change(2, {"tier": "later"}), stored_change(1, {"tier": "earlier"})], {})
    assert dict(made.write.set) == {"tier": "later"}


def test_a_replay_by_a_corrected_mapping_takes_the_place_of_its_own_value():
    known = {"tier": Field("12", Stamp(NOW, 7, 1))}
    made = fold([stored_change(2, {"tier": "0.12"}, NOW, event=7)], known)
    assert dict(made.write.set) == {"tier": "0.12"}


def test_a_replay_does_not_overwrite_a_newer_value():
    known = {"tier": Field("gold", Stamp(NOW + 1, 8, 2))}
    made = fold([stored_change(3, {"tier": "silver"}, NOW, event=7)], known)
    assert (dict(made.write.set), made.superseded) == ({}, (3,))


def test_a_value_that_metronome_holds_already_makes_no_call_but_has_a_new_origin():
    change = stored_change(2, {"tier": "gold"}, NOW + 1)
    made = fold([change], {"tier": Field("gold", Stamp(NOW, 1, 1))})
    assert (dict(made.write.set), dict(made.unchanged)) == ({}, {"tier": Field("gold", change.stamp)})
    assert made.effective == (2,)


def test_unchanged_values_are_sent_again_if_asked_for():
    known = {"tier": Field("gold", Stamp(NOW, 1, 1))}
    made = fold([stored_change(2, {"tier": "gold"}, NOW + 1)], known, resend_unchanged=True)
    assert dict(made.write.set) == {"tier": "gold"}


def test_a_key_that_was_never_set_is_removed_all_the_same():
    """Somebody may have set it by hand."""
    assert fold([stored_change(1, {"tier": None})], {}).write.remove == ("tier",)


def test_a_key_that_was_removed_is_not_removed_twice():
    known = {"tier": Field(None, Stamp(NOW, 1, 1))}
    assert fold([stored_change(2, {"tier": None}, NOW + 1)], known).write.remove == ()


def test_a_half_made_write_goes_on_where_it_stopped():
    """setValues was made and deleteValues was not: the change is not superseded by itself."""
    change = stored_change(1, {"tier": "gold", "plan": None})
    made = fold([change], {"tier": Field("gold", change.stamp)})
    assert (dict(made.write.set), made.write.remove) == ({}, ("plan",))
    assert made.effective == (1,)


@given(histories, st.sets(st.sampled_from(KEYS)))
def test_writing_again_what_is_doubted_restores_the_truth(changes, keys):
    """Whatever stood in Metronome for the doubted keys, the newest stands there afterwards, and nothing is in doubt."""
    half = len(changes) // 2
    before = truth(changes[:half])
    known = {key: replace(held, doubted=key in keys) for key, held in before.items()}
    made = fold(changes[half:], known)
    after = known | made.unchanged | made.written
    again = doubted(after)
    assert after | again == truth(changes)
    assert set(made.written) | set(again) >= keys & set(before)


UNSURE = {"tier": Field("gold", Stamp(NOW, 1, 1), unsure=True)}


def test_what_is_unsure_is_never_taken_as_unchanged():
    folded = fold([stored_change(2, {"tier": "gold"}, NOW + 1)], UNSURE)
    assert folded.write.set == {"tier": "gold"}
    assert not folded.written["tier"].unsure


def test_what_is_unsure_keeps_its_time_so_older_events_still_lose():
    folded = fold([stored_change(2, {"tier": "silver"}, NOW - 1)], UNSURE)
    assert (folded.written, folded.superseded) == ({}, (2,))


def test_what_is_unsure_is_not_written_by_itself_even_if_it_is_doubted():
    known = {key: replace(held, doubted=True) for key, held in UNSURE.items()}
    assert doubted(known) == {}
    assert doubted({"tier": replace(known["tier"], unsure=False)}) == {"tier": Field("gold", Stamp(NOW, 1, 1))}
