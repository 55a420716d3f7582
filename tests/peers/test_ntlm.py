"""NTLM against impacket and Samba, and against what Windows machines sent (a capture outside the project).

build-asan/tests/unit/auth/ntlm_tool is our side, on a pipe."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

ntlm = pytest.importorskip("impacket.ntlm", reason="python3-impacket is not installed")
from Cryptodome.Cipher import ARC4  # noqa: E402  (a dependency of impacket)

ROOT = pathlib.Path(os.environ.get("SOURCE_ROOT", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ["MAPIWIRE"]).parent if "MAPIWIRE" in os.environ else ROOT / "build"
TOOL = BUILD / "tests/unit/auth/ntlm_tool"
CAPTURES = pathlib.Path(os.environ.get("CAPTURES", ROOT / "../shared/captures"))
E_AUTH, E_AGAIN = -8, -13
LEVELS = ["connect", "packet", "integrity", "privacy"]
DOMAIN, USER, PASSWORD = "DEMO", "alice", "Passw0rd ü"
BODY = 24  # where the stub begins in the PDUs here


class Tool:
    def __init__(self, role, level, domain=DOMAIN, user=USER, password=PASSWORD):
        self.process = subprocess.Popen([TOOL, role, level, domain, user, password], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, *words):
        line = " ".join(word.hex() or "-" if isinstance(word, bytes) else str(word) for word in words)
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        assert answer, "ntlm_tool died"
        return answer

    def token(self, token=b"", side="c"):
        """The code, our token, the NTSTATUS."""
        code, out, status = self.ask("t", side, token)
        return int(code), b"" if out == "-" else bytes.fromhex(out), int(status, 16)

    def protect(self, pdu, length):
        code, pdu, signature = self.ask("p", pdu, BODY, length)
        assert int(code) == 0
        return bytes.fromhex(pdu), bytes.fromhex(signature)

    def verify(self, side, pdu, body, length, signature):
        code, pdu = self.ask("v", side, pdu, body, length, signature)
        return int(code), bytes.fromhex(pdu)

    def key(self):
        code, key = self.ask("k")
        assert int(code) == 0
        return bytes.fromhex(key)

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(10) == 0, "ntlm_tool failed"


@pytest.fixture
def tool():
    if not TOOL.exists():
        pytest.skip(f"{TOOL} was not built")
    tools = []

    def start(*args, **kwargs):
        tools.append(Tool(*args, **kwargs))
        return tools[-1]

    yield start
    for each in tools:
        each.close()


class Impacket:
    """impacket's half of a session, sealing as its DCE/RPC does."""

    def __init__(self, flags, key, level):
        self.flags, self.level = flags, level
        self.sign = {mode: ntlm.SIGNKEY(flags, key, mode) for mode in ("Client", "Server")}
        self.seal = {mode: ntlm.SEALKEY(flags, key, mode) for mode in ("Client", "Server")}
        self.rc4 = {mode: ARC4.new(self.seal[mode]) for mode in ("Client", "Server")}
        self.number = {"Client": 0, "Server": 0}

    def protect(self, mode, pdu, length):
        number, self.number[mode] = self.number[mode], self.number[mode] + 1
        crypt = self.rc4[mode].encrypt
        if self.level == "privacy":
            sealed, signature = ntlm.SEAL(self.flags, self.sign[mode], self.seal[mode], pdu, pdu[BODY:BODY + length],
                                          number, crypt)
            pdu = pdu[:BODY] + sealed + pdu[BODY + length:]
        else:
            signature = ntlm.SIGN(self.flags, self.sign[mode], pdu, number, crypt)
        return pdu, signature.getData()


def pdus():
    for number in range(4):
        length = 16 * (number + 1)
        yield bytes((number * 7 + at) & 0xff for at in range(BODY + length + 8)), length


def exchange(side, ours, theirs):
    """What we send is to the byte what impacket would; what it sends we accept."""
    own, other = ("Client", "Server") if side == "c" else ("Server", "Client")
    for pdu, length in pdus():
        assert ours.protect(pdu, length) == theirs.protect(own, pdu, length)
        sealed, signature = theirs.protect(other, pdu, length)
        assert ours.verify("s" if side == "c" else "c", sealed, BODY, length, signature) == (0, pdu)


@pytest.mark.parametrize("level", LEVELS)
def test_impacket_as_client(tool, level):
    server = tool("server", level)
    type1 = ntlm.getNTLMSSPType1("", "", signingRequired=True)
    code, challenge, _ = server.token(type1.getData())
    assert code == E_AGAIN
    type3, key = ntlm.getNTLMSSPType3(type1, challenge, USER, PASSWORD, DOMAIN)
    assert server.token(type3.getData())[0] == 0
    assert server.key() == key
    if level != "connect":
        exchange("s", server, Impacket(type3["flags"], key, level))


@pytest.mark.parametrize("user,password", [(USER, "wrong"), ("nobody", PASSWORD)])
def test_impacket_refused(tool, user, password):
    server = tool("server", "privacy")
    type1 = ntlm.getNTLMSSPType1("", "", signingRequired=True)
    _, challenge, _ = server.token(type1.getData())
    type3, _ = ntlm.getNTLMSSPType3(type1, challenge, user, password, DOMAIN)
    assert server.token(type3.getData()) == (E_AUTH, b"", 0xC000006D)


def ntlm_v1(server, password=PASSWORD, session_security=True):
    """impacket's NTLMv1; what the server says, the flags and the key."""
    type1 = ntlm.getNTLMSSPType1("", "", signingRequired=True, use_ntlmv2=False)
    if not session_security:
        type1["flags"] &= ~ntlm.NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY
    _, challenge, _ = server.token(type1.getData())
    type3, key = ntlm.getNTLMSSPType3(type1, challenge, USER, password, DOMAIN, use_ntlmv2=False)
    return server.token(type3.getData()), type3["flags"], key


def test_impacket_ntlm_v1_refused(tool):
    assert ntlm_v1(tool("server", "privacy"))[0] == (E_AUTH, b"", 0xC0000418)


@pytest.mark.parametrize("level", LEVELS)
def test_impacket_ntlm_v1_allowed(tool, level):
    server = tool("server-v1", level)
    said, flags, key = ntlm_v1(server)
    assert said[0] == 0 and server.key() == key
    if level != "connect":
        exchange("s", server, Impacket(flags, key, level))


def test_impacket_ntlm_v1_wrong_password(tool):
    assert ntlm_v1(tool("server-v1", "privacy"), "wrong")[0] == (E_AUTH, b"", 0xC000006D)


def test_impacket_plain_ntlm_v1_refused(tool):
    """Without extended session security, even where NTLMv1 is allowed, and where nothing is signed."""
    assert ntlm_v1(tool("server-v1", "connect"), session_security=False)[0] == (E_AUTH, b"", 0xC0000418)


def challenge_for(flags, server_challenge):
    pairs = ntlm.AV_PAIRS()
    pairs[ntlm.NTLMSSP_AV_DOMAINNAME] = DOMAIN.encode("utf-16le")
    pairs[ntlm.NTLMSSP_AV_HOSTNAME] = "MAIL".encode("utf-16le")
    pairs[ntlm.NTLMSSP_AV_TIME] = bytes(range(8))
    name = DOMAIN.encode("utf-16le")
    message = ntlm.NTLMAuthChallenge()
    message["flags"] = flags | ntlm.NTLMSSP_NEGOTIATE_TARGET_INFO
    message["domain_len"] = message["domain_max_len"] = len(name)
    message["domain_offset"] = 40 + 16
    message["challenge"] = server_challenge
    message["domain_name"] = name
    message["TargetInfoFields_len"] = message["TargetInfoFields_max_len"] = len(pairs)
    message["TargetInfoFields_offset"] = 40 + 16 + len(name)
    message["TargetInfoFields"] = pairs
    message["Version"] = bytes(8)
    message["VersionLen"] = 8
    return message.getData()


@pytest.mark.parametrize("level", LEVELS)
def test_impacket_as_server(tool, level):
    """impacket has no server for this; its functions say what the client's answer must be."""
    client = tool("client", level)
    _, negotiate, _ = client.token()
    flags = ntlm.NTLMAuthNegotiate()
    flags.fromString(negotiate)
    server_challenge = bytes.fromhex("0123456789abcdef")
    challenge = challenge_for(flags["flags"], server_challenge)
    code, authenticate, _ = client.token(challenge, "s")
    assert code == 0
    message = ntlm.NTLMAuthChallengeResponse()
    message.fromString(authenticate)
    assert message["user_name"].decode("utf-16le") == USER
    response_key = ntlm.NTOWFv2(USER, PASSWORD, DOMAIN)
    proof, temp = message["ntlm"][:16], message["ntlm"][16:]
    assert ntlm.hmac_md5(response_key, server_challenge + temp) == proof
    assert temp[8:16] == bytes(range(8)), "the timestamp is the server's"
    pairs = ntlm.AV_PAIRS(temp[28:-4])
    assert pairs[ntlm.NTLMSSP_AV_FLAGS][1] == bytes([2, 0, 0, 0])
    assert pairs[ntlm.NTLMSSP_AV_TARGET_NAME][1].decode("utf-16le") == "host/mail"
    assert pairs[ntlm.NTLMSSP_AV_CHANNEL_BINDINGS][1] == bytes(16)
    key = ntlm.hmac_md5(response_key, proof)
    if level != "connect":
        # impacket leaves this field of the payload unread
        start = message["session_key_offset"]
        key = ARC4.new(key).decrypt(authenticate[start:start + 16])
    assert client.key() == key
    mic = ntlm.hmac_md5(key, negotiate + challenge + authenticate[:72] + bytes(16) + authenticate[88:])
    assert authenticate[72:88] == mic
    if level != "connect":
        exchange("c", client, Impacket(message["flags"], key, level))


# ---- Samba ----


def samba_client(level, user, password):
    """Samba's own NTLMSSP as DCE/RPC uses it, without a network."""
    samba_param = pytest.importorskip("samba.param", reason="python3-samba is not installed")
    from samba import credentials, gensec
    settings = samba_param.LoadParm()
    who = credentials.Credentials()
    who.guess(settings)
    who.set_domain(DOMAIN)
    who.set_username(user)
    who.set_password(password)
    who.set_workstation("WS2")
    who.set_kerberos_state(credentials.DONT_USE_KERBEROS)
    client = gensec.Security.start_client({"lp_ctx": settings, "target_hostname": "mail"})
    client.set_credentials(who)
    client.want_feature(gensec.FEATURE_DCE_STYLE | gensec.FEATURE_SIGN)
    if level == "privacy":
        client.want_feature(gensec.FEATURE_SEAL)
    client.start_mech_by_name("ntlmssp")
    return client


def samba_handshake(tool, level, user=USER, password=PASSWORD):
    client = samba_client(level, user, password)
    server = tool("server", level)
    _, negotiate = client.update(b"")
    code, challenge, _ = server.token(negotiate)
    assert code == E_AGAIN
    done, authenticate = client.update(challenge)
    return client, server, server.token(authenticate)


@pytest.mark.peer("Samba's client library")
@pytest.mark.parametrize("level", ["integrity", "privacy"])
def test_samba_as_client(tool, level):
    client, server, answer = samba_handshake(tool, level)
    assert answer == (0, b"", 0)
    _, user, mic_present, mic_ok = server.ask("i")
    assert (user, mic_present, mic_ok) == (USER, "1", "1")
    assert server.key() == client.session_key()
    for number in range(4):
        data = bytes((number + at) & 0xff for at in range(64))
        if level == "privacy":
            wrapped = client.wrap(data)
            assert wrapped[16:] != data
            assert server.verify("c", wrapped[16:], 0, len(data), wrapped[:16]) == (0, data)
            _, sealed, signature = server.ask("p", data, 0, len(data))
            assert client.unwrap(bytes.fromhex(signature + sealed)) == data
        else:
            assert server.verify("c", data, 0, len(data), client.sign_packet(data, data)) == (0, data)
            _, plain, signature = server.ask("p", data, 0, len(data))
            client.check_packet(data, data, bytes.fromhex(signature))


@pytest.mark.peer("Samba's client library")
def test_samba_refused(tool):
    assert samba_handshake(tool, "privacy", password="wrong")[2] == (E_AUTH, b"", 0xC000006D)


# ---- A capture of Windows machines ----


def stream_payloads(capture, stream):
    """(side, bytes) of each segment with data; the client is who sent first."""
    command = ["tshark", "-r", capture, "-Y", f"tcp.stream == {stream} && tcp.len > 0", "-T", "fields"]
    command += ["-e", "tcp.srcport", "-e", "tcp.payload"]
    rows = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    client = None
    for row in rows.splitlines():
        port, payload = row.split("\t")
        client = client or port
        yield "c" if port == client else "s", bytes.fromhex(payload)


def stream_pdus(capture, stream):
    """(side, PDU), cut by frag_length."""
    pending = {"c": b"", "s": b""}
    for side, payload in stream_payloads(capture, stream):
        pending[side] += payload
        while len(pending[side]) >= 16:
            length = int.from_bytes(pending[side][8:10], "little")
            if len(pending[side]) < length:
                break
            yield side, pending[side][:length]
            pending[side] = pending[side][length:]


@pytest.mark.peer()
@pytest.mark.parametrize("password,fits", [("Password123!", True), ("Password123?", False)])
def test_windows_capture(tool, password, fits):
    capture = CAPTURES / "rpc-privacy-ntlm.pcapng"
    if not capture.exists():
        pytest.skip("../shared/captures is not here")
    if not shutil.which("tshark"):
        pytest.skip("tshark is not installed")
    truth = json.loads(capture.with_name(capture.name + ".unsealed.json").read_text())["pdus"]
    observer = tool("observer", "privacy", "DOMAIN", "Administrator", password)
    seen = []
    for side, pdu in stream_pdus(capture, 1):
        auth = int.from_bytes(pdu[10:12], "little")
        if auth == 0:
            continue
        end = len(pdu) - auth
        if pdu[2] not in (0, 2):
            observer.token(pdu[end:], side)
            continue
        code, plain = observer.verify(side, pdu[:end], BODY, end - 8 - BODY, pdu[end:])
        assert code == (0 if fits else -9)
        padding = pdu[end - 6]
        seen.append(plain[BODY:end - 8 - padding].hex())
    state, user, mic_present, mic_ok = observer.ask("i")
    assert (state, user) == ("1" if fits else "4", "Administrator")
    if fits:
        assert (mic_present, mic_ok) == ("1", "1")
        assert seen == [each["plain"] for each in truth]
    else:
        assert len(seen) == len(truth)
        assert all(plain != each["plain"] for plain, each in zip(seen, truth))
