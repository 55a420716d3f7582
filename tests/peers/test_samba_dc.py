"""Our client against a foreign server: a domain controller of Samba's, with everything that its endpoint mapper has."""
import json
import re

import pytest

from awkward import Meddler, hand_out
from conftest import USERS, program, run
from namespace import new_namespace
from rpc_proxy import RpcProxy
from samba_dc import DOMAIN, EPM, HOST, REALM, DomainController, find

pytestmark = pytest.mark.peer("Samba's domain controller")
SAMR = "12345778-1234-abcd-ef00-0123456789ac/1.0"
LSARPC = "12345778-1234-abcd-ef00-0123456789ab/0.0"
DRSUAPI = "e3514235-4b06-11d1-ab04-00c04fc2dcd2/4.0"
# One line of rpcclient's epmlookup: object, then "protocol:host[endpoint,abstract_syntax=UUID/VERSION,...]: annotation".
ENTRY = re.compile(r"^\S+ (\w+):[^\[]*\[(.*?),?abstract_syntax=([-0-9a-f]+)/0x([0-9a-f]{8})[^\]]*\]: (.*)$", re.M)


@pytest.fixture(scope="module")
def dc(tmp_path_factory):
    with new_namespace() as namespace:
        controller = DomainController(tmp_path_factory.mktemp("dc"), namespace)
        yield controller
        controller.stop()


def ping(dc, *words):
    return dc.run(program(), "ping", "127.0.0.1", *words)


@pytest.fixture(scope="module")
def registered(dc):
    """All that `mapiwire ping` lists."""
    done = ping(dc, "--json")
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.peer("Samba's domain controller", "rpcclient")
def test_same_list_as_samba_s_own_client(dc, registered):
    done = dc.run(find("rpcclient"), "-N", "ncacn_ip_tcp:127.0.0.1", "-c", "epmlookup")
    theirs = sorted((protocol, endpoint, uuid, f"{int(version[4:], 16)}.{int(version[:4], 16)}", annotation)
                    for protocol, endpoint, uuid, version, annotation in ENTRY.findall(done.stdout))
    ours = sorted((e["protocol"], e["endpoint"], e["uuid"], e["version"], e["annotation"]) for e in registered)
    assert len(theirs) > 50 and ours == theirs


def test_every_tcp_port_answers(registered):
    ports = {entry["endpoint"]: entry["answers"] for entry in registered if entry["protocol"] == "ncacn_ip_tcp"}
    assert len(ports) >= 3 and str(EPM) in ports and all(ports.values())


@pytest.mark.parametrize("interface", ["epm", "mgmt", SAMR, LSARPC, DRSUAPI, "samr", "LSARPC", "drsuapi"])
def test_bind_and_mgmt(dc, registered, interface):
    """The mapper's port, a bind, and mgmt by alter_context: Samba takes one context of a bind only."""
    row = json.loads(ping(dc, interface, "-n", 3, "--json").stdout)
    ports = {entry["endpoint"] for entry in registered if entry["uuid"] == row["uuid"]}
    assert row["listening"] and row["count"] == 3 and str(row["port"]) in ports
    assert row["iface"] in ("epm", "mgmt", "samr", "lsarpc", "drsuapi")


def test_interface_that_it_has_not(dc):
    done = ping(dc, "nspi")
    assert done.returncode == 16 and "has no address book (nspi) registered" in done.stderr


@pytest.fixture
def as_user(dc, tmp_path):
    def ping_as(name, password, *words):
        secret = tmp_path / "password"
        secret.write_text(password + "\n", encoding="utf-8")
        return ping(dc, SAMR, "-U", f"{DOMAIN}\\{name}", "--password-file", secret, *words)

    return ping_as


@pytest.mark.parametrize("level", ["connect", "call", "packet", "integrity", "privacy"])
def test_ntlm(as_user, tmp_path, level):
    """What was agreed stands in the capture; from packet on every answer was signed, and was checked by the client."""
    capture, secrets = tmp_path / "a.pcapng", tmp_path / "secrets"
    secrets.write_text(f"password {DOMAIN}\\alice {USERS['alice'][1]}\n", encoding="utf-8")
    row = json.loads(as_user("alice", USERS["alice"][1], "--level", level, "-n", 20, "-w", capture, "--json").stdout)
    assert row["listening"] and row["count"] == 20
    events = [json.loads(line) for line in run("look", capture, "--secrets", secrets, "--json").stdout.splitlines()]
    answers = [event for event in events if event.get("iface") == "mgmt" and event["event"] == "response"]
    assert len(answers) == 20
    for event in answers:
        assert event["auth"] == "ntlm" and event["level"] == {"call": "packet"}.get(level, level)
        assert event.get("signature") == (None if level == "connect" else "ok")
        assert event.get("sealed", False) == event.get("decrypted", False) == (level == "privacy")


@pytest.mark.parametrize("name, password", [
    ("alice", "wrong"), ("nobody", "wrong"), ("zoe", USERS["zoe"][1].upper()),
])
def test_refused(as_user, name, password):
    """Samba answers the first call with a protocol error; our words name the cause."""
    done = as_user(name, password)
    assert done.returncode == 20 and f"refused the user name or password of {DOMAIN}\\{name}" in done.stderr


def test_name_and_password_beyond_ascii(as_user):
    assert as_user("zoe", USERS["zoe"][1]).returncode == 0


# ---- Kerberos and SPNEGO ----

SERVICE = f"host/{HOST}.{REALM.lower()}"


def seen(capture):
    """What the answers to mgmt calls in a capture were protected with, as it stands on the wire."""
    events = [json.loads(line) for line in run("look", capture, "--json").stdout.splitlines()]
    return {(event.get("auth"), event.get("level")) for event in events
            if event.get("iface") == "mgmt" and event["event"] == "response"}


@pytest.mark.parametrize("level", ["connect", "call", "packet", "integrity", "privacy"])
@pytest.mark.parametrize("auth, on_the_wire", [("kerberos", "kerberos"), ("negotiate", "spnego")])
def test_kerberos(as_user, tmp_path, auth, on_the_wire, level):
    """By password, at Samba's KDC; every answer's signature is checked by the client, or it would not say "listening"."""
    capture = tmp_path / "a.pcapng"
    done = as_user("alice", USERS["alice"][1], "--auth", auth, "--realm", REALM, "--service", SERVICE, "--level", level,
                   "-n", 20, "-w", capture, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["count"] == 20
    if level != "connect":
        assert seen(capture) == {(on_the_wire, {"call": "packet"}.get(level, level))}


def test_spnego_around_ntlm(as_user):
    """No ticket can be had for that name: NTLM within SPNEGO, its list of mechanisms proved by a MIC."""
    done = as_user("alice", USERS["alice"][1], "--auth", "negotiate", "--realm", REALM, "--service", "host/nobody", "-n", 5)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name, password, service, code", [
    ("alice", "wrong", SERVICE, 20), ("nobody", "wrong", SERVICE, 20),
    ("alice", USERS["alice"][1], "host/nobody.dc.test", 41),
])
def test_kerberos_refused(as_user, name, password, service, code):
    done = as_user(name, password, "--auth", "kerberos", "--realm", REALM, "--service", service)
    assert done.returncode == code, done.stdout + done.stderr


def test_wrong_service(as_user):
    """A ticket for a name whose key the server does not take. Samba's bind_nak does not say why."""
    done = as_user("alice", USERS["alice"][1], "--auth", "kerberos", "--realm", REALM, "--service", f"krbtgt/{REALM}")
    assert done.returncode == 56 and f"refused the Kerberos ticket for krbtgt/{REALM}" in done.stderr


# ---- Answers of Samba's that somebody has changed ----


class MeddlerThere(Meddler):
    """In the controller's namespace, in front of one of its ports."""

    def __init__(self, dc, port, change):
        self.dc = dc
        with dc.namespace:
            super().__init__(port, change)

    def connect(self):
        with self.dc.namespace:
            return super().connect()


@pytest.mark.parametrize("auth", ["ntlm", "kerberos", "negotiate"])
@pytest.mark.parametrize("level", ["integrity", "privacy"])
@pytest.mark.parametrize("what", ["stub", "header", "signature"])
def test_changed_answer(dc, registered, tmp_path, auth, level, what):
    """Each signature of Samba's is checked by our client, with the header: it listens, and is not believed."""
    at = {"stub": lambda pdu: 24, "header": lambda pdu: 22, "signature": lambda pdu: len(pdu) - 1}[what]

    def change(from_client, pdu):
        return pdu if from_client or pdu[2] != 2 else pdu[:at(pdu)] + bytes([pdu[at(pdu)] ^ 1]) + pdu[at(pdu) + 1:]

    port = next(int(e["endpoint"]) for e in registered if e["uuid"] == SAMR[:36] and e["protocol"] == "ncacn_ip_tcp")
    samr = MeddlerThere(dc, port, change)
    mapper = MeddlerThere(dc, EPM, lambda from_client, pdu: hand_out(port, samr.port)(pdu))
    secret = tmp_path / "password"
    secret.write_text(USERS["alice"][1] + "\n", encoding="utf-8")
    done = dc.run(program(), "ping", f"127.0.0.1:{mapper.port}", SAMR, "-U", f"{DOMAIN}\\alice", "--password-file", secret,
                  "--auth", auth, "--realm", REALM, "--service", SERVICE, "--level", level)
    samr.close()
    mapper.close()
    assert samr.changed == 1 and done.returncode in (32, 33), done.stdout + done.stderr


# ---- RPC over HTTP to Samba, through a proxy that is neither's ----


@pytest.mark.parametrize("auth", ["ntlm", "kerberos", "negotiate"])
@pytest.mark.parametrize("r1", [False, True])
def test_over_http(dc, registered, tmp_path, auth, r1):
    """Samba does not serve HTTP itself. Calls that are sealed end to end pass channels that are replaced again and again."""
    port = next(int(e["endpoint"]) for e in registered if e["uuid"] == SAMR[:36] and e["protocol"] == "ncacn_ip_tcp")
    secret = tmp_path / "password"
    secret.write_text(USERS["alice"][1] + "\n", encoding="utf-8")
    with dc.namespace:
        proxy = RpcProxy(tmp_path, lambda port: ("127.0.0.1", port), out_lifetime=3000, r1=r1)
    done = dc.run(program(), "ping", "127.0.0.1", SAMR, "--endpoint", str(port), "--transport", "rpc-http", "--proxy",
                  f"127.0.0.1:{proxy.port}", "--ca-file", proxy.ca, "-U", f"{DOMAIN}\\alice", "--password-file", secret,
                  "--auth", auth, "--realm", REALM, "--service", SERVICE, "-n", "200", "--json")
    proxy.close()
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["count"] == 200
    assert proxy.faults == [] and proxy.replaced()[1] >= 3
