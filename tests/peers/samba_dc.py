"""A domain controller of Samba's in a network namespace: the realm DC.TEST, made anew for each run of the tests."""
import os
import pathlib
import shutil
import socket
import subprocess
import sys

import pytest

from conftest import USERS, wait_for

REALM, DOMAIN, HOST = "DC.TEST", "DCTEST", "dc1"
ADMINISTRATOR = ("Administrator", "Adm1n-Pass")
EPM, KDC = 135, 88

# `samba-tool domain provision`, then users, in one process: loading Samba takes longer than adding a user does.
PROVISION = """
import sys
from samba.netcmd.main import cmd_sambatool
target, realm, domain, host, password, *users = sys.argv[1:]
conf = target + "/etc/smb.conf"
assert not cmd_sambatool()._run(
    "samba-tool", "domain", "provision", "--targetdir=" + target, "--server-role=dc", "--dns-backend=NONE",
    "--realm=" + realm, "--domain=" + domain, "--host-name=" + host, "--host-ip=127.0.0.1", "--adminpass=" + password)
from samba.auth import system_session
from samba.param import LoadParm
from samba.samdb import SamDB
settings = LoadParm(conf)
directory = SamDB(url=settings.samdb_url(), session_info=system_session(), lp=settings)
for user in users:
    directory.newuser(*user.split(":", 1))
"""


def find(name):
    path = shutil.which(name, path="/usr/sbin:/usr/bin")
    if not path:
        pytest.skip(f"{name} is not installed: tools/deps test installs it")
    return path


class DomainController:
    """Started in the namespace, where it listens on its well-known ports. Users are those of USERS."""

    def __init__(self, path, namespace):
        self.path, self.namespace = path, namespace
        self.config = path / "smb.conf"
        samba = find("samba")
        self._provision()
        self._configure()
        with namespace, open(path / "output", "w") as output:
            self.process = subprocess.Popen(
                [samba, "-s", self.config, "-F", "--no-process-group", "-M", "single"], env=self.env,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        if not wait_for(lambda: self.answers(EPM) and self.answers(KDC), 30):
            self.stop()
            pytest.fail(f"samba did not start:\n{self.log()}")

    def _provision(self):
        if not pathlib.Path("/usr/share/samba/setup/provision.ldif").exists():
            pytest.skip("samba-ad-provision is not installed: tools/deps test installs it")
        users = [f"{name}:{password}" for name, (_, password) in USERS.items()]
        done = subprocess.run(
            [sys.executable, "-c", PROVISION, self.path / "domain", REALM, DOMAIN, HOST, ADMINISTRATOR[1], *users],
            env={**os.environ, "TDB_NO_FSYNC": "1"}, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]

    def _configure(self):
        """Only what the tests use, and nothing outside of the test's directory."""
        domain = self.path / "domain"
        folders = {"private dir": "private", "state directory": "state", "cache directory": "cache",
                   "lock directory": "lock", "pid directory": "pid", "ncalrpc dir": "ncalrpc",
                   "winbindd socket directory": "winbindd", "ntp signd socket directory": "ntp", "binddns dir": "dns"}
        lines = [f"{option} = {domain / folder}" for option, folder in folders.items()]
        for folder in folders.values():
            (domain / folder).mkdir(exist_ok=True)
        self.config.write_text("\n".join(["[global]", *lines, f"""netbios name = {HOST}
workgroup = {DOMAIN}
realm = {REALM}
server role = active directory domain controller
server services = rpc, kdc
interfaces = lo
bind interfaces only = yes
log file = {self.path}/log
log level = 1
"""]), encoding="utf-8")
        (self.path / "krb5.conf").write_text(f"""[libdefaults]
 default_realm = {REALM}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
[realms]
 {REALM} = {{
  kdc = 127.0.0.1:{KDC}
 }}
[domain_realm]
 .{REALM.lower()} = {REALM}
""", encoding="utf-8")
        self.env = {**os.environ, "TDB_NO_FSYNC": "1", "SMB_CONF_PATH": str(self.config),
                    "KRB5_CONFIG": str(self.path / "krb5.conf"), "KRB5CCNAME": f"FILE:{self.path}/no-tickets"}

    def answers(self, port):
        with self.namespace, socket.socket() as probe:
            return self.process.poll() is None and probe.connect_ex(("127.0.0.1", port)) == 0

    def run(self, *words, stdin=None, timeout=60):
        """A program beside the controller."""
        with self.namespace:
            return subprocess.run([str(word) for word in words], env=self.env, input=stdin, capture_output=True,
                                  text=True, timeout=timeout)

    def log(self):
        return "".join(path.read_text(errors="replace") for path in (self.path / "output", self.path / "log")
                       if path.exists())

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=20)
