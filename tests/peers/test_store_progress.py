"""ROPs on many messages: slices, RopProgress and its cancelling. [MS-OXCFOLD] 3.1.5.2, [MS-OXCPRPT] 2.2.23, 3.2.5.20,
4.5."""
import threading

import pytest

import rops
import rops_more as more
from rops import MID, NO_HANDLE, SUBJECT_W, Store

SUBTREE, INBOX = 3, 4
NOT_FOUND, PROGRESS = 0x8004010F, 0x50
MANY = 900


@pytest.fixture
def store(server):
    session = Store(server)
    session.log_on()
    yield session
    session.close()


def folder(store, name):
    """A new folder: its handle."""
    top = store.one(rops.open_folder(store.folders[SUBTREE]), [store.root, NO_HANDLE])[1][1]
    response, table = store.run([more.create_folder(name)], [top, NO_HANDLE])
    assert response[0]["status"] == 0
    return table[1]


def fill(store, handle, count=MANY):
    """So many messages there, all but ten of them copies."""
    inbox = store.one(rops.open_folder(store.folders[INBOX]), [store.root, NO_HANDLE])[1][1]
    first = [store.save_message(store.folders[INBOX], {SUBJECT_W: f"number {i}"}) for i in range(10)]
    answer = store.run([more.move_copy_messages(first * (count // 10), copy=1)], [inbox, handle])[0][0]
    assert (answer["rop"], answer["status"], answer["partial"]) == (0x33, 0, 0)


def rows_of(store, handle, columns=(MID,)):
    table = store.run([rops.contents_table(at=0, out=1), rops.set_columns(list(columns), at=1)], [handle, NO_HANDLE])[1]
    rows = []
    while True:
        got = store.one(rops.query_rows(500, at=1), table)[0]["row_list"]
        if not got:
            return rows
        rows += got


def until_done(store, handle):
    """What RopProgress says until the ROP's own answer comes."""
    seen = []
    while True:
        answer = store.run([more.progress()], [handle])[0][0]
        assert answer["status"] == 0
        if answer["rop"] != PROGRESS:
            return seen, answer
        seen.append((answer["done"], answer["total"]))


def begun(store, rop, handles):
    answer = store.run([rop], handles)[0][0]
    assert (answer["rop"], answer["status"], answer["index"]) == (PROGRESS, 0, 0)
    assert answer["done"] < answer["total"]
    return answer


def test_messages_are_deleted_meanwhile(store):
    handle = folder(store, "many")
    fill(store, handle)
    ids = [row[MID] for row in rows_of(store, handle)]
    assert len(ids) == MANY
    first = begun(store, more.delete_messages(ids, later=1), [handle])
    assert first["total"] == MANY
    # The session goes on with other things.
    store.save_message(store.folders[INBOX], {SUBJECT_W: "beside it"})
    seen, answer = until_done(store, handle)
    assert (answer["rop"], answer["partial"]) == (0x1E, 0)
    assert seen == sorted(seen) and all(total == MANY for _, total in seen)
    assert rows_of(store, handle) == []
    assert store.run([more.progress()], [handle])[0][0]["status"] == NOT_FOUND


def test_an_emptied_folder_with_folders_in_it(store):
    handle = folder(store, "full")
    below = store.run([more.create_folder("below")], [handle, NO_HANDLE])[1][1]
    fill(store, handle)
    fill(store, below, 50)
    assert begun(store, more.empty_folder(later=1), [handle])["total"] >= MANY + 50
    _, answer = until_done(store, handle)
    assert (answer["rop"], answer["partial"]) == (0x58, 0)
    assert rows_of(store, handle) == []
    table = store.run([rops.hierarchy_table(at=0, out=1)], [handle, NO_HANDLE])
    assert table[0][0]["rows"] == 0


def test_read_flags_and_moves(store):
    here, there = folder(store, "here"), folder(store, "there")
    fill(store, here)
    begun(store, more.set_read_flags(4, [], later=1), [here])
    assert until_done(store, here)[1]["rop"] == 0x66
    assert not any(row[0x0E070003] & 1 for row in rows_of(store, here, (MID, 0x0E070003)))
    ids = [row[MID] for row in rows_of(store, here)]
    begun(store, more.move_copy_messages(ids, later=1), [here, there])
    assert until_done(store, here)[1]["rop"] == 0x33
    assert (len(rows_of(store, here)), len(rows_of(store, there))) == (0, MANY)


def test_work_that_is_cancelled(store):
    handle = folder(store, "half")
    fill(store, handle)
    begun(store, more.empty_folder(later=1), [handle])
    answer = store.run([more.progress(cancel=1)], [handle])[0][0]
    assert (answer["rop"], answer["status"]) == (0x58, 0)
    left = len(rows_of(store, handle))
    assert left == len(rows_of(store, handle)) and (left == 0) == (answer["partial"] == 0)
    assert store.run([more.progress()], [handle])[0][0]["status"] == NOT_FOUND


def test_whoever_lets_go_ends_it(store, server):
    handle = folder(store, "left alone")
    fill(store, handle)
    begun(store, more.empty_folder(later=1), [handle])
    store.run([rops.release(0)], [handle])
    other = Store(server)
    other.log_on()
    store.close()
    other.save_message(other.folders[INBOX], {SUBJECT_W: "still there"})
    other.close()


def test_others_are_served_in_between(store, server):
    """Without RopProgress the answer waits, not the loop: a second session is answered first."""
    handle = folder(store, "slow")
    fill(store, handle)
    order, other = [], Store(server)
    other.log_on()

    def empty():
        answer = store.run([more.empty_folder()], [handle])[0][0]
        order.append(("empty", answer["rop"], answer["partial"]))

    thread = threading.Thread(target=empty)
    thread.start()
    while thread.is_alive():
        other.one(rops.open_folder(other.folders[INBOX]), [other.root, NO_HANDLE])
        order.append("other")
    thread.join()
    other.close()
    assert order.index(("empty", 0x58, 0)) >= 2  # so many calls were answered before it
    assert rows_of(store, handle) == []
