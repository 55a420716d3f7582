"""Clients that know the server's name and nothing else: in a network namespace the endpoint mapper has port 135, all other
ports are those that it hands out, and a firewall may stand before one of them."""
import json
import subprocess

import pytest
from impacket.dcerpc.v5 import epm, nspi, transport
from impacket.dcerpc.v5.rpcrt import RPC_C_AUTHN_LEVEL_PKT_PRIVACY, RPC_C_AUTHN_WINNT

from conftest import USERS, run
from namespace import new_namespace
from peer import dn_of
from samba_dc import find

HOST = "127.0.0.1"
INTERFACES = {"rfr": "1544f5e0-613c-11d1-93df-00c04fd7bd09", "nspi": "f5cc5a18-4264-101a-8c59-08002b2f8426",
              "store": "a4f1db00-ca47-1067-b31f-00dd010662da"}


@pytest.fixture
def namespace():
    with new_namespace() as made:
        yield made


@pytest.fixture
def server(namespace, serve):
    with namespace:
        started = serve("--epm-port", "135")
        yield started


def walk(server, host=HOST):
    """The steps by name, and the verdict."""
    done = run("walk", host, "-U", r"DEMO\alice", "--password-file", server.state / "alice.password", "--timeout", "2",
               "--json", check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows[-1]["exit"] == done.returncode
    return {row["name"]: row for row in rows[:-1]}, rows[-1]


def rpcclient(folder, options="", password=None, host=HOST):
    """What it lists, as alice where a password is given."""
    config = folder / "smb.conf"
    config.write_text("[global]\nworkgroup = DEMO\ninterfaces = 127.0.0.1\n", encoding="utf-8")
    who = ["-U", f"DEMO/alice%{password}"] if password else ["-N"]
    return subprocess.run([find("rpcclient"), "-s", config, *who, f"ncacn_ip_tcp:{host}[{options}]", "-c", "epmlookup"],
                          capture_output=True, text=True, timeout=60)


def has_all(server, listed):
    return all(f"[{getattr(server, name)},abstract_syntax={uuid}/" in listed for name, uuid in INTERFACES.items())


@pytest.mark.peer("rpcclient")
def test_rpcclient(server, tmp_path):
    done = rpcclient(tmp_path)
    assert has_all(server, done.stdout), done.stdout + done.stderr


@pytest.mark.peer("rpcclient")
@pytest.mark.parametrize("level", ["connect", "packet", "sign", "seal"])
@pytest.mark.parametrize("provider", ["ntlm", "spnego"])
def test_rpcclient_as_user(server, tmp_path, provider, level):
    done = rpcclient(tmp_path, f"{provider},{level}", USERS["alice"][1])
    assert has_all(server, done.stdout), done.stdout + done.stderr
    assert "refused" not in server.errors()
    done = rpcclient(tmp_path, f"{provider},{level}", "wrong")
    assert not has_all(server, done.stdout)
    assert "authentication refused: user DEMO\\alice, 0xC000006D" in server.errors()


@pytest.mark.parametrize("name, uuid", INTERFACES.items())
def test_impacket_finds(server, name, uuid):
    version = {"rfr": "1.0", "nspi": "56.0", "store": "0.81"}[name]
    where = epm.hept_map(HOST, epm.uuidtup_to_bin((uuid, version)), protocol="ncacn_ip_tcp")
    assert where == f"ncacn_ip_tcp:{HOST}[{getattr(server, name)}]"


def test_impacket_opens_the_address_book(server):
    where = transport.DCERPCTransportFactory(epm.hept_map(HOST, nspi.MSRPC_UUID_NSPI, protocol="ncacn_ip_tcp"))
    where.set_credentials("alice", USERS["alice"][1], "DEMO")
    rpc = where.get_dce_rpc()
    rpc.set_auth_type(RPC_C_AUTHN_WINNT)
    rpc.set_auth_level(RPC_C_AUTHN_LEVEL_PKT_PRIVACY)
    rpc.connect()
    rpc.bind(nspi.MSRPC_UUID_NSPI)
    handle = nspi.hNspiBind(rpc)["contextHandle"]
    found = nspi.hNspiDNToMId(rpc, handle, [dn_of("alice")])
    assert found["ppOutMIds"]["aulPropTag"][0]["Data"] > 0


@pytest.mark.peer()
def test_walk(server):
    steps, verdict = walk(server)
    assert verdict["exit"] == 0 and steps["mapper"]["what"] == f"rfr {server.rfr}, nspi {server.nspi}, store {server.store}"


@pytest.fixture
def server_v6(namespace, serve):
    with namespace:
        yield serve("--listen", "::1", "--epm-port", "135")


@pytest.mark.peer("rpcclient", "impacket")
def test_over_ipv6(server_v6, tmp_path):
    """A tower has no room for such an address: it names none, and clients take the mapper's."""
    done = rpcclient(tmp_path, host="::1")
    assert has_all(server_v6, done.stdout) and "ncacn_ip_tcp:0.0.0.0[" in done.stdout, done.stdout + done.stderr
    where = epm.hept_map("::1", nspi.MSRPC_UUID_NSPI, protocol="ncacn_ip_tcp")
    assert where == f"ncacn_ip_tcp:::1[{server_v6.nspi}]"
    steps, verdict = walk(server_v6, "::1")
    assert verdict["exit"] == 0 and steps["referral"]["what"] == "address book: ::1"


# What the kernel's firewall does, and what is then said: of a port that the mapper hands out, and of the mapper's own.
WALLS = {"drop": ("dynamic-port-blocked", "port-filtered"),
         "reject with icmpx admin-prohibited": ("dynamic-port-blocked", "port-filtered"),
         "reject with icmpx port-unreachable": ("dynamic-port-refused", "port-refused"),
         "reject with tcp reset": ("dynamic-port-refused", "port-refused")}
STEP = {"rfr": "referral", "nspi": "address book", "store": "store"}


@pytest.mark.peer("Linux' firewall")
@pytest.mark.parametrize("wall", WALLS)
@pytest.mark.parametrize("name", STEP)
def test_walk_with_a_firewall_before_a_service(namespace, server, name, wall):
    port = getattr(server, name)
    namespace.wall(port, wall)
    steps, verdict = walk(server)
    step = steps[STEP[name]]
    assert step["cause"] == WALLS[wall][0] and str(port) in step["sentence"] and verdict["exit"] in (13, 14)
    assert steps["mapper"]["result"] == "ok"
    assert verdict["failed"] == [step["step"]]


@pytest.mark.peer("Linux' firewall")
@pytest.mark.parametrize("wall", WALLS)
def test_walk_with_a_firewall_before_the_mapper(namespace, server, wall):
    namespace.wall(135, wall)
    steps, verdict = walk(server)
    assert steps["mapper"]["cause"] == WALLS[wall][1] and verdict["exit"] in (11, 12)


@pytest.mark.peer("Linux' firewall")
def test_ping_with_a_firewall(namespace, server):
    namespace.wall(server.nspi, "drop")
    done = run("ping", HOST, "--timeout", "1", "--json", check=False)
    answers = {row["iface"]: row["answers"] for row in map(json.loads, done.stdout.splitlines())}
    assert answers == {"rfr": True, "nspi": False, "emsmdb": True, "asyncemsmdb": True} and done.returncode == 14
