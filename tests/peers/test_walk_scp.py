"""Service connection points in an organisation's directory, OpenLDAP's slapd: found first, asked without a name first, and
never given a password in the clear."""
import shutil
import socket
import subprocess
import threading
import time

import pytest

from conftest import USERS, wait_for
from realm import free_port
from test_walk_address import PATH, steps, walk

SLAPD = shutil.which("slapd", path="/usr/sbin:/usr/bin")
pytestmark = [pytest.mark.skipif(not SLAPD, reason="slapd is not installed"), pytest.mark.peer("OpenLDAP's slapd")]

URL, POINTER = "77378F46-2C66-4aa9-A6A6-3E7A48B19596", "67661d7F-8FC4-4fa7-BFAC-E1D7794C1F68"

# The attributes and the class by their numbers of Active Directory's.
SCHEMA = """
attributetype ( 1.2.840.113556.1.4.48 NAME 'keywords' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
attributetype ( 1.2.840.113556.1.4.510 NAME 'serviceBindingInformation' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )
objectclass ( 1.2.840.113556.1.5.126 NAME 'serviceConnectionPoint' SUP top STRUCTURAL MUST cn
  MAY ( keywords $ serviceBindingInformation ) )
"""

CONF = """
include /etc/ldap/schema/core.schema
include {dir}/scp.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {dir}/slapd.pid
{tls}
database mdb
suffix "dc=demo,dc=test"
directory {dir}/data
rootdn "cn=admin,dc=demo,dc=test"
{access}
"""


class Directory:
    """A slapd with service connection points: (URL or pointer, its keywords)."""

    def __init__(self, folder, points, tls=True, access="access to * by * read"):
        folder.mkdir()
        (folder / "data").mkdir()
        (folder / "scp.schema").write_text(SCHEMA)
        self.cert = folder / "cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder / "key.pem",
                        "-out", self.cert], check=True, capture_output=True)
        certificate = f"TLSCertificateFile {self.cert}\nTLSCertificateKeyFile {folder}/key.pem" if tls else ""
        (folder / "slapd.conf").write_text(CONF.format(dir=folder, tls=certificate, access=access))
        (folder / "data.ldif").write_text(self.entries(points))
        subprocess.run([SLAPD, "-Tadd", "-f", folder / "slapd.conf", "-l", folder / "data.ldif"], check=True, capture_output=True)
        self.port, self.tls_port = free_port(), free_port()
        self.uri, self.tls_uri = f"ldap://127.0.0.1:{self.port}", f"ldaps://127.0.0.1:{self.tls_port}"
        self.process = subprocess.Popen([SLAPD, "-d", "0", "-f", folder / "slapd.conf", "-h", f"{self.uri} {self.tls_uri if tls else ''}"],
                                        stderr=subprocess.DEVNULL)
        assert wait_for(self.answers)

    @staticmethod
    def entries(points):
        out = ["dn: dc=demo,dc=test\nobjectClass: organization\nobjectClass: dcObject\no: demo\ndc: demo\n",
               "dn: cn=alice,dc=demo,dc=test\nobjectClass: person\ncn: alice\nsn: alice\nuserPassword: "
               f"{USERS['alice'][1]}\n"]
        for number, (where, *keywords) in enumerate(points):
            words = "".join(f"keywords: {word}\n" for word in keywords)
            out.append(f"dn: cn=scp{number},dc=demo,dc=test\nobjectClass: serviceConnectionPoint\ncn: scp{number}\n"
                       f"serviceBindingInformation: {where}\n{words}")
        return "\n".join(out)

    def answers(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=20)


@pytest.fixture
def directory(tmp_path):
    made = []

    def start(points, **options):
        made.append(Directory(tmp_path / f"ldap{len(made)}", points, **options))
        return made[-1]

    yield start
    for one in made:
        one.stop()


@pytest.fixture
def web(serve):
    return serve("--https-port", "0")


def url_of(web):
    return f"https://127.0.0.1:{web.web['https']}{PATH}"


def look(web, where, *trusted, address="alice@demo.invalid", words=()):
    """The tries: what a step says before its last colon, and the process. All certificates of `trusted` are believed."""
    bundle = web.state / "trusted.pem"
    bundle.write_text("".join(path.read_text() for path in (web.state / "tls-cert.pem", *trusted)))
    done = walk(web.state, "--ldap", where, "--ca-file", bundle, "--epm-port", web.epm, "--timeout", "15", *words, address=address)
    return [(step["where"], step["what"]) for step in steps(done) if "where" in step], done


def test_found_by_a_directory_that_proves_who_it_is(web, directory):
    """Then its word counts, though the service is outside of the mail domain; one for all sites comes before one's."""
    ldap = directory([("https://127.0.0.1:1" + PATH, URL, "Site=Oslo"), (url_of(web), URL), ("ldapi:///", "unrelated")])
    for where in ldap.uri, ldap.tls_uri:
        told, done = look(web, where, ldap.cert, address="alice@demo.test")
        assert told[:2] == [(where, "names 2 services"), (url_of(web), "settings")], told
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_directory_that_does_not_prove_it(web, directory):
    """Without TLS anybody may have answered: hosts of the mail domain alone get the password."""
    ldap = directory([(url_of(web), URL), ("http://127.0.0.1/", URL), ("https://demo.invalid@127.0.0.1/", URL)], tls=False)
    told, done = look(web, ldap.uri)
    assert told[:4] == [(ldap.uri, "names 3 services"), (url_of(web), "not below the address's domain: it gets no password"),
                        ("http://127.0.0.1/", "no https address"), ("https://demo.invalid@127.0.0.1/", "no https address")]
    assert done.returncode == 57 and "authentication refused" not in web.errors()


def test_a_certificate_that_is_not_trusted(web, directory):
    ldap = directory([(url_of(web), URL)])
    for where, what in (ldap.uri, "its certificate is not trusted, or not its own"), (ldap.tls_uri, ""):
        told, done = look(web, where)
        assert told[0][0] == where and what in told[0][1] and done.returncode == 57
        assert not any(step[0] == url_of(web) for step in told)


def test_pointers_to_other_directories(web, directory):
    """One for the mail domain before what else stands there; what that one names is followed once more, and not for ever."""
    last = directory([(url_of(web), URL)])
    first = directory([(url_of(web), URL), (f"LDAP://127.0.0.1:{last.port}", POINTER, "Domain=demo.invalid"),
                       ("LDAP://127.0.0.1:1", POINTER, "Domain=other.test")])
    told, _ = look(web, first.uri, first.cert, last.cert)
    assert told[:3] == [(first.uri, f"names the directory LDAP://127.0.0.1:{last.port}"),
                        (f"LDAP://127.0.0.1:{last.port}", "names 1 service"),
                        # Nobody but a directory has named that one.
                        (url_of(web), "not below the address's domain: it gets no password")]
    port = free_port()
    loop = directory([(f"LDAP://127.0.0.1:{port}", POINTER)])
    loop.stop()
    loop.process = subprocess.Popen([SLAPD, "-d", "0", "-f", loop.cert.parent / "slapd.conf", "-h", f"ldap://127.0.0.1:{port}"],
                                    stderr=subprocess.DEVNULL)
    loop.port = port
    assert wait_for(loop.answers)
    told, _ = look(web, f"ldap://127.0.0.1:{port}", loop.cert)
    assert sum("names the directory" in what for _, what in told) == 3


class Relay:
    """In front of a directory: keeps what clients say."""

    def __init__(self, behind):
        self.behind, self.said = behind, b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"ldap://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self.behind))
            threading.Thread(target=self.pump, args=(server, client, False), daemon=True).start()
            threading.Thread(target=self.pump, args=(client, server, True), daemon=True).start()

    def pump(self, source, to, keep):
        try:
            while data := source.recv(65536):
                self.said += data if keep else b""
                to.sendall(data)
            to.shutdown(socket.SHUT_WR)
        except OSError:
            pass


@pytest.mark.parametrize("tls", [True, False])
def test_password_in_tls_alone(web, directory, tls):
    """A directory that tells strangers nothing: who has logged on, in verified TLS, sees the services. -U is an LDAP name here,
    which our server does not know as a user."""
    ldap = directory([("https://demo.invalid" + PATH, URL)], tls=tls,
                     access="access to attrs=userPassword by anonymous auth\naccess to * by users read")
    relay = Relay(ldap.port)
    told, done = look(web, relay.uri, ldap.cert, words=("-U", "cn=alice,dc=demo,dc=test"))
    relay.listener.close()
    assert told[0] == (relay.uri, "names 1 service" if tls else "shows nothing to who has not logged on"), told
    assert USERS["alice"][1].encode() not in relay.said
    assert b"1.3.6.1.4.1.1466.20037" in relay.said  # it asked for TLS


def test_what_is_no_directory(web):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        for where, what in ("https://127.0.0.1/", "no address of a directory"), ("ldapi:///", "no address of a directory"), \
                ("ldap://127.0.0.1:1", "nothing answers there"), (f"ldap://127.0.0.1:{silent.getsockname()[1]}", "no answer in time"):
            began = time.monotonic()
            told, _ = look(web, where, words=("--timeout", "1"))
            assert told[0][0] == where and what in told[0][1] and time.monotonic() - began < 20
