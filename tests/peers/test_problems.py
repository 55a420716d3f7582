"""`mapiwire look --problems`: a capture of each fault, made here by our own programs in a network of its own, and of the
same path without it."""
import datetime
import json
import re
import shutil
import socket
import subprocess
import time

import pytest

import realm as realms
from awkward import Between, closed_port, hand_out, hide_nspi
from browser import Browser
from conftest import CAPTURES, run
from namespace import new_namespace
from rops import (NO_HANDLE, Store, Waiter, head, logon, open_folder, open_message, register_notification,
                  set_properties)
from stage import HERE, THERE, Idle, Line, Stage

MODIFIED, CREATED, INBOX, SUBJECT_W = 0x10, 0x04, 4, 0x0037001F
# Of `walk`: its probe is refused, and its user gets in encrypted.
NOTES = {"encryption-required"}


@pytest.fixture
def stage(state, tmp_path):
    from conftest import Server
    servers = []

    def serve(*options):
        servers.append(Server(state, *options))
        return servers[-1]

    with new_namespace() as net, net:
        made = Stage(tmp_path, state, serve)
        made.net = net
        yield made
        made.close()
        for server in servers:
            server.stop()


def problems(found):
    return {name for name, finding in found.items() if finding["grade"] != "note"}


def is_told(stage, found, cause, grade="problem", part=""):
    """The cause with frames that exist and words, and nothing else of its weight."""
    assert cause in found, stage.text
    finding = found[cause]
    assert finding["grade"] == grade and part in finding["sentence"], stage.text
    frames = [e["frame"] for e in finding["evidence"]]
    assert frames and all(frame > 0 for frame in frames) and frames == sorted(frames)
    assert grade == "note" or finding["try"].endswith(".")
    assert finding["sentence"] in " ".join(stage.text.split())
    return finding


# ---- Nothing wrong ----


def test_healthy(stage):
    """The whole path, a message written and read, and a quiet minute is not needed: nothing is told but the probe."""
    server = stage.serve()
    stage.watch()
    assert stage.walk().returncode == 0
    secret = server.state / "alice.password"
    for words in (["send", "--to", "bob@demo.test", "--subject", "x"], ["list"]):
        run("mail", words[0], "--server", "127.0.0.1", "-U", "DEMO\\alice", "--password-file", secret, *words[1:], stdin="body\n")
    found = stage.look()
    assert set(found) == NOTES and problems(found) == set(), stage.text
    assert "Harmless" in found["encryption-required"]["sentence"]
    assert stage.text.startswith("No problem found, 1 note in ")


def test_healthy_without_secrets(stage):
    stage.serve()
    stage.watch()
    assert stage.walk().returncode == 0
    stage.secrets.write_text("password DEMO\\nobody x\n")
    found = stage.look()
    assert problems(found) == set() and "sealed" in found, stage.text


# What really was wrong in the real captures; in all others nothing was.
REAL = {
    "gap.pcap": {"credentials-refused"},                # a fault of the security package's, in frame 12
    "many-contexts.pcap": {"service-name-unknown"},     # a ticket for a user's name
    "outlook2000-start.pcap": {"not-encrypted"},        # obfuscated alone
}


@pytest.mark.parametrize("capture", sorted([*CAPTURES.glob("*.pcap"), *CAPTURES.glob("*.pcapng")]), ids=lambda path: path.name)
def test_real_captures(capture):
    lines = run("look", "--problems", "--json", capture).stdout.splitlines()
    found = {finding["finding"]: finding for finding in map(json.loads, lines)}
    assert problems(found) == REAL.get(capture.name, set())


def is_drawn_on_the_page(stage):
    """The parked wait is a span of several rows there, whose answer is an arrow in its last."""
    page = stage.path / "parked.html"
    run("look", "--html", page, "--secrets", stage.secrets, stage.capture)
    assert page.read_text().count('"pk":1') == 2
    if not (chromium := shutil.which("chromium")):
        return
    with Browser(chromium, page, stage.path / "profile") as b:
        assert b.eval("spans.length") == 1 and b.eval("spans[0].to - spans[0].from") > 1
        count = b.eval("spans[0].to - spans[0].from + 1")
        b.eval("pick(spans[0].row, false); for (let i = 0; i < 3; i++) zoomBy(-1)")
        assert b.eval("document.querySelectorAll('rect.span').length") == count
        assert b.eval("made.get(spans[0].from).querySelectorAll('.arrow').length") == 1
        assert b.eval("made.get(spans[0].to).querySelector('.span + .arrow').getAttribute('d').endsWith('27L43 31')")


def test_story_and_difference(stage):
    """The same path before and after a firewall came: told, and the first step that differs named."""
    server = stage.serve()
    stage.watch()
    assert stage.walk("--no-probe").returncode == 0
    stage.look()
    story = run("look", "--story", "--secrets", stage.secrets, stage.capture).stdout
    assert "It opens the address book with NTLM as DEMO\\alice, encrypted" in story and "It logs on to the mailbox" in story
    assert "some comes" in story and "It started: address book and mailbox are open." in story
    assert "What was wrong" not in story
    ladder = run("look", "--ladder", "--secrets", stage.secrets, stage.capture).stdout
    assert re.search(r"news, after SetProperties \(frame \d+\)", ladder) and ladder.count("║") > 2, ladder
    picture = stage.path / "parked.svg"
    run("look", "--svg", picture, "--secrets", stage.secrets, stage.capture)
    assert picture.read_text().count("<rect class='span'") == 1
    is_drawn_on_the_page(stage)
    good, stage.capture = stage.capture, stage.path / "other.pcap"
    stage.net.wall(server.nspi, "drop")
    stage.watch()
    assert stage.walk("--no-probe", timeout="1.6").returncode == 14
    stage.look()
    story = run("look", "--story", "--secrets", stage.secrets, stage.capture).stdout
    assert f"It tries to reach port {server.nspi}" in story and "What was wrong" in story
    diff = run("look", "--diff", "--secrets", stage.secrets, good, stage.capture).stdout
    first = diff.split("The first step that differs:")[1]
    assert "opens the address book" in first and f"tries to reach port {server.nspi}" in first, diff


# ---- Ports ----


def test_port_refused(stage):
    stage.watch()
    assert stage.walk().returncode == 11
    is_told(stage, stage.look(), "port-refused", part="port 135")


def test_port_filtered(stage):
    stage.serve()
    stage.net.wall(135, "drop")
    stage.watch()
    assert stage.walk(timeout="1.6").returncode == 12
    found = stage.look()
    is_told(stage, found, "port-filtered", part="port 135")
    assert problems(found) == {"port-filtered"}


def test_a_port_that_answers_late(stage):
    stage.watch()
    stage.walk()
    stage.serve()
    assert stage.walk().returncode == 0
    found = stage.look()
    is_told(stage, found, "port-refused", "warning", "at first; from frame")


def test_no_interface(stage):
    server = stage.serve()
    mapper = Between(server.epm, to_server=hide_nspi)
    stage.watch()
    assert stage.walk(host=f"127.0.0.1:{mapper.port}").returncode == 16
    mapper.close()
    is_told(stage, stage.look(), "interface-not-registered")


def test_dynamic_port_blocked(stage):
    server = stage.serve()
    stage.net.wall(server.nspi, "drop")
    stage.watch()
    assert stage.walk(timeout="1.6").returncode == 14
    finding = is_told(stage, stage.look(), "dynamic-port-blocked", part=f"hands out {server.nspi}, but nothing answers")
    assert "port " + str(server.nspi) in finding["evidence"][0]["what"], "the mapper's answer is the first evidence"
    assert f"Open {server.nspi}" in finding["try"]


def test_dynamic_port_refused(stage):
    server, port = stage.serve(), closed_port()
    mapper = Between(server.epm, to_client=hand_out(server.store, port))
    stage.watch()
    assert stage.walk(host=f"127.0.0.1:{mapper.port}").returncode == 13
    mapper.close()
    is_told(stage, stage.look(), "dynamic-port-refused", part=str(port))


# ---- Getting in ----


def test_credentials_refused(stage):
    stage.serve()
    stage.watch()
    assert stage.walk(password="nonsense").returncode == 20
    is_told(stage, stage.look(), "credentials-refused", part="DEMO\\alice")


def test_credentials_refused_at_first(stage):
    stage.serve()
    stage.watch()
    stage.walk(password="nonsense")
    stage.walk()
    is_told(stage, stage.look(), "credentials-refused", "warning", "got in")


@pytest.fixture
def realm(stage, tmp_path, monkeypatch):
    """A KDC on the port that everybody knows."""
    if not realms.KDC:
        pytest.skip("krb5-kdc is not installed")
    monkeypatch.setattr(realms, "free_port", lambda: 88)
    (tmp_path / "realm").mkdir()
    made = realms.Realm(tmp_path / "realm")
    made.admin("modprinc +requires_preauth alice")
    yield made
    made.stop()


def tgt(password=realms.PASSWORD, user="alice"):
    kerberos = pytest.importorskip("impacket.krb5.kerberosv5", reason="python3-impacket is not installed")
    from impacket.krb5 import constants, types
    name = types.Principal(user, type=constants.PrincipalNameType.NT_PRINCIPAL.value)
    return kerberos.getKerberosTGT(name, password, realms.REALM, None, None, None, kdcHost="127.0.0.1")


def test_clock_skew(stage, realm, monkeypatch):
    kerberos = pytest.importorskip("impacket.krb5.kerberosv5", reason="python3-impacket is not installed")

    class Late(datetime.datetime):
        @classmethod
        def utcnow(cls):
            return super().utcnow() - datetime.timedelta(hours=1)

    stage.watch()
    realm.tickets()
    assert problems(stage.look()) == set()
    stage.watch()
    with monkeypatch.context() as patched, pytest.raises(Exception, match="SKEW"):
        patched.setattr(kerberos.datetime, "datetime", Late)
        tgt()
    is_told(stage, stage.look(), "clock-skew")


def test_kerberos_password(stage, realm):
    stage.watch()
    with pytest.raises(Exception, match="PREAUTH_FAILED"):
        tgt("wrong")
    is_told(stage, stage.look(), "credentials-refused")


def test_account_locked(stage, realm):
    realm.admin("modprinc -allow_tix alice")
    stage.watch()
    with pytest.raises(Exception, match="REVOKED"):
        tgt()
    is_told(stage, stage.look(), "account-locked")


# A process of its own: what Samba's library has learned of Kerberos stays with it.
SAMBA_KERBEROS = """
import sys
from samba import credentials, param
from samba.dcerpc import mgmt
port, host, realm, password = sys.argv[1:]
settings = param.LoadParm()
settings.set("realm", realm)
who = credentials.Credentials()
who.guess(settings)
who.set_username("alice")
who.set_domain("DEMO")
who.set_realm(realm)
who.set_password(password)
who.set_kerberos_state(credentials.MUST_USE_KERBEROS)
binding = (f"ncacn_ip_tcp:127.0.0.1[{port},krb5,seal,target_hostname={host},target_principal=host/{host}@{realm}]")
assert mgmt.mgmt(binding, settings, who).inq_if_ids().if_id
"""


def samba_kerberos(port, host, realm):
    """Whether Samba's client could bind."""
    pytest.importorskip("samba", reason="python3-samba is not installed")
    done = subprocess.run(["/usr/bin/python3", "-c", SAMBA_KERBEROS, str(port), host, realms.REALM, realms.PASSWORD],
                          env=realm.env, capture_output=True, text=True, timeout=60)
    print(done.stderr)
    return done.returncode == 0


def test_kerberos_where_only_ntlm_is_taken(stage, realm):
    server = stage.serve()
    stage.watch()
    assert not samba_kerberos(server.epm, "aes.demo.test", realm)
    is_told(stage, stage.look(), "auth-type-refused", part="Kerberos was offered")
    assert "keytab" in stage.text


def test_kerberos_is_taken(stage, realm):
    server = stage.serve("--keytab", str(realm.keytab))
    stage.watch()
    assert samba_kerberos(server.epm, "aes.demo.test", realm)
    assert problems(stage.look()) == set(), stage.text


def test_service_name_unknown(stage, realm, monkeypatch):
    monkeypatch.setenv("KRB5_CONFIG", realm.env["KRB5_CONFIG"])
    stage.watch()
    realm.tickets()
    with pytest.raises(AssertionError):
        realm.command("kvno", "exchangeMDB/nobody.demo.test")
    finding = is_told(stage, stage.look(), "service-name-unknown", "warning")
    assert "exchangeMDB/nobody.demo.test" in finding["evidence"][0]["what"]


def test_encryption_required(stage):
    stage.serve()
    stage.watch()
    assert stage.walk("--level", "connect").returncode == 24
    is_told(stage, stage.look(), "encryption-required", part="ecNotEncrypted")


def test_encryption_not_used(stage):
    stage.serve("--encryption", "optional")
    stage.watch()
    assert stage.walk("--level", "connect").returncode == 0
    found = stage.look()
    is_told(stage, found, "not-encrypted", "warning", "level connect")
    assert "encryption-required" not in found


# ---- What the server keeps out ----


def version_of(stage):
    return next(e["says"] for e in stage.events() if e["event"] == "request" and e.get("op") == "EcDoConnectEx").split()[1]


@pytest.mark.parametrize("blocked", ["0.0.0-11.65535.65535", "0.0.0-65535.65535.65535"])
def test_client_version_blocked(stage, blocked):
    stage.serve("--block-clients", blocked)
    stage.watch()
    code = stage.walk("--no-probe").returncode
    found = stage.look()
    if blocked.startswith("0.0.0-11"):
        assert code == 0 and problems(found) == set(), stage.text
    else:
        assert code == 28
        is_told(stage, found, "client-version-blocked", part=f"version {version_of(stage)}")


def test_bad_policies(stage):
    for words in (["--block-clients", "12.x"], ["--block-clients", "13.0.0-12.0.0"], ["--moved", "alice"], ["--moved", "=x"]):
        done = run("serve", "--state", stage.state, "--epm-port", "0", *words, check=False)
        assert done.returncode != 0 and len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.mark.parametrize("version", [(12, 0x8000 | 4518, 1014), (11, 0x8000 | 4518, 1014)])
def test_throttled(stage, version):
    """A newer client is told by RopBackoff for how long, an older one by a fault."""
    server = stage.serve("--calls-per-second", "1")
    version = (version[0] << 8, *version[1:])
    stage.watch()
    store = Store(server, version=version)
    asked = [logon(f"/o=DEMO/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=alice")]
    with pytest.raises(Exception):
        for _ in range(10):
            store.run(asked, [NO_HANDLE])
    finding = is_told(stage, stage.look(), "server-busy")
    assert ("back off for" in finding["sentence"]) == (version[0] >> 8 == 12)
    store.close()


def test_not_throttled(stage):
    stage.serve("--calls-per-second", "1000")
    stage.watch()
    assert stage.walk().returncode == 0
    assert problems(stage.look()) == set(), stage.text


def test_mailbox_moved(stage):
    stage.serve("--moved", "ALICE=mail2.demo.test,nobody=x")
    stage.watch()
    assert stage.walk().returncode == 27
    found = stage.look()
    is_told(stage, found, "wrong-server", part="on another server: mail2.demo.test")
    stage.watch()
    assert stage.walk(user="bob").returncode == 0
    assert "wrong-server" not in stage.look()


# ---- Time ----


def test_slow_server(stage):
    """It stands still for 40 ms of each call."""
    server = stage.serve()
    stage.watch()
    store = Store(server)
    for _ in range(12):
        with stage.frozen(0.04):
            store.log_on()
    store.close()
    found = stage.look("--slow", "15,1000")
    is_told(stage, found, "slow-server", "warning", "ms a call on average")
    assert "slow-network" not in found
    is_told(stage, stage.look("--slow", "15,20"), "slow-server", "problem", "Outlook itself calls that bad")
    assert problems(stage.look()) == set(), stage.text


def on_line(ports):
    """The client's side of what crosses the line."""
    only = " or ".join(f"(src host {HERE} and dst port {p}) or (src host {THERE} and src port {p})" for p in ports)
    return f"tcp and ({only})"


def line_ports(server):
    return (135, server.rfr, server.nspi, server.store)


def test_slow_network(stage):
    """40 ms there, 40 ms back."""
    with Line(delay=0.04):
        server = stage.serve("--listen", "0.0.0.0", "--host", THERE)
        stage.watch("line", on_line(line_ports(server)))
        assert stage.walk("--no-probe", host=THERE, timeout="20").returncode == 0
        found = stage.look("--slow", "50")
    finding = is_told(stage, found, "slow-network", "warning", "a round trip")
    assert "slow-server" not in found and float(finding["sentence"].split(", network ")[1].split(" ms")[0]) > 60


def test_segments_lost(stage):
    """Each ninth segment with data on the way to the server."""
    count = [0]

    def loses(packet):
        count[0] += len(packet) > 100
        return len(packet) > 100 and count[0] % 9 == 0

    with Line(loses=loses):
        server = stage.serve("--listen", "0.0.0.0", "--host", THERE)
        stage.watch("line", on_line(line_ports(server)))
        assert stage.walk("--no-probe", host=THERE, timeout="20").returncode == 0
        found = stage.look()
    is_told(stage, found, "segments-lost", "warning", "sent again")


def test_zero_window(stage):
    """The server stands still while a client sends it more than its window holds."""
    server = stage.serve()
    stage.watch()
    client = socket.create_connection(("127.0.0.1", server.store))
    stage.freeze()
    client.setblocking(False)
    # The head of a bind, so that this is RPC; then more than any window.
    data = bytes.fromhex("05000b0310000000b810000001000000") + bytes(1 << 16)
    end = time.monotonic() + 1.2
    while time.monotonic() < end:
        try:
            client.send(data)
        except BlockingIOError:
            time.sleep(0.02)
    stage.thaw()
    time.sleep(0.3)
    client.close()
    is_told(stage, stage.look(), "zero-window", "warning", "The server took no data for")


def test_call_waits(stage):
    server = stage.serve()
    stage.watch()
    store = Store(server)
    with stage.frozen(0.7):
        store.log_on()
    store.close()
    found = stage.look("--slow", "50,100,500,2000")
    is_told(stage, found, "call-waits", "problem", "EcDoRpcExt2 took more than 0.5 s")
    assert "call-waits" not in stage.look()


def test_idle_cut(stage):
    server = stage.serve()
    between = Idle(server.store, 1.2)
    direct, server.store = server.store, between.port
    stage.watch()
    store = Store(server)
    store.log_on()
    time.sleep(1.6)
    with pytest.raises(Exception):
        store.log_on()
    found = stage.look("--idle", "1")
    is_told(stage, found, "idle-cut", "problem", "no keep-alives were sent")
    assert "connection-lost" not in found
    assert "idle-cut" not in stage.look()  # a second is no long silence
    between.close()
    server.store = direct


def test_silence_that_nobody_ends(stage):
    server = stage.serve()
    stage.watch()
    store = Store(server)
    store.log_on()
    time.sleep(1.2)
    store.log_on()
    store.close()
    assert problems(stage.look("--idle", "1")) == set(), stage.text


def test_connection_lost(stage):
    """The server dies under a call."""
    server = stage.serve()
    stage.watch()
    store = Store(server)
    store.log_on()
    stage.freeze()
    store.rpc.call(11, b"\0" * 64)
    time.sleep(0.2)
    server.kill()
    is_told(stage, stage.look(), "connection-lost", part="while 1 call waited")
    server.stop = lambda: None


# ---- Calls ----


def parked(server):
    store = Store(server)
    store.log_on()
    store.one(register_notification(CREATED | MODIFIED), [store.root, NO_HANDLE])
    waiter = Waiter(store)
    waiter.park()
    return store, waiter


@pytest.mark.parametrize("fetches", [False, True])
def test_news_not_fetched(stage, fetches):
    server = stage.serve()
    stage.watch()
    store, waiter = parked(server)
    writer = Store(server)
    writer.log_on()
    writer.save_message(writer.folders[INBOX], {SUBJECT_W: "news"})
    assert waiter.is_answered(5) and waiter.answer() == (1, 0)
    if fetches:
        store.run([open_folder(store.folders[INBOX])], [store.root, NO_HANDLE])
        assert store.news
    time.sleep(0.7)
    for each in (store, waiter.rpc, writer):
        (each.close if isinstance(each, Store) else each.disconnect)()
    found = stage.look("--slow", "4000,5000,500,30000")
    if fetches:
        assert problems(found) == set(), stage.text
    else:
        is_told(stage, found, "notification-not-fetched", "warning")


def test_rop_unknown(stage):
    """RopUpdateDeferredActionMessages, which the server does not have, again and again."""
    server = stage.serve()
    stage.watch()
    store = Store(server)
    store.log_on()
    for _ in range(4):
        responses, _ = store.run([head(0x57, 0) + b"\0\0\0\0"], [store.root])
        assert responses[0]["status"] == 0x80040102
    store.close()
    is_told(stage, stage.look(), "rop-unknown", "warning", "UpdateDeferredActionMessages answers")
    assert "4 of 4 times" in stage.text


def test_rop_fails(stage):
    """Properties set on a message that is open for reading alone."""
    server = stage.serve()
    stage.watch()
    store = Store(server)
    store.log_on()
    inbox = store.folders[INBOX]
    message = store.save_message(inbox, {SUBJECT_W: "x"})
    for _ in range(6):
        responses, _ = store.run([open_message(inbox, message, mode=0), set_properties({SUBJECT_W: "y"})],
                                 [store.root, NO_HANDLE])
        assert responses[1]["status"] != 0
    store.close()
    found = stage.look()
    is_told(stage, found, "rop-fails", "warning", "SetProperties answers")


def test_rop_that_may_fail(stage):
    """A message that is not there: clients ask so."""
    server = stage.serve()
    stage.watch()
    store = Store(server)
    store.log_on()
    for number in range(8):
        responses, _ = store.run([open_message(store.folders[INBOX], (0x100000 + number) << 16 | 1)], [store.root, NO_HANDLE])
        assert responses[0]["status"] == 0x8004010F
    store.close()
    assert problems(stage.look()) == set(), stage.text
