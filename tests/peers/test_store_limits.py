"""Quotas and ceilings: what the server refuses by its configuration, with the codes that clients know ([MS-OXCDATA] 2.4)."""
import fcntl

import pytest

import rops
import rops_more as more
from conftest import wait_for
from rops import BODY_W, CLASS_W, MID, NO_HANDLE, SUBJECT_W, Store, modify_recipients, smtp_recipient

INBOX, OUTBOX = 4, 5
SHUT_OFF, QUOTA, TOO_BIG, SUBMISSION_TOO_BIG, TOO_MANY_OBJECTS, TOO_MANY_SESSIONS = 0x4DD, 0x4D9, 0x4D4, 0x4DA, 0x4DE, 0x80040112
WARN, SEND, RECEIVE, MAXIMUM = 0x3FF50003, 0x666E0003, 0x666A0003, 0x666D0003
TEXT = "x" * 12000  # 24 KB on the wire


@pytest.fixture
def store(serve):
    sessions = []

    def start(*options):
        server = serve(*options)
        sessions.append(Store(server))
        sessions[-1].log_on()
        return sessions[-1]

    yield start
    for session in sessions:
        session.close()


def write(store, user_bytes, folder=INBOX, to=None):
    """A message with that much text in streams: the status of its save, or of its submission."""
    rop_list = [rops.create_message(store.folders[folder]), rops.set_properties({SUBJECT_W: "m"}), rops.open_stream(BODY_W, mode=2)]
    if to:
        rop_list.insert(2, modify_recipients([(0, 1, smtp_recipient(to, "T"))]))
    responses, table = store.run(rop_list, [store.root, NO_HANDLE, NO_HANDLE])
    assert all(r["status"] == 0 for r in responses)
    for at in range(0, user_bytes, 24000):
        store.one(rops.write_stream(b"y\0" * (min(24000, user_bytes - at) // 2)), table)
    last = more.head(0x32, 1) + b"\0" if to else rops.save()
    responses, _ = store.run([rops.commit_stream(), last, rops.release(2), rops.release(1)], table)
    return responses[1]["status"]


def test_a_full_mailbox_takes_nothing(store):
    alice = store("--quota-receive", "1")
    status = 0
    for saved in range(60):
        status = write(alice, 48000)
        if status:
            break
    assert status == SHUT_OFF and 15 <= saved <= 30
    rows = alice.rows(alice.folders[INBOX], [MID], count=100)
    responses, _ = alice.run([rops.open_message(alice.folders[INBOX], rows[0][MID]), rops.set_properties({BODY_W: "short"}), rops.save()],
                             [alice.root, NO_HANDLE])
    assert responses[2]["status"] == 0  # smaller is allowed
    assert write(alice, 20000) == 0


def test_what_does_not_fit_is_reported(store):
    alice = store("--quota-receive", "1")
    bob = Store(alice.server, "bob")
    bob.log_on()
    while write(bob, 96000) == 0:
        pass
    before = len(bob.rows(bob.folders[INBOX], [MID], count=100))
    assert write(alice, 200000, folder=OUTBOX, to="bob@demo.test") == 0
    wait_for(lambda: alice.rows(alice.folders[INBOX], [CLASS_W]))
    assert alice.rows(alice.folders[INBOX], [CLASS_W])[0][CLASS_W] == "REPORT.IPM.Note.NDR"
    assert len(bob.rows(bob.folders[INBOX], [MID], count=100)) == before
    bob.close()


def test_beyond_the_quota_for_sending(store):
    alice = store("--quota-send", "1", "--quota-warn", "1", "--message-size", "2", "--quota-receive", "9")
    assert write(alice, 2000, folder=OUTBOX, to="bob@demo.test") == 0
    for _ in range(3):
        assert write(alice, 600000) == 0
    assert write(alice, 2000, folder=OUTBOX, to="bob@demo.test") == QUOTA
    row = alice.one(rops.get_properties([WARN, SEND, RECEIVE, MAXIMUM], at=0), [alice.root])[0]["row"]
    assert row == {WARN: 1024, SEND: 1024, RECEIVE: 9216, MAXIMUM: 2048}


def test_large_messages(store):
    alice = store("--message-size", "1")
    assert write(alice, 600_000) == 0
    assert write(alice, 1_200_000) == TOO_BIG
    assert write(alice, 1_200_000, folder=OUTBOX, to="bob@demo.test") == SUBMISSION_TOO_BIG
    row = alice.run([rops.get_all(at=0)], [alice.root])[0][0]["row"]
    assert row[MAXIMUM] == 1024 and WARN not in row and SEND not in row


def test_objects_of_a_session(store):
    alice = store("--objects", "50")
    opened, table = [], None
    for _ in range(60):
        responses, table = alice.run([rops.open_folder(alice.folders[INBOX])], [alice.root, NO_HANDLE])
        opened.append((responses[0]["status"], table[1]))
    assert [status for status, _ in opened] == [0] * 49 + [TOO_MANY_OBJECTS] * 11
    alice.run([rops.release(0)], [opened[3][1]])
    assert alice.run([rops.open_folder(alice.folders[INBOX])], [alice.root, NO_HANDLE])[0][0]["status"] == 0


def test_sessions_of_a_mailbox(store):
    alice = store("--sessions", "3")
    others = [Store(alice.server), Store(alice.server)]
    refused = Store(alice.server)
    assert [s.status for s in others] == [0, 0] and refused.status == TOO_MANY_SESSIONS
    bob = Store(alice.server, "bob")
    assert bob.status == 0
    others[0].disconnect()
    wait_for(lambda: Store(alice.server).status == 0)
    for session in (*others, refused, bob):
        session.close()


def test_a_mailbox_that_nobody_uses_is_closed(store):
    """Its last commits are on disk, its log is moved into the file, and a tool may have it."""
    alice = store()
    assert write(alice, 2000) == 0
    path = next(p for p in (alice.server.state / "mailboxes").glob("*.sqlite-wal"))

    def is_free():
        with open(str(path)[:-len("-wal")] + ".lock", "rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    assert not is_free()
    alice.disconnect()
    wait_for(is_free)
    assert not path.exists()
    again = Store(alice.server)
    again.log_on()
    assert len(again.rows(again.folders[INBOX], [MID])) == 1 and not is_free()
    again.close()
