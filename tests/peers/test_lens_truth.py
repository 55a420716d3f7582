"""The lens against what others say of real captures (outside the project, see their README).

NAME.truth.json is tshark's account, NAME.rops.json an independent decoding of the store's calls, NAME.unsealed.json the
plaintext of sealed stubs. Compared are all connections with RPC, over TCP and in named pipes.

Where tshark is wrong, and we do not follow it:
- outlook2000-start.pcap: one connection (12, port 1153) it takes for another protocol, for its second port is one that
  another dissector has claimed: 444 PDUs instead of 454. Calls whose bind is not in the capture it leaves unnamed; we name
  them by what is known of the server's port.
"""
import collections
import json
import os
import pathlib
import subprocess
import tempfile

import pytest

ROOT = pathlib.Path(os.environ.get("SOURCE_ROOT", pathlib.Path(__file__).resolve().parents[2]))
PROGRAM = pathlib.Path(os.environ.get("MAPIWIRE", ROOT / "build/mapiwire"))
DUMP = PROGRAM.parent / "tests/unit/lens/lens_dump"
CAPTURES = pathlib.Path(os.environ.get("CAPTURES", ROOT / "../shared/captures"))
OUTLOOK = CAPTURES / "outlook2000-start.pcap"

pytestmark = pytest.mark.skipif(not CAPTURES.is_dir(), reason="the real captures (../shared/captures) are not here")

SHORT = {
    "e1af8308-5d1f-11c9-91a4-08002b14a0fa": "epm",
    "afa8bd80-7d8a-11c9-bef4-08002b102989": "mgmt",
    "1544f5e0-613c-11d1-93df-00c04fd7bd09": "rfr",
    "f5cc5a18-4264-101a-8c59-08002b2f8426": "nspi",
    "a4f1db00-ca47-1067-b31f-00dd010662da": "emsmdb",
    "5261574a-4572-206e-b268-6b199213b4e4": "asyncemsmdb",
}
AUTH = {None: "none", "9": "spnego", "10": "ntlm", "16": "kerberos", "68": "schannel"}
LEVEL = {None: "none", "1": "none", "2": "connect", "3": "call", "4": "packet", "5": "integrity", "6": "privacy"}
# Bind-time feature negotiation, [MS-RPCE] 3.3.1.5.3: no interface.
FEATURES = "6cb71c2c-9812-4540"
PDU_EVENTS = {"bind", "bind_ack", "bind_nak", "alter", "alter_ack", "auth3", "request", "response", "fault", "cancel",
              "orphaned", "shutdown"}


def dump(capture, *options):
    out = subprocess.run([DUMP, "--json", *options, capture], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in out.stdout.splitlines()]


def look(capture, *options):
    if not PROGRAM.exists():
        pytest.skip("build/mapiwire is not built")
    out = subprocess.run([PROGRAM, "look", "--json", *options, capture], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    return [json.loads(line) for line in out.stdout.splitlines()]


@pytest.fixture(params=[dump, look], ids=["lens", "program"])
def read(request):
    return request.param


def names():
    return sorted(p.name[:-len(".truth.json")] for p in CAPTURES.glob("*.truth.json")) if CAPTURES.is_dir() else []


def truth(name):
    return json.loads((CAPTURES / f"{name}.truth.json").read_text())


def uuid_names(t):
    known = {v["name"]: k for k, v in t["dcerpc"]["interfaces"].items() if v["name"]}
    return lambda name: SHORT.get(known.get(name, name), known.get(name, name))


@pytest.mark.parametrize("name", names())
def test_calls(read, agree, name):
    """Each request: its connection, frame, call id, opnum and interface."""
    t = truth(name)
    uuid_of = uuid_names(t)
    expected = collections.defaultdict(list)
    for frame, stream, call, iface, opnum in t["dcerpc"]["calls"]:
        expected[stream, int(call)].append((frame, iface, int(opnum)))
    found = collections.defaultdict(list)
    for e in read(CAPTURES / name):
        if e["event"] == "request":
            found[e["conn"] - 1, e["call"]].append(e)
    extra = {key[0] for key in found.keys() - expected.keys()}
    assert extra == ({12} if name == OUTLOOK.name else set())
    assert not expected.keys() - found.keys()
    for key, calls in expected.items():
        assert len(calls) == len(found[key])
        for (frame, iface, opnum), e in zip(calls, found[key]):
            assert e["frame"] <= frame <= e["last_frame"]
            assert e["opnum"] == opnum
            if iface:
                assert e["iface"] == uuid_of(iface)
    agree(name, "calls", sum(map(len, expected.values())))


@pytest.mark.parametrize("name", names())
def test_binds(read, agree, name):
    """Each bind and alter: frame, interface, security; and how it was answered."""
    t = truth(name)
    expected = t["dcerpc"]["binds"]
    events = read(CAPTURES / name)
    found = [e for e in events if e["event"] in ("bind", "alter")]
    assert len(found) == len(expected)
    by_frame = {e["last_frame"]: e for e in found}
    for b in expected:
        e = by_frame[b["frame"]]
        offered = [i["uuid"] for i in b["items"] if not i["uuid"].startswith(FEATURES)]
        assert e["event"] == b["kind"] and e["call"] == int(b["call_id"])
        assert e["iface"] == SHORT.get(offered[0], offered[0])
        assert e.get("auth", "none") == AUTH[b["auth_type"]] and e.get("level", "none") == LEVEL[b["auth_level"]]
        if "ack_frame" in b:
            ack = next(a for a in events if a["frame"] <= b["ack_frame"] <= a["last_frame"] and "_ack" in a["event"])
            assert (ack["status"] == "accepted") == ("0" in b["results"])
    agree(name, "binds", len(expected))


@pytest.mark.parametrize("name", names())
def test_faults(read, agree, name):
    t = truth(name)
    found = [e for e in read(CAPTURES / name) if e["event"] == "fault"]
    assert len(found) == sum(t["dcerpc"]["faults"].values())
    assert all(e["status"] for e in found)
    agree(name, "faults", len(found))


def test_every_pdu_of_outlooks_start():
    """Each PDU, fragments counted one by one. tshark: 444, of which 92 are in pipes; 10 it does not see as RPC."""
    t = truth(OUTLOOK.name)
    pdus, per_conn, in_pipes = collections.Counter(), collections.Counter(), 0
    for e in dump(OUTLOOK):
        if e["event"] in PDU_EVENTS:
            pdus[e["event"]] += e["fragments"]
            per_conn[e["conn"] - 1] += e["fragments"]
            in_pipes += e["fragments"] if e["transport"] == "pipe" else 0
    assert per_conn == {12: 10} | {c["stream"]: c["dcerpc"] for c in t["tcp_conversations"] if c["dcerpc"]}
    assert sum(pdus.values()) == 454 == sum(t["dcerpc"]["pdus"].values()) + 10
    assert in_pipes == 92
    assert pdus == {"bind": 14, "bind_ack": 14, "auth3": 2, "request": 210, "response": 214}


def test_pipes_have_names(read):
    """By what the files were opened as; where that is not in the capture, none is made up."""
    found = collections.Counter()
    for name in ("outlook2000-start.pcap", "pipes-samr.pcap", "smb2-krb.pcap", "many-contexts.pcap", "one-sided.pcap"):
        for e in read(CAPTURES / name):
            if e["transport"] == "pipe" and e["event"] == "bind":
                found[name, e.get("pipe")] += 1
    assert found == {("outlook2000-start.pcap", "lsarpc"): 8, ("pipes-samr.pcap", "samr"): 1,
                     ("smb2-krb.pcap", "srvsvc"): 1, ("many-contexts.pcap", "samr"): 1, ("one-sided.pcap", None): 2}


def test_fragments_of_outlooks_start(read):
    """The truth has the frame in which each fragment begins; a call of several is one event."""
    ends = {(e["frame"], e["call"]): e["last_frame"] for e in read(OUTLOOK) if e["event"] == "response"}
    kinds = json.loads((CAPTURES / f"{OUTLOOK.name}.rops.json").read_text())
    calls = [c["response"] for k in kinds["connections"] for c in k["calls"] if c.get("response", {}).get("frames")]
    assert len(calls) == truth(OUTLOOK.name)["dcerpc"]["response_fragments"]["first"] == 4
    assert all(ends[c["frames"][0], c["call_id"]] >= c["frames"][-1] for c in calls)


def test_security_of_outlooks_start(read):
    count = collections.Counter()
    t = truth(OUTLOOK.name)
    for e in read(OUTLOOK):
        if e["event"] in PDU_EVENTS and e.get("auth", "none") != "none":
            count[e["event"], e["auth"], e["level"]] += 1
        # A domain member asks its controller's NETLOGON, in a pipe that was opened before the capture.
        assert bool(e.get("sealed")) == (e.get("auth") == "schannel")
    assert (count["request", "schannel", "privacy"], count["response", "schannel", "privacy"]) == \
        (t["dcerpc"]["auth"]["request type=68 level=6"], t["dcerpc"]["auth"]["response type=68 level=6"])
    assert count["bind", "ntlm", "connect"] == t["dcerpc"]["auth"]["bind type=10 level=2"]
    assert count["auth3", "ntlm", "connect"] == t["dcerpc"]["auth"]["auth3 type=10 level=2"]
    # tshark's 163 and the 5 of the connection that it does not see
    assert count["request", "ntlm", "connect"] == t["dcerpc"]["auth"]["request type=10 level=2"] + 5
    users = {e["user"] for e in read(OUTLOOK) if e["event"] == "auth3"}
    assert users == {f"{n['domain']}\\{n['user']}" for n in t["ntlm_auth"]}


def test_every_rop_of_outlooks_start(read, agree):
    """By frame, call id, name and status: what an independent decoder found."""
    ours = {}
    for e in read(OUTLOOK):
        if e["event"] in ("request", "response") and e.get("iface") == "emsmdb":
            ours[e["event"], e["frame"], e["call"]] = e
    compared = collections.Counter()
    # The answer to a request before the capture: the truth counts its ROPs without listing them.
    alone = ours["response", 2, 6438]["rops"]
    compared["response"] += len(alone)
    kinds = json.loads((CAPTURES / f"{OUTLOOK.name}.rops.json").read_text())
    for connection in kinds["connections"]:
        if connection["interface"] != "EMSMDB":
            continue
        for call in connection["calls"]:
            for kind, part in (("request", call), ("response", call.get("response") or {})):
                if "rops" not in part:
                    continue
                frame = (part["frames"] or [part["frame"]])[0]
                e = ours[kind, frame, call["call_id"]]
                assert e.get("rops", []) == [r["name"] for r in part["rops"]]
                compared[kind] += len(part["rops"])
                if kind == "response" and "rop_codes" in e:
                    assert [c or 0 for c in e["rop_codes"]] == [int(r.get("rv", "0"), 16) for r in part["rops"]]
                if kind == "response" and "rop_status" in e:
                    assert [s in (None, "ok") for s in e["rop_status"]] == [int(r.get("rv", "0"), 16) == 0
                                                                            for r in part["rops"]]
                assert "damaged" not in e
    assert compared == {"request": sum(kinds["request_rops"].values()), "response": sum(kinds["response_rops"].values())}
    assert compared == {"request": 306, "response": 328}
    agree(OUTLOOK.name, "ROPs", 306 + 328)


def test_outlooks_start_as_a_person_would_tell_it(read):
    events = read(OUTLOOK)
    by_frame = collections.defaultdict(dict)
    for e in events:
        by_frame[e["frame"]][e["event"]] = e
    assert by_frame[400]["response"]["endpoint"] == "nspi tcp 4997"
    assert by_frame[705]["response"]["endpoint"] == "emsmdb tcp 1032"
    assert by_frame[411]["response"]["status"] == "MAPI_E_LOGON_FAILED"
    assert by_frame[394]["open"]["dst"] == "192.168.0.2:135"
    assert by_frame[408]["bind"]["iface"] == "nspi"
    assert abs(by_frame[489]["response"]["ms"] - 26.6) < 0.05
    assert by_frame[783]["request"]["rops"] == ["Logon"]
    midway = {e["src"] for e in events if e.get("known_by") == "port" and e["event"] == "request"}
    assert midway == {"192.168.0.129:2482", "192.168.0.141:1734", "192.168.0.183:1153", "192.168.0.168:3647"}
    assert all(e["iface"] == "emsmdb" for e in events if e.get("known_by") == "port" and e["event"] == "request")


def test_unsealed_stubs(agree):
    """rpc-privacy-ntlm.pcapng: every plaintext, fragments joined; every signature verified."""
    capture = CAPTURES / "rpc-privacy-ntlm.pcapng"
    known = json.loads((CAPTURES / f"{capture.name}.unsealed.json").read_text())
    expected = collections.defaultdict(str)
    for pdu in known["pdus"]:
        expected[pdu["pdu"], pdu["call_id"]] += pdu["plain"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as secrets:
        secrets.write(f"password DOMAIN\\{known['user']} {known['password']}\n")
        secrets.flush()
        events = dump(capture, "--fields", "--secrets", secrets.name)
    found = {}
    for e in events:
        if e["sealed"]:
            assert e["decrypted"] and e["signature"] == 1
            found[e["event"], e["call"]] = next(v for n, v, *_ in e["fields"] if n == "stub")
    assert found == expected
    agree(capture.name, "plaintexts", len(expected))


@pytest.mark.parametrize("line, why", [
    ("", "no secrets were given"),
    ("password DOMAIN\\Somebody x\n", "no secret for DOMAIN\\Administrator"),
    ("password DOMAIN\\Administrator wrong\n", "wrong password for DOMAIN\\Administrator"),
])
def test_why_it_stays_sealed(line, why):
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as secrets:
        secrets.write(line)
        secrets.flush()
        events = dump(CAPTURES / "rpc-privacy-ntlm.pcapng", "--secrets", secrets.name)
    sealed = [e for e in events if e["sealed"]]
    assert sealed and all(not e["decrypted"] and e["why_sealed"].startswith(why) for e in sealed)


@pytest.mark.parametrize("name", names())
def test_one_look_or_two_kept_or_not(name):
    """Keeping events, and a first look, change what is known, not what is seen."""
    def keys(*options):
        return [(e["frame"], e["event"], e.get("call")) for e in dump(CAPTURES / name, *options)]
    assert keys() == keys("--keep") == keys("--one-pass") == keys("--fields")
