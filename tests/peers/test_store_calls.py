"""Calls that are kept, moved, damaged or not served: notification, several loops, reserved and cut ROP buffers."""
import struct
import time

import pytest

pytest.importorskip("impacket", reason="python3-impacket is not installed")
from impacket.dcerpc.v5 import rpcrt  # noqa: E402
from impacket.dcerpc.v5.rpcrt import DCERPCException  # noqa: E402

import rops  # noqa: E402
import rops_more as more  # noqa: E402
from peer import dn_of  # noqa: E402
from rops import MID, NO_HANDLE, NOT_SUPPORTED, NULL_OBJECT, RPC_FORMAT, SUBJECT_W, Store, Waiter  # noqa: E402

INBOX = 4
NEW_MAIL, CREATED, DELETED, MODIFIED = 2, 4, 8, 0x10
# [MS-OXCROPS] 2.2.2
RESERVED = [0x00, 0x28, 0x3C, 0x3D, 0x62, 0x65, 0x6A, 0x71, 0x7C, 0x7D, 0x83, 0x84, 0x85, 0x87, 0x88, *range(0x8A, 0x90),
            *range(0x94, 0x9D), *range(0x9E, 0xA3), *range(0xA4, 0xF9), 0xFA, 0xFB, 0xFC, 0xFD]
ANSWERS_ONLY = [0x2A, 0x6E, 0xF9, 0xFF]


def session(server, user="alice"):
    store = Store(server, user)
    assert store.status == 0
    store.log_on()
    return store


@pytest.fixture
def store(server):
    return session(server)


def subscribe(store, types=CREATED | MODIFIED, folder=None):
    return store.one(rops.register_notification(types, folder=folder), [store.root, NO_HANDLE])[1][1]


# ---- Notification ----

def test_news_comes_with_a_later_answer(server, store):
    handle = subscribe(store, CREATED, store.folders[INBOX])
    mid = session(server).save_message(store.folders[INBOX], {SUBJECT_W: "news"})
    store.run([], [])
    assert [(n["handle"], n["flags"], n["folder"], n["message"]) for n in store.news] == [
        (handle, 0x8004, store.folders[INBOX], mid)]
    store.run([], [])
    assert len(store.news) == 1


def test_news_beside_rows(server, store):
    subscribe(store, CREATED, store.folders[INBOX])
    session(server).save_message(store.folders[INBOX], {SUBJECT_W: "news"})
    assert len(store.rows(store.folders[INBOX], [SUBJECT_W])) == 1
    assert len(store.news) == 1


def test_no_news_of_other_folders_or_after_release(server, store):
    handle = subscribe(store, CREATED, store.folders[INBOX])
    other = session(server)
    other.save_message(store.folders[6], {SUBJECT_W: "elsewhere"})
    store.run([], [])
    assert store.news == []
    store.run([rops.release(0)], [handle])
    other.save_message(store.folders[INBOX], {SUBJECT_W: "unheard"})
    store.run([], [])
    assert store.news == []


def test_a_parked_wait_is_woken_by_another_session(server, store):
    subscribe(store)
    waiter, other = Waiter(store), session(server)
    waiter.park()
    assert not waiter.is_answered(0.3)
    mid = other.save_message(store.folders[INBOX], {SUBJECT_W: "wake up"})
    assert waiter.is_answered(5) and waiter.answer() == (1, 0)
    store.run([], [])
    assert (0x8004, mid) in [(n["flags"], n["message"]) for n in store.news]
    waiter.park()
    assert not waiter.is_answered(0.3)


def test_a_wait_with_news_there_is_answered_at_once(server, store):
    subscribe(store)
    waiter = Waiter(store)
    session(server).save_message(store.folders[INBOX], {SUBJECT_W: "already"})
    waiter.park()
    assert waiter.is_answered(2) and waiter.answer() == (1, 0)


def test_one_wait_at_a_time(store):
    first, second = Waiter(store), Waiter(store)
    first.park()
    assert not first.is_answered(0.2)
    second.park()
    assert second.is_answered(2) and second.answer() == (0, 0x7EE)
    assert not first.is_answered(0.1)


def test_a_wait_whose_connection_closed_leaves_room_for_the_next(server, store):
    subscribe(store)
    first = Waiter(store)
    first.park()
    assert not first.is_answered(0.2)
    first.rpc.disconnect()
    second = Waiter(store)
    time.sleep(0.2)
    second.park()
    assert not second.is_answered(0.3)
    session(server).save_message(store.folders[INBOX], {SUBJECT_W: "x"})
    assert second.is_answered(5) and second.answer() == (1, 0)


def test_disconnect_ends_a_parked_wait(store):
    waiter = Waiter(store)
    waiter.park()
    assert not waiter.is_answered(0.2)
    store.disconnect()
    assert waiter.is_answered(2) and waiter.answer() == (0, 0)
    waiter.park()
    with pytest.raises(DCERPCException) as refused:
        waiter.answer()
    assert "context_mismatch" in str(refused.value)


@pytest.mark.parametrize("kind", [rpcrt.MSRPC_CO_CANCEL, rpcrt.MSRPC_ORPHANED])
def test_a_wait_that_was_given_up_leaves_room_for_the_next(kind, serve):
    """At level connect, where a cancel needs no signature."""
    store = Store(serve("--encryption", "optional"), level="connect")
    store.log_on()
    first, second = Waiter(store), Waiter(store)
    first.park()
    assert not first.is_answered(0.2)
    first.give_up(kind)
    assert first.is_answered(0.5) == (kind == rpcrt.MSRPC_CO_CANCEL)
    second.park()
    assert not second.is_answered(0.3)
    store.close()  # the server stops with a wait parked


def test_an_async_handle_is_not_a_session(store):
    waiter = Waiter(store)
    store.handle = waiter.handle
    with pytest.raises(DCERPCException) as refused:
        store.run([], [])
    assert "context_mismatch" in str(refused.value)


# ---- Several loops ----

def test_mailboxes_in_several_loops(serve):
    server = serve("--loops", "3")
    stores = [session(server, user) for user in ("alice", "bob", "zoe") for _ in range(3)]
    ids = [store.save_message(store.folders[INBOX], {SUBJECT_W: f"of {store.user}"}) for store in stores]
    for store in stores:
        rows = store.rows(store.folders[INBOX], [MID, SUBJECT_W])
        assert len(rows) == 3 and all(row[SUBJECT_W] == f"of {store.user}" for row in rows)
    assert len(ids) == 9
    waiters = [Waiter(store) for store in stores[::3]]
    for store, waiter in zip(stores[::3], waiters):
        subscribe(store)
        waiter.park()
        assert not waiter.is_answered(0.1)
    for store in stores[1::3]:
        store.save_message(store.folders[INBOX], {SUBJECT_W: "wake"})
    for waiter in waiters:
        assert waiter.is_answered(5) and waiter.answer() == (1, 0)
    for waiter in waiters[:2]:
        waiter.park()


def test_connections_move_to_the_loop_of_their_group(serve):
    """New connections land in any loop; all that name a group find it."""
    server = serve("--loops", "4")
    store = session(server)
    for _ in range(12):
        waiter = Waiter(store)
        with rops.joining(store.group):
            other = Store(server)
        assert other.group == store.group and other.status == 0
        other.handle = store.handle
        assert other.run([], []) == ([], [])
        waiter.rpc.disconnect()


def test_sessions_end_with_their_connections(serve):
    server = serve("--loops", "2")
    for _ in range(5):
        stores = [session(server, user) for user in ("alice", "bob")]
        for store in stores:
            Waiter(store).park()
            store.run([rops.create_message(store.folders[INBOX])], [store.root, NO_HANDLE])
    assert session(server).rows(stores[0].folders[INBOX], [MID]) == []


# ---- What is not served ----

def described():
    """Requests that are described and not served, by RopId; bodies as in [MS-OXCROPS] 2.2."""
    zero = bytes
    one_index = {
        0x09: b"", 0x0B: struct.pack("<HI", 1, SUBJECT_W), 0x0D: zero(4), 0x10: zero(2), 0x14: zero(3), 0x16: b"",
        0x1D: zero(9), 0x1E: zero(4), 0x26: zero(9), 0x30: zero(8), 0x31: zero(3), 0x32: zero(1), 0x34: zero(16),
        0x42: zero(8), 0x45: zero(8), 0x58: zero(2), 0x5E: b"", 0x5F: zero(2), 0x60: zero(16), 0x68: b"", 0x7B: b"",
        0x81: b"", 0x91: zero(4), 0x92: zero(2),
    }
    two_indexes = {0x1C: b"\1\0\0\0x\0\0", 0x21: zero(1), 0x22: zero(5), 0x23: b""}
    same_twice = {0x11: zero(1), 0x33: zero(4), 0x39: zero(5), 0x67: zero(4)}
    out = {rop: rops.head(rop, 1) + body for rop, body in one_index.items()}
    out.update({rop: rops.head(rop, 1, 2) + body for rop, body in two_indexes.items()})
    out.update({rop: rops.head(rop, 1, 1) + body for rop, body in same_twice.items()})
    return {rop: body for rop, body in out.items() if rop not in more.served()}


@pytest.mark.parametrize("rop", sorted(described()))
def test_a_rop_that_is_not_served_harms_no_neighbour(store, rop):
    folder = rops.open_folder(store.folders[INBOX])
    responses, table = store.run([folder, described()[rop], rops.get_properties([rops.NAME_W])], [store.root, NO_HANDLE, NO_HANDLE])
    assert [r["status"] for r in responses] == [0, NOT_SUPPORTED, 0]
    assert responses[2]["row"] == {rops.NAME_W: "Inbox"} and table[2] == NO_HANDLE


def test_each_reserved_rop_fails_its_call(store):
    for rop in RESERVED + ANSWERS_ONLY:
        body = rops.extended(rops.rop_buffer([rops.head(rop, 0) + bytes(40)], [store.root]))
        assert store.raw(body) == (RPC_FORMAT, b""), hex(rop)
    assert store.run([], []) == ([], [])


def test_a_reserved_rop_after_a_good_one_does_nothing(store):
    good = rops.create_message(store.folders[INBOX])
    body = rops.rop_buffer([good, rops.set_properties({SUBJECT_W: "x"}), rops.save(), rops.head(0x28, 0)], [store.root, NO_HANDLE])
    assert store.raw(rops.extended(body))[0] == RPC_FORMAT
    assert store.rows(store.folders[INBOX], [MID]) == []


def test_bad_handles(store):
    folder = store.one(rops.open_folder(store.folders[INBOX]), [store.root, NO_HANDLE])[1][1]
    for request, handles in (
            (rops.hierarchy_table(at=9), [store.root, NO_HANDLE, NO_HANDLE]),
            (rops.hierarchy_table(at=255), [folder, NO_HANDLE, NO_HANDLE]),
            (rops.hierarchy_table(at=0), [NO_HANDLE, NO_HANDLE, NO_HANDLE]),
            (rops.hierarchy_table(at=0), [0x12345678, NO_HANDLE, NO_HANDLE]),
            (rops.hierarchy_table(at=0, out=7), [folder]),
            (rops.logon(dn_of("alice"), out=3), [NO_HANDLE])):
        responses, table = store.run([request], handles)
        assert responses[0]["status"] == NULL_OBJECT and table == handles
    responses, _ = store.run([rops.query_rows(at=0), rops.query_rows(at=1)], [store.root, folder])
    assert [r["status"] for r in responses] == [NOT_SUPPORTED, NOT_SUPPORTED]
    assert store.run([rops.release(200)], [store.root]) == ([], [store.root])


def test_a_buffer_cut_at_every_length_fails_or_is_whole(store):
    body = rops.rop_buffer([rops.open_folder(store.folders[INBOX]), rops.contents_table(), rops.set_columns([MID, SUBJECT_W]),
                            rops.get_receive_folder("IPM.Note")], [store.root, NO_HANDLE, NO_HANDLE])
    size = struct.unpack_from("<H", body)[0]
    for cut in range(len(body)):
        status, data = store.raw(rops.extended(body[:cut]))
        # behind RopSize only handles are missing: a shorter table, whose indexes fail each for itself
        assert status == RPC_FORMAT if cut < size else status in (0, RPC_FORMAT), cut
    whole = rops.extended(body)
    for cut in range(len(whole)):
        status, _ = store.raw(whole[:cut])
        assert status == (0x80040115 if cut < 8 else RPC_FORMAT), cut
    for at in range(8):
        broken = bytearray(whole)
        broken[at] ^= 0x40
        store.raw(bytes(broken))
    assert store.run([], []) == ([], [])


def test_a_list_cut_at_every_length_inside_its_frame(store):
    """RopSize agrees, but the last ROP ends too early."""
    requests = rops.set_columns([MID, SUBJECT_W], at=0) + rops.get_receive_folder("IPM.Note")
    whole = {0, len(rops.set_columns([MID, SUBJECT_W], at=0)), len(requests)}
    for cut in range(len(requests) + 1):
        body = struct.pack("<H", cut + 2) + requests[:cut] + struct.pack("<I", store.root)
        status, _ = store.raw(rops.extended(body))
        assert status == (0 if cut in whole else RPC_FORMAT), cut


def test_several_payloads_in_a_request_are_refused(store):
    payload = rops.extended(rops.rop_buffer([], []), 0) + rops.extended(rops.rop_buffer([], []))
    assert store.raw(payload) == (RPC_FORMAT, b"")


@pytest.mark.parametrize("opnum", [1, 10, 11, 14])
def test_stubs_cut_at_every_length(server, store, opnum):
    stub = {1: store.handle, 14: store.handle, 10: rops.connect_stub(dn_of("alice"), aux=b"\0" * 16),
            11: rops.execute_stub(store.handle, rops.extended(rops.rop_buffer([rops.query_position(0)], [store.root])))}[opnum]
    for cut in range(len(stub)):
        store.rpc.call(opnum, stub[:cut])
        with pytest.raises(DCERPCException) as refused:
            store.rpc.recv()
        assert "bad_stub_data" in str(refused.value), cut
    assert store.run([], []) == ([], [])


def test_lying_sizes_in_stubs(store):
    data = rops.extended(rops.rop_buffer([], []))
    good = rops.execute_stub(store.handle, data)
    for at in range(20, len(good) - 3):
        for lie in (0xFFFFFFFF, 0x7FFFFFFF, 0x40001):
            store.rpc.call(11, good[:at] + struct.pack("<I", lie) + good[at + 4:])
            try:
                rops.read_execute(store.rpc.recv())
            except DCERPCException as refused:
                assert "bad_stub_data" in str(refused) or "mismatch" in str(refused)
    assert store.run([], []) == ([], [])


def test_many_objects_have_an_end(store):
    opened, status = 0, 0
    while status == 0 and opened < 5000:
        responses, _ = store.run([rops.open_folder(store.folders[INBOX])] * 200, [store.root, NO_HANDLE])
        for response in responses:
            status = response["status"]
            opened += status == 0
    assert 100 < opened < 5000
    store.run([rops.release(0)], [store.root])
    assert store.log_on()["status"] == 0
