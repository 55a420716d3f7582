"""Kerberos with a KDC of MIT's on loopback: our client against our server, then impacket's and Samba's against
`mapiwire serve --keytab`, which has never heard of that KDC."""
import json
import pathlib
import shutil
import sqlite3
import subprocess
import time

import pytest

from awkward import Between
from conftest import CAPTURES, program, run
from peer import LEVELS as IMPACKET_LEVELS
from realm import KDC, PASSWORD, RC4, REALM, SERVICES, STORE, Realm

LEVELS = ["connect", "call", "packet", "integrity", "privacy"]
pytestmark = [pytest.mark.skipif(not KDC, reason="krb5-kdc is not installed"), pytest.mark.peer("MIT's KDC")]


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    made = Realm(tmp_path_factory.mktemp("realm"))
    yield made
    made.stop()


@pytest.fixture
def kerberos_server(serve, realm):
    return serve("--keytab", str(realm.keytab))


# ---- Ours against ours ----


@pytest.fixture
def pair(realm):
    path = pathlib.Path(program()).parent / "tests/unit/auth/kerberos_tool"
    if not path.exists():
        pytest.skip("kerberos_tool was not built")

    def start(provider, level, header, target=STORE, user="alice", password=PASSWORD, keytab=None):
        done = subprocess.run([path, provider, level, header, keytab or realm.keytab, target, user, REALM, password],
                              env=realm.env_for(target), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.split()

    return start


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("provider", ["kerberos", "spnego"])
@pytest.mark.parametrize("header", ["header", "body"])
@pytest.mark.parametrize("target", [STORE, "exchangeMDB/old.demo.test"])
def test_pair(pair, provider, level, header, target):
    """Signatures as long as Windows' are: 76 and 28 bytes with AES, 45 and 37 with RC4."""
    sizes = {"privacy": (76, 45), "connect": (0, 0)}.get(level, (28, 37))
    size = sizes[SERVICES[target] == RC4]
    assert pair(provider, level, header, target) == ["ok", "alice", REALM, "kerberos", str(size)]


@pytest.mark.parametrize("provider", ["kerberos", "spnego"])
def test_hostile_tokens(pair, provider):
    """The first token cut at each length, and with each byte changed."""
    assert pair(provider, "privacy", "tokens") == ["hostile", "ok"]


def test_ticket_cache(pair, realm):
    realm.tickets()
    assert pair("kerberos", "privacy", "header", password="-")[:2] == ["ok", "alice"]


@pytest.mark.parametrize("what,expected", [
    ({"password": "wrong"}, ["client", "c000006d"]),
    ({"target": "exchangeMDB/nobody"}, ["client", "80090303"]),
    ({"target": "host/elsewhere.demo.test"}, ["server", "c0000322"]),
    ({"user": "stranger"}, ["server", "c000006d"]),
    ({"user": "nobody"}, ["client", "c000006d"]),
])
def test_refused(pair, what, expected):
    answer = pair("kerberos", "privacy", "header", **what)
    assert answer[0] == "refused" and [answer[1], answer[3]] == expected


def test_falls_back_to_ntlm(pair):
    """No ticket, or a server without a keytab: SPNEGO settles on NTLM, in the latter case proved by mechListMIC."""
    assert pair("spnego", "privacy", "header", target="exchangeMDB/nobody")[3] == "ntlm"
    assert pair("spnego", "privacy", "header", keytab="-")[3] == "ntlm"


# ---- impacket ----


def impacket_rpc(port, level, host, provider, user="alice"):
    rpcrt = pytest.importorskip("impacket.dcerpc.v5.rpcrt", reason="python3-impacket is not installed")
    from impacket.dcerpc.v5 import mgmt, transport
    rpc_transport = transport.DCERPCTransportFactory(f"ncacn_ip_tcp:127.0.0.1[{port}]")
    rpc_transport.set_credentials(user, "", REALM)
    rpc_transport.set_kerberos(True)
    rpc_transport.setRemoteName(host)
    rpc_transport.setRemoteHost("127.0.0.1")
    rpc = rpc_transport.get_dce_rpc()
    rpc.set_auth_type(provider or rpcrt.RPC_C_AUTHN_GSS_NEGOTIATE)
    rpc.set_auth_level(IMPACKET_LEVELS[level])
    rpc.connect()
    rpc.bind(mgmt.MSRPC_UUID_MGMT)
    return rpc, mgmt


@pytest.mark.peer("MIT's KDC", "impacket")
@pytest.mark.parametrize("host,level", [
    ("aes.demo.test", "connect"), ("aes.demo.test", "privacy"),
    ("rc4.demo.test", "connect"), ("rc4.demo.test", "integrity"), ("rc4.demo.test", "privacy"),
])
def test_impacket(kerberos_server, realm, monkeypatch, host, level):
    """It frames its AP-REQ, its alter_context carries surplus bytes, and it signs no header. Its AES integrity fails in itself:
    it appends text to bytes."""
    monkeypatch.setenv("KRB5CCNAME", realm.tickets(f"host/{host}")[len("FILE:"):])
    rpc, mgmt = impacket_rpc(kerberos_server.epm, level, host, None)
    for _ in range(5):
        assert mgmt.hinq_if_ids(rpc)["if_id_vector"]["count"] > 0


@pytest.mark.peer("impacket")
def test_principal_names(kerberos_server, serve, state):
    """rpc__mgmt_inq_princ_name of each provider: the first service of the keytab, and NTLM's account."""
    from impacket.dcerpc.v5 import mgmt, transport

    def names(port):
        rpc = transport.DCERPCTransportFactory(f"ncacn_ip_tcp:127.0.0.1[{port}]").get_dce_rpc()
        rpc.connect()
        rpc.bind(mgmt.MSRPC_UUID_MGMT)
        found = {}
        for provider in (9, 10, 16, 14):
            request = mgmt.inq_princ_name()
            request["authn_proto"], request["princ_name_size"] = provider, 256
            answer = rpc.request(request, checkError=False)
            found[provider] = answer["status"] or b"".join(answer["princ_name"]).rstrip(b"\0").decode()
        return found

    unknown = 0x6D3
    assert names(kerberos_server.epm) == {9: f"{STORE}@{REALM}", 10: "MAIL", 16: f"{STORE}@{REALM}", 14: unknown}
    assert names(serve().epm) == {9: "MAIL", 10: "MAIL", 16: unknown, 14: unknown}


# ---- Refused, and told apart in the log ----


def refused_by(server, realm, monkeypatch, host="aes.demo.test", user="alice", port=None):
    """What the log says of impacket's attempt with a ticket of the KDC's."""
    monkeypatch.setenv("KRB5CCNAME", realm.tickets(f"host/{host}", user)[len("FILE:"):])
    with pytest.raises(Exception):
        rpc, mgmt = impacket_rpc(port or server.epm, "privacy", host, None, user)
        mgmt.hinq_if_ids(rpc)
    return [line.split("authentication refused: ")[1] for line in server.errors().splitlines() if "refused:" in line]


@pytest.mark.peer("MIT's KDC", "impacket")
def test_account_may_not_log_on(kerberos_server, realm, monkeypatch):
    server = kerberos_server
    run("user", "lock", "alice@demo.test", "--state", server.state)
    assert refused_by(server, realm, monkeypatch) == [
        f"user {REALM}\\alice, 0xC0000234 The account is locked or disabled."]
    with sqlite3.connect(server.state / "directory.sqlite") as database:
        database.execute("UPDATE user SET flags = 2 WHERE account = 'alice'")
    assert refused_by(server, realm, monkeypatch)[1:] == [f"user {REALM}\\alice, 0xC0000193 The account has expired."]
    assert refused_by(server, realm, monkeypatch, user="stranger")[2:] == [
        f"user {REALM}\\stranger, 0xC000006D The server refused the user name or password."]


@pytest.mark.peer("MIT's KDC", "impacket")
def test_ticket_for_another_service(kerberos_server, realm, monkeypatch):
    said = refused_by(kerberos_server, realm, monkeypatch, host="elsewhere.demo.test")
    assert len(said) == 1 and "0xC0000322 The server has no key for the service that the ticket is for." in said[0]


@pytest.mark.peer("MIT's KDC", "impacket")
def test_clocks_too_far_apart(serve, realm, monkeypatch):
    """A server that bears one second, and a way to it that takes two and a half."""
    config = realm.path / "strict.conf"
    config.write_text((realm.path / "krb5.conf").read_text().replace("[libdefaults]", "[libdefaults]\n clockskew = 1"))
    monkeypatch.setenv("KRB5_CONFIG", str(config))
    server = serve("--keytab", str(realm.keytab))
    slow = Between(server.epm, to_server=lambda data: time.sleep(2.5) or data)
    said = refused_by(server, realm, monkeypatch, port=slow.port)
    slow.close()
    assert len(said) == 1 and "0xC0000133 The clocks of client and server are too far apart." in said[0]


# ---- Samba ----


@pytest.mark.peer("MIT's KDC", "Samba's client library")
@pytest.mark.parametrize("level", ["connect", "packet", "sign", "seal"])
@pytest.mark.parametrize("provider", ["krb5", "spnego,krb5"])
@pytest.mark.parametrize("host", ["aes.demo.test", "rc4.demo.test"])
def test_samba(kerberos_server, realm, monkeypatch, provider, level, host):
    param = pytest.importorskip("samba.param", reason="python3-samba is not installed")
    from samba import credentials
    from samba.dcerpc import mgmt
    monkeypatch.setenv("KRB5_CONFIG", realm.env["KRB5_CONFIG"])
    settings = param.LoadParm()
    settings.set("realm", REALM)
    who = credentials.Credentials()
    who.guess(settings)
    who.set_username("alice")
    who.set_domain("DEMO")
    who.set_realm(REALM)
    who.set_password(PASSWORD)
    who.set_kerberos_state(credentials.MUST_USE_KERBEROS)
    where = f"ncacn_ip_tcp:127.0.0.1[{kerberos_server.epm},{provider},{level},target_hostname={host}," \
            f"target_principal=host/{host}@{REALM}]"
    connection = mgmt.mgmt(where, settings, who)
    for _ in range(5):
        assert len(connection.inq_if_ids().if_id) > 0


# ---- A capture of Windows machines ----


def sealed_calls(secrets):
    capture = CAPTURES / "rpc-privacy-kerberos.pcapng"
    if not capture.exists():
        pytest.skip("../shared/captures is not here")
    shown = run("look", "--json", capture, "--secrets", secrets).stdout
    events = [json.loads(line) for line in shown.splitlines()]
    return [event for event in events if event.get("sealed")], run("look", capture, "--secrets", secrets).stdout


@pytest.mark.peer()
def test_windows_capture(tmp_path):
    secrets = tmp_path / "secrets"
    secrets.write_text(f"keytab {CAPTURES / 'keys' / 'rpc-privacy-kerberos.keytab'}\n")
    sealed, _ = sealed_calls(secrets)
    assert len(sealed) == 12
    for event in sealed:
        assert event["decrypted"] and event["signature"] == "ok" and event["user"] == "DOMAIN.LOCAL\\WIN10$"


@pytest.mark.peer()
def test_windows_capture_without_its_key(tmp_path, realm):
    """A keytab of another realm, its path beside the file of secrets; then none."""
    secrets = tmp_path / "secrets"
    shutil.copy(realm.keytab, tmp_path / "other.keytab")
    for line, why in [("keytab other.keytab\n", "no key in the keytab opens the ticket for ldap/dc1.domain.local"),
                      ("password DOMAIN\\WIN10$ x\n", "no keytab was given")]:
        secrets.write_text(line)
        sealed, text = sealed_calls(secrets)
        assert len(sealed) == 12 and not any(event.get("decrypted") for event in sealed)
        assert why in " ".join(text.split())


# ---- The option ----


@pytest.mark.peer()
@pytest.mark.parametrize("content", [None, b"", b"no keytab"])
def test_bad_keytab(state, tmp_path, content):
    keytab = tmp_path / "bad.keytab"
    if content is not None:
        keytab.write_bytes(content)
    done = run("serve", "--state", state, "--epm-port", "0", "--keytab", keytab, check=False)
    assert done.returncode != 0
    assert f"keytab {keytab}" in done.stderr and len(done.stderr.strip().splitlines()) == 1
