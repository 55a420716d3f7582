"""Search folders, from [MS-OXCFOLD] 2.2.1.2, 2.2.1.4 and 2.2.1.5: by ROPs that are built by hand."""
import pytest

import rops
import rops_more as more
from conftest import Server, wait_for
from rops import CONTENT_COUNT, FOLDER_ID, IMPORTANCE, MID, NAME_W, NO_HANDLE, SUBJECT_W, Store, Waiter

SUBTREE, INBOX, SENT, FINDER = 3, 4, 6, 10
UNREAD, FOLDER_TYPE, FLAGS, BODY_W = 0x36030003, 0x36010003, 0x0E070003, 0x1000001F
STOP, RESTART, RECURSIVE, SHALLOW, INDEXED, STATIC = 1, 2, 4, 8, 0x10000, 0x40000
RUNNING, REBUILD, COMPLETE = 1, 2, 0x1000
NOT_SEARCH, IS_SEARCH, NOT_INITIALIZED, INVALID, TOO_COMPLEX, NOT_FOUND = 0x461, 0x460, 0x80040605, 0x80070057, 0x80040117, 0x8004010F
PREFIX, SUBSTRING, IGNORE_CASE, EQ, GE = 2, 1, 1, 4, 3
HIGH = more.compares(GE, IMPORTANCE, 2)


@pytest.fixture
def store(server):
    session = Store(server)
    session.log_on()
    yield session
    session.close()


def open_handle(store, folder):
    return store.one(rops.open_folder(folder), [store.root, NO_HANDLE])[1][1]


def make(store, name="Important", parent=FINDER, kind=2):
    """A folder, of the searching kind by default: its id and handle."""
    response, table = store.one(more.create_folder(name, kind=kind), [open_handle(store, store.folders[parent]), NO_HANDLE])
    return response["folder"], table[1]


def search(store, restriction=HIGH, where=(INBOX,), flags=RESTART | SHALLOW, **options):
    folder, handle = make(store, **options)
    store.one(more.set_search_criteria(restriction, [store.folders[i] for i in where], flags), [handle])
    return folder, handle


def status_of(store, rop, *handles):
    return store.run([rop], list(handles))[0][0]["status"]


def found(store, folder, tag=SUBJECT_W):
    return sorted(row[tag] for row in store.rows(folder, [tag], count=500))


def counts(store, handle):
    row = store.one(rops.get_properties([CONTENT_COUNT, UNREAD, FOLDER_TYPE], at=0), [handle])[0]["row"]
    return row[CONTENT_COUNT], row[UNREAD], row[FOLDER_TYPE]


def add(store, subject, folder=INBOX, importance=2, read=0, **values):
    return store.save_message(store.folders[folder], {SUBJECT_W: subject, IMPORTANCE: importance, FLAGS: read, **values})


def test_it_finds_what_is_there(store):
    add(store, "a"), add(store, "b", importance=1), add(store, "c", read=1), add(store, "elsewhere", folder=SENT)
    folder, handle = search(store)
    assert found(store, folder) == ["a", "c"] and counts(store, handle) == (2, 1, 2)
    rows = store.rows(folder, [MID, FOLDER_ID, SUBJECT_W])
    assert {row[FOLDER_ID] for row in rows} == {store.folders[INBOX]}
    response = store.one(rops.open_message(folder, rows[0][MID]), [store.root, NO_HANDLE])[0]
    assert response["subject"] == rows[0][SUBJECT_W]
    assert store.one(more.head(0x7B, 0), [store.root])[0]["state"] == 0x01000000


def test_it_stays_live(store):
    folder, handle = search(store)
    assert found(store, folder) == [] and counts(store, handle) == (0, 0, 2)
    first, second = add(store, "first"), add(store, "second")
    add(store, "low", importance=0)
    assert found(store, folder) == ["first", "second"] and counts(store, handle)[:2] == (2, 2)
    responses, _ = store.run([rops.open_message(store.folders[INBOX], first), rops.set_properties({IMPORTANCE: 1}), rops.save()],
                             [store.root, NO_HANDLE])
    assert [r["status"] for r in responses] == [0, 0, 0]
    assert found(store, folder) == ["second"]  # no longer met
    inbox, sent = open_handle(store, store.folders[INBOX]), open_handle(store, store.folders[SENT])
    store.one(more.set_read_flags(0, [second]), [inbox])
    assert counts(store, handle)[:2] == (1, 0)
    store.one(more.move_copy_messages([second]), [inbox, sent])
    assert found(store, folder) == [] and counts(store, handle)[:2] == (0, 0)
    moved = store.rows(store.folders[SENT], [MID])[0][MID]
    store.one(more.move_copy_messages([moved], copy=1), [sent, inbox])
    assert found(store, folder) == ["second"]
    store.one(more.delete_messages([store.rows(store.folders[INBOX], [MID, SUBJECT_W])[-1][MID]]), [inbox])
    store.one(more.empty_folder(), [inbox])
    assert found(store, folder) == [] and counts(store, handle)[:2] == (0, 0)


def test_what_is_read_leaves_a_search_for_what_is_not(store):
    folder, handle = search(store, more.bitmask(0, FLAGS, 1))
    message = add(store, "news")
    assert found(store, folder) == ["news"]
    there = open_handle(store, folder)
    store.one(more.set_read_flags(0, [message]), [there])  # by way of the search folder
    assert found(store, folder) == [] and counts(store, handle)[:2] == (0, 0)
    store.one(more.set_read_flags(4, [message]), [open_handle(store, store.folders[INBOX])])
    assert found(store, folder) == ["news"] and counts(store, handle)[:2] == (1, 1)
    store.one(more.delete_messages([message]), [there])
    assert store.rows(store.folders[INBOX], [MID]) == [] and found(store, folder) == []


def test_below_folders(store):
    folder, _ = search(store, where=(SUBTREE,), flags=RESTART | RECURSIVE)
    inner, inner_handle = make(store, "Inner", INBOX, kind=1)
    add(store, "in the inbox"), add(store, "sent", folder=SENT)
    store.save_message(inner, {SUBJECT_W: "inside", IMPORTANCE: 2})
    assert found(store, folder) == ["in the inbox", "inside", "sent"]
    shallow, _ = search(store, name="Shallow", where=(SUBTREE,))
    assert found(store, shallow) == []
    root, inbox = open_handle(store, store.folders[0]), open_handle(store, store.folders[INBOX])
    assert store.run([more.move_folder(inner, "Outer")], [inbox, root])[0][0]["status"] == 0
    wait_for(lambda: found(store, folder) == ["in the inbox", "sent"])  # it lies elsewhere now
    del inner_handle


def test_by_the_beginnings_of_words(store):
    """CONTENT_INDEXED_SEARCH, 2.2.1.4.1."""
    add(store, "one", **{}), store.save_message(store.folders[INBOX], {SUBJECT_W: "two", BODY_W: "The Müller report, annually"})
    text = more.content(BODY_W, "muller REP", SUBSTRING, IGNORE_CASE)
    words, _ = search(store, text, flags=RESTART | INDEXED, name="Words")
    exact, _ = search(store, text, flags=RESTART, name="Exact")
    assert found(store, words) == ["two"] and found(store, exact) == []
    inside, _ = search(store, more.content(BODY_W, "port", SUBSTRING, IGNORE_CASE), flags=RESTART | INDEXED, name="Inside")
    assert found(store, inside) == []


def test_static(store):
    add(store, "before")
    folder, _ = search(store, flags=RESTART | STATIC)
    message = add(store, "after")
    assert found(store, folder) == ["before"]
    store.one(more.delete_messages([row[MID] for row in store.rows(store.folders[INBOX], [MID])]), [open_handle(store, store.folders[INBOX])])
    assert found(store, folder) == [] and message


def test_criteria_are_told(store):
    folder, handle = search(store, flags=RESTART | RECURSIVE)
    got = store.one(more.get_search_criteria(), [handle])[0]
    assert got["restriction"] == HIGH and got["folders"] == [store.folders[INBOX]]
    assert got["flags"] & (RUNNING | REBUILD | COMPLETE | RECURSIVE) == RUNNING | COMPLETE | RECURSIVE
    got = store.one(more.get_search_criteria(restriction=0, folders=0), [handle])[0]
    assert got["restriction"] == b"" and got["folders"] == []
    store.one(more.set_search_criteria(more.content(SUBJECT_W, "x", PREFIX), []), [handle])  # the folders stay
    got = store.one(more.get_search_criteria(unicode=0), [handle])[0]
    assert got["restriction"] == more.content(0x0037001E, b"x", PREFIX) and got["folders"] == [store.folders[INBOX]]
    add(store, "xylophone")
    assert found(store, folder) == ["xylophone"]
    store.one(more.set_search_criteria(b"", [store.folders[SENT]]), [handle])
    assert found(store, folder) == []
    assert store.one(more.get_search_criteria(), [handle])[0]["folders"] == [store.folders[SENT]]


def test_refusals(store):
    inbox = open_handle(store, store.folders[INBOX])
    folder, handle = make(store)
    assert status_of(store, more.get_search_criteria(), handle) == NOT_INITIALIZED
    assert status_of(store, more.set_search_criteria(b"", [store.folders[INBOX]]), handle) == NOT_INITIALIZED
    assert status_of(store, more.set_search_criteria(HIGH, []), handle) == NOT_INITIALIZED
    assert status_of(store, more.set_search_criteria(HIGH, [store.folders[INBOX]]), inbox) == NOT_SEARCH
    assert status_of(store, more.get_search_criteria(), inbox) == NOT_SEARCH
    assert status_of(store, more.set_search_criteria(HIGH, [store.folders[INBOX]], STOP | RESTART), handle) == INVALID
    assert status_of(store, more.set_search_criteria(HIGH, [store.folders[INBOX]], 0x80), handle) == INVALID
    assert status_of(store, more.set_search_criteria(HIGH, [0x4711_0001]), handle) == NOT_FOUND
    assert status_of(store, more.set_search_criteria(HIGH, [folder]), handle) == TOO_COMPLEX
    assert status_of(store, more.set_search_criteria(more.content(SUBJECT_W, "x", 7), [store.folders[INBOX]]), handle) == TOO_COMPLEX
    assert status_of(store, rops.create_message(folder), store.root, NO_HANDLE) == IS_SEARCH
    assert status_of(store, more.create_folder("below"), handle, NO_HANDLE) == IS_SEARCH
    message = add(store, "m")
    assert store.run([more.move_copy_messages([message])], [inbox, handle])[0][0]["partial"] == 1
    assert found(store, store.folders[INBOX]) == ["m"]


def test_deleted_like_others(store):
    add(store, "kept")
    folder, _ = search(store)
    finder = open_handle(store, store.folders[FINDER])
    response = store.run([more.delete_folder(folder, 0)], [finder])[0][0]
    assert (response["status"], response["partial"]) == (0, 0)
    assert found(store, store.folders[INBOX]) == ["kept"]
    assert status_of(store, rops.open_folder(folder), store.root, NO_HANDLE) == NOT_FOUND
    add(store, "another")  # nothing looks for it any more


def test_a_long_search_goes_on_in_slices(store):
    """Other calls are answered meanwhile, and its end is told: SearchComplete, [MS-OXCNOTIF] 2.2.1.1."""
    for at in range(0, 3000, 10):
        batch = []
        for i in range(10):
            batch += [rops.create_message(store.folders[INBOX]), rops.set_properties({SUBJECT_W: f"s{at + i}", IMPORTANCE: 2 * ((at + i) % 2)}),
                      rops.save(), rops.release(1)]
        responses, _ = store.run(batch, [store.root, NO_HANDLE])
        assert all(r["status"] == 0 for r in responses)
    folder, handle = make(store)
    store.one(rops.register_notification(0x80, out=1), [store.root, NO_HANDLE])
    waiter = Waiter(store)
    waiter.park()
    store.one(more.set_search_criteria(HIGH, [store.folders[INBOX]]), [handle])
    flags = store.one(more.get_search_criteria(), [handle])[0]["flags"]
    assert flags & (RUNNING | REBUILD) == RUNNING | REBUILD
    assert waiter.is_answered(20) and waiter.answer() == (1, 0)
    store.run([], [])
    assert [(n["flags"] & 0xFFF, n["folder"]) for n in store.news] == [(0x80, folder)]
    assert counts(store, handle)[0] == 1500
    assert store.one(more.get_search_criteria(), [handle])[0]["flags"] & REBUILD == 0
    assert len(store.rows(folder, [SUBJECT_W], count=20)) == 20
    waiter.rpc.disconnect()


def test_it_is_there_after_a_crash(state):
    server = Server(state)
    store = Store(server)
    store.log_on()
    folder, _ = search(store)
    add(store, "one")
    server.kill()
    server = Server(state)
    store = Store(server)
    store.log_on()
    assert found(store, folder) == ["one"]
    add(store, "two")
    assert found(store, folder) == ["one", "two"] and NAME_W
    store.close()
    server.stop()
