"""Permissions ([MS-OXCPERM]) and log-ons to others' mailboxes ([MS-OXCSTOR] 3.2.5.1.1, [MS-OXODLGT] 3.1.4.1): what
members of a list may do, ROP by ROP, and sessions on several mailboxes at once, of one event loop and of many."""
import pytest

import rops
import rops_more as more
from conftest import run
from peer import dn_of
from rops import ACCESS_DENIED, MID, NAME_W, NO_HANDLE, SUBJECT_W, Store, Waiter
from rops_permission import (ACCESS, ACCESS_LEVEL, ANONYMOUS, AUTHOR, CREATE, CREATE_FOLDER, DEFAULT, EDITOR, FREE_BUSY,
                             FREE_BUSY_DETAILS, MEMBER_ID, MEMBER_RIGHTS, OWN, READ, REVIEWER, RIGHTS, SEE, add,
                             entry_id, modify, modify_permissions, permissions, permissions_table, remove)

INVALID, NOT_FOUND = 0x80070057, 0x8004010F
ROOT, SUBTREE, INBOX, OUTBOX, SENT = 0, 3, 4, 5, 6
ALL = 0x7FB
CREATOR_W, CREATOR_ID, MODIFIER_W = 0x3FF8001F, 0x3FF90102, 0x3FFA001F
CALENDAR_ID = 0x36D00102


def log_on_to(store, user, logon_id=1):
    """The answer and the handle of a log-on to another's mailbox."""
    request = bytearray(rops.logon(dn_of(user)))
    request[1] = logon_id
    responses, table = store.run([bytes(request)], [NO_HANDLE])
    return responses[0], table[0]


def open_in(store, logon, folder):
    responses, table = store.run([rops.open_folder(folder)], [logon, NO_HANDLE])
    return responses[0]["status"], table[1]


def status(store, rop, handles):
    return store.run([rop], handles)[0][0]["status"]


@pytest.fixture(params=["1", "16"], ids=["one loop", "many loops"])
def pair(request, serve):
    """Alice's session on her own mailbox and bob's on his."""
    server = serve("--loops", request.param)
    stores = [Store(server, user) for user in ("alice", "bob")]
    for store in stores:
        store.log_on()
    yield stores
    for store in stores:
        store.close()


def grant(store, folder, user, rights, flags=0):
    code, handle = open_in(store, store.root, folder)
    assert code == 0 and status(store, modify_permissions([add(user, rights)], flags=flags), [handle]) == 0


# ---- The list ----

def test_the_list(pair):
    """2.2.1, 2.2.2, 4.1: the default and anonymous always; rows added, changed and removed."""
    alice, _ = pair
    _, inbox = open_in(alice, alice.root, alice.folders[INBOX])
    assert permissions(alice, inbox) == {"": (DEFAULT, 0, b""), "Anonymous": (ANONYMOUS, 0, b"")}
    assert status(alice, modify_permissions([add("bob", EDITOR), modify(DEFAULT, REVIEWER)]), [inbox]) == 0
    rows = permissions(alice, inbox)
    bob = rows["Bob Berger"]
    assert bob[1:] == (EDITOR, entry_id("bob")) and bob[0] > 0 and rows[""][1] == REVIEWER
    assert status(alice, modify_permissions([modify(bob[0], AUTHOR)]), [inbox]) == 0
    assert permissions(alice, inbox)["Bob Berger"] == (bob[0], AUTHOR, entry_id("bob"))
    assert status(alice, modify_permissions([remove(bob[0])]), [inbox]) == 0
    assert set(permissions(alice, inbox)) == {"", "Anonymous"}
    assert status(alice, modify_permissions([add("bob", READ)]), [inbox]) == 0
    assert permissions(alice, inbox)["Bob Berger"][0] == bob[0], "a member's number stays his"


def test_replaced(pair):
    """2.2.2.1, ReplaceRows: all but the default member go."""
    alice, _ = pair
    _, inbox = open_in(alice, alice.root, alice.folders[INBOX])
    assert status(alice, modify_permissions([add("bob", EDITOR), modify(DEFAULT, REVIEWER)]), [inbox]) == 0
    assert status(alice, modify_permissions([add("zoe", AUTHOR)], flags=1), [inbox]) == 0
    rows = permissions(alice, inbox)
    assert {name: row[1] for name, row in rows.items()} == {"": REVIEWER, "Anonymous": 0, "Zoé Zürn": AUTHOR}


def test_free_busy(pair):
    """2.2.7: the two free/busy rights count only where both sides say that they mean them."""
    alice, _ = pair
    responses, _ = alice.run([rops.open_folder(alice.folders[INBOX]), rops.get_properties([CALENDAR_ID])],
                             [alice.root, NO_HANDLE])
    calendar_id = int.from_bytes(b"\1\0" + responses[1]["row"][CALENDAR_ID][38:44], "little")
    _, calendar = open_in(alice, alice.root, calendar_id)
    assert permissions(alice, calendar, flags=2)[""][1] == FREE_BUSY
    assert permissions(alice, calendar)[""][1] == 0
    assert status(alice, modify_permissions([modify(DEFAULT, READ | FREE_BUSY_DETAILS)]), [calendar]) == 0
    assert permissions(alice, calendar, flags=2)[""][1] == READ | FREE_BUSY, "the flag was not given"
    assert status(alice, modify_permissions([modify(DEFAULT, READ | FREE_BUSY_DETAILS)], flags=2), [calendar]) == 0
    assert permissions(alice, calendar, flags=2)[""][1] == READ | FREE_BUSY_DETAILS


@pytest.mark.parametrize("rows,flags,code", [
    ([add("bob", 0x2000)], 0, INVALID), ([add("nobody", READ)], 0, INVALID), ([modify(4711, READ)], 0, NOT_FOUND),
    ([remove(4711)], 0, NOT_FOUND), ([remove(DEFAULT)], 0, INVALID), ([(8, {MEMBER_ID: 1})], 0, INVALID),
    ([(1, {MEMBER_RIGHTS: READ})], 0, INVALID), ([modify(DEFAULT, READ)], 1, INVALID), ([add("bob", READ)], 4, INVALID),
    ([add("bob", READ), remove(4711)], 0, NOT_FOUND)])
def test_bad_rows(server, rows, flags, code):
    alice = Store(server)
    alice.log_on()
    _, inbox = open_in(alice, alice.root, alice.folders[INBOX])
    assert status(alice, modify_permissions(rows, flags=flags), [inbox]) == code
    assert set(permissions(alice, inbox)) == {"", "Anonymous"}, "all or nothing"
    assert status(alice, permissions_table(flags=1), [inbox, NO_HANDLE]) == INVALID
    alice.close()


def test_lists_last(serve, state):
    alice = Store(serve())
    alice.log_on()
    _, inbox = open_in(alice, alice.root, alice.folders[INBOX])
    assert status(alice, modify_permissions([add("bob", EDITOR)]), [inbox]) == 0
    alice.server.stop()
    again = Store(serve(), "bob")
    answer, logon = log_on_to(again, "alice")
    assert answer["status"] == 0 and open_in(again, logon, answer["folders"][INBOX])[0] == 0
    again.close()
    run("store", "check", "--state", state)  # fails when there are faults


def test_new_folders_take_over_the_list(pair):
    alice, bob = pair
    grant(alice, alice.folders[SUBTREE], "bob", REVIEWER | CREATE_FOLDER)
    responses, table = alice.run([rops.open_folder(alice.folders[SUBTREE]), more.create_folder("below", at=1, out=2)],
                                 [alice.root, NO_HANDLE, NO_HANDLE])
    assert [r["status"] for r in responses] == [0, 0]
    assert permissions(alice, table[2])["Bob Berger"][1] == REVIEWER | CREATE_FOLDER
    answer, logon = log_on_to(bob, "alice")
    _, subtree = open_in(bob, logon, answer["folders"][SUBTREE])
    responses, table = bob.run([more.create_folder("bob's", at=0, out=1)], [subtree, NO_HANDLE])
    assert responses[0]["status"] == 0
    _, mine = open_in(alice, alice.root, responses[0]["folder"])
    assert permissions(alice, mine)["Bob Berger"][1] == ALL, "who makes a folder owns it"


# ---- Log-ons ----

def test_nobody_else_without_rights(pair):
    """3.2.5.1.3: ecAccessDenied; free/busy rights alone are for free/busy times."""
    alice, bob = pair
    assert log_on_to(bob, "alice")[0]["status"] == ACCESS_DENIED
    grant(alice, alice.folders[INBOX], "bob", REVIEWER)
    answer, _ = log_on_to(bob, "alice")
    assert answer["status"] == 0 and answer["response_flags"] == 1, "neither owner nor may send as"
    own = alice.log_on()
    assert own["response_flags"] == 7
    assert answer["mailbox"] == own["mailbox"] and answer["folders"] == own["folders"]


def test_one_buffer_mixes_mailboxes(pair):
    """DESIGN.md, idea 3: each ROP runs where its mailbox is, in the order of the buffer."""
    alice, bob = pair
    grant(alice, alice.folders[INBOX], "bob", EDITOR)
    answer, logon = log_on_to(bob, "alice")
    requests = [rops.create_message(bob.folders[INBOX], at=0, out=2), rops.set_properties({SUBJECT_W: "mine"}, at=2),
                rops.create_message(answer["folders"][INBOX], at=1, out=3),
                rops.set_properties({SUBJECT_W: "hers"}, at=3), rops.save(at=2), rops.save(at=3),
                rops.open_folder(answer["folders"][INBOX], at=1, out=4), rops.open_folder(bob.folders[INBOX], at=0, out=5),
                rops.contents_table(at=4, out=6), rops.contents_table(at=5, out=7),
                rops.release(2), rops.set_columns([SUBJECT_W], at=6), rops.set_columns([SUBJECT_W], at=7),
                rops.query_rows(at=6), rops.query_rows(at=7)]
    responses, _ = bob.run(requests, [bob.root, logon] + [NO_HANDLE] * 6)
    assert [r["status"] for r in responses] == [0] * len(responses)
    assert [r["row_list"] for r in responses[-2:]] == [[{SUBJECT_W: "hers"}], [{SUBJECT_W: "mine"}]]
    assert [row[SUBJECT_W] for row in alice.rows(alice.folders[INBOX], [SUBJECT_W])] == ["hers"]


def test_three_at_once_and_gone(pair):
    """Objects of other mailboxes end with their logon, with its LogonId given away, and with the session."""
    alice, bob = pair
    zoe = Store(bob.server, "zoe")
    zoe.log_on()
    for store in (alice, zoe):
        grant(store, store.folders[INBOX], "bob", REVIEWER)
    (to_alice, one), (to_zoe, two) = log_on_to(bob, "alice", 1), log_on_to(bob, "zoe", 2)
    _, first = open_in(bob, one, to_alice["folders"][INBOX])
    _, second = open_in(bob, two, to_zoe["folders"][INBOX])
    responses, table = bob.run([rops.contents_table(at=0, out=2), rops.contents_table(at=1, out=3)],
                               [first, second, NO_HANDLE, NO_HANDLE])
    assert [r["status"] for r in responses] == [0, 0]
    answer, again = log_on_to(bob, "zoe", 1)  # alice's LogonId
    assert answer["status"] == 0 and answer["mailbox"] == to_zoe["mailbox"]
    assert status(bob, rops.query_position(at=0), [table[2]]) == rops.NULL_OBJECT
    assert status(bob, rops.query_position(at=0), [table[3]]) == 0
    bob.run([rops.release(0)], [two])
    assert status(bob, rops.query_position(at=0), [table[3]]) == rops.NULL_OBJECT
    assert open_in(bob, again, answer["folders"][INBOX])[0] == 0
    bob.disconnect()
    zoe.close()


def test_news_of_another_mailbox(pair):
    alice, bob = pair
    grant(alice, alice.folders[INBOX], "bob", REVIEWER)
    answer, logon = log_on_to(bob, "alice")
    folder = answer["folders"][INBOX]
    assert status(bob, rops.register_notification(4, folder=None), [logon, NO_HANDLE]) == ACCESS_DENIED, "whole store"
    assert status(bob, rops.register_notification(4, folder=answer["folders"][SENT]), [logon, NO_HANDLE]) \
        == ACCESS_DENIED
    responses, table = bob.run([rops.register_notification(4, folder=folder)], [logon, NO_HANDLE])
    assert responses[0]["status"] == 0
    waiter = Waiter(bob)
    waiter.park()
    message = alice.save_message(alice.folders[INBOX], {SUBJECT_W: "news"})
    assert waiter.answer()[0] == 1
    bob.run([rops.query_position(at=0)], [bob.root])
    assert [(n["handle"], n["message"]) for n in bob.news if n.get("message")] == [(table[1], message)]


# ---- What members may do ----

@pytest.fixture
def visit(pair):
    """What bob, with some rights on alice's inbox, may do there."""
    alice, bob = pair
    mine = alice.save_message(alice.folders[INBOX], {SUBJECT_W: "hers"})

    def begin(rights):
        grant(alice, alice.folders[INBOX], "bob", rights)
        answer, logon = log_on_to(bob, "alice")
        assert answer["status"] == 0
        code, folder = open_in(bob, logon, answer["folders"][INBOX])
        return code, logon, folder, answer["folders"], mine

    return alice, bob, begin


def make(store, logon, folder):
    """A message made there: the statuses of creation and save, and its id."""
    responses, _ = store.run([rops.create_message(folder), rops.set_properties({SUBJECT_W: "his"}), rops.save()],
                             [logon, NO_HANDLE])
    return [r["status"] for r in responses], responses[-1].get("message")


def test_unseen(visit):
    """FolderVisible: not in the hierarchy table, nor to be opened."""
    alice, bob, begin = visit
    code, logon, _, folders, _ = begin(CREATE)
    assert code == ACCESS_DENIED
    grant(alice, alice.folders[SUBTREE], "bob", SEE)
    responses, _ = bob.run([rops.open_folder(folders[SUBTREE]), rops.hierarchy_table(), rops.set_columns([NAME_W]),
                            rops.query_rows()], [logon, NO_HANDLE, NO_HANDLE])
    assert [r["status"] for r in responses] == [0] * 4 and responses[3]["row_list"] == []
    grant(alice, alice.folders[INBOX], "bob", SEE)
    responses, _ = bob.run([rops.open_folder(folders[SUBTREE]), rops.hierarchy_table(), rops.set_columns([NAME_W, RIGHTS]),
                            rops.query_rows()], [logon, NO_HANDLE, NO_HANDLE])
    assert responses[3]["row_list"] == [{NAME_W: "Inbox", RIGHTS: SEE}]


def test_reviewer(visit):
    alice, bob, begin = visit
    code, logon, folder, folders, mine = begin(REVIEWER)
    assert code == 0
    responses, table = bob.run([rops.get_properties([RIGHTS, ACCESS, ACCESS_LEVEL], at=0)], [folder])
    assert responses[0]["row"] == {RIGHTS: REVIEWER, ACCESS: 2, ACCESS_LEVEL: 0}
    responses, table = bob.run([rops.contents_table(at=0, out=1), rops.set_columns([MID, ACCESS], at=1),
                                rops.query_rows(at=1)], [folder, NO_HANDLE])
    assert responses[2]["row_list"] == [{MID: mine, ACCESS: 2}]
    assert status(bob, rops.open_message(folders[INBOX], mine, mode=1), [logon, NO_HANDLE]) == ACCESS_DENIED
    responses, table = bob.run([rops.open_message(folders[INBOX], mine, mode=3)], [logon, NO_HANDLE])
    assert responses[0]["status"] == 0, "best access is reading"
    message = table[1]
    responses, _ = bob.run([rops.get_properties([ACCESS, ACCESS_LEVEL], at=0), rops.set_properties({SUBJECT_W: "x"}, at=0),
                            rops.save(at=0, response=0), more.set_message_read_flag(0, at=0, response=0)], [message])
    assert responses[0]["row"] == {ACCESS: 2, ACCESS_LEVEL: 0}
    assert [r["status"] for r in responses[2:]] == [ACCESS_DENIED] * 2
    assert make(bob, logon, folders[INBOX])[0][0] == ACCESS_DENIED
    for rop in (more.create_folder("x"), rops.set_properties({NAME_W: "x"}, at=0), more.empty_folder(at=0),
                more.empty_folder(at=0, hard=True), more.delete_messages([mine]), more.set_read_flags(0, [mine]),
                more.set_message_status(mine, 1, 1), permissions_table(), modify_permissions([add("bob", ALL)]),
                more.delete_properties([NAME_W])):
        assert status(bob, rop, [folder, NO_HANDLE]) == ACCESS_DENIED, hex(rop[0])
    for rop in (more.set_receive_folder(folders[INBOX], b"IPM.X"), more.delete_folder(folders[INBOX])):
        assert status(bob, rop, [logon]) in (ACCESS_DENIED, rops.NOT_SUPPORTED), hex(rop[0])
    assert [row[SUBJECT_W] for row in alice.rows(alice.folders[INBOX], [SUBJECT_W])] == ["hers"]


def test_author(visit):
    """EditOwned, DeleteOwned: one's own and no others'."""
    alice, bob, begin = visit
    _, logon, folder, folders, mine = begin(AUTHOR)
    codes, his = make(bob, logon, folders[INBOX])
    assert codes == [0, 0, 0]
    responses, _ = bob.run([rops.open_message(folders[INBOX], his, mode=1), rops.get_properties([ACCESS, CREATOR_W, CREATOR_ID]),
                            rops.set_properties({SUBJECT_W: "still his"}), rops.save()], [logon, NO_HANDLE])
    assert [r["status"] for r in responses] == [0] * 4
    assert responses[1]["row"] == {ACCESS: 7, CREATOR_W: "Bob Berger", CREATOR_ID: entry_id("bob")}
    assert status(bob, rops.open_message(folders[INBOX], mine, mode=1), [logon, NO_HANDLE]) == ACCESS_DENIED
    responses, _ = bob.run([more.delete_messages([mine, his])], [folder])
    assert responses[0]["status"] == 0 and responses[0]["partial"] == 1
    assert [row[MID] for row in alice.rows(alice.folders[INBOX], [MID])] == [mine]
    responses, _ = alice.run([rops.open_message(alice.folders[INBOX], mine), rops.get_properties([CREATOR_W, MODIFIER_W])],
                             [alice.root, NO_HANDLE])
    assert responses[1]["row"] == {CREATOR_W: "Alice Arnold", MODIFIER_W: "Alice Arnold"}


def test_who_made_it_cannot_be_claimed(visit):
    _, bob, begin = visit
    _, logon, _, folders, _ = begin(EDITOR)
    responses, _ = bob.run([rops.create_message(folders[INBOX]),
                            rops.set_properties({CREATOR_W: "Alice", CREATOR_ID: entry_id("alice")})], [logon, NO_HANDLE])
    assert [(tag, code) for _, tag, code in responses[1]["problems"]] == [(CREATOR_W, 0x8004011A), (CREATOR_ID, 0x8004011A)]


def test_contributor(visit):
    """Create without ReadAny: one sees what one made."""
    _, bob, begin = visit
    _, logon, folder, folders, mine = begin(SEE | CREATE)
    codes, his = make(bob, logon, folders[INBOX])
    assert codes == [0, 0, 0]
    responses, _ = bob.run([rops.contents_table(at=0, out=1), rops.set_columns([MID], at=1), rops.query_rows(at=1)],
                           [folder, NO_HANDLE])
    assert responses[2]["row_list"] == [{MID: his}]
    assert status(bob, rops.open_message(folders[INBOX], mine, mode=0), [logon, NO_HANDLE]) == ACCESS_DENIED
    assert status(bob, rops.open_message(folders[INBOX], his, mode=0), [logon, NO_HANDLE]) == 0


def test_editor(visit):
    alice, bob, begin = visit
    _, logon, folder, folders, mine = begin(EDITOR)
    responses, _ = bob.run([rops.open_message(folders[INBOX], mine, mode=1), rops.set_properties({SUBJECT_W: "edited"}),
                            rops.save()], [logon, NO_HANDLE])
    assert [r["status"] for r in responses] == [0, 0, 0]
    responses, _ = alice.run([rops.open_message(alice.folders[INBOX], mine), rops.get_properties([MODIFIER_W, SUBJECT_W])],
                             [alice.root, NO_HANDLE])
    assert responses[1]["row"] == {MODIFIER_W: "Bob Berger", SUBJECT_W: "edited"}
    assert status(bob, more.set_read_flags(0, [mine]), [folder]) == 0
    for rop in (more.create_folder("x"), modify_permissions([add("bob", ALL)]), rops.set_properties({NAME_W: "x"}, at=0)):
        assert status(bob, rop, [folder, NO_HANDLE]) == ACCESS_DENIED, hex(rop[0])
    responses, _ = bob.run([more.delete_messages([mine])], [folder])
    assert (responses[0]["status"], responses[0]["partial"]) == (0, 0)


def test_folder_owner(visit):
    """FolderOwner: properties, permissions, subfolders."""
    alice, bob, begin = visit
    _, _, folder, _, _ = begin(OWN | CREATE_FOLDER)
    assert permissions(bob, folder)["Bob Berger"][1] == OWN | CREATE_FOLDER
    assert status(bob, modify_permissions([add("zoe", REVIEWER)]), [folder]) == 0
    responses, table = bob.run([more.create_folder("x", at=0, out=1)], [folder, NO_HANDLE])
    assert responses[0]["status"] == 0
    assert status(bob, more.delete_folder(responses[0]["folder"], at=0), [folder]) == 0
    _, inbox = open_in(alice, alice.root, alice.folders[INBOX])
    assert permissions(alice, inbox)["Zoé Zürn"][1] == REVIEWER


def test_only_the_owner_sends(visit):
    _, bob, begin = visit
    _, logon, _, folders, _ = begin(EDITOR)
    responses, table = bob.run([rops.create_message(folders[INBOX])], [logon, NO_HANDLE])
    assert status(bob, bytes([0x32, 0, 0, 0]), [table[1]]) == ACCESS_DENIED


def test_the_default_member(pair):
    """Who is not on the list has the default member's rights; who is has his own, fewer or more."""
    alice, bob = pair
    _, inbox = open_in(alice, alice.root, alice.folders[INBOX])
    assert status(alice, modify_permissions([modify(DEFAULT, EDITOR), add("bob", SEE)]), [inbox]) == 0
    answer, logon = log_on_to(bob, "alice")
    _, folder = open_in(bob, logon, answer["folders"][INBOX])
    responses, _ = bob.run([rops.get_properties([RIGHTS], at=0)], [folder])
    assert responses[0]["row"] == {RIGHTS: SEE}
    zoe = Store(bob.server, "zoe")
    answer, logon = log_on_to(zoe, "alice")
    _, folder = open_in(zoe, logon, answer["folders"][INBOX])
    responses, _ = zoe.run([rops.get_properties([RIGHTS], at=0)], [folder])
    assert responses[0]["row"] == {RIGHTS: EDITOR}
    zoe.close()


def test_rights_taken_away_count_at_once(pair):
    alice, bob = pair
    grant(alice, alice.folders[INBOX], "bob", EDITOR)
    answer, logon = log_on_to(bob, "alice")
    assert make(bob, logon, answer["folders"][INBOX])[0] == [0, 0, 0]
    grant(alice, alice.folders[INBOX], "bob", REVIEWER)
    assert make(bob, logon, answer["folders"][INBOX])[0][0] == ACCESS_DENIED
