"""`mapiwire look --problems`: proxies in the way of HTTP. nginx and HAProxy, set up wrongly, really do what is found; set up
rightly they are not blamed."""
import concurrent.futures
import contextlib
import json
import socket
import struct
import subprocess
import time

import pytest

from conftest import run, wait_for
from mapihttp import NO_AUX, basic, connect_body
from peer import dn_of
from test_mapihttp_proxy import HAPROXY, NGINX
from test_problems import stage  # noqa: F401  the fixture
from test_rpch import BIND, conn_a1, conn_b1, head_of, read_rts

PORT, BEHIND = 8080, 8079

NGINX_CONF = """
daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{behind}; proxy_http_version 1.1; proxy_set_header Host $host; proxy_set_header X-Forwarded-Proto https;
      {options}
    }}
  }}
}}
"""
RIGHT = {"proxy_buffering": "off", "proxy_request_buffering": "off", "client_max_body_size": "0", "proxy_read_timeout": "60s"}

HAPROXY_CONF = """
defaults
  mode http
  timeout connect 5s
  timeout client {idle}
  timeout server {idle}
  option http-no-delay
frontend front
  bind 127.0.0.1:{port}
  http-request set-header X-Forwarded-Proto https
  default_backend back
backend back
  server mapiwire 127.0.0.1:{behind}
"""


class Front:
    """A proxy on a port of its own; what its clients and it say to each other is captured."""

    def __init__(self, stage, number, kind, options):
        self.port, path = PORT + number, stage.path / f"proxy{number}"
        path.mkdir()
        config = path / "proxy.conf"
        if kind == "nginx":
            lines = " ".join(f"{name} {value};" for name, value in {**RIGHT, **options}.items())
            config.write_text(NGINX_CONF.format(dir=path, port=self.port, behind=BEHIND, options=lines))
            words = [NGINX, "-c", str(config), "-p", str(path)]
        else:
            config.write_text(HAPROXY_CONF.format(port=self.port, behind=BEHIND, **{"idle": "60s", **options}))
            words = [HAPROXY, "-db", "-f", str(config)]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert wait_for(self.is_up)

    def is_up(self):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            return True
        return False

    def kill(self):
        self.process.kill()
        self.process.wait(timeout=20)

    def ask(self, method, length, body, path="/rpc/rpcproxy.dll?MAIL:6001", more=""):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        s.sendall(f"{method} {path} HTTP/1.1\r\nHost: mail\r\nAuthorization: {basic('alice')}\r\n{more}"
                  f"Content-Length: {length}\r\n\r\n".encode() + body)
        return s

    def channels(self):
        n = self.port & 0xFF
        return self.ask("RPC_OUT_DATA", 76, conn_a1(n, 2)), self.ask("RPC_IN_DATA", 1 << 30, conn_b1(n, 3))

    def connected(self):
        out, into = self.channels()
        head, rest = head_of(out)
        assert head.startswith("HTTP/1.1 200 "), head
        for size in 28, 44:
            pdu, rest = read_rts(out, rest)
            assert len(pdu) == size
        into.sendall(BIND)
        ack, _ = read_rts(out, rest)
        assert ack[2] == 12
        return out, into

    def mapi(self, kind, body, cookies=""):
        return self.ask("POST", len(body), body, "/mapi/emsmdb/",
                        f"X-RequestType: {kind}\r\nX-RequestId: {{1}}:1\r\nX-ClientInfo: {{2}}:2\r\n"
                        f"Content-Type: application/mapi-http\r\nX-ClientApplication: Outlook/15.0.4815.1002\r\n{cookies}")

    def parked(self):
        with self.mapi("Connect", connect_body(dn_of("alice"))) as s:
            head, _ = head_of(s)
        cookies = [line.split(": ", 1)[1].split(";")[0] for line in head.split("\r\n") if line.lower().startswith("set-cookie")]
        return self.mapi("NotificationWait", struct.pack("<I", 0) + NO_AUX, f"Cookie: {'; '.join(cookies)}\r\n")


def silent(s, seconds):
    """Nothing comes for that long."""
    s.settimeout(seconds)
    with pytest.raises(TimeoutError):
        s.recv(1)


def ended(s):
    s.settimeout(20)
    with contextlib.suppress(ConnectionError):
        while s.recv(4096):
            pass


def close(*sockets):
    for s in sockets:
        s.close()
        time.sleep(0.1)


HTTP = {"http-channel-refused", "http-buffered", "http-channel-cut", "http-idle-timeout", "idle-cut", "connection-lost"}

# ---- What clients do, and see ----


def refused(front):
    out, into = front.channels()
    assert head_of(into)[0].startswith("HTTP/1.1 413 ")
    close(into, out)


def nothing_out(front):
    out, into = front.channels()
    silent(out, 2.5)
    close(out, into)


def nothing_in(front):
    out, into = front.channels()
    head, rest = head_of(out)
    assert head.startswith("HTTP/1.1 200 ") and len(read_rts(out, rest)[0]) == 28
    silent(out, 2.5)
    close(out, into)


def idle(front):
    out, into = front.connected()
    ended(out)
    close(out, into)


def cut(front):
    out, into = front.connected()
    into.sendall(BIND[:12] + struct.pack("<I", 2) + BIND[16:])
    front.kill()
    ended(out)
    close(out, into)


def waits_too_long(front):
    """Before its answer begins, after a second, or behind that."""
    with front.parked() as s:
        if head_of(s)[0].startswith("HTTP/1.1 200 "):
            ended(s)


def wait_cut(front):
    with front.parked() as s:
        time.sleep(3.4)
        front.kill()
        ended(s)


def all_is_well(front):
    out, into = front.connected()
    silent(out, 2.5)
    close(into, out)
    out, into = front.connected()
    close(out, into)
    with front.parked():
        time.sleep(1.5)


# What is said of one server twice is one finding: the times differ.
FAULTS = [
    ("nginx", {"client_max_body_size": "1m"}, refused, "http-channel-refused", "RPC_IN_DATA is answered with 413"),
    ("nginx", {"proxy_buffering": "on"}, nothing_out, "http-buffered", "nothing comes through the OUT channel for"),
    ("nginx", {"proxy_request_buffering": "on"}, nothing_in, "http-buffered", "what goes into the IN channel is not answered"),
    ("nginx", {"proxy_read_timeout": "3s"}, idle, "http-idle-timeout", "channel is cut after 3 s of silence"),
    ("haproxy", {"idle": "2s"}, idle, "http-idle-timeout", "after 2 s of silence"),
    ("nginx", {}, cut, "http-channel-cut", "channel is cut 0 s after it was opened"),
    ("nginx", {"proxy_read_timeout": "2s"}, waits_too_long, "http-idle-timeout",
     "a parked NotificationWait is "),
    ("haproxy", {}, wait_cut, "http-idle-timeout", "a parked NotificationWait is cut after"),
]
RIGHTLY = [("nginx", {}, all_is_well, None, None), ("haproxy", {}, all_is_well, None, None)]


def play(stage, rows):
    """All at the same time, each with a proxy of its own: the findings of each, by its port."""
    if not NGINX or not HAPROXY:
        pytest.skip("nginx or haproxy is not installed")
    server = stage.serve("--http-port", str(BEHIND), "--trust-proxy", "127.0.0.1")
    assert server.web["http"] == BEHIND
    fronts = [Front(stage, i, kind, options) for i, (kind, options, *_) in enumerate(rows)]
    try:
        stage.watch(only=f"tcp portrange {PORT}-{PORT + len(rows)}")
        with concurrent.futures.ThreadPoolExecutor(len(rows)) as pool:
            done = [pool.submit(row[2], front) for row, front in zip(rows, fronts)]
            for future in done:
                future.result()
    finally:
        for front in fronts:
            front.kill()
    stage.look()
    text = run("look", "--problems", "--json", "--slow", "4000,5000,20000,30000", stage.capture).stdout
    found = {front.port: [] for front in fronts}
    for finding in map(json.loads, text.splitlines()):
        if finding["finding"] in HTTP:
            found[int(finding["server"].rsplit(":", 1)[1])].append((finding["finding"], finding["sentence"]))
    return found


def test_proxies_that_are_set_up_wrongly(stage):
    found = play(stage, FAULTS)
    for (*_, cause, words), findings in zip(FAULTS, found.values()):
        assert {name for name, _ in findings} - {"connection-lost"} == {cause}, (words, findings)
        assert any(words in sentence for _, sentence in findings), (words, findings)


def test_proxies_that_are_set_up_rightly(stage):
    assert play(stage, RIGHTLY) == {PORT: [], PORT + 1: []}, stage.text
