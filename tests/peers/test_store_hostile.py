"""Peers that send little, nothing, or the wrong thing: the server goes on serving, and stops cleanly."""
import os
import random
import resource
import socket
import struct
import time

import pytest

pytest.importorskip("impacket", reason="python3-impacket is not installed")
import rops  # noqa: E402
from conftest import wait_for  # noqa: E402
from rops import MID, NO_HANDLE, SUBJECT_W, Store, Waiter  # noqa: E402

INBOX = 4
PORTS = ["epm", "rfr", "nspi", "store"]
BIND = (struct.pack("<4BIHHIHHIB3x", 5, 0, 11, 3, 0x10, 72, 0, 1, 4280, 4280, 0, 1) + struct.pack("<HBx", 0, 1) +
        rops.EMSMDB + bytes.fromhex("045d888aeb1cc9119fe808002b10486002000000"))


def connect(server, port="store"):
    out = socket.create_connection(("127.0.0.1", getattr(server, port)), timeout=10)
    return out


def is_serving(server):
    store = Store(server)
    ok = store.status == 0 and store.log_on()["status"] == 0
    store.disconnect()
    store.close()
    return ok


def memory_of(server):
    with open(f"/proc/{server.process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


@pytest.fixture
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1200:
        pytest.skip(f"only {hard} descriptors are allowed here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("beginning", [b"", b"\5", BIND[:20], BIND[:40]])
def test_a_thousand_half_open_connections(many_descriptors, server, beginning):
    half_open = []
    for i in range(1000):
        half_open.append(connect(server, PORTS[i % 4]))
        half_open[-1].sendall(beginning)
    assert is_serving(server)
    for one in half_open[::2]:
        one.close()
    assert is_serving(server)
    for one in half_open[1::2]:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # a reset
        one.close()
    assert is_serving(server)


def test_the_server_stops_with_half_open_connections_and_open_sessions(serve):
    server = serve("--loops", "3")
    open_things = [connect(server, port) for port in PORTS for _ in range(20)]
    for one in open_things:
        one.sendall(BIND[:random.Random(1).randrange(30)])
    stores = [Store(server, user) for user in ("alice", "bob", "zoe")]
    for store in stores:
        store.log_on()
        store.one(rops.register_notification(4), [store.root, NO_HANDLE])
        store.run([rops.create_message(store.folders[INBOX])], [store.root, NO_HANDLE])
        Waiter(store).park()
    server.stop()


def test_the_server_stops_in_the_middle_of_calls(serve):
    """Requests on their way between loops, and syncs under way, when SIGTERM comes."""
    for _ in range(5):
        server = serve("--loops", "4")
        stores = [Store(server, user) for user in ("alice", "bob", "zoe") for _ in range(4)]
        for store in stores:
            store.log_on()
        for store in stores:
            body = rops.rop_buffer([rops.create_message(store.folders[INBOX]), rops.set_properties({SUBJECT_W: "x"}), rops.save()],
                                   [store.root, NO_HANDLE])
            store.rpc.call(11, rops.execute_stub(store.handle, rops.extended(body)))
        server.stop()


def test_a_slow_sender_keeps_nobody_waiting(server):
    slow = connect(server)
    for byte in BIND:
        slow.sendall(bytes([byte]))
        time.sleep(0.002)
        if byte == 0x0B:
            assert is_serving(server)
    assert slow.recv(4096)[2] == 12
    slow.close()


def test_a_peer_that_does_not_read_is_bounded(server):
    store = Store(server)
    store.log_on()
    store.save_message(store.folders[INBOX], {rops.BODY_HTML: b"x" * 25_000})
    _, table = store.run([rops.open_folder(store.folders[INBOX]), rops.contents_table(), rops.set_columns([rops.BODY_HTML, MID])],
                         [store.root, NO_HANDLE, NO_HANDLE])
    before = memory_of(server)
    request = rops.execute_stub(store.handle, rops.extended(rops.rop_buffer([rops.query_rows(1, flags=1)], table)))
    store.rpc.get_rpc_transport().get_socket().settimeout(2)
    try:
        for _ in range(6000):
            store.rpc.call(11, request)
    except OSError:
        pass
    assert memory_of(server) - before < 400 << 20
    assert is_serving(server)


def test_garbage_and_mutated_pdus(server):
    numbers = random.Random(4)
    for i in range(300):
        with connect(server, PORTS[i % 4]) as peer:
            data = bytearray(BIND)
            for _ in range(numbers.randrange(1, 8)):
                data[numbers.randrange(len(data))] = numbers.randrange(256)
            request = struct.pack("<4BIHHIIHH", 5, 0, 0, 3, 0x10, 24 + 64, 0, 2, 64, 0, numbers.randrange(16)) + numbers.randbytes(64)
            try:
                peer.sendall(bytes(data) + request + numbers.randbytes(numbers.randrange(100)))
            except OSError:
                continue
    assert is_serving(server)


def test_a_group_of_a_loop_that_is_not_there(serve):
    server = serve("--loops", "2")
    for group in (0xFFFFFFFF, 0x01000001, 0x00000001, 0x02000000):
        with connect(server) as peer:
            peer.sendall(BIND[:20] + struct.pack("<I", group) + BIND[24:])
            assert peer.recv(4096)[2] in (12, 13)
    assert is_serving(server)


def test_descriptors_and_memory_come_back(serve):
    """Not a measurement of leaks (the sanitizer does that at the end), but of growth while serving."""
    server = serve("--loops", "2")
    path = f"/proc/{server.process.pid}/fd"
    assert is_serving(server)
    assert wait_for(lambda: True)
    before = len(os.listdir(path))
    for _ in range(30):
        store = Store(server)
        store.log_on()
        Waiter(store).park()
        store.close()
    assert wait_for(lambda: len(os.listdir(path)) <= before + 35)
    for _ in range(30):
        assert is_serving(server)
    assert wait_for(lambda: len(os.listdir(path)) <= before + 4), os.listdir(path)
