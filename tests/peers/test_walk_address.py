"""`mapiwire walk ADDRESS`: from a mail address over Autodiscover to the store, and where its password does not go."""
import http.server
import json
import shutil
import ssl
import subprocess
import threading

import pytest

from conftest import USERS, run

PATH = "/autodiscover/autodiscover.xml"


def walk(state, *words, address="alice@demo.test", password=None):
    secret = state / "walk.password"
    secret.write_text((password or USERS["alice"][1]) + "\n")
    return run("walk", address, "-U", "DEMO\\alice", "--password-file", secret, "--json", *words, check=False)


def steps(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def web(serve):
    return serve("--https-port", "0")


def trusted(web):
    return "--server", f"127.0.0.1:{web.web['https']}", "--ca-file", web.state / "tls-cert.pem"


def test_from_address_to_notification(web):
    done = walk(web.state, *trusted(web), "--epm-port", web.epm, "--transport", "tcp")
    assert done.returncode == 0, done.stdout + done.stderr
    seen = steps(done)
    assert seen[0]["what"] == "settings" and seen[0]["where"].endswith(PATH)
    assert [s["protocol"] for s in seen if "protocol" in s] == ["EXCH", "EXPR", "mapiHttp"]
    assert [s["result"] for s in seen if s.get("step", 0) > 0] == ["ok"] * 7


def test_certificate_that_is_not_trusted(web):
    """No password is tried on who is not known."""
    done = walk(web.state, "--server", f"127.0.0.1:{web.web['https']}")
    assert done.returncode == 57 and "certificate is not trusted" in done.stdout
    assert "authentication refused" not in web.errors()


def test_wrong_password_ends_the_search(web):
    done = walk(web.state, *trusted(web), password="wrong")
    assert done.returncode == 20 and "401" in done.stdout and len(steps(done)) == 1


def test_unknown_address(web):
    done = walk(web.state, *trusted(web), address="nobody@demo.test")
    assert done.returncode == 57 and "error 500" in done.stdout


def test_domain_that_is_none(state):
    """Each try is told, in Outlook's order."""
    done = walk(state, address="alice@demo.invalid")
    assert done.returncode == 57
    where = [s["where"] for s in steps(done)]
    assert where == ["_ldap._tcp.demo.invalid", f"https://demo.invalid{PATH}", f"https://autodiscover.demo.invalid{PATH}",
                     f"http://autodiscover.demo.invalid{PATH}", "_autodiscover._tcp.demo.invalid"]


class Stranger:
    """An HTTPS server that answers as it is told, and keeps what it was sent."""

    def __init__(self, folder, answer):
        key, cert = folder / "stranger.key", folder / "stranger.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days",
                        "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"],
                       check=True, capture_output=True)
        stranger = self
        self.cert, self.seen = cert, []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                stranger.seen.append(self.headers.get("Authorization", ""))
                status, fields, body = answer
                self.send_response(status)
                for name, value in fields.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(cert, key)
        self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def stranger(tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    made = []

    def start(answer, name="a"):
        folder = tmp_path / name
        folder.mkdir()
        made.append(Stranger(folder, answer))
        return made[-1]

    yield start
    for s in made:
        s.server.shutdown()


def redirect_url(url):
    return (f"<Autodiscover><Response><Account><Action>redirectUrl</Action><RedirectUrl>{url}</RedirectUrl></Account>"
            "</Response></Autodiscover>").encode()


@pytest.mark.parametrize("how", ["302", "redirectUrl"])
def test_password_goes_to_no_other_host(state, stranger, how):
    other = stranger((200, {}, b"<x/>"), "other")
    url = f"https://127.0.0.1:{other.port}{PATH}"
    first = stranger((302, {"Location": url}, b"") if how == "302" else (200, {}, redirect_url(url)))
    done = walk(state, "--server", f"127.0.0.1:{first.port}", "--ca-file", first.cert)
    assert done.returncode == 57 and "not below the address's domain" in done.stdout
    assert other.seen == [] and len(first.seen) >= 1


def test_redirected_address_is_followed(web):
    """Of the same domain at the same server; not round in circles, and not to another domain."""
    for where, last, code in [("alice@demo.test", "settings", 0), ("bob@demo.test", "redirects to bob@demo.test", 57),
                              ("bob@test", "not of the address's domain or below it: it is not looked for", 57)]:
        run("user", "redirect", "bob", where, "--state", web.state)
        done = walk(web.state, *trusted(web), "--epm-port", web.epm, address="bob@demo.test")
        tries = [s["what"] for s in steps(done) if "what" in s and s["step"] == 0]
        assert tries[0] == f"redirects to {where}" and tries[-1] == last and len(tries) <= 11, tries
        assert done.returncode == code, done.stdout + done.stderr


def test_password_is_not_downgraded(state, stranger):
    """Where the certificate is not looked at, Basic would hand the password over."""
    basic = stranger((401, {"WWW-Authenticate": 'Basic realm="x"'}, b""))
    done = walk(state, "--server", f"127.0.0.1:{basic.port}", "--insecure")
    assert done.returncode == 20
    assert not any(seen.startswith("Basic") for seen in basic.seen)
    walk(state, "--server", f"127.0.0.1:{basic.port}", "--ca-file", basic.cert)
    assert any(seen.startswith("Basic") for seen in basic.seen)
