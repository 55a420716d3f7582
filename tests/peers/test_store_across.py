"""Copies that cross mailboxes, of one event loop and of many: RopMoveCopyMessages, RopMoveFolder, RopCopyFolder
([MS-OXCFOLD] 2.2.1.6 to 2.2.1.8), RopCopyTo, RopCopyProperties ([MS-OXCPRPT] 2.2.10, 2.2.11)."""
import uuid

import pytest

import rops
import rops_more as more
from conftest import run
from rops import ACCESS_DENIED, BODY_W, MID, NAME_W, NO_HANDLE, SUBJECT_W
from rops_permission import AUTHOR, CREATE, CREATE_FOLDER, EDITOR, OWN, REVIEWER, SEE
from test_store_rights import INBOX, SUBTREE, grant, log_on_to, open_in, pair, status

del CREATE
assert pair
READ_FLAG = 0x0E070003
NAME_SET = uuid.UUID("00020329-0000-0000-c000-000000000046").bytes_le


@pytest.fixture
def between(pair):
    """Bob with his inbox and alice's open: (alice, bob, his log-on, hers, his inbox, hers)."""
    alice, bob = pair

    def begin(rights):
        grant(alice, alice.folders[INBOX], "bob", rights)
        answer, logon = log_on_to(bob, "alice")
        assert answer["status"] == 0
        _, his = open_in(bob, bob.root, bob.folders[INBOX])
        _, hers = open_in(bob, logon, answer["folders"][INBOX])
        return alice, bob, bob.root, logon, his, hers

    return begin


def subjects(store, index=INBOX):
    return sorted(row[SUBJECT_W] for row in store.rows(store.folders[index], [SUBJECT_W]))


def test_messages_copied(between):
    alice, bob, _, _, his, hers = between(EDITOR)
    ids = [bob.save_message(bob.folders[INBOX], {SUBJECT_W: text, BODY_W: text * 100}) for text in ("a", "b")]
    responses, _ = bob.run([more.set_read_flags(4, [ids[1]]), more.move_copy_messages([*ids, 77 << 16 | 1], copy=1)],
                           [his, hers])
    assert [r["status"] for r in responses] == [0, 0] and responses[1]["partial"] == 1
    assert subjects(bob) == ["a", "b"]
    rows = alice.rows(alice.folders[INBOX], [SUBJECT_W, BODY_W, READ_FLAG])
    assert [(row[SUBJECT_W], row[BODY_W], row[READ_FLAG] & 1) for row in rows] == [
        ("a", ("a" * 100), 1), ("b", ("b" * 100), 0)]


def test_messages_moved(between):
    """Those that could be copied, and no others, go from where they were."""
    alice, bob, _, _, his, hers = between(EDITOR)
    message = bob.save_message(bob.folders[INBOX], {SUBJECT_W: "mine"})
    other = alice.save_message(alice.folders[INBOX], {SUBJECT_W: "hers"})
    responses, _ = bob.run([more.move_copy_messages([message], at=0, to=1)], [his, hers])
    assert (responses[0]["status"], responses[0]["partial"]) == (0, 0)
    assert subjects(bob) == [] and subjects(alice) == ["hers", "mine"]
    responses, _ = bob.run([more.move_copy_messages([other], at=1, to=0)], [his, hers])
    assert (responses[0]["status"], responses[0]["partial"]) == (0, 0)
    assert subjects(bob) == ["hers"] and subjects(alice) == ["mine"]


def test_large_values_in_pieces(between):
    alice, bob, his_logon, _, his, hers = between(EDITOR)
    data = bytes(range(256)) * 1200  # several chunks of 64 KiB
    requests = [rops.create_message(bob.folders[INBOX]), rops.set_properties({SUBJECT_W: "large"}),
                more.create_attachment(at=1, out=2), rops.open_stream(0x37010102, at=2, out=3, mode=2)]
    requests += [rops.write_stream(data[at:at + 30000], at=3) for at in range(0, 30000, 30000)]
    responses, table = bob.run(requests, [his_logon] + [NO_HANDLE] * 3)
    for at in range(30000, len(data), 30000):
        bob.run([rops.write_stream(data[at:at + 30000], at=0)], [table[3]])
    responses, _ = bob.run([rops.commit_stream(at=2), more.save_attachment(at=1, response=0), rops.save(at=0, response=0)],
                           [table[1], table[2], table[3]])
    assert [r["status"] for r in responses] == [0, 0, 0]
    responses, _ = bob.run([more.move_copy_messages([responses[2]["message"]])], [his, hers])
    assert (responses[0]["status"], responses[0]["partial"]) == (0, 0)
    mid = alice.rows(alice.folders[INBOX], [MID])[0][MID]
    responses, table = alice.run([rops.open_message(alice.folders[INBOX], mid), more.open_attachment(0, at=1, out=2),
                                  rops.open_stream(0x37010102, at=2, out=3)], [alice.root] + [NO_HANDLE] * 3)
    assert responses[2]["size"] == len(data)
    got = b"".join(alice.run([rops.read_stream(30000, at=0)], [table[3]])[0][0]["data"] for _ in range(11))
    assert got == data


def test_rights_on_both_sides(between):
    alice, bob, _, _, his, hers = between(REVIEWER)
    mine = bob.save_message(bob.folders[INBOX], {SUBJECT_W: "mine"})
    other = alice.save_message(alice.folders[INBOX], {SUBJECT_W: "hers"})
    assert status(bob, more.move_copy_messages([mine], copy=1), [his, hers]) == ACCESS_DENIED
    assert status(bob, more.copy_folder(bob.folders[INBOX], "x"), [his, hers]) in (ACCESS_DENIED, 0x8004010F)
    responses, _ = bob.run([more.move_copy_messages([other], at=1, to=0)], [his, hers])
    assert (responses[0]["status"], responses[0]["partial"]) == (0, 1), "it may be read, not taken away"
    assert subjects(alice) == ["hers"] and subjects(bob) == ["mine"]
    responses, _ = bob.run([more.move_copy_messages([other], copy=1, at=1, to=0)], [his, hers])
    assert (responses[0]["status"], responses[0]["partial"]) == (0, 0)
    assert subjects(bob) == ["hers", "mine"]


def test_within_one_mailbox_the_destination_is_asked_too(between):
    """A right to one folder is none to another of the same mailbox."""
    alice, bob, _, logon, _, hers = between(EDITOR)
    grant(alice, alice.folders[6], "bob", REVIEWER)
    message = alice.save_message(alice.folders[INBOX], {SUBJECT_W: "hers"})
    _, sent = open_in(bob, logon, alice.folders[6])
    for rop in (more.move_copy_messages([message]), more.move_copy_messages([message], copy=1)):
        assert status(bob, rop, [hers, sent]) == ACCESS_DENIED
    grant(alice, alice.folders[6], "bob", AUTHOR)
    assert status(bob, more.move_copy_messages([message]), [hers, sent]) == 0
    assert subjects(alice) == [] and subjects(alice, 6) == ["hers"]


def tree(bob):
    """A folder with one below it and a message in each, under his subtree: its id."""
    responses, table = bob.run([rops.open_folder(bob.folders[SUBTREE]), more.create_folder("top", at=1, out=2, comment="c"),
                                more.create_folder("below", at=2, out=3)], [bob.root] + [NO_HANDLE] * 3)
    assert [r["status"] for r in responses] == [0, 0, 0]
    for response, text in zip(responses[1:], ("in top", "in below")):
        bob.save_message(response["folder"], {SUBJECT_W: text})
    return responses[1]["folder"], table[1]


def found(alice, path):
    """The folder under the subtree at that path and its messages' subjects."""
    folder = alice.folders[SUBTREE]
    for name in path:
        responses, _ = alice.run([rops.open_folder(folder), rops.hierarchy_table(), rops.set_columns([NAME_W, 0x67480014]),
                                  rops.query_rows()], [alice.root, NO_HANDLE, NO_HANDLE])
        folder = {row[NAME_W]: row[0x67480014] for row in responses[3]["row_list"]}.get(name)
        if folder is None:
            return None
    return [row[SUBJECT_W] for row in alice.rows(folder, [SUBJECT_W])]


@pytest.mark.parametrize("moved", [False, True])
def test_folders(between, moved):
    alice, bob, _, logon, _, _ = between(REVIEWER)
    grant(alice, alice.folders[SUBTREE], "bob", SEE | CREATE_FOLDER)
    top, source = tree(bob)
    _, target = open_in(bob, logon, alice.folders[SUBTREE])
    rop = more.move_folder(top, "there", at=0, to=1) if moved else more.copy_folder(top, "there", at=0, to=1)
    responses, _ = bob.run([rop], [source, target])
    assert (responses[0]["status"], responses[0]["partial"]) == (0, 0)
    assert found(alice, ["there"]) == ["in top"] and found(alice, ["there", "below"]) == ["in below"]
    assert (found(bob, ["top"]), found(bob, ["top", "below"])) == (
        (None, None) if moved else (["in top"], ["in below"]))
    if not moved:
        assert status(bob, rop, [source, target]) == 0x80040604, "the name is taken"
    run("store", "check", "--state", bob.server.state)


def test_properties(between):
    """Named properties keep their names, whatever their ids."""
    alice, bob, his_logon, logon, _, _ = between(EDITOR)
    alice.one(rops.ids_from_names([(NAME_SET, "other")]), [alice.root])  # so that ids differ
    tag = bob.one(rops.ids_from_names([(NAME_SET, "mine")]), [his_logon])[0]["ids"][0] << 16 | 0x1F
    hers = alice.one(rops.ids_from_names([(NAME_SET, "mine")]), [alice.root])[0]["ids"][0] << 16 | 0x1F
    assert tag != hers
    requests = [rops.create_message(bob.folders[INBOX], at=0, out=2), rops.create_message(alice.folders[INBOX], at=1, out=3),
                rops.set_properties({SUBJECT_W: "s", BODY_W: "b", tag: "n"}, at=2), more.copy_properties([tag, BODY_W], at=2, to=3),
                rops.get_properties([SUBJECT_W, BODY_W, hers], at=3), more.copy_to(at=2, to=3, excluded=[BODY_W]),
                rops.get_properties([SUBJECT_W, BODY_W, hers], at=3), rops.save(at=3, response=2)]
    responses, _ = bob.run(requests, [his_logon, logon, NO_HANDLE, NO_HANDLE])
    assert [r["status"] for r in responses] == [0] * len(responses)
    assert isinstance(responses[4]["row"][SUBJECT_W], rops.Missing) and responses[4]["row"][hers] == "n"
    assert responses[6]["row"] == {SUBJECT_W: "s", BODY_W: "b", hers: "n"}
    assert subjects(alice) == ["s"]


def test_one_of_another_kind(between):
    alice, bob, his_logon, logon, his, hers = between(EDITOR | OWN)
    responses, table = bob.run([rops.create_message(bob.folders[INBOX])], [his_logon, NO_HANDLE])
    for handles in ([his, logon], [table[1], hers], [his, NO_HANDLE]):
        assert status(bob, more.copy_to(), handles) == 0x503
    assert subjects(alice) == []
