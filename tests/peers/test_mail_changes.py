"""`mapiwire mail`: folders, move, copy, delete, mark, search, watch and attachments, as a second client sees them whose ROPs are
built by hand."""
import hashlib
import json
import os
import random
import subprocess

import pytest

import rops
import rops_more as more
from conftest import program, run, wait_for
from rops import NO_HANDLE, SUBJECT_W, Store

INBOX, SENT, DELETED = 4, 6, 7
FLAGS, FLAG_STATUS = 0x0E070003, 0x10900003


@pytest.fixture
def mail(server):
    def command(*words, user="alice", stdin=None, check=True):
        return run("mail", *words, *access(server, user), stdin=stdin, check=check)
    return command


def access(server, user="alice"):
    return ("--server", f"127.0.0.1:{server.epm}", "-U", f"DEMO\\{user}", "--password-file",
            server.state / f"{user}.password", "--timeout", "20")


@pytest.fixture
def store(server):
    session = Store(server)
    session.log_on()
    yield session
    session.close()


def lines(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def listed(mail, folder="inbox"):
    return lines(mail("list", folder, "--json"))


def fill(mail, count):
    for i in range(count):
        mail("save", "--subject", f"m{i}", stdin=f"body {i}\n")


def subjects(store, folder):
    return sorted(row[SUBJECT_W] for row in store.rows(folder, [SUBJECT_W]))


def tree(mail):
    return {f["path"]: f for f in lines(mail("folders", "--json"))}


def folder_id(mail, path):
    return int(tree(mail)[path]["id"], 16)


def test_folders(mail, store):
    assert mail("folders", "create", "Projects/Old").stdout == "Created Projects/Old.\n"
    mail("folders", "create", "Projects/Old")  # it is there already
    assert {"Inbox", "Projects", "Projects/Old"} <= set(tree(mail))
    mail("save", "--subject", "kept", "--folder", "Projects/Old", stdin="x")
    assert subjects(store, folder_id(mail, "Projects/Old")) == ["kept"]
    mail("folders", "copy", "Projects", "Copies")
    mail("folders", "move", "Projects/Old", "Ancient")
    assert {"Copies/Old", "Ancient"} <= set(tree(mail)) and "Projects/Old" not in tree(mail)
    assert subjects(store, folder_id(mail, "Ancient")) == subjects(store, folder_id(mail, "Copies/Old")) == ["kept"]
    mail("folders", "delete", "Ancient")
    assert "Deleted Items/Ancient" in tree(mail)
    mail("folders", "delete", "Deleted Items/Ancient", "--hard")
    mail("folders", "empty", "Copies")
    assert not [path for path in tree(mail) if "Ancient" in path or path == "Copies/Old"]
    text = mail("folders").stdout.splitlines()
    assert text[0].split() == ["folder", "messages", "unread"] and any(line.startswith("Inbox") for line in text)
    assert mail("folders", "delete", "No", "--hard", check=False).returncode == 36
    assert mail("folders", "delete", "Inbox", "--hard", check=False).returncode != 0 and "Inbox" in tree(mail)


def test_move_copy_delete(mail, store):
    fill(mail, 6)
    assert mail("move", "1-2", "4", "sent").stdout == "Moved 3 messages to sent.\n"
    assert subjects(store, store.folders[SENT]) == ["m2", "m4", "m5"] and subjects(store, store.folders[INBOX]) == ["m0", "m1", "m3"]
    assert mail("copy", "all", "inbox", "--folder", "sent").stdout == "Copied 3 messages to inbox.\n"
    assert len(listed(mail)) == 6
    named = next(row["id"] for row in listed(mail) if row["subject"] == "m0")
    assert mail("delete", named).stdout == "Moved 1 message to Deleted Items.\n"
    assert subjects(store, store.folders[DELETED]) == ["m0"]
    mail("delete", "1", "--folder", "deleted")
    assert subjects(store, store.folders[DELETED]) == []
    mail("delete", "all", "--hard")
    assert listed(mail) == [] and subjects(store, store.folders[DELETED]) == []
    assert mail("delete", "all", check=False).returncode == 1


def test_many_at_once(mail, store):
    """More than one request takes: ids go in slices."""
    for i in range(0, 1200, 40):
        store.run([rop for n in range(40) for rop in (rops.create_message(store.folders[INBOX], out=n + 1), rops.save(at=n + 1))],
                  [store.root] + [NO_HANDLE] * 40)
    assert mail("move", "all", "sent").stdout == "Moved 1,200 messages to sent.\n"
    assert len(lines(mail("list", "sent", "--json", "--max", "2000"))) == 1200 and listed(mail) == []


def test_mark(mail, store):
    fill(mail, 3)

    def state():
        rows = store.rows(store.folders[INBOX], [SUBJECT_W, FLAGS, FLAG_STATUS])
        return {r[SUBJECT_W]: (bool(r[FLAGS] & 1), r[FLAG_STATUS]) for r in rows}

    mail("mark", "all", "unread")
    mail("mark", "1", "flag")
    assert state() == {"m0": (False, 0x8004010F), "m1": (False, 0x8004010F), "m2": (False, 2)}
    assert mail("list").stdout.splitlines()[1][4:8] == " *! "
    mail("mark", "1", "3", "read")
    mail("mark", "1", "unflag")
    assert state() == {"m0": (True, 0x8004010F), "m1": (False, 0x8004010F), "m2": (True, 0)}
    assert mail("mark", "1", "blue", check=False).returncode == 1


def test_search(mail, store):
    mail("folders", "create", "Projects")
    mail("save", "--subject", "Budget for spring", stdin="numbers\n")
    mail("save", "--subject", "Picnic", "--folder", "Projects", stdin="the budgetary side of cake\n")
    mail("save", "--subject", "Other", stdin="nothing here\n")
    found = lines(mail("search", "budget", "--json"))
    assert sorted((f["subject"], f["folder"]) for f in found) == [("Budget for spring", "Inbox"), ("Picnic", "Projects")]
    assert json.loads(mail("read", found[0]["id"], "--folder", found[0]["folder"], "--json").stdout)["subject"] == found[0]["subject"]
    assert [f["subject"] for f in lines(mail("search", "udget", "--folder", "Projects", "--json"))] == ["Picnic"]
    assert lines(mail("search", "--subject", "Other", "--from", "alice", "--json"))[0]["subject"] == "Other"
    assert lines(mail("search", "--since", "2020-01-01", "--before", "2021-01-01", "--json")) == []
    assert len(lines(mail("search", "--since", "2020-01-01", "--json"))) == 3
    mail("mark", "1", "unread")
    mail("mark", "2", "flag")
    assert [f["subject"] for f in lines(mail("search", "--unread", "--json"))] == ["Other"]
    assert [f["subject"] for f in lines(mail("search", "--flagged", "--json"))] == ["Budget for spring"]
    text = mail("search", "picnic").stdout
    assert "Projects" in text and "Picnic" in text
    assert mail("search", "nowhere").stdout == "Nothing was found.\n"
    finder = store.one(rops.open_folder(store.folders[10]), [store.root, NO_HANDLE])[1][1]
    assert store.one(rops.hierarchy_table(at=0, out=1), [finder, NO_HANDLE])[0]["rows"] == 0, "a search folder was left behind"
    assert mail("search", check=False).returncode == 1 and mail("search", "--since", "soon", check=False).returncode == 1


def test_send_with_everything(mail, tmp_path):
    data = random.Random(5).randbytes(3_000_000)
    (tmp_path / "big.bin").write_bytes(data)
    (tmp_path / "Grüße.txt").write_text("hello", encoding="utf-8")
    mail("send", "--subject", "All of it", "--to", "bob@demo.test", "--cc", "zoe@demo.test", "--bcc", "alice@demo.test",
         "--html", "--attach", tmp_path / "big.bin", "--attach", tmp_path / "Grüße.txt", stdin="<p>It is <b>there</b>.</p>")
    assert wait_for(lambda: listed(mail) and lines(mail("list", "--json", user="bob")) and lines(mail("list", "--json", user="zoe")))
    message = json.loads(mail("read", "1", "--json", user="bob").stdout)
    assert message["to"] == "bob@demo.test" and message["cc"] == "zoe@demo.test" and message["bcc"] == ""
    assert [a["name"] for a in message["attachments"]] == ["big.bin", "Grüße.txt"]
    where = tmp_path / "saved"
    where.mkdir()
    mail("attachments", "1", "--save", where, user="bob")
    mail("attachments", "1", "--save", where, user="bob")
    assert sorted(os.listdir(where)) == ["Grüße (2).txt", "Grüße.txt", "big (2).bin", "big.bin"]
    assert hashlib.sha256((where / "big.bin").read_bytes()).digest() == hashlib.sha256(data).digest()
    assert (where / "big (2).bin").read_bytes() == data and (where / "Grüße.txt").read_text() == "hello"
    assert "@" in mail("list", user="bob").stdout.splitlines()[1][:8]
    assert "big.bin" in mail("attachments", "1", user="bob").stdout and "Attachments:" in mail("read", "1", user="bob").stdout


@pytest.mark.parametrize("name, there", [("../../etc/x", "x"), ("..", "attachment"), ("a\x1b[2Jb\n", "a_[2Jb_"), ("/", "attachment"),
                                         (".hidden", "hidden"), ("C:\\dir\\file", "file"), ("long" * 100, ("long" * 100)[:180])])
def test_names_of_strangers(mail, store, tmp_path, name, there):
    """What a name of an attachment can say stays within the folder, and harmless."""
    handles = [store.root, NO_HANDLE, NO_HANDLE, NO_HANDLE]
    responses, _ = store.run([rops.create_message(store.folders[INBOX]), more.create_attachment(at=1, out=2),
                              rops.set_properties({0x37050003: 1, 0x3707001F: name, 0x37010102: b"data"}, at=2),
                              more.save_attachment(at=2, response=1), rops.save()], handles)
    assert all(r["status"] == 0 for r in responses)
    (tmp_path / "in").mkdir()
    done = mail("attachments", "1", "--save", tmp_path / "in")
    assert os.listdir(tmp_path / "in") == [there] and (tmp_path / "in" / there).read_bytes() == b"data"
    assert "\x1b" not in done.stdout + mail("attachments", "1").stdout + mail("read", "1").stdout


def test_watch(mail, server):
    with subprocess.Popen([program(), "mail", "watch", "--count", "2", "--json", *map(str, access(server, "bob"))],
                          stdout=subprocess.PIPE, text=True) as watching:
        try:
            # Registered once it has a session: mail that comes before is not new. So it is sent until two are seen.
            seen = []
            for i in range(40):
                mail("send", "--subject", f"news {i} \x1b[1m", "--to", "bob@demo.test", stdin="x")
                if wait_for(lambda: watching.poll() is not None, 0.4):
                    break
            seen = lines(type("Done", (), {"stdout": watching.stdout.read()}))
            assert watching.wait(timeout=10) == 0
        finally:
            watching.kill()
    assert len(seen) == 2 and all(m["from"] == "Alice Arnold" and m["subject"].startswith("news ") for m in seen)


@pytest.mark.parametrize("words", [["read", "1,2"], ["read", "all"], ["read", "0"], ["read", "3-1"], ["move", "1"], ["move", "x", "sent"],
                                   ["delete"], ["mark", "read"], ["attachments"], ["list", "a", "b"], ["folders", "burn", "Inbox"],
                                   ["folders", "move", "Inbox"], ["send", "--subject", "s", "--to", "a@b.c", "--attach", "/no/such"]])
def test_usage(mail, words):
    fill(mail, 2)
    done = mail(*words, check=False, stdin="")
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
