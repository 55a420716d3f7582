"""Connections of impacket's RPC client to our server, at every level."""
from impacket.dcerpc.v5 import rpcrt, transport

from conftest import USERS

LEVELS = {
    "none": None,
    "connect": rpcrt.RPC_C_AUTHN_LEVEL_CONNECT,
    "integrity": rpcrt.RPC_C_AUTHN_LEVEL_PKT_INTEGRITY,
    "privacy": rpcrt.RPC_C_AUTHN_LEVEL_PKT_PRIVACY,
}


def open_rpc(port, level="privacy", user="alice", password=None, timeout=30):
    """Connected, not yet bound."""
    rpc_transport = transport.DCERPCTransportFactory(f"ncacn_ip_tcp:127.0.0.1[{port}]")
    rpc_transport.set_connect_timeout(timeout)
    rpc_transport.set_credentials(user, password or USERS[user][1], "DEMO")
    rpc = rpc_transport.get_dce_rpc()
    if LEVELS[level] is not None:
        rpc.set_auth_type(rpcrt.RPC_C_AUTHN_WINNT)
        rpc.set_auth_level(LEVELS[level])
    rpc.connect()
    return rpc


def bound_rpc(port, interface, level="privacy", user="alice", password=None):
    rpc = open_rpc(port, level, user, password)
    rpc.bind(interface)
    return rpc


def dn_of(user):
    return f"/o=DEMO/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn={user}"
