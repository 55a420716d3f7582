"""MAPI over HTTP over time: PROCESSING, PENDING and DONE, how long sessions live, and how clients come back to them."""
import re
import socket
import ssl
import struct
import time

import pytest

from conftest import USERS, wait_for
from mapihttp import Book, Endpoint, HttpStore, basic, connect_body, execute_body
from peer import dn_of

CONTEXT_NOT_FOUND, INVALID_SEQUENCE, INVALID_COOKIE, INVALID_PATH = 10, 15, 6, 3
WAIT = struct.pack("<2I", 0, 0)


@pytest.fixture
def web(serve):
    return serve("--https-port", "0", "--loops", "2", "--pending", "1", "--session-expiry", "2.5", "--wait-end", "3")


def is_alive(endpoint, cookies):
    """Whether the session is there, without using it: a sequence cookie that is not the newest is told apart."""
    endpoint.cookies = {**cookies, "MapiSequence": "00" * 16}
    return {INVALID_SEQUENCE: True, CONTEXT_NOT_FOUND: False}[endpoint.ask("Execute", execute_body(b"")).code]


def pieces(server, cookies):
    """A NotificationWait by hand: when each piece of its answer came."""
    tls = ssl.create_default_context(cafile=str(server.state / "tls-cert.pem"))
    with tls.wrap_socket(socket.create_connection(("127.0.0.1", server.web["https"]), timeout=20), server_hostname="127.0.0.1") as s:
        fields = {"Host": "a", "Authorization": basic("alice"), "X-RequestType": "NotificationWait", "X-RequestId": "1",
                  "X-ClientInfo": "1", "Content-Type": "application/mapi-http", "Content-Length": "8", "Connection": "close",
                  "Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())}
        began = time.monotonic()
        s.sendall(b"POST /mapi/emsmdb/ HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items()).encode() + b"\r\n" + WAIT)
        while part := s.recv(65536):
            yield time.monotonic() - began, part


def test_processing_pending_done(web):
    """The head and PROCESSING before the answer is there, then a sign of life each period, then the end without news. The
    session does not expire meanwhile, though the wait lasts longer than that."""
    store = HttpStore(web)
    store.log_on()
    assert store.answer.headers["X-PendingPeriod"] == "1000" and store.answer.headers["X-ExpirationInfo"] == "2500"
    parts = list(pieces(web, store.endpoint.cookies))
    whole = b"".join(part for _, part in parts)
    assert whole.startswith(b"HTTP/1.1 200 ") and b"Transfer-Encoding: chunked" in whole
    tags = re.findall(rb"^(PROCESSING|PENDING|DONE)\r$", whole, re.M)
    assert tags[0] == b"PROCESSING" and tags[-1] == b"DONE" and 1 <= tags[1:-1].count(b"PENDING") == len(tags) - 2
    when = {tag: next(at for at, part in parts if tag in part) for tag in set(tags)}
    assert when[b"PROCESSING"] < when[b"PENDING"] < when[b"DONE"]
    assert int(re.search(rb"X-ElapsedTime: (\d+)", whole)[1]) >= 3000
    assert struct.pack("<4I", 0, 0, 0, 0) in whole
    assert store.log_on()["status"] == 0


def test_expiry(web):
    """A session that nobody uses goes with all that is open in it; PING with its cookies keeps one."""
    idle, kept, book = HttpStore(web), HttpStore(web), Book(web)
    idle.log_on()
    kept.log_on()
    other = Endpoint(web)
    old, book_cookies = dict(idle.endpoint.cookies), dict(book.cookies)

    def is_gone():
        assert kept.endpoint.ask("PING").code == 0
        return not is_alive(other, old)
    assert is_alive(other, old)
    assert wait_for(is_gone)
    assert kept.log_on()["status"] == 0
    book.cookies = book_cookies
    assert wait_for(lambda: book.ask("PING").code == CONTEXT_NOT_FOUND)
    # PING without a cookie asks for nothing but the endpoint; with one that is none it says so.
    other.cookies = {}
    assert other.ask("PING").code == 0
    other.cookies = {"MapiContext": "x"}
    assert other.ask("PING").code == INVALID_COOKIE


def test_reconnect(web):
    """Connect with a session's cookie ends it, 3.2.5.6; a wait that is parked in it too, and its number is not looked at."""
    store = HttpStore(web)
    store.log_on()
    old = {**store.endpoint.cookies, "MapiSequence": "00" * 16}
    waiter, again = Endpoint(web), Endpoint(web)
    waiter.cookies, again.cookies = dict(old), dict(old)
    waiter.send("NotificationWait", WAIT)
    time.sleep(0.3)
    began = time.monotonic()
    assert again.ask("Connect", connect_body(dn_of("alice"))).code == 0
    assert again.cookies["MapiContext"] != old["MapiContext"]
    assert struct.unpack("<4I", waiter.receive().body)[2] == 0 and time.monotonic() - began < 3
    assert not is_alive(Endpoint(web), old)
    assert again.ask("Execute", execute_body(b"")).code != CONTEXT_NOT_FOUND
    # Gone, or another's: connect without it.
    stale, thief = Endpoint(web), Endpoint(web, user="bob")
    stale.cookies, thief.cookies = dict(old), dict(again.cookies)
    for one, who in (stale, "alice"), (thief, "bob"):
        assert one.ask("Connect", connect_body(dn_of(who))).code == CONTEXT_NOT_FOUND
    assert is_alive(Endpoint(web), again.cookies)
    assert wait_for(lambda: "cookie of another user's session" in web.errors())


def test_mailbox_in_the_address(web):
    """MailboxId must name a mailbox of this server; it opens none: the caller's rights are asked where he opens it."""
    names = [path.stem for path in (web.state / "mailboxes").glob("*.sqlite")]
    assert len(names) == len(USERS)
    for path, code in [(f"?MailboxId={names[0]}@demo.test", 0), (f"?mailboxid={names[1]}", 0), ("?x=y", 0),
                       (f"?a=b&MailboxId={names[2]}@DEMO.test", 0), ("?MailboxId=", INVALID_PATH), ("?MailboxId=x", INVALID_PATH),
                       (f"?MailboxId={names[0]}@evil.test", INVALID_PATH), (f"?MailboxId={names[0]}@demo.test@", INVALID_PATH),
                       ("?MailboxId=00000000-0000-0000-0000-000000000001@demo.test", INVALID_PATH),
                       (f"?MailboxId={names[0]}%00@demo.test", INVALID_PATH), ("?MailboxId=http://evil.test/" + "x" * 2000, INVALID_PATH)]:
        assert Endpoint(web, "/mapi/emsmdb/" + path).ask("PING").code == code, path
    for name in names:  # whichever it names, what bob connects as is bob, and alice's is refused
        answer = Endpoint(web, f"/mapi/emsmdb/?MailboxId={name}@demo.test", user="bob").ask("Connect", connect_body(dn_of("alice")))
        assert answer.code == 0 and struct.unpack_from("<I", answer.body)[0] == 0x80070005
