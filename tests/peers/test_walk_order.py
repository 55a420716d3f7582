"""The order in which a mail address is looked up, in a network namespace with names of its own: the first place that
answers is taken, and the SRV record and the redirection lead below the domain alone."""
import http.server
import json
import shutil
import socket
import struct
import subprocess
import threading

import pytest

from conftest import program
from namespace import new_namespace

PATH = "/autodiscover/autodiscover.xml"
SRV, LDAP = "_autodiscover._tcp.demo.test", "_ldap._tcp.demo.test"
HERE, ELSEWHERE = "127.0.0.1", "127.0.0.2"  # ours; one that only redirects

# Names and what they are, then what is told of each try.
CASES = {
    "domain": ({"demo.test": HERE, "autodiscover.demo.test": HERE}, [("https://demo.test", "settings")]),
    "directory": ({LDAP: "ldap.demo.test", "ldap.demo.test": HERE, "demo.test": HERE},
                  [(LDAP, "names ldap.demo.test:443"), ("ldap://ldap.demo.test:443", "nothing answers there"),
                   ("https://demo.test", "settings")]),
    "host": ({"autodiscover.demo.test": HERE},
             [("https://demo.test", "no such host"), ("https://autodiscover.demo.test", "settings")]),
    "redirect": ({"autodiscover.demo.test": ELSEWHERE, "mail.demo.test": HERE},
                 [("https://demo.test", "no such host"), ("https://autodiscover.demo.test", "nothing answers there"),
                  ("http://autodiscover.demo.test", f"redirects to https://mail.demo.test{PATH}"),
                  ("https://mail.demo.test", "settings")]),
    "srv": ({SRV: "mail.demo.test", "mail.demo.test": HERE},
            [("https://demo.test", "no such host"), ("https://autodiscover.demo.test", "no such host"),
             ("http://autodiscover.demo.test", "no such host"), (SRV, "names mail.demo.test:443"),
             ("https://mail.demo.test:443", "settings")]),
    "srv to another domain": ({SRV: "evil.test", "evil.test": HERE},
                              [("https://demo.test", "no such host"), ("https://autodiscover.demo.test", "no such host"),
                               ("http://autodiscover.demo.test", "no such host"), (SRV, "names evil.test:443"),
                               ("https://evil.test:443", "not below the address's domain: it gets no password")]),
}


def wire(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def answer(query, names):
    """A and SRV records of the table; everything else does not exist."""
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode())
        at += 1 + query[at]
    name, kind = ".".join(labels).lower(), struct.unpack_from(">H", query, at + 1)[0]
    question, data = query[12:at + 5], None
    if name in names and kind == 33 and name in (SRV, LDAP):
        data = struct.pack(">HHH", 0, 0, 443) + wire(names[name])
    elif name in names and kind == 1 and name not in (SRV, LDAP):
        data = socket.inet_aton(names[name])
    record = b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 60, len(data)) + data if data else b""
    flags = 0x8180 if name in names else 0x8183
    return query[:2] + struct.pack(">HHHHH", flags, 1, 1 if data else 0, 0, 0) + question + record


def serve_names(names):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((HERE, 53))

    def loop():
        while True:
            try:
                query, who = s.recvfrom(4096)
                s.sendto(answer(query, names), who)
            except OSError:
                return
    threading.Thread(target=loop, daemon=True).start()
    return s


class Redirects(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        assert "Authorization" not in self.headers
        self.send_response(302)
        self.send_header("Location", f"https://mail.demo.test{PATH}")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def make_certificate(folder):
    names = ",".join(f"DNS:{n}" for n in ("demo.test", "autodiscover.demo.test", "mail.demo.test", "evil.test"))
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "key.pem", "-out",
                    folder / "cert.pem", "-days", "2", "-subj", "/CN=demo.test", "-addext", f"subjectAltName={names}"],
                   check=True, capture_output=True)


def walk(server, folder):
    """In a mount namespace, where the resolver is told of our names alone."""
    (folder / "resolv.conf").write_text(f"nameserver {HERE}\noptions timeout:1 attempts:1\n")
    (folder / "hosts").write_text("127.0.0.1 localhost\n")
    (folder / "nsswitch.conf").write_text("hosts: files dns\n")
    binds = "".join(f"mount --bind {folder}/{f} /etc/{f} && " for f in ("resolv.conf", "hosts", "nsswitch.conf"))
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", binds + 'exec "$@"', "sh", program(), "walk", "alice@demo.test", "-U",
         "DEMO\\alice", "--password-file", server.state / "alice.password", "--epm-port", str(server.epm), "--ca-file",
         folder / "cert.pem", "--transport", "tcp", "--json"], capture_output=True, text=True, timeout=60)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return done, [(row["where"], row["what"]) for row in rows if "where" in row]


@pytest.mark.parametrize("case", CASES)
def test_order(serve, tmp_path, case):
    if not shutil.which("openssl"):
        pytest.skip("openssl is not installed")
    names, expected = CASES[case]
    make_certificate(tmp_path)
    with new_namespace() as namespace, namespace:
        server = serve("--https-port", "443", "--tls-cert", tmp_path / "cert.pem", "--tls-key", tmp_path / "key.pem")
        dns = serve_names(names)
        redirects = http.server.ThreadingHTTPServer((ELSEWHERE, 80), Redirects)
        threading.Thread(target=redirects.serve_forever, daemon=True).start()
        done, told = walk(server, tmp_path)
        redirects.shutdown()
        redirects.server_close()
        dns.close()
    if LDAP not in names:
        expected = [(LDAP, "no such record"), *expected]
    assert [(where.removesuffix(PATH), what) for where, what in told] == expected, done.stdout + done.stderr
    assert done.returncode == (0 if expected[-1][1] == "settings" else 57), done.stdout + done.stderr
