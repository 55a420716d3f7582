"""RPC over HTTP against what real peers send."""
import base64
import json
import os
import pathlib
import signal
import socket
import ssl
import struct
import subprocess

import pytest

from conftest import CAPTURES, USERS, wait_for

ROOT = pathlib.Path(os.environ.get("SOURCE_ROOT", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ["MAPIWIRE"]).parent if "MAPIWIRE" in os.environ else ROOT / "build"
TOOL = BUILD / "tests/unit/http/rts_tool"


def read_pdus(lines):
    if not TOOL.exists():
        pytest.skip(f"{TOOL} was not built")
    done = subprocess.run([TOOL], input="\n".join(lines) + "\n", capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_first_pdus_of_outlook():
    """What a real Outlook sends first on each channel: read, named, and written again byte for byte."""
    file = CAPTURES / "outlook-rts-pdus.json"
    if not file.exists():
        pytest.skip(f"{file} is not there")
    pdus = json.loads(file.read_text())
    into = read_pdus([pdus["TESTDATA_INITIAL_PDU_IN"]])
    out = read_pdus([pdus["TESTDATA_INITIAL_PDU_OUT"]])
    assert into.startswith("CONN/B1 same\n") and out.startswith("CONN/A1 same\n")
    assert "ClientKeepalive = 300000" in into and "ChannelLifetime = 1073741824" in into
    assert "ReceiveWindowSize = 65536" in out
    cookie = "Cookie = 97f81597-6df6-4e23-78ca-176fdde1bf2d"  # of the virtual connection: on both
    assert cookie in into and cookie in out
    assert read_pdus([pdus["TESTDATA_INITIAL_PDU_IN"][:-2]]).startswith("refused: ")


# ---- The server against impacket's client ----

impacket_rpch = pytest.importorskip("impacket.dcerpc.v5.rpch", reason="python3-impacket is not installed")
from impacket.dcerpc.v5 import epm, nspi, rpcrt, transport  # noqa: E402
from impacket.http import AUTH_BASIC, AUTH_NTLM  # noqa: E402
from impacket.uuid import uuidtup_to_bin  # noqa: E402

STORE = uuidtup_to_bin(("a4f1db00-ca47-1067-b31f-00dd010662da", "0.81"))
REFERRAL = uuidtup_to_bin(("1544f5e0-613c-11d1-93df-00c04fd7bd09", "1.0"))


ADDRESS = "127.0.1.43"  # of loopback, where port 443 is free


@pytest.fixture
def web(serve):
    """impacket's client knows RPC proxies on ports 80 and 443 alone."""
    if os.geteuid() != 0:
        pytest.skip("port 443 is root's")
    return serve("--listen", ADDRESS, "--https-port", "443", "--http-port", "0", "--loops", "2")


def over_http(server, endpoint=6004, host="MAIL", user="alice", auth=AUTH_NTLM, path="/rpc/rpcproxy.dll",
              password=None, level=rpcrt.RPC_C_AUTHN_LEVEL_PKT_PRIVACY):
    """impacket's RPC connection through our proxy: outside NTLM or Basic, inside NTLM of its own."""
    binding = f"ncacn_http:{host}[{endpoint},RpcProxy={ADDRESS}:443]"
    rpc_transport = transport.DCERPCTransportFactory(binding)
    rpc_transport.set_credentials(user, password or USERS[user][1], "DEMO")
    rpc_transport.set_auth_type(auth)
    rpc_transport.set_rpc_proxy_url(f"https://{ADDRESS}:443{path}")
    dce = rpc_transport.get_dce_rpc()
    if level:
        dce.set_credentials(user, password or USERS[user][1], "DEMO")
        dce.set_auth_type(rpcrt.RPC_C_AUTHN_WINNT)
        dce.set_auth_level(level)
    dce.connect()
    return dce


def book_rows(dce):
    dce.bind(nspi.MSRPC_UUID_NSPI)
    handle = nspi.hNspiBind(dce)["contextHandle"]
    table = nspi.hNspiGetSpecialTable(dce, handle)
    nspi.hNspiUnbind(dce, handle)
    return table


@pytest.mark.parametrize("auth", [AUTH_NTLM, AUTH_BASIC])
@pytest.mark.parametrize("path", ["/rpc/rpcproxy.dll", "/rpcwithcert/rpcproxy.dll"])
def test_address_book(web, auth, path):
    assert book_rows(over_http(web, auth=auth, path=path))["ErrorCode"] == 0


@pytest.mark.parametrize("endpoint", [6001, 6002, 6004])
@pytest.mark.parametrize("interface", [STORE, REFERRAL, nspi.MSRPC_UUID_NSPI])
def test_each_endpoint_offers_all(web, endpoint, interface):
    over_http(web, endpoint).bind(interface)


def test_name_from_the_challenge(web):
    """Without a name impacket takes the server's from its NTLM challenge."""
    assert book_rows(over_http(web, host=""))["ErrorCode"] == 0


def test_mailbox_as_a_name(web):
    """GUID@domain, as Exchange Server 2013 and later name the server of a mailbox."""
    mailbox = next((web.state / "mailboxes").glob("*.sqlite")).stem
    assert book_rows(over_http(web, host=f"{mailbox}@demo.test"))["ErrorCode"] == 0
    with pytest.raises(impacket_rpch.RPCProxyClientException):
        over_http(web, host=f"{mailbox}@evil.test")


# 6003: no specification gives it to anybody ([MS-OXCRPC] 2.1 has 6001).
@pytest.mark.parametrize("host,endpoint", [("evil.test", 6001), ("MAIL", 593), ("MAIL", 135), ("127.0.0.1@evil", 6001),
                                           ("MAIL", 6003), ("00000000-0000-0000-0000-000000000001@demo.test", 6001)])
def test_other_servers_are_refused(web, host, endpoint):
    with pytest.raises(impacket_rpch.RPCProxyClientException) as caught:
        over_http(web, endpoint, host)
    assert caught.value.error_code == 0x6BA


def test_wrong_password_outside(web):
    with pytest.raises(Exception) as caught:
        over_http(web, password="wrong")
    assert "401" in str(caught.value)


def test_other_user_inside(web):
    """Who asks outside and who calls inside are independent of each other."""
    dce = over_http(web, user="alice", level=None)
    dce.set_credentials("bob", USERS["bob"][1], "DEMO")
    dce.set_auth_type(rpcrt.RPC_C_AUTHN_WINNT)
    dce.set_auth_level(rpcrt.RPC_C_AUTHN_LEVEL_PKT_PRIVACY)
    assert book_rows(dce)["ErrorCode"] == 0


def test_mapper_hands_out_http(web):
    """Towers of both protocols, for whoever asks for either."""
    def mapper():
        dce = transport.DCERPCTransportFactory(f"ncacn_ip_tcp:{ADDRESS}[{web.epm}]").get_dce_rpc()
        dce.connect()
        return dce

    found = {}
    for entry in epm.hept_lookup(None, dce=mapper()):
        tower = entry["tower"]["Floors"]
        found.setdefault(str(tower[0]), []).append(epm.PrintStringBinding(tower))
    store = [bindings for uuid, bindings in found.items() if "A4F1DB00" in uuid.upper()][0]
    assert any(b.startswith("ncacn_http:") and b.endswith("[6001]") for b in store), store
    assert any(b.startswith("ncacn_ip_tcp:") for b in store), store
    assert epm.hept_map(ADDRESS, nspi.MSRPC_UUID_NSPI, protocol="ncacn_http", dce=mapper()).endswith("[6004]")


@pytest.mark.peer("impacket's exchanger.py")
@pytest.mark.parametrize("words,expected", [
    (["nspi", "list-tables", "-count"], ["Global Address List", "TotalRecs: 3"]),
    (["nspi", "dump-tables", "-name", "GAL"], ["mailNickname: alice", "mail: bob@demo.test"]),
    (["nspi", "guid-known", "-guid", "00000000-0000-0000-0000-000000000000"], ["Object with specified GUID not found!"]),
])
def test_exchanger(web, words, expected):
    """examples/exchanger.py as it is packaged."""
    exchanger = pathlib.Path("/usr/share/doc/python3-impacket/examples/exchanger.py")
    if not exchanger.exists():
        pytest.skip(f"{exchanger} is not there")
    done = subprocess.run(["/usr/bin/python3", exchanger, f"DEMO/alice:{USERS['alice'][1]}@{ADDRESS}", *words],
                          capture_output=True, text=True, timeout=60)
    for text in expected:
        assert text in done.stdout, done.stdout + done.stderr


# ---- By hand ----

def request(server, method, path="/rpc/rpcproxy.dll?MAIL:6001", length=0, body=b"", user="alice"):
    """An HTTPS connection on which a request was sent; Basic outside."""
    tls = ssl.create_default_context(cafile=str(server.state / "tls-cert.pem"))
    tls.check_hostname = False
    s = tls.wrap_socket(socket.create_connection((ADDRESS, 443), timeout=20))
    token = base64.b64encode(f"DEMO\\{user}:{USERS[user][1]}".encode()).decode()
    s.sendall(f"{method} {path} HTTP/1.1\r\nHost: mail\r\nAuthorization: Basic {token}\r\n"
              f"Content-Length: {length}\r\n\r\n".encode() + body)
    return s


def head_of(s):
    got = b""
    while b"\r\n\r\n" not in got:
        part = s.recv(4096)
        if not part:
            break
        got += part
    head, _, rest = got.partition(b"\r\n\r\n")
    return head.decode(), rest


def rts(flags, *commands):
    body = b"".join(commands)
    return struct.pack("<BBBBIHHIHH", 5, 0, 20, 3, 0x10, 20 + len(body), 0, 0, flags, len(commands)) + body


def cookie(n):
    return struct.pack("<I", 3) + bytes([n]) * 16


VERSION, WINDOW = struct.pack("<II", 6, 1), struct.pack("<II", 0, 65536)


def conn_a1(connection, channel):
    return rts(0, VERSION, cookie(connection), cookie(channel), WINDOW)


def conn_b1(connection, channel):
    return rts(0, VERSION, cookie(connection), cookie(channel), struct.pack("<II", 4, 1 << 30), struct.pack("<II", 5, 300000),
               struct.pack("<I", 12) + b"g" * 16)


def read_rts(s, rest=b""):
    while len(rest) < 10 or len(rest) < struct.unpack_from("<H", rest, 8)[0]:
        part = s.recv(4096)
        assert part, "the channel has ended"
        rest += part
    size = struct.unpack_from("<H", rest, 8)[0]
    return rest[:size], rest[size:]


@pytest.mark.parametrize("method", ["RPC_IN_DATA", "RPC_OUT_DATA"])
@pytest.mark.parametrize("length", [0, 16])
@pytest.mark.parametrize("user", ["alice", "bob"])  # whose connections live in different loops
def test_echo(web, method, length, user):
    with request(web, method, length=length, body=b"x" * length, user=user) as s:
        head, rest = head_of(s)
        assert head.startswith("HTTP/1.1 200 Success\r\n") and "content-type: application/rpc" in head.lower()
        assert read_rts(s, rest)[0] == rts(0x40)


def open_connection(web, connection, user="alice"):
    out = request(web, "RPC_OUT_DATA", length=76, body=conn_a1(connection, 2), user=user)
    into = request(web, "RPC_IN_DATA", length=1 << 30, body=conn_b1(connection, 3), user=user)
    head, rest = head_of(out)
    assert head.startswith("HTTP/1.1 200 Success\r\n")
    a3, rest = read_rts(out, rest)
    c2, rest = read_rts(out, rest)
    assert len(a3) == 28 and len(c2) == 44 and not rest
    return into, out


BIND = (struct.pack("<BBBBIHHI", 5, 0, 11, 3, 0x10, 72, 0, 1) + struct.pack("<HHIBxH", 5840, 5840, 0, 1, 0) +
        struct.pack("<HH", 0, 1) + STORE + uuidtup_to_bin(("8a885d04-1ceb-11c9-9fe8-08002b104860", "2.0")))


def long_call(size=5840, fragments=8):
    """A request for an operation that is none, in fragments: more than half a window, so that the server acknowledges it."""
    def fragment(flags):
        return struct.pack("<BBBBIHHIIHH", 5, 0, 0, flags, 0x10, size, 0, 2, 0, 0, 0x7FFF) + bytes(size - 24)
    return fragment(1) + fragment(0) * (fragments - 2) + fragment(2)


def test_many_at_once(web):
    """What comes in one round of the server's loop is answered to the last: more connections than it sends to at a time, each
    with an acknowledgement and an answer for its OUT channel."""
    pairs = [open_connection(web, n) for n in range(1, 41)]
    for into, out in pairs:
        into.sendall(BIND)
        assert read_rts(out)[0][2] == 12  # bind_ack
    web.process.send_signal(signal.SIGSTOP)
    for into, _ in pairs:
        into.sendall(long_call())
    web.process.send_signal(signal.SIGCONT)
    for _, out in pairs:
        out.settimeout(5)
        kinds, rest = [], b""
        while 3 not in kinds:  # fault
            pdu, rest = read_rts(out, rest)
            kinds.append(pdu[2])
        assert 20 in kinds  # RTS: the acknowledgement


def test_successor_of_the_in_channel(web):
    """IN_R2: the first bytes of a bind go over one channel, the rest over its successor."""
    into, out = open_connection(web, 1)
    successor = request(web, "RPC_IN_DATA", length=1 << 30,
                        body=rts(4, VERSION, cookie(1), cookie(3), cookie(4)) + BIND)
    a4, rest = read_rts(out)
    assert a4 == rts(0, struct.pack("<II", 13, 0))
    assert not rest, "the successor is heard before its predecessor has ended"
    into.sendall(rts(0, cookie(4)))
    answer, _ = read_rts(out, rest)
    assert answer[2] == 12  # bind_ack
    assert into.recv(1) == b""  # the predecessor is let go


@pytest.mark.parametrize("user,connection,predecessor", [("bob", 1, 3), ("alice", 9, 3), ("alice", 1, 8)])
def test_stranger_does_not_replace_a_channel(web, user, connection, predecessor):
    into, out = open_connection(web, 1)
    with request(web, "RPC_IN_DATA", length=1 << 30, user=user,
                 body=rts(4, VERSION, cookie(connection), cookie(predecessor), cookie(5))) as stranger:
        assert head_of(stranger)[0].startswith("HTTP/1.1 503 RPC Error: 6c0\r\n")
    into.sendall(rts(2, struct.pack("<II", 5, 60000)))  # a Keep-Alive: the connection has not noticed
    out.settimeout(0.3)
    with pytest.raises(TimeoutError):
        out.recv(1)


def test_rts_out_of_order_ends_the_connection(web):
    into, out = open_connection(web, 1)
    into.sendall(conn_b1(1, 3))
    assert out.recv(1) == b""
    assert wait_for(lambda: "no client sends then" in web.errors())


@pytest.mark.parametrize("first", ["in", "out"])
def test_client_that_leaves_is_no_fault(web, first):
    """Nothing is logged of it, whichever channel it ends first."""
    into, out = open_connection(web, 1)
    left, right = (into, out) if first == "in" else (out, into)
    left.unwrap().close()
    try:
        assert right.recv(1) == b""  # the virtual connection is over
    except ConnectionResetError:
        pass
    assert " warning " not in web.errors() and "ended" not in web.errors(), web.errors()


def test_channel_that_is_none(web):
    with request(web, "RPC_IN_DATA", length=1 << 30, body=b"GET / HTTP/1.1\r\n\r\n") as s:
        assert head_of(s)[0].startswith("HTTP/1.1 503 RPC Error: 6c0\r\n")
    with request(web, "GET") as s:
        assert head_of(s)[0].startswith("HTTP/1.1 405 ")
