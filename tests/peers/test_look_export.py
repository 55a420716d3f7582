"""`mapiwire look --export`: the calls anew, opened, as our own program and Wireshark read them."""
import collections
import json
import re
import shutil
import subprocess

import pytest
from conftest import CAPTURES, run

needs_tshark = pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
REAL = sorted(p for p in CAPTURES.glob("*.pcap*") if p.suffix in (".pcap", ".pcapng"))
SAID = {"bind", "bind_ack", "bind_nak", "alter", "alter_ack", "request", "response", "fault"}


def look(*words):
    return run("look", *words).stdout


def calls(capture, *options):
    """What was said, whatever carried it: authentication and pipes are no part of a copy."""
    events = map(json.loads, look("--json", capture, *options).splitlines())
    return collections.Counter((e["event"], e.get("iface"), e.get("op"), e.get("status"), e.get("endpoint"),
                                tuple(e.get("rops", ())), tuple(e.get("rop_status", ())))
                               for e in events if e["event"] in SAID)


def tshark(capture, shown, *fields):
    words = [w for f in fields for w in ("-e", f)]
    done = subprocess.run(["tshark", "-n", "-r", str(capture), "-Y", shown, "-T", "fields", *words],
                          capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.mark.parametrize("capture", REAL, ids=lambda p: p.name)
def test_says_the_same(capture, tmp_path):
    copy = tmp_path / "copy.pcapng"
    look(capture, "--export", copy)
    before = calls(capture)
    assert calls(copy) == before


@needs_tshark
def test_opens_for_wireshark(tmp_path):
    capture = CAPTURES / "rpc-privacy-ntlm.pcapng"
    if not capture.exists():
        pytest.skip(f"{capture.name} is not there")
    copy, secrets = tmp_path / "copy.pcapng", tmp_path / "secrets"
    secrets.write_text("password DOMAIN\\Administrator Password123!\n")
    look(capture, "--export", copy, "--secrets", secrets)
    assert not tshark(capture, "svcctl.access_mask or svcctl.hnd", "frame.number")
    opened = tshark(copy, "svcctl", "dcerpc.opnum", "svcctl.machinename", "frame.comment")
    assert ["15", "192.168.0.100", "from frame 17"] in opened
    assert not tshark(copy, "_ws.malformed", "frame.number")
    assert not tshark(copy, "tcp.analysis.flags or tcp.checksum.status == 0 or ip.checksum.status == 0", "frame.number")


@needs_tshark
def test_sealed_store_and_address_book(server, tmp_path):
    """A whole walk, sealed: tshark names none of its calls in the capture, and all of them in the copy."""
    capture, copy, secrets = tmp_path / "walk.pcapng", tmp_path / "copy.pcapng", tmp_path / "secrets"
    secrets.write_text("password DEMO\\alice Wonderland-1\n")
    run("walk", f"127.0.0.1:{server.epm}", "-U", "DEMO\\alice", "--password-file", server.state / "alice.password",
        "-w", capture)
    look(capture, "--export", copy, "--secrets", secrets)
    assert calls(copy) == calls(capture, "--secrets", secrets)
    book = tshark(copy, "nspi and dcerpc.pkt_type == 0", "nspi.opnum")
    assert ["0"] in book and not tshark(copy, "_ws.malformed", "frame.number")
    store = tshark(copy, "mapi and dcerpc.pkt_type == 0", "dcerpc.opnum")
    assert ["10"] in store and ["11"] in store


def test_stays_sealed_without_a_secret(server, tmp_path):
    capture, copy = tmp_path / "walk.pcapng", tmp_path / "copy.pcapng"
    run("walk", f"127.0.0.1:{server.epm}", "-U", "DEMO\\alice", "--password-file", server.state / "alice.password",
        "-w", capture)
    look(capture, "--export", copy)
    before = [json.loads(line) for line in look("--json", capture).splitlines()]
    after = [json.loads(line) for line in look("--json", copy).splitlines()]
    sealed = [(e["event"], e["iface"], e.get("opnum")) for e in before if e.get("sealed")]
    assert sealed and sealed == [(e["event"], e["iface"], e.get("opnum")) for e in after if e.get("sealed")]


def test_says_what_it_cannot_write(tmp_path):
    for capture in REAL[:1]:
        done = run("look", capture, "--export", "/nonexistent/copy.pcapng", check=False)
        assert done.returncode == 1 and done.stderr.startswith("mapiwire look: cannot write /nonexistent/copy.pcapng: ")


# ---- A copy to share ----

# What the protocols call things, which stays: src/lens/scrub.c.
KEPT = set("administrative configuration exchange external fydibohf23spdlt group microsoft ncacn organization private "
           "public recipients servers frame frames "
           "lsass srvsvc drsuapi".split())  # pipes, in a bind's secondary address


def words_in(data):
    """Runs of at least five letters or digits, of which three are letters, in ASCII and in UTF-16."""
    runs = re.findall(rb"[A-Za-z0-9]{5,}", data)
    runs += [w[::2] for w in re.findall(rb"(?:[A-Za-z0-9]\0){5,}", data)]
    runs += [w[1::2] for w in re.findall(rb"(?:\0[A-Za-z0-9]){5,}", data)]
    return {w.decode().lower() for w in runs if re.search(rb"[A-Za-z]{3}", w)} - KEPT


def named(said):
    """Without answers whose method only their contents tell: those are emptied."""
    return {key: n for key, n in said.items() if key[2] or key[0] != "response"}


@pytest.mark.parametrize("capture", REAL, ids=lambda p: p.name)
def test_other_words_same_calls(capture, tmp_path):
    copy, clean = tmp_path / "copy.pcapng", tmp_path / "clean.pcapng"
    secrets = tmp_path / "secrets"
    secrets.write_text("password DOMAIN\\Administrator Password123!\n")
    look(capture, "--export", copy, "--secrets", secrets)
    done = run("look", capture, "--rewrite", clean, "--secrets", secrets)
    assert re.search(r"with \d+ requests and answers; \d+ of them could not be opened", done.stderr)
    assert named(calls(clean)) == named(calls(copy))
    # What EcDoRpc obfuscates are no words.
    left = {w for w in words_in(copy.read_bytes()) & words_in(clean.read_bytes()) if not re.match(r"^[xz\d]", w)}
    assert not left


@needs_tshark
def test_nothing_of_a_mailbox_is_left(server, tmp_path):
    """Names, addresses, subjects and bodies of a walk and a saved message: gone, for tshark and as bytes."""
    capture, copy, clean = tmp_path / "walk.pcapng", tmp_path / "copy.pcapng", tmp_path / "clean.pcapng"
    secrets = tmp_path / "secrets"
    secrets.write_text("password DEMO\\alice Wonderland-1\n")
    run("mail", "send", "--server", f"127.0.0.1:{server.epm}", "-U", "DEMO\\alice", "--password-file",
        server.state / "alice.password", "--to", "bob@demo.test", "--subject", "Quarterly figures", "-w", capture,
        stdin="Nobody may read this sentence.\n")
    look(capture, "--export", copy, "--secrets", secrets)
    look(capture, "--rewrite", clean, "--secrets", secrets)
    secret = ["alice", "arnold", "bob", "demo.test", "quarterly", "figures", "nobody", "sentence"]
    for data, there in [(copy.read_bytes().lower(), True), (clean.read_bytes().lower(), False)]:
        found = {w for w in secret if w.encode() in data or w.encode("utf-16-le") in data}
        assert found >= {"alice", "quarterly", "sentence", "demo.test"} if there else not found
    assert bytes([127, 0, 0, 1]) in copy.read_bytes() and bytes([127, 0, 0, 1]) not in clean.read_bytes()
    assert calls(clean) == calls(copy)
    asked = [tshark(c, "dcerpc.pkt_type == 0", "_ws.col.Protocol", "dcerpc.opnum") for c in (copy, clean)]
    assert asked[0] == asked[1] and len(asked[0]) > 5
    assert not tshark(clean, "tcp.checksum.status == 0 or ip.checksum.status == 0", "frame.number")
