"""Reverse proxies in front of plain HTTP, and Kerberos by a KDC of MIT's: nginx, HAProxy and curl as the peers."""
import shutil
import subprocess
import types

import pytest

from conftest import USERS, wait_for
from mapihttp import Endpoint, HttpStore, basic
from realm import KDC, PASSWORD, Realm, free_port
from rops import NORMALIZED_W
from test_mapihttp import PING
from test_web import curl

NGINX, HAPROXY = (shutil.which(name, path="/usr/sbin:/usr/bin") for name in ("nginx", "haproxy"))

NGINX_CONF = """
daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  upstream mapiwire {{ server 127.0.0.1:{behind}; keepalive 1; }}
  server {{
    listen 127.0.0.1:{port} ssl; ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem;
    location / {{
      proxy_pass http://mapiwire; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
      proxy_buffering off; proxy_request_buffering off; client_max_body_size 0;
    }}
  }}
}}
"""

HAPROXY_CONF = """
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  option forwardfor
  option http-no-delay
frontend front
  bind 127.0.0.1:{port} ssl crt {dir}/both.pem
  http-request set-header X-Forwarded-Proto https
  default_backend back
backend back
  http-reuse always
  server mapiwire 127.0.0.1:{behind}
"""


class Proxy:
    def __init__(self, kind, path, behind):
        self.port = free_port()
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path / "key.pem"),
                        "-out", str(path / "cert.pem")], check=True, capture_output=True)
        (path / "both.pem").write_text((path / "cert.pem").read_text() + (path / "key.pem").read_text())
        config = path / "proxy.conf"
        config.write_text((NGINX_CONF if kind == "nginx" else HAPROXY_CONF).format(dir=path, port=self.port, behind=behind))
        words = [NGINX, "-c", str(config), "-p", str(path)] if kind == "nginx" else [HAPROXY, "-db", "-f", str(config)]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        # What an Endpoint wants to know of a server.
        shutil.copy(path / "cert.pem", path / "tls-cert.pem")
        self.front = types.SimpleNamespace(state=path, web={"https": self.port})
        self.ca = str(path / "cert.pem")
        assert wait_for(lambda: curl("--cacert", self.ca, self.url("/"), code=None)[0])

    def url(self, path):
        return f"https://127.0.0.1:{self.port}{path}"

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)


@pytest.fixture(params=["nginx", "haproxy"])
def kind(request):
    if not {"nginx": NGINX, "haproxy": HAPROXY}[request.param]:
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.fixture
def proxied(serve, kind, tmp_path):
    """Starts a server and the proxy before it; options are the server's."""
    proxies = []

    def start(*options):
        server = serve("--http-port", "0", *options)
        path = tmp_path / "proxy"
        path.mkdir()
        proxies.append(Proxy(kind, path, server.web["http"]))
        return server, proxies[-1]

    yield start
    for proxy in proxies:
        proxy.stop()


def test_session_behind_a_proxy(proxied):
    server, proxy = proxied("--trust-proxy", "127.0.0.1")
    store = HttpStore(proxy.front)
    assert store.status == 0
    store.log_on()
    for text in "one", "two":
        store.save_message(store.folders[4], {NORMALIZED_W: text})
    assert sorted(row[NORMALIZED_W] for row in store.rows(store.folders[4], [NORMALIZED_W])) == ["one", "two"]
    assert store.disconnect().code == 0


def test_what_one_proves_is_not_the_next_ones(proxied):
    """Requests of all clients share the proxy's connections to us."""
    server, proxy = proxied("--trust-proxy", "127.0.0.1")
    words = ["--cacert", proxy.ca, *PING, proxy.url("/mapi/emsmdb/")]
    for _ in range(4):
        assert curl("--basic", "-u", f"alice:{USERS['alice'][1]}", *words)[0] == 200
        assert curl(*words)[0] == 401


def test_the_client_is_told_apart(proxied):
    server, proxy = proxied("--trust-proxy", "127.0.0.1")
    # The last address is the proxy's word, those before it the client's own.
    curl("--cacert", proxy.ca, "-H", "X-Forwarded-For: 203.0.113.9", "--basic", "-u", "alice:wrong", *PING, proxy.url("/mapi/emsmdb/"))
    assert wait_for(lambda: "authentication refused: user alice at 127.0.0.1" in server.errors())
    assert "203.0.113.9" not in server.errors()


def test_a_proxy_that_is_not_trusted(proxied):
    server, proxy = proxied("--trust-proxy", "192.0.2.1,192.0.2.2")
    status, text = curl("--cacert", proxy.ca, "--basic", "-u", f"alice:{USERS['alice'][1]}", *PING, proxy.url("/mapi/emsmdb/"))
    assert status == 401 and "Basic" not in text
    status, text = curl("-H", f"Authorization: {basic('alice')}", "-H", "X-Forwarded-Proto: https", *PING,
                        f"http://127.0.0.1:{server.web['http']}/mapi/emsmdb/")
    assert status == 401 and "Basic" not in text


# ---- Kerberos ----

@pytest.fixture(scope="module")
def realm(tmp_path_factory):
    if not KDC:
        pytest.skip("krb5-kdc is not installed")
    made = Realm(tmp_path_factory.mktemp("realm"))
    made.admin("addprinc -randkey HTTP/mail.demo.test")
    made.admin(f"ktadd -k {made.keytab} HTTP/mail.demo.test")
    yield made
    made.stop()


def negotiate(server, realm, cache, *more):
    env = {**realm.env, "KRB5CCNAME": f"FILE:{cache}"}
    port = server.web["https"]
    return subprocess.run(
        ["curl", "-s", "-v", "--cacert", str(server.state / "tls-cert.pem"), "--resolve", f"mail.demo.test:{port}:127.0.0.1",
         "--negotiate", "-u", ":", *PING, *more, f"https://mail.demo.test:{port}/mapi/emsmdb/"],
        env=env, capture_output=True, text=True, timeout=60)


def test_negotiate_by_kerberos(serve, realm, tmp_path):
    server = serve("--https-port", "0", "--host", "mail.demo.test", "--keytab", str(realm.keytab))
    for user, status in ("alice", 200), ("stranger", 401):
        cache = tmp_path / user
        realm.command("kinit", "-c", f"FILE:{cache}", user, stdin=PASSWORD + "\n")
        done = negotiate(server, realm, cache)
        assert f"< HTTP/1.1 {status}" in done.stderr, done.stderr
        # The server proves itself in turn.
        assert ("< WWW-Authenticate: Negotiate o" in done.stderr) == (status == 200)
    assert wait_for(lambda: "authentication refused: user stranger" in server.errors())


def test_negotiate_without_a_ticket(serve, realm, tmp_path):
    server = serve("--https-port", "0", "--host", "mail.demo.test", "--keytab", str(realm.keytab))
    assert "< HTTP/1.1 401" in negotiate(server, realm, tmp_path / "none").stderr


def test_negotiate_unbound_where_binding_is_required(serve, realm, tmp_path):
    """This curl binds no channel: refused where a relay could be between."""
    server = serve("--https-port", "0", "--host", "mail.demo.test", "--keytab", str(realm.keytab), "--channel-binding", "required")
    realm.command("kinit", "-c", f"FILE:{tmp_path}/alice", "alice", stdin=PASSWORD + "\n")
    assert "< HTTP/1.1 401" in negotiate(server, realm, tmp_path / "alice").stderr
    assert wait_for(lambda: "0xC000035B" in server.errors())
