"""SPNEGO around NTLM: Samba's RPC client against our server. It proves and checks mechListMIC, and every signature."""
import pytest

from conftest import USERS

param = pytest.importorskip("samba.param", reason="python3-samba is not installed")
from samba import NTSTATUSError, credentials  # noqa: E402
from samba.dcerpc import mgmt  # noqa: E402

LEVELS = ["connect", "packet", "sign", "seal"]
SETTINGS = param.LoadParm()


def as_user(name, password=None):
    who = credentials.Credentials()
    who.guess(SETTINGS)
    who.set_domain("DEMO")
    who.set_username(name)
    who.set_password(password or USERS[name][1])
    who.set_kerberos_state(credentials.DONT_USE_KERBEROS)
    return who


def management(server, options, who):
    return mgmt.mgmt(f"ncacn_ip_tcp:127.0.0.1[{server.epm},{options}]", SETTINGS, who)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("provider", ["spnego", "ntlm"])
def test_samba_as_client(server, provider, level):
    connection = management(server, f"{provider},{level}", as_user("alice"))
    for _ in range(20):
        assert len(connection.inq_if_ids().if_id) > 0


def test_unusual_names(server):
    assert management(server, "spnego,seal", as_user("zoe")).inq_if_ids().if_id


@pytest.mark.parametrize("level", LEVELS)
def test_wrong_password(server, level):
    """The refusal comes in the handshake, not with the first call."""
    with pytest.raises(NTSTATUSError) as refusal:
        management(server, f"spnego,{level}", as_user("alice", "wrong"))
    assert refusal.value.args[0] == 0xC000006D
    assert management(server, f"spnego,{level}", as_user("alice")).inq_if_ids().if_id, "the server goes on"
