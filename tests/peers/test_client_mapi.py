"""libmapiwire over MAPI/HTTP: against our server, and against a small one written from the specifications alone
(stranger.py), which also breaks the rules."""
import struct
import threading
import time

import pytest
from building import library  # noqa: F401, a fixture
from conftest import run
from scripted import actor, workshop  # noqa: F401, fixtures
from stranger import Reply, Stranger
from test_mapihttp_proxy import HAPROXY, NGINX, Proxy

ALL = ("map", "open", "resolve", "first", "get", "table", "read", "watch", "close")


def does(act, *words):
    return {word: act(word) for word in words}


@pytest.mark.parametrize("form", ["blocking", "loop"])
def test_our_server(serve, actor, form):
    web = serve("--https-port", "0")
    act = actor(web.web["https"], "mapi-http", f"ca={web.state}/tls-cert.pem", form)
    assert set(does(act, "map", "open", "resolve", "first", "get", "save", "table", "read", "watch").values()) == {"ok"}
    threading.Timer(0.2, save, [web]).start()
    assert does(act, "next", "close") == {"next": "ok", "close": "ok"}


def save(server):
    run("mail", "save", "--server", f"127.0.0.1:{server.epm}", "-U", "DEMO\\alice", "--password-file",
        server.state / "alice.password", "--subject", "x", stdin="body\n")


@pytest.mark.parametrize("kind", ["nginx", "haproxy"])
def test_behind_a_proxy(serve, actor, tmp_path, kind):
    """TLS ends there, NTLM cannot go through: the client is offered Basic as well and takes what works."""
    if not {"nginx": NGINX, "haproxy": HAPROXY}[kind]:
        pytest.skip(f"{kind} is not installed")
    server = serve("--http-port", "0", "--trust-proxy", "127.0.0.1")
    proxy = Proxy(kind, tmp_path, server.web["http"])
    try:
        act = actor(proxy.port, "mapi-http", f"ca={proxy.ca}", "basic")
        assert set(does(act, "open", "first", "get", "save", "table", "read", "watch").values()) == {"ok"}
        threading.Timer(0.2, save, [server]).start()
        assert does(act, "next", "close") == {"next": "ok", "close": "ok"}
    finally:
        proxy.stop()


@pytest.mark.parametrize("form", ["blocking", "loop"])
def test_stranger(actor, form):
    """What a request says by [MS-OXCMAPIHTTP] 2.2.3, and that its session is left in good order."""
    with Stranger() as s:
        act = actor(s.port, "mapi-http", "plain", form)
        assert set(does(act, *ALL).values()) == {"ok"}
        threads = [r.fields["x-requestid"].split(":")[0] for r in s.seen if r.kind == "Execute"]
        assert len(set(threads)) == 1
        numbers = [int(r.fields["x-requestid"].split(":")[1]) for r in s.seen if r.kind == "Execute"]
        assert numbers == sorted(set(numbers))
        assert all(r.target == ("/mapi/nspi/" if r.kind in ("Bind", "Unbind", "QueryRows", "ResolveNames", "GetSpecialTable")
                                else "/mapi/emsmdb/") and r.method == "POST" for r in s.seen)
        assert s.kinds().count("Disconnect") == 1 and len(s.sessions) == 1  # the book's is still open


@pytest.mark.parametrize("split", [1, 2, 3, 7, 64])
def test_answers_in_pieces(actor, split):
    """Meta tags cut anywhere by chunks, with patience asked for in between."""
    def change(request, _):
        if not request.body or request.kind == "NotificationWait":
            return None
        reply = s.answer(request, None)
        reply.split, reply.lines = split, ("PROCESSING", "PENDING", "PENDING", "DONE")
        return reply
    with Stranger(change) as s:
        act = actor(s.port, "mapi-http", "plain")
        assert set(does(act, *ALL).values()) == {"ok"}


@pytest.mark.parametrize("lines, late", [((), None), (("DONE",), ["X-ResponseCode: 0"]), (("PROCESSING", "DONE"), [])])
def test_other_forms_of_answers(actor, lines, late):
    """Without meta tags, with no more than DONE, without lines after it."""
    def change(request, _):
        if not request.body or request.kind == "NotificationWait":
            return None
        reply = s.answer(request, None)
        reply.lines, reply.late = lines, late
        return reply
    with Stranger(change) as s:
        assert set(does(actor(s.port, "mapi-http", "plain"), *ALL).values()) == {"ok"}


def test_session_outlives_its_connections(actor):
    """Each connection ends after its answer: cookies alone hold the session, its handles and tables."""
    def change(request, _):
        if not request.body or request.kind == "NotificationWait":
            return None
        reply = s.answer(request, None)
        reply.fields.append(("Connection", "close"))
        return reply
    with Stranger(change) as s:
        act = actor(s.port, "mapi-http", "plain")
        assert set(does(act, "open", "get", "table", "read", "first").values()) == {"ok"}
        assert s.kinds().count("Connect") == 1 and s.kinds().count("Bind") == 1
        assert s.connections >= len([k for k in s.kinds() if k != "PING"])
        assert set(s.kinds()) >= {"PING"}  # whether the session is still there is asked before a call is lost to it


def test_connections_cut_while_idle(actor):
    with Stranger() as s:
        act = actor(s.port, "mapi-http", "plain")
        assert set(does(act, "open", "table", "read").values()) == {"ok"}
        s.cut()
        assert does(act, "read", "get", "resolve") == {"read": "ok", "get": "ok", "resolve": "ok"}
        assert s.kinds().count("Connect") == 1


def test_server_restarted(actor):
    """The session is gone with it: a new one begins before a call that needs no older object; what lived in it says so."""
    with Stranger() as s:
        act = actor(s.port, "mapi-http", "plain")
        assert set(does(act, "open", "table", "watch").values()) == {"ok"}
        s.cut()
        s.sessions.clear()
        assert does(act, "get", "read") == {"get": "ok", "read": "connection-lost"}
        assert act("next") == "connection-lost"
        threading.Timer(0.2, s.changed).start()
        assert act("next") == "ok"
        assert s.kinds().count("Connect") == 2


def test_context_expired(actor):
    """X-ResponseCode 10 to an Execute: told once; then a new session."""
    with Stranger(lambda r, n: Reply(b"gone", code=10) if r.kind == "Execute" and n == 2 else None) as s:
        act = actor(s.port, "mapi-http", "plain")
        assert [act(w) for w in ("open", "get", "get", "table", "read")] == ["ok", "session-gone", "ok", "ok", "ok"]
        assert s.kinds().count("Connect") == 2
        # 3.2.5.6: the Connect that follows says which session it takes the place of
        assert len(s.ended) == 1


def test_expiry_is_believed(actor):
    """After the time that X-ExpirationInfo says nobody asks whether the session is still there."""
    def change(request, _):
        if request.kind not in ("Connect", "Execute") or not request.body:
            return None
        reply = s.answer(request, None)
        reply.fields = [f for f in reply.fields if f[0] != "X-ExpirationInfo"] + [("X-ExpirationInfo", "300")]
        return reply
    with Stranger(change) as s:
        act = actor(s.port, "mapi-http", "plain")
        assert act("open") == "ok"
        time.sleep(0.4)
        assert act("get") == "ok"
        assert s.kinds().count("Connect") == 2 and len(s.ended) == 1 and "PING" not in s.kinds()


@pytest.mark.parametrize("code, cause", [(13, "session-gone"), (6, "session-gone"), (15, "session-gone"), (4, "call-failed"),
                                         (1, "call-failed"), (11, "no-mailbox-access"), (18, "server-busy"),
                                         (77, "call-failed"), (None, "not-mapi-http")])
def test_codes(actor, code, cause):
    """X-ResponseCode, 2.2.3.3.3, in the head and after DONE."""
    def change(request, n):
        if request.kind != "Execute" or not wrong:
            return None
        if wrong.pop() == "head" or code is None:
            return Reply(b"<html>no</html>", code=code, content="text/html")
        return Reply(b"", code=0, late=[f"X-ResponseCode: {code}"])
    wrong = []
    with Stranger(change) as s:
        act = actor(s.port, "mapi-http", "plain")
        assert act("open") == "ok"
        for where in ("head", "late"):
            wrong.append(where)
            assert [act("get"), act("get")] == [cause, "ok"]


@pytest.mark.parametrize("status, cause", [("403 Forbidden", "web-forbidden"), ("404 Not Found", "http-status"),
                                           ("500 Oops", "http-status"), ("503 Service Unavailable", "web-unavailable"),
                                           ("302 Found", "web-redirect"), ("200 OK", "not-mapi-http")])
def test_statuses(actor, status, cause):
    """Pages instead of MAPI over HTTP. A redirection is told, not followed with a password."""
    with Stranger(lambda r, n: Reply(b"<html>x</html>", status, code=None, content="text/html",
                                     fields=[("Location", "http://127.0.0.1:1/")]) if r.kind == "Connect" else None) as s:
        act = actor(s.port, "mapi-http", "plain")
        assert act("open") == cause
        assert s.kinds().count("Connect") == 1


@pytest.mark.parametrize("body", [b"", b"\0\0\0", struct.pack("<4I", 0, 0, 0, 0xFFFFFFFF), struct.pack("<5I", 0, 0, 0, 4, 1),
                                  struct.pack("<4I", 0, 0, 0, 16) + bytes(16) + bytes(4)])
def test_bodies_that_lie(actor, body):
    with Stranger(lambda r, n: Reply(body) if r.kind == "Execute" else None) as s:
        assert actor(s.port, "mapi-http", "plain")("open") == "protocol-error"


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\nX-ResponseCode: 0\r\nContent-Length: 9\r\n\r\nPENDING\r\n",
                                    b"HTTP/1.1 200 OK\r\nX-ResponseCode: 0\r\nContent-Length: 7\r\n\r\nDONE\r\nx",
                                    b"HTTP/1.1 200 OK\r\nX-ResponseCode: 0\r\nContent-Length: 17\r\n\r\nPROCESSING\r\nMAYBE",
                                    b"HTTP/1.1 200 OK\r\nX-ResponseCode: 0\r\nContent-Length: 19\r\n\r\nPROCESSING\r\nMAYBE\r\n"])
def test_tags_that_lie(actor, answer):
    with Stranger(lambda r, n: answer if r.kind == "Execute" else None) as s:
        assert actor(s.port, "mapi-http", "plain")("open") == "protocol-error"


def test_refusals_of_the_store(actor):
    """StatusCode and ErrorCode are what EcDoConnectEx would have said."""
    with Stranger(lambda r, n: Reply(struct.pack("<2I", 0x800403EB, 0)) if r.kind == "Connect" else None) as s:
        assert actor(s.port, "mapi-http", "plain")("open") in ("unknown-mailbox", "call-failed")
    with Stranger(lambda r, n: Reply(struct.pack("<2I", 0x000003EB, 0)) if r.kind == "Connect" else None) as s:
        assert actor(s.port, "mapi-http", "plain")("open") == "unknown-mailbox"


def test_answer_lost_once(actor):
    """The connection ends without a byte of an answer: what is read only is asked again, and so is an Execute, since
    its sequence cookie would tell the server that it has executed it."""
    gone = []

    def change(request, n):
        if request.kind in ("Execute", "QueryRows", "Connect") and request.body and n > 1 and len(gone) < 3 \
                and request.kind not in gone:
            gone.append(request.kind)
            return b""
        return None
    with Stranger(change) as s:
        act = actor(s.port, "mapi-http", "plain")
        assert [act(w) for w in ("open", "get", "first", "first", "first", "get")] == ["ok"] * 6
        assert set(gone) == {"Execute", "QueryRows"}


def test_answer_lost_after_execution(actor):
    """It was executed and the answer lost: the sequence cookie says so, and it is not executed twice."""
    def change(request, n):
        if request.kind == "Execute" and n == 2:
            s.answer(request, None)
            return b""
        return None
    with Stranger(change) as s:
        act = actor(s.port, "mapi-http", "plain")
        assert [act(w) for w in ("open", "get", "get", "get")] == ["ok", "session-gone", "ok", "ok"]


def test_no_answer(actor):
    """An Execute that is given up: whether it was executed nobody knows, so the next call begins anew."""
    def change(request, n):
        if request.kind == "Execute" and n == 2:
            time.sleep(3)
        return None
    with Stranger(change) as s:
        act = actor(s.port, "mapi-http", "plain", "timeout=1000")
        assert [act(w) for w in ("open", "get", "get")] == ["ok", "no-answer", "ok"]
        assert s.kinds().count("Connect") == 2


def test_wait_is_cut(actor):
    """A proxy that ends a NotificationWait: the session is there, so nothing was missed, and it waits again."""
    with Stranger() as s:
        act = actor(s.port, "mapi-http", "plain")
        assert set(does(act, "open", "watch").values()) == {"ok"}
        threading.Timer(1.2, s.cut).start()
        threading.Timer(1.6, s.changed).start()
        assert act("next") == "ok"
        assert s.kinds().count("NotificationWait") >= 2 and s.kinds().count("Connect") == 1


def test_cookies_of_a_balancer(actor):
    """Whatever cookies come go back, all of them; what is no cookie is not."""
    def change(request, _):
        if request.kind != "Connect" or not request.body:
            return None
        reply = s.answer(request, None)
        reply.fields += [("Set-Cookie", "X-Backend=a~b|c==; expires=Sun, 10-Feb-2033 20:00:25 GMT; path=/mapi"),
                         ("Set-Cookie", "nonsense"), ("Set-Cookie", "=x")]
        return reply
    with Stranger(change) as s:
        assert does(actor(s.port, "mapi-http", "plain"), "open", "get") == {"open": "ok", "get": "ok"}
        last = [r for r in s.seen if r.kind == "Execute"][-1]
        assert last.cookies["X-Backend"] == "a~b|c==" and set(last.cookies) == {"sid", "seq", "X-Backend"}
