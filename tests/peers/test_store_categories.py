"""Contents tables in categories, and rows for each of several values: [MS-OXCTABL] 2.2.2.2, 2.2.2.3, 2.2.2.17 to 2.2.2.20."""
import struct

import pytest

import rops
import rops_more as more
from rops import IMPORTANCE, MID, NO_HANDLE, SUBJECT_W, Missing, Store

INBOX = 4
SENDER_W, DEPTH, ROW_TYPE, INSTANCE, INSTANCE_NUMBER = 0x0C1A001F, 0x30050003, 0x0FF50003, 0x674D0014, 0x674E0003
COUNT, UNREAD, INSTANCE_KEY, FLAGS = 0x36020003, 0x36030003, 0x0FF60102, 0x0E070003
LEAF, EXPANDED, COLLAPSED = 1, 3, 4
NOT_FOUND, NOT_COLLAPSED, NOT_EXPANDED, IS_LEAF, INVALID, TOO_COMPLEX, NOT_SUPPORTED, NULL_OBJECT = (
    0x8004010F, 0x4F8, 0x4F7, 0x4F9, 0x80070057, 0x80040117, 0x80040102, 0x4B9)
COLUMNS = [ROW_TYPE, DEPTH, SENDER_W, IMPORTANCE, SUBJECT_W, INSTANCE, COUNT, UNREAD]
MAIL = [("Ann", 1, "a1", 0), ("Ben", 0, "b1", 1), ("Ann", 2, "a2", 1), ("Cleo", 1, "c1", 0), ("Ann", 1, "a3", 0)]


@pytest.fixture
def store(server):
    session = Store(server)
    session.log_on()
    for sender, importance, subject, read in MAIL:
        session.save_message(session.folders[INBOX], {SENDER_W: sender, IMPORTANCE: importance, SUBJECT_W: subject, FLAGS: read})
    yield session
    session.close()


def table_of(store, columns=None):
    responses, table = store.run([rops.open_folder(store.folders[INBOX]), rops.contents_table(), rops.set_columns(columns or COLUMNS)],
                                 [store.root, NO_HANDLE, NO_HANDLE])
    assert [r["status"] for r in responses] == [0, 0, 0]
    return table[2]


def status_of(store, rop, handle):
    return store.run([rop], [handle])[0][0]["status"]


def sort(store, table, keys, categories, expanded):
    store.one(rops.sort_table(keys, at=0, categories=categories, expanded=expanded), [table])


def rows(store, table):
    return store.run([rops.seek_row(0, 0, at=0), rops.query_rows(100, at=0)], [table])[0][1]["row_list"]


def shape(found):
    """What a person sees: each row by its depth, headings with their sign and the value that they are for."""
    out = []
    for row in found:
        if row[ROW_TYPE] == LEAF:
            out.append("  " * row[DEPTH] + row[SUBJECT_W])
        else:
            value = row[SENDER_W] if row[DEPTH] == 0 else row[IMPORTANCE]
            out.append("  " * row[DEPTH] + ("-" if row[ROW_TYPE] == EXPANDED else "+") + str(value))
    return out


def test_all_collapsed_and_all_expanded(store):
    table = table_of(store)
    sort(store, table, [(SENDER_W, 0), (SUBJECT_W, 1)], 1, 0)
    found = rows(store, table)
    assert shape(found) == ["+Ann", "+Ben", "+Cleo"]
    assert [(row[COUNT], row[UNREAD]) for row in found] == [(3, 2), (1, 0), (1, 1)]
    assert all(isinstance(row[SUBJECT_W], Missing) and isinstance(row[IMPORTANCE], Missing) for row in found)
    assert store.one(rops.query_position(at=0), [table])[0]["total"] == 3
    sort(store, table, [(SENDER_W, 0), (SUBJECT_W, 1)], 1, 1)
    assert shape(rows(store, table)) == ["-Ann", "  a3", "  a2", "  a1", "-Ben", "  b1", "-Cleo", "  c1"]
    sort(store, table, [(SENDER_W, 1), (SUBJECT_W, 0)], 1, 1)
    assert shape(rows(store, table)) == ["-Cleo", "  c1", "-Ben", "  b1", "-Ann", "  a1", "  a2", "  a3"]


def test_two_levels(store):
    table = table_of(store)
    sort(store, table, [(SENDER_W, 0), (IMPORTANCE, 1), (SUBJECT_W, 0)], 2, 1)
    found = rows(store, table)
    assert shape(found) == ["-Ann", "  +2", "  +1", "-Ben", "  +0", "-Cleo", "  +1"]
    assert found[2][SENDER_W] == "Ann" and found[2][COUNT] == 2
    store.one(more.expand_row(found[2][INSTANCE]), [table])
    assert shape(rows(store, table))[:5] == ["-Ann", "  +2", "  -1", "    a1", "    a3"]
    assert store.one(more.collapse_row(found[0][INSTANCE]), [table])[0]["collapsed"] == 4
    assert shape(rows(store, table))[:2] == ["+Ann", "-Ben"]
    assert store.one(more.expand_row(found[0][INSTANCE]), [table])[0]["expanded"] == 4  # what is below is as it was
    assert shape(rows(store, table))[:5] == ["-Ann", "  +2", "  -1", "    a1", "    a3"]


def test_expand_answers_with_rows(store):
    """2.2.2.17: at most as many as asked, and the position behind them."""
    table = table_of(store)
    sort(store, table, [(SENDER_W, 0), (SUBJECT_W, 0)], 1, 0)
    ann = rows(store, table)[0][INSTANCE]
    response = store.one(more.expand_row(ann, 2), [table])[0]
    assert response["expanded"] == 3 and shape(response["row_list"]) == ["  a1", "  a2"]
    assert shape(store.one(rops.query_rows(100, at=0), [table])[0]["row_list"]) == ["  a3", "+Ben", "+Cleo"]
    store.one(more.collapse_row(ann), [table])
    response = store.one(more.expand_row(ann, 0), [table])[0]
    assert response["expanded"] == 3 and response["row_list"] == []
    assert store.one(rops.query_position(at=0), [table])[0] | {"index": 0} == {
        "rop": 0x17, "index": 0, "status": 0, "position": 1, "total": 6}


def test_errors(store):
    table = table_of(store)
    assert status_of(store, more.expand_row(1), table) == IS_LEAF  # no categories at all
    sort(store, table, [(SENDER_W, 0)], 1, 1)
    found = rows(store, table)
    assert status_of(store, more.expand_row(found[0][INSTANCE]), table) == NOT_COLLAPSED
    store.one(more.collapse_row(found[0][INSTANCE]), [table])
    assert status_of(store, more.collapse_row(found[0][INSTANCE]), table) == NOT_EXPANDED
    assert status_of(store, more.expand_row(found[-1][INSTANCE]), table) == IS_LEAF
    assert status_of(store, more.expand_row(0x1234), table) == NOT_FOUND
    assert status_of(store, rops.sort_table([(SENDER_W, 0)], at=0, categories=2), table) == INVALID
    assert status_of(store, rops.sort_table([(SENDER_W, 0)], at=0, categories=1, expanded=2), table) == INVALID
    assert status_of(store, rops.sort_table([(SENDER_W, 4)], at=0), table) == TOO_COMPLEX
    assert status_of(store, rops.sort_table([(SENDER_W, 0)] * 8, at=0, categories=8), table) == TOO_COMPLEX
    bare = store.run([rops.open_folder(store.folders[INBOX]), rops.contents_table()], [store.root, NO_HANDLE, NO_HANDLE])[1][2]
    assert status_of(store, more.expand_row(1), bare) == NULL_OBJECT and status_of(store, more.collapse_row(1), bare) == NULL_OBJECT


def test_live(store):
    table = table_of(store)
    sort(store, table, [(SENDER_W, 0), (SUBJECT_W, 0)], 1, 0)
    store.one(more.expand_row(rows(store, table)[1][INSTANCE]), [table])
    store.save_message(store.folders[INBOX], {SENDER_W: "Ben", SUBJECT_W: "b2"})
    store.save_message(store.folders[INBOX], {SENDER_W: "Bea", SUBJECT_W: "new"})
    assert shape(rows(store, table)) == ["+Ann", "+Bea", "-Ben", "  b1", "  b2", "+Cleo"]


def test_restricted_and_searched(store):
    table = table_of(store)
    sort(store, table, [(SENDER_W, 0), (SUBJECT_W, 0)], 1, 1)
    store.one(more.restrict(more.compares(4, IMPORTANCE, 1)), [table])
    assert shape(rows(store, table)) == ["-Ann", "  a1", "  a3", "-Cleo", "  c1"]
    store.one(rops.seek_row(0, 0, at=0), [table])
    row = store.one(more.find_row(more.content(SUBJECT_W, "c", 2)), [table])[0]["row"]
    assert row[SUBJECT_W] == "c1"


def test_collapse_state(store):
    """2.2.2.19, 2.2.2.20: what one table tells another takes up, with a bookmark at the row."""
    keys = [(SENDER_W, 0), (SUBJECT_W, 0)]
    table = table_of(store)
    sort(store, table, keys, 1, 1)
    found = rows(store, table)
    store.one(more.collapse_row(found[0][INSTANCE]), [table])
    ben = next(row for row in found if row[SUBJECT_W] == "b1")
    state = store.one(more.get_collapse_state(ben[INSTANCE]), [table])[0]["data"]
    other = table_of(store)
    sort(store, other, keys, 1, 1)
    bookmark = store.one(more.set_collapse_state(state), [other])[0]["data"]
    assert shape(rows(store, other)) == ["+Ann", "-Ben", "  b1", "-Cleo", "  c1"]
    store.one(more.seek_bookmark(bookmark), [other])
    assert store.one(rops.query_rows(1, at=0), [other])[0]["row_list"][0][SUBJECT_W] == "b1"
    for damaged in (b"", state[:-1], state + b"x", b"\2" + state[1:], state[:14] + b"\xff\xff" + state[16:]):
        assert status_of(store, more.set_collapse_state(damaged), other) == INVALID
    assert shape(rows(store, other))[0] == "+Ann"
    store.one(rops.sort_table(keys, at=0), [other])
    assert status_of(store, more.get_collapse_state(1), other) == NOT_SUPPORTED
    assert status_of(store, more.set_collapse_state(state), other) == INVALID


def test_a_row_for_each_value(store):
    """MultivalueInstance, [MS-OXCDATA] 2.11.1.3: as a column, a sort key and a category."""
    guid = struct.pack("<IHH", 0x00020329, 0, 0) + bytes([0xC0, 0, 0, 0, 0, 0, 0, 0x46])
    keywords = store.one(rops.ids_from_names([(guid, "Keywords")]), [store.root])[0]["ids"][0] << 16 | 0x101F
    store.save_message(store.folders[INBOX], {SUBJECT_W: "m1", keywords: ["red", "blue"]})
    store.save_message(store.folders[INBOX], {SUBJECT_W: "m2", keywords: ["blue"]})
    one = keywords | 0x2000
    table = table_of(store, [one, SUBJECT_W, INSTANCE, INSTANCE_NUMBER, MID, INSTANCE_KEY])
    store.one(more.restrict(more.exists(keywords)), [table])
    store.one(rops.sort_table([(one, 0), (SUBJECT_W, 0)], at=0), [table])
    found = rows(store, table)
    assert [(row[one], row[SUBJECT_W], row[INSTANCE_NUMBER]) for row in found] == [("blue", "m1", 1), ("blue", "m2", 0), ("red", "m1", 0)]
    assert len({row[INSTANCE_KEY] for row in found}) == 3 and found[0][MID] == found[2][MID]
    assert store.one(rops.query_position(at=0), [table])[0]["total"] == 3
    table = table_of(store, [ROW_TYPE, DEPTH, SENDER_W, IMPORTANCE, SUBJECT_W, one])
    store.one(more.restrict(more.exists(keywords)), [table])
    sort(store, table, [(one, 0), (SUBJECT_W, 0)], 1, 1)
    assert [(row[ROW_TYPE], row[one] if row[ROW_TYPE] != LEAF else row[SUBJECT_W]) for row in rows(store, table)] == [
        (EXPANDED, "blue"), (LEAF, "m1"), (LEAF, "m2"), (EXPANDED, "red"), (LEAF, "m1")]
    narrow = one & 0xFFFF0000 | 0x301E
    table = table_of(store, [narrow])
    assert sorted(row[narrow] for row in rows(store, table) if not isinstance(row[narrow], Missing)) == [b"blue", b"blue", b"red"]
