"""What is deleted is kept for a while: soft deletion, [MS-OXCFOLD] 2.2.1.11, 2.2.1.14.1 (ShowSoftDeletes), [MS-OXCMSG]
2.2.3.1.1 (OpenSoftDeleted); brought back by a move or a copy, gone for good by the hard forms."""
import sqlite3

import pytest

import rops
import rops_more as more
from conftest import run
from rops import ACCESS_DENIED, BODY_W, CONTENT_COUNT, MID, NO_HANDLE, SUBJECT_W, Store
from rops_permission import EDITOR
from test_store_rights import grant, log_on_to, open_in, status

INBOX, SENT, SUBTREE = 4, 6, 3
SOFT, ASSOCIATED = 0x20, 2
DELETED_ON, FLAGS = 0x668F0040, 0x0E070003
NOT_FOUND = 0x8004010F
WEEK = 7 * 24 * 3600 * 10**7


@pytest.fixture
def alice(server):
    store = Store(server)
    store.log_on()
    yield store
    store.close()


def listed(store, flags=SOFT, index=INBOX, columns=(MID,)):
    responses, _ = store.run([rops.open_folder(store.folders[index]), rops.contents_table(flags=flags),
                              rops.set_columns(list(columns)), rops.query_rows()], [store.root, NO_HANDLE, NO_HANDLE])
    assert [r["status"] for r in responses] == [0] * 4 and responses[1]["rows"] == len(responses[3]["row_list"])
    return responses[3]["row_list"] if len(columns) > 1 else [row[columns[0]] for row in responses[3]["row_list"]]


def delete(store, ids, hard=False, index=INBOX):
    responses, _ = store.run([rops.open_folder(store.folders[index]), more.delete_messages(ids, at=1, hard=hard)],
                             [store.root, NO_HANDLE])
    return responses[1]["status"], responses[1]["partial"]


def test_kept_and_listed(alice):
    inbox = alice.folders[INBOX]
    first, second = (alice.save_message(inbox, {SUBJECT_W: text}) for text in "ab")
    assert delete(alice, [first]) == (0, 0)
    assert listed(alice, 0) == [second] and listed(alice) == [first]
    row = listed(alice, columns=(MID, SUBJECT_W, DELETED_ON))[0]
    assert row[SUBJECT_W] == "a" and row[DELETED_ON] > 132 * 10**15
    responses, _ = alice.run([rops.open_folder(inbox), rops.get_properties([CONTENT_COUNT])], [alice.root, NO_HANDLE])
    assert responses[1]["row"] == {CONTENT_COUNT: 1}
    assert delete(alice, [first]) == (0, 1), "it is no longer there to be deleted"


def test_opened(alice):
    inbox = alice.folders[INBOX]
    message = alice.save_message(inbox, {SUBJECT_W: "a", BODY_W: "text"})
    assert delete(alice, [message]) == (0, 0)
    assert status(alice, rops.open_message(inbox, message, mode=0), [alice.root, NO_HANDLE]) == NOT_FOUND
    responses, table = alice.run([rops.open_message(inbox, message, mode=4), rops.get_properties([BODY_W])],
                                 [alice.root, NO_HANDLE])
    assert responses[1]["row"] == {BODY_W: "text"}
    responses, _ = alice.run([rops.open_message(inbox, message, mode=7), rops.set_properties({SUBJECT_W: "b"}), rops.save()],
                             [alice.root, NO_HANDLE])
    assert responses[0]["status"] == 0 and responses[2]["status"] == ACCESS_DENIED


@pytest.mark.parametrize("copy", [0, 1])
@pytest.mark.parametrize("index", [INBOX, SENT])
def test_brought_back(alice, copy, index):
    message = alice.save_message(alice.folders[INBOX], {SUBJECT_W: "a"})
    assert delete(alice, [message]) == (0, 0)
    responses, _ = alice.run([rops.open_folder(alice.folders[INBOX], out=1), rops.open_folder(alice.folders[index], out=2),
                              more.move_copy_messages([message], copy=copy, at=1, to=2)],
                             [alice.root, NO_HANDLE, NO_HANDLE])
    assert (responses[2]["status"], responses[2]["partial"]) == (0, 0)
    assert listed(alice, 0, index, (SUBJECT_W,)) == ["a"] and listed(alice) == ([message] if copy else [])
    responses, _ = alice.run([rops.open_folder(alice.folders[index]), rops.get_properties([CONTENT_COUNT])],
                             [alice.root, NO_HANDLE])
    assert responses[1]["row"] == {CONTENT_COUNT: 1}
    run("store", "check", "--state", alice.server.state)


def test_hard_forms(alice):
    inbox = alice.folders[INBOX]
    soft, hard = (alice.save_message(inbox, {SUBJECT_W: text}) for text in "ab")
    assert delete(alice, [soft]) == (0, 0) and delete(alice, [hard], hard=True) == (0, 0)
    assert listed(alice) == [soft]
    assert delete(alice, [soft], hard=True) == (0, 0), "what is kept goes as well"
    assert listed(alice) == []
    assert status(alice, rops.open_message(inbox, soft, mode=4), [alice.root, NO_HANDLE]) == NOT_FOUND
    run("store", "check", "--state", alice.server.state)


@pytest.mark.parametrize("hard", [False, True])
def test_an_emptied_folder(alice, hard):
    ids = [alice.save_message(alice.folders[INBOX], {SUBJECT_W: text}) for text in "ab"]
    responses, _ = alice.run([rops.open_folder(alice.folders[INBOX]), more.empty_folder(at=1, hard=hard)],
                             [alice.root, NO_HANDLE])
    assert (responses[1]["status"], responses[1]["partial"]) == (0, 0)
    assert listed(alice, 0) == [] and listed(alice) == ([] if hard else ids)
    run("store", "check", "--state", alice.server.state)


def test_with_its_folder_it_goes(alice):
    responses, table = alice.run([rops.open_folder(alice.folders[SUBTREE]), more.create_folder("x", at=1, out=2)],
                                 [alice.root, NO_HANDLE, NO_HANDLE])
    folder = responses[1]["folder"]
    message = alice.save_message(folder, {SUBJECT_W: "a", BODY_W: "long" * 5000})
    responses, _ = alice.run([more.delete_messages([message], at=1), more.delete_folder(folder, 1, at=0)],
                             [table[1], table[2]])
    assert [(r["status"], r["partial"]) for r in responses] == [(0, 0)] * 2
    run("store", "check", "--state", alice.server.state)


def test_folders_are_not_kept(alice):
    """ShowSoftDeletes on a hierarchy table: there are none."""
    responses, _ = alice.run([rops.open_folder(alice.folders[SUBTREE]), rops.hierarchy_table(flags=SOFT),
                              rops.set_columns([0x3001001F]), rops.query_rows()], [alice.root, NO_HANDLE, NO_HANDLE])
    assert [r["status"] for r in responses] == [0] * 4 and responses[3]["row_list"] == []


def test_the_owner_alone(alice):
    """Members of the folder delete, and the owner brings back."""
    grant(alice, alice.folders[INBOX], "bob", EDITOR)
    message = alice.save_message(alice.folders[INBOX], {SUBJECT_W: "a"})
    bob = Store(alice.server, "bob")
    bob.log_on()
    answer, logon = log_on_to(bob, "alice")
    _, folder = open_in(bob, logon, answer["folders"][INBOX])
    assert status(bob, more.delete_messages([message]), [folder]) == 0
    assert status(bob, rops.contents_table(at=0, out=1, flags=SOFT), [folder, NO_HANDLE]) == ACCESS_DENIED
    assert status(bob, rops.open_message(answer["folders"][INBOX], message, mode=4), [logon, NO_HANDLE]) != 0
    assert listed(alice) == [message]
    bob.close()


def test_after_two_weeks_it_is_gone(serve, state):
    alice = Store(serve())
    alice.log_on()
    old, new = (alice.save_message(alice.folders[INBOX], {SUBJECT_W: text, BODY_W: text * 20000}) for text in "ab")
    assert delete(alice, [old, new]) == (0, 0)
    alice.close()
    alice.server.stop()
    for path in (state / "mailboxes").glob("*.sqlite"):
        with sqlite3.connect(path) as database:
            database.execute("UPDATE message SET deleted = deleted - ? WHERE id = ?",
                             (3 * WEEK, int.from_bytes(old.to_bytes(8, "little")[2:], "big")))
    alice = Store(serve())
    alice.log_on()
    assert listed(alice) == [new]
    alice.close()
    run("store", "check", "--state", state)
