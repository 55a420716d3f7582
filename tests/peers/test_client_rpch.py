"""RPC over HTTP as our client speaks it: `ping` and the library, against our server, behind reverse proxies."""
import json
import re

import pytest
from awkward import Mute, closed_port
from building import library  # noqa: F401, a fixture
from conftest import USERS, run
from rpc_proxy import RpcProxy
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
                    r"logged on by ntlm in \d+\.\d+ ms, echo in \d+\.\d+ ms\.\n", text), text


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
