"""Each interface in both byte orders and both syntaxes, of calls signed by impacket's NTLM: a client of a big-endian machine,
which there is none of any more. Answers are little-endian in any case."""
import socket
import struct
import uuid

import pytest
from Cryptodome.Cipher import ARC4  # a dependency of impacket
from impacket import ntlm

from conftest import USERS
from peer import dn_of

RFR, NSPI, STORE = (("1544f5e0-613c-11d1-93df-00c04fd7bd09", 1, 0), ("f5cc5a18-4264-101a-8c59-08002b2f8426", 56, 0),
                    ("a4f1db00-ca47-1067-b31f-00dd010662da", 0, 81))
SYNTAXES = {"ndr": ("8a885d04-1ceb-11c9-9fe8-08002b104860", 2, 0), "ndr64": ("71710533-beba-4937-8319-b5dbef9ccc36", 1, 0)}
DN = dn_of("alice")
CALLS = [(order, syntax) for order in ("little", "big") for syntax in SYNTAXES]
BIND, BIND_ACK, AUTH3, REQUEST, RESPONSE, FAULT = 11, 12, 16, 0, 2, 3
INTEGRITY, NTLM = 5, 10
BAD_STUB_DATA = 0x6F7


class Stub:
    """Arguments one after the other, each aligned to its size."""

    def __init__(self, order, syntax):
        self.mark, self.wide, self.data = "<>"[order == "big"], syntax == "ndr64", b""

    def number(self, size, *values):
        for value in values:
            self.data += bytes(-len(self.data) % size)
            self.data += struct.pack(self.mark + {2: "H", 4: "I", 8: "Q"}[size], value)
        return self

    def long(self, *values):
        return self.number(4, *values)

    def wide_or_long(self, *values):
        """Counts and referents: four bytes in NDR 2.0, eight in NDR64."""
        return self.number(8 if self.wide else 4, *values)

    def octets(self, octets):
        self.data += octets
        return self

    def string(self, text):
        octets = text.encode() + b"\0"
        return self.wide_or_long(len(octets), 0, len(octets)).octets(octets)

    def handle(self, handle):
        """From the answer, where it is little-endian."""
        attributes, first, second, third = struct.unpack("<IIHH", handle[:12])
        return self.long(attributes, first).number(2, second, third).octets(handle[12:20])


class Connection:
    """Bound and signed, [MS-RPCE] 2.2.2: all numbers in the order that the header's drep says."""

    def __init__(self, port, interface, order, syntax):
        self.order, self.mark = order, "<>"[order == "big"]
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.call_id, self.key = 1, None
        self.bind(interface, SYNTAXES[syntax])

    def pack(self, form, *values):
        return struct.pack(self.mark + form, *values)

    def identifier(self, name, major, minor):
        first, second, third = struct.unpack(">IHH", uuid.UUID(name).bytes[:8])
        return self.pack("IHH", first, second, third) + uuid.UUID(name).bytes[8:] + (
            self.pack("I", minor << 16 | major))

    def send(self, kind, body, token):
        """The token, or room for a signature, which is then made."""
        padding = bytes(-len(body) % (16 if kind == REQUEST else 4))
        trailer = bytes([NTLM, INTEGRITY, len(padding), 0]) + self.pack("I", 7)
        size = 16 + len(body) + len(padding) + len(trailer) + len(token)
        drep = bytes([0x10 if self.order == "little" else 0, 0, 0, 0])
        pdu = bytes([5, 0, kind, 3]) + drep + self.pack("HHI", size, len(token), self.call_id) + body + padding + trailer
        if kind == REQUEST:
            token = ntlm.SIGN(self.flags, self.sign, pdu, self.number, self.crypt).getData()
            self.number += 1
        self.socket.sendall(pdu + token)

    def receive(self):
        """Kind, body and what follows it; little-endian."""
        header = self.socket.recv(16, socket.MSG_WAITALL)
        assert header[4] == 0x10, "answers are little-endian"
        size, auth = struct.unpack("<HH", header[8:12])
        body = self.socket.recv(size - 16, socket.MSG_WAITALL)
        return header[2], body, auth

    def bind(self, interface, syntax):
        type1 = ntlm.getNTLMSSPType1("", "", signingRequired=True)
        context = bytes([1, 0, 0, 0]) + self.pack("HBB", 3, 1, 0) + self.identifier(*interface) + self.identifier(*syntax)
        self.send(BIND, self.pack("HHI", 5840, 5840, 0) + context, type1.getData())
        kind, body, auth = self.receive()
        assert kind == BIND_ACK
        type3, key = ntlm.getNTLMSSPType3(type1, body[-auth:], "alice", USERS["alice"][1], "DEMO")
        self.flags, self.number = type3["flags"], 0
        self.sign = ntlm.SIGNKEY(self.flags, key, "Client")
        self.crypt = ARC4.new(ntlm.SEALKEY(self.flags, key, "Client")).encrypt
        self.send(AUTH3, bytes(4), type3.getData())

    def call(self, opnum, stub):
        """The answer's stub, or the fault's status."""
        self.call_id += 1
        self.send(REQUEST, self.pack("IHH", len(stub.data), 3, opnum) + stub.data, bytes(16))
        kind, body, auth = self.receive()
        if kind == FAULT:
            return struct.unpack("<I", body[8:12])[0]
        assert kind == RESPONSE and auth == 16
        return body[8:len(body) - auth - 8 - body[-auth - 6]]

    def close(self):
        self.socket.close()


@pytest.fixture
def connect():
    opened = []

    def start(*what):
        opened.append(Connection(*what))
        return opened[-1].call

    yield start
    for connection in opened:
        connection.close()


@pytest.fixture
def server(serve):
    return serve("--encryption", "optional")


@pytest.mark.parametrize("order, syntax", CALLS)
def test_referral(server, connect, order, syntax):
    """RfrGetNewDSA, [MS-OXABREF] 3.1.4.1."""
    stub = Stub(order, syntax).long(0).string(DN).wide_or_long(0, 1, 0)
    answer = connect(server.rfr, RFR, order, syntax)(0, stub)
    assert b"127.0.0.1\0" in answer and answer[-4:] == bytes(4)


@pytest.mark.parametrize("order, syntax", CALLS)
def test_address_book(server, connect, order, syntax):
    """NspiBind, [MS-NSPI] 3.1.4.1, then NspiUnbind with its handle."""
    ask = connect(server.nspi, NSPI, order, syntax)
    stat = Stub(order, syntax).long(0, 0, 0, 0, 0, 0, 0, 1252, 0x409, 0x409).wide_or_long(1).octets(bytes(16))
    answer = ask(0, stat)
    handle = answer[-24:-4]
    assert answer[-4:] == bytes(4) and handle != bytes(20)
    assert ask(1, Stub(order, syntax).handle(handle).long(0)) == bytes(20) + struct.pack("<I", 1)


@pytest.mark.parametrize("order, syntax", CALLS)
def test_store(server, connect, order, syntax):
    """EcDoConnectEx, EcDoAsyncConnectEx and EcDoDisconnect, [MS-OXCRPC] 3.1.4."""
    ask = connect(server.store, STORE, order, syntax)
    stub = Stub(order, syntax).string(DN).long(0, 0, 0, 1252, 0x409, 0x409, 0xFFFFFFFF).number(2, 1, 12, 4518, 1000)
    answer = ask(10, stub.long(0).wide_or_long(0).long(0, 0x1008))
    handle = answer[:20]
    assert answer[-4:] == bytes(4) and handle != bytes(20) and b"Alice Arnold\0" in answer
    waiting = ask(14, Stub(order, syntax).handle(handle))
    assert waiting[-4:] == bytes(4) and waiting[:20] not in (bytes(20), handle)
    assert ask(1, Stub(order, syntax).handle(handle)) == bytes(24)


@pytest.mark.parametrize("order, syntax", CALLS)
@pytest.mark.parametrize("damage", ["order", "count", "end", "terminator"])
def test_strictness(server, connect, order, syntax, damage):
    """What [MS-RPCE] 3.3.1.5 asks of a string, in each order: its faults do not depend on the order."""
    stub = Stub({"little": "big", "big": "little"}[order] if damage == "order" else order, syntax)
    stub.long(0)
    if damage == "count":
        octets = DN.encode() + b"\0"
        stub.wide_or_long(len(octets), 0, len(octets) + 1).octets(octets)
    else:
        stub.string(DN)
    if damage == "terminator":
        stub.data = stub.data[:-1] + b"x"
    stub.wide_or_long(0, 1, 0)
    if damage == "end":
        stub.data = stub.data[:40]
    ask = connect(server.rfr, RFR, order, syntax)
    assert ask(0, stub) == BAD_STUB_DATA
    good = Stub(order, syntax).long(0).string(DN).wide_or_long(0, 1, 0)
    assert ask(0, good)[-4:] == bytes(4), "the connection goes on"


@pytest.mark.parametrize("order, syntax", CALLS)
def test_surplus_is_ignored(server, connect, order, syntax):
    """As Windows ignores what stands behind the arguments of an interface that does not ask for strictness."""
    stub = Stub(order, syntax).long(0).string(DN).wide_or_long(0, 1, 0).octets(b"surplus " * 10)
    assert connect(server.rfr, RFR, order, syntax)(0, stub)[-4:] == bytes(4)
