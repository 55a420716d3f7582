"""What a connection costs the server before anybody has proved who he is: measured, and below a ceiling."""
import os
import pathlib
import resource
import socket
import struct
import time
import uuid

import pytest

from conftest import SOURCE_ROOT, wait_for

PLAIN = pathlib.Path(os.environ.get("MAPIWIRE_PLAIN", SOURCE_ROOT / "build" / "mapiwire"))
pytestmark = pytest.mark.skipif(not PLAIN.exists(), reason="there is no build without sanitizers, whose memory is not "
                                "the server's: run make build")

NDR20 = uuid.UUID("8a885d04-1ceb-11c9-9fe8-08002b104860").bytes_le + struct.pack("<I", 2)
MAPPER = uuid.UUID("e1af8308-5d1f-11c9-91a4-08002b14a0fa").bytes_le + struct.pack("<HH", 3, 0)
KIB, MIB = 1 << 10, 1 << 20
FRAGMENT = 5840
MAX_CALL = 4 * MIB


def header(ptype, size, flags=3, auth=0):
    return struct.pack("<4BIHHI", 5, 0, ptype, flags, 0x10, size, auth, 1)


def bind(auth=b""):
    body = struct.pack("<HHIB3x", FRAGMENT, FRAGMENT, 0, 1) + struct.pack("<HBx", 0, 1) + MAPPER + NDR20
    return header(11, 16 + len(body) + len(auth), auth=max(0, len(auth) - 8)) + body + auth


def ntlm_negotiate():
    token = b"NTLMSSP\0" + struct.pack("<II", 1, 0xE2088297) + bytes(16) + bytes(8)
    return struct.pack("<4BI", 10, 6, 0, 0, 1) + token


def fragment(first=False):
    stub = bytes(FRAGMENT - 24)
    return header(0, FRAGMENT, flags=1 if first else 0) + struct.pack("<IHH", 0, 0, 3) + stub


@pytest.fixture
def plain_server(monkeypatch, serve):
    monkeypatch.setenv("MAPIWIRE", str(PLAIN))
    return serve("--loops", "2")


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 1200), hard), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def memory_of(server):
    with open(f"/proc/{server.process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def connect(server):
    return socket.create_connection(("127.0.0.1", server.epm), timeout=10)


def cost(server, count, begin):
    """Bytes for each connection that did begin; the first ones are not counted: they fill caches."""
    peers = [connect(server) for _ in range(20)]
    for peer in peers:
        begin(peer)
    before = memory_of(server)
    for _ in range(count):
        peers.append(connect(server))
        begin(peers[-1])
    time.sleep(0.3)  # whom the kernel has accepted the server may not have seen yet
    out = (memory_of(server) - before) / count
    for peer in peers:
        peer.close()
    return out


def answered(data):
    def begin(peer):
        peer.sendall(data)
        assert peer.recv(8192)[2] == 12  # bind_ack
    return begin


def in_the_middle_of_a_fragment(peer):
    answered(bind())(peer)
    peer.sendall(fragment(True)[:-1])


@pytest.mark.parametrize("begin, ceiling", [
    (lambda peer: None, 4 * KIB),
    (lambda peer: peer.sendall(bind()[:20]), 4 * KIB),
    (answered(bind()), 12 * KIB),
    (answered(bind(ntlm_negotiate())), 16 * KIB),
    (in_the_middle_of_a_fragment, 28 * KIB),
], ids=["silent", "part of a bind", "bound", "half a handshake", "part of a request"])
def test_a_connection_without_a_user(many_descriptors, plain_server, record_property, begin, ceiling):
    each = cost(plain_server, 400, begin)
    record_property("bytes", each)
    print(f"{each:.0f} bytes a connection")
    assert each < ceiling


def send_until_refused(peer, fragments):
    """Parts of one call, without end; whether the server refused them."""
    try:
        for i in range(fragments):
            peer.sendall(fragment(i == 0))
        peer.settimeout(5)
        return peer.recv(8192)[2:3] == b"\3"
    except OSError:
        return True


def test_the_longest_call_without_a_user(plain_server):
    """A call grows to 4 MiB, as on Windows, and in a buffer of twice that; the fragment that exceeds it ends the connection."""
    peers = [connect(plain_server) for _ in range(8)]
    for peer in peers:
        answered(bind())(peer)
    before = memory_of(plain_server)
    for peer in peers:
        for i in range(MAX_CALL // (FRAGMENT - 24)):
            peer.sendall(fragment(i == 0))
    assert wait_for(lambda: memory_of(plain_server) - before > 4 * MIB * 8)
    assert memory_of(plain_server) - before < (2 * MAX_CALL + MIB) * 8
    assert all(send_until_refused(peer, 40) for peer in peers)
    for peer in peers:
        peer.close()
    assert wait_for(lambda: memory_of(plain_server) - before < 8 * MIB), memory_of(plain_server) - before


MGMT = uuid.UUID("afa8bd80-7d8a-11c9-bef4-08002b102989").bytes_le + struct.pack("<HH", 1, 0)


def test_a_peer_that_does_not_read(plain_server):
    """Requests whose answers are ten times as long: what waits for the peer stays small, and then nothing is read from it."""
    before = memory_of(plain_server)
    peers = [connect(plain_server) for _ in range(8)]
    request = header(0, 24) + struct.pack("<IHH", 0, 0, 0)
    for peer in peers:
        answered(bind().replace(MAPPER, MGMT))(peer)
        peer.settimeout(1)
        with pytest.raises(TimeoutError):
            for _ in range(1000):
                peer.sendall(request * 1000)
    assert memory_of(plain_server) - before < 8 * 6 * MIB
    with connect(plain_server) as other:
        answered(bind())(other)
    for peer in peers:
        peer.close()
