"""ROPs that clients rarely use: per-user information of folders elsewhere ([MS-OXCSTOR] 2.2.1.10 to 2.2.1.13), ghosted
folders (2.2.1.7), RopTransportNewMail ([MS-OXOMSG]), RopGetValidAttachments, RopWriteStreamExtended ([MS-OXCROPS])."""
import os

import pytest

import rops
import rops_more as more
import rops_rest as rest
from rops import NO_HANDLE, SUBJECT_W, Store
from test_store_rights import grant, log_on_to, status

INBOX, NOT_FOUND, ERROR, TOO_BIG = 4, 0x8004010F, 0x80004005, 0x80040305
HERE, THERE = os.urandom(16), os.urandom(16)


@pytest.fixture
def alice(server):
    store = Store(server)
    store.log_on()
    yield store
    store.close()


def test_per_user_information(alice):
    first, second = rest.long_id(HERE, 1), rest.long_id(HERE, 2)
    data = bytes(range(256)) * 40
    responses, _ = alice.run([rest.write_per_user(first, data[:5000], finished=0, replica=THERE),
                              rest.read_per_user(first),
                              rest.write_per_user(first, data[5000:], offset=5000),
                              rest.write_per_user(second, b"b", replica=HERE)], [alice.root])
    assert [r["status"] for r in responses] == [0] * 4
    assert responses[1]["data"] == b"" and responses[1]["finished"] == 1, "nothing before it is finished"
    got, finished = b"", 0
    while not finished:
        answer = alice.one(rest.read_per_user(first, len(got), 3000), [alice.root])[0]
        got, finished = got + answer["data"], answer["finished"]
    assert got == data
    responses, _ = alice.run([rest.per_user_guid(first), rest.per_user_guid(second), rest.per_user_ids(THERE),
                              rest.per_user_ids(HERE), rest.per_user_ids(bytes(16))], [alice.root])
    assert [r.get("guid") for r in responses[:2]] == [THERE, HERE]
    assert [r.get("ids") for r in responses[2:]] == [[first], [second], []]


@pytest.mark.parametrize("offset", [1, 3, 5000])
def test_pieces_in_their_order(alice, offset):
    folder = rest.long_id(HERE, 1)
    alice.one(rest.write_per_user(folder, b"ab", finished=0, replica=THERE), [alice.root])
    assert status(alice, rest.write_per_user(folder, b"x", offset=offset), [alice.root]) == ERROR
    assert status(alice, rest.write_per_user(rest.long_id(HERE, 2), b"x", offset=2), [alice.root]) == ERROR
    assert status(alice, rest.read_per_user(folder, 1), [alice.root]) == ERROR, "beyond what is there"
    assert status(alice, rest.per_user_guid(folder), [alice.root]) == NOT_FOUND


def test_without_data_it_goes(alice):
    folder = rest.long_id(HERE, 1)
    for data, ids in ((b"a", [folder]), (b"", [])):
        responses, _ = alice.run([rest.write_per_user(folder, data, replica=THERE), rest.per_user_ids(THERE)], [alice.root])
        assert responses[1]["ids"] == ids


def test_it_is_the_owner_s(alice):
    grant(alice, alice.folders[INBOX], "bob", 0x7FB)
    bob = Store(alice.server, "bob")
    bob.log_on()
    _, logon = log_on_to(bob, "alice")
    for rop in (rest.per_user_ids(THERE), rest.read_per_user(rest.long_id(HERE, 1)),
                rest.new_mail(alice.folders[INBOX], 1)):
        assert status(bob, rop, [logon]) == rops.ACCESS_DENIED
    bob.close()


def test_nothing_is_ghosted(alice):
    assert alice.one(rest.is_ghosted(alice.folders[INBOX]), [alice.root])[0]["ghosted"] == 0
    assert status(alice, rest.is_ghosted(0x7777 << 48 | 1), [alice.root]) == NOT_FOUND


def test_new_mail_of_a_client_s_transport(alice):
    message = alice.save_message(alice.folders[INBOX], {SUBJECT_W: "a"})
    alice.one(rops.register_notification(2, folder=alice.folders[INBOX]), [alice.root, NO_HANDLE])
    alice.run([rest.new_mail(alice.folders[INBOX], message, b"IPM.Note.X", 0x20)], [alice.root])
    assert [(n["message"], n["class"], n["message_flags"]) for n in alice.news] == [(message, b"IPM.Note.X", 0x20)]
    assert status(alice, rest.new_mail(alice.folders[INBOX], message + (1 << 56)), [alice.root]) == NOT_FOUND


def test_valid_attachments(alice):
    responses, _ = alice.run([rops.create_message(alice.folders[INBOX]), more.create_attachment(at=1, out=2),
                              more.create_attachment(at=1, out=3), more.create_attachment(at=1, out=4),
                              more.save_attachment(at=2, response=1), more.save_attachment(at=4, response=1),
                              rest.valid_attachments(at=1)], [alice.root] + [NO_HANDLE] * 4)
    assert responses[-1]["numbers"] == [0, 2]


def test_a_stream_written(alice):
    requests = [rops.create_message(alice.folders[INBOX]), rops.open_stream(0x10000102, mode=2),
                rest.write_stream_extended(b"abc", at=2), rops.commit_stream(at=2), more.get_stream_size(at=2)]
    responses, _ = alice.run(requests, [alice.root, NO_HANDLE, NO_HANDLE])
    assert [r["status"] for r in responses] == [0] * 5 and responses[2]["written"] == 3
