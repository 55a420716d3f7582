"""MAPI over HTTP as served: session contexts, cookies, meta tags, refusals; and who may ask, by curl."""
import shutil
import struct
import subprocess
import threading
import time

import pytest

from conftest import USERS, run, wait_for
from mapihttp import NO_AUX, Endpoint, HttpStore, basic, connect_body, execute_body, read_connect
from peer import dn_of
from rops import NORMALIZED_W, NO_HANDLE, extended, logon, register_notification, rop_buffer
from test_web import ca, curl, https

FIRST = ("--https-port", "0", "--http-port", "0", "--loops", "2")
CONTEXT_NOT_FOUND, MISSING_COOKIE, INVALID_SEQUENCE, INVALID_BODY, INVALID_COOKIE = 10, 13, 15, 12, 6


@pytest.fixture
def web(serve):
    return serve(*FIRST)


@pytest.fixture
def store(web):
    session = HttpStore(web)
    yield session
    session.close()


def test_session(web, store):
    answer = store.answer
    assert store.status == 0 and store.connected["name"] == "Alice Arnold"
    assert store.connected["prefix"].decode().endswith("/cn=Recipients/cn=")
    assert answer.tags == ["PROCESSING", "DONE"]
    assert int(answer.late["X-ElapsedTime"]) < 20000 and answer.late["X-StartTime"].endswith("GMT")
    headers, sent = answer.headers, store.endpoint.sent
    assert headers["Content-Type"] == "application/mapi-http" and headers["Transfer-Encoding"] == "chunked"
    for name in "X-RequestType", "X-RequestId", "X-ClientInfo":
        assert headers[name] == sent[name]
    assert headers["X-ServerApplication"].startswith("Exchange/15.")
    assert headers["X-ExpirationInfo"] == "900000" and headers["X-PendingPeriod"] == "15000"
    assert set(store.endpoint.cookies) == {"MapiContext", "MapiSequence"}

    store.log_on()
    message = store.save_message(store.folders[4], {NORMALIZED_W: "over HTTP"})
    assert [row[NORMALIZED_W] for row in store.rows(store.folders[4], [NORMALIZED_W])] == ["over HTTP"] and message
    assert store.disconnect().code == 0
    assert store.endpoint.ask("Execute", execute_body(b"")).code == CONTEXT_NOT_FOUND


def test_the_same_store_as_over_rpc(web, store):
    from rops import Store
    store.log_on()
    store.save_message(store.folders[4], {NORMALIZED_W: "from HTTP"})
    other = Store(web)
    other.log_on()
    assert [row[NORMALIZED_W] for row in other.rows(other.folders[4], [NORMALIZED_W])] == ["from HTTP"]


def test_session_outlives_its_connection(web, store):
    store.log_on()
    for _ in range(4):  # by chance also into the other loop
        store.endpoint.close()
        store.save_message(store.folders[4], {NORMALIZED_W: "again"})
    assert len(store.rows(store.folders[4], [NORMALIZED_W])) == 4


def test_sequence(web, store):
    store.log_on()
    old = dict(store.endpoint.cookies)
    store.rows(store.folders[4], [NORMALIZED_W])
    new = dict(store.endpoint.cookies)
    assert old["MapiContext"] == new["MapiContext"] and old["MapiSequence"] != new["MapiSequence"]
    store.endpoint.cookies = old
    assert store.endpoint.ask("Execute", execute_body(b"")).code == INVALID_SEQUENCE
    del store.endpoint.cookies["MapiSequence"]
    assert store.endpoint.ask("Execute", execute_body(b"")).code == INVALID_SEQUENCE
    store.endpoint.cookies = new
    assert store.rows(store.folders[4], [NORMALIZED_W]) == []


def test_another_users_cookie(web, store):
    thief = Endpoint(web, user="bob")
    thief.cookies = dict(store.endpoint.cookies)
    for kind in "Execute", "NotificationWait", "Disconnect":
        assert thief.ask(kind, NO_AUX * 2).code == CONTEXT_NOT_FOUND
    assert store.log_on()["status"] == 0
    assert wait_for(lambda: "cookie of another user's session" in web.errors())


def test_another_users_mailbox(web):
    endpoint = Endpoint(web)
    for dn in dn_of("bob"), "/o=DEMO/cn=nobody", "", "x" * 5000:
        answer = endpoint.ask("Connect", connect_body(dn))
        assert answer.code == 0 and read_connect(answer.body)["status"] not in (0, None)
        endpoint.cookies.clear()


@pytest.mark.parametrize("change, code", [
    ({"X_RequestType": None}, 7), ({"X_RequestId": None}, 7), ({"X_ClientInfo": None}, 7),
    ({"X_RequestType": "Frobnicate"}, 5), ({"X_RequestType": "Bind"}, 5), ({"Content_Type": "text/plain"}, 4),
])
def test_headers(web, change, code):
    answer = Endpoint(web).ask("Connect", connect_body(dn_of("alice")), **change)
    assert answer.status == 200 and answer.code == code
    assert answer.headers["Content-Type"] == "text/html" and b"<body>" in answer.raw


def test_other_verbs(web):
    assert Endpoint(web).ask("PING", method="GET", body=None).code == 2


def test_ping(web):
    answer = Endpoint(web).ask("PING")
    assert answer.code == 0 and answer.raw == b""


@pytest.mark.parametrize("cookie, code", [
    ({}, MISSING_COOKIE), ({"MapiContext": "x"}, INVALID_COOKIE), ({"MapiContext": "00" * 17}, CONTEXT_NOT_FOUND),
    ({"MapiContext": "ff" + "00" * 16}, INVALID_COOKIE), ({"MapiContext": "0" * 400}, MISSING_COOKIE),
    ({"NspiContext": "00" * 17}, MISSING_COOKIE),
])
def test_cookies(web, cookie, code):
    endpoint = Endpoint(web)
    endpoint.cookies = cookie
    assert endpoint.ask("Execute", execute_body(b"")).code == code


def test_bodies_of_every_length(web, store):
    """Cut or too long: refused, and the session goes on."""
    store.log_on()
    whole = execute_body(extended(rop_buffer([logon(dn_of("alice"))], [NO_HANDLE])))
    for body in [whole[:n] for n in range(0, len(whole), 7)] + [whole + b"x", whole[:4] + b"\xff" * 4 + whole[8:]]:
        assert store.endpoint.ask("Execute", body).code == INVALID_BODY
    assert store.log_on()["status"] == 0
    assert store.endpoint.ask("Execute", b"x" * (1 << 21)).status == 413


def test_wait_for_news(web, store):
    store.log_on()
    store.one(register_notification(4, folder=store.folders[4]), [store.root, NO_HANDLE])
    waiter = Endpoint(web)
    waiter.cookies = dict(store.endpoint.cookies)
    waiter.send("NotificationWait", struct.pack("<2I", 0, 0))
    answers = []
    thread = threading.Thread(target=lambda: answers.append(waiter.receive()))
    thread.start()
    time.sleep(1.5)
    assert not answers
    other = HttpStore(web)
    other.log_on()
    other.save_message(other.folders[4], {NORMALIZED_W: "news"})
    thread.join(10)
    assert answers[0].tags[0] == "PROCESSING" and answers[0].tags[-1] == "DONE"
    assert struct.unpack("<4I", answers[0].body) == (0, 0, 1, 0)


def test_second_wait_and_gone_waiter(web, store):
    first, second = Endpoint(web), Endpoint(web)
    for one in first, second:
        one.cookies = dict(store.endpoint.cookies)
        one.send("NotificationWait", struct.pack("<2I", 0, 0))
        time.sleep(0.3)
    assert struct.unpack("<4I", second.receive().body)[1] != 0
    first.close()
    again = Endpoint(web)
    again.cookies = dict(store.endpoint.cookies)

    def parked():
        again.send("NotificationWait", struct.pack("<2I", 0, 0))
        again.http.sock.settimeout(1.2)
        try:
            again.receive()
        except (TimeoutError, OSError):
            again.close()
            return True
        return False
    assert wait_for(parked)


def test_plain_http_is_not_encrypted(web):
    """[MS-OXCRPC] 3.1.4.1's own refusal, since the password was not sent in clear to get there."""
    done = subprocess.run(
        ["curl", "-s", "-i", "--ntlm", "-u", f"DEMO\\alice:{USERS['alice'][1]}", "-H", "X-RequestType: Connect",
         "-H", "X-RequestId: 1", "-H", "X-ClientInfo: 1", "-H", "Content-Type: application/mapi-http",
         "--data-binary", "@-", f"http://127.0.0.1:{web.web['http']}/mapi/emsmdb/"],
        input=connect_body(dn_of("alice")), capture_output=True)
    assert done.stdout.endswith(struct.pack("<2I", 0x970, 0))


def test_mailbox_that_is_elsewhere(web):
    """RopLogon says where: the server's name of a redirect's URL; of an address alone there is none to be said."""
    store = HttpStore(web)
    ask = extended(rop_buffer([logon(dn_of("alice"))], [NO_HANDLE]))
    for where, status, name in [("https://mail2.demo.test:444/autodiscover/autodiscover.xml", 0x478, b"mail2.demo.test\0"),
                                ("alice@sub.demo.test", 0x3EB, b""), ("none", 0, b"")]:
        run("user", "redirect", "alice", where, "--state", web.state)
        error, out = store.raw(ask)
        assert error == 0 and struct.pack("<BBI", 0xFE, 0, status) in out and name in out, where


def test_many_contexts(web, store):
    """One user cannot take all the room there is; what is open goes on."""
    endpoint, made = Endpoint(web), 1
    while (answer := endpoint.ask("Connect", connect_body(dn_of("alice")))).code == 0:
        made += 1
        endpoint.cookies.clear()
    assert answer.code == 1 and made == 256
    assert store.log_on()["status"] == 0
    assert HttpStore(web, "bob").status == 0


def test_client_versions(serve):
    """What may not connect by RPC may not over HTTP: X-ClientApplication says who it is."""
    server = serve(*FIRST, "--block-clients", "15.0.4000.0-15.0.4999.65535")
    for version, blocked in ("15.0.4815.1002", True), ("16.0.4266.1001", False), ("15.0.3000.1", False):
        answer = Endpoint(server).ask("Connect", connect_body(dn_of("alice")), X_ClientApplication=f"Outlook/{version}")
        assert (read_connect(answer.body)["status"] != 0) == blocked, version


# ---- Who asks ----

needs_curl = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
PING = ("-X", "POST", "-H", "X-RequestType: PING", "-H", "X-RequestId: 1", "-H", "X-ClientInfo: 1", "-d", "")


def ping(server, *words, path="/mapi/emsmdb/"):
    return curl("--cacert", ca(server), *PING, *words, https(server, path))


@needs_curl
@pytest.mark.parametrize("user", ["DEMO\\alice", "alice", "alice@demo.test", "demo.test\\ALICE"])
@pytest.mark.parametrize("scheme", ["--basic", "--ntlm"])
def test_logs_on(web, scheme, user):
    status, text = ping(web, scheme, "-u", f"{user}:{USERS['alice'][1]}")
    assert status == 200 and "X-ResponseCode: 0" in text


@needs_curl
@pytest.mark.parametrize("scheme", ["--basic", "--ntlm"])
@pytest.mark.parametrize("user", ["DEMO\\alice:wrong", "DEMO\\nobody:x", "OTHER\\alice:Wonderland-1", "alice:"])
def test_wrong_credentials(web, scheme, user):
    status, text = ping(web, scheme, "-u", user)
    assert status == 401 and "WWW-Authenticate: NTLM" in text
    assert wait_for(lambda: "authentication refused" in web.errors())


def test_challenges(web):
    status, text = ping(web)
    assert status == 401
    for challenge in "Negotiate", "NTLM", 'Basic realm="mapiwire", charset="UTF-8"':
        assert f"WWW-Authenticate: {challenge}\r\n" in text
    status, text = curl(*PING, "-H", f"Authorization: {basic('alice')}", f"http://127.0.0.1:{web.web['http']}/mapi/nspi/")
    assert status == 401 and "Basic" not in text


@needs_curl
@pytest.mark.parametrize("value", ["Basic", "Basic !", "Basic YQ==", "NTLM", "NTLM AAAA", "Negotiate YII=", "Bearer x",
                                   "Negotiate " + "A" * 40000, "NTLM TlRMTVNTUAADAAAA"])
def test_broken_authorization(web, value):
    assert ping(web, "-H", f"Authorization: {value}")[0] == 401
    assert ping(web, "--basic", "-u", f"alice:{USERS['alice'][1]}")[0] == 200


@needs_curl
@pytest.mark.parametrize("scheme", ["--basic", "--ntlm"])
@pytest.mark.parametrize("how", [(), ("-H", "Transfer-Encoding: chunked"), ("-H", "Expect: 100-continue")])
def test_bodies_by_curl(web, tmp_path, scheme, how):
    """A body in one piece, in chunks, and after the interim 100."""
    body = tmp_path / "body"
    body.write_bytes(connect_body(dn_of("alice"), aux=b"\0" * 8))
    status, text = curl("--cacert", ca(web), scheme, "-u", f"DEMO\\alice:{USERS['alice'][1]}", "-H", "X-RequestType: Connect",
                        "-H", "X-RequestId: 1", "-H", "X-ClientInfo: 1", "-H", "Content-Type: application/mapi-http",
                        "--data-binary", f"@{body}", *how, https(web, "/mapi/emsmdb/"))
    assert status == 200 and "MapiContext=" in text
    if "Expect: 100-continue" in how:
        assert "HTTP/1.1 100 Continue" in text


@needs_curl
def test_ntlm_is_for_the_connection(web):
    """The second request of a connection needs no word more; on another connection it does."""
    words = ["curl", "-s", "-v", "--cacert", ca(web), "--ntlm", "-u", f"DEMO\\alice:{USERS['alice'][1]}", *PING]
    done = subprocess.run([*words, https(web, "/mapi/emsmdb/"), https(web, "/mapi/emsmdb/")], capture_output=True, text=True)
    assert done.stderr.count("< HTTP/1.1 200") == 2 and done.stderr.count("< HTTP/1.1 401") == 1


@needs_curl
def test_required_binding(serve):
    """curl's NTLM knows no channel binding: a handshake that anybody between could have relayed."""
    server = serve(*FIRST, "--channel-binding", "required")
    assert ping(server, "--ntlm", "-u", f"alice:{USERS['alice'][1]}")[0] == 401
    assert wait_for(lambda: "0xC000035B The log-on is bound to another TLS channel" in server.errors())
    assert ping(server, "--basic", "-u", f"alice:{USERS['alice'][1]}")[0] == 200
