"""`mapiwire walk` over each transport and over all; what an administrator is told of each thing that can be wrong."""
import datetime
import ipaddress
import json
import socket

import pytest
from conftest import USERS, run
from stranger import Reply, Stranger
from test_walk_address import stranger as page  # noqa: F401, a fixture

STEPS = {"tcp": ["name", "mapper", "referral", "address book", "store", "inbox", "notification"],
         "rpc-http": ["name", "web server", "referral", "address book", "store", "inbox", "notification"],
         "mapi-http": ["name", "web server", "address book", "store", "inbox", "notification"]}


def walk(state, where, *words, password=None, user="alice", json=True):
    secret = state / "walk.password"
    secret.write_text((password or USERS[user][1]) + "\n")
    return run("walk", where, "-U", f"DEMO\\{user}", "--password-file", secret, *(["--json"] if json else []),
               "--timeout", "3", *words, check=False)


def rows(done):
    return [json.loads(line) for line in done.stdout.splitlines()]


def of(done, transport):
    """The steps' results by name, and the verdict."""
    steps = [r for r in rows(done) if r.get("transport") == transport and r.get("step")]
    return {s["name"]: s["result"] for s in steps}, next(r for r in rows(done) if r.get("transport") == transport and "starts" in r)


@pytest.fixture
def web(serve):
    return serve("--https-port", "0", "--host", "127.0.0.1")


def trusted(web):
    return "--ca-file", web.state / "tls-cert.pem"


def from_address(web):
    return "--server", f"127.0.0.1:{web.web['https']}", "--epm-port", web.epm, *trusted(web)


@pytest.mark.parametrize("transport", STEPS)
def test_from_an_address(web, transport):
    done = walk(web.state, "alice@demo.test", *from_address(web), "--transport", transport)
    results, verdict = of(done, transport)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(results) == STEPS[transport] and set(results.values()) == {"ok"}
    assert verdict["starts"] and verdict["auth"] == "ntlm" and verdict["encrypted"]


@pytest.mark.parametrize("transport", ["rpc-http", "mapi-http"])
def test_to_a_host(web, transport):
    done = walk(web.state, f"127.0.0.1:{web.web['https']}", "--transport", transport, *trusted(web))
    results, _ = of(done, transport)
    assert done.returncode == 0 and list(results) == STEPS[transport] and set(results.values()) == {"ok"}, done.stdout
    seen = next(r for r in rows(done) if r.get("name") == "web server")
    assert seen["tls"].startswith("TLS1.") and seen["auth"] == "ntlm"
    assert all(seen[part] > 0 for part in ("connect_ms", "tls_ms", "logon_ms", "answer_ms"))


def test_what_is_preferred(web):
    """As Outlook: MAPI over HTTP where it is offered."""
    done = walk(web.state, "alice@demo.test", *from_address(web))
    assert done.returncode == 0 and {r["transport"] for r in rows(done) if "transport" in r} == {"mapi-http"}


def test_all(web):
    done = walk(web.state, "alice@demo.test", *from_address(web), "--all")
    assert done.returncode == 0, done.stdout + done.stderr
    for transport, names in STEPS.items():
        results, verdict = of(done, transport)
        assert list(results) == names and verdict["starts"]
    assert rows(done)[-1] == {"ways": {"tcp": 0, "rpc-http": 0, "mapi-http": 0}, "exit": 0}


def test_all_where_one_fails(web):
    """The others are walked all the same; the exit code is that of what failed."""
    done = walk(web.state, f"127.0.0.1:{web.epm}", "--all", "--https-port", "1", json=False)
    assert done.returncode == 11
    assert "In all: works over RPC over TCP; not over MAPI over HTTP and RPC over HTTP." in done.stdout
    assert "Nothing listens on port 1" in done.stdout


def offer(*protocols):
    return ("<Autodiscover><Response><User><DisplayName>A</DisplayName></User><Account><AccountType>email</AccountType>"
            f"<Action>settings</Action>{''.join(protocols)}</Account></Response></Autodiscover>").encode()


EXCH = "<Protocol><Type>EXCH</Type><Server>127.0.0.1</Server></Protocol>"


def mapi(store, book):
    return (f'<Protocol Type="mapiHttp" Version="1"><MailStore><ExternalUrl>{store}</ExternalUrl></MailStore><AddressBook>'
            f"<ExternalUrl>{book}</ExternalUrl></AddressBook></Protocol>")


def test_what_is_not_offered(web, page):
    server = page((200, {}, offer(EXCH)))
    told = "--server", f"127.0.0.1:{server.port}", "--ca-file", server.cert, "--epm-port", web.epm
    assert walk(web.state, "alice@demo.test", *told, "--mailbox", "alice").returncode == 0
    done = walk(web.state, "alice@demo.test", *told, "--transport", "mapi-http")
    assert done.returncode == 71 and "without MAPI over HTTP" in done.stderr
    done = walk(web.state, "alice@demo.test", *told, "--all", "--mailbox", "alice")
    assert done.returncode == 0
    assert [r for r in rows(done) if r.get("offered") is False] == [{"transport": "mapi-http", "offered": False},
                                                                    {"transport": "rpc-http", "offered": False}]


def test_urls_that_are_not_followed(web, page):
    """Of MAPI over HTTP: without TLS, with something before an @, without a path."""
    urls = ("http://127.0.0.1/mapi/emsmdb/", "https://demo.test@127.0.0.1/mapi/", "https://127.0.0.1", "https:///mapi/")
    server = page((200, {}, offer(*(mapi(url, url) for url in urls))))
    done = walk(web.state, "alice@demo.test", "--server", f"127.0.0.1:{server.port}", "--ca-file", server.cert)
    assert done.returncode == 58 and "web server" not in done.stdout, done.stdout


def test_book_on_another_web_server(web, page, tmp_path):
    """Autodiscover's two URLs name two servers."""
    store, book = (f"https://127.0.0.1:{web.web['https']}/mapi/{path}/" for path in ("emsmdb", "nspi"))
    server = page((200, {}, offer(mapi(store, book.replace(str(web.web["https"]), "1")))))
    both = tmp_path / "both.pem"
    both.write_text((web.state / "tls-cert.pem").read_text() + server.cert.read_text())
    done = walk(web.state, "alice@demo.test", "--server", f"127.0.0.1:{server.port}", "--ca-file", both, "--mailbox",
                "/o=Demo/ou=x/cn=Recipients/cn=nobody")
    results, _ = of(done, "mapi-http")
    assert results["web server"] == "ok" and results["address book"] == "failed"
    assert next(r for r in rows(done) if r.get("name") == "address book")["cause"] == "port-refused"


@pytest.mark.parametrize("transport", ["rpc-http", "mapi-http"])
def test_mail_and_ping(web, transport):
    """The other commands that go to a server take the same options."""
    secret = web.state / "alice.password"
    there = [f"127.0.0.1:{web.web['https']}", "--transport", transport, *trusted(web), "-U", "DEMO\\alice", "--password-file", secret]
    run("mail", "save", "--subject", "over HTTP", "--server", *there, stdin="body\n")
    listed = run("mail", "list", "--server", *there, "--json").stdout.splitlines()
    assert [json.loads(line)["subject"] for line in listed] == ["over HTTP"]
    assert "answers: connected in" in run("ping", *there).stdout


# ---- A server that is not ours ----

def test_stranger(state):
    with Stranger() as s:
        done = walk(state, f"127.0.0.1:{s.port}", "--transport", "mapi-http", "--plain-http")
        results, verdict = of(done, "mapi-http")
        assert done.returncode == 0 and set(results.values()) == {"ok"}, done.stdout
        assert verdict["auth"] == "none" and not verdict["encrypted"]
        assert s.kinds().count("Connect") == s.kinds().count("Disconnect") == 2


PAGE = b"<html>log on here</html>"
WRONG = {  # what the web server answers to PING: exit code, words of the sentence and of what to try
    "401 Unauthorized": (20, "refused the user name or password", "Check user, domain and password"),
    "403 Forbidden": (68, "403 Forbidden", "rules for this path"),
    "404 Not Found": (66, "/mapi/emsmdb/ (404 Not Found), but not with MAPI over HTTP", "Switch MAPI over HTTP on"),
    "405 Method Not Allowed": (62, "405 Method Not Allowed", "logs"),
    "500 Oops": (62, "500 Oops", "logs"),
    "502 Bad Gateway": (69, "502 Bad Gateway", "Start what is behind it"),
    "503 Service Unavailable": (69, "503 Service Unavailable", "Start what is behind it"),
    "302 Found": (67, "sends on to https://elsewhere.test/owa/", "Go there"),
    "200 OK": (66, "not with MAPI over HTTP", "log-on page"),
}


@pytest.mark.parametrize("status", WRONG)
def test_answers_of_web_servers(state, status):
    exit_code, sentence, attempt = WRONG[status]
    fields = {"302 Found": [("Location", "https://elsewhere.test/owa/")], "401 Unauthorized": [("WWW-Authenticate", "NTLM")]}
    reply = Reply(PAGE, status, code=None, content="text/html", fields=fields.get(status, []))
    with Stranger(lambda request, n: reply) as s:
        done = walk(state, f"127.0.0.1:{s.port}", "--transport", "mapi-http", "--plain-http")
        step = next(r for r in rows(done) if r["name"] == "web server")
        assert done.returncode == exit_code, done.stdout
        assert sentence in step["sentence"] and attempt in step["try"]


# ---- Certificates ----

def certificate(folder, name, days):
    """Of that name, good until so many days from now."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    now, key = datetime.datetime.now(datetime.timezone.utc), ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    general = x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
    made = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
            .serial_number(x509.random_serial_number()).not_valid_before(now - datetime.timedelta(days=9))
            .not_valid_after(now + datetime.timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName([general]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, hashes.SHA256()))
    (folder / "c.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "c.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                     serialization.NoEncryption()))
    return "--tls-cert", folder / "c.pem", "--tls-key", folder / "c.key"


@pytest.mark.parametrize("name, days, words", [("other.test", 2, "name"), ("127.0.0.1", -1, "expired")])
def test_certificates(serve, tmp_path, name, days, words):
    options = certificate(tmp_path, name, days)
    web = serve("--https-port", "0", *options)
    done = walk(web.state, f"127.0.0.1:{web.web['https']}", "--transport", "mapi-http", "--ca-file", tmp_path / "c.pem")
    step = next(r for r in rows(done) if r["name"] == "web server")
    assert done.returncode == 60 and words in step["sentence"], step
    until = (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).strftime("%F")
    told = f"CN={name}, issued by CN={name}, until {until}"
    assert told in step["sentence"], step
    assert "authentication" not in web.errors()  # no password was tried
    done = walk(web.state, f"127.0.0.1:{web.web['https']}", "--transport", "mapi-http", "--insecure")
    assert done.returncode == 0 and next(r for r in rows(done) if r["name"] == "web server")["certificate"] == told, done.stdout


# ---- What else is not as it should be ----

def test_names_ports_and_protocols(web, state):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        cases = [("nowhere.invalid", 10, "does not resolve"), ("127.0.0.1:1", 11, "Nothing listens"),
                 (f"127.0.0.1:{web.epm}", 59, "TLS"), (f"127.0.0.1:{silent.getsockname()[1]}", 59, "does not answer")]
        for where, code, words in cases:
            done = walk(state, where, "--transport", "mapi-http", "--timeout", "1", json=False)
            assert done.returncode == code and words in done.stdout, done.stdout
    done = walk(state, f"127.0.0.1:{web.epm}", "--transport", "mapi-http", "--plain-http", "--timeout", "1", json=False)
    assert done.returncode in (30, 31, 61), done.stdout


@pytest.mark.parametrize("transport", ["rpc-http", "mapi-http"])
def test_users_and_mailboxes(web, transport):
    where = f"127.0.0.1:{web.web['https']}"
    done = walk(web.state, where, "--transport", transport, *trusted(web), password="wrong")
    assert done.returncode == 20 and of(done, transport)[0]["web server"] == "failed", done.stdout
    done = walk(web.state, where, "--transport", transport, *trusted(web), "--mailbox", "nobody-here")
    assert done.returncode == 25 and of(done, transport)[0]["address book"] == "failed", done.stdout
    done = walk(web.state, where, "--transport", transport, *trusted(web), "--mailbox", "bob")
    results = of(done, transport)[0]
    assert done.returncode == 26 and results["address book"] == "ok" and results["store"] == "failed", done.stdout


@pytest.mark.parametrize("words, say", [
    (["127.0.0.1", "--transport", "smoke"], "tcp, rpc-http or mapi-http"),
    (["127.0.0.1", "--transport", "tcp", "--all"], "exclude each other"),
    (["127.0.0.1", "--https-port", "8443"], "goes with --all"),
    (["127.0.0.1", "--insecure"], "go with a mail ADDRESS, --all"),
    (["127.0.0.1", "--server", "h:1"], "go with a mail ADDRESS"),
    (["a@demo.test", "--https-port", "8443"], "goes with a HOST")])
def test_usage(state, words, say):
    done = walk(state, *words)
    assert done.returncode == 1 and say in done.stderr, done.stderr
