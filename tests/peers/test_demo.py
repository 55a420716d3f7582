"""The demo as a newcomer runs it, and its kind of conversation as tshark sees it."""
import collections
import json
import os
import shutil
import subprocess

import pytest

from conftest import SOURCE_ROOT, program, run

SUBJECTS = ["Lunch on Friday", "Figures for the third quarter", "Zürich, Tuesday"]
NAMES = ["Alice Arnold", "Bob Berger"]
KINDS = {"request": 0, "response": 2, "fault": 3, "bind": 11, "bind_ack": 12, "bind_nak": 13, "alter": 14,
         "alter_ack": 15, "auth3": 16, "shutdown": 17, "cancel": 18, "orphaned": 19}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run([str(SOURCE_ROOT / "tools" / "demo")], cwd=folder, capture_output=True, text=True, timeout=120,
                          env={**os.environ, "MAPIWIRE": program()})
    assert done.returncode == 0, done.stdout + done.stderr
    return folder, done.stdout


def test_the_demo_shows_the_start(demo):
    _, shown = demo
    assert "Outlook would start. Encryption: used (NTLM, privacy); required by the server." in shown
    assert all(f'PidTagSubject: "{subject}"' in shown for subject in SUBJECTS)
    for words in ("ept_map nspi → port", "NspiBind: ok", "EcDoConnectEx: ok", "QueryRows: ok", "EcDoAsyncWaitEx: ok"):
        assert words in shown, words


def test_nothing_private_is_in_clear(demo):
    """Passwords, subjects and names; only the account name stands in NTLM's handshake, as the protocol has it."""
    data = (demo[0] / "outlook-start.pcapng").read_bytes()
    for text in SUBJECTS + NAMES:
        for encoding in ("utf-8", "utf-16-le", "cp1252"):
            assert text.encode(encoding) not in data, f"{text} in {encoding}"


def test_the_page_stands_alone(demo):
    page = (demo[0] / "outlook-start.html").read_text(encoding="utf-8")
    assert "http://" not in page.replace("http://www.w3.org/", "") and "https://" not in page
    assert "src=" not in page


@pytest.fixture
def walked(server, tmp_path):
    secret = tmp_path / "password"
    secret.write_text("Wonderland-1\n", encoding="utf-8")
    secrets = tmp_path / "secrets"
    secrets.write_text("password DEMO\\alice Wonderland-1\n", encoding="utf-8")
    capture = tmp_path / "walk.pcapng"
    run("walk", f"127.0.0.1:{server.epm}", "-U", "DEMO\\alice", "--password-file", secret, "-w", capture)
    return capture, secrets


def tshark(capture, wanted, *fields):
    path = shutil.which("tshark")
    if not path:
        pytest.skip("tshark is not installed: apt-get install tshark")
    words = [path, "-n", "-r", str(capture), "-o", "ntlmssp.nt_password:Wonderland-1", "-Y", wanted, "-T", "fields"]
    for field in fields:
        words += ["-e", field]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


@pytest.mark.peer("tshark")
def test_tshark_agrees_call_by_call(walked):
    """Each PDU: frame, kind, call id, and for calls the opnum. tshark's frame of a PDU is the one it ends in."""
    capture, secrets = walked
    theirs = collections.Counter()
    for frame, kinds, calls, opnums in tshark(capture, "dcerpc", "frame.number", "dcerpc.pkt_type",
                                              "dcerpc.cn_call_id", "dcerpc.opnum"):
        for i, (kind, call) in enumerate(zip(kinds.split(","), calls.split(","))):
            opnum = opnums.split(",")[i] if int(kind) in (0, 2) else ""
            theirs[int(frame), int(kind), int(call), opnum] += 1
    ours = collections.Counter()
    for line in run("look", capture, "--secrets", secrets, "--json").stdout.splitlines():
        event = json.loads(line)
        if event["event"] in KINDS:
            kind = KINDS[event["event"]]
            opnum = str(event["opnum"]) if kind in (0, 2) else ""
            ours[event["last_frame"], kind, event["call"], opnum] += 1
    assert sum(ours.values()) > 60
    assert ours == theirs, f"only ours: {ours - theirs}\nonly tshark's: {theirs - ours}"


def test_all_is_opened_and_signed(walked):
    capture, secrets = walked
    sealed = [e for e in map(json.loads, run("look", capture, "--secrets", secrets, "--json").stdout.splitlines())
              if e.get("sealed")]
    assert len(sealed) > 30
    assert all(e.get("decrypted") and e.get("signature") == "ok" for e in sealed)


# What tshark calls malformed or too long, and why it is right on the wire: (interface, opnum) → reason.
TSHARK_CANNOT = {
    ("nspi", "20"): "tshark's NSPI table names NspiResolveNamesW but has no layout for it: it takes all of the stub "
                    "for surplus ([MS-OXNSPI] 3.1.4.1.17 has the parameters)",
    ("rfr", "0"): "its stub ends at an odd place, and the verification trailer begins at a multiple of 4: tshark takes "
                  "what fills it up for surplus ([MS-RPCE] 2.2.2.13: stub padding octets)",
}


@pytest.mark.peer("tshark")
def test_what_tshark_calls_malformed_is_justified(walked):
    capture, secrets = walked
    services = {}
    for line in run("look", capture, "--secrets", secrets, "--json").stdout.splitlines():
        event = json.loads(line)
        services[event["last_frame"]] = event.get("iface")
    unjustified = []
    for frame, message, opnum in tshark(capture, "_ws.malformed || _ws.expert.severity >= 6291456", "frame.number",
                                        "_ws.expert.message", "dcerpc.opnum"):
        if (services.get(int(frame)), opnum) not in TSHARK_CANNOT:
            unjustified.append((frame, services.get(int(frame)), opnum, message))
    assert not unjustified
