"""Ports that do not do what one hopes: for the tests of what the client makes of them."""
import socket
import struct
import threading


def closed_port():
    """A port on which nothing listens."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Silent:
    """Answers no SYN: the queue of a listener that never accepts is full, and the kernel drops what comes."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.fill = []
        for _ in range(8):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", self.port))
            self.fill.append(s)

    def close(self):
        for s in [self.listener, *self.fill]:
            s.close()


class Listener:
    """Accepts; what it does with a connection is told by each kind."""

    def __init__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(16)
        self.port = self.listener.getsockname()[1]
        self.open = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(s)
            threading.Thread(target=self.serve, args=(s,), daemon=True).start()

    def serve(self, s):
        """Says nothing."""

    def close(self):
        self.listener.close()
        for s in self.open:
            s.close()


class Mute(Listener):
    """Takes a connection and never answers."""


class Reset(Listener):
    """Resets the connection once it has heard something."""

    def serve(self, s):
        s.recv(1)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()


class Web(Listener):
    """Speaks HTTP."""

    def serve(self, s):
        s.recv(65536)
        s.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


class Between(Listener):
    """In front of a real port; changes what passes, in whole reads, which suits the mapper's small messages."""

    def __init__(self, port, to_server=lambda b: b, to_client=lambda b: b):
        self.behind, self.to_server, self.to_client = port, to_server, to_client
        super().__init__()

    def serve(self, s):
        server = socket.create_connection(("127.0.0.1", self.behind))
        self.open.append(server)
        threading.Thread(target=self.pump, args=(server, s, self.to_client), daemon=True).start()
        self.pump(s, server, self.to_server)

    @staticmethod
    def pump(source, target, change):
        try:
            while data := source.recv(65536):
                target.sendall(change(data))
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Meddler(Listener):
    """Passes whole PDUs; change(from_client, pdu) yields what goes on instead. Counts what it changed."""

    def __init__(self, port, change):
        self.behind, self.change, self.changed = port, change, 0
        super().__init__()

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.behind))

    def serve(self, s):
        server = self.connect()
        self.open.append(server)
        threading.Thread(target=self.pass_on, args=(server, s, False), daemon=True).start()
        self.pass_on(s, server, True)

    def pass_on(self, source, target, from_client):
        stream = source.makefile("rb")
        try:
            while head := stream.read(16):
                pdu = head + stream.read(struct.unpack_from("<H", head, 8)[0] - 16)
                other = self.change(from_client, pdu)
                self.changed += other != pdu
                target.sendall(other)
            target.shutdown(socket.SHUT_WR)
        except (OSError, struct.error):
            pass


def hand_out(port, instead):
    """For Between: towers lead to another port. C706 appendix I: the floor of a TCP port."""
    floor = b"\x01\x00\x07\x02\x00"
    return lambda data: data.replace(floor + struct.pack(">H", port), floor + struct.pack(">H", instead))


NSPI = bytes.fromhex("185accf564421a108c5908002b2f8426")


def hide_nspi(data):
    """For Between: the client asks for an interface that nobody has."""
    return data.replace(NSPI, bytes(15) + b"\x01")
