"""Somebody between our client and a server who changes what passes: the client never takes it for an answer."""
import json
import shutil
import struct
import subprocess

import pytest
from awkward import Meddler, hand_out
from conftest import USERS, program, run
from realm import KDC, REALM, STORE, Realm

BIND, BIND_ACK, ALTER, REQUEST, RESPONSE = 11, 12, 14, 0, 2
SIGN = 4  # PFC_SUPPORT_HEADER_SIGN
MGMT = bytes.fromhex("80bda8af8a7dc911bef408002b102989")
ASYNC = bytes.fromhex("4a57615272456e20b2686b199213b4e4")


def kind(pdu):
    return pdu[2]


def flip(pdu, at):
    return pdu[:at] + bytes([pdu[at] ^ 1]) + pdu[at + 1:]


def answers(change):
    """Changes the server's answers to calls."""
    return lambda from_client, pdu: pdu if from_client or kind(pdu) != RESPONSE else change(pdu)


def bare(pdu):
    """Without its verifier, as if nothing had been agreed on."""
    size = struct.unpack_from("<H", pdu, 10)[0]
    pad = pdu[-size - 6] if size else 0
    rest = pdu[:-size - 8 - pad] if size else pdu
    return rest[:8] + struct.pack("<HH", len(rest), 0) + rest[12:]


def lowered(pdu):
    """The verifier says level connect."""
    size = struct.unpack_from("<H", pdu, 10)[0]
    return pdu[:-size - 7] + b"\x02" + pdu[-size - 6:]


def repeated():
    """The second answer is the first one again, under the second's call id."""
    kept = []

    def change(pdu):
        kept.append(pdu)
        return pdu if len(kept) == 1 else kept[0][:12] + pdu[12:16] + kept[0][16:]

    return change


ANSWERS = {
    "a byte of the stub": lambda pdu: flip(pdu, 24),
    "the header's flags": lambda pdu: pdu[:3] + bytes([pdu[3] | 0x20]) + pdu[4:],
    "the context id": lambda pdu: flip(pdu, 20),
    "the cancel count": lambda pdu: flip(pdu, 22),
    "the signature's end": lambda pdu: flip(pdu, len(pdu) - 1),
    "the verifier's context": lambda pdu: flip(pdu, len(pdu) - struct.unpack_from("<H", pdu, 10)[0] - 4),
    "no verifier": bare,
    "a lower level": lowered,
}


@pytest.fixture
def meddled(tmp_path):
    """Pings the store's interface of a server through a meddler; yields exit code, what was said, what was changed."""
    secret = tmp_path / "secret"
    secret.write_text(USERS["alice"][1] + "\n")
    opened = []

    def start(server, change, *options, env=None, count=1):
        store = Meddler(server.store, change)
        mapper = Meddler(server.epm, lambda from_client, pdu: hand_out(server.store, store.port)(pdu))
        opened.extend([store, mapper])
        done = subprocess.run([program(), "ping", f"127.0.0.1:{mapper.port}", "store", "-U", "DEMO\\alice", "-n", str(count),
                               "--password-file", secret, "--timeout", "5", "--json", *options],
                              capture_output=True, text=True, timeout=60, env=env)
        assert "Sanitizer" not in done.stderr, done.stderr
        return done.returncode, json.loads(done.stdout), store.changed

    yield start
    for each in opened:
        each.close()


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    if not KDC:
        pytest.skip("krb5-kdc is not installed")
    made = Realm(tmp_path_factory.mktemp("realm"))
    yield made
    made.stop()


@pytest.mark.parametrize("level", ["packet", "integrity", "privacy"])
@pytest.mark.parametrize("what", [*ANSWERS, "an old answer"])
def test_ntlm(server, meddled, level, what):
    change = ANSWERS.get(what) or repeated()
    code, said, changed = meddled(server, answers(change), "--level", level, count=2)
    assert changed == 1 and code in (32, 33), said


@pytest.mark.parametrize("auth", ["kerberos", "negotiate"])
@pytest.mark.parametrize("level", ["integrity", "privacy"])
@pytest.mark.parametrize("what", [*ANSWERS, "an old answer"])
def test_kerberos(serve, realm, meddled, auth, level, what):
    """The header too: signing it was agreed on."""
    change = ANSWERS.get(what) or repeated()
    code, said, changed = meddled(serve("--keytab", str(realm.keytab)), answers(change), "--level", level, "--auth", auth,
                                  "--service", STORE, "--realm", REALM, env=realm.env, count=2)
    assert changed == 1 and code in (32, 33), said


def test_unchanged(server, meddled):
    """What the tests above rest on."""
    code, said, changed = meddled(server, lambda _, pdu: pdu, count=2)
    assert code == 0 and said["listening"] and changed == 0


# ---- What the bind says is not signed: the verification trailer repeats it under the signature ----


def without_signing(from_client, pdu):
    """The bind no longer says that the client signs headers."""
    return pdu[:3] + bytes([pdu[3] & ~SIGN]) + pdu[4:] if from_client and kind(pdu) == BIND else pdu


def other_interface(from_client, pdu):
    """The alter_context for mgmt asks for another interface of that port."""
    return pdu.replace(MGMT, ASYNC).replace(ASYNC + b"\x01\0\0\0", ASYNC + b"\0\0\x01\0") \
        if from_client and kind(pdu) == ALTER else pdu


def ndr20_only(from_client, pdu):
    """The alter_context's second context is no longer NDR64, but something that nobody knows."""
    ndr64 = bytes.fromhex("33057171babe37498319b5dbef9ccc36")
    return pdu.replace(ndr64, bytes(16)) if from_client and kind(pdu) == ALTER else pdu


@pytest.mark.parametrize("change", [without_signing, other_interface])
@pytest.mark.parametrize("level", ["packet", "integrity", "privacy"])
def test_bind(server, meddled, change, level):
    """Our server compares the trailer with what reached it, and refuses the call."""
    code, said, changed = meddled(server, change, "--level", level)
    assert changed == 1 and code != 0 and "listening" not in said, said


def test_fallback_to_ndr20(server, meddled):
    """Where the server does not take NDR64 the calls are made in NDR 2.0."""
    code, said, changed = meddled(server, ndr20_only)
    assert changed == 1 and code == 0 and said["listening"]


def test_what_is_offered(server, tmp_path):
    """As tshark reads it: NDR 2.0, NDR64 and features for each bind; NDR64 taken; a trailer with its two commands."""
    tshark = shutil.which("tshark")
    if not tshark:
        pytest.skip("tshark is not installed")
    capture = tmp_path / "a.pcapng"
    run("ping", f"127.0.0.1:{server.epm}", "store", "-U", "DEMO\\alice", "--password-file",
        server.state / "alice.password", "--level", "integrity", "-w", capture)
    ports = [word for port in (server.epm, server.store) for word in ("-d", f"tcp.port=={port},dcerpc")]  # else it guesses by them
    text = subprocess.run([tshark, "-r", capture, *ports, "-V"], capture_output=True, text=True, check=True, timeout=60).stdout
    assert text.count("Bind Time Features: 0x0003") == 4  # asked and answered, mapper and store
    assert text.count("Ctx Item[2]: Acceptance, 64bit NDR") == 3
    assert "SEC_VT_SIGNATURE" in text and "CLIENT_SUPPORT_HEADER_SIGNING: True" in text and "Cmd: PCONTEXT" in text
