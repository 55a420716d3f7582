"""Messages sent and delivered, from [MS-OXOMSG] and [MS-OXCROPS] 2.2.7: by ROPs that are built by hand."""
import os
import struct
import time

import pytest

import rops
import rops_more as more
from conftest import Server, wait_for
from peer import dn_of
from rops import CLASS_W, MID, NO_HANDLE, SUBJECT_W, Store, Waiter, head, modify_recipients, smtp_recipient, x500_recipient

INBOX, OUTBOX, SENT, DELETED = 4, 5, 6, 7
FLAGS, BODY_W, TO_ME, CC_ME, DISPLAY_TO_W, DISPLAY_BCC_W = 0x0E070003, 0x1000001F, 0x0057000B, 0x0058000B, 0x0E04001F, 0x0E02001F
SENDER_W, SENDER_ADDRESS_W, SENDER_TYPE_W, FROM_ADDRESS_W = 0x0C1A001F, 0x0C1F001F, 0x0C1E001F, 0x0065001F
RECEIVED_BY_W, DELIVERED, SUBMITTED_AT, INTERNET_ID_W = 0x0040001F, 0x0E060040, 0x00390040, 0x1035001F
DELETE_AFTER, SENT_MAIL, DEFERRED = 0x0E01000B, 0x674000FB, 0x3FEF0040
READ, SUBMIT, UNSENT, HAS_ATTACH = 1, 4, 8, 0x10
SUBMITTED, NOT_IN_QUEUE, UNABLE_TO_ABORT, NO_RECIPIENTS, SEND_AS_DENIED, INVALID, DENIED = (
    0x80040608, 0x80040601, 0x80040114, 0x467, 0x4DC, 0x80070057, 0x80070005)
NEEDS_SPOOLER = 2


@pytest.fixture
def mailboxes(server):
    sessions = [Store(server, user) for user in ("alice", "bob", "zoe")]
    for session in sessions:
        session.log_on()
    yield sessions
    for session in sessions:
        session.close()


def submit(at=1, flags=0):
    return head(0x32, at) + bytes([flags])


def abort_submit(folder, message, at=0):
    return head(0x34, at) + struct.pack("<QQ", folder, message)


def lock_message(message, state, at=0):
    return head(0x48, at) + struct.pack("<QB", message, state)


def to(*addresses, kind=1):
    return [(row, kind, smtp_recipient(address, address.split("@")[0].title())) for row, address in enumerate(addresses)]


def compose(store, recipients, values, folder=OUTBOX, more_rops=(), handles=()):
    """A message in the outbox, not saved: its handle is the second."""
    rop_list = [rops.create_message(store.folders[folder]), rops.set_properties(values), modify_recipients(recipients), *more_rops]
    responses, table = store.run(rop_list, [store.root, NO_HANDLE, *handles])
    assert [r["status"] for r in responses] == [0] * len(rop_list) and responses[1]["problems"] == []
    return table


def send(store, recipients, values, **options):
    response = store.run([submit()], compose(store, recipients, values, **options))[0][0]
    assert response["status"] == 0
    return response


def rows(store, folder, *tags):
    return store.rows(store.folders[folder], [MID, SUBJECT_W, FLAGS, *tags])


def arrived(store, count=1, folder=INBOX):
    """Waits for that many messages; yields their rows."""
    wait_for(lambda: len(rows(store, folder)) >= count)
    found = rows(store, folder)
    assert len(found) == count
    return found


def get(store, message, *tags, folder=INBOX):
    responses, _ = store.run([rops.open_message(store.folders[folder], message), rops.get_properties(list(tags))], [store.root, NO_HANDLE])
    assert [r["status"] for r in responses] == [0, 0]
    return responses[0], responses[1]["row"]


# ---- RopSubmitMessage, [MS-OXOMSG] 2.2.4.1 ----

def test_a_message_arrives(mailboxes):
    alice, bob, _ = mailboxes
    before = int(time.time()) - 5
    send(alice, to("bob@demo.test"), {SUBJECT_W: "Lunch?", BODY_W: "At noon.", CLASS_W: "IPM.Note"})
    row = arrived(bob)[0]
    assert row[FLAGS] & (READ | SUBMIT | UNSENT) == 0  # [MS-OXCMSG] 2.2.1.6
    opened, got = get(bob, row[MID], SUBJECT_W, BODY_W, SENDER_W, SENDER_TYPE_W, SENDER_ADDRESS_W, FROM_ADDRESS_W, RECEIVED_BY_W,
                      TO_ME, CC_ME, DELIVERED, SUBMITTED_AT, INTERNET_ID_W, DISPLAY_TO_W)
    assert (got[SUBJECT_W], got[BODY_W], got[DISPLAY_TO_W]) == ("Lunch?", "At noon.", "Bob")
    assert (got[SENDER_W], got[SENDER_TYPE_W], got[SENDER_ADDRESS_W]) == ("Alice Arnold", "EX", dn_of("alice"))
    assert got[FROM_ADDRESS_W] == dn_of("alice") and got[RECEIVED_BY_W] == "Bob Berger"
    assert (got[TO_ME], got[CC_ME]) == (1, 0)
    for tag in (DELIVERED, SUBMITTED_AT):
        assert before <= got[tag] // 10_000_000 - 11644473600 <= time.time() + 5
    assert got[INTERNET_ID_W].startswith("<") and got[INTERNET_ID_W].endswith("@demo.test>")
    assert [(kind, r["email"]) for kind, r in opened["recipients"]] == [(1, "bob@demo.test")]


def test_what_was_sent_is_kept_among_the_sent_items(mailboxes):
    alice, bob, _ = mailboxes
    send(alice, to("bob@demo.test"), {SUBJECT_W: "kept"})
    row = arrived(alice, folder=SENT)[0]
    assert row[SUBJECT_W] == "kept" and row[FLAGS] & (READ | SUBMIT | UNSENT) == READ
    assert rows(alice, OUTBOX) == [] and len(arrived(bob)) == 1


def test_deleted_after_submission(mailboxes):
    alice, bob, _ = mailboxes
    send(alice, to("bob@demo.test"), {SUBJECT_W: "gone", DELETE_AFTER: 1})  # 2.2.3.8
    arrived(bob)
    assert wait_for(lambda: rows(alice, OUTBOX) == [])
    assert rows(alice, SENT) == []


def test_kept_where_the_sender_says(mailboxes):
    alice, bob, _ = mailboxes
    where = struct.pack("<BQQI", 1, alice.folders[DELETED], 0, 0)  # PidTagSentMailSvrEID, 2.2.3.10: a ServerId
    table = compose(alice, to("bob@demo.test"), {SUBJECT_W: "elsewhere"})
    body = struct.pack("<HI", 1, SENT_MAIL) + struct.pack("<H", len(where)) + where
    responses, _ = alice.run([head(0x0A, 1) + struct.pack("<H", len(body)) + body, submit()], table)
    assert [r["status"] for r in responses] == [0, 0] and responses[0]["problems"] == []
    assert arrived(alice, folder=DELETED)[0][SUBJECT_W] == "elsewhere"
    assert rows(alice, SENT) == [] and SENT_MAIL not in bob.run(
        [rops.open_message(bob.folders[INBOX], arrived(bob)[0][MID]), rops.get_all()], [bob.root, NO_HANDLE])[0][1]["row"]


def test_several_recipients_each_once(mailboxes):
    alice, bob, zoe = mailboxes
    recipients = to("bob@demo.test", "BOB@demo.test") + [
        (5, 2, x500_recipient(255, "zoe", "Zoé")), (6, 3, smtp_recipient("alice@demo.test", "Alice"))]
    send(alice, recipients, {SUBJECT_W: "all"})
    for store, me, count in ((bob, (1, 0), 3), (zoe, (0, 1), 3), (alice, (0, 0), 3)):
        opened, got = get(store, arrived(store)[0][MID], TO_ME, CC_ME, DISPLAY_BCC_W)
        assert (got[TO_ME], got[CC_ME]) == me
        assert len(opened["recipients"]) == count and got[DISPLAY_BCC_W] == ""  # nobody sees who is Bcc
    opened, _ = get(alice, arrived(alice, folder=SENT)[0][MID], folder=SENT)
    assert len(opened["recipients"]) == 4


def test_large_values_attachments_and_named_properties_travel(mailboxes):
    alice, bob, _ = mailboxes
    guid = bytes(range(16))
    bob.one(rops.ids_from_names([(guid, "Other"), (guid, "Another")]), [bob.root])  # so that the ids differ
    mine = alice.one(rops.ids_from_names([(guid, "Colour")]), [alice.root])[0]["ids"][0]
    data = bytes(i * 7 & 0xFF for i in range(200_000))
    table = compose(alice, to("bob@demo.test"), {SUBJECT_W: "heavy", mine << 16 | 0x1F: "green"},
                    more_rops=[more.create_attachment(at=1, out=2), rops.open_stream(0x37010102, at=2, out=3, mode=2)],
                    handles=[NO_HANDLE, NO_HANDLE])
    for at in range(0, len(data), 20_000):
        alice.one(rops.write_stream(data[at:at + 20_000], at=3), table)
    responses, _ = alice.run([rops.commit_stream(at=3), more.save_attachment(at=2, response=1), submit()], table)
    assert [r["status"] for r in responses] == [0, 0, 0]
    row = arrived(bob)[0]
    assert row[FLAGS] & HAS_ATTACH
    theirs = bob.one(rops.ids_from_names([(guid, "Colour")], create=False), [bob.root])[0]["ids"][0]
    assert theirs != mine
    responses, table = bob.run([rops.open_message(bob.folders[INBOX], row[MID]), rops.get_properties([theirs << 16 | 0x1F]),
                                more.open_attachment(0, at=1, out=2), rops.open_stream(0x37010102, at=2, out=3)],
                               [bob.root, NO_HANDLE, NO_HANDLE, NO_HANDLE])
    assert [r["status"] for r in responses] == [0] * 4
    assert responses[1]["row"] == {theirs << 16 | 0x1F: "green"} and responses[3]["size"] == len(data)
    got = b""
    while chunk := bob.one(rops.read_stream(20_000, at=3), table)[0]["data"]:
        got += chunk
    assert got == data


def test_the_recipient_hears_of_it(mailboxes):
    alice, bob, _ = mailboxes
    bob.one(rops.register_notification(2, out=1), [bob.root, NO_HANDLE])  # NewMail, [MS-OXCNOTIF] 2.2.1.2.1
    waiter = Waiter(bob)
    waiter.park()
    assert not waiter.is_answered(0.3)
    send(alice, to("bob@demo.test"), {SUBJECT_W: "wake up"})
    assert waiter.is_answered(10) and waiter.answer() == (1, 0)
    bob.run([], [])
    news = [n for n in bob.news if n["flags"] & 0xFFF == 2]
    assert len(news) == 1 and news[0]["folder"] == bob.folders[INBOX] and news[0]["class"] in ("IPM.Note", b"IPM.Note")
    assert news[0]["message"] == arrived(bob)[0][MID]
    waiter.rpc.disconnect()


def test_a_report_for_who_is_not_there(mailboxes):
    alice, bob, _ = mailboxes
    send(alice, to("nobody@demo.test", "bob@demo.test", "someone@elsewhere.test"), {SUBJECT_W: "hello"})
    assert len(arrived(bob)) == 1
    report = arrived(alice)[0]
    opened, got = get(alice, report[MID], CLASS_W, SUBJECT_W, BODY_W, 0x0049001F, 0x1001001F)
    assert got[CLASS_W] == "REPORT.IPM.Note.NDR" and got[SUBJECT_W] == "Undeliverable: hello" and got[0x0049001F] == "hello"
    assert "nobody@demo.test: there is no such recipient" in got[BODY_W] and "bob@" not in got[BODY_W]
    assert got[0x1001001F] == got[BODY_W]
    assert [r["email"] for _, r in opened["recipients"]] == ["nobody@demo.test", "someone@elsewhere.test"]
    assert report[FLAGS] & READ == 0 and len(arrived(alice, folder=SENT)) == 1


def test_what_submission_refuses(mailboxes):
    alice, bob, _ = mailboxes
    def status(recipients, values, flags=0):
        return alice.run([submit(flags=flags)], compose(alice, recipients, values))[0][0]["status"]
    assert status([], {SUBJECT_W: "to nobody"}) == NO_RECIPIENTS
    assert status(to("bob@demo.test"), {SUBJECT_W: "x"}, flags=0x40) == INVALID
    as_bob = {0x0064001F: "SMTP", 0x0065001F: "bob@demo.test"}
    assert status(to("zoe@demo.test"), {SUBJECT_W: "as bob", **as_bob}) == SEND_AS_DENIED
    assert status(to("zoe@demo.test"), {SUBJECT_W: "as who", 0x0064001F: "SMTP", 0x0065001F: "a@b.c"}) == SEND_AS_DENIED
    assert status(to("bob@demo.test"), {SUBJECT_W: "as me", 0x0064001F: "SMTP", 0x0065001F: "alice@demo.test"}) == 0
    assert arrived(bob)[0][SUBJECT_W] == "as me"


# ---- While it waits ----

def hold(store, subject="held"):
    """A message that waits for the spooler: its id and handles."""
    table = compose(store, to("bob@demo.test"), {SUBJECT_W: subject})
    assert store.run([submit(flags=NEEDS_SPOOLER)], table)[0][0]["status"] == 0
    return rows(store, OUTBOX)[0][MID], table


def test_what_waits_cannot_be_changed(mailboxes):
    alice, bob, _ = mailboxes
    message, table = hold(alice)
    outbox, sent = alice.folders[OUTBOX], alice.folders[SENT]
    assert rows(alice, OUTBOX)[0][FLAGS] & (SUBMIT | UNSENT) == SUBMIT | UNSENT
    assert alice.run([submit()], table)[0][0]["status"] == SUBMITTED
    assert alice.run([rops.set_properties({SUBJECT_W: "other"}), rops.save()], table)[0][1]["status"] == 0x80040109
    other = alice.run([rops.open_message(outbox, message), rops.set_properties({SUBJECT_W: "other"}), rops.save(flags=0x0E)],
                      [alice.root, NO_HANDLE])[0]
    assert other[2]["status"] == 0x80040109  # forced or not
    handle = alice.one(rops.open_folder(outbox), [alice.root, NO_HANDLE])[1][1]
    assert alice.run([more.delete_messages([message])], [handle])[0][0]["partial"] == 1
    there = alice.one(rops.open_folder(sent), [alice.root, NO_HANDLE])[1][1]
    assert alice.run([more.move_copy_messages([message], copy=0)], [handle, there])[0][0]["partial"] == 1
    assert alice.run([more.move_copy_messages([message], copy=1)], [handle, there])[0][0]["partial"] == 0
    assert rows(alice, SENT)[0][FLAGS] & SUBMIT == 0
    assert rows(alice, OUTBOX)[0][SUBJECT_W] == "held" and rows(bob, INBOX) == []


def test_abort(mailboxes):
    """RopAbortSubmit, [MS-OXOMSG] 2.2.4.2."""
    alice, bob, _ = mailboxes
    message, _ = hold(alice)
    outbox = alice.folders[OUTBOX]
    assert alice.run([abort_submit(outbox, message)], [alice.root])[0][0]["status"] == 0
    assert rows(alice, OUTBOX)[0][FLAGS] & (SUBMIT | UNSENT) == UNSENT
    assert alice.run([abort_submit(outbox, message)], [alice.root])[0][0]["status"] == NOT_IN_QUEUE
    assert alice.run([abort_submit(outbox, 0x1234_0001)], [alice.root])[0][0]["status"] == NOT_IN_QUEUE
    responses, _ = alice.run([rops.open_message(outbox, message), rops.set_properties({SUBJECT_W: "after all"}), rops.save(), submit()],
                             [alice.root, NO_HANDLE])
    assert [r["status"] for r in responses] == [0] * 4
    assert arrived(bob)[0][SUBJECT_W] == "after all"


def test_the_spooler_locks_and_sends(mailboxes):
    """RopSetSpooler, RopSpoolerLockMessage (2.2.5.3), RopTransportSend: [MS-OXCROPS] 2.2.7.4 to 2.2.7.6."""
    alice, bob, _ = mailboxes
    message, table = hold(alice)
    lock, unlock, finished = 0, 1, 2
    def one(rop):
        return alice.run([rop], table)[0][0]["status"]
    assert one(head(0x47, 0)) == 0
    assert one(lock_message(message, lock)) == 0
    assert one(abort_submit(alice.folders[OUTBOX], message)) == UNABLE_TO_ABORT
    assert one(lock_message(message, unlock)) == 0
    assert one(lock_message(message, 3)) == INVALID and one(lock_message(0x4711_0001, lock)) == NOT_IN_QUEUE
    response = alice.one(head(0x4A, 1), table)[0]
    assert response["none"] == 1
    assert arrived(bob)[0][SUBJECT_W] == "held"
    arrived(alice, folder=SENT)
    message, table = hold(alice, "by another way")
    assert one(lock_message(message, finished)) == 0  # sent by the client itself
    assert sorted(row[SUBJECT_W] for row in arrived(alice, 2, folder=SENT)) == ["by another way", "held"]
    assert len(arrived(bob)) == 1


def test_transport_send_alone(mailboxes):
    alice, bob, _ = mailboxes
    alice.one(head(0x4A, 1), compose(alice, to("bob@demo.test"), {SUBJECT_W: "direct"}))
    assert arrived(bob)[0][SUBJECT_W] == "direct"


def in_seconds(n):
    return int((time.time() + n + 11644473600) * 10_000_000)


def test_later(mailboxes):
    """PidTagDeferredSendTime: not before it."""
    alice, bob, _ = mailboxes
    send(alice, to("bob@demo.test"), {SUBJECT_W: "tomorrow", DEFERRED: in_seconds(86400)})
    send(alice, to("bob@demo.test"), {SUBJECT_W: "soon", DEFERRED: in_seconds(1.5)})
    assert rows(bob, INBOX) == [] and len(rows(alice, OUTBOX)) == 2
    assert arrived(bob)[0][SUBJECT_W] == "soon"
    row = rows(alice, OUTBOX)[0]
    assert row[SUBJECT_W] == "tomorrow"
    assert alice.run([abort_submit(alice.folders[OUTBOX], row[MID])], [alice.root])[0][0]["status"] == 0


def test_small_ones(mailboxes):
    """RopGetTransportFolder 2.2.7.8, RopOptionsData 2.2.7.9."""
    alice = mailboxes[0]
    assert alice.one(head(0x6D, 0), [alice.root])[0]["folder"] == alice.folders[OUTBOX]
    assert alice.one(head(0x6F, 0) + b"SMTP\0\0", [alice.root])[0]["options"] == b""


# ---- After a crash ----

def test_what_was_submitted_goes_out_after_a_crash(state):
    """Each recipient has each message once, wherever the crash came between his delivery and its end."""
    names = []
    for crash in range(int(os.environ.get("CRASHES", "4"))):
        server = Server(state, "--loops", str(3 - crash % 2))
        alice = Store(server, "alice")
        alice.log_on()
        for i in range(15):
            names.append(f"{crash}.{i}")
            send(alice, to("bob@demo.test", "zoe@demo.test"), {SUBJECT_W: names[-1]})
        server.kill()
    server = Server(state, "--loops", "2")
    sessions = [Store(server, user) for user in ("alice", "bob", "zoe")]
    for session in sessions:
        session.log_on()
    alice, bob, zoe = sessions
    assert wait_for(lambda: rows(alice, OUTBOX) == [])
    for store, folder in ((bob, INBOX), (zoe, INBOX), (alice, SENT)):
        found = store.rows(store.folders[folder], [SUBJECT_W], count=20 * len(names))
        assert sorted(row[SUBJECT_W] for row in found) == sorted(names)
    assert rows(alice, INBOX) == []
    for session in sessions:
        session.close()
    server.stop()


@pytest.mark.parametrize("how", ["kill", "stop"])
def test_what_was_deferred_goes_out_without_its_sender(state, how):
    """The server itself looks whose outbox holds something when it starts."""
    server = Server(state)
    alice = Store(server, "alice")
    alice.log_on()
    send(alice, to("bob@demo.test"), {SUBJECT_W: "while you were away", DEFERRED: in_seconds(1)})
    alice.close()
    getattr(server, how)()
    server = Server(state, "--loops", "2")
    bob = Store(server, "bob")
    bob.log_on()
    assert arrived(bob)[0][SUBJECT_W] == "while you were away"
    bob.close()
    server.stop()
