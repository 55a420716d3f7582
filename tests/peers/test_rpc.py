"""The RPC machine against impacket over real sockets: its client at every level, its server.

tests/unit/rpc/rpc_tool is our side."""
import os
import pathlib
import struct
import subprocess
import threading

import pytest

rpcrt = pytest.importorskip("impacket.dcerpc.v5.rpcrt", reason="python3-impacket is not installed")
from impacket.dcerpc.v5 import transport  # noqa: E402
from impacket.uuid import string_to_bin, uuidtup_to_bin  # noqa: E402

ROOT = pathlib.Path(os.environ.get("SOURCE_ROOT", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ["MAPIWIRE"]).parent if "MAPIWIRE" in os.environ else ROOT / "build"
TOOL = BUILD / "tests/unit/rpc/rpc_tool"
ECHO = uuidtup_to_bin(("11111111-2222-3333-4444-555555555555", "1.0"))
UNKNOWN = uuidtup_to_bin(("99999999-2222-3333-4444-555555555555", "1.0"))
LEVELS = {
    "none": None,
    "connect": rpcrt.RPC_C_AUTHN_LEVEL_CONNECT,
    "integrity": rpcrt.RPC_C_AUTHN_LEVEL_PKT_INTEGRITY,
    "privacy": rpcrt.RPC_C_AUTHN_LEVEL_PKT_PRIVACY,
}
SIZES = [0, 1, 3, 16, 1000, 4256, 5800, 20000, 70001]


@pytest.fixture(scope="module")
def port():
    if not TOOL.exists():
        pytest.skip(f"{TOOL} was not built")
    process = subprocess.Popen([TOOL, "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    yield int(process.stdout.readline())
    process.stdin.close()
    assert process.wait(10) == 0, "rpc_tool failed"


def connect(port, level, password="secret", user="alice"):
    rpc_transport = transport.DCERPCTransportFactory(f"ncacn_ip_tcp:127.0.0.1[{port}]")
    rpc_transport.set_connect_timeout(10)
    rpc_transport.set_credentials(user, password, "DEMO")
    dce = rpc_transport.get_dce_rpc()
    if LEVELS[level] is not None:
        dce.set_auth_type(rpcrt.RPC_C_AUTHN_WINNT)
        dce.set_auth_level(LEVELS[level])
    dce.connect()
    return dce


def ask(dce, opnum, data, uuid=None):
    dce.call(opnum, data, uuid)
    return dce.recv()


@pytest.mark.parametrize("level", LEVELS)
def test_client_of_impacket(port, level):
    dce = connect(port, level)
    dce.bind(ECHO)
    for size in SIZES:
        data = os.urandom(size)
        assert ask(dce, 0, data) == data
        assert ask(dce, 1, data) == data[::-1]
    dce.disconnect()


@pytest.mark.parametrize("level", LEVELS)
def test_small_fragments(port, level):
    dce = connect(port, level)
    dce.bind(ECHO)
    dce.set_max_fragment_size(64)
    data = os.urandom(3000)
    assert ask(dce, 0, data) == data
    dce.disconnect()


@pytest.mark.parametrize("level", LEVELS)
def test_object(port, level):
    dce = connect(port, level)
    dce.bind(ECHO)
    answer = ask(dce, 3, b"12345", string_to_bin("feedbeef-0102-0304-0506-0708090a0b0c"))
    assert struct.unpack("<II", answer) == (5, 0xFEEDBEEF)
    dce.disconnect()


@pytest.mark.parametrize("level", LEVELS)
def test_faults(port, level):
    dce = connect(port, level)
    dce.bind(ECHO)
    with pytest.raises(rpcrt.DCERPCException, match="01234567"):
        ask(dce, 2, b"1234")
    with pytest.raises(rpcrt.DCERPCException, match="nca_s_op_rng_error"):
        ask(dce, 9, b"1234")
    assert ask(dce, 0, b"still there") == b"still there"
    dce.disconnect()


@pytest.mark.parametrize("level", ["connect", "integrity", "privacy"])
@pytest.mark.parametrize("user, password", [("alice", "wrong"), ("nobody", "secret")])
def test_wrong_password(port, level, user, password):
    dce = connect(port, level, password, user)
    dce.bind(ECHO)
    with pytest.raises(rpcrt.DCERPCException, match="access_denied"):
        ask(dce, 0, b"1234")
    dce.disconnect()


@pytest.mark.parametrize("level", LEVELS)
def test_unknown_interface(port, level):
    dce = connect(port, level)
    with pytest.raises(rpcrt.DCERPCException, match="abstract_syntax_not_supported"):
        dce.bind(UNKNOWN)
    dce.disconnect()


@pytest.mark.parametrize("level", LEVELS)
def test_bogus_contexts_and_alter_context(port, level):
    dce = connect(port, level)
    dce.bind(ECHO, bogus_binds=3)
    assert ask(dce, 0, b"after three that are unknown") == b"after three that are unknown"
    dce.disconnect()


def test_transfer_syntax(port):
    dce = connect(port, "none")
    nobodys = ("71710533-beba-4937-8319-b5dbef9ccc37", "1.0")
    with pytest.raises(rpcrt.DCERPCException, match="transfer_syntaxes_not_supported"):
        dce.bind(ECHO, transfer_syntax=nobodys)
    dce.disconnect()
    dce = connect(port, "privacy")
    dce.bind(ECHO, transfer_syntax=("71710533-beba-4937-8319-b5dbef9ccc36", "1.0"))
    assert ask(dce, 0, b"NDR64") == b"NDR64"
    dce.disconnect()


@pytest.fixture(scope="module")
def impacket_server():
    server = rpcrt.DCERPCServer()
    server.addCallbacks(("11111111-2222-3333-4444-555555555555", "1.0"), "", {0: lambda data: data})
    server.daemon = True
    server.setListenPort(0)
    server._sock.listen(5)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    yield server._sock.getsockname()[1]


@pytest.mark.parametrize("size", [0, 1, 100, 4000])
def test_server_of_impacket(impacket_server, size):
    done = subprocess.run([TOOL, "call", str(impacket_server), str(size)], capture_output=True, text=True, timeout=20)
    assert done.stdout.strip() == "2", done.stderr
