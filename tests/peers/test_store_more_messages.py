"""Messages, their properties and streams, from [MS-OXCMSG] and [MS-OXCPRPT]: by ROPs that are built by hand."""
import struct

import pytest

import rops
import rops_more as more
from rops import BODY_W, CLASS_W, IMPORTANCE, MID, NAME_W, NO_HANDLE, NORMALIZED_W, SUBJECT_W, Store

INBOX, SENT = 4, 6
NOT_FOUND, COMPUTED, INVALID, NULL_DESTINATION, SEEK_ERROR = 0x8004010F, 0x8004011A, 0x80070057, 0x503, 0x80030019
DENIED, NOT_IMPLEMENTED = 0x80070005, 0x80040FFF
FLAGS, READ, STATUS, COMMENT_W, HTML, RAW = 0x0E070003, 0x0E69000B, 0x0E170003, 0x3004001F, 0x10130102, 0x66000102
UNREAD_COUNT = 0x36030003


@pytest.fixture
def store(server):
    session = Store(server)
    session.log_on()
    yield session
    session.close()


def open_folder(store, which):
    return store.one(rops.open_folder(store.folders[which]), [store.root, NO_HANDLE])[1][1]


def new(store, values=None):
    _, table = store.run([rops.create_message(store.folders[INBOX]), rops.set_properties(values or {SUBJECT_W: "new"})],
                         [store.root, NO_HANDLE])
    return table[1]


def opened(store, mid, mode=3):
    return store.one(rops.open_message(store.folders[INBOX], mid, mode=mode), [store.root, NO_HANDLE])[1][1]


def status_of(store, rop, handles):
    return store.run([rop], handles)[0][0]["status"]


def get(store, handle, *tags):
    return store.one(rops.get_properties(list(tags), at=0), [handle])[0]["row"]


# ---- Recipients ----

def people(count):
    return [(i * 2, i % 3 + 1, rops.smtp_recipient(f"p{i}@demo.test", f"Person {i}")) for i in range(count)]


def test_read_recipients(store):
    message = new(store)
    assert status_of(store, more.read_recipients(), [message]) == NOT_FOUND
    store.one(rops.modify_recipients(people(5), at=0), [message])
    rows = store.one(more.read_recipients(3), [message])[0]["rows"]
    assert [(row, kind, entry["email"]) for row, kind, entry in rows] == [
        (4, 3, "p2@demo.test"), (6, 1, "p3@demo.test"), (8, 2, "p4@demo.test")]
    assert status_of(store, more.read_recipients(9), [message]) == NOT_FOUND
    store.one(more.remove_all_recipients(), [message])
    assert status_of(store, more.read_recipients(), [message]) == NOT_FOUND


def test_many_recipients_are_read_on_from_the_last(store):
    message, sent = new(store), people(700)
    for i in range(0, 700, 100):
        store.one(rops.modify_recipients(sent[i:i + 100], at=0), [message])
    seen, row = [], 0
    while (response := store.run([more.read_recipients(row)], [message])[0][0])["status"] == 0:
        seen += [entry["name"] for _, _, entry in response["rows"]]
        row = response["rows"][-1][0] + 1
    assert response["status"] == NOT_FOUND and seen == [f"Person {i}" for i in range(700)]


def test_reload_cached_information(store):
    message = new(store, {SUBJECT_W: "RE: again"})
    store.one(rops.modify_recipients(people(2), at=0), [message])
    out = store.one(more.reload(), [message])[0]
    assert (out["prefix"], out["subject"], out["count"][0] if isinstance(out["count"], tuple) else out["count"]) == (
        "RE: ", "again", 2)
    assert [kind for kind, _ in out["recipients"]] == [1, 2]


# ---- Read flags, status ----

def read_flags(store):
    return [bool(row[FLAGS] & 1) for row in store.rows(store.folders[INBOX], [FLAGS])]


def test_set_read_flags(store):
    ids = [store.save_message(store.folders[INBOX], {SUBJECT_W: str(i), FLAGS: 0}) for i in range(3)]
    folder = open_folder(store, INBOX)
    assert read_flags(store) == [False] * 3 and get(store, folder, UNREAD_COUNT) == {UNREAD_COUNT: 3}
    assert store.one(more.set_read_flags(0, ids[:1]), [folder])[0]["partial"] == 0
    assert read_flags(store) == [True, False, False] and get(store, folder, UNREAD_COUNT) == {UNREAD_COUNT: 2}
    assert store.one(more.set_read_flags(1, []), [folder])[0]["partial"] == 0  # all of the folder
    assert read_flags(store) == [True] * 3
    assert store.one(more.set_read_flags(4, [ids[1], ids[0] + (1 << 60)]), [folder])[0]["partial"] == 1
    assert read_flags(store) == [True, False, True]
    store.one(more.set_read_flags(0x40, [ids[0]]), [folder])  # a receipt's flag alone
    assert read_flags(store) == [True, False, True]


def test_set_message_read_flag(store):
    mid = store.save_message(store.folders[INBOX], {SUBJECT_W: "x", FLAGS: 0})
    message = opened(store, mid)
    store.one(more.set_message_read_flag(0), [store.root, message])
    assert read_flags(store) == [True] and get(store, message, READ) == {READ: 1}
    store.one(more.set_message_read_flag(4), [store.root, message])
    assert read_flags(store) == [False] and get(store, message, READ) == {READ: 0}
    store.one(rops.save(at=1), [store.root, message])  # it was no change of the message


def test_message_status(store):
    mid = store.save_message(store.folders[INBOX], {SUBJECT_W: "x", FLAGS: 1})
    folder = open_folder(store, INBOX)
    assert store.one(more.set_message_status(mid, 0x1000 | 1, 0xFFFF), [folder])[0]["flags"] == 0
    assert store.one(more.set_message_status(mid, 0, 1), [folder])[0]["flags"] == 0x1001
    assert store.one(more.get_message_status(mid), [folder])[0]["flags"] == 0x1000
    message = opened(store, mid)
    store.run([rops.set_properties({SUBJECT_W: "saved again"}), rops.save()], [store.root, message])
    store.one(more.set_read_flags(4, [mid]), [folder])
    row = store.rows(store.folders[INBOX], [STATUS, FLAGS])[0]
    assert row[STATUS] == 0x1000 and not row[FLAGS] & 1
    assert status_of(store, more.get_message_status(mid + (1 << 60)), [folder]) == NOT_FOUND


# ---- Properties ----

@pytest.mark.parametrize("rop", [0x0B, 0x7A])
def test_delete_properties(store, rop):
    mid = store.save_message(store.folders[INBOX], {SUBJECT_W: "x", COMMENT_W: "y", IMPORTANCE: 2})
    message = opened(store, mid)
    problems = store.one(more.delete_properties([COMMENT_W, MID, IMPORTANCE], rop=rop), [message])[0]["problems"]
    assert problems == [(1, MID, COMPUTED)]
    store.one(rops.save(at=1), [store.root, message])
    row = get(store, opened(store, mid), COMMENT_W, IMPORTANCE, SUBJECT_W)
    assert (row[COMMENT_W], row[IMPORTANCE], row[SUBJECT_W]) == (NOT_FOUND, NOT_FOUND, "x")
    folder = open_folder(store, INBOX)
    store.one(rops.set_properties({COMMENT_W: "of the folder"}, at=0), [folder])
    assert store.one(more.delete_properties([COMMENT_W], rop=rop), [folder])[0]["problems"] == []
    assert get(store, folder, COMMENT_W) == {COMMENT_W: NOT_FOUND}


def test_set_properties_no_replicate(store):
    message = new(store)
    rop = b"\x79" + rops.set_properties({SUBJECT_W: "other"}, at=0)[1:]
    assert store.one(rop, [message])[0]["problems"] == []
    assert get(store, message, SUBJECT_W) == {SUBJECT_W: "other"}


def test_get_properties_list(store):
    message = new(store, {SUBJECT_W: "x", COMMENT_W: "y"})
    _, table = store.run([rops.open_stream(BODY_W, at=0, out=1, mode=2)], [message, NO_HANDLE])
    for _ in range(2):
        store.one(rops.write_stream(b"z\0" * 12000, at=1), table)
    store.one(rops.commit_stream(at=1), table)
    tags = store.one(more.get_list(), [message])[0]["tags"]
    assert {SUBJECT_W, COMMENT_W, BODY_W, CLASS_W} <= set(tags) and len(set(tags)) == len(tags)
    assert {NAME_W, 0x36020003} <= set(store.one(more.get_list(), [open_folder(store, INBOX)])[0]["tags"])


def test_query_named_properties(store):
    guid, other = bytes(range(16)), bytes(range(16, 32))
    names = [(guid, "Colour"), (guid, 7), (other, "Shape")]
    ids = store.one(rops.ids_from_names(names), [store.root])[0]["ids"]
    message = new(store, {ids[0] << 16 | 3: 1, ids[1] << 16 | 3: 2})

    def asked(handle, *words):
        out = store.one(more.query_names(*words), [handle])[0]
        return dict(zip(out["ids"], out["names"]))
    assert asked(message) == {ids[0]: names[0], ids[1]: names[1]}
    assert asked(message, 1) == {ids[1]: names[1]} and asked(message, 2) == {ids[0]: names[0]}
    assert asked(message, 0, other) == {}
    assert asked(store.root, 0, other) == {ids[2]: names[2]}
    assert set(ids) <= set(asked(store.root))


# ---- RopCopyTo, RopCopyProperties ----

def test_copy_to(store):
    source = new(store, {SUBJECT_W: "RE: source", COMMENT_W: "kept", IMPORTANCE: 2, HTML: b"<p>"})
    store.one(rops.modify_recipients(people(2), at=0), [source])
    target = new(store, {SUBJECT_W: "target", IMPORTANCE: 0, 0x0070001F: "topic"})
    assert store.one(more.copy_to(excluded=[HTML]), [source, target])[0]["problems"] == []
    row = get(store, target, SUBJECT_W, NORMALIZED_W, COMMENT_W, IMPORTANCE, HTML, 0x0070001F)
    assert row == {SUBJECT_W: "RE: source", NORMALIZED_W: "source", COMMENT_W: "kept", IMPORTANCE: 2, HTML: NOT_FOUND,
                   0x0070001F: "topic"}
    assert len(store.one(more.read_recipients(), [target])[0]["rows"]) == 2
    bare = new(store)
    store.one(more.copy_to(sub=0), [source, bare])
    assert status_of(store, more.read_recipients(), [bare]) == NOT_FOUND
    first = store.one(rops.save(at=0, response=1), [source, target])[0]["message"]
    second = store.one(rops.save(at=1), [source, target])[0]["message"]
    assert first != second and len(store.rows(store.folders[INBOX], [MID])) == 2


def test_copy_properties(store):
    source, target = new(store, {SUBJECT_W: "s", COMMENT_W: "c", IMPORTANCE: 2}), new(store, {IMPORTANCE: 0})
    tags = [COMMENT_W, IMPORTANCE, MID, 0x0070001F]
    problems = store.one(more.copy_properties(tags, flags=2), [source, target])[0]["problems"]
    assert problems == [(2, MID, COMPUTED), (3, 0x0070001F, NOT_FOUND)]
    assert get(store, target, COMMENT_W, IMPORTANCE) == {COMMENT_W: "c", IMPORTANCE: 0}  # no overwriting
    store.one(more.copy_properties([IMPORTANCE], flags=1), [source, target])
    assert get(store, target, IMPORTANCE) == {IMPORTANCE: 2}
    assert get(store, source, IMPORTANCE) == {IMPORTANCE: NOT_FOUND}  # it was moved
    assert status_of(store, more.copy_properties([IMPORTANCE], flags=0x40), [source, target]) == INVALID
    for rop in (more.copy_properties([IMPORTANCE]), more.copy_to()):
        assert status_of(store, rop, [source, NO_HANDLE]) == NULL_DESTINATION
    readonly = opened(store, store.save_message(store.folders[INBOX], {SUBJECT_W: "r"}), mode=0)
    assert status_of(store, more.copy_properties([IMPORTANCE]), [target, readonly]) == DENIED


def test_copy_properties_of_folders(store):
    inbox, sent = open_folder(store, INBOX), open_folder(store, SENT)
    store.one(rops.set_properties({COMMENT_W: "hello"}, at=0), [inbox])
    store.one(more.copy_to(sub=0), [inbox, sent])
    assert get(store, sent, COMMENT_W, NAME_W) == {COMMENT_W: "hello", NAME_W: "Sent Items"}


# ---- Streams ----

def stream(store, message, tag=RAW, mode=2):
    return store.one(rops.open_stream(tag, at=0, out=1, mode=mode), [message, NO_HANDLE])[1][1]


@pytest.mark.parametrize("tag", [RAW, 0x1000001E])
def test_stream_places_and_sizes(store, tag):
    message = new(store)
    one = stream(store, message, tag)
    store.one(rops.write_stream(b"0123456789", at=0), [one])
    for origin, offset, position in ((0, 3, 3), (1, -2, 1), (2, -4, 6), (2, 2, 12), (1, 0, 12)):
        assert store.one(more.seek_stream(origin, offset), [one])[0]["position"] == position
    for origin, offset in ((0, -1), (1, -13), (2, -11), (0, 1 << 40), (0, -(1 << 63)), (2, (1 << 63) - 1)):
        assert status_of(store, more.seek_stream(origin, offset), [one]) == SEEK_ERROR
    assert status_of(store, more.seek_stream(3, 0), [one]) == INVALID
    assert store.one(rops.read_stream(5, at=0), [one])[0]["data"] == b""  # beyond the end
    assert store.one(more.get_stream_size(), [one])[0]["size"] == 10
    store.one(more.set_stream_size(4), [one])
    store.one(more.seek_stream(0, 0), [one])
    assert store.one(rops.read_stream(9, at=0), [one])[0]["data"] == b"0123"
    assert store.one(more.write_and_commit(b"45"), [one])[0]["written"] == 2
    assert store.one(rops.open_stream(tag, at=0, out=1), [message, NO_HANDLE])[0]["size"] == 6


def test_copy_to_stream(store):
    a, b = new(store), new(store)
    one, two = stream(store, a), stream(store, b)
    for i in range(3):
        store.one(rops.write_stream(bytes([i]) * 30000, at=0), [one])
    store.one(more.seek_stream(0, 20000), [one])
    out = store.one(more.copy_to_stream(1 << 40), [one, two])[0]
    assert (out["read"], out["written"]) == (70000, 70000)
    assert store.one(more.get_stream_size(), [two])[0]["size"] == 70000
    store.one(more.seek_stream(0, 9999), [two])
    assert store.one(rops.read_stream(2, at=0), [two])[0]["data"] == b"\0\1"
    assert store.run([more.copy_to_stream(5)], [one, NO_HANDLE])[0][0]["status"] == NULL_DESTINATION


def test_clone_stream(store):
    message = new(store)
    one = stream(store, message)
    store.one(rops.write_stream(b"abcdef", at=0), [one])
    store.one(more.seek_stream(0, 2), [one])
    two = store.one(more.clone_stream(), [one, NO_HANDLE])[1][1]
    assert store.one(rops.read_stream(9, at=0), [two])[0]["data"] == b"cdef"
    assert store.one(rops.read_stream(1, at=0), [one])[0]["data"] == b"c"  # each its own place
    store.run([rops.release(0)], [one])
    store.one(more.seek_stream(0, 0), [two])
    assert store.one(rops.read_stream(1, at=0), [two])[0]["data"] == b"a"


def test_locks_are_not_implemented(store):
    one = stream(store, new(store))
    for rop in (0x5B, 0x5C):
        assert status_of(store, rops.head(rop, 0) + struct.pack("<QQI", 0, 10, 1), [one]) == NOT_IMPLEMENTED
