"""`mapiwire store check`: mailboxes beside the running server, and what it says of damage."""
import sqlite3

from conftest import Server, run


def mail(server, *words, stdin=None):
    return run("mail", *words, "--server", f"127.0.0.1:{server.epm}", "-U", "DEMO\\alice", "--password-file",
               server.state / "alice.password", stdin=stdin)


def mailbox(state, address="alice@demo.test"):
    for path in (state / "mailboxes").glob("*.sqlite"):
        with sqlite3.connect(path) as database:
            if database.execute("SELECT owner_address FROM mailbox").fetchone() == (address,):
                return path
    raise AssertionError(address)


def test_beside_a_running_server(server):
    for i in range(3):
        mail(server, "save", "--subject", f"number {i}", stdin="text\n" * 40_000 * i)
        lines = sorted(run("store", "check", "--state", server.state).stdout.splitlines())
        assert [line.split(": ")[0] for line in lines] == ["alice@demo.test", "bob@demo.test", "zoe@demo.test"]
        assert all("whole, 19 folders" in line for line in lines) and f", {i + 1} messages" in lines[0]
    assert run("store", "check", "alice", "--state", server.state).stdout == lines[0] + "\n"
    assert mail(server, "list").stdout.count("number") == 3


def test_after_the_server_was_killed(state):
    server = Server(state)
    mail(server, "save", "--subject", "kept", stdin="x")
    server.kill()
    said = run("store", "check", "alice@demo.test", "--state", state).stdout
    assert "whole, 19 folders, 1 messages" in said


def test_damage(server, state):
    mail(server, "save", "--subject", "one", stdin="x")
    server.stop()
    path = mailbox(state)
    with sqlite3.connect(path, isolation_level=None) as database:
        database.execute("UPDATE folder SET unread = 7 WHERE name = 'Inbox'")
        page = database.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'message_size'").fetchone()[0]
        size = database.execute("PRAGMA page_size").fetchone()[0]
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    done = run("store", "check", path, check=False)
    assert done.returncode == 2 and "folders that count other messages than they hold: 1" in done.stdout
    with open(path, "r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    done = run("store", "check", "--state", state, check=False)
    assert done.returncode == 2 and "alice@demo.test: DAMAGED" in done.stdout and f"{page}" in done.stdout
    assert done.stdout.count(": whole") == 2 and not done.stderr
    path.write_bytes(b"no database " * 400)
    done = run("store", "check", "alice", "--state", state, check=False)
    assert done.returncode == 2 and "NOT CHECKED, file is not a database" in done.stdout


def test_mistakes_are_one_sentence(state, tmp_path):
    for words, what in [
        (["frob"], "say what to do"), (["check"], "say where the mailboxes are kept"),
        (["check", "alice"], "say where the users are kept"), (["check", "nobody", "--state", state], "there is no user nobody"),
        (["check", "--state", tmp_path / "nothing"], "cannot read"),
    ]:
        done = run("store", *words, check=False)
        assert done.returncode != 0 and what in done.stderr, (words, done.stderr)
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    done = run("store", "check", tmp_path / "no.sqlite", check=False)
    assert done.returncode == 2 and "NOT CHECKED, there is no such file" in done.stdout
