"""RPC by hand, for peers that do what no client does: PDUs as bytes. C706 chapter 12, [MS-RPCE] 2.2."""
import socket
import struct
import uuid

NDR20 = uuid.UUID("8a885d04-1ceb-11c9-9fe8-08002b104860").bytes_le + struct.pack("<I", 2)
MAPPER = uuid.UUID("e1af8308-5d1f-11c9-91a4-08002b14a0fa").bytes_le + struct.pack("<HH", 3, 0)
MGMT = uuid.UUID("afa8bd80-7d8a-11c9-bef4-08002b102989").bytes_le + struct.pack("<HH", 1, 0)
FRAGMENT = 5840
MAX_CALL = 4 << 20
REQUEST, RESPONSE, FAULT, BIND, BIND_ACK, BIND_NAK = 0, 2, 3, 11, 12, 13
ALTER_CONTEXT, ALTER_CONTEXT_RESP, AUTH3, CO_CANCEL, ORPHANED = 14, 15, 16, 18, 19
FIRST, LAST, WHOLE, MPX = 1, 2, 3, 0x10
NTLM, SPNEGO = 10, 9
CONNECT, PACKET, INTEGRITY, PRIVACY = 2, 4, 5, 6


def header(ptype, size, flags=WHOLE, auth=0, call=1):
    return struct.pack("<4BIHHI", 5, 0, ptype, flags, 0x10, size, auth, call)


def pdu(ptype, body, flags=WHOLE, auth=b"", call=1):
    """auth: a security trailer and its value."""
    return header(ptype, 16 + len(body) + len(auth), flags, max(0, len(auth) - 8), call) + body + auth


def context(number=0, interface=MAPPER, syntaxes=(NDR20,)):
    return struct.pack("<HBx", number, len(syntaxes)) + interface + b"".join(syntaxes)


def bind(auth=b"", contexts=None, group=0, ptype=BIND, flags=WHOLE, call=1):
    contexts = [context()] if contexts is None else contexts
    body = struct.pack("<HHIB3x", FRAGMENT, FRAGMENT, group, len(contexts)) + b"".join(contexts)
    return pdu(ptype, body, flags, auth, call)


def request(stub=b"", opnum=0, flags=WHOLE, auth=b"", call=1, hint=None, ctx=0):
    return pdu(REQUEST, struct.pack("<IHH", len(stub) if hint is None else hint, ctx, opnum) + stub, flags, auth, call)


def trailer(level=PRIVACY, kind=NTLM, padding=0, ctx=1):
    return struct.pack("<4BI", kind, level, padding, 0, ctx)


def ntlm_negotiate(flags=0xE2088297):
    return b"NTLMSSP\0" + struct.pack("<II", 1, flags) + bytes(16) + bytes(8)


def ntlm_anonymous():
    """AUTHENTICATE_MESSAGE of nobody: an LM response of one zero byte, nothing else; [MS-NLMP] 3.3.2."""
    fields = struct.pack("<HHI", 1, 1, 64) + struct.pack("<HHI", 0, 0, 65) * 5
    return b"NTLMSSP\0" + struct.pack("<I", 3) + fields + struct.pack("<I", 0xE2088A97 & ~0x02000000) + b"\0"


class Peer:
    """A TCP connection of ours to a port of the server."""

    def __init__(self, port, timeout=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, *data):
        self.socket.sendall(b"".join(data))

    def take(self, count):
        out = b""
        while len(out) < count:
            some = self.socket.recv(count - len(out))
            if not some:
                return None
            out += some
        return out

    def answer(self):
        """The next PDU, or None when the server has closed the connection."""
        try:
            first = self.take(16)
            return first and first + self.take(struct.unpack_from("<H", first, 8)[0] - 16)
        except ConnectionError:
            return None

    def ask(self, *data):
        self.send(*data)
        return self.answer()

    def is_closed(self, seconds=10):
        """Whether the server closes it in that time, having said nothing more."""
        self.socket.settimeout(seconds)
        try:
            return self.socket.recv(1) == b""
        except TimeoutError:
            return False
        except ConnectionError:
            return True


def bound(port, *args, **kwargs):
    peer = Peer(port)
    answer = peer.ask(bind(*args, **kwargs))
    assert answer and answer[2] == BIND_ACK, answer
    return peer


def fault_of(answer):
    """(status, flags) of a fault."""
    assert answer is not None and answer[2] == FAULT, answer
    return struct.unpack_from("<I", answer, 24)[0], answer[3]


def nak_of(answer):
    assert answer is not None and answer[2] == BIND_NAK, answer
    return struct.unpack_from("<H", answer, 16)[0]


def auth_value(answer):
    size = struct.unpack_from("<H", answer, 10)[0]
    return answer[len(answer) - size:]
