"""What libmapiwire does when a connection is lost, a call gets no answer, or the server is too busy."""
import contextlib
import socket
import struct
import threading

import pytest
from awkward import Between, hand_out
from building import library  # noqa: F401, a fixture
from conftest import run, wait_for
from scripted import actor, workshop  # noqa: F401, fixtures


class Cut(Between):
    """A way that can be cut: all its connections at once."""

    def cut(self):
        for s in self.open:
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)
        self.open.clear()


def save(server):
    run("mail", "save", "--server", f"127.0.0.1:{server.epm}", "-U", "DEMO\\alice", "--password-file",
        server.state / "alice.password", "--subject", "x", stdin="body\n")


def test_reconnects(server, actor):
    """Each kind of connection is cut while nothing is under way: the next call goes over a new one, in a new
    association, without the caller's doing. What lived in the old session says that it is gone."""
    ways = [Cut(port) for port in (server.nspi, server.store)]
    mapper = Cut(server.epm, to_client=lambda b: hand_out(server.store, ways[1].port)(
        hand_out(server.nspi, ways[0].port)(b)))
    act = actor(mapper.port)
    assert [act(word) for word in ("open", "save", "table", "read", "map")] == ["ok"] * 5
    for way in (mapper, *ways):
        way.cut()
    assert [act(word) for word in ("map", "resolve", "first", "get", "save")] == ["ok"] * 5
    assert act("read") == "connection-lost"
    assert [act(word) for word in ("table", "read")] == ["ok"] * 2
    ways[1].cut()
    assert [act(word) for word in ("read", "get", "read")] == ["connection-lost", "ok", "connection-lost"]


def test_watch_after_a_loss(server, actor):
    """A lost watch is told once, since changes may have been missed; then it watches again."""
    way = Cut(server.store)
    mapper = Cut(server.epm, to_client=hand_out(server.store, way.port))
    act = actor(mapper.port)
    assert [act(word) for word in ("open", "watch")] == ["ok", "ok"]
    way.cut()
    assert act("next") == "connection-lost"
    save(server)
    save_later = threading.Timer(0.5, save, [server])
    save_later.start()
    assert act("next") == "ok"
    save_later.join()


def test_server_is_gone(serve, state, actor):
    """Until it is back: the ports that the mapper handed out are asked again."""
    server = serve()
    fixed = ["--rfr-port", str(server.rfr), "--nspi-port", str(server.nspi), "--store-port", str(server.store)]
    act = actor(server.epm)
    assert act("open") == "ok"
    server.stop()
    assert [act(word) for word in ("get", "resolve")] == ["dynamic-port-refused"] * 2
    second = serve(*fixed)
    assert [act(word) for word in ("get", "resolve", "save")] == ["ok"] * 3
    assert second.store == server.store


# ---- The PDUs, on a connection that is not protected ----


def pdus(data):
    while len(data) >= 16:
        size = struct.unpack_from("<H", data, 8)[0]
        yield data[:size]
        data = data[size:]


class Busy(Between):
    """Too busy for the first few EcDoRpcExt2, which it answers itself. Of our server's pcRetry and pcmsRetryDelay it
    makes the latter shorter."""

    def __init__(self, port, refusals):
        self.refusals, self.refused = refusals, 0
        super().__init__(port, to_client=lambda data: data.replace(struct.pack("<II", 6, 10000), struct.pack("<II", 6, 20)))

    def pump(self, source, target, change):
        try:
            while data := source.recv(65536):
                rest = b"".join(self.pass_on(pdu, source, change) for pdu in pdus(data))
                if rest:
                    target.sendall(rest)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def pass_on(self, pdu, source, change):
        request = change is self.to_server and pdu[2] == 0 and struct.unpack_from("<H", pdu, 22)[0] == 11
        if not request or self.refused == self.refusals:
            return change(pdu)
        self.refused += 1
        fault = struct.pack("<BBBB4sHHIIHBBII", 5, 0, 3, 0x23, b"\x10\0\0\0", 32, 0, struct.unpack_from("<I", pdu, 12)[0],
                            32, 0, 0, 0, 0x1C010014, 0)
        source.sendall(fault)
        return b""


@pytest.mark.parametrize("refusals, refused, ends", [(2, 2, "ok"), (6, 6, "ok"), (1000, 7, "server-busy")])
def test_too_busy(serve, actor, refusals, refused, ends):
    """Repeated as often as EcDoConnectEx said, and after the delay it said: MS-OXCRPC 3.2.4.4."""
    server = serve("--encryption", "optional")
    way = Busy(server.store, refusals)
    mapper = Between(server.epm, to_client=hand_out(server.store, way.port))
    act = actor(mapper.port, "connect")
    assert act("open") == ends
    assert way.refused == refused


class Deaf(Between):
    """Loses answers; keeps what it was told."""

    def __init__(self, port):
        self.told = []
        super().__init__(port, self.tell, lambda data: b"" if data[2] == 2 else data)

    def tell(self, data):
        self.told += [pdu[2] for pdu in pdus(data)]
        return data


def test_unanswered_call_is_orphaned(server):
    """When its time has passed, the server is told that nobody waits any more."""
    way = Deaf(server.epm)
    done = run("ping", f"127.0.0.1:{way.port}", "nspi", "--timeout", "0.3", check=False)
    assert done.returncode == 30, done.stderr
    assert wait_for(lambda: way.told == [11, 0, 19]), way.told
