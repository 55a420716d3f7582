"""`mapiwire mail import` and `export`: what Python's email and mailbox modules write comes in, and what goes out they read as
the same; a second client sees the properties ([MS-OXCMAIL])."""
import email
import email.header
import email.message
import email.policy
import json
import mailbox
import os
import pty
import random
import re
import subprocess
import time

import pytest

import rops
from conftest import program, run
from rops import NO_HANDLE, SUBJECT_W, Store

INBOX = 4
FLAGS, SENDER, SENT_TIME, MESSAGE_ID, IMPORTANCE = 0x0E070003, 0x5D01001F, 0x00390040, 0x1035001F, 0x00170003


def access(server, user="alice"):
    return ("--server", f"127.0.0.1:{server.epm}", "-U", f"DEMO\\{user}", "--password-file",
            server.state / f"{user}.password", "--timeout", "30")


@pytest.fixture
def mail(server):
    def command(*words, check=True, **more):
        return run("mail", *words, *access(server), check=check, **more)
    return command


def said(text):
    """stderr without what the address sanitizer has to say about tasks."""
    return "".join(line for line in text.splitlines(True) if "fully support makecontext" not in line)


def make(i, rnd):
    m = email.message.EmailMessage()
    m["From"] = f"Anna Ålund {i} <anna{i}@else.test>"
    m["To"] = "Alice Arnold <alice@demo.test>, \"Comma, Carl\" <carl@else.test>"
    m["Cc"] = "山田 太郎 <taro@else.test>"
    m["Subject"] = rnd.choice(["Re: Grüße", "日本語の件名", "plain", "ünïcode " * 12]) + f" {i}"
    m["Date"] = f"Tue, {1 + i % 28:02} Mar 2022 10:{i % 60:02}:00 +0100"
    m["Message-ID"] = f"<m{i}@else.test>"
    m["In-Reply-To"] = f"<r{i}@else.test>"
    m["References"] = f"<q{i}@else.test> <r{i}@else.test>"
    m["X-Mailer"] = "test"
    m["Received"] = "from a by b; Tue, 01 Mar 2022 12:00:00 +0000"
    m.set_content("".join(rnd.choice("abc äöü €\n") for _ in range(rnd.randint(1, 300))) + "\nFrom here on\n>From there\n.\n")
    if i % 3 == 0:
        m.add_alternative(f"<p>h&auml;llo {i} <img src=\"cid:pic@else\"></p>", subtype="html")
    if i % 6 == 0:
        m.get_payload()[1].add_related(rnd.randbytes(500), "image", "png", cid="<pic@else>", filename="pic.png")
    if i % 4 == 0:
        m.add_attachment(rnd.randbytes(rnd.randint(0, 90000)), "application", "x-thing", filename=f"Anhang ä {i}.bin")
    if i % 10 == 0:
        inner = email.message.EmailMessage()
        inner["Subject"], inner["From"] = "inner ü", "deep@else.test"
        inner.set_content("deep down\n")
        inner.add_attachment(b"deepest", "text", "x-odd", filename="deepest.txt")
        m.add_attachment(inner)
    return m


def text(message, name):
    value = message[name]
    return None if value is None else " ".join(str(email.header.make_header(email.header.decode_header(str(value)))).split())


def lines(data):
    return data.replace("\r\n", "\n").rstrip("\n")


def told(message):
    """What a message says, whatever its form."""
    plain = message.get_body(("plain",))
    html = message.get_body(("html",))
    parts = []
    for part in message.walk():
        if part.get_content_type() == "message/rfc822":
            parts.append(("message", text(part.get_payload()[0], "Subject")))
        elif part.get_filename():
            parts.append((part.get_filename(), part.get_content_type(), part.get_payload(decode=True), part["Content-ID"]))
    return {**{name: text(message, name) for name in ("From", "To", "Cc", "Bcc", "Subject", "Message-ID", "In-Reply-To", "References",
                                                       "X-Mailer", "Received", "Importance")},
            "date": email.utils.parsedate_to_datetime(str(message["Date"])).timestamp(),
            "plain": lines(plain.get_content()) if plain else None, "html": lines(html.get_content()) if html else None,
            "parts": sorted(parts, key=str)}


def read(data):
    return email.message_from_bytes(data, policy=email.policy.default)


def by_id(messages):
    return {text(m, "Message-ID"): told(m) for m in messages}


def test_mbox_there_and_back(mail, server, tmp_path):
    """Every header, body and attachment that Python wrote, Python reads again; the server keeps them as [MS-OXCMAIL] says."""
    rnd = random.Random(11)
    messages = [make(i, rnd) for i in range(60)]
    (tmp_path / "in.mbox").write_bytes(b"".join(
        b"From a@b Tue Mar  1 10:00:00 2022\n" + re.sub(rb"(?m)^(>*From )", rb">\1", m.as_bytes()) + b"\n" for m in messages))
    assert mail("import", tmp_path / "in.mbox").stdout.startswith("Imported 60 messages into inbox in ")
    mail("export", "--mbox", tmp_path / "out.mbox")
    out = [read(re.sub(rb"(?m)^>(>*From )", rb"\1", part)) for part in  # mboxrd, which Python's mailbox does not undo
           re.split(rb"(?m)^From .*\n", (tmp_path / "out.mbox").read_bytes())[1:]]
    wanted = by_id(read(m.as_bytes()) for m in messages)
    got = by_id(out)
    assert len(out) == 60 == len(mailbox.mbox(tmp_path / "out.mbox"))
    assert set(got) == set(wanted)
    for key, value in wanted.items():
        assert got[key] == value, key
    store = Store(server)
    store.log_on()
    rows = {r[MESSAGE_ID]: r for r in store.rows(store.folders[INBOX], [MESSAGE_ID, FLAGS, SENDER, SENT_TIME, SUBJECT_W], count=100)}
    row = rows["<m7@else.test>"]
    assert row[FLAGS] & 1 and row[SENDER] == "anna7@else.test"
    assert row[SENT_TIME] // 10_000_000 - 11644473600 == int(wanted["<m7@else.test>"]["date"])
    store.close()


def test_eml_there_and_back(mail, tmp_path):
    rnd = random.Random(3)
    (tmp_path / "out").mkdir()
    for i in (0, 4, 6, 9, 10, 12):
        (tmp_path / f"{i}.eml").write_bytes(make(i, rnd).as_bytes(policy=email.policy.SMTP))
    mail("import", *sorted(tmp_path.glob("*.eml")))
    mail("export", "--eml", tmp_path / "out")
    out = by_id(read(path.read_bytes()) for path in (tmp_path / "out").iterdir())
    assert out == by_id(read(path.read_bytes()) for path in tmp_path.glob("*.eml"))
    assert all(b"\n" not in path.read_bytes().replace(b"\r\n", b"") for path in (tmp_path / "out").iterdir())
    mail("export", "1", "--eml", tmp_path / "one.eml")
    assert text(read((tmp_path / "one.eml").read_bytes()), "Message-ID") in out
    assert mail("export", "1", "--eml", tmp_path / "one.eml", check=False).returncode == 2, "it was there already"


def test_maildir_there_and_back(mail, tmp_path):
    """Flags too: seen, flagged, replied."""
    rnd = random.Random(4)
    box = mailbox.Maildir(tmp_path / "in")
    flags = {0: "S", 1: "FS", 2: "", 3: "RS", 4: "F"}
    for i, f in flags.items():
        m = mailbox.MaildirMessage(make(i, rnd))
        m.set_subdir("cur")
        m.set_flags(f)
        box.add(m)
    new = mailbox.MaildirMessage(make(5, rnd))
    box.add(new)
    mail("import", tmp_path / "in")
    mail("export", "--maildir", tmp_path / "out")
    out = mailbox.Maildir(tmp_path / "out", create=False)
    assert {text(m, "Message-ID"): m.get_flags() for m in out} == {
        **{f"<m{i}@else.test>": "".join(sorted(f)) for i, f in flags.items()}, "<m5@else.test>": ""}
    assert by_id(read(m.as_bytes()) for m in out) == by_id(read(m.as_bytes()) for m in mailbox.Maildir(tmp_path / "in"))
    assert [r["subject"] for r in map(json.loads, mail("search", "--unread", "--json").stdout.splitlines())]


def many(path, count):
    rnd = random.Random(1)
    with open(path, "wb") as f:
        for i in range(count):
            body = "".join(rnd.choice(("lunch ", "plan ", "server ", "notes\n")) for _ in range(rnd.randint(20, 200)))
            f.write(f"From a@b Tue Mar  1 10:00:00 2022\nFrom: Ann <ann@else.test>\nTo: alice@demo.test\nSubject: note {i}\n"
                    f"Date: Tue, 01 Mar 2022 10:00:00 +0000\nMessage-ID: <n{i}@else.test>\n\n{body}\n\n".encode())
    return path


def test_large_mbox(serve, monkeypatch, tmp_path):
    """Two thousand messages, in several sessions at once: each is there once, and the mailbox is whole. Without sanitizers, where
    there is such a build."""
    monkeypatch.setenv("MAPIWIRE", os.environ.get("MAPIWIRE_PLAIN") or program())
    server = serve()
    done = run("mail", "import", many(tmp_path / "many.mbox", 2000), "--json", *access(server), timeout=300)
    assert json.loads(done.stdout)["imported"] == 2000 and said(done.stderr) == ""
    listed = run("mail", "list", "--json", "--max", "3000", *access(server), timeout=120)
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    assert sorted(int(r["subject"].split()[1]) for r in rows) == list(range(2000))
    assert "whole" in run("store", "check", "--state", server.state, "alice").stdout


def on_terminal(words):
    """What a terminal gets on stderr."""
    here, there = pty.openpty()
    with subprocess.Popen(list(map(str, words)), stdout=subprocess.DEVNULL, stderr=there, stdin=subprocess.DEVNULL,
                          env={**os.environ, "TERM": "xterm"}) as process:
        os.close(there)
        data = b""
        while True:
            try:
                more = os.read(here, 65536)
            except OSError:
                break
            if not more:
                break
            data += more
        process.wait(timeout=60)
    os.close(here)
    return data.decode()


def test_progress_bar(server, tmp_path):
    seen = on_terminal([program(), "mail", "import", many(tmp_path / "many.mbox", 400), *access(server)])
    assert "many.mbox" in seen and "█" in seen and " %" in seen and "messages" in seen
    assert seen.endswith("\r\x1b[K"), "the line stays behind"


def test_strangers(mail, tmp_path):
    """What is no mail is left out and told; odd mail is taken; nothing of it reaches the terminal as it is."""
    odd = {"empty.eml": b"", "binary.eml": bytes(range(256)) * 50, "nul.eml": b"Subject: a\0b\n\nx\0y\n",
           "escape.eml": b"Subject: \x1b[2J\x1b]0;x\x07evil\nFrom: \x1b[31m <a@b>\n\n\x1b[2Jbody\n",
           "deep.eml": b"".join(b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (i, i) for i in range(3000)) + b"\nx\n",
           "nested.eml": b"Content-Type: message/rfc822\n\n" * 300 + b"Subject: in\n\nx\n",
           "headers.eml": b"".join(b"X-H%d: v\n" % i for i in range(20000)) + b"Subject: many headers\n\nx\n",
           "crowd.eml": b"To: " + b", ".join(b"u%d@x.test" % i for i in range(12000)) + b"\nSubject: crowd\n\nx\n",
           "long.eml": b"Subject: " + b"long " * 60000 + b"\n\nx\n"}
    (tmp_path / "in").mkdir()
    for name, data in odd.items():
        (tmp_path / "in" / name).write_bytes(data)
    done = mail("import", *sorted((tmp_path / "in").iterdir()), "--json", check=False, timeout=120)
    total = json.loads(done.stdout)
    assert total["imported"] + total["left_out"] == len(odd) and total["left_out"] <= 2, done.stderr
    assert "Sanitizer" not in done.stderr and "\x1b" not in done.stderr
    shown = mail("list", timeout=60).stdout
    assert "\x1b" not in shown and "many headers" in shown and "crowd" in shown
    number = next(r["no"] for r in map(json.loads, mail("list", "--json").stdout.splitlines()) if "evil" in r["subject"])
    assert "\x1b" not in mail("read", str(number)).stdout
    (tmp_path / "out").mkdir()
    mail("export", "--eml", tmp_path / "out", timeout=120)
    assert len(os.listdir(tmp_path / "out")) == total["imported"]


def test_pst_needs_readpst(mail, tmp_path, monkeypatch):
    (tmp_path / "a.pst").write_bytes(b"!BDN" + bytes(600))
    monkeypatch.setenv("PATH", str(tmp_path))
    done = mail("import", tmp_path / "a.pst", check=False)
    assert done.returncode == 1 and "readpst, which is not installed" in done.stderr and done.stderr.count("\n") == 1


def test_pst_damaged(mail, tmp_path):
    (tmp_path / "a.pst").write_bytes(b"!BDN" + bytes(600))
    if subprocess.run(["which", "readpst"], capture_output=True).returncode:
        pytest.skip("readpst is not installed")
    done = mail("import", tmp_path / "a.pst", check=False)
    assert done.returncode == 1 and "readpst cannot read" in done.stderr and done.stdout.startswith("Imported 0 messages")


def test_pst_by_a_stand_in(mail, tmp_path, monkeypatch):
    """No program here writes PST files, so a stand-in for readpst plays its part: with its options it leaves the folders and files
    that `readpst -r` would."""
    (tmp_path / "bin").mkdir()
    stand_in = tmp_path / "bin" / "readpst"
    stand_in.write_text("""#!/bin/sh
[ "$1 $2 $3 $4 $5" = "-q -r -8 -te -o" ] && [ -f "$7" ] || exit 9
mkdir -p "$6/Personal Folders/Inbox/Sub"
printf 'From a Tue Mar  1 10:00:00 2022\\nSubject: one\\n\\nx\\n\\nFrom a Tue Mar  1 10:00:00 2022\\nSubject: two\\n\\n>From y\\n' > "$6/Personal Folders/Inbox/mbox"
printf 'From a Tue Mar  1 10:00:00 2022\\nSubject: three\\n\\nz\\n' > "$6/Personal Folders/Inbox/Sub/mbox"
echo private > "$6/Personal Folders/contacts"
""")
    stand_in.chmod(0o755)
    (tmp_path / "a.pst").write_bytes(b"!BDN" + bytes(600))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    mail("folders", "create", "Old")
    assert mail("import", tmp_path / "a.pst", "--folder", "Old").stdout.startswith("Imported 3 messages into Old")
    tree = {f["path"]: f["messages"] for f in map(json.loads, mail("folders", "--json").stdout.splitlines())}
    assert tree["Old/Personal Folders/Inbox"] == 2 and tree["Old/Personal Folders/Inbox/Sub"] == 1
    assert not [name for name in os.listdir(tmp_path) if name.startswith("mapiwire-pst-")], "the directory was left behind"


@pytest.mark.parametrize("words", [["import"], ["export"], ["export", "--eml", "a", "--mbox", "b"], ["export", "x", "--mbox", "b"],
                                   ["import", "/no/such"], ["import", "/proc/self/fd", "--format", "nonsense"], ["import", "."]])
def test_usage(mail, words, monkeypatch, tmp_path_factory):
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))
    done = mail(*words, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr


def test_server_goes_away(server, tmp_path):
    """What was taken is told, and so is the cause."""
    path = many(tmp_path / "many.mbox", 4000)
    with subprocess.Popen([program(), "mail", "import", str(path), *map(str, access(server))], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        time.sleep(1)
        server.kill()
        out, err = process.communicate(timeout=60)
    server.stop = lambda: None
    assert process.returncode not in (0, 1) and said(err).count("\n") == 1, err
    assert out.startswith("Imported ") and "Sanitizer" not in err
