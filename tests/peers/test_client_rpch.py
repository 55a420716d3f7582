"""RPC over HTTP as our client speaks it: `ping` and the library, against our server, behind reverse proxies."""
import base64
import contextlib
import itertools
import json
import re
import struct
import subprocess

import pytest
from awkward import Listener, Mute, closed_port
from building import library  # noqa: F401, a fixture
from conftest import USERS, program, run
from rpc_proxy import RpcProxy, rts
from realm import KDC, PASSWORD, REALM, STORE, Realm
from scripted import actor, workshop  # noqa: F401, fixtures
from test_mapihttp_proxy import kind, proxied  # noqa: F401, fixtures

NAME = "mail.demo.test"


def password_of(server, user="alice"):
    return server.state / f"{user}.password"


def ping(server, *words, user="alice", host=NAME, port=None, trust=True, check=True, auth=()):
    """Through 127.0.0.1 to HOST behind it; the certificate is the server's own, for its --host."""
    trusted = ["--ca-file", server.state / "tls-cert.pem", "--principal", NAME] if trust else []
    who = ["-U", f"DEMO\\{user}", "--password-file", password_of(server, user)]
    return run("ping", host, *words, "--transport", "rpc-http", "--proxy", f"127.0.0.1:{port or server.web['https']}", *who,
               *trusted, *auth, "--timeout", "5", check=check)


@pytest.fixture
def web(serve):
    return serve("--host", NAME, "--https-port", "0", "--http-port", "0")


@pytest.mark.parametrize("level", ["none", "connect", "packet", "integrity", "privacy"])
def test_levels_inside(web, level):
    """What is signed and sealed inside does not depend on who logged on outside."""
    row = json.loads(ping(web, "nspi", "--level", level, "-n", "20", "--json").stdout)
    assert row["port"] == 6004 and row["listening"] is True and row["count"] == 20


@pytest.mark.parametrize("how, shown", [("ntlm", "ntlm"), ("negotiate", "ntlm"), ("basic", "basic")])
def test_proxy_and_services(web, how, shown):
    rows = [json.loads(line) for line in ping(web, "--json", auth=("--http-auth", how)).stdout.splitlines()]
    assert rows[0]["proxy"] == "127.0.0.1" and rows[0]["auth"] == shown and rows[0]["tls"] == "TLS1.3"
    assert rows[0]["logon"] > 0 and rows[0]["echo"] > 0
    assert [(row["iface"], row["port"]) for row in rows[1:]] == [("rfr", 6002), ("nspi", 6004), ("emsmdb", 6001)]


def test_reads_well(web):
    text = ping(web).stdout
    assert re.match(r"The RPC proxy 127\.0\.0\.1 answers: connected in \d+\.\d+ ms, TLS1\.3 in \d+\.\d+ ms, "
                    r"logged on by ntlm in \d+\.\d+ ms, echo in \d+\.\d+ ms\.\n"
                    rf"Its certificate: CN={NAME}, issued by CN={NAME}, until 20\d\d-\d\d-\d\d\.\n", text), text


def test_bound_to_its_channel(serve):
    """The server refuses who is not bound to the TLS channel that it terminates."""
    server = serve("--host", NAME, "--https-port", "0", "--channel-binding", "required")
    for how in "ntlm", "negotiate":
        assert ping(server, "rfr", auth=("--http-auth", how)).returncode == 0


def test_without_tls(web):
    words = ["ping", NAME, "rfr", "--transport", "rpc-http", "--proxy", f"127.0.0.1:{web.web['http']}", "--plain-http", "-U",
             "DEMO\\alice", "--password-file", password_of(web)]
    assert "listening" in run(*words).stdout
    assert run(*words, "--http-auth", "basic", check=False).returncode == 63


@pytest.mark.parametrize("words, code, says", [
    (dict(user="bob"), 20, "refused the user name or password of DEMO\\bob (HTTP, NTLM)"),
    (dict(host="other.test"), 64, "The RPC proxy does not connect to other.test:6002: RPC Error: 6ba."),
    (dict(trust=False), 60, "The certificate of 127.0.0.1:"),
    (dict(trust=False, auth=("--insecure", "--http-auth", "basic")), 63, "The password was not sent"),
    (dict(auth=("--proxy-path", "/nothing")), 62, "404 Not Found"),
    (dict(auth=("--http-auth", "none")), 19, "it offers Negotiate, NTLM, Basic"),
])
def test_what_goes_wrong(web, words, code, says):
    if words.get("user") == "bob":
        password_of(web, "bob").write_text("wrong\n", encoding="utf-8")
    done = ping(web, "rfr", check=False, **words)
    assert done.returncode == code and says in done.stderr, done.stderr


def test_roots_that_are_none(web, tmp_path):
    (tmp_path / "ca").write_text("nothing\n", encoding="utf-8")
    done = ping(web, "rfr", trust=False, auth=("--ca-file", tmp_path / "ca"), check=False)
    assert done.returncode == 1 and done.stderr == f"mapiwire ping: {tmp_path}/ca has no certificate in it: name a file in PEM.\n"
    done = ping(web, "rfr", trust=False, auth=("--ca-file", tmp_path / "none"), check=False)
    assert done.returncode == 1 and "No such file" in done.stderr


def test_no_tls_there(web):
    done = ping(web, "rfr", port=web.web["http"], check=False)
    assert done.returncode == 59 and "No TLS could be agreed on" in done.stderr
    done = ping(web, "rfr", port=web.web["https"], trust=False, auth=("--plain-http",), check=False)
    assert done.returncode == 61 and "not with HTTP" in done.stderr


# ---- Through a proxy that is not ours: rpc_proxy.py, made from [MS-RPCH] alone ----


@pytest.fixture
def through(server, actor, tmp_path):  # noqa: F811
    """Starts the proxy in front of the server's TCP ports, and an actor that goes through it."""
    proxies = []
    ports = {6001: server.store, 6002: server.rfr, 6004: server.nspi}

    def start(*words, reach=None, **how):
        user = f"DEMO\\alice:{USERS['alice'][1]}"
        proxy = RpcProxy(tmp_path, reach or (lambda port: ("127.0.0.1", ports[port])), user=user, **how)
        proxies.append(proxy)
        return proxy, actor(proxy.port, "rpc-http", f"ca={proxy.ca}", "host=mail", *words)

    yield start
    for proxy in proxies:
        proxy.close()
        assert not proxy.faults, proxy.faults


FORMS = pytest.mark.parametrize("form", ["blocking", "loop"])


@FORMS
@pytest.mark.parametrize("r1", [False, True])
def test_channels_are_replaced(through, form, r1):
    """Each direction several times, by each of the two sequences, in the middle of calls; windows are kept."""
    proxy, act = through(form, "channel=131072", out_lifetime=5000, r1=r1, window=40000)
    assert [act(word) for word in ("open", "table")] == ["ok"] * 2
    for _ in range(6):
        assert [act(word) for word in ("save:90", "get", "table", "read", "first")] == ["ok"] * 5
    replaced_in, replaced_out = proxy.replaced()
    assert replaced_in >= 3 and replaced_out >= 2
    assert {method for method, _, _ in proxy.requests} == {"RPC_IN_DATA", "RPC_OUT_DATA"}
    # The first channels ask how to log on; who comes later knows.
    assert sum("authorization" not in fields for _, _, fields in proxy.requests) == 2


@FORMS
def test_cut_between_and_in_calls(through, form):
    proxy, act = through(form)
    assert [act(word) for word in ("open", "save", "watch")] == ["ok"] * 3
    proxy.cut()
    assert [act(word) for word in ("get", "resolve", "save", "next")] == ["ok", "ok", "ok", "connection-lost"]


@FORMS
def test_wakes_up(through, form):
    proxy, act = through(form)
    assert [act(word) for word in ("open", "watch", "save", "next")] == ["ok"] * 4


def test_cancelled_in_its_loop(through):
    """A parked call is given up; the connection goes on."""
    proxy, act = through("loop")
    assert [act(word) for word in ("open", "watch")] == ["ok"] * 2
    assert act("cancel:next") == "cancelled"
    assert [act(word) for word in ("get", "save", "next")] == ["ok"] * 3


@FORMS
def test_deadline(through, form):
    """A server that takes a connection and says nothing, and a proxy that does."""
    mute = Mute()
    proxy, act = through(form, "timeout=300", reach=lambda port: ("127.0.0.1", mute.port))
    assert act("open") == "no-answer"
    mute.close()


def test_server_behind_is_gone(through):
    port = closed_port()
    proxy, act = through(reach=lambda _: ("127.0.0.1", port))
    assert act("open") in ("connection-lost", "protocol-error")
    proxy.faults.clear()


# ---- Behind reverse proxies ----


@pytest.mark.peer("nginx", "HAProxy")
def test_behind_a_reverse_proxy(proxied, kind, actor):  # noqa: F811
    """Basic, since what a connection proves is not the next request's there; channels, their replacement, waking."""
    server, front = proxied("--trust-proxy", "127.0.0.1", "--host", NAME)
    act = actor(front.port, "rpc-http", f"ca={front.ca}", f"host={NAME}", "channel=131072", "basic")
    assert [act(word) for word in ("open", "watch", "save:90", "next", "save:90", "save:90", "get")] == ["ok"] * 7


@pytest.mark.peer("nginx", "HAProxy")
def test_reverse_proxy_that_is_not_allowed_to(proxied, kind):  # noqa: F811
    """Without --trust-proxy the server offers no Basic."""
    server, front = proxied("--host", NAME)
    done = run("ping", NAME, "rfr", "--transport", "rpc-http", "--proxy", f"127.0.0.1:{front.port}", "-U", "DEMO\\alice",
               "--password-file", password_of(server), "--ca-file", front.ca, "--http-auth", "basic", check=False)
    assert done.returncode == 19 and "it offers Negotiate, NTLM" in done.stderr


@FORMS
def test_store_of_our_own_server(web, actor, form):  # noqa: F811
    act = actor(web.web["https"], "rpc-http", f"ca={web.state / 'tls-cert.pem'}", f"principal={NAME}", f"host={NAME}", "channel=131072",
                form)
    assert [act(word) for word in ("open", "watch", "save:90", "next", "save:90", "save:90", "get")] == ["ok"] * 7


# ---- Servers that mean no good ----


class Hostile(Listener):
    """Answers each request on a connection with the next of what it was given, the last one again and again."""

    def __init__(self, *answers):
        self.answers, self.asked = answers, []
        super().__init__()

    def serve(self, sock):
        with contextlib.suppress(OSError):
            self.talk(sock)

    def talk(self, sock):
        for i in itertools.count():
            data = b""
            while b"\r\n\r\n" not in data:
                more = sock.recv(65536)
                if not more:
                    return
                data += more
            self.asked.append(data)
            answer = self.answers[min(i, len(self.answers) - 1)]
            if isinstance(answer, str):
                sock.sendall(answer.encode())
            elif data.startswith(b"RPC_OUT"):
                sock.sendall(answer)


def unauthorized(*challenges, more="Content-Length: 0"):
    return "HTTP/1.1 401 No\r\n" + "".join(f"WWW-Authenticate: {c}\r\n" for c in challenges) + more + "\r\n\r\n"


def ntlm(data):
    return "NTLM " + base64.b64encode(data).decode()


OUT_200 = b"HTTP/1.1 200 Success\r\nContent-Type: application/rpc\r\nContent-Length: 1073741824\r\n\r\n"
A3 = rts(0, (2, 120000))
C2 = rts(0, (6, 1), (0, 65536), (2, 120000))
CHALLENGE = b"NTLMSSP\0\2\0\0\0" + b"\xff" * 36


@pytest.mark.parametrize("answers, codes, says", [
    # The dance
    ([unauthorized("NTLM")], {20}, "refused the user name or password"),
    ([unauthorized("NTLM"), unauthorized("NTLM AAAA")], {33}, "a token of NTLM that makes no sense"),
    ([unauthorized("NTLM"), unauthorized(ntlm(CHALLENGE))], {33}, "a token of NTLM"),
    ([unauthorized("NTLM"), unauthorized("NTLM *")], {33}, "a token of NTLM"),
    ([unauthorized("Negotiate"), unauthorized("Negotiate oQA=")], {33}, "a token of Negotiate"),
    ([unauthorized("Basic realm=x")], {63}, "The password was not sent"),
    ([unauthorized("Digest x", "Bearer")], {19}, "it offers Digest, Bearer"),
    ([unauthorized("NTLM"), unauthorized("Negotiate"), unauthorized("NTLM"), unauthorized("Negotiate")], {20, 33}, ""),
    # HTTP
    ([unauthorized("NTLM", more="Content-Length: 5\r\nContent-Length: 6")], {33, 61}, ""),
    ([unauthorized("NTLM", more="Content-Length: 0\r\nTransfer-Encoding: chunked")], {33, 61}, ""),
    (["HTTP/1.1 401 No\r\n" + "X: y\r\n" * 5000 + "\r\n"], {33, 61}, ""),
    (["HTTP/1.1 401 No\r\nX: " + "y" * 100000], {33, 61}, ""),
    (["HTTP/1.1 302 Found\r\nLocation: http://elsewhere.test/\r\nContent-Length: 0\r\n\r\n"], {67}, "302 Found"),
    (["HTTP/1.1 503 RPC Error: 6ba, EEInfo: " + "A" * 900 + "\r\nContent-Length: 0\r\n\r\n"], {64}, "RPC Error: 6ba"),
    (["SSH-2.0-x\r\n"], {61}, "not with HTTP"),
    (["HTTP/1.1 100 Continue\r\n\r\n" * 1000 + "HTTP/1.1 404 \x1b[31mgone\r\nContent-Length: 0\r\n\r\n"], {33, 61, 62}, ""),
    # RTS, on the OUT channel
    ([OUT_200 + b"\0" * 100], {33}, "RPC over HTTP"),
    ([OUT_200 + A3 + A3], {33}, "RPC over HTTP"),
    ([OUT_200 + C2], {33}, "RPC over HTTP"),
    ([OUT_200 + A3 + C2 + rts(4, (13, 0)) * 2], {33}, "RPC over HTTP"),
    ([OUT_200 + A3 + rts(0, (6, 1), (0, 0xFFFFFFFF), (2, 120000))], {33}, "RPC over HTTP"),
    ([OUT_200 + A3 + C2 + rts(2, (13, 0), (1, struct.pack("<II", 1 << 31, 65536) + b"\0" * 16))], {30, 33}, ""),
    ([OUT_200 + b"\5\0\0\3\x10\0\0\0\xff\xff\0\0\0\0\0\0" + b"\0" * 70000], {33}, "RPC over HTTP"),
])
def test_hostile_proxy(tmp_path, answers, codes, says):
    """The client says what is wrong in words, in time, and sends the password to nobody as it is."""
    (tmp_path / "pw").write_text("Wonderland-1\n", encoding="utf-8")
    hostile = Hostile(*answers)
    at_once = ["--http-auth", "none"] if isinstance(answers[0], bytes) else []
    done = run("ping", NAME, "rfr", "--transport", "rpc-http", "--plain-http", "--proxy", f"127.0.0.1:{hostile.port}", "-U",
               "DEMO\\alice", "--password-file", tmp_path / "pw", "--timeout", "1", *at_once, check=False)
    hostile.close()
    assert done.returncode in codes and says in done.stderr, (done.returncode, done.stderr)
    assert "Sanitizer" not in done.stderr and "\x1b" not in done.stderr and done.stderr.count("\n") == 1
    assert not any(b"Basic" in data for data in hostile.asked) and len(hostile.asked) < 20


# ---- Kerberos outside and inside ----


@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    if not KDC:
        pytest.skip("krb5-kdc is not installed")
    made = Realm(tmp_path_factory.mktemp("realm"))
    made.admin("addprinc -randkey HTTP/127.0.0.1")
    made.admin(f"ktadd -norandkey -k {made.keytab} HTTP/127.0.0.1")
    yield made
    made.stop()


@pytest.fixture
def by_ticket(serve, realm, tmp_path):
    """Runs ping against a server that wants every log-on bound to its TLS channel; yields the process."""
    server = serve("--host", NAME, "--https-port", "0", "--keytab", str(realm.keytab), "--channel-binding", "required")
    (tmp_path / "pw").write_text(PASSWORD + "\n", encoding="utf-8")

    def start(*words, cache=None, user=None):
        who = ["-U", user, "--password-file", tmp_path / "pw"] if user else []
        return subprocess.run([program(), "ping", NAME, "--transport", "rpc-http", "--proxy", f"127.0.0.1:{server.web['https']}",
                               "--ca-file", server.state / "tls-cert.pem", "--principal", NAME, "--service", STORE, "--json",
                               "--timeout", "8", *who, *words], capture_output=True, text=True, timeout=60,
                              env={**realm.env, "KRB5CCNAME": cache or f"FILE:{tmp_path}/none"})

    return start


@pytest.mark.peer("an MIT KDC")
@pytest.mark.parametrize("how, outside", [
    (dict(words=[]), "kerberos"),  # tickets of kinit's
    (dict(words=["--auth", "kerberos"]), "kerberos"),
    (dict(words=["--auth", "kerberos"], user=f"alice@{REALM}"), "kerberos"),  # by the password, of the KDC
    (dict(words=["--auth", "kerberos", "--http-auth", "ntlm"], user=f"alice@{REALM}"), "ntlm"),
    (dict(words=["--auth", "ntlm", "--http-auth", "negotiate"], user="DEMO\\alice"), "ntlm"),
    (dict(words=["--auth", "ntlm", "--http-auth", "basic"], user="DEMO\\alice"), "basic"),
])
def test_each_log_on_outside_with_each_inside(by_ticket, realm, how, outside):
    cache = None if how.get("user") else realm.tickets()
    done = by_ticket(*how["words"], user=how.get("user"), cache=cache)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows[0]["auth"] == outside and len(rows) == 4


@pytest.mark.peer("an MIT KDC")
def test_no_ticket_outside(by_ticket, realm):
    """A KDC that does not know the web server: the KDC's own words."""
    realm.admin("delprinc -force HTTP/127.0.0.1")
    done = by_ticket("nspi", cache=realm.tickets())
    realm.admin("addprinc -randkey HTTP/127.0.0.1")
    assert done.returncode == 41 and "HTTP/127.0.0.1" in done.stdout, done.stdout
