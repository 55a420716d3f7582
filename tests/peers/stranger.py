"""A small server of MAPI over HTTP that shares nothing with ours: HTTP/1.1 on a socket, [MS-OXCMAPIHTTP], and as much of
[MS-OXCROPS] and [MS-OXNSPI] as a client needs to start, written from the specifications. What it answers can be changed
request by request: it is also the server that breaks the rules."""
import contextlib
import socket
import struct
import threading
import time
import uuid

from rops import extended, payloads_of, split_payload

FOLDERS = [0x0100000000000000 + n for n in range(1, 14)]  # of the logon; the fifth is the inbox
ALICE = "/o=Strange/ou=Org/cn=Recipients/cn=alice"
STAT = struct.pack("<9I", 0, 0, 2, 0, 1, 2, 1252, 0x409, 0x409)


class Request:
    def __init__(self, method, target, fields, body):
        self.method, self.target, self.fields, self.body = method, target, fields, body
        self.kind = fields.get("x-requesttype", "")
        self.cookies = dict(pair.strip().split("=", 1) for pair in fields.get("cookie", "").split(";") if "=" in pair)


class Reply:
    """As it goes out. lines: meta tags; split: bytes of the body a chunk, 0: all at once."""

    def __init__(self, body=b"", status="200 OK", code=0, fields=(), lines=("PROCESSING", "DONE"), split=0, late=None,
                 content="application/mapi-http", cut=None):
        self.body, self.status, self.code, self.fields, self.lines = body, status, code, list(fields), lines
        self.split, self.late, self.content, self.cut = split, late, content, cut

    def tagged(self):
        late = self.late if self.late is not None else ["X-ElapsedTime: 7", "X-StartTime: Fri, 23 Aug 2013 22:11:40 GMT"]
        text = "".join(f"{line}\r\n" for line in [*self.lines, *late])
        return text.encode() + b"\r\n" + self.body if self.lines else self.body


class Session:
    def __init__(self):
        self.key, self.sequence, self.handles = uuid.uuid4().hex, 0, 100
        self.news, self.told, self.subscription, self.columns = threading.Event(), [], None, {}

    def cookies(self):
        return [("Set-Cookie", f"sid={self.key}; path=/; HttpOnly"), ("Set-Cookie", f"seq={self.sequence}; path=/")]


def text16(text):
    return text.encode("utf-16-le") + b"\0\0"


# ---- ROPs ----

def value(tag):
    return {0x1F: text16("strange"), 0x1E: b"strange\0", 0x14: struct.pack("<Q", 0x0200000000000001), 3: struct.pack("<I", 1),
            0x40: struct.pack("<Q", 130000000000000000), 0xB: b"\1"}[tag & 0xFFFF]


def row(tags):
    return b"\0" + b"".join(value(tag) for tag in tags)


class Rops:
    """Answers one buffer of ROPs."""

    def __init__(self, server, session, rops, handles):
        self.server, self.session, self.handles, self.out = server, session, handles, b""
        at = 0
        while at < len(rops):
            answer = getattr(self, f"rop_{rops[at]:02x}")
            at = answer(rops, at)
        for note in session.told:
            self.out += note
        session.told.clear()
        session.news.clear()

    def ok(self, rop, index, rest=b""):
        self.out += struct.pack("<BBI", rop, index, 0) + rest

    def make(self, index):
        self.session.handles += 1
        self.handles[index] = self.session.handles
        return self.session.handles

    def rop_01(self, rops, at):  # Release has no answer
        return at + 3

    def rop_02(self, rops, at):
        self.make(rops[at + 3])
        self.ok(2, rops[at + 3], b"\0\0")
        return at + 13

    def rop_05(self, rops, at):
        self.make(rops[at + 3])
        self.ok(5, rops[at + 3], struct.pack("<I", 2))
        return at + 5

    def rop_07(self, rops, at):
        count = struct.unpack_from("<H", rops, at + 7)[0]
        self.ok(7, rops[at + 2], row(struct.unpack_from(f"<{count}I", rops, at + 9)))
        return at + 9 + 4 * count

    def rop_0a(self, rops, at):
        size = struct.unpack_from("<H", rops, at + 3)[0]
        self.ok(0x0A, rops[at + 2], b"\0\0")
        self.server.changed()
        return at + 5 + size

    def rop_12(self, rops, at):
        count = struct.unpack_from("<H", rops, at + 4)[0]
        self.session.columns = struct.unpack_from(f"<{count}I", rops, at + 6)
        self.ok(0x12, rops[at + 2], b"\0")
        return at + 6 + 4 * count

    def rop_13(self, rops, at):
        self.ok(0x13, rops[at + 2], b"\0")
        return at + 10 + 5 * struct.unpack_from("<H", rops, at + 4)[0]

    def rop_15(self, rops, at):
        self.ok(0x15, rops[at + 2], struct.pack("<BH", 2, 2) + row(self.session.columns) * 2)
        return at + 7

    def rop_29(self, rops, at):
        self.session.subscription = self.make(rops[at + 3])
        self.ok(0x29, rops[at + 3])
        return at + 7 + (0 if rops[at + 6] else 16)

    def rop_fe(self, rops, at):
        self.make(rops[at + 2])
        self.ok(0xFE, rops[at + 2], b"\1" + struct.pack("<13Q", *FOLDERS) + b"\7" + bytes(16) + struct.pack("<H", 1) +
                bytes(16) + struct.pack("<6BH", 0, 0, 0, 0, 1, 1, 2020) + struct.pack("<QI", 0, 0))
        return at + 14 + struct.unpack_from("<H", rops, at + 12)[0]


# ---- The server ----

class Stranger:
    """change(request, how often one of its type came before) -> Reply, None (as the rules are), or bytes as they are."""

    def __init__(self, change=None):
        self.change, self.sessions, self.seen, self.ended = change, {}, [], []
        self.connections, self.open, self.lock = 0, [], threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.accepting = threading.Thread(target=self.accept, daemon=True)
        self.accepting.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.accepting.join()  # else it could accept for the next one, whose descriptor may be the same
        self.listener.close()
        self.cut()

    def cut(self):
        """All connections at once; sessions stay."""
        for s in self.open:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
        self.open.clear()

    def kinds(self):
        return [r.kind for r in self.seen if r.body or r.kind == "PING"]

    def changed(self):
        for s in list(self.sessions.values()):
            if s.subscription is not None:
                s.told.append(struct.pack("<BIBHQH", 0x2A, s.subscription, 0, 0x0010, FOLDERS[4], 0))
                s.news.set()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                s = self.listener.accept()[0]
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                self.open.append(s)
                threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def read(self, file):
        line = file.readline()
        if not line:
            return None
        method, target, _ = line.decode().split(" ")
        fields = {}
        while (line := file.readline()) not in (b"\r\n", b""):
            name, text = line.decode().rstrip("\r\n").split(":", 1)
            assert name.lower() not in fields, f"{name} twice"
            fields[name.lower()] = text.strip()
        return Request(method, target, fields, file.read(int(fields.get("content-length", 0))))

    def serve(self, s):
        with contextlib.suppress(OSError), s, s.makefile("rb") as file:
            while (request := self.read(file)) is not None:
                with self.lock:
                    before = sum(r.kind == request.kind and bool(r.body) == bool(request.body) for r in self.seen)
                    self.seen.append(request)
                reply = self.change(request, before) if self.change else None
                if reply is None:
                    reply = self.answer(request, s)
                if isinstance(reply, bytes):
                    s.sendall(reply)
                    return
                if not isinstance(reply, Nothing) and not self.write(s, request, reply):
                    return

    def write(self, s, request, reply):
        """As [MS-OXCMAPIHTTP] 2.2.2.2 has it; false: and then the connection ends."""
        head = [f"HTTP/1.1 {reply.status}", "Cache-Control: private", f"Content-Type: {reply.content}"]
        if reply.code is not None:
            head += [f"X-ResponseCode: {reply.code}", f"X-RequestType: {request.kind}",
                     f"X-RequestId: {request.fields.get('x-requestid', '')}", "X-ServerApplication: Strange/15.20.0.0"]
        head += [f"{name}: {text}" for name, text in reply.fields]
        body = reply.tagged() if reply.code == 0 else reply.body
        s.sendall("\r\n".join([*head, "Transfer-Encoding: chunked", "", ""]).encode())
        step = reply.split or len(body) or 1
        for at in range(0, len(body) if reply.cut is None else reply.cut, step):
            piece = body[at:at + step]
            s.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
            if reply.split:
                time.sleep(0.0005)
        if reply.cut is not None:
            return False
        s.sendall(b"0\r\n\r\n")
        return True

    # ---- Request types ----

    def answer(self, request, s):
        if not request.body and request.kind != "PING":  # asks only whether it must log on
            return Reply(b"an empty body", code=12)
        missing = [name for name in ("x-requestid", "content-type") if name not in request.fields]
        if missing or request.fields["content-type"] != "application/mapi-http":
            return Reply(b"header", code=7)
        return getattr(self, request.kind)(request, s)

    def session_of(self, request):
        return self.sessions.get(request.cookies.get("sid"))

    def begin(self, request):
        if old := self.sessions.pop(request.cookies.get("sid"), None):
            self.ended.append(old.key)
        session = Session()
        self.sessions[session.key] = session
        return session

    def with_context(self, request, work):
        session = self.session_of(request)
        if "sid" not in request.cookies:
            return Reply(b"no cookie", code=13)
        return work(session) if session else Reply(b"gone", code=10)

    def PING(self, request, _):
        if "sid" in request.cookies and not self.session_of(request):
            return Reply(b"gone", code=10)
        return Reply(fields=[("X-ExpirationInfo", "900000")])

    def Connect(self, request, _):
        session = self.begin(request)
        body = struct.pack("<5I", 0, 0, 60000, 6, 100) + b"/o=Strange\0" + text16("Alice") + struct.pack("<I", 0)
        return Reply(body, fields=[*session.cookies(), ("X-ExpirationInfo", "900000"), ("X-PendingPeriod", "30000")])

    def Execute(self, request, _):
        def work(session):
            if request.cookies.get("seq") != str(session.sequence):
                return Reply(b"order", code=15)
            session.sequence += 1
            flags, size = struct.unpack_from("<2I", request.body)
            rops, handles = split_payload(payloads_of(request.body[8:8 + size])[0][0])
            done = Rops(self, session, rops, handles)
            buffer = extended(struct.pack("<H", len(done.out) + 2) + done.out +
                              struct.pack(f"<{len(handles)}I", *done.handles))
            return Reply(struct.pack("<4I", 0, 0, 0, len(buffer)) + buffer + struct.pack("<I", 0), fields=session.cookies())
        return self.with_context(request, work)

    def Disconnect(self, request, _):
        def work(session):
            self.ended.append(self.sessions.pop(session.key).key)
            return Reply(struct.pack("<3I", 0, 0, 0))
        return self.with_context(request, work)

    def NotificationWait(self, request, s):
        """The head at once, then PENDING until there is news."""
        session = self.session_of(request)
        if not session:
            return Reply(b"gone", code=10)
        s.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/mapi-http\r\nX-ResponseCode: 0\r\nTransfer-Encoding: "
                  b"chunked\r\n\r\nc\r\nPROCESSING\r\n\r\n")
        while not session.news.wait(0.02):
            s.sendall(b"9\r\nPENDING\r\n\r\n")
        body = b"DONE\r\nX-ElapsedTime: 1\r\n\r\n" + struct.pack("<4I", 0, 0, 1, 0)
        s.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        return Nothing()

    def Bind(self, request, _):
        session = self.begin(request)
        return Reply(struct.pack("<2I", 0, 0) + uuid.uuid4().bytes + struct.pack("<I", 0), fields=session.cookies())

    def Unbind(self, request, s):
        return self.Disconnect(request, s)

    def GetSpecialTable(self, request, _):
        values = struct.pack("<3I", 2, 0x0FFE0003, 3) + struct.pack("<I", 0x3001001F) + b"\xFF" + text16("All")
        return self.with_context(request, lambda _: Reply(
            struct.pack("<3IBIBI", 0, 0, 1252, 1, 1, 1, 1) + values + struct.pack("<I", 0)))

    def people(self, tags, count):
        texts = {0x3003001F: ALICE, 0x3001001F: "Alice"}
        one = b"\0" + b"".join(b"\xFF" + text16(texts[tag]) for tag in tags)
        return b"\1" + struct.pack(f"<I{len(tags)}I", len(tags), *tags) + struct.pack("<I", count) + one * count

    def QueryRows(self, request, _):
        at = 4 + 1 + 36
        at += 4 + 4 * struct.unpack_from("<I", request.body, at)[0] + 4
        count = struct.unpack_from("<I", request.body, at + 1)[0]
        tags = struct.unpack_from(f"<{count}I", request.body, at + 5)
        return self.with_context(request, lambda _: Reply(
            struct.pack("<2IB", 0, 0, 1) + STAT + self.people(tags, 2) + struct.pack("<I", 0)))

    def ResolveNames(self, request, _):
        at = 4 + 1 + 36
        count = struct.unpack_from("<I", request.body, at + 1)[0]
        tags = struct.unpack_from(f"<{count}I", request.body, at + 5)
        return self.with_context(request, lambda _: Reply(
            struct.pack("<3IBII", 0, 0, 1252, 1, 1, 2) + self.people(tags, 1) + struct.pack("<I", 0)))


class Nothing(Reply):
    """Has been written already."""
