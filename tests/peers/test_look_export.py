"""`mapiwire look --export`: the calls anew, opened, as our own program and Wireshark read them."""
import collections
import json
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
