"""Samba's own test program as a client of our server, in a network namespace where the mapper has port 135: what of its RPC
suites asks nothing that only Samba has, without authentication, and by NTLM, SPNEGO and Kerberos at each level."""
import re
import shutil
import subprocess

import pytest

from conftest import USERS, Server
from namespace import new_namespace
from realm import KDC, REALM, Realm

SMBTORTURE = shutil.which("smbtorture")
pytestmark = [pytest.mark.peer("smbtorture"),
              pytest.mark.skipif(not SMBTORTURE, reason="smbtorture is not installed: apt-get install samba-testsuite")]

SUITES = {"rpc.epmapper": ["Map_simple", "Lookup_terminate_search"], "rpc.mgmt": ["mgmt"], "rpc.scanner": ["scanner"]}
# What is not asked of us, and why.
EXCLUDED = {
    "rpc.epmapper Lookup_simple": "wants ept_s_not_registered with the last entries, which rpcclient and impacket would then not "
                                  "take; Samba's domain controller fails it too",
    "rpc.epmapper in NDR64": "Samba has four bytes for the counts of the annotation's characters, [MS-RPCE] 2.2.5 has eight",
}
# Of the others: rpc.bind, rpc.altercontext, rpc.handles, rpc.objectuuid and rpc.countcalls talk to LSA, SAMR or the
# directory's replication. What rpc.bind asks of the runtime (each provider, signed, sealed, big-endian) these bindings ask.
PROVIDERS = ["ntlm", "spnego", "krb5", "spnego,krb5"]
LEVELS = ["connect", "packet", "sign", "seal"]
BINDINGS = (["", "bigendian", "ndr64"]
            + [f"{provider},{level}" for provider in PROVIDERS for level in LEVELS]
            + [f"{more},{provider},seal" for provider in PROVIDERS for more in ("bigendian", "ndr64")])
CASES = [(suite, name, binding) for binding in BINDINGS for suite, names in SUITES.items() for name in names
         if not ("ndr64" in binding and suite == "rpc.epmapper")
         and not (suite == "rpc.scanner" and binding and "seal" not in binding)]
RESULT = re.compile(r"^(success|failure|error|skip): (?:\w+\.)?(\w+)", re.M)


@pytest.fixture(scope="module")
def place(state_template, tmp_path_factory):
    """A server that names its mapper's port to nobody, and a KDC."""
    folder = tmp_path_factory.mktemp("smbtorture")
    state = folder / "state"
    subprocess.run(["cp", "-a", str(state_template), str(state)], check=True)
    (folder / "smb.conf").write_text(f"[global]\nworkgroup = DEMO\nrealm = {REALM}\ninterfaces = 127.0.0.1\n", encoding="utf-8")
    with new_namespace() as namespace, namespace:
        realm = Realm(tmp_path_factory.mktemp("realm")) if KDC else None
        server = Server(state, "--epm-port", "135", *(["--keytab", str(realm.keytab)] if realm else []))
        yield folder, realm
        server.stop()
        if realm:
            realm.stop()


@pytest.fixture(scope="module")
def results(place):
    """What a suite says by this binding, asked once: the outcome and the output of each of its tests."""
    folder, realm = place
    said = {}

    def ask(suite, binding):
        if (suite, binding) not in said:
            with_ticket = "krb5" in binding
            where = f"{binding},target_hostname=mail.demo.test,target_principal=host/mail.demo.test@{REALM}" \
                if with_ticket else binding
            words = [SMBTORTURE, "-s", folder / "smb.conf", f"ncacn_ip_tcp:127.0.0.1[{where}]", suite,
                     "--use-kerberos", "required" if with_ticket else "off",
                     "-U", f"{f'alice@{REALM}' if with_ticket else 'DEMO/alice'}%{USERS['alice'][1]}"]
            done = subprocess.run(words, env=realm.env if realm else None, capture_output=True, text=True, timeout=60)
            said[suite, binding] = (dict((name, how) for how, name in RESULT.findall(done.stdout)), done.stdout + done.stderr)
        return said[suite, binding]

    return ask


@pytest.mark.parametrize("suite, name, binding", CASES)
def test_smbtorture(results, suite, name, binding):
    if "krb5" in binding and not KDC:
        pytest.skip("krb5-kdc is not installed")
    outcomes, output = results(suite, binding)
    assert outcomes.get(name) == "success", output[-3000:]


@pytest.mark.parametrize("name", ["Map_full", "Insert_noreplace"])
def test_no_insert(results, name):
    """Both insert an endpoint, which a remote caller may not: [MS-RPCE] 3.3.3.4."""
    outcomes, output = results("rpc.epmapper", "ntlm,seal")
    assert outcomes[name] == "failure" and "epm_Insert failed - NT_STATUS_ACCESS_DENIED" in output


@pytest.mark.parametrize("name", EXCLUDED)
def test_not_asked(name):
    pytest.skip(EXCLUDED[name])
