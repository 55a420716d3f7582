"""`mapiwire mail`: messages saved, listed and read back through the store."""
import json
import random
import re

import pytest
from conftest import run, wait_for


@pytest.fixture
def mail(server):
    def command(*words, user="alice", stdin=None, check=True):
        return run("mail", *words, "--server", f"127.0.0.1:{server.epm}", "-U", f"DEMO\\{user}", "--password-file",
                   server.state / f"{user}.password", "--timeout", "10", stdin=stdin, check=check)
    return command


def listed(mail, *words, **more):
    return [json.loads(line) for line in mail("list", *words, "--json", **more).stdout.splitlines()]


def test_empty_folder(mail):
    assert mail("list").stdout == "The folder is empty.\n" and listed(mail) == []


def test_send_list_read(mail):
    mail("save", "--subject", "First", "--to", "bob@demo.test,carol@else.test", stdin="Hello,\nworld\n")
    mail("save", "--subject", "Grüße — 日本語 🙂", stdin="zweite\n")
    rows = listed(mail)
    assert [r["subject"] for r in rows] == ["Grüße — 日本語 🙂", "First"] and [r["no"] for r in rows] == [1, 2]
    assert all(r["from"] == "Alice Arnold" and r["size"] > 0 for r in rows)
    assert re.match(r"\d{4}-\d\d-\d\d ", rows[0]["date"])
    message = json.loads(mail("read", "2", "--json").stdout)
    assert message["body"] == "Hello,\nworld\n" and message["subject"] == "First"
    assert message["to"] == "bob@demo.test; carol@else.test"


def test_send_delivers(mail):
    done = mail("send", "--subject", "Lunch?", "--to", "bob@demo.test,nobody@demo.test", stdin="At noon.\n")
    assert done.stdout == "Sent; a copy is in Sent Items.\n"
    wait_for(lambda: listed(mail, user="bob") and listed(mail) and listed(mail, "sent"))
    message = json.loads(mail("read", "1", "--json", user="bob").stdout)
    assert (message["subject"], message["body"], message["from"]) == ("Lunch?", "At noon.\n", "Alice Arnold")
    report = mail("read", "1").stdout
    assert "Undeliverable: Lunch?" in report and "nobody@demo.test: there is no such recipient" in report


def test_what_people_see(mail):
    mail("save", "--subject", "A very long subject " * 20, stdin="one\n\ttwo \x1b[31mred\n")
    mail("save", "--subject", "short \x1b]0;title\x07", stdin="x")
    lines = mail("list").stdout.splitlines()
    assert lines[0].split() == ["no", "date", "from", "subject", "size"]
    assert len({len(line) for line in lines}) == 1, lines
    text = mail("read", "2").stdout
    assert "Subject: A very long subject" in text and "one\n\ttwo \\x1b[31mred\n" in text
    assert "\x1b" not in text + "\n".join(lines)


@pytest.mark.parametrize("size", [0, 1, 4095, 8192, 8193, 16384, 100_000, 1_000_000])
def test_bodies_of_every_size(mail, size):
    """Small ones travel as properties, large ones as streams, both ways."""
    letters = random.Random(size)
    body = "".join(letters.choice("abcdefghij äöü€\n") for _ in range(size))
    mail("save", "--subject", f"{size}", stdin=body)
    assert json.loads(mail("read", "1", "--json").stdout)["body"] == body


def test_many_rows(mail):
    for i in range(60):
        mail("save", "--subject", f"no {i}", stdin="x")
    assert len(listed(mail)) == 50 and len(listed(mail, "--max", "1000")) == 60
    assert "50 of 60; --max 60 shows all." in mail("list").stdout
    assert json.loads(mail("read", "60", "--json").stdout)["subject"] == "no 0"


def test_folders(mail):
    mail("save", "--subject", "kept", "--folder", "sent", stdin="x")
    assert [r["subject"] for r in listed(mail, "sent")] == ["kept"] and listed(mail, "inbox") == []
    assert [r["subject"] for r in listed(mail, "Sent Items")] == ["kept"]
    for name in ("outbox", "deleted", "Drafts"):
        assert listed(mail, name) == []
    done = mail("list", "No/Such", check=False)
    assert done.returncode == 36 and "no folder No" in done.stderr


def test_everybody_has_his_own(mail):
    mail("save", "--subject", "mine", stdin="x")
    assert listed(mail, user="bob") == []


def test_failures(mail, server):
    assert mail("read", "1", check=False).returncode == 1
    done = run("mail", "list", "--server", f"127.0.0.1:{server.epm}", "-U", "DEMO\\alice", "--password-file",
               server.state / "bob.password", check=False)
    assert done.returncode == 20 and done.stderr.count("\n") == 1


@pytest.mark.parametrize("words", [[], ["burn"], ["list"], ["read", "--server", "h"], ["read", "x", "--server", "h"],
                                   ["save", "--server", "h"], ["send", "--server", "h", "--subject", "s"],
                                   ["send", "--server", "h", "--subject", "s", "--to", "a@b.c", "--folder", "sent"],
                                   ["send", "--server", "h", "--subject", "s", "--to", "nobody"]])
def test_usage(words):
    done = run("mail", *words, check=False, stdin="")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
