"""Attachments and messages in messages, from [MS-OXCMSG] 2.2.3.12 to 2.2.3.17: by ROPs that are built by hand."""
import pytest

import rops
import rops_more as more
from rops import MID, NO_HANDLE, SUBJECT_W, Store

INBOX, SENT = 4, 6
NOT_FOUND, DENIED, COMPUTED, NULL_OBJECT = 0x8004010F, 0x80070005, 0x8004011A, 0x4B9
NUMBER, SIZE, METHOD, FILE_W, LONG_W, DATA, FLAGS = 0x0E210003, 0x0E200003, 0x37050003, 0x3704001F, 0x3707001F, 0x37010102, 0x0E070003
EQ, HAS, POSITION = 4, 0x0E1B000B, 0x370B0003


@pytest.fixture
def store(server):
    session = Store(server)
    session.log_on()
    yield session
    session.close()


def new(store, subject="with files"):
    _, table = store.run([rops.create_message(store.folders[INBOX]), rops.set_properties({SUBJECT_W: subject})],
                         [store.root, NO_HANDLE])
    return table[1]


def opened(store, mid, mode=3, which=INBOX):
    return store.one(rops.open_message(store.folders[which], mid, mode=mode), [store.root, NO_HANDLE])[1][1]


def saved(store, message):
    return store.one(rops.save(at=1), [store.root, message])[0]["message"]


def get(store, handle, *tags):
    return store.one(rops.get_properties(list(tags), at=0), [handle])[0]["row"]


def status_of(store, rop, handles):
    return store.run([rop], handles)[0][0]["status"]


def attach(store, message, name, data, save=True):
    """A new attachment: its number and a handle."""
    response, table = store.one(more.create_attachment(), [message, NO_HANDLE])
    handle = table[1]
    store.one(rops.set_properties({LONG_W: name, METHOD: 1}, at=0), [handle])
    stream = store.one(rops.open_stream(DATA, at=0, out=1, mode=2), [handle, NO_HANDLE])[1][1]
    for at in range(0, len(data), 30000):
        store.one(rops.write_stream(data[at:at + 30000], at=0), [stream])
    store.one(rops.commit_stream(at=0), [stream])
    if save:
        store.one(more.save_attachment(), [message, handle])
    return response["number"], handle


def table_of(store, message, tags=(NUMBER, LONG_W)):
    responses, _ = store.run([more.attachment_table(), rops.set_columns(list(tags), at=1), rops.query_rows(at=1)],
                             [message, NO_HANDLE])
    assert [r["status"] for r in responses] == [0, 0, 0]
    return [tuple(row[tag] for tag in tags) for row in responses[2]["row_list"]]


def content(store, message, number):
    handle = store.one(more.open_attachment(number, mode=0), [message, NO_HANDLE])[1][1]
    response, table = store.one(rops.open_stream(DATA, at=0, out=1), [handle, NO_HANDLE])
    data = b""
    while len(data) < response["size"]:
        data += store.one(rops.read_stream(20000, at=1), table)[0]["data"]
    return data


BIG = bytes(range(256)) * 500


def test_attachments_are_kept(store):
    message = new(store)
    first, _ = attach(store, message, "small.txt", b"hello")
    second, handle = attach(store, message, "big.bin", BIG)
    assert first != second and get(store, message, HAS) == {HAS: 1}
    assert get(store, handle, NUMBER, POSITION, 0x0FFE0003) == {NUMBER: second, POSITION: -1, 0x0FFE0003: 7}
    assert len(BIG) < get(store, handle, SIZE)[SIZE] < len(BIG) + 1000
    mid = saved(store, message)
    again = opened(store, mid)
    assert table_of(store, again) == [(first, "small.txt"), (second, "big.bin")]
    assert content(store, again, first) == b"hello" and content(store, again, second) == BIG
    row = store.rows(store.folders[INBOX], [HAS, FLAGS, 0x0E080003])[0]
    assert row[HAS] and row[FLAGS] & 0x10 and row[0x0E080003] > len(BIG)


def test_what_is_not_saved_is_not_there(store):
    message = new(store)
    number, handle = attach(store, message, "never", b"x", save=False)
    assert table_of(store, message) == [] and status_of(store, more.open_attachment(number), [message, NO_HANDLE]) == NOT_FOUND
    mid = saved(store, message)
    assert table_of(store, opened(store, mid)) == []
    store.one(more.save_attachment(), [message, handle])
    assert len(table_of(store, message)) == 1 and table_of(store, opened(store, mid)) == []
    saved(store, message)
    assert len(table_of(store, opened(store, mid))) == 1


def test_change_and_delete(store):
    message = new(store)
    numbers = [attach(store, message, f"f{i}", BIG[i:])[0] for i in range(3)]
    mid = saved(store, message)
    again = opened(store, mid)
    handle = store.one(more.open_attachment(numbers[1]), [again, NO_HANDLE])[1][1]
    store.one(rops.set_properties({LONG_W: "renamed"}, at=0), [handle])
    store.one(more.save_attachment(), [again, handle])
    store.one(more.delete_attachment(numbers[0]), [again])
    assert status_of(store, more.delete_attachment(numbers[0]), [again]) == NOT_FOUND
    assert table_of(store, opened(store, mid)) == [(n, f"f{i}") for i, n in enumerate(numbers)]
    saved(store, again)
    third = opened(store, mid)
    assert table_of(store, third) == [(numbers[1], "renamed"), (numbers[2], "f2")]
    assert content(store, third, numbers[1]) == BIG[1:] and content(store, third, numbers[2]) == BIG[2:]
    assert attach(store, third, "new", b"")[0] not in numbers
    for number in numbers[1:]:
        store.one(more.delete_attachment(number), [again])
    saved(store, again)
    assert get(store, opened(store, mid), HAS) == {HAS: 0}


def test_rights_and_properties(store):
    message = new(store)
    number, handle = attach(store, message, "a", b"x")
    assert store.one(rops.set_properties({NUMBER: 9, FILE_W: "A.TXT"}, at=0), [handle])[0]["problems"] == [(0, NUMBER, COMPUTED)]
    mid = saved(store, message)
    reading = opened(store, mid, mode=0)
    assert status_of(store, more.create_attachment(), [reading, NO_HANDLE]) == DENIED
    assert status_of(store, more.delete_attachment(number), [reading]) == DENIED
    assert status_of(store, more.open_attachment(number, mode=1), [reading, NO_HANDLE]) == DENIED
    best = store.one(more.open_attachment(number, mode=3), [reading, NO_HANDLE])[1][1]
    assert status_of(store, more.save_attachment(), [reading, best]) == DENIED
    problems = store.one(more.delete_properties([LONG_W]), [handle])[0]["problems"]
    assert problems == [] and LONG_W not in store.one(more.get_list(), [handle])[0]["tags"]


def test_an_attachment_table_sorts_and_finds(store):
    message = new(store)
    for name in ("b", "c", "a"):
        attach(store, message, name, b"x")
    _, table = store.run([more.attachment_table(), rops.set_columns([LONG_W], at=1)], [message, NO_HANDLE])
    store.one(rops.sort_table([(LONG_W, 1)], at=1), table)
    assert [row[LONG_W] for row in store.one(rops.query_rows(at=1), table)[0]["row_list"]] == ["c", "b", "a"]
    assert store.one(more.find_row(more.compares(EQ, LONG_W, "B"), at=1), table)[0]["row"] == {LONG_W: "b"}
    attach(store, message, "d", b"x")
    assert store.one(rops.query_position(at=1), table)[0]["total"] == 4




def test_messages_in_messages(store):
    message = new(store, "outer")
    attachment = store.one(more.create_attachment(), [message, NO_HANDLE])[1][1]
    store.one(rops.set_properties({METHOD: 5}, at=0), [attachment])
    assert status_of(store, more.open_embedded(), [attachment, NO_HANDLE]) == NOT_FOUND
    inner = store.one(more.open_embedded(mode=2), [attachment, NO_HANDLE])[1][1]
    store.one(rops.set_properties({SUBJECT_W: "RE: inner"}, at=0), [inner])
    store.one(rops.modify_recipients([(0, 1, rops.smtp_recipient("bob@demo.test", "Bob"))], at=0), [inner])
    attach(store, inner, "deep.bin", BIG)
    assert saved(store, inner) == 0
    store.one(more.save_attachment(), [message, attachment])
    mid = saved(store, message)

    again = opened(store, mid)
    (number,), = table_of(store, again, (NUMBER,))
    attachment = store.one(more.open_attachment(number), [again, NO_HANDLE])[1][1]
    response, table = store.one(more.open_embedded(mode=1), [attachment, NO_HANDLE])
    assert (response["prefix"], response["subject"]) == ("RE: ", "inner")
    assert [row["email"] for _, row in response["recipients"]] == ["bob@demo.test"]
    (deep, name), = table_of(store, table[1])
    assert name == "deep.bin" and content(store, table[1], deep) == BIG
    store.one(rops.set_properties({SUBJECT_W: "changed"}, at=0), [table[1]])
    saved(store, table[1])
    store.one(more.save_attachment(), [again, attachment])
    saved(store, again)
    attachment = store.one(more.open_attachment(number), [opened(store, mid), NO_HANDLE])[1][1]
    response, table = store.one(more.open_embedded(), [attachment, NO_HANDLE])
    assert response["subject"] == "changed" and content(store, table[1], deep) == BIG


def test_copies_and_moves_have_the_attachments(store):
    message = new(store)
    number, _ = attach(store, message, "big.bin", BIG)
    mid = saved(store, message)
    folders = [store.one(rops.open_folder(store.folders[i]), [store.root, NO_HANDLE])[1][1] for i in (INBOX, SENT)]
    store.one(more.move_copy_messages([mid], copy=1), folders)
    copy = new(store, "by properties")
    store.one(more.copy_to(), [opened(store, mid), copy])
    second = saved(store, copy)
    store.one(more.delete_messages([mid]), folders[:1])
    store.one(more.move_copy_messages([second]), folders)
    rows = store.rows(store.folders[SENT], [MID, HAS])
    assert len(rows) == 2
    for row in rows:
        assert row[HAS] and content(store, opened(store, row[MID], which=SENT), number) == BIG


def test_handles_of_parts_outlive_their_message(store):
    """A released message goes when the last of its parts goes."""
    message = new(store)
    number, handle = attach(store, message, "a", BIG)
    stream = store.one(rops.open_stream(DATA, at=0, out=1), [handle, NO_HANDLE])[1][1]
    _, table = store.run([more.attachment_table(), rops.set_columns([NUMBER], at=1)], [message, NO_HANDLE])
    store.run([rops.release(0), rops.release(1)], [message, handle])
    assert status_of(store, more.open_attachment(number), [message, NO_HANDLE]) == NULL_OBJECT
    assert store.one(rops.read_stream(4, at=0), [stream])[0]["data"] == BIG[:4]
    assert store.one(rops.query_rows(at=0), [table[1]])[0]["row_list"] == [{NUMBER: number}]
    store.run([rops.release(0)], [store.root])


def test_kept_after_a_restart(serve):
    server = serve()
    store = Store(server)
    store.log_on()
    message = new(store)
    number, _ = attach(store, message, "big.bin", BIG)
    mid = saved(store, message)
    store.close()
    server.stop()
    store = Store(serve())
    store.log_on()
    assert content(store, opened(store, mid), number) == BIG
    store.close()
