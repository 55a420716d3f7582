"""Folders changed, from [MS-OXCFOLD]: by ROPs that are built by hand."""
import pytest

import rops
import rops_more as more
from rops import CLASS_W, CONTENT_COUNT, FOLDER_ID, MID, NAME_W, NO_HANDLE, SUBJECT_W, Store

INBOX, SENT, DELETED, SUBTREE = 4, 6, 7, 3
NOT_FOUND, DUPLICATE, INVALID, DENIED, CYCLE, NULL_DESTINATION = 0x8004010F, 0x80040604, 0x80070057, 0x80070005, 0x504, 0x503
ROOT_FOLDER = 0x8004060B
DEL_MESSAGES, DEL_FOLDERS, HARD = 1, 4, 0x10


@pytest.fixture
def store(server):
    session = Store(server)
    session.log_on()
    yield session
    session.close()


def open_handle(store, folder):
    return store.one(rops.open_folder(folder), [store.root, NO_HANDLE])[1][1]


def make(store, parent, name, **options):
    """A new folder: its id and a handle."""
    response, table = store.one(more.create_folder(name, **options), [open_handle(store, parent), NO_HANDLE])
    return response["folder"], table[1]


def children(store, folder):
    responses, _ = store.run([rops.hierarchy_table(at=0, out=1), rops.set_columns([NAME_W, FOLDER_ID, CONTENT_COUNT], at=1),
                              rops.query_rows(at=1)], [open_handle(store, folder), NO_HANDLE])
    assert [r["status"] for r in responses] == [0, 0, 0]
    return {row[NAME_W]: row for row in responses[2]["row_list"]}


def subjects(store, folder):
    return sorted(row[SUBJECT_W] for row in store.rows(folder, [SUBJECT_W]))


def save_large(store, folder, subject, unit, kind=None):
    """A message with a body of 80,000 bytes, beyond what a record keeps."""
    values = {SUBJECT_W: subject, **({CLASS_W: kind} if kind else {})}
    _, table = store.run([rops.create_message(folder), rops.set_properties(values), rops.open_stream(rops.BODY_W, mode=2)],
                         [store.root, NO_HANDLE, NO_HANDLE])
    for _ in range(4):
        store.one(rops.write_stream(unit * 10000), table)
    responses, _ = store.run([rops.commit_stream(), rops.save()], table)
    assert [r["status"] for r in responses] == [0, 0]
    return responses[1]["message"]


def status_of(store, rop, handles):
    return store.run([rop], handles)[0][0]["status"]


# ---- RopCreateFolder, 2.2.1.2 ----

def test_create_folder(store):
    inbox = store.folders[INBOX]
    folder, handle = make(store, inbox, "Project", comment="all of it")
    assert set(children(store, inbox)) == {"Project"}
    assert store.one(rops.get_properties([NAME_W, 0x3004001F], at=0), [handle])[0]["row"] == {
        NAME_W: "Project", 0x3004001F: "all of it"}
    again = more.create_folder("PROJECT")  # case does not count
    assert status_of(store, again, [open_handle(store, inbox), NO_HANDLE]) == DUPLICATE
    assert make(store, inbox, "PROJECT", existing=1)[0] == folder
    store.close()


def test_create_folder_refuses(store):
    inbox = open_handle(store, store.folders[INBOX])
    assert status_of(store, more.create_folder("What", kind=9), [inbox, NO_HANDLE]) == INVALID
    assert status_of(store, more.create_folder(""), [inbox, NO_HANDLE]) == INVALID
    assert status_of(store, more.create_folder("x" * 256), [inbox, NO_HANDLE]) == INVALID
    assert children(store, store.folders[INBOX]) == {}


# ---- RopDeleteFolder, 2.2.1.3 ----

def test_delete_folder_by_its_flags(store):
    inbox = store.folders[INBOX]
    folder, _ = make(store, inbox, "Outer")
    make(store, folder, "Inner")
    store.save_message(folder, {SUBJECT_W: "inside"})
    handle = open_handle(store, inbox)
    for flags in (0, DEL_MESSAGES, HARD):
        response = store.run([more.delete_folder(folder, flags)], [handle])[0][0]
        assert (response["status"], response["partial"]) == (0, 1)
        assert "Outer" in children(store, inbox)
    response = store.run([more.delete_folder(folder, DEL_MESSAGES | DEL_FOLDERS)], [handle])[0][0]
    assert (response["status"], response["partial"]) == (0, 0)
    assert children(store, inbox) == {}
    assert status_of(store, rops.open_folder(folder), [store.root, NO_HANDLE]) == NOT_FOUND


def test_delete_folder_refuses(store):
    inbox, subtree = open_handle(store, store.folders[INBOX]), open_handle(store, store.folders[SUBTREE])
    folder, _ = make(store, store.folders[INBOX], "Mine")
    assert status_of(store, more.delete_folder(folder), [subtree]) == NOT_FOUND  # not one of its
    assert status_of(store, more.delete_folder(store.folders[INBOX], 5), [subtree]) == DENIED
    assert status_of(store, more.delete_folder(store.folders[0], 5), [inbox]) == ROOT_FOLDER
    assert status_of(store, more.delete_folder(folder, 0x40), [inbox]) == INVALID
    assert "Mine" in children(store, store.folders[INBOX])


# ---- RopEmptyFolder 2.2.1.9, RopHardDeleteMessagesAndSubfolders 2.2.1.10 ----

@pytest.mark.parametrize("hard", [False, True])
def test_empty_folder(store, hard):
    folder, handle = make(store, store.folders[INBOX], "Full")
    inner, _ = make(store, folder, "Inner")
    for where in (folder, inner):
        store.save_message(where, {SUBJECT_W: "gone"})
    fai = rops.head(0x06, 0, 1) + b"\xff\x0f" + folder.to_bytes(8, "little") + b"\1"
    responses, _ = store.run([fai, rops.set_properties({SUBJECT_W: "hidden"}), rops.save()], [store.root, NO_HANDLE])
    assert [r["status"] for r in responses] == [0, 0, 0]
    response = store.one(more.empty_folder(hard=hard), [handle])[0]
    assert response["partial"] == 0
    assert children(store, folder) == {} and subjects(store, folder) == []
    counts = [CONTENT_COUNT, 0x36170003]
    assert store.one(rops.get_properties(counts, at=0), [handle])[0]["row"] == {CONTENT_COUNT: 0, 0x36170003: 1}
    store.one(more.empty_folder(associated=1, hard=hard), [handle])
    assert store.one(rops.get_properties(counts, at=0), [handle])[0]["row"] == {CONTENT_COUNT: 0, 0x36170003: 0}


# ---- RopDeleteMessages 2.2.1.11, RopHardDeleteMessages 2.2.1.12 ----

@pytest.mark.parametrize("hard", [False, True])
def test_delete_messages(store, hard):
    inbox = store.folders[INBOX]
    ids = [store.save_message(inbox, {SUBJECT_W: f"m{i}"}) for i in range(5)]
    elsewhere = store.save_message(store.folders[SENT], {SUBJECT_W: "elsewhere"})
    handle = open_handle(store, inbox)
    response = store.one(more.delete_messages(ids[:2], hard=hard), [handle])[0]
    assert response["partial"] == 0 and subjects(store, inbox) == ["m2", "m3", "m4"]
    response = store.one(more.delete_messages([ids[0], ids[2], elsewhere], hard=hard), [handle])[0]
    assert response["partial"] == 1 and subjects(store, inbox) == ["m3", "m4"]
    assert subjects(store, store.folders[SENT]) == ["elsewhere"]
    assert status_of(store, rops.open_message(inbox, ids[0]), [store.root, NO_HANDLE]) == NOT_FOUND


# ---- RopMoveCopyMessages, 2.2.1.6 ----

def test_move_messages(store):
    inbox, sent = store.folders[INBOX], store.folders[SENT]
    ids = [save_large(store, inbox, f"m{i}", b"x\0") for i in range(2)]
    handles = [open_handle(store, inbox), open_handle(store, sent)]
    assert store.one(more.move_copy_messages(ids[:1]), handles)[0]["partial"] == 0
    assert subjects(store, inbox) == ["m1"] and subjects(store, sent) == ["m0"]
    moved = store.rows(sent, [MID])[0][MID]
    assert moved != ids[0]
    size = store.run([rops.open_message(sent, moved), rops.open_stream(rops.BODY_W)], [store.root, NO_HANDLE, NO_HANDLE])[0][1]
    assert size["status"] == 0 and size["size"] == 80000
    assert store.one(more.move_copy_messages(ids), handles)[0]["partial"] == 1  # the first is no longer there
    assert subjects(store, inbox) == [] and subjects(store, sent) == ["m0", "m1"]


def test_copy_messages(store):
    inbox, sent = store.folders[INBOX], store.folders[SENT]
    mid = save_large(store, inbox, "twice", b"y\0", "IPM.Note.Own")
    handles = [open_handle(store, inbox), open_handle(store, sent)]
    store.one(more.move_copy_messages([mid], copy=1), handles)
    assert subjects(store, inbox) == subjects(store, sent) == ["twice"]
    store.one(more.delete_messages([mid]), handles[:1])  # the copy has its own body
    row = store.rows(sent, [MID, CLASS_W])[0]
    assert row[CLASS_W] == "IPM.Note.Own"
    responses, _ = store.run([rops.open_message(sent, row[MID]), rops.open_stream(rops.BODY_W), rops.read_stream(100)],
                             [store.root, NO_HANDLE, NO_HANDLE])
    assert responses[2]["data"] == b"y\0" * 50


def test_a_null_destination_is_told(store):
    handle = open_handle(store, store.folders[INBOX])
    folder, _ = make(store, store.folders[INBOX], "Stays")
    for rop in (more.move_copy_messages([1], to=1), more.move_folder(folder, "x", to=1), more.copy_folder(folder, "x", to=1)):
        response = store.run([rop], [handle, NO_HANDLE])[0][0]
        assert (response["status"], response["partial"]) == (NULL_DESTINATION, 0)


# ---- RopMoveFolder 2.2.1.7, RopCopyFolder 2.2.1.8 ----

def test_move_folder(store):
    inbox, sent = store.folders[INBOX], store.folders[SENT]
    folder, _ = make(store, inbox, "Travels")
    store.save_message(folder, {SUBJECT_W: "along"})
    make(store, sent, "Taken")
    handles = [open_handle(store, inbox), open_handle(store, sent)]
    assert status_of(store, more.move_folder(folder, "taken"), handles) == DUPLICATE
    assert store.one(more.move_folder(folder, "Arrived"), handles)[0]["partial"] == 0
    assert children(store, inbox) == {} and children(store, sent)["Arrived"][FOLDER_ID] == folder
    assert subjects(store, folder) == ["along"]
    assert status_of(store, more.move_folder(folder, "Arrived"), handles) == NOT_FOUND
    inner, inner_handle = make(store, folder, "Inner")
    assert status_of(store, more.move_folder(folder, "Loop"), [handles[1], inner_handle]) == CYCLE
    subtree = open_handle(store, store.folders[SUBTREE])
    assert status_of(store, more.move_folder(store.folders[INBOX], "Mine"), [subtree, handles[1]]) == DENIED


@pytest.mark.parametrize("deep", [0, 1])
def test_copy_folder(store, deep):
    inbox, sent = store.folders[INBOX], store.folders[SENT]
    folder, _ = make(store, inbox, "Origin", comment="said")
    inner, _ = make(store, folder, "Inner")
    store.save_message(folder, {SUBJECT_W: "one"})
    store.save_message(inner, {SUBJECT_W: "two"})
    handles = [open_handle(store, inbox), open_handle(store, sent)]
    assert store.one(more.copy_folder(folder, "Copy", deep=deep), handles)[0]["partial"] == 0
    copy = children(store, sent)["Copy"][FOLDER_ID]
    assert copy != folder and subjects(store, copy) == ["one"] and subjects(store, folder) == ["one"]
    below = children(store, copy)
    assert set(below) == ({"Inner"} if deep else set())
    if deep:
        assert subjects(store, below["Inner"][FOLDER_ID]) == ["two"]
    row = store.one(rops.get_properties([0x3004001F], at=0), [open_handle(store, copy)])[0]["row"]
    assert row == {0x3004001F: "said"}
    assert status_of(store, more.copy_folder(folder, "Copy"), handles) == DUPLICATE


# ---- Receive folders, [MS-OXCSTOR] 2.2.1.3, 2.2.1.4 ----

def receivers(store):
    rows = store.one(rops.head(0x68, 0), [store.root])[0]["rows"]
    return {row[0x001A001E].upper(): row[0x67480014] for row in rows}


def test_receive_folders(store):
    inbox, sent = store.folders[INBOX], store.folders[SENT]
    before = receivers(store)
    assert before[b""] == before[b"IPM"] == before[b"REPORT.IPM"] == inbox
    store.one(more.set_receive_folder(sent, b"IPM.Fax"), [store.root])
    assert receivers(store) == {**before, b"IPM.FAX": sent}
    response = store.one(rops.get_receive_folder("IPM.Fax.Colour"), [store.root])[0]
    assert (response["folder"], response["class"]) == (sent, b"IPM.Fax")
    store.one(more.set_receive_folder(inbox, b"ipm.fax"), [store.root])
    assert receivers(store)[b"IPM.FAX"] == inbox
    store.one(more.set_receive_folder(0, b"IPM.Fax"), [store.root])
    assert receivers(store) == before


def test_receive_folders_refuse(store):
    inbox, error = store.folders[INBOX], 0x80004005
    for folder, message_class, status in (
            (0, b"", error), (inbox, b"IPM", DENIED), (0, b"report.ipm", DENIED), (inbox, b".x", INVALID),
            (inbox, b"x.", INVALID), (inbox, b"a..b", INVALID), (inbox, b"a\x01b", INVALID), (inbox, b"a\xe4b", INVALID),
            (inbox, b"x" * 256, INVALID), (inbox + (1 << 60), b"IPM.X", NOT_FOUND)):
        assert status_of(store, more.set_receive_folder(folder, message_class), [store.root]) == status, message_class


def test_store_state_and_address_types(store):
    assert store.one(rops.head(0x7B, 0), [store.root])[0]["state"] == 0
    assert store.one(rops.head(0x49, 0), [store.root])[0]["types"] == [b"EX", b"SMTP"]


# ---- What observers hear ([MS-OXCNOTIF] 2.2.1.4.1.2) and tables show ----

def test_moves_copies_and_deletions_are_told(store):
    inbox, sent = store.folders[INBOX], store.folders[SENT]
    mid = store.save_message(inbox, {SUBJECT_W: "told"})
    handles = [open_handle(store, inbox), open_handle(store, sent)]
    store.one(rops.register_notification(0x68), [store.root, NO_HANDLE])
    store.one(more.move_copy_messages([mid], copy=1), handles)
    store.one(more.move_copy_messages([mid]), handles)
    folder, _ = make(store, inbox, "F")
    store.one(more.move_folder(folder, "G"), handles)
    store.one(more.delete_folder(folder), handles[1:])
    store.run([], [])
    kinds = [n["flags"] & 0xFFF for n in store.news]
    assert kinds == [0x40, 0x20, 0x20, 8]
    assert all(n["folder"] == sent for n in store.news[:2]) and store.news[2]["folder"] == folder
    assert store.news[2]["parent"] == sent and store.news[3]["parent"] == sent


def test_a_table_that_is_open_follows(store):
    inbox, sent = store.folders[INBOX], store.folders[SENT]
    ids = [store.save_message(inbox, {SUBJECT_W: f"m{i}"}) for i in range(3)]
    handles = [open_handle(store, inbox), open_handle(store, sent)]
    responses, table = store.run([rops.contents_table(at=0, out=1), rops.set_columns([SUBJECT_W], at=1)], [handles[0], NO_HANDLE])
    table = table[1]
    store.one(more.move_copy_messages(ids[:1]), handles)
    store.one(more.delete_messages(ids[1:2]), handles[:1])
    rows = store.one(rops.query_rows(at=0), [table])[0]["row_list"]
    assert [row[SUBJECT_W] for row in rows] == ["m2"]
