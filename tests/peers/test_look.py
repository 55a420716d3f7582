"""`mapiwire look` as a person meets it: views of a real capture (outside the project), hostile names, and the page in a
real browser."""
import gzip
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from browser import Browser

ROOT = pathlib.Path(os.environ.get("SOURCE_ROOT", pathlib.Path(__file__).resolve().parents[2]))
MAPIWIRE = os.environ.get("MAPIWIRE", str(ROOT / "build/mapiwire"))
PLAIN = os.environ.get("MAPIWIRE_PLAIN", MAPIWIRE)
CAPTURES = pathlib.Path(os.environ.get("CAPTURES", ROOT / "../shared/captures"))
START = CAPTURES / "outlook2000-start.pcap"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

needs_start = pytest.mark.skipif(not START.exists(), reason="outlook2000-start.pcap is not there")

# The keys that the manual promises, with the types of their values; other views and tools lean on them.
KEYS = {
    "frame": int, "last_frame": int, "time": float, "conn": int, "src": str, "dst": str, "transport": str, "pipe": str,
    "event": str, "call": int, "iface": str, "known_by": str, "opnum": int, "op": str, "endpoint": str, "status": str,
    "auth": str, "level": str, "sealed": bool, "decrypted": bool, "encoding": str, "user": str, "ms": float,
    "rops": list, "rop_status": list, "rop_ms": list, "damaged": str, "signature": str, "why_sealed": str, "what": str,
    "network_ms": float, "server_ms": float, "client_ms": float, "bytes": int, "says": str, "folder": str,
}
ALWAYS = {"frame", "last_frame", "time", "src", "dst", "transport", "event"}
EVENTS = {"open", "close", "reset", "bind", "bind_ack", "bind_nak", "alter", "alter_ack", "auth3", "request", "response",
          "fault", "cancel", "orphaned", "shutdown", "damaged", "gap", "context", "http"}


def look(*args, code=0, env=None):
    run = subprocess.run([MAPIWIRE, "look", *map(str, args)], capture_output=True, timeout=120,
                         env={**os.environ, "HOME": "/nonexistent", **(env or {})})
    assert run.returncode == code, run.stderr.decode()
    look.stderr = run.stderr.decode()
    return run.stdout.decode()


@needs_start
def test_list():
    """The lines that the design shows, each with its frame, second and time."""
    text = look(START)
    lines = text.splitlines()
    assert re.match(r"800 frames, 3\.02 s\. 24 TCP connections: 1[01] carry RPC, 1[34] hidden \(--all\)$", lines[0])
    assert lines[1].startswith("Already open, folded: 4 store sessions to 192.168.0.2:1032")
    rows = {int(m[1]): re.sub(r"\s+", " ", line) for line in lines if (m := re.match(r" *(\d+) ", line))}
    for row in [
            "394 2.203 .173:1066→135 epm connect 0.1",
            "399 2.205 epm ept_map nspi → port 4997 0.4",
            "408 2.208 nspi bind, no authentication: accepted 1.1",
            "410 2.209 nspi NspiBind: MAPI_E_LOGON_FAILED 0.7",
            "415 2.214 nspi bind, NTLM level connect: accepted 1.4",
            "418 2.216 nspi NspiBind: ok 26.6",
            "501 2.245 epm ept_lookup → nspi, http port 5000 0.5",
            "704 2.900 epm ept_map emsmdb → port 1032 0.4",
            "711 2.905 store bind, NTLM level connect: accepted 2.6",
            "715 2.908 store EcDoConnect: ok 32.0",
            "783 2.940 store Logon: ok (obfuscated, not sealed) 24.4",
    ]:
        assert rows[int(row.split()[0])].strip() == row
    assert rows[800].strip().startswith("800 3.021 store RegisterNotification")
    assert rows[800].endswith("answer not captured")
    findings = {line.split(" ", 2)[2] for line in lines if line.startswith("Finding ")}
    assert "(frames 411, 415): anonymous refused; retried with NTLM after 5 ms, accepted. Harmless." in findings


def test_long_list(tmp_path):
    """The heading of a list that is long stands behind it; first lines do not wait for the last frame."""
    bind, ack, _ = handshake_pdus("alice")
    packets = []
    for port in range(20000, 22000):
        client, server = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
        packets += [packet(client, server, port, 135, 1, 0, 0x02, b""), packet(server, client, 135, port, 1, 2, 0x12, b""),
                    packet(client, server, port, 135, 2, 2, 0x18, bind), packet(server, client, 135, port, 2, 2 + len(bind), 0x18, ack)]
    write_pcap(tmp_path / "long.pcap", packets)
    lines = look(tmp_path / "long.pcap").splitlines()
    assert lines[0].startswith("frame ") and sum("bind" in line for line in lines) == 2000
    assert "2,000 TCP connections" in lines[-1]
    whole = (tmp_path / "long.pcap").read_bytes()
    seen = subprocess.Popen([MAPIWIRE, "look", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    told = []
    listener = threading.Thread(target=lambda: told.extend(iter(seen.stdout.readline, b"")))
    listener.start()
    seen.stdin.write(whole)
    seen.stdin.flush()
    for _ in range(200):
        if told:
            break
        time.sleep(0.05)
    assert told and told[0].startswith(b"frame ")
    seen.stdin.close()
    listener.join()
    assert sum(b"bind" in line for line in told) == 2000
    assert seen.wait(timeout=60) == 0


@needs_start
def test_ladder():
    text = look("--ladder", START)
    head, *rows = text.splitlines()
    assert head.split() == ["sec", "Outlook", ".173", "192.168.0.2", ":135", ":4997", ":1032"]
    plain = [re.sub(r"\s*-+(>|x)?\s*", " - ", row).strip() for row in rows]
    assert any(row.startswith("2.205 | - ept_map nspi") for row in plain)
    assert any("x - LOGON_FAILED" in row and "0.7" in row for row in plain)
    assert any(row.startswith("2.216 | - NspiBind, NTLM") for row in plain)
    assert any(re.search(r"⋮ +0\.6\d s: nothing from Outlook", row) for row in rows)
    # Every arrow ends at a bar under its port: three columns, eight apart.
    ends = {row.rindex("|") for row in rows if "⋮" not in row}
    assert len(ends) == 1
    for width in {len(row) for row in rows}:
        assert width <= 100


def block(kind, body):
    body += bytes(-len(body) % 4)
    return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def option(code, value):
    return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def test_notes_in_the_file(tmp_path):
    """Comments and names that the one who captured wrote down, harmless."""
    data = packet(bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2]), 5000, 135, 1, 0, 2, b"")
    frame = struct.pack("<IIIII", 0, 0, 0, len(data), len(data)) + data + bytes(-len(data) % 4)
    whole = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + option(1, b"taken at the\x1b[2J switch")
    names = option(1, bytes([10, 0, 0, 2]) + b"mail.example\0mail\0") + option(0, b"")
    section, interface = block(0x0A0D0D0A, whole), block(1, struct.pack("<HHI", 101, 0, 0))
    path = tmp_path / "notes.pcapng"
    path.write_bytes(section + interface + block(4, names) + block(6, frame + option(1, b"here it hangs")))
    text = look(path)
    assert "Comment: taken at the\\x1b[2J switch\n" in text
    assert "Name of 10.0.0.2: mail.example, mail\n" in text
    assert text.endswith("Comment on frame 1: here it hangs\n")
    path.write_bytes(section + interface + 20 * block(6, frame + option(1, b"again")))
    assert "21 comments and names are in the file (--all shows them).\n" in look(path)
    assert look("--all", path).count("again") == 20


def test_follow(tmp_path):
    """A file that is still written: what comes is told, half a frame waits for its other half."""
    bind, ack, _ = handshake_pdus("alice")
    client, server = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])
    path = tmp_path / "growing.pcap"
    write_pcap(path, [packet(client, server, 5000, 135, 1, 0, 0x02, b""), packet(server, client, 135, 5000, 1, 2, 0x12, b""),
                      packet(client, server, 5000, 135, 2, 2, 0x18, bind),
                      packet(server, client, 135, 5000, 2, 2 + len(bind), 0x18, ack)])
    whole = path.read_bytes()
    path.write_bytes(whole[:-len(ack) - 20])
    seen = subprocess.Popen([MAPIWIRE, "look", "--follow", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    assert seen.stdout.readline().startswith("frame ")
    assert "connect" in seen.stdout.readline()
    with path.open("ab") as out:
        out.write(whole[-len(ack) - 20:])
    assert "bind" in seen.stdout.readline()
    seen.send_signal(signal.SIGINT)
    rest, errors = seen.communicate(timeout=20)
    assert "4 frames" in rest and seen.returncode == 0, errors
    packed = tmp_path / "packed.pcap.gz"
    packed.write_bytes(gzip.compress(whole))
    assert look("--follow", packed, code=1) == "" and "not packed" in look.stderr


@needs_start
def test_mermaid(tmp_path):
    look("--mermaid", tmp_path / "start.mmd", START)
    lines = (tmp_path / "start.mmd").read_text().splitlines()
    assert lines[:2] == ["sequenceDiagram", "    participant c0 as Outlook 192.168.0.173"]
    arrow = re.compile(r"    (\w+)(->>|-->>|-x|--x)(\w+): \S.*|    (participant \w+ as|Note over \w+,\w+:) .*")
    assert all(arrow.fullmatch(line) for line in lines[1:])
    assert "    s0p1--xc0: LOGON_FAILED (0.7 ms)" in lines


@needs_start
def test_json_keys():
    events = [json.loads(line) for line in look("--json", START).splitlines()]
    assert len(events) > 300
    seen = set()
    for e in events:
        assert ALWAYS <= e.keys() <= KEYS.keys()
        assert ("conn" in e) == (e["transport"] != "udp")
        assert ("what" in e) == (e["event"] == "context")
        for key, value in e.items():
            assert isinstance(value, KEYS[key]) or (KEYS[key] is float and isinstance(value, int)), (key, value)
        assert e["event"] in EVENTS
        assert e["frame"] <= e["last_frame"]
        if "server_ms" in e:
            assert e["network_ms"] >= 0 <= e["server_ms"] and abs(e["network_ms"] + e["server_ms"] - e["ms"]) < 0.01
        if "rop_status" in e:
            assert len(e["rop_status"]) == len(e["rops"])
        if "rop_ms" in e:
            assert len(e["rop_ms"]) == len(e["rops"]) and sum(t or 0 for t in e["rop_ms"]) < e["server_ms"] + 0.1
        seen |= e.keys()
    assert {"call", "iface", "known_by", "opnum", "op", "endpoint", "status", "auth", "level", "encoding", "user", "ms",
            "rops", "rop_status"} <= seen
    ept = next(e for e in events if e.get("endpoint") and e["frame"] == 400)
    assert "4997" in ept["endpoint"]
    assert events == sorted(events, key=lambda e: e["last_frame"])


@needs_start
def test_filter():
    failed = [json.loads(line) for line in look("--json", "-Y", "failed && event == response", START).splitlines()]
    assert [e["frame"] for e in failed] == [411]
    rows = look("-Y", "conn == 24 && op ~ connect", START)
    assert "EcDoConnect: ok" in rows and "Logon" not in rows
    look("-Y", "frame = 3", START, code=1)
    assert "character 7" in look.stderr and "written ==" in look.stderr


@needs_start
def test_colors(tmp_path):
    text = look("--color=always", START)
    assert "\x1b[1;31mNspiBind: MAPI_E_LOGON_FAILED\x1b[0m" in text
    rules = tmp_path / "mapiwire/colors"
    rules.parent.mkdir()
    rules.write_text("mine: black on 120: frame == 399 || frame == 400\n")
    mine = look("--color=always", START, env={"XDG_CONFIG_HOME": str(tmp_path)})
    assert mine.count("48;5;120m") == 1
    rules.write_text("mine: mauve: failed\n")
    look("--color=always", START, env={"XDG_CONFIG_HOME": str(tmp_path)}, code=1)
    assert "colors:1: 'mauve' is no colour" in look.stderr
    assert "\x1b" not in look(START)


@needs_start
def test_tree_and_stats():
    tree = look("--tree", "783", START)
    assert "RopLogonRequest" in tree and "obfuscated" in tree
    assert re.search(r"^ +\d+ +1 +RopId: ", tree, re.M)
    stats = look("--stats", START)
    assert re.search(r"^emsmdb +EcDoRpc +165 +0 ", stats, re.M)
    assert re.search(r"^nspi +NspiBind +2 +1 ", stats, re.M)


@needs_start
def test_story():
    """The start in sentences, in its order, and what was wrong with it."""
    text = " ".join(look("--story", START).split())
    told = ["asks the endpoint mapper for nspi: port 4997 (0.4 ms). [frame 399]",
            "opens the address book without saying who it is, and is refused (MAPI_E_LOGON_FAILED)",
            "opens the address book with NTLM as CNAMIS\\ALeonard, not encrypted (26.6 ms)",
            "for emsmdb: port 1032", "connects to the store with NTLM", "It logs on to the mailbox (24.4 ms)",
            "It started: address book and mailbox are open.", "The store is used without encryption"]
    places = [text.find(sentence) for sentence in told]
    assert -1 not in places and places == sorted(places), text


@needs_start
def test_top():
    text = look("--top", "count", "--all", START)
    assert re.search(r"^  store EcDoRpc +163 ", text, re.M)
    assert re.search(r"^  Inbox +1 ", text, re.M)
    rops = [line.split() for line in text.split("\nROPs")[1].splitlines()[1:11]]
    counts = [int(row[1]) for row in rops]
    assert counts == sorted(counts, reverse=True) and {row[0] for row in rops} >= {"OpenMessage", "OpenFolder"}
    heavy = look("--top", "bytes", "--all", START)
    assert heavy.split("\nROPs")[1].splitlines()[1].split()[0] == "GetPropertiesSpecific"
    look("--top", "size", START, code=1)
    assert "time, bytes or count" in look.stderr


@needs_start
@pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed")
def test_wireshark_colors(tmp_path):
    """Each rule is a filter that tshark takes; what it picks for the mapper is what the lens has there."""
    rules = tmp_path / "colors"
    look("--wireshark-colors", rules)
    picked = {}
    for line in rules.read_text().splitlines():
        if line.startswith("#"):
            continue
        _, name, theirs, _ = line.split("@")
        run = subprocess.run(["tshark", "-r", START, "-Y", theirs, "-T", "fields", "-e", "frame.number"], capture_output=True,
                             text=True, timeout=60)
        assert run.returncode == 0, (theirs, run.stderr)
        picked[name] = {int(frame) for frame in run.stdout.split()}
    assert set(picked) == {"faults", "unanswered", "mapper", "book", "store"}
    events = [json.loads(line) for line in look("--json", "--all", START).splitlines()]
    calls = {e["last_frame"] for e in events if e.get("iface") == "epm" and e["event"] in ("request", "response")}
    assert calls and calls <= picked["mapper"]


@needs_start
def test_diff_with_itself(tmp_path):
    text = look("--diff", START, START)
    assert text.endswith("\nThe steps are the same.\n") and " ≠ " not in text
    look("--diff", START, code=1)
    assert "takes two captures" in look.stderr


@needs_start
def test_cut_off(tmp_path):
    """A capture that ends in a frame is shown, with a note, and is no failure."""
    cut = tmp_path / "cut.pcap"
    data = START.read_bytes()
    cut.write_bytes(data[:len(data) * 6 // 10])
    assert "ept_map nspi" in look(cut)
    assert "cut off" in look.stderr
    piped = subprocess.run([MAPIWIRE, "look", "-"], input=data, capture_output=True, timeout=60)
    assert piped.returncode == 0 and "NspiBind: ok" in piped.stdout.decode()


def test_mistakes(tmp_path):
    """One sentence each, and exit code 1."""
    text = tmp_path / "notes.txt"
    text.write_text("These are notes, not a capture.\n" * 20)
    for args, part in [
            (["/nonexistent.pcap"], "cannot open /nonexistent.pcap: No such file"),
            ([text], "is no capture"),
            ([], "name a capture file"),
            ([text, "-i", "lo"], "do not go together"),
            (["--json", "--stats", text], "choose one of"),
            (["-f", "tcp", text], "-f is for what is captured"),
            (["-i", "lo", "-f", "tcp and and"], "the capture filter is wrong"),
            (["--color=blue", text], "auto, always or never"),
            (["--secrets", "/nonexistent", text], "cannot read /nonexistent"),
            (["--svg", "/nonexistent/x.svg", text], "cannot write /nonexistent/x.svg"),
            (["--frobnicate", text], "there is no option"),
    ]:
        assert look(*args, code=1) == ""
        assert part in look.stderr
        assert look.stderr.startswith("mapiwire look: ") and look.stderr.count("\n") == 1


# ---- Hostile names ----

def packet(source, target, sport, dport, seq, ack, flags, data):
    tcp = struct.pack(">HHIIBBHHH", sport, dport, seq, ack, 0x50, flags, 65535, 0, 0) + data
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, source, target)
    return ip + tcp


def write_pcap(path, packets):
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for i, p in enumerate(packets):
            out.write(struct.pack("<IIII", 1700000000 + i // 1000, i % 1000 * 1000, len(p), len(p)) + p)


def ntlm_auth3(user):
    """An NTLM AUTHENTICATE_MESSAGE that names a user (MS-NLMP 2.2.1.3)."""
    name = user.encode("utf-16-le")
    at = 64
    field = struct.pack("<HHI", len(name), len(name), at)
    empty = struct.pack("<HHI", 0, 0, at)
    return b"NTLMSSP\0" + struct.pack("<I", 3) + empty + empty + empty + field + empty + empty + \
        struct.pack("<I", 0x00000001) + name


def rpc_pdu(kind, call, body, auth=b""):
    trailer = struct.pack("<BBBBI", 10, 2, 0, 0, 1) + auth if auth else b""
    return struct.pack("<BBBBIHHI", 5, 0, kind, 3, 0x10, 16 + len(body) + len(trailer), len(auth), call) + body + trailer


HOSTILE = "\x1b]0;owned\x07</script><img src=x onerror=document.title='owned'>\u202e&\"'"


def handshake_pdus(user):
    """An NTLM bind to the address book, its answer and auth3."""
    uuid = bytes.fromhex("185accf564421a108c5908002b2f8426")
    ndr = bytes.fromhex("045d888aeb1cc9119fe808002b104860")
    bind = rpc_pdu(11, 1, struct.pack("<HHIB3xHBB", 4280, 4280, 0, 1, 0, 1, 0) + uuid + struct.pack("<HH", 56, 0) + ndr +
                   struct.pack("<I", 2), b"NTLMSSP\0" + struct.pack("<II", 1, 1) + bytes(16))
    ack = rpc_pdu(12, 1, struct.pack("<HHIH", 4280, 4280, 7, 4) + b"135\0" + bytes(2) + struct.pack("<B3xHH", 1, 0, 0) + ndr +
                  struct.pack("<I", 2), b"NTLMSSP\0" + struct.pack("<I", 2) + bytes(44))
    return bind, ack, rpc_pdu(16, 1, bytes(4), ntlm_auth3(user))


@pytest.fixture
def hostile(tmp_path):
    client, server = bytes([10, 0, 0, 7]), bytes([10, 0, 0, 1])
    bind, ack, auth3 = handshake_pdus(HOSTILE)
    packets, seqs = [], {True: 1000, False: 5000}
    for from_client, data in [(True, bind), (False, ack), (True, auth3)]:
        ends = (client, server, 4000, 135) if from_client else (server, client, 135, 4000)
        packets.append(packet(*ends, seqs[from_client], seqs[not from_client], 0x18, data))
        seqs[from_client] += len(data)
    path = tmp_path / "hostile.pcap"
    write_pcap(path, packets)
    return path


def test_hostile_names(hostile, tmp_path):
    events = [json.loads(line) for line in look("--json", hostile).splitlines()]
    assert any("owned" in e.get("user", "") for e in events)
    page, picture = tmp_path / "x.html", tmp_path / "x.svg"
    texts = [look("--all", hostile), look("--all", "--ladder", hostile), look("--json", hostile), look("--tree", 3, hostile)]
    look("--html", page, "--svg", picture, "--all", hostile)
    assert any("owned" in text for text in texts)
    for text in texts:
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    for text in (page.read_text(), picture.read_text()):
        assert "<img" not in text and "\x1b" not in text and "\u202e" not in text
    assert page.read_text().count("</script>") == 2


# ---- Live ----

def shake_hands(listener):
    bind, ack, _ = handshake_pdus("alice")
    with socket.create_connection(listener.getsockname()) as client:
        served, _ = listener.accept()
        with served:
            client.sendall(bind)
            served.recv(4096)
            served.sendall(ack)
            client.recv(4096)


@pytest.mark.parametrize("filtered", [False, True])
def test_live(filtered):
    """What passes on the loopback interface is told at once, what the filter leaves out is not; an interrupt ends it well."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as other:
        port, hidden = listener.getsockname()[1], other.getsockname()[1]
        seen = subprocess.Popen([MAPIWIRE, "look", "-i", "lo", *(["-f", f"tcp port {port}"] if filtered else [])],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
        try:
            time.sleep(1)
            if seen.poll() is not None:
                pytest.skip("no right to listen on lo: " + seen.stderr.read().strip())
            shake_hands(other)
            shake_hands(listener)
            told = ""
            for line in seen.stdout:
                told += line
                if f"→{port} " in line and "bind" in line:
                    break
            else:
                pytest.fail("nothing was told")
        finally:
            seen.send_signal(signal.SIGINT)
        rest, errors = seen.communicate(timeout=20)
    assert (f"→{hidden} " in told) == (not filtered)
    assert "TCP connection" in rest
    assert seen.returncode == 0, errors


# ---- The page in a browser ----

def dump_dom(page, tmp_path, fragment=""):
    run = subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
         f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000", "--dump-dom",
         f"file://{page}{fragment}"], capture_output=True, timeout=120)
    return run.stdout.decode(errors="replace")


needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")


@pytest.mark.peer("chromium")
@needs_start
@needs_chromium
def test_page(tmp_path):
    page = tmp_path / "start.html"
    look("--html", page, START)
    assert not re.search(r"(src|href)=[\"']?(https?:)?//", page.read_text())
    dom = dump_dom(page, tmp_path, "#frame=411")
    assert "<title>outlook2000-start.pcap: mapiwire</title>" in dom
    assert dom.count('role="option"') >= 10
    assert re.search(r'class="row failed" role="option"[^>]* aria-selected="true"', dom)
    assert re.search(r'aria-label="failed, NspiBind: MAPI_E_LOGON_FAILED, nspi, 0\.7 ms, frame 410 to 411, second 2\.209, '
                     r'192\.168\.0\.173 to port 4997" aria-setsize="\d+" aria-posinset="\d+"', dom)
    assert "retried with NTLM after 5 ms" in dom
    assert ">MAPI_E_LOGON_FAILED<" in dom and ">contextHandle<" in dom
    assert ":4997" in dom


@pytest.mark.peer("chromium")
@needs_chromium
def test_hostile_page(hostile, tmp_path):
    page = tmp_path / "hostile.html"
    look("--html", page, "--all", hostile)
    dom = dump_dom(page, tmp_path, "#frame=3")
    assert "<title>hostile.pcap: mapiwire</title>" in dom
    assert "owned" in dom and "<img" not in dom


def unbind(call, status):
    """NspiUnbind and its answer (MS-OXNSPI 3.1.4.1.2)."""
    pdus = []
    for kind, stub in [(0, struct.pack("<IIHH8sI", 0, 1, 2, 3, bytes(8), 0)), (2, bytes(20) + struct.pack("<I", status))]:
        pdus.append(rpc_pdu(kind, call, struct.pack("<IHH", len(stub), 0, 1 if kind == 0 else 0) + stub))
    return pdus


def write_long_pcap(path):
    """1,000 connections of 101 events each: connect, bind and its answer, 49 calls with theirs; each one's last fails."""
    server, packets = bytes([10, 0, 0, 2]), []
    bind, ack, _ = handshake_pdus("alice")
    pdus = [bind, ack] + [p for call in range(2, 51) for p in unbind(call, 0x80040111 if call == 50 else 1)]
    for port in range(20000, 21000):
        client, sent = bytes([10, 0, 0, 1 if port % 2 else 3]), [2, 3]
        packets += [packet(client, server, port, 4997, 1, 0, 0x02, b""), packet(server, client, 4997, port, 2, 2, 0x12, b"")]
        for i, pdu in enumerate(pdus):
            ends = (server, client, 4997, port) if i % 2 else (client, server, port, 4997)
            packets.append(packet(*ends, sent[i % 2], sent[1 - i % 2], 0x18, pdu))
            sent[i % 2] += len(pdu)
    write_pcap(path, packets)


@pytest.fixture(scope="module")
def long_page(tmp_path_factory):
    if not CHROMIUM:
        pytest.skip("chromium is not installed")
    folder = tmp_path_factory.mktemp("long")
    write_long_pcap(folder / "long.pcap")
    subprocess.run([PLAIN, "look", "--all", "--html", folder / "long.html", folder / "long.pcap"], check=True, timeout=60,
                   env={**os.environ, "HOME": "/nonexistent"})
    with Browser(CHROMIUM, folder / "long.html", folder / "profile") as browser:
        yield browser


CURRENT = "document.getElementById(scroller.getAttribute('aria-activedescendant'))"


@pytest.mark.peer("chromium")
@needs_chromium
def test_long_page(long_page):
    """100,000 events: a few rows exist, and keys, search and filter reach them all."""
    b = long_page
    count = b.eval("shownCalls")
    assert b.eval("data.events.filter(e => e.n).length") == 100000 and count > 50000
    assert "events left out of the page" in b.eval("byId('shown').textContent")
    assert b.eval("byId('rows').children.length") < 60
    b.key("End", 35)
    assert b.eval(CURRENT + ".ariaPosInSet") == str(count) == b.eval(CURRENT + ".ariaSetSize")
    assert b.eval("Math.abs(scroller.scrollTop + scroller.clientHeight - scroller.scrollHeight)") <= 1
    assert b.eval(f"{CURRENT}.getBoundingClientRect().bottom <= scroller.getBoundingClientRect().bottom + 1")
    b.eval("scroller.scrollTop = 0")
    b.until("!scroller.hasAttribute('aria-activedescendant')")
    assert b.eval("byId('rows').children.length") < 60 and b.eval("byId('rows').firstChild.ariaPosInSet") == "1"
    b.key("Home", 36)
    b.key("PageDown", 34)
    b.key("ArrowUp", 38)
    assert b.eval(CURRENT + ".ariaPosInSet") == str(b.eval("page()"))


@pytest.mark.peer("chromium")
@needs_chromium
def test_page_zooms(long_page):
    """Keys, buttons and the wheel; the list keeps its place, and its end is reached at each."""
    b = long_page
    b.key("End", 35)
    width = b.eval("byId('lanes').clientWidth")
    b.key("+", 187)
    assert b.eval("zoom") == 1.25 and b.eval("byId('zoom').textContent") == "125 %"
    assert b.eval("byId('lanes').clientWidth") == int(width * 1.25 + 0.5)
    assert b.eval("byId('rows').lastChild.getBoundingClientRect().height") == b.eval("rowHeight()") == 38
    assert b.eval("byId('rows').lastChild.ariaPosInSet") == str(b.eval("shownCalls"))
    for _ in range(2):
        b.send("Input.dispatchMouseEvent", type="mouseWheel", x=300, y=500, deltaX=0, deltaY=100, modifiers=2)
    b.until("zoom == 0.8")
    for _ in range(9):
        b.eval("byId('smaller').click()")
    assert b.eval("zoom") == 0.6 and b.eval("byId('rows').lastChild.getBoundingClientRect().height") == 18
    b.key("Home", 36)
    b.key("End", 35)
    assert b.eval(f"{CURRENT}.getBoundingClientRect().bottom <= scroller.getBoundingClientRect().bottom + 1")
    b.key("0", 48)
    assert b.eval("zoom") == 1 and b.eval("byId('lanes').clientWidth") == width


@pytest.mark.peer("chromium")
@needs_chromium
def test_page_is_spoken(long_page):
    """What a screen reader is told: the row with its place among all, the count after a search, an end."""
    b = long_page
    b.key("Home", 36)
    b.key("n", 78)
    row, of = b.active()
    assert of["role"]["value"] == "listbox" and of["name"]["value"] == "Calls"
    told = {p["name"]: p["value"].get("value") for p in row["properties"]}
    assert row["role"]["value"] == "option" and told["selected"]
    assert row["name"]["value"].startswith("failed, NspiUnbind: ") and "frame " in row["name"]["value"]
    assert b.eval(CURRENT + ".ariaSetSize") == str(b.eval("shownCalls"))
    b.eval("window.kept = byId('rows').querySelector('[aria-selected=true]')")
    b.eval("scroller.scrollTop += 30")
    b.until("byId('rows').firstChild.ariaPosInSet != '1'")
    assert b.eval(f"kept === {CURRENT}")
    b.key("/", 191)
    b.type("logon_failed 10.0.0.3:")
    b.until("byId('said').textContent.endsWith(' lines')")
    found = b.eval("shownCalls")
    assert 0 < found < 1000 and b.eval("byId('said').textContent") == f"{found} of {b.eval('calls.length'):,} lines"
    assert b.eval("byId('said').ariaLive") == "polite" and b.eval("rows.every(r => r.failed && r.conn.client == '10.0.0.3')")
    b.key("Enter", 13)
    assert b.eval("document.activeElement === scroller")
    b.key("End", 35)
    b.key("Enter", 13)
    assert not b.eval("byId('details').hidden") and "LOGON_FAILED" in b.eval("byId('panes').textContent")
    b.key("Escape", 27)
    assert b.eval("byId('details').hidden")
    b.key("/", 191)
    b.type("nothing-like-it")
    b.until("byId('said').textContent == 'No line fits'")
    assert b.eval("byId('rows').children.length") == 0
    b.eval("byId('search').value = ''; byId('search').dispatchEvent(new Event('input')); byId('services').children[0].click()")
    assert b.eval("!rows.some(r => r.svc == calls[0].svc)")
