"""`mapiwire store backup`, `restore` and `compact`; mailboxes that move to another machine."""
import fcntl
import json
import shutil
import sqlite3
import subprocess

import pytest

from conftest import Server, make_state, program, run, wait_for
from rops import Store
from test_mail_files import access, many
from test_store_check import mailbox


def mail(server, *words, user="alice", check=True, **more):
    return run("mail", *words, *access(server, user), check=check, **more)


def subjects(server, user="alice"):
    listed = mail(server, "list", "--json", "--max", "100000", user=user, timeout=120).stdout
    return sorted(json.loads(line)["subject"] for line in listed.splitlines())


def count(path):
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        return database.execute("SELECT count(*) FROM message").fetchone()[0]


def test_backup_beside_writes(server, tmp_path):
    """While mail is imported: each copy is whole, a single file, and of one moment, and later ones have what earlier ones had."""
    path = many(tmp_path / "many.mbox", 600)
    seen = []
    with subprocess.Popen([program(), "mail", "import", path, *map(str, access(server))], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            to = tmp_path / f"copy{len(seen)}.sqlite"
            done = run("store", "backup", "alice", "--state", server.state, "--to", to)
            assert f"alice@demo.test: backed up to {to}, " in done.stdout and done.stderr == ""
            seen.append(count(to))
        assert process.wait() == 0, process.stderr.read() + server.errors()
    assert len(seen) > 2 and seen == sorted(seen) and seen[-1] > seen[0], seen
    copies = list(tmp_path.glob("copy*"))
    assert len(copies) == len(seen), "a log or a part was left behind"
    assert run("store", "check", *copies).stdout.count(": whole") == len(seen)


def test_backup_of_all(server, tmp_path):
    mail(server, "save", "--subject", "kept", stdin="x")
    (tmp_path / "copies").mkdir()
    assert run("store", "backup", "--state", server.state, "--to", tmp_path / "copies").stdout.count("backed up to") == 3
    assert sorted(p.name for p in (tmp_path / "copies").iterdir()) == [f"{n}@demo.test.sqlite" for n in ("alice", "bob", "zoe")]
    again = run("store", "backup", "alice", "--state", server.state, "--to", tmp_path / "copies", check=False)
    assert again.returncode == 2 and "the backup is there already" in again.stderr
    nowhere = run("store", "backup", "alice", "--state", server.state, "--to", "/no/such/copy", check=False)
    assert nowhere.returncode == 2 and "No such file" in nowhere.stderr


def test_restore(state, tmp_path):
    server, copy = Server(state), tmp_path / "alice.sqlite"
    for i in range(3):
        mail(server, "save", "--subject", f"m{i}", stdin="x")
    run("store", "backup", "alice", "--state", state, "--to", copy)
    mail(server, "delete", "all", "--hard")
    mail(server, "save", "--subject", "later", stdin="x")
    session = Store(server)
    session.log_on()
    busy = run("store", "restore", "--state", state, "alice", copy, "--force", check=False)
    assert busy.returncode == 1 and "the server has the mailbox" in busy.stderr
    session.close()
    server.kill()  # its log is left behind, and must not be read into what is restored
    refused = run("store", "restore", "--state", state, "alice", copy, check=False)
    assert refused.returncode == 1 and "--force" in refused.stderr
    server = Server(state)
    assert subjects(server) == ["later"]
    server.kill()
    assert "restored from" in run("store", "restore", "--state", state, "alice", copy, "--force").stdout
    assert "whole" in run("store", "check", "--state", state, "alice").stdout
    server = Server(state)
    assert subjects(server) == ["m0", "m1", "m2"]
    mail(server, "save", "--subject", "after", stdin="x")
    assert len(subjects(server)) == 4
    server.stop()


def test_restore_refuses(state, tmp_path):
    Server(state).stop()
    copy = tmp_path / "alice.sqlite"
    run("store", "backup", "alice", "--state", state, "--to", copy)
    other = run("store", "restore", "--state", state, "bob", copy, "--force", check=False)
    assert other.returncode == 1 and "--adopt" in other.stderr
    with sqlite3.connect(copy) as database:
        database.execute("UPDATE folder SET unread = 7 WHERE name = 'Inbox'")
    damaged = run("store", "restore", "--state", state, "alice", copy, "--force", check=False)
    assert damaged.returncode == 2 and "it is damaged itself" in damaged.stderr
    copy.write_bytes(b"nothing of the kind" * 100)
    assert run("store", "restore", "--state", state, "alice", copy, "--force", check=False).returncode == 2
    assert run("store", "restore", "--state", state, "alice", tmp_path / "no.sqlite", check=False).returncode == 1
    assert run("store", "check", "--state", state).stdout.count(": whole") == 3
    assert not list((state / "mailboxes").glob("*.part"))


def test_on_another_machine(state, tmp_path):
    """A mailbox of one server becomes that of a user of another."""
    server = Server(state)
    mail(server, "save", "--subject", "well travelled", stdin="x" * 100_000)
    mail(server, "folders", "create", "Projects/Old")
    server.stop()
    there = make_state(tmp_path)
    done = run("store", "restore", "--state", there, "zoe", mailbox(state), "--force", "--adopt")
    assert "zoe@demo.test: restored from" in done.stdout
    server = Server(there)
    assert subjects(server, "zoe") == ["well travelled"] and subjects(server, "alice") == []
    assert json.loads(mail(server, "read", "1", "--json", user="zoe").stdout)["body"] == "x" * 100_000
    mail(server, "send", "--subject", "new", "--to", "zoe@demo.test", user="alice", stdin="x")
    assert wait_for(lambda: subjects(server, "zoe") == ["new", "well travelled"])
    server.stop()


def test_files_moved(state, tmp_path):
    """The state directory as it lies there, its server down, opens on another machine, with what the log had when the server was
    killed; and so does one mailbox file that goes back to where it was."""
    server = Server(state)
    mail(server, "save", "--subject", "one", stdin="x")
    server.kill()
    shutil.copytree(state, tmp_path / "moved")
    for left in state.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    server = Server(tmp_path / "moved")
    assert subjects(server) == ["one"]
    mail(server, "save", "--subject", "two", stdin="x")
    server.stop()
    assert not list((tmp_path / "moved" / "mailboxes").glob("*-wal")), "closed in peace, the file is all there is"
    path = mailbox(tmp_path / "moved")
    shutil.move(path, tmp_path / path.name)
    shutil.move(tmp_path / path.name, path)
    server = Server(tmp_path / "moved")
    assert subjects(server) == ["one", "two"]
    server.stop()


def test_compact(server, tmp_path):
    mail(server, "import", many(tmp_path / "many.mbox", 500), timeout=120)
    mail(server, "save", "--subject", "stays", stdin="y" * 200_000)
    mail(server, "delete", "2-501", "--hard")
    path = mailbox(server.state)
    session = Store(server)
    session.log_on()
    busy = run("store", "compact", "alice", "--state", server.state, "--wait", "1", check=False)
    assert busy.returncode == 2 and "the server has it open" in busy.stderr and busy.stdout == ""
    session.close()
    done = run("store", "compact", "alice", "--state", server.state)  # the server lets go, and goes on
    assert "alice@demo.test: compacted, " in done.stdout
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        assert database.execute("PRAGMA freelist_count").fetchone()[0] == 0
    assert path.stat().st_size < 700_000, done.stdout
    assert subjects(server) == ["stays"] and "whole" in run("store", "check", path).stdout
    assert json.loads(mail(server, "read", "1", "--json").stdout)["body"] == "y" * 200_000
    assert run("store", "compact", "--state", server.state).stdout.count("compacted") == 3


def test_a_mailbox_that_a_tool_has(server):
    """Who logs on meanwhile is told so, and gets in once it is done."""
    path = mailbox(server.state)
    with open(f"{path}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = mail(server, "list", check=False)
        assert done.returncode != 0 and done.stderr.count("\n") == 1
    assert mail(server, "list").returncode == 0


@pytest.mark.parametrize("words, what", [(["backup", "--state", "x"], "say where to"), (["restore", "--state", "x", "alice"], "say whose"),
                                         (["restore", "alice", "f"], "say whose"), (["compact"], "say where the mailboxes"),
                                         (["backup", "alice", "--to", "y"], "say where the users")])
def test_usage(words, what):
    done = run("store", *words, check=False)
    assert done.returncode == 1 and what in done.stderr and done.stderr.count("\n") == 1
