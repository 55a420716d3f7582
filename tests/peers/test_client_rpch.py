"""RPC over HTTP as our client speaks it: `ping` and the library, against our server, behind reverse proxies."""
import json
import re

import pytest
from conftest import run

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
