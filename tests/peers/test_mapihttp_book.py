"""The address book over MAPI over HTTP: every request type of [MS-OXCMAPIHTTP] 2.2.5."""
import struct

import pytest

from mapihttp import NO_AUX, Book, Endpoint, basic, book_list, stat, tags_of
from peer import dn_of
from test_mapihttp import CONTEXT_NOT_FOUND, FIRST, INVALID_BODY, MISSING_COOKIE

NAME_W, NAME, SMTP_W, ENTRY_ID, PROXIES_W, TITLE_W = 0x3001001F, 0x3001001E, 0x39FE001F, 0x0FFF0102, 0x800F101F, 0x3A17001F
NAMES = ["Alice Arnold", "Bob Berger", "Zoé Zürn"]
STATE = b"\1" + stat()


@pytest.fixture
def web(serve):
    return serve(*FIRST)


@pytest.fixture
def book(web):
    session = Book(web)
    yield session
    session.close()


def query(book, body, *tags):
    cursor = book.call("QueryRows", body + (b"\1" + tags_of(*tags) if tags else b"\0"))
    state, rows = book.state(cursor), book.rows(cursor)
    book.end(cursor)
    return state, rows


def ids_of(book):
    cursor = book.call("DNToMinId", struct.pack("<IBI", 0, 1, 3) + b"".join(dn_of(u).encode() + b"\0" for u in ("alice", "bob", "nobody")))
    ids = book.ids(cursor)
    book.end(cursor)
    return ids


def test_query_rows(book):
    state, rows = query(book, b"\0" * 4 + STATE + struct.pack("<II", 0, 50), NAME_W, NAME, SMTP_W, PROXIES_W)
    assert [row[NAME_W] for row in rows] == NAMES
    assert rows[2][NAME] == "Zoé Zürn".encode("cp1252")
    assert rows[0][SMTP_W] == "alice@demo.test" and "SMTP:alice@demo.test" in rows[0][PROXIES_W]
    assert state[4:6] == (3, 3)
    # What an entry does not have is said in its place.
    _, rows = query(book, b"\0" * 4 + STATE + struct.pack("<II", 0, 2), NAME_W, 0x5FFF0003, ENTRY_ID)
    assert [row[NAME_W] for row in rows] == NAMES[:2]
    assert all(row[0x5FFF0003] == 0x8004010F and len(row[ENTRY_ID]) > 28 for row in rows)
    _, rows = query(book, b"\0" * 4 + STATE + struct.pack("<II", 0, 1))
    assert rows[0][NAME] == b"Alice Arnold"


def test_explicit_table(book):
    alice, bob, nobody = ids_of(book)
    assert alice and bob and not nobody
    _, rows = query(book, b"\0" * 4 + STATE + struct.pack("<4I", 2, bob, alice, 9), NAME_W)
    assert [row[NAME_W] for row in rows] == [NAMES[1], NAMES[0]]


def test_get_props(book):
    alice, *_ = ids_of(book)
    cursor = book.call("GetProps", b"\0" * 4 + b"\1" + stat(current=alice) + b"\1" + tags_of(NAME_W, SMTP_W))
    assert book.error == 0 and cursor.get("IB") == (1252, 1)
    assert book_list(cursor) == {NAME_W: NAMES[0], SMTP_W: "alice@demo.test"}
    book.end(cursor)
    cursor = book.call("GetProps", b"\0" * 4 + b"\1" + stat(current=12345) + b"\0")
    assert book.error == 0x8004010F and cursor.get("IB") == (1252, 0)
    cursor = book.call("GetPropList", struct.pack("<III", 0, alice, 1200))
    assert cursor.get("B") == 1 and NAME_W in [cursor.get("I") for _ in range(cursor.get("I"))]
    book.end(cursor)


def test_resolve_names(book):
    names = "".join(name + "\0" for name in ("alice", "nobody at all", "bob@demo.test")).encode("utf-16-le")
    cursor = book.call("ResolveNames", b"\0" * 4 + STATE + b"\1" + tags_of(NAME_W) + struct.pack("<BI", 1, 3) + names)
    assert book.error == 0 and cursor.get("I") == 1252
    assert book.ids(cursor) == [2, 0, 2]
    assert [row[NAME_W] for row in book.rows(cursor)] == NAMES[:2]
    book.end(cursor)


def property_restriction(tag, text, relop=4):
    return struct.pack("<BBII", 4, relop, tag, tag) + b"\xff" + text.encode("utf-16-le") + b"\0\0"


def exists(tag):
    return struct.pack("<BI", 8, tag)


@pytest.mark.parametrize("restriction, names", [
    (property_restriction(0x360C001F, "zo"), NAMES[2:]),
    (struct.pack("<BI", 0, 2) + exists(NAME_W) + property_restriction(NAME_W, NAMES[1]), NAMES[1:2]),
    (struct.pack("<BI", 1, 2) + property_restriction(NAME_W, NAMES[0]) + property_restriction(NAME_W, NAMES[1]), NAMES[:2]),
    (struct.pack("<BHHII", 3, 2, 1, NAME_W, NAME_W) + b"\xffBob\0".replace(b"Bob\0", "Bob\0".encode("utf-16-le")), NAMES[1:2]),
])
def test_get_matches(book, restriction, names):
    cursor = book.call("GetMatches", b"\0" * 4 + STATE + b"\0" + b"\0" * 4 + b"\1" + restriction + b"\0" +
                       struct.pack("<IB", 50, 1) + tags_of(NAME_W))
    assert book.error == 0
    book.state(cursor)
    assert len(book.ids(cursor)) == len(names)
    assert [row[NAME_W] for row in book.rows(cursor)] == names
    book.end(cursor)


def test_restrictions_too_deep(book):
    deep = struct.pack("<B", 2) * 5000 + exists(NAME_W)
    body = b"\0" * 4 + STATE + b"\0" + b"\0" * 4 + b"\1" + deep + b"\0" + struct.pack("<IB", 50, 0) + NO_AUX
    assert book.ask("GetMatches", body).code == INVALID_BODY
    assert len(query(book, b"\0" * 4 + STATE + struct.pack("<II", 0, 50), NAME_W)[1]) == 3


def test_seek_entries(book):
    target = struct.pack("<I", NAME_W) + b"\xff" + "B\0".encode("utf-16-le")
    cursor = book.call("SeekEntries", b"\0" * 4 + STATE + b"\1" + target + b"\0" + b"\1" + tags_of(NAME_W))
    assert book.error == 0 and book.state(cursor)[4] == 1
    assert book.rows(cursor) == [{NAME_W: NAMES[1]}]
    book.end(cursor)


def test_positions(book):
    alice, bob, _ = ids_of(book)
    cursor = book.call("UpdateStat", b"\0" * 4 + b"\1" + stat(delta=2) + b"\1")
    assert book.error == 0 and book.state(cursor)[4] == 2 and cursor.get("Bi") == (1, 2)
    book.end(cursor)
    cursor = book.call("CompareMinIds", b"\0" * 4 + STATE + struct.pack("<II", bob, alice))
    assert book.error == 0 and cursor.get("i") == 1
    book.end(cursor)
    cursor = book.call("ResortRestriction", b"\0" * 4 + STATE + struct.pack("<B4I", 1, 3, bob, 999, alice))
    book.state(cursor)
    assert book.ids(cursor) == [alice, bob]
    book.end(cursor)


def test_tables(book):
    cursor = book.call("GetSpecialTable", struct.pack("<I", 4) + STATE + b"\1" + struct.pack("<I", 0))
    assert book.error == 0 and cursor.get("I") == 1252 and cursor.get("BI") == (1, 1) and cursor.get("B") == 1
    rows = [book_list(cursor) for _ in range(cursor.get("I"))]
    assert len(rows) == 1 and ENTRY_ID in rows[0]
    book.end(cursor)
    cursor = book.call("QueryColumns", struct.pack("<II", 0, 0x80000000))
    assert cursor.get("B") == 1 and NAME_W in [cursor.get("I") for _ in range(cursor.get("I"))]
    book.end(cursor)


def test_what_is_not_offered(book):
    """Their own refusals: no templates, nothing is written."""
    cursor = book.call("GetTemplateInfo", struct.pack("<IIBII", 1, 0, 0, 1252, 0x409))
    assert book.error == 0x8004011F and cursor.get("IB") == (1252, 0)
    book.end(cursor)
    book.end(book.call("ModProps", b"\0" * 4 + STATE + b"\0" + b"\1" + struct.pack("<II", 1, TITLE_W) + b"\xff" + "x\0".encode("utf-16-le")))
    assert book.error == 0x80040102
    book.end(book.call("ModLinkAtt", struct.pack("<IIIBII", 0, 0x800F101F, 1, 1, 1, 4) + b"abcd"))
    assert book.error == 0x80040102


def test_unbind_and_cookies(web, book):
    stranger = Endpoint(web, "/mapi/nspi/", "bob")
    assert stranger.ask("QueryColumns", struct.pack("<III", 0, 0, 0)).code == MISSING_COOKIE
    stranger.cookies = dict(book.cookies)
    assert stranger.ask("QueryColumns", struct.pack("<III", 0, 0, 0)).code == CONTEXT_NOT_FOUND
    book.end(book.call("Unbind", b"\0" * 4))
    assert book.error == 1
    assert book.ask("QueryColumns", struct.pack("<III", 0, 0, 0)).code == CONTEXT_NOT_FOUND


def test_bodies_of_every_length(book):
    whole = b"\0" * 4 + STATE + struct.pack("<II", 0, 50) + b"\1" + tags_of(NAME_W) + NO_AUX
    for n in range(0, len(whole), 3):
        assert book.ask("QueryRows", whole[:n]).code == INVALID_BODY
    assert book.ask("QueryRows", whole + b"x").code == INVALID_BODY
    assert book.ask("QueryRows", whole[:41] + b"\xff" * 4 + whole[45:]).code == INVALID_BODY


def test_urls(web, book):
    for kind, path in ("GetMailboxUrl", "/mapi/emsmdb/"), ("GetAddressBookUrl", "/mapi/nspi/"):
        cursor = book.call(kind, struct.pack("<I", 0) + (dn_of("alice") + "\0").encode("utf-16-le"))
        assert book.error == 0 and path in cursor.str16()
        book.end(cursor)
