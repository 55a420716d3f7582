"""HTTP and HTTPS of the server, by curl and by hand: paths, TLS, refusals, the monitor's port."""
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time

import pytest

from conftest import run, wait_for

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


def curl(*words, code=0):
    """Runs curl, which must end with that code (None: any); yields status and the whole answer with its head."""
    done = subprocess.run(["curl", "-s", "-i", "--max-time", "20", *words], capture_output=True, timeout=60)
    assert code is None or done.returncode == code, f"curl {words}: {done.returncode} {done.stderr}"
    text = done.stdout.decode("latin-1")
    found = re.findall(r"^HTTP/1\.1 (\d+)", text, re.M)
    return int(found[-1]) if found else None, text


@pytest.fixture
def web(serve):
    return serve("--https-port", "0", "--http-port", "0", "--monitor-port", "0")


def ca(server):
    return str(server.state / "tls-cert.pem")


def https(server, path):
    return f"https://127.0.0.1:{server.web['https']}{path}"


def http(server, path, port="http"):
    return f"http://127.0.0.1:{server.web[port]}{path}"


def talk(port, data, tls=None):
    """Sends bytes as they are; yields all that comes until the server closes, or for two seconds."""
    with socket.create_connection(("127.0.0.1", port), timeout=2) as s:
        s = tls.wrap_socket(s) if tls else s
        s.sendall(data)
        out = b""
        try:
            while part := s.recv(65536):
                out += part
        except socket.timeout:
            pass
    return out


def test_monitor(web):
    status, text = curl(http(web, "/healthz", "monitor"))
    assert status == 200 and text.endswith("ok\n")
    status, text = curl(http(web, "/metrics", "monitor"))
    assert status == 200
    figures = dict(re.findall(r"^(mapiwire_\w+) (\d+)$", text, re.M))
    assert int(figures["mapiwire_http_requests_total"]) == 2
    assert int(figures["mapiwire_connections"]) == 1
    assert re.search(r'mapiwire_http_answers_total\{class="2xx"\} 1\n', text)
    assert curl(http(web, "/healthz", "monitor"), "-d", "x")[0] == 405
    assert curl("-I", http(web, "/metrics", "monitor"))[0] == 200
    # Nothing of it is on the others' ports, nor theirs here.
    assert curl(http(web, "/metrics"))[0] == 404
    assert curl(http(web, "/mapi/emsmdb/", "monitor"))[0] == 404


def test_front_page(web):
    """For browsers: about 1 KB, nothing to log on for, the same for all; nothing below it."""
    status, text = curl("--cacert", ca(web), https(web, "/"))
    assert status == 200 and "Content-Type: text/html" in text and "mapiwire walk" in text and 900 < len(text) < 2000
    status, text = curl("--cacert", ca(web), "-I", https(web, "/"))
    assert status == 200 and text.endswith("\r\n\r\n")
    assert curl("--cacert", ca(web), "-d", "x", https(web, "/"))[0] == 405
    assert curl(http(web, "/", "monitor"))[0] == 404


@pytest.mark.parametrize("path", ["/index.html", "/ews/exchange.asmx", "/a%20b", "/..%2f..%2fetc/passwd", "/" + "x" * 3000])
def test_no_password_is_asked_for_what_is_not_there(web, path):
    status, text = curl("--cacert", ca(web), "--path-as-is", https(web, path))
    assert status == (400 if ".." in path else 404)
    assert "WWW-Authenticate" not in text


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_tls_versions(web, version):
    assert curl("--cacert", ca(web), f"--tlsv{version}", "--tls-max", version, https(web, "/"))[0] == 200


def test_old_tls_is_refused(web):
    curl("--cacert", ca(web), "--tlsv1.0", "--tls-max", "1.1", "--ciphers", "DEFAULT:@SECLEVEL=0", https(web, "/"), code=35)


def test_plain_http_on_the_tls_port(web):
    """No answer that could be taken for one; the server goes on."""
    assert not talk(web.web["https"], b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").startswith(b"HTTP")
    assert curl("--cacert", ca(web), https(web, "/"))[0] == 200


@pytest.mark.parametrize("words, status, pattern", [
    (["--http1.0"], 200, r"Connection: close\r\n"),
    (["--http1.0", "-H", "Connection: keep-alive"], 200, r"Connection: keep-alive\r\n"),
    (["-H", "Connection: close"], 200, r"Connection: close\r\n"),
    (["-I"], 200, r"Content-Length: \d{3,4}\r\n(.*\r\n)*\r\n$"),
    (["-X", "OPTIONS"], 405, r""),
    (["-X", "TRACE"], 405, r""),
    (["-X", "FROBNICATE"], 405, r""),
    (["-X", "PUT", "-d", "x"], 405, r""),
    (["-X", "POST", "-H", "Transfer-Encoding: chunked", "-d", "x"], 405, r""),
    (["-d", "x" * 100], 413, r""),
    (["-d", "x", "-H", "Expect: 200-maybe"], 417, r"Connection: close\r\n"),
    (["-d", "x", "-H", "Expect: 100-continue"], 405, r"^HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 405"),
    (["-H", "Host:"], 400, r"Connection: close\r\n"),
    (["-H", "Host: a", "-H", "X: " + "x" * 70000], 431, r"Connection: close\r\n"),
    (["-H", "Transfer-Encoding: gzip"], 501, r""),
    (["-H", "Transfer-Encoding: gzip", "-d", "x"], 400, r"Content-Length and Transfer-Encoding at once"),
    (["--request-target", "http://elsewhere.test/"], 200, r"A mail server"),  # ours, not fetched from anywhere
    (["--request-target", "*"], 400, r""),
    (["-X", "CONNECT", "--request-target", "evil.test:443"], 400, r""),
])
def test_rules(web, words, status, pattern):
    """Of HTTP/1.1, in TLS and without: versions, connections, methods, expectations, limits, targets."""
    for trust, url in (["--cacert", ca(web)], https(web, "/")), ([], http(web, "/")):
        got, text = curl(*trust, *words, url)
        assert got == status and re.search(pattern, text), text


def test_requests_one_after_the_other(web):
    done = subprocess.run(["curl", "-s", "-v", *[http(web, f"/{i}") for i in range(5)]], capture_output=True, text=True)
    assert done.stderr.count("Re-using existing connection") == 4
    assert done.stderr.count("< HTTP/1.1 404") == 5


@pytest.mark.parametrize("data", [
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
    b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
])
def test_smuggling_is_refused(web, data):
    out = talk(web.web["http"], data)
    assert out.startswith(b"HTTP/1.1 400 ") and b"Connection: close" in out
    assert out.count(b"HTTP/1.1") == 1


def test_pipelined_requests_are_not_mixed_up(web):
    out = talk(web.web["http"], b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
    assert 1 <= out.count(b"HTTP/1.1 404") <= 3


def test_slow_heads_do_not_stop_others(web):
    slow = [socket.create_connection(("127.0.0.1", web.web["http"])) for _ in range(50)]
    for s in slow:
        s.sendall(b"GET / HTTP/1.1\r\nX: ")
    assert curl(http(web, "/"))[0] == 200
    for s in slow:
        s.close()


def test_header_floods(web):
    many = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 1000 + b"\r\n"
    assert talk(web.web["http"], many).startswith(b"HTTP/1.1 431 ")
    assert talk(web.web["http"], b"GET / HTTP/1.1\r\nA: " + b"x" * 200000).startswith(b"HTTP/1.1 431 ")


def served_certificate(server):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", server.web["https"])) as s, context.wrap_socket(s) as t:
        return t.getpeercert(binary_form=True)


def test_certificate_is_read_again(serve, state, tmp_path):
    """At SIGHUP; what does not fit is not taken."""
    for name in "first", "second":
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-subj", f"/CN={name}", "-keyout", str(tmp_path / f"{name}.key"), "-out", str(tmp_path / f"{name}.pem")],
                       check=True, capture_output=True)
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    shutil.copy(tmp_path / "first.pem", cert)
    shutil.copy(tmp_path / "first.key", key)
    server = serve("--https-port", "0", "--tls-cert", str(cert), "--tls-key", str(key))
    before = served_certificate(server)
    shutil.copy(tmp_path / "second.pem", cert)
    server.process.send_signal(signal.SIGHUP)
    assert wait_for(lambda: "the key is not that of the certificate" in server.errors())
    assert served_certificate(server) == before
    shutil.copy(tmp_path / "second.key", key)
    server.process.send_signal(signal.SIGHUP)
    assert wait_for(lambda: served_certificate(server) != before)


def test_bad_certificates_are_explained(state, tmp_path):
    (tmp_path / "x.pem").write_text("rubbish")
    words = ["serve", "--state", state, "--epm-port", "0", "--https-port", "0"]
    done = run(*words, "--tls-cert", tmp_path / "x.pem", check=False)
    assert done.returncode != 0 and "give both --tls-cert and --tls-key" in done.stderr
    done = run(*words, "--tls-cert", tmp_path / "x.pem", "--tls-key", tmp_path / "x.pem", check=False)
    assert done.returncode != 0 and "PEM" in done.stderr
    done = run(*words, "--tls-cert", tmp_path / "none", "--tls-key", tmp_path / "x.pem", check=False)
    assert done.returncode != 0 and "Cannot read" in done.stderr


def test_key_log(serve, tmp_path):
    log = tmp_path / "keys.log"
    server = serve("--https-port", "0", "--tls-key-log", str(log))
    curl("--cacert", ca(server), "--tls-max", "1.2", https(server, "/"))
    curl("--cacert", ca(server), "--tlsv1.3", https(server, "/"))
    lines = log.read_text().splitlines()
    labels = {line.split()[0] for line in lines}
    assert {"CLIENT_RANDOM", "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"} <= labels
    assert all(re.fullmatch(r"\w+ [0-9a-f]{64} [0-9a-f]{64,96}", line) for line in lines)
    assert log.stat().st_mode & 0o077 == 0
    assert time.time() - log.stat().st_mtime < 60
