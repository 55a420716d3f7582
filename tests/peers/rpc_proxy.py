"""A proxy of RPC over HTTP v2 from [MS-RPCH] alone, for our client: in front of any RPC server on TCP. It is inbound proxy,
outbound proxy and server in one, knows nothing of our code, and notes all that a client says wrongly in `faults`. Channels
are replaced as the test asks, by either of the two sequences; both sides' windows are kept and watched."""
import base64
import socket
import ssl
import struct
import subprocess
import threading

WINDOW, ACK, TIMEOUT, COOKIE, LIFETIME, KEEPALIVE, VERSION, EMPTY, PADDING, NANCE, ANCE, _, GROUP, TO, _ = range(15)  # 2.2.3.5
SIZES = {WINDOW: 4, ACK: 24, TIMEOUT: 4, COOKIE: 16, LIFETIME: 4, KEEPALIVE: 4, VERSION: 4, EMPTY: 0, NANCE: 0, ANCE: 0, GROUP: 16, TO: 4}
PING, OTHER, RECYCLE, IN, OUT, EOF = 1, 2, 4, 8, 16, 32  # 2.2.3.6.1
CLIENT, INPROXY, SERVER, OUTPROXY = range(4)  # 2.2.3.3


class Fault(Exception):
    pass


def rts(flags, *commands):
    body = b"".join(struct.pack("<I", kind) + (struct.pack("<I", value) if isinstance(value, int) else value)
                    for kind, value in commands)
    return struct.pack("<BBBBIHHIHH", 5, 0, 20, 3, 0x10, 20 + len(body), 0, 0, flags, len(commands)) + body


def read_rts(pdu):
    """Flags and [(command, value)]; all that the header fixes is looked at."""
    version, minor, kind, pfc, drep, size, auth, call, flags, count = struct.unpack("<BBBBIHHIHH", pdu[:20])
    if (version, minor, kind, pfc, drep, size, auth, call) != (5, 0, 20, 3, 0x10, len(pdu), 0, 0):
        raise Fault(f"the header of an RTS PDU: {pdu[:20].hex()}")
    commands, at = [], 20
    for _ in range(count):
        command = struct.unpack_from("<I", pdu, at)[0]
        if command == PADDING:
            n = 4 + struct.unpack_from("<I", pdu, at + 4)[0]
        else:
            n = SIZES[command]
        value = pdu[at + 4:at + 4 + n]
        commands.append((command, struct.unpack("<I", value)[0] if n == 4 and command != PADDING else value))
        at += 4 + n
    if at != len(pdu):
        raise Fault(f"an RTS PDU of {len(pdu)} bytes with {at} in its commands")
    return flags, commands


def must(pdu, flags, *kinds):
    """The values of an RTS PDU that may only be this one."""
    got, commands = read_rts(pdu)
    if got != flags or tuple(command for command, _ in commands) != kinds:
        raise Fault(f"flags {got} and commands {commands} instead of {flags} and {kinds}")
    return [value for _, value in commands]


class Stream:
    """What a client sends on one connection: heads, then bodies of a length."""

    def __init__(self, sock):
        self.sock, self.data, self.left = sock, b"", 0

    def fill(self):
        more = self.sock.recv(65536)
        if not more:
            raise EOFError
        self.data += more

    def head(self):
        while b"\r\n\r\n" not in self.data:
            self.fill()
        text, self.data = self.data.split(b"\r\n\r\n", 1)
        first, *lines = text.decode("ascii").split("\r\n")
        fields = {}
        for line in lines:
            name, value = line.split(": ", 1)
            fields.setdefault(name.lower(), []).append(value)
        self.left = int(fields.get("content-length", ["0"])[0])
        return first.split(" "), fields

    def take(self, n):
        if n > self.left:
            raise Fault(f"{n} bytes where the request's length leaves {self.left}")
        while len(self.data) < n:
            self.fill()
        out, self.data = self.data[:n], self.data[n:]
        self.left -= n
        return out

    def pdu(self):
        header = self.take(16)
        return header + self.take(struct.unpack_from("<H", header, 8)[0] - 16)


class OutChannel:
    def __init__(self, stream, cookie, window):
        self.stream, self.cookie = stream, cookie
        self.window = self.room = window
        self.sent = self.carried = 0

    def begin(self):
        self.stream.sock.sendall(b"HTTP/1.1 200 Success\r\nContent-Type: application/rpc\r\nContent-Length: 1073741824\r\n\r\n")


class Virtual:
    """A virtual connection, from CONN/A1 on."""

    def __init__(self, proxy, cookie):
        self.proxy, self.cookie = proxy, cookie
        self.lock = threading.Condition()
        self.out = self.successor = None
        self.in_cookie = self.in_next = self.group = None
        self.target = None
        self.asked = self.found = False  # A2 was sent; A7 has come
        self.plugged = False  # OUT_R1: nothing goes out before A11
        self.over = False
        self.in_count = self.out_count = 0  # channels that were replaced

    def end(self):
        with self.lock:
            self.over = True
            for sock in [self.target] + [c.stream.sock for c in (self.out, self.successor) if c]:
                try:
                    if sock:
                        sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
            self.lock.notify_all()

    def say(self, flags, *commands):
        """To the client, on the OUT channel in use."""
        self.lock.wait_for(lambda: not self.plugged or self.over)
        self.out.stream.sock.sendall(rts(flags, *commands))

    # ---- What the server says ----

    def send(self, pdu):
        with self.lock:
            self.lock.wait_for(lambda: not self.plugged or self.over)
            while not self.over and self.out.room <= len(pdu):  # 3.2.1.4.1.3
                if self.asked and self.found:
                    break
                self.lock.wait(0.2)
            self.switch_out()
            while not self.over and (self.plugged or self.out.room <= len(pdu)):
                self.lock.wait(0.2)
            if self.over:
                return
            self.out.stream.sock.sendall(pdu)
            self.out.room -= len(pdu)
            self.out.sent += len(pdu)
            self.out.carried += len(pdu)
            if self.proxy.out_lifetime and self.out.carried > self.proxy.out_lifetime and not self.asked:
                self.asked = True
                self.say(RECYCLE, (TO, CLIENT))

    def switch_out(self):
        """With the lock: B3 (or A10) is the last of the old channel, the new one begins."""
        if not self.found:
            return
        old, self.out, self.successor = self.out, self.successor, None
        self.asked = self.found = False
        self.out_count += 1
        old.stream.sock.sendall(rts(0, (ANCE, b"")) if self.proxy.r1 else rts(EOF, (ANCE, b"")))
        old.stream.sock.shutdown(socket.SHUT_WR)
        if self.proxy.r1:  # plugged until A11
            self.plugged = True
            self.lock.wait_for(lambda: self.out.stream.left == 0 or self.over, 5)
            self.plugged = False
            self.lock.notify_all()
        self.out.begin()

    def pump(self):
        try:
            stream = Stream(self.target)
            stream.left = 1 << 62
            while True:
                self.send(stream.pdu())
        except (OSError, EOFError):
            pass
        except Exception as e:  # the test shall see it
            self.proxy.faults.append(f"proxy: {e!r}")
        self.end()

    # ---- What the client says ----

    def on_rts(self, pdu, cookie):
        flags, commands = read_rts(pdu)
        kinds = tuple(command for command, _ in commands)
        if flags == OTHER and kinds == (TO, ACK):
            received, available = struct.unpack("<II", commands[1][1][:8])
            if commands[0][1] != OUTPROXY:
                raise Fault("an acknowledgement that is not for the outbound proxy")
            if commands[1][1][8:] == self.out.cookie:
                if received > self.out.sent or available > self.out.window:
                    raise Fault(f"{received} of {self.out.sent} bytes acknowledged, window {available}")
                self.out.room = available - (self.out.sent - received)
                if self.out.room < 0:
                    raise Fault("the window shrinks below what was sent")
                self.proxy.acks += 1
                self.lock.notify_all()
        elif kinds == (TO, COOKIE) or kinds == (TO, COOKIE, VERSION):
            if flags != OUT or commands[0][1] != SERVER or not self.successor or commands[1][1] != self.successor.cookie:
                raise Fault(f"A7 with flags {flags}, {commands}")
            if (len(kinds) == 2) != self.proxy.r1:
                raise Fault("A7 of the other sequence")
            self.found = True
            self.switch_out()
            self.lock.notify_all()
        elif flags == PING and kinds == ():
            self.proxy.pings += 1
        elif flags == 0 and kinds == (COOKIE,):
            if commands[0][1] != self.in_next or cookie != self.in_cookie:
                raise Fault("A5 for a channel that is none")
            self.in_cookie, self.in_next = self.in_next, None
            self.in_count += 1
            self.lock.notify_all()
            return False
        else:
            raise Fault(f"on the IN channel: flags {flags}, {commands}")
        return True

    def run_in(self, stream, cookie):
        room = window = self.proxy.window
        received = 0
        with self.lock:
            if not self.lock.wait_for(lambda: self.over or self.in_cookie == cookie, 20):
                raise Fault("A5 does not come")
        while True:
            pdu = stream.pdu()
            with self.lock:
                if self.in_cookie != cookie:
                    raise Fault("bytes after A5")
                if pdu[2] == 20:
                    if not self.on_rts(pdu, cookie):
                        return
                    continue
            if len(pdu) > room:
                raise Fault(f"{len(pdu)} bytes into a window of {room}")
            room -= len(pdu)
            received += len(pdu)
            self.target.sendall(pdu)
            if room < window // 2:
                room = window
                with self.lock:
                    self.say(OTHER, (TO, CLIENT), (ACK, struct.pack("<II", received, window) + cookie))


class RpcProxy:
    """Listens on 127.0.0.1; reach(port) yields (host, port) of the RPC server for a port that is asked for."""

    def __init__(self, path, reach, user=None, window=65536, out_lifetime=0, r1=False, tls=True, names="IP:127.0.0.1"):
        self.reach, self.user, self.window, self.out_lifetime, self.r1 = reach, user, window, out_lifetime, r1
        self.faults, self.acks, self.pings, self.requests = [], 0, 0, []
        self.connections, self.locks = {}, threading.Lock()
        self.context = None
        self.ca = path / "proxy.pem"
        if tls:
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                            "-subj", "/CN=proxy", "-addext", f"subjectAltName={names}", "-keyout", str(path / "proxy.key"),
                            "-out", str(self.ca)], check=True, capture_output=True)
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(self.ca, path / "proxy.key")
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.listener.close()
        self.cut()

    def cut(self):
        """All that is open."""
        for virtual in list(self.connections.values()):
            virtual.end()

    def replaced(self):
        return (sum(v.in_count for v in self.connections.values()), sum(v.out_count for v in self.connections.values()))

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        virtual = None
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
            stream = Stream(sock)
            while virtual is None:
                virtual = self.request(stream)
        except (EOFError, OSError):
            pass
        except Fault as fault:
            self.faults.append(str(fault))
        except Exception as e:  # the test shall see it
            self.faults.append(f"proxy: {e!r}")
        sock.close()

    def answer(self, stream, status, fields=(), body=b""):
        lines = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}", "", ""]
        stream.sock.sendall("\r\n".join(lines).encode() + body)

    def request(self, stream):
        (method, target, version), fields = stream.head()
        self.requests.append((method, target, fields))
        wanted = "Basic " + base64.b64encode(self.user.encode()).decode() if self.user else None
        if wanted and fields.get("authorization") != [wanted]:
            if stream.left > 0:
                raise Fault("a body before the log-on")
            self.answer(stream, "401 Unauthorized", ['WWW-Authenticate: Basic realm="proxy"'])
            return None
        length = int(fields["content-length"][0])
        if length <= 16:  # 2.1.2.1.5
            stream.take(length)
            self.answer(stream, "200 OK", ["Content-Type: application/rpc"], rts(64))
            return None
        self.look_at(method, version, fields, length)
        port = int(target.rsplit(":", 1)[1])
        return self.run_out(stream, port) if method == "RPC_OUT_DATA" else self.run_in(stream, length)

    def look_at(self, method, version, fields, length):
        """2.1.2.1.1, 2.1.2.1.2"""
        wrong = [name for name, value in [("accept", "application/rpc"), ("cache-control", "no-cache"), ("user-agent", "MSRPC")]
                 if fields.get(name) != [value]]
        pragmas = fields.get("pragma", [])
        if wrong or version != "HTTP/1.1" or "no-cache" not in pragmas or "host" not in fields:
            raise Fault(f"the head of {method}: {fields}")
        if method == "RPC_OUT_DATA" and length not in (76, 120):
            raise Fault(f"an OUT channel of {length} bytes")
        if method == "RPC_IN_DATA" and not 128 << 10 <= length <= 2 << 30:
            raise Fault(f"an IN channel of {length} bytes")

    def find(self, cookie, new=False):
        with self.locks:
            if new and cookie not in self.connections:
                self.connections[cookie] = Virtual(self, cookie)
            if cookie not in self.connections:
                raise Fault("a channel of a connection that is not known")
            return self.connections[cookie]

    def run_out(self, stream, port):
        length = stream.left
        pdu = stream.pdu()
        if length == 76:
            _, cookie, channel, window = must(pdu, 0, VERSION, COOKIE, COOKIE, WINDOW)
            virtual = self.find(cookie, new=True)
            with virtual.lock:
                virtual.out = OutChannel(stream, channel, window)
                virtual.target = socket.create_connection(self.reach(port))
                virtual.target.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                virtual.out.begin()
                virtual.say(0, (TIMEOUT, 120000))  # CONN/A3
                self.settle(virtual)
        else:
            _, cookie, before, channel, window = must(pdu, RECYCLE, VERSION, COOKIE, COOKIE, COOKIE, WINDOW)
            virtual = self.find(cookie)
            with virtual.lock:
                if before != virtual.out.cookie or not virtual.asked or virtual.successor:
                    raise Fault("a successor of an OUT channel that was not asked for")
                virtual.successor = OutChannel(stream, channel, window)
                virtual.say(*((OUT, (TO, CLIENT), (VERSION, 1), (TIMEOUT, 120000)) if self.r1 else (0, (TO, CLIENT), (ANCE, b""))))
            last = stream.pdu()
            must(last, 0, ANCE) if self.r1 else must(last, PING, EMPTY)  # A11 or C1 fills the request up
            with virtual.lock:
                virtual.lock.notify_all()
        if stream.left:
            raise Fault(f"an OUT channel's request with {stream.left} bytes missing")
        with virtual.lock:  # until another has taken over
            virtual.lock.wait_for(lambda: virtual.over or stream not in (virtual.out.stream, virtual.successor and virtual.successor.stream))
        return virtual

    def run_in(self, stream, length):
        pdu = stream.pdu()
        if read_rts(pdu)[0] == 0:
            _, cookie, channel, lifetime, keepalive, group = must(pdu, 0, VERSION, COOKIE, COOKIE, LIFETIME, KEEPALIVE, GROUP)
            if lifetime != length or keepalive and keepalive < 60000:
                raise Fault(f"CONN/B1 with lifetime {lifetime} in {length} bytes, keep-alive {keepalive}")
            virtual = self.find(cookie, new=True)
            with virtual.lock:
                virtual.in_cookie, virtual.group = channel, group
                self.settle(virtual)
        else:
            _, cookie, before, channel = must(pdu, RECYCLE, VERSION, COOKIE, COOKIE, COOKIE)
            virtual = self.find(cookie)
            with virtual.lock:
                if before != virtual.in_cookie or virtual.in_next:
                    raise Fault("a successor of another IN channel")
                virtual.in_next = channel
                virtual.say(0, *([(TO, CLIENT), (VERSION, 1), (WINDOW, self.window), (TIMEOUT, 120000)] if self.r1 else [(TO, CLIENT)]))
        try:
            virtual.run_in(stream, channel)
        except (EOFError, OSError, Fault):
            virtual.end()
            raise
        return virtual

    def settle(self, virtual):
        """CONN/C2 once both channels are there."""
        if virtual.out and virtual.in_cookie:
            virtual.say(0, (VERSION, 1), (WINDOW, self.window), (TIMEOUT, 120000))
            threading.Thread(target=virtual.pump, daemon=True).start()
