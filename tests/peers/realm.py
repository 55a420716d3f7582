"""A realm with a KDC of MIT's on loopback."""
import os
import shutil
import socket
import subprocess

import pytest

from conftest import USERS, wait_for

KDC = shutil.which("krb5kdc", path="/usr/sbin:/usr/bin")
REALM = "DEMO.TEST"
STORE = "exchangeMDB/mail.demo.test"
AES, RC4 = "aes256-cts-hmac-sha1-96", "arcfour-hmac"
# By host, so that each client's choice of a cipher is made by the service's only key.
SERVICES = {STORE: AES, "exchangeMDB/old.demo.test": RC4, "host/aes.demo.test": AES, "host/rc4.demo.test": RC4,
            "host/mail.demo.test": AES}
PASSWORD = USERS["alice"][1]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Realm:
    """A realm with alice, who is also a mailbox user; `stranger`, who is not; and the services in a keytab."""

    def __init__(self, path):
        self.path = path
        self.port = free_port()
        self.keytab = path / "services.keytab"
        self.env = {**os.environ, "KRB5_CONFIG": str(path / "krb5.conf"), "KRB5_KDC_PROFILE": str(path / "kdc.conf"),
                    "KRB5CCNAME": f"FILE:{path}/nothing"}
        for name, more in (("krb5.conf", ""), ("rc4.conf", f" permitted_enctypes = {RC4}\n")):
            (path / name).write_text(f"""[libdefaults]
 default_realm = {REALM}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
 allow_rc4 = true
 allow_weak_crypto = true
{more}[realms]
 {REALM} = {{
  kdc = 127.0.0.1:{self.port}
 }}
""")
        (path / "kdc.conf").write_text(f"""[kdcdefaults]
 kdc_listen = 127.0.0.1:{self.port}
 kdc_tcp_listen = 127.0.0.1:{self.port}
[realms]
 {REALM} = {{
  database_name = {path}/principal
  key_stash_file = {path}/stash
  acl_file = {path}/acl
  supported_enctypes = {AES}:normal {RC4}:normal
 }}
[logging]
 kdc = FILE:{path}/kdc.log
""")
        self.command("/usr/sbin/kdb5_util", "create", "-s", "-r", REALM, "-P", "master")
        for user in ("alice", "stranger"):
            self.admin(f"addprinc -pw {PASSWORD} {user}")
        for service, cipher in SERVICES.items():
            self.admin(f"addprinc -e {cipher}:normal -randkey {service}")
            self.admin(f"ktadd -norandkey -k {self.keytab} {service}")
        self.admin("addprinc -randkey host/elsewhere.demo.test")
        self.process = subprocess.Popen([KDC, "-n", "-P", str(path / "kdc.pid")], env=self.env,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert wait_for(self.answers), (path / "kdc.log").read_text()

    def env_for(self, service):
        """MIT's programs settle on their best cipher whatever keys a service has (RFC 4537): held back for RC4's sake."""
        config = "rc4.conf" if SERVICES.get(service) == RC4 else "krb5.conf"
        return {**self.env, "KRB5_CONFIG": str(self.path / config)}

    def command(self, *words, stdin=None, env=None):
        done = subprocess.run(words, env=env or self.env, input=stdin, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"

    def admin(self, query):
        self.command("/usr/sbin/kadmin.local", "-r", REALM, "-q", query)

    def answers(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def tickets(self, service=STORE, user="alice"):
        """A fresh ticket cache with a ticket for this."""
        cache = self.path / f"cache-{free_port()}"
        self.env["KRB5CCNAME"] = f"FILE:{cache}"
        env = self.env_for(service)
        self.command("kinit", f"{user}@{REALM}", stdin=PASSWORD + "\n", env=env)
        self.command("kvno", service, env=env)
        return self.env["KRB5CCNAME"]

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=30)
