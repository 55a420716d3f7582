"""The information store: sessions, folders, tables, messages, streams, names."""
import struct

import pytest

pytest.importorskip("impacket", reason="python3-impacket is not installed")
from impacket.dcerpc.v5.rpcrt import DCERPCException  # noqa: E402

import rops  # noqa: E402
from peer import dn_of  # noqa: E402
from rops import (BODY_W, CHAIN, CLASS_W, CONTENT_COUNT, FOLDER_ID, IMPORTANCE, LAST, MID, NAME_W, NO_HANDLE,  # noqa: E402
                  NO_XOR, NORMALIZED_W, NULL_OBJECT, SUBJECT_W, XORED, Missing, Store)

INBOX, IPM_SUBTREE, ROOT = 4, 3, 0
ADMIN = 1
OBJECT_NOT_FOUND = 0x8004010F
PS_PUBLIC = bytes.fromhex("2903020000000000C000000000000046")


@pytest.fixture
def store(server):
    session = Store(server)
    session.log_on()
    yield session
    session.close()


# ---- Connecting ----

def test_connect_tells_what_the_client_needs(server):
    told = Store(server, user="zoe").connected
    assert told["status"] == 0 and told["handle"] != bytes(20)
    assert told["dn_prefix"].decode() == dn_of("zoe")[:-3] and told["name"] == "Zoé Zürn".encode("cp1252")
    assert told["polls_max"] > 0 and told["retries"] > 0 and told["delay"] > 0
    major, build, revision = told["server"]
    assert (major >> 8, major & 0xFF, build >> 15) == (15, 0, 1) and (build & 0x7FFF) >= 847 and revision == 0
    assert told["best"] == (12, 0x8000 | 4518, 1014)


def test_connect_tells_that_there_are_no_public_folders(server):
    (block, flags), = rops.payloads_of(Store(server).connected["aux"])
    assert flags & LAST and struct.unpack("<HBBI", block) == (8, 1, 0x17, 0)
    assert Store(server, aux_out=0).connected["aux"] == b""


def test_names_come_in_the_code_page_of_the_client(server):
    assert Store(server, user="zoe", code_page=65001).connected["name"] == "Zoé Zürn".encode()
    assert Store(server, user="zoe", code_page=850).connected["name"] == "Zoé Zürn".encode("cp850")
    assert Store(server, user="zoe", code_page=4711).status == 0x3EF


@pytest.mark.parametrize("level", ["none", "connect", "integrity"])
def test_encryption_is_required(server, level):
    refused = Store(server, level=level)
    assert refused.status == rops.NOT_ENCRYPTED and refused.handle == bytes(20)


@pytest.mark.parametrize("level", ["connect", "integrity", "privacy"])
def test_encryption_can_be_optional(serve, level):
    session = Store(serve("--encryption", "optional"), level=level)
    assert session.status == 0 and session.log_on()["status"] == 0


def test_nobody_gets_in_without_authentication(serve):
    assert Store(serve("--encryption", "optional"), level="none").status == rops.ACCESS_DENIED


@pytest.mark.parametrize("dn, flags, status", [
    ("/o=DEMO/cn=nobody", 0, rops.UNKNOWN_USER),
    (dn_of("bob"), 0, rops.ACCESS_DENIED),
    ("", 0, rops.ACCESS_DENIED),
    (dn_of("alice"), ADMIN, 0x3F2),
])
def test_refused_users(server, dn, flags, status):
    refused = Store(server, dn=dn, flags=flags)
    assert refused.status == status and refused.handle == bytes(20)


def test_a_wrong_password(server):
    from peer import open_rpc
    with pytest.raises(DCERPCException):
        rpc = open_rpc(server.store, password="nonsense")
        rpc.bind(rops.EMSMDB)
        rpc.call(10, rops.connect_stub(dn_of("alice")))
        rpc.recv()


def test_disconnect_ends_the_session(store):
    handle, status = store.disconnect()
    assert handle == bytes(20) and status == 0
    with pytest.raises(DCERPCException) as refused:
        store.raw(rops.extended(rops.rop_buffer([], [])))
    assert "context_mismatch" in str(refused.value)


def test_handles_of_others_are_refused(server, store):
    for other in (Store(server, user="bob"), Store(server)):
        other.handle = store.handle
        with pytest.raises(DCERPCException) as refused:
            other.run([], [])
        assert "context_mismatch" in str(refused.value)
    assert store.run([], []) == ([], [])


def test_another_user_in_the_same_group_is_refused(server, store):
    with rops.joining(store.group):
        other = Store(server, user="bob")
    assert other.group == store.group
    other.handle = store.handle
    with pytest.raises(DCERPCException) as refused:
        other.run([], [])
    assert "context_mismatch" in str(refused.value)


def test_dummy_and_opnums_that_are_not_there(store):
    store.rpc.call(6, b"")
    assert store.rpc.recv() == bytes(4)
    for opnum in (0, 2, 3, 4, 5, 7, 12, 15, 99):
        store.rpc.call(opnum, bytes(64))
        with pytest.raises(DCERPCException) as refused:
            store.rpc.recv()
        assert "op_rng" in str(refused.value)


# ---- Log-on and folders ----

def test_log_on_names_the_folders(store):
    response = store.log_on()
    assert len(set(response["folders"])) == 13 and all(f & 0xFFFF == response["replid"] for f in response["folders"])
    assert response["flags"] == 1 and response["response_flags"] == 7
    second, minute, hour, weekday, day, month, year = response["time"]
    assert second < 61 and minute < 60 and hour < 24 and weekday < 7 and 1 <= day <= 31 and 1 <= month <= 12 and year > 2000


@pytest.mark.parametrize("dn, flags, status", [
    (dn_of("bob"), 1, rops.ACCESS_DENIED), ("/o=DEMO/cn=nobody", 1, rops.UNKNOWN_USER), (dn_of("alice"), 0, rops.NOT_SUPPORTED)])
def test_log_on_to_what_one_may_not(store, dn, flags, status):
    responses, table = store.run([rops.logon(dn, flags=flags)], [NO_HANDLE])
    assert responses[0]["status"] == status and table == [NO_HANDLE]


def test_a_released_logon_takes_its_objects_along(store):
    folder = store.one(rops.open_folder(store.folders[INBOX]), [store.root, NO_HANDLE])[1][1]
    store.run([rops.release(0)], [store.root])
    responses, _ = store.run([rops.hierarchy_table()], [NO_HANDLE, folder, NO_HANDLE])
    assert responses[0]["status"] == NULL_OBJECT
    assert store.log_on()["status"] == 0


def test_receive_folders(store):
    assert store.one(rops.get_receive_folder(""), [store.root])[0]["folder"] == store.folders[INBOX]
    note = store.one(rops.get_receive_folder("IPM.Note.Special"), [store.root])[0]
    assert note["folder"] == store.folders[INBOX] and "IPM.Note.Special".startswith(note["class"].decode())


def test_the_hierarchy(store):
    responses, _ = store.run(
        [rops.open_folder(store.folders[IPM_SUBTREE]), rops.hierarchy_table(), rops.set_columns([FOLDER_ID, NAME_W]),
         rops.query_position(), rops.query_rows(100)], [store.root, NO_HANDLE, NO_HANDLE])
    rows = responses[4]["row_list"]
    assert responses[1]["rows"] == responses[3]["total"] == len(rows)
    assert {NAME_W: "Inbox", FOLDER_ID: store.folders[INBOX]} in rows
    deep, _ = store.run([rops.open_folder(store.folders[ROOT]), rops.hierarchy_table(flags=4)], [store.root, NO_HANDLE, NO_HANDLE])
    assert deep[1]["rows"] > len(rows)


def test_an_unknown_folder(store):
    responses, table = store.run([rops.open_folder(0x7777000000000001)], [store.root, NO_HANDLE])
    assert responses[0]["status"] == OBJECT_NOT_FOUND and table[1] == NO_HANDLE


def test_long_term_ids_go_both_ways(store):
    for identifier in store.folders[:3] + [store.save_message(store.folders[INBOX], {SUBJECT_W: "x"})]:
        data = store.one(rops.long_term_id(identifier), [store.root])[0]["long"]
        assert data[22:] == b"\0\0" and data[16:22] == struct.pack("<Q", identifier)[2:]
        assert store.one(rops.id_of_long_term(data), [store.root])[0]["id"] == identifier
    foreign = bytes(range(16)) + b"\0\0\0\0\0\5\0\0"
    short = store.one(rops.id_of_long_term(foreign), [store.root])[0]["id"]
    assert short & 0xFFFF != store.folders[0] & 0xFFFF
    assert store.one(rops.long_term_id(short), [store.root])[0]["long"] == foreign


# ---- Messages ----

def test_a_message_is_saved_and_read(store):
    subject = "RE: Grüße an Zoé ☺"
    mid = store.save_message(store.folders[INBOX], {SUBJECT_W: subject, BODY_W: "Text", CLASS_W: "IPM.Note", IMPORTANCE: 2})
    opened, table = store.one(rops.open_message(store.folders[INBOX], mid), [store.root, NO_HANDLE])
    assert (opened["prefix"], opened["subject"], opened["count"]) == ("RE: ", "Grüße an Zoé ☺", 0)
    tags = [SUBJECT_W, NORMALIZED_W, BODY_W, IMPORTANCE, 0x0037001E, 0x66660003]
    row = store.one(rops.get_properties(tags), table)[0]["row"]
    assert row[SUBJECT_W] == subject and row[NORMALIZED_W] == "Grüße an Zoé ☺" and row[BODY_W] == "Text"
    assert row[IMPORTANCE] == 2 and row[0x0037001E] == "RE: Grüße an Zoé ?".encode("cp1252")
    assert isinstance(row[0x66660003], Missing) and row[0x66660003] == OBJECT_NOT_FOUND
    everything = store.one(rops.get_all(), table)[0]["row"]
    assert everything[SUBJECT_W] == subject and everything[IMPORTANCE] == 2
    assert 0x0037001E in store.one(rops.get_all(unicode=0), table)[0]["row"]


def test_what_was_saved_is_in_the_contents_table(store):
    ids = [store.save_message(store.folders[INBOX], {SUBJECT_W: f"n{i}", IMPORTANCE: i}) for i in range(3)]
    rows = store.rows(store.folders[INBOX], [MID, SUBJECT_W, IMPORTANCE, 0x66660003])
    assert sorted(row[MID] for row in rows) == sorted(ids)
    assert all(row[SUBJECT_W] == f"n{row[IMPORTANCE]}" and row[0x66660003] == OBJECT_NOT_FOUND for row in rows)
    folder = store.one(rops.open_folder(store.folders[INBOX]), [store.root, NO_HANDLE])[1]
    assert store.one(rops.get_properties([CONTENT_COUNT]), folder)[0]["row"] == {CONTENT_COUNT: 3}


def test_an_unsaved_message_is_nowhere(store):
    responses, table = store.run([rops.create_message(store.folders[INBOX]), rops.set_properties({SUBJECT_W: "x"}),
                                  rops.release(1)], [store.root, NO_HANDLE])
    assert [r["status"] for r in responses] == [0, 0]
    assert store.rows(store.folders[INBOX], [MID]) == []
    responses, _ = store.run([rops.get_all(0)], [table[1]])
    assert responses[0]["status"] == NULL_OBJECT


def test_recipients(store):
    rows = [(0, 1, rops.smtp_recipient("bob@demo.test", "Bob Berger")), (1, 2, rops.x500_recipient(0, dn_of("zoe"), "Zoé Zürn")),
            (2, 3, rops.smtp_recipient("x@demo.test", "gone")), (3, 1, rops.x500_recipient(len(dn_of("")), "bob", "Bob"))]
    responses, table = store.run(
        [rops.create_message(store.folders[INBOX]), rops.modify_recipients(rows), rops.modify_recipients([(2, 1, None)]),
         rops.set_properties({SUBJECT_W: "x"}), rops.save()], [store.root, NO_HANDLE])
    assert [r["status"] for r in responses] == [0] * 5
    opened = store.one(rops.open_message(store.folders[INBOX], responses[4]["message"]), [store.root, NO_HANDLE])[0]
    assert opened["count"] == 3
    (kind, bob), (_, zoe), (_, short) = opened["recipients"]
    assert kind == 1 and bob["kind"] == 3 and bob["email"] == "bob@demo.test" and bob["name"] == "Bob Berger"
    assert zoe["kind"] == 1 and zoe["dn"].decode() == dn_of("zoe") and zoe["name"] == "Zoé Zürn"
    assert short["dn"].decode() == dn_of("bob")


def test_two_writers_of_one_message(server, store):
    mid = store.save_message(store.folders[INBOX], {SUBJECT_W: "first"})
    other = Store(server)
    other.log_on()
    tables = [s.one(rops.open_message(s.folders[INBOX], mid), [s.root, NO_HANDLE])[1] for s in (store, other)]
    assert other.run([rops.set_properties({SUBJECT_W: "second"}), rops.save()], tables[1])[0][1]["status"] == 0
    responses, _ = store.run([rops.set_properties({SUBJECT_W: "third"}), rops.save()], tables[0])
    assert responses[1]["status"] == 0x80040109
    assert store.run([rops.save(flags=0x0E)], tables[0])[0][0]["status"] == 0


# ---- Streams ----

def big(size):
    return bytes(i * i % 251 for i in range(size))


def save_stream(store, tag, data):
    responses, table = store.run([rops.create_message(store.folders[INBOX]), rops.open_stream(tag, mode=2)],
                                 [store.root, NO_HANDLE, NO_HANDLE])
    assert [r["status"] for r in responses] == [0, 0] and responses[1]["size"] == 0
    for at in range(0, len(data), 30000):
        part = data[at:at + 30000]
        assert store.one(rops.write_stream(part), table)[0]["written"] == len(part)
    responses, _ = store.run([rops.commit_stream(), rops.release(2), rops.save()], table)
    assert [r["status"] for r in responses] == [0, 0]
    return responses[1]["message"]


def open_for_reading(store, mid, tag):
    responses, table = store.run([rops.open_message(store.folders[INBOX], mid, mode=0), rops.open_stream(tag)],
                                 [store.root, NO_HANDLE, NO_HANDLE])
    assert [r["status"] for r in responses] == [0, 0]
    return responses[1]["size"], table


def test_a_long_body_by_streams(store):
    data = ("Ärger " * 20000).encode("utf-16-le")
    mid = save_stream(store, BODY_W, data)
    size, table = open_for_reading(store, mid, BODY_W)
    assert size == len(data)
    got = b""
    while part := store.one(rops.read_stream(0x7000), table)[0]["data"]:
        got += part
    assert got == data
    row = store.one(rops.get_properties([BODY_W]), table)[0]["row"]
    assert isinstance(row[BODY_W], Missing) and row[BODY_W] == 0x8007000E


@pytest.mark.parametrize("flags", [CHAIN | NO_XOR | 1, CHAIN, CHAIN | NO_XOR, CHAIN | 1])
def test_read_stream_chained(store, flags):
    data = big(100_000)
    mid = save_stream(store, rops.BODY_HTML, data)
    _, table = open_for_reading(store, mid, rops.BODY_HTML)
    responses, _ = store.run([rops.read_stream(200_000)], table, flags=flags, room=0x40000)
    assert len(responses) == 4 and b"".join(r["data"] for r in responses) == data
    assert [bool(f & LAST) for f in store.last_flags] == [False, False, False, True]
    assert all(bool(f & XORED) == (not flags & NO_XOR) for f in store.last_flags)


def test_chained_only_when_asked_and_only_as_far_as_there_is_room(store):
    data = big(100_000)
    mid = save_stream(store, rops.BODY_HTML, data)
    _, table = open_for_reading(store, mid, rops.BODY_HTML)
    first, _ = store.run([rops.read_stream(200_000)], table, room=0x40000)
    assert len(first) == 1
    more, _ = store.run([rops.read_stream(200_000)], table, flags=CHAIN | 3, room=50_000)
    rest, _ = store.run([rops.read_stream(200_000)], table, flags=CHAIN | 3, room=0x40000)
    assert len(more) == 2 and b"".join(r["data"] for r in first + more + rest) == data


def test_a_text_by_a_stream_in_the_code_page(store):
    body = "Grüße, Zoé\r\n" * 9000
    mid = save_stream(store, 0x1000001E, body.encode("cp1252"))
    size, table = open_for_reading(store, mid, 0x1000001E)
    assert size == len(body)
    responses, _ = store.run([rops.read_stream(200_000)], table, flags=CHAIN | 3, room=0x40000)
    assert b"".join(r["data"] for r in responses).decode("cp1252") == body
    size, table = open_for_reading(store, mid, BODY_W)
    assert size == 2 * len(body)
    responses, _ = store.run([rops.write_stream(b"x"), rops.open_stream(0x6666001E)], table[:2] + [table[2]])
    assert responses[0]["status"] != 0 and responses[1]["status"] == OBJECT_NOT_FOUND


def test_a_stream_that_is_only_read(store):
    mid = save_stream(store, rops.BODY_HTML, b"x")
    _, table = open_for_reading(store, mid, rops.BODY_HTML)
    responses, _ = store.run([rops.write_stream(b"y")], table)
    assert responses[0]["status"] not in (0, NULL_OBJECT)
    responses, _ = store.run([rops.open_stream(0x66660102, mode=0)], table[:2] + [NO_HANDLE])
    assert responses[0]["status"] == OBJECT_NOT_FOUND


# ---- Tables ----

@pytest.fixture
def table(store):
    """An inbox of seven messages, their handles for a contents table."""
    for i in range(7):
        store.save_message(store.folders[INBOX], {SUBJECT_W: f"subject {i}", IMPORTANCE: i % 2, BODY_W: "b"})
    responses, handles = store.run([rops.open_folder(store.folders[INBOX]), rops.contents_table(), rops.set_columns([SUBJECT_W, IMPORTANCE])],
                                   [store.root, NO_HANDLE, NO_HANDLE])
    assert responses[1]["rows"] == 7
    return handles


def subjects(response):
    return [int(row[SUBJECT_W][-1]) for row in response["row_list"]]


def test_sorting_by_two_keys(store, table):
    assert store.one(rops.sort_table([(IMPORTANCE, 1), (SUBJECT_W, 0)]), table)
    assert subjects(store.one(rops.query_rows(), table)[0]) == [1, 3, 5, 0, 2, 4, 6]


def test_walking_through_a_table(store, table):
    store.one(rops.sort_table([(SUBJECT_W, 0)]), table)
    first = store.one(rops.query_rows(3), table)[0]
    assert subjects(first) == [0, 1, 2] and first["origin"] == 1
    place = store.one(rops.query_position(), table)[0]
    assert (place["position"], place["total"]) == (3, 7)
    assert subjects(store.one(rops.query_rows(2, flags=1), table)[0]) == [3, 4]
    back = store.one(rops.query_rows(9, forward=0), table)[0]
    assert back["origin"] == 0 and sorted(subjects(back)) == [0, 1, 2]
    last = store.one(rops.query_rows(100), table)[0]
    assert subjects(last) == list(range(7)) and last["origin"] == 2
    assert subjects(store.one(rops.query_rows(5), table)[0]) == []


def test_seeking(store, table):
    moved = store.one(rops.seek_row(0, 5), table)[0]
    assert (moved["less"], moved["moved"]) == (0, 5)
    moved = store.one(rops.seek_row(1, -50), table)[0]
    assert (moved["less"], moved["moved"]) == (1, -5)
    moved = store.one(rops.seek_row(2, -1), table)[0]
    assert store.one(rops.query_position(), table)[0]["position"] == 6
    assert store.run([rops.seek_row(9, 0)], table)[0][0]["status"] == 0x80070057


def test_rows_need_columns(store):
    responses, _ = store.run([rops.open_folder(store.folders[INBOX]), rops.contents_table(), rops.query_rows()],
                             [store.root, NO_HANDLE, NO_HANDLE])
    assert responses[2]["status"] == NULL_OBJECT


def test_columns_of_no_type_and_eight_bit(store, table):
    store.one(rops.set_columns([0x00370000, 0x0037001E, IMPORTANCE & 0xFFFF0000]), table)
    row = store.one(rops.query_rows(1), table)[0]["row_list"][0]
    assert row[0x00370000].startswith("subject") and row[0x0037001E].startswith(b"subject")


@pytest.mark.parametrize("flags", [CHAIN | 3, CHAIN])
def test_query_rows_chained(store, flags):
    for i in range(60):
        store.save_message(store.folders[INBOX], {SUBJECT_W: f"{i:03}" + "s" * 240, IMPORTANCE: i})
    responses, table = store.run([rops.open_folder(store.folders[INBOX]), rops.contents_table(),
                                  rops.set_columns([SUBJECT_W, NORMALIZED_W, IMPORTANCE]), rops.sort_table([(IMPORTANCE, 0)])],
                                 [store.root, NO_HANDLE, NO_HANDLE])
    chained, _ = store.run([rops.query_rows(1000)], table, flags=flags, room=0x40000)
    rows = [row[IMPORTANCE] for response in chained for row in response["row_list"]]
    assert rows == list(range(60)) and len(chained) > 1
    assert [r["origin"] for r in chained] == [1] * (len(chained) - 1) + [2]
    assert all(r["row_list"] for r in chained)


# ---- Named properties ----

def test_named_properties_go_both_ways(store):
    names = [(PS_PUBLIC, "Keywords"), (bytes(range(16)), 0x8001), (PS_PUBLIC, "Ärger")]
    assert store.run([rops.ids_from_names(names, create=False)], [store.root])[0][0]["status"] == 0x40380
    ids = store.one(rops.ids_from_names(names), [store.root])[0]["ids"]
    assert len(set(ids)) == 3 and min(ids) >= 0x8000
    assert store.one(rops.names_from_ids(ids), [store.root])[0]["names"] == names
    assert store.one(rops.ids_from_names(names, create=False), [store.root])[0]["ids"] == ids
    assert store.one(rops.names_from_ids([0xFFFE]), [store.root])[0]["names"] == [None]
    tag = ids[0] << 16 | 0x101F
    mid = store.save_message(store.folders[INBOX], {tag: ["red", "blue"]})
    opened, table = store.one(rops.open_message(store.folders[INBOX], mid), [store.root, NO_HANDLE])
    assert opened["named"] == 1
    assert store.one(rops.get_properties([tag]), table)[0]["row"] == {tag: ["red", "blue"]}


# ---- Extended buffers ----

def test_requests_may_be_obfuscated_and_answers_compressed(store):
    for _ in range(5):
        store.save_message(store.folders[INBOX], {SUBJECT_W: "all the same " * 19})
    plain = store.rows(store.folders[INBOX], [SUBJECT_W, NORMALIZED_W])
    assert store.last_flags == [LAST]
    assert store.rows(store.folders[INBOX], [SUBJECT_W, NORMALIZED_W], flags=0, xor=True) == plain
    assert store.last_flags == [LAST | XORED | rops.COMPRESSED]
    assert store.rows(store.folders[INBOX], [SUBJECT_W, NORMALIZED_W], flags=NO_XOR) == plain
    assert store.last_flags == [LAST | rops.COMPRESSED]


def test_an_empty_list(store):
    assert store.run([], []) == ([], [])
    assert store.run([], [store.root, NO_HANDLE]) == ([], [store.root, NO_HANDLE])


def test_what_does_not_fit_is_handed_back(store):
    data = big(30_000)
    mid = save_stream(store, rops.BODY_HTML, data)
    _, table = open_for_reading(store, mid, rops.BODY_HTML)
    wanted = [rops.read_stream(20_000), rops.read_stream(5_000), rops.query_position(), rops.read_stream(5_000)]
    responses, _ = store.run(wanted, table, room=20_200)
    assert len(responses) < 4 and store.rest == b"".join(wanted[len(responses):]) and store.needed >= 0x7000
    got = b"".join(r["data"] for r in responses if r["rop"] == 0x2C)
    rest = wanted[len(responses):]
    responses, _ = store.run(rest, table)
    assert store.rest is None
    got += b"".join(r["data"] for r in responses if r["rop"] == 0x2C)
    assert data.startswith(got) and len(got) > 20_000


def test_no_room_at_all(store):
    request = rops.extended(rops.rop_buffer([rops.query_position(0)], [store.root]))
    assert store.raw(request, room=20) == (rops.BUFFER_TOO_SMALL, b"")
    assert store.raw(request, room=4) == (0x80040115, b"")
    assert store.run([], []) == ([], [])
