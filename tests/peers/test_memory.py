"""What a connection costs the server before anybody has proved who he is: measured, and below a ceiling."""
import os
import pathlib
import resource
import select
import socket
import time

import pytest

from conftest import SOURCE_ROOT, wait_for
from peer import bound_rpc
from raw import (ALTER_CONTEXT, AUTH3, FIRST, FRAGMENT, MAPPER, MAX_CALL, MGMT, Peer, bind, bound, ntlm_anonymous,
                 ntlm_negotiate, pdu, request, trailer)

PLAIN = pathlib.Path(os.environ.get("MAPIWIRE_PLAIN", SOURCE_ROOT / "build" / "mapiwire"))
pytestmark = pytest.mark.skipif(not PLAIN.exists(), reason="there is no build without sanitizers, whose memory is not "
                                "the server's: run make build")

KIB, MIB = 1 << 10, 1 << 20


def half_a_handshake():
    return bind(trailer() + ntlm_negotiate())


def fragment(first=False):
    return request(bytes(FRAGMENT - 24), 3, FIRST if first else 0, hint=0)


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
    (answered(bind()), 8 * KIB),
    (answered(half_a_handshake()), 12 * KIB),
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


def test_a_peer_that_does_not_read(plain_server):
    """Requests whose answers are ten times as long: what waits for the peer stays small, and then nothing is read from it."""
    before = memory_of(plain_server)
    peers = [connect(plain_server) for _ in range(8)]
    for peer in peers:
        answered(bind().replace(MAPPER, MGMT))(peer)
        peer.settimeout(1)
        with pytest.raises(TimeoutError):
            for _ in range(1000):
                peer.sendall(request() * 1000)
    assert memory_of(plain_server) - before < 8 * 5 * MIB
    with connect(plain_server) as other:
        answered(bind())(other)
    for peer in peers:
        peer.close()


# ---- All of them together ----


def known(server):
    """A connection with a user: the address book, bound at privacy."""
    from impacket.dcerpc.v5 import nspi
    return bound_rpc(server.nspi, nspi.MSRPC_UUID_NSPI)


def is_alive(rpc):
    """The server has not closed it, and answers, be it with a fault: NspiUnbind of no handle."""
    from impacket.dcerpc.v5 import rpcrt
    if select.select([rpc.get_rpc_transport().get_socket()], [], [], 0)[0]:
        return False  # impacket would read on for ever
    try:
        rpc.call(1, bytes(24))
        rpc.recv()
    except rpcrt.DCERPCException:
        pass
    return True


def send_what_it_takes(peer, fragments):
    try:
        for i in range(fragments):
            peer.send(fragment(i == 0))
    except OSError:
        pass


def test_all_without_a_user_together(monkeypatch, serve):
    """However many strangers there are, all together hold no more than the ceiling; who is known is not touched."""
    monkeypatch.setenv("MAPIWIRE", str(PLAIN))
    server = serve("--loops", "2", "--unauthenticated-memory", "32")
    user = known(server)
    before = memory_of(server)
    peers, most = [], 0
    for _ in range(40):
        peers.append(bound(server.epm))
        send_what_it_takes(peers[-1], MAX_CALL // FRAGMENT - 4)
        most = max(most, memory_of(server) - before)
    assert wait_for(lambda: memory_of(server) - before > 8 * MIB)
    assert max(most, memory_of(server) - before) < 40 * MIB, most
    assert wait_for(lambda: sum(not peer.is_closed(0.001) for peer in peers) <= 8)
    assert wait_for(lambda: "connections without a user hold too much memory" in server.errors())
    with bound(server.epm):
        assert is_alive(user)
    for peer in peers:
        peer.close()


def test_who_holds_most_goes_first(monkeypatch, serve):
    """Small ones stay, be they older and silent."""
    monkeypatch.setenv("MAPIWIRE", str(PLAIN))
    server = serve("--loops", "1", "--unauthenticated-memory", "8")
    small = [bound(server.epm) for _ in range(50)]
    large = [bound(server.epm) for _ in range(6)]
    for peer in large:
        send_what_it_takes(peer, 2 * MIB // FRAGMENT)
    assert wait_for(lambda: any(peer.is_closed(0.01) for peer in large))
    assert not any(peer.is_closed(0.01) for peer in small)
    assert small[0].ask(request(opnum=99))[2] == 3
    for peer in small + large:
        peer.close()


def anonymous_contexts(peer, first, count):
    for number in range(first, first + count):
        answer = peer.ask(bind(trailer(2, ctx=number) + ntlm_negotiate(), ptype=ALTER_CONTEXT))
        assert answer[2] == 15
        peer.send(pdu(AUTH3, bytes(4), auth=trailer(2, ctx=number) + ntlm_anonymous()))


def test_security_contexts_count(monkeypatch, serve):
    """2,049 security contexts of nobody on each connection cost memory that the ceiling counts for what it is."""
    monkeypatch.setenv("MAPIWIRE", str(PLAIN))
    server = serve("--loops", "1", "--unauthenticated-memory", "8")
    before = memory_of(server)
    peers = [bound(server.epm) for _ in range(8)]
    most = 0
    try:
        for number in range(26):
            for peer in peers:
                anonymous_contexts(peer, 100 * number, 20)
            most = max(most, memory_of(server) - before)
    except (AssertionError, TypeError, OSError):
        pass
    assert 4 * MIB < most < 11 * MIB, most
    assert any(peer.is_closed(0.01) for peer in peers)
    for peer in peers:
        peer.close()


def test_half_open_by_the_thousand(many_descriptors, monkeypatch, serve):
    """Beyond the most connections the stranger goes who was silent longest; a user's, silent longer than all, stays."""
    monkeypatch.setenv("MAPIWIRE", str(PLAIN))
    server = serve("--loops", "1", "--connections", "200")
    user = known(server)
    peers = [Peer(server.epm) for _ in range(1000)]
    with bound(server.epm) as late:
        assert late.ask(request(opnum=99))[2] == 3
        time.sleep(0.2)
        left = [not peer.is_closed(0.001) for peer in peers]
        assert not any(left[:790]) and all(left[-190:]), left
        assert is_alive(user)
    assert wait_for(lambda: "too many connections: closed" in server.errors())
    assert server.errors().count("too many connections") < 10  # not a line each
    for peer in peers:
        peer.close()
