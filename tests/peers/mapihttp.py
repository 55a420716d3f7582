"""A client of MAPI over HTTP, built by hand from [MS-OXCMAPIHTTP]; it shares nothing with the tables that it tests."""
import base64
import http.client
import re
import ssl
import struct
import uuid

from conftest import USERS
from peer import dn_of
from rops import Cursor, Store


def basic(user, password=None):
    text = f"DEMO\\{user}:{password or USERS[user][1]}"
    return "Basic " + base64.b64encode(text.encode()).decode()


class Answer:
    def __init__(self, response):
        self.status, self.headers = response.status, response.headers
        self.raw = response.read()
        self.code = int(self.headers.get("X-ResponseCode", -1))
        self.tags, self.late, self.body = [], {}, b""
        if self.status == 200 and self.code == 0 and self.raw:
            self.split()

    def split(self):
        """Meta tags, the header lines after DONE, the body."""
        rest = self.raw
        while not self.tags or self.tags[-1] != "DONE":
            line, rest = rest.split(b"\r\n", 1)
            assert line in (b"PROCESSING", b"PENDING", b"DONE"), line
            self.tags.append(line.decode())
        lines, self.body = rest.split(b"\r\n\r\n", 1)
        self.late = dict(line.split(": ", 1) for line in lines.decode().split("\r\n"))


class Endpoint:
    """One connection to /mapi/emsmdb/ or /mapi/nspi/, with the cookies that it was given."""

    def __init__(self, server, path="/mapi/emsmdb/", user="alice", authorization=None, timeout=30):
        self.server, self.path = server, path
        context = ssl.create_default_context(cafile=str(server.state / "tls-cert.pem"))
        self.http = http.client.HTTPSConnection("127.0.0.1", server.web["https"], context=context, timeout=timeout)
        self.authorization = basic(user) if authorization is None else authorization
        self.cookies = {}

    def send(self, kind, body=b"", method="POST", **headers):
        fields = {"X-RequestType": kind, "X-RequestId": f"{{{uuid.uuid4()}}}:1", "X-ClientInfo": "{client}:7",
                  "X-ClientApplication": "Outlook/15.0.4815.1002", "Content-Type": "application/mapi-http",
                  "Authorization": self.authorization}
        if self.cookies:
            fields["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        fields.update({name.replace("_", "-"): value for name, value in headers.items()})
        self.sent = {k: v for k, v in fields.items() if v is not None}
        self.http.request(method, self.path, body, self.sent)

    def receive(self):
        answer = Answer(self.http.getresponse())
        for cookie in answer.headers.get_all("Set-Cookie", []):
            name, value = re.match(r"([^=]+)=([^;]*)", cookie).groups()
            self.cookies[name] = value
        return answer

    def ask(self, kind, body=b"", **headers):
        self.send(kind, body, **headers)
        return self.receive()

    def close(self):
        self.http.close()


def connect_body(dn, flags=0, code_page=1252, aux=b""):
    return dn.encode() + b"\0" + struct.pack("<5I", flags, code_page, 0x409, 0x409, len(aux)) + aux


def execute_body(data, flags=3, room=0x8007, aux=b""):
    return struct.pack("<2I", flags, len(data)) + data + struct.pack("<2I", room, len(aux)) + aux


NO_AUX = struct.pack("<I", 0)


class HttpStore(Store):
    """rops.Store over MAPI over HTTP: the same ROPs by Execute."""

    def __init__(self, server, user="alice", dn=None, **options):
        self.server, self.user = server, user
        self.endpoint = Endpoint(server, user=user, **options)
        self.answer = self.endpoint.ask("Connect", connect_body(dn_of(user) if dn is None else dn))
        assert self.answer.status == 200 and self.answer.code == 0, self.answer.raw
        self.connected = read_connect(self.answer.body)
        self.status = self.connected["status"]
        self.columns, self.news, self.last_flags, self.rest = {}, [], [], None

    def raw(self, data, **options):
        self.answer = self.endpoint.ask("Execute", execute_body(data, **options))
        assert self.answer.status == 200 and self.answer.code == 0, self.answer.raw
        cursor = Cursor(self.answer.body)
        status, error, flags, size = cursor.get("4I")
        assert status == 0 and flags == 0
        out = cursor.take(size)
        cursor.take(cursor.get("I"))
        cursor.end()
        return error, out

    def disconnect(self):
        return self.endpoint.ask("Disconnect", NO_AUX)

    def close(self):
        self.endpoint.close()


def read_connect(body):
    cursor, out = Cursor(body), {}
    out["status"] = cursor.get("I")
    if out["status"] == 0:
        out["error"], out["polls"], out["retries"], out["delay"] = cursor.get("4I")
        out["prefix"], out["name"] = cursor.str8(), cursor.str16()
    out["aux"] = cursor.take(cursor.get("I"))
    cursor.end()
    return out


# ---- The address book: the forms of 2.2.1 ----

def stat(code_page=1252, container=0, current=0, delta=0, position=0, total=0, sort=0):
    return struct.pack("<3Ii5I", sort, container, current, delta, position, total, code_page, 0x409, 0x409)


def tags_of(*tags):
    return struct.pack(f"<{len(tags) + 1}I", len(tags), *tags)


def book_value(cursor, kind):
    """AddressBookPropertyValue: what could be NULL, and each of many, says first whether it is there."""
    if kind & 0x1000:
        return [book_value(cursor, kind & ~0x1000) for _ in range(cursor.get("I"))] if present(cursor) else None
    if kind in (0x1E, 0x1F, 0x102) and not present(cursor):
        return None
    if kind == 0x102:
        return cursor.take(cursor.get("I"))
    return {0x1E: cursor.str8, 0x1F: cursor.str16, 0x3: lambda: cursor.get("i"), 0xA: lambda: cursor.get("I"),
            0xB: lambda: bool(cursor.get("B"))}[kind]()


def present(cursor):
    has = cursor.get("B")
    assert has in (0, 0xFF)
    return has == 0xFF


def book_row(cursor, tags):
    flagged, row = cursor.get("B"), {}
    for tag in tags:
        kind = tag & 0xFFFF or cursor.get("H")
        flag = cursor.get("B") if flagged else 0
        row[tag] = book_value(cursor, kind) if flag == 0 else None if flag == 1 else cursor.get("I")
    return row


def book_list(cursor):
    out = {}
    for _ in range(cursor.get("I")):
        kind, number = cursor.get("HH")
        out[number << 16 | kind] = book_value(cursor, kind)
    return out


class Book(Endpoint):
    """A session with /mapi/nspi/."""

    def __init__(self, server, user="alice", **options):
        super().__init__(server, "/mapi/nspi/", user, **options)
        cursor = self.call("Bind", struct.pack("<IB", 0, 1) + stat())
        assert self.error == 0
        self.guid = cursor.take(16)
        self.end(cursor)

    def call(self, kind, body):
        answer = self.ask(kind, body + NO_AUX)
        assert answer.status == 200 and answer.code == 0, (kind, answer.code, answer.raw)
        cursor = Cursor(answer.body)
        status, self.error = cursor.get("II")
        assert status == 0
        return cursor

    @staticmethod
    def end(cursor):
        assert cursor.get("I") == 0
        cursor.end()

    def state(self, cursor):
        assert cursor.get("B") == 1
        return struct.unpack("<3Ii5I", cursor.take(36))

    def ids(self, cursor):
        return [cursor.get("I") for _ in range(cursor.get("I"))] if cursor.get("B") else None

    def rows(self, cursor):
        if not cursor.get("B"):
            return None
        tags = [cursor.get("I") for _ in range(cursor.get("I"))]
        return [book_row(cursor, tags) for _ in range(cursor.get("I"))]
