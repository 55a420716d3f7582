"""What hostile peers of the HTTP server get: docs/conformance-mapihttp.md, "Attacks". Afterwards another one is served."""
import pathlib
import re
import shutil
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

from conftest import USERS, run, wait_for
from mapihttp import Endpoint, HttpStore, basic, connect_body
from peer import dn_of
from test_autodiscover import POX, ask
from test_web import ca, curl, https

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")


@pytest.fixture
def web(serve):
    server = serve("--https-port", "0", "--http-port", "0", "--patience", "1", "--loops", "2")
    yield server
    assert curl("--cacert", ca(server), https(server, "/"))[0] == 200


def connect(server, port="https", shake=True):
    s = socket.create_connection(("127.0.0.1", server.web[port]), timeout=20)
    if port == "https" and shake:
        context = ssl.create_default_context(cafile=ca(server))
        s = context.wrap_socket(s, server_hostname="127.0.0.1")
    return s


def head(length=None, path="/mapi/emsmdb/", fields=(), user="alice"):
    lines = [f"POST {path} HTTP/1.1", "Host: a", f"Authorization: {basic(user)}", "X-RequestType: Connect", "X-RequestId: 1", "X-ClientInfo: 1",
             "Content-Type: application/mapi-http", *fields]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def closed(s, seconds=15):
    """What comes before the server closes, which it must."""
    s.settimeout(seconds)
    out = b""
    try:
        while part := s.recv(65536):
            out += part
    except ConnectionResetError:
        pass
    return out


def test_slow_senders(web):
    """Each has a deadline; a slow one is told 408 where that can be said. Always a little more is no excuse: the average counts."""
    started = {"nothing": b"", "part of a handshake": b"\x16\x03\x01\x02\x00\x01", "part of a head": b"GET / HTTP/1.1\r\nHost:",
               "part of a body": head(1000) + b"abc", "chunks that never end": head(fields=["Transfer-Encoding: chunked"]) + b"5\r\nabcde\r\n"}
    slow = {}
    for what, data in started.items():
        slow[what] = connect(web, shake=what not in ("nothing", "part of a handshake"))
        slow[what].sendall(data)
    byte_by_byte = connect(web)
    byte_by_byte.sendall(head(1 << 20))
    began = time.monotonic()
    with pytest.raises(OSError):
        while time.monotonic() - began < 20:
            byte_by_byte.sendall(b"x")
            time.sleep(0.05)
    for what, s in slow.items():
        assert closed(s).startswith(b"HTTP/1.1 408 ") == (what not in ("nothing", "part of a handshake")), what


def test_bodies_that_end_early(web):
    for body in b"", b"abc":
        with connect(web) as s:
            s.sendall(head(100) + body)
            s.shutdown(socket.SHUT_WR)
            closed(s)
    assert wait_for(lambda: web.errors().count("the connection ended inside a message") == 2)


CHUNKS = [b"5\r\nabcdefgh\r\n0\r\n\r\n", b"ffffffffffffffff1\r\nabc", b"-1\r\nabc", b"5 \r\nabcde\r\n", b"3\r\nabc0\r\n\r\n",
          b"0x3\r\nabc\r\n0\r\n\r\n", b"3\nabc\n0\n\n"]


def test_chunks_that_lie(web):
    """Refused, and what comes behind is no request of anybody's."""
    for chunks in CHUNKS:
        with connect(web) as s:
            s.sendall(head(fields=["Transfer-Encoding: chunked"]) + chunks + b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
            got = closed(s)
        assert got.startswith(b"HTTP/1.1 400 ") and got.count(b"HTTP/1.1 ") == 1


ADDRESSES = ["alice@demo.test@evil.test", "evil.test/alice@demo.test", "alice@demo.test\r\nX: y", "alice@demo.test%00@evil.test",
             "../../alice@demo.test", "smtp:bob@evil.test", "/o=DEMO/cn=evil.test", "@evil.test", "alice@[127.0.0.1]"]


def test_addresses_with_tricks(web):
    """Only compared with those in the directory: error 500, and no host of the request's in any answer."""
    for address in ADDRESSES:
        text = address.replace("<", "&lt;")
        status, _, body = ask(web, "/autodiscover/autodiscover.xml", "-H", "Host: evil.test", "-H", "X-Forwarded-Host: evil.test",
                              "--data-binary", POX % text)
        assert status == 200 and "<ErrorCode>500</ErrorCode>" in body and "evil" not in body


def test_hosts_are_not_taken_from_requests(web):
    """In answers and redirections stands the server's own name, whatever the request called it."""
    for words, port, path in [(["--data-binary", POX % "alice@demo.test"], "https", "/autodiscover/autodiscover.xml"), ([], "http", "/autodiscover/autodiscover.xml"),
                              ([], "https", "/autodiscover/autodiscover.json?Protocol=AutodiscoverV1&Email=a@evil.test")]:
        status, fields, body = ask(web, path, "-H", "Host: evil.test", "-H", "X-Forwarded-Host: evil.test", *words, port=port)
        assert status in (200, 302) and "evil" not in fields + body and f"127.0.0.1:{web.web['https']}" in fields + body


BODIES = ["<a " + "".join(f"b{i}='x' " for i in range(5000)) + "/>", "<a b='" + "x" * 100000 + "'/>",
          "<a>" + "&#65;" * 20000 + "</a>", "<a><![CDATA[" + "x" * 100000 + "]]></a>", "<?xml version='1.0' encoding='UTF-16'?><a/>",
          "<a>" + "<b>" * 30 + "</b>" * 30 + "</a>", "<a" + " xmlns:n='x'" * 2 + "/>", "\ufeff" * 1000]


def test_xml_that_wants_much(web):
    for body in BODIES:
        file = pathlib.Path(web.state / "body.xml")
        file.write_text(body, encoding="utf-8")
        for path, expected in ("xml", (200,)), ("svc", (500,)):
            assert ask(web, f"/autodiscover/autodiscover.{path}", "--data-binary", f"@{file}")[0] in expected


class Between:
    """Who stands between and opens TLS on both sides: with a certificate of its own to clients, as a client to the server."""

    def __init__(self, folder, server):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=127.0.0.1",
                        "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
                       check=True, capture_output=True)
        self.cert, self.server = folder / "cert.pem", server
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.cert, folder / "key.pem")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client = self.context.wrap_socket(self.listener.accept()[0], server_side=True)
            except OSError:
                return
            behind = connect(self.server)
            for source, to in (client, behind), (behind, client):
                threading.Thread(target=self.pump, args=(source, to), daemon=True).start()

    @staticmethod
    def pump(source, to):
        try:
            while data := source.recv(65536):
                to.sendall(data)
        except OSError:
            pass
        to.close()


def test_ntlm_relayed(web, tmp_path):
    """A log-on that is bound to another channel is refused though none is asked for: whoever is lured to another server does not
    log on to this one. Without somebody between the same words pass."""
    between = Between(tmp_path, web)
    words = ["-U", "DEMO\\alice", "--password-file", web.state / "alice.password", "--transport", "rpc-http", "--http-auth", "ntlm",
             "--timeout", "10"]
    done = run("ping", f"127.0.0.1:{between.port}", *words, "--proxy", f"127.0.0.1:{between.port}", "--ca-file", between.cert, check=False)
    assert done.returncode == 20, done.stdout + done.stderr
    assert "0xC000035B The log-on is bound to another TLS channel" in web.errors()
    assert run("ping", f"127.0.0.1:{web.web['https']}", *words, "--proxy", f"127.0.0.1:{web.web['https']}", "--ca-file", ca(web)).returncode == 0
    between.listener.close()


def test_cookies_that_are_guessed(web):
    """Of the same shape as a live one: nothing is there, whatever bit is changed."""
    store = HttpStore(web)
    cookie = store.endpoint.cookies["MapiContext"]
    thief = Endpoint(web, user="bob")
    for at in range(2, len(cookie), 5):
        changed = cookie[:at] + ("0" if cookie[at] != "0" else "1") + cookie[at + 1:]
        thief.cookies = {"MapiContext": changed}
        assert thief.ask("NotificationWait", struct.pack("<2I", 0, 0)).code == 10
    assert store.log_on()["status"] == 0


def test_one_line_and_nothing_leaks(web):
    """A mailbox that is not the caller's: the protocol's own refusal, which tells no more of one that is there than of one that is not."""
    answers = [Endpoint(web, user="bob").ask("Connect", connect_body(dn)) for dn in (dn_of("alice"), dn_of("alice")[:-1])]
    assert [len(a.body) for a in answers] == [8, 8] and all(b"alice" not in a.raw.lower() for a in answers)
    assert not re.search(r"Set-Cookie", "".join(str(a.headers) for a in answers))
