"""Table notifications, [MS-OXCNOTIF] 2.2.1.1.1, 2.2.1.4.1.2, 3.1.4.3: every table that was looked at tells what becomes of
its rows, in answers and by waking a parked wait."""
import pytest

import rops
import rops_more as more
from rops import CONTENT_COUNT, MID, NAME_W, NO_HANDLE, SUBJECT_W, Store, Waiter

SUBTREE, INBOX, SENT = 3, 4, 6
CHANGED, ADDED, DELETED, MODIFIED = 1, 3, 4, 5
NO_NOTIFICATIONS, SUPPRESSES = 0x10, 0x80
SUBJECT_8 = 0x0037001E
FIRST = (0, 0, 0)


@pytest.fixture
def pair(server):
    """Two sessions of alice: one looks, the other acts."""
    stores = [Store(server), Store(server)]
    for store in stores:
        store.log_on()
    yield stores
    for store in stores:
        store.close()


def look(store, index=INBOX, columns=(SUBJECT_W,), flags=0, between=(), hierarchy=False):
    """A table of that folder, looked at: its handle."""
    open_table = rops.hierarchy_table if hierarchy else rops.contents_table
    requests = [rops.open_folder(store.folders[index]), open_table(flags=flags), rops.set_columns(list(columns)), *between,
                rops.query_rows()]
    responses, table = store.run(requests, [store.root, NO_HANDLE, NO_HANDLE])
    assert [r["status"] for r in responses] == [0] * len(responses)
    return table[2]


def heard(store):
    """What the tables have told since last time."""
    store.run([rops.get_receive_folder("")], [store.root])
    news, store.table_news = store.table_news, []
    return news


def row(store, message, index=INBOX):
    return store.folders[index], message, 0


def test_rows_of_a_contents_table(pair):
    eye, hand = pair
    inbox, sent = hand.folders[INBOX], hand.folders[SENT]
    table = look(eye)
    first = hand.save_message(inbox, {SUBJECT_W: "a"})
    second = hand.save_message(inbox, {SUBJECT_W: "b"})
    news = heard(eye)
    assert [(n["handle"], n["event"], n["flags"] & 0x8000) for n in news] == [(table, ADDED, 0x8000)] * 2
    assert [(n["row"], n["after"], n["values"]) for n in news] == [
        (row(eye, first), FIRST, {SUBJECT_W: "a"}), (row(eye, second), row(eye, first), {SUBJECT_W: "b"})]
    responses, _ = hand.run([rops.open_message(inbox, second), rops.set_properties({SUBJECT_W: "c"}), rops.save()],
                            [hand.root, NO_HANDLE])
    assert responses[2]["status"] == 0
    assert [(n["event"], n["row"], n["values"]) for n in heard(eye)] == [(MODIFIED, row(eye, second), {SUBJECT_W: "c"})]
    responses, _ = hand.run([rops.open_folder(inbox, out=1), rops.open_folder(sent, out=2),
                             more.move_copy_messages([first], at=1, to=2), more.delete_messages([second], at=1)],
                            [hand.root, NO_HANDLE, NO_HANDLE])
    assert [r["status"] for r in responses] == [0] * 4
    assert [(n["event"], n["row"]) for n in heard(eye)] == [(DELETED, row(eye, first)), (DELETED, row(eye, second))]


def test_places_in_a_sorted_table(pair):
    eye, hand = pair
    inbox = hand.folders[INBOX]
    a, c = (hand.save_message(inbox, {SUBJECT_W: text}) for text in "ac")
    look(eye, between=[rops.sort_table([(SUBJECT_W, 1)])])  # descending
    b = hand.save_message(inbox, {SUBJECT_W: "b"})
    d = hand.save_message(inbox, {SUBJECT_W: "d"})
    assert [(n["row"], n["after"]) for n in heard(eye)] == [(row(eye, b), row(eye, c)), (row(eye, d), FIRST)]
    responses, _ = hand.run([rops.open_message(inbox, d), rops.set_properties({SUBJECT_W: "0"}), rops.save()],
                            [hand.root, NO_HANDLE])
    assert responses[2]["status"] == 0
    assert [(n["event"], n["after"]) for n in heard(eye)] == [(MODIFIED, row(eye, a))]


def test_a_restriction_lets_rows_in_and_out(pair):
    eye, hand = pair
    inbox = hand.folders[INBOX]
    look(eye, between=[more.restrict(more.content(SUBJECT_W, "x", low=1), at=2)])
    message = hand.save_message(inbox, {SUBJECT_W: "no"})
    assert heard(eye) == []
    events = []
    for text in ("ax", "bx", "none"):
        responses, _ = hand.run([rops.open_message(inbox, message), rops.set_properties({SUBJECT_W: text}), rops.save()],
                                [hand.root, NO_HANDLE])
        assert responses[2]["status"] == 0
        events += [(n["event"], n.get("values")) for n in heard(eye)]
    assert events == [(ADDED, {SUBJECT_W: "ax"}), (MODIFIED, {SUBJECT_W: "bx"}), (DELETED, None)]


def test_categories_only_say_that_they_changed(pair):
    eye, hand = pair
    look(eye, between=[rops.sort_table([(SUBJECT_W, 0)], categories=1, expanded=1)])
    for text in ("a", "b"):
        hand.save_message(hand.folders[INBOX], {SUBJECT_W: text})
    assert [n["event"] for n in heard(eye)] == [CHANGED], "once, until somebody looks"


def test_rows_of_a_hierarchy_table(pair):
    eye, hand = pair
    table = look(eye, SUBTREE, (NAME_W, CONTENT_COUNT), hierarchy=True)
    responses, handles = hand.run([rops.open_folder(hand.folders[SUBTREE]), more.create_folder("New", at=1, out=2)],
                                  [hand.root, NO_HANDLE, NO_HANDLE])
    new = responses[1]["folder"]
    news = heard(eye)
    assert [(n["handle"], n["event"], n["row"], n["values"]) for n in news] == [
        (table, ADDED, new, {NAME_W: "New", CONTENT_COUNT: 0})]
    assert news[0]["after"] not in (0, new)
    hand.save_message(new, {SUBJECT_W: "a"})
    assert [(n["event"], n["row"], n["values"]) for n in heard(eye)] == [
        (MODIFIED, new, {NAME_W: "New", CONTENT_COUNT: 1})]
    responses, _ = hand.run([rops.set_properties({NAME_W: "Aa"}, at=0)], [handles[2]])
    assert [(n["event"], n["row"], n["after"]) for n in heard(eye)] == [(MODIFIED, new, 0)]
    responses, _ = hand.run([more.delete_folder(new, 5, at=1)], [hand.root, handles[1]])
    assert responses[0]["status"] == 0
    assert (DELETED, new) in [(n["event"], n["row"]) for n in heard(eye)]


def test_texts_in_the_session_s_code_page(pair):
    eye, hand = pair
    look(eye, columns=(SUBJECT_8, MID))
    message = hand.save_message(hand.folders[INBOX], {SUBJECT_W: "grün"})
    assert [n["values"] for n in heard(eye)] == [{SUBJECT_8: "grün".encode("cp1252"), MID: message}]


@pytest.mark.parametrize("flags,hierarchy", [(NO_NOTIFICATIONS, False), (NO_NOTIFICATIONS, True)])
def test_no_notifications(pair, flags, hierarchy):
    """[MS-OXCFOLD] 2.2.1.13.1, 2.2.1.14.1"""
    eye, hand = pair
    look(eye, SUBTREE if hierarchy else INBOX, (NAME_W if hierarchy else SUBJECT_W,), flags, hierarchy=hierarchy)
    hand.save_message(hand.folders[INBOX], {SUBJECT_W: "a"})
    assert heard(eye) == []


def test_suppressed(pair):
    """SuppressesNotifications: what the session itself does."""
    eye, hand = pair
    look(eye, SUBTREE, (NAME_W,), SUPPRESSES, hierarchy=True)
    eye.save_message(eye.folders[INBOX], {SUBJECT_W: "a"})
    assert heard(eye) == []
    hand.save_message(hand.folders[INBOX], {SUBJECT_W: "a"})
    assert [n["event"] for n in heard(eye)] == [MODIFIED]


def test_only_what_was_looked_at(pair):
    eye, hand = pair
    responses, table = eye.run([rops.open_folder(eye.folders[INBOX]), rops.contents_table(), rops.set_columns([SUBJECT_W])],
                               [eye.root, NO_HANDLE, NO_HANDLE])
    hand.save_message(hand.folders[INBOX], {SUBJECT_W: "a"})
    assert heard(eye) == []
    eye.run([rops.query_rows(at=0)], [table[2]])
    hand.save_message(hand.folders[INBOX], {SUBJECT_W: "b"})
    eye.run([rops.set_columns([MID], at=0)], [table[2]])  # what was noted had other columns
    assert heard(eye) == [] and eye.table_news == []
    eye.run([rops.query_rows(at=0)], [table[2]])
    hand.save_message(hand.folders[INBOX], {SUBJECT_W: "c"})
    eye.run([rops.release(0)], [table[2]])
    assert heard(eye) == [] and eye.table_news == []


def test_a_flood_ends_in_one_word(pair):
    eye, hand = pair
    table = look(eye)
    requests = [rop for _ in range(40)
                for rop in (rops.create_message(hand.folders[INBOX]), rops.set_properties({SUBJECT_W: "a"}), rops.save())]
    for start in range(0, len(requests), 30):
        hand.run(requests[start:start + 30], [hand.root, NO_HANDLE])
    assert [n["event"] for n in heard(eye)] == [ADDED] * 32 + [CHANGED]
    eye.run([rops.seek_row(0, 0, at=0)], [table])
    hand.save_message(hand.folders[INBOX], {SUBJECT_W: "b"})
    assert [n["event"] for n in heard(eye)] == [ADDED]


def test_a_parked_wait_is_woken(pair):
    eye, hand = pair
    look(eye)
    waiter = Waiter(eye)
    waiter.park()
    hand.save_message(hand.folders[INBOX], {SUBJECT_W: "a"})
    assert waiter.answer()[0] == 1
    assert [n["event"] for n in heard(eye)] == [ADDED]
