"""Tables narrowed and searched, from [MS-OXCTABL] and [MS-OXCDATA] 2.12: by ROPs that are built by hand."""
import struct

import pytest

import rops
import rops_more as more
from rops import IMPORTANCE, MID, NO_HANDLE, NULL_OBJECT, SUBJECT_W, Store

INBOX = 4
NOT_FOUND, TOO_COMPLEX, BAD_BOOKMARK, UNABLE_TO_ABORT = 0x8004010F, 0x80040117, 0x80040405, 0x80040114
SIZE, RECIPIENTS, ADDRESS_W, KEYWORD = 0x0E080003, 0x0E12000D, 0x3003001F, 0x10900003
LT, LE, GT, GE, EQ, NE = range(6)
FULL, SUBSTRING, PREFIX = range(3)
IGNORE_CASE, IGNORE_MARKS = 1, 2
SUBJECTS = ["Apfel", "apple pie", "Äpfel", "banana", "Cherry"]


@pytest.fixture
def store(server):
    session = Store(server)
    session.log_on()
    for i, subject in enumerate(SUBJECTS):
        values = {SUBJECT_W: subject, IMPORTANCE: i % 3}
        if i == 3:
            values[KEYWORD] = 6
        session.save_message(session.folders[INBOX], values)
    yield session
    session.close()


def open_table(store, tags=(SUBJECT_W, MID)):
    responses, table = store.run([rops.open_folder(store.folders[INBOX]), rops.contents_table(), rops.set_columns(list(tags))],
                                 [store.root, NO_HANDLE, NO_HANDLE])
    assert [r["status"] for r in responses] == [0, 0, 0]
    return table[2]


def subjects(store, table):
    return [row[SUBJECT_W] for row in store.one(rops.query_rows(at=0), [table])[0]["row_list"]]


def restricted(store, data):
    table = open_table(store)
    store.one(more.restrict(data), [table])
    position = store.one(rops.query_position(at=0), [table])[0]
    found = subjects(store, table)
    assert (position["position"], position["total"]) == (0, len(found))
    return found


def content(text, low=FULL, high=IGNORE_CASE):
    return more.content(SUBJECT_W, text, low, high)


RESTRICTIONS = [
    (content("apfel"), ["Apfel"]),
    (content("apfel", high=0), []),
    (content("apfel", high=IGNORE_CASE | IGNORE_MARKS), ["Apfel", "Äpfel"]),
    (content("P", SUBSTRING), ["Apfel", "apple pie", "Äpfel"]),
    (content("ap", PREFIX), ["Apfel", "apple pie"]),
    (more.content(0x0037001E, b"CHERRY", FULL, IGNORE_CASE), ["Cherry"]),
    (more.compares(EQ, SUBJECT_W, "BANANA"), ["banana"]),
    (more.compares(GT, SUBJECT_W, "apple pie"), ["banana", "Cherry"]),
    (more.compares(LT, IMPORTANCE, 1), ["Apfel", "banana"]),
    (more.compares(LE, IMPORTANCE, 0), ["Apfel", "banana"]),
    (more.compares(GE, IMPORTANCE, 2), ["Äpfel"]),
    (more.compares(NE, IMPORTANCE, 0), ["apple pie", "Äpfel", "Cherry"]),
    (more.compares(NE, KEYWORD, 6), ["Apfel", "apple pie", "Äpfel", "Cherry"]),
    (more.compares_properties(EQ, SUBJECT_W, 0x0E1D001F), SUBJECTS),
    (more.compares_properties(NE, SUBJECT_W, 0x0E1D001F), []),
    (more.bitmask(1, IMPORTANCE, 1), ["apple pie", "Cherry"]),
    (more.bitmask(0, IMPORTANCE, 1), ["Apfel", "Äpfel", "banana"]),
    (more.sized(EQ, SUBJECT_W, 12), ["banana", "Cherry"]),
    (more.sized(GT, SUBJECT_W, 12), ["apple pie"]),
    (more.exists(KEYWORD), ["banana"]),
    (more.negated(more.exists(KEYWORD)), ["Apfel", "apple pie", "Äpfel", "Cherry"]),
    (more.both(content("a", SUBSTRING), more.compares(EQ, IMPORTANCE, 0)), ["Apfel", "banana"]),
    (more.both(), SUBJECTS),
    (more.either(content("Cherry"), more.exists(KEYWORD)), ["banana", "Cherry"]),
    (more.either(), []),
    (more.commented({IMPORTANCE: 7}), SUBJECTS),
    (more.commented({IMPORTANCE: 7}, content("Cherry")), ["Cherry"]),
    (more.counted(2, more.exists(SUBJECT_W)), SUBJECTS[:2]),
    (more.counted(0, more.exists(SUBJECT_W)), []),
]


@pytest.mark.parametrize("which", range(len(RESTRICTIONS)))
def test_restrict(store, which):
    data, expected = RESTRICTIONS[which]
    assert restricted(store, data) == expected


def test_restrict_by_a_recipient(store):
    """2.12.10: one of the recipients meets it."""
    responses, _ = store.run([rops.create_message(store.folders[INBOX]), rops.set_properties({SUBJECT_W: "to many"}),
                              rops.modify_recipients([(0, 1, rops.smtp_recipient("bob@demo.test", "Bob")),
                                                      (1, 2, rops.smtp_recipient("zoe@demo.test", "Zoé"))]), rops.save()],
                             [store.root, NO_HANDLE])
    assert [r["status"] for r in responses] == [0] * 4
    assert restricted(store, more.of_sub_object(RECIPIENTS, more.content(ADDRESS_W, "ZOE@", PREFIX, IGNORE_CASE))) == ["to many"]
    assert restricted(store, more.of_sub_object(RECIPIENTS, more.content(ADDRESS_W, "carl@", PREFIX, IGNORE_CASE))) == []


def test_restrict_with_no_restriction_shows_all_again(store):
    table = open_table(store)
    store.one(more.restrict(more.exists(KEYWORD)), [table])
    assert subjects(store, table) == ["banana"]
    store.one(more.restrict(b""), [table])
    assert subjects(store, table) == SUBJECTS


def test_a_restricted_table_is_live_and_sorts(store):
    table = open_table(store)
    store.one(more.restrict(more.compares(EQ, IMPORTANCE, 0)), [table])
    store.one(rops.sort_table([(SUBJECT_W, 1)], at=0), [table])
    assert subjects(store, table) == ["banana", "Apfel"]
    store.save_message(store.folders[INBOX], {SUBJECT_W: "aardvark", IMPORTANCE: 0})
    store.save_message(store.folders[INBOX], {SUBJECT_W: "unseen", IMPORTANCE: 1})
    store.one(rops.seek_row(0, 0, at=0), [table])
    assert subjects(store, table) == ["banana", "Apfel", "aardvark"]


def test_restrict_refuses_what_it_does_not_know(store):
    table = open_table(store)
    for data in (b"\4" + struct.pack("<BI", 0x64, SUBJECT_W) + rops.tagged({SUBJECT_W: "x"}), content("x", 7),
                 more.of_sub_object(0x0E13000D, more.exists(SUBJECT_W))):
        assert store.run([more.restrict(data)], [table])[0][0]["status"] == TOO_COMPLEX
    assert subjects(store, table) == SUBJECTS
    deep = more.exists(SUBJECT_W)
    for _ in range(3000):
        deep = more.negated(deep)
    status, _ = store.raw(rops.extended(rops.rop_buffer([more.restrict(deep)], [table])))
    assert status == rops.RPC_FORMAT
    assert store.run([], []) == ([], [])


# ---- RopFindRow, 2.2.2.13 ----

def find(store, table, data, **options):
    response = store.run([more.find_row(data, **options)], [table])[0][0]
    return response["row"][SUBJECT_W] if response["status"] == 0 else response["status"]


def test_find_row(store):
    table = open_table(store)
    fruit = content("a", PREFIX)
    assert find(store, table, fruit) == "Apfel"
    assert subjects(store, table) == SUBJECTS  # the row found is the current one
    assert find(store, table, fruit, origin=2, backward=1) == "apple pie"
    assert store.one(rops.query_position(at=0), [table])[0]["position"] == 1
    assert find(store, table, more.exists(KEYWORD), origin=1) == "banana"
    assert find(store, table, content("Apfel"), origin=1) == NOT_FOUND
    assert store.one(rops.query_position(at=0), [table])[0]["position"] == 3
    assert find(store, table, content("Apfel"), origin=1, backward=1) == "Apfel"


def test_find_row_in_another_order(store):
    table = open_table(store)
    store.one(rops.sort_table([(SUBJECT_W, 1)], at=0), [table])
    assert find(store, table, content("apfel")) == "Apfel"
    assert subjects(store, table) == ["Apfel"]


def test_find_row_needs_columns(store):
    _, table = store.run([rops.open_folder(store.folders[INBOX]), rops.contents_table()], [store.root, NO_HANDLE, NO_HANDLE])
    assert store.run([more.find_row(more.exists(MID))], [table[2]])[0][0]["status"] == NULL_OBJECT


# ---- Bookmarks, 2.2.2.9 to 2.2.2.14 ----

def bookmark_at(store, table, position):
    store.one(rops.seek_row(0, position, at=0), [table])
    return store.one(more.create_bookmark(), [table])[0]["bookmark"]


def test_bookmarks(store):
    table = open_table(store)
    mark = bookmark_at(store, table, 3)
    store.one(rops.seek_row(0, 0, at=0), [table])
    response = store.one(more.seek_bookmark(mark), [table])[0]
    assert (response["gone"], response["less"], response["moved"]) == (0, 0, 0)
    assert subjects(store, table) == SUBJECTS[3:]
    response = store.one(more.seek_bookmark(mark, -5), [table])[0]
    assert (response["less"], response["moved"]) == (1, -3)
    assert find(store, table, more.exists(SUBJECT_W), origin=3, bookmark=mark) == "banana"
    store.one(more.free_bookmark(mark), [table])
    assert store.run([more.seek_bookmark(b"x")], [table])[0][0]["status"] == BAD_BOOKMARK
    assert store.run([more.free_bookmark(b"")], [table])[0][0]["status"] == BAD_BOOKMARK


def test_a_bookmark_follows_its_row_until_it_goes(store):
    table = open_table(store)
    store.one(rops.sort_table([(SUBJECT_W, 0)], at=0), [table])
    order = subjects(store, table)
    mark = bookmark_at(store, table, 3)
    store.save_message(store.folders[INBOX], {SUBJECT_W: "aaa"})
    assert store.one(more.seek_bookmark(mark), [table])[0]["gone"] == 0
    assert subjects(store, table) == order[3:]
    mid = next(row[MID] for row in store.rows(store.folders[INBOX], [MID, SUBJECT_W]) if row[SUBJECT_W] == order[3])
    folder = store.one(rops.open_folder(store.folders[INBOX]), [store.root, NO_HANDLE])[1][1]
    store.one(more.delete_messages([mid]), [folder])
    assert store.one(more.seek_bookmark(mark), [table])[0]["gone"] == 1


def test_a_new_order_ends_bookmarks(store):
    for change in (more.restrict(b""), rops.sort_table([(SUBJECT_W, 0)], at=0), rops.head(0x81, 0)):
        table = open_table(store)
        mark = bookmark_at(store, table, 1)
        store.one(change, [table])
        assert store.run([more.seek_bookmark(mark)], [table])[0][0]["status"] == BAD_BOOKMARK


# ---- The rest ----

def test_seek_by_a_fraction(store):
    table = open_table(store)
    for numerator, denominator, position in ((0, 7, 0), (1, 2, 2), (4, 5, 4), (9, 9, 5), (8, 2, 5), (0xFFFFFFFE, 0xFFFFFFFF, 4)):
        store.one(more.seek_fraction(numerator, denominator), [table])
        assert store.one(rops.query_position(at=0), [table])[0]["position"] == position
    assert store.run([more.seek_fraction(1, 0)], [table])[0][0]["status"] == BAD_BOOKMARK


def test_query_columns_all(store):
    tags = store.one(rops.head(0x37, 0), [open_table(store)])[0]["tags"]
    assert {SUBJECT_W, MID, 0x0E070003, 0x0E060040} <= set(tags)


def test_status_and_abort(store):
    table = open_table(store)
    store.one(rops.head(0x16, 0), [table])
    assert store.run([rops.head(0x38, 0)], [table])[0][0]["status"] == UNABLE_TO_ABORT


def test_what_may_be_asynchronous_is_done_at_once(store):
    """TBL_ASYNC, [MS-OXCTABL] 3.2.5.1: TBLSTAT_COMPLETE from each (the readers assert it), nothing goes on (3.2.5.7) or can be ended (3.2.5.6)."""
    table = open_table(store)
    narrow = content("apple", PREFIX)
    for rop in (rops.head(0x12, 0) + b"\1" + rops.tag_list([SUBJECT_W]),
                rops.head(0x13, 0) + struct.pack("<BHHHIB", 1, 1, 0, 0, SUBJECT_W, 1),
                rops.head(0x14, 0) + struct.pack("<BH", 1, len(narrow)) + narrow):
        responses = store.run([rop, rops.head(0x16, 0), rops.head(0x38, 0)], [table])[0]
        assert [r["status"] for r in responses] == [0, 0, UNABLE_TO_ABORT]
    assert subjects(store, table) == ["apple pie"]


def test_reset_table(store):
    """2.2.2.15: columns, order and restriction go; the table is asked for columns again."""
    table = open_table(store)
    store.one(more.restrict(more.exists(KEYWORD)), [table])
    store.one(rops.head(0x81, 0), [table])
    assert store.run([rops.query_rows(at=0)], [table])[0][0]["status"] == NULL_OBJECT
    store.one(rops.set_columns([SUBJECT_W], at=0), [table])
    assert subjects(store, table) == SUBJECTS
