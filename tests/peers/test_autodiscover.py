"""Autodiscover as curl asks for it: POX, SOAP, JSON, redirects, and who must say who he is."""
import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest

from conftest import USERS, run

pytestmark = pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")

POX = ('<?xml version="1.0" encoding="utf-8"?><Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/'
       'outlook/requestschema/2006"><Request><EMailAddress>%s</EMailAddress><AcceptableResponseSchema>http://schemas.'
       'microsoft.com/exchange/autodiscover/outlook/responseschema/2006a</AcceptableResponseSchema></Request>'
       '</Autodiscover>')
NS = {"r": "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a",
      "a": "http://schemas.microsoft.com/exchange/2010/Autodiscover"}


@pytest.fixture
def web(serve):
    return serve("--https-port", "0", "--http-port", "0")


def ask(server, path, *words, user="alice", port="https"):
    """Status, fields and body of the answer."""
    scheme = "https" if port == "https" else "http"
    login = ["-u", f"DEMO\\{user}:{USERS[user][1]}"] if user else []
    done = subprocess.run(["curl", "-s", "-D", "-", "--max-time", "20", "--cacert", str(server.state / "tls-cert.pem"),
                           *login, *words, f"{scheme}://127.0.0.1:{server.web[port]}{path}"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    parts = done.stdout.replace("\r\n", "\n").split("\n\n")
    heads = [p for p in parts if p.startswith("HTTP/1.1 ")]
    body = parts[parts.index(heads[-1]) + 1] if parts.index(heads[-1]) + 1 < len(parts) else ""
    return int(heads[-1].split()[1]), heads[-1], body


def pox(server, address, *words, **more):
    return ask(server, "/autodiscover/autodiscover.xml", "-H", "Content-Type: text/xml", "--data-binary",
               POX % address, *words, **more)


def test_pox(web):
    status, head, body = pox(web, "alice@demo.test", "-H", "X-MapiHttpCapability: 1")
    assert status == 200 and "text/xml" in head
    root = ET.fromstring(body.encode())
    assert root.findtext(".//r:DisplayName", namespaces=NS) == USERS["alice"][0]
    types = [p.findtext("r:Type", namespaces=NS) or p.get("Type") for p in root.iterfind(".//r:Protocol", NS)]
    assert types == ["EXCH", "EXPR", "mapiHttp"]
    at = f"127.0.0.1:{web.web['https']}"
    assert root.findtext(".//r:Protocol[2]/r:Server", namespaces=NS) == at
    assert root.findtext(".//r:MailStore/r:ExternalUrl", namespaces=NS).startswith(f"https://{at}/mapi/emsmdb/?MailboxId=")


def test_unknown_address_and_no_request(web):
    assert "<ErrorCode>500</ErrorCode>" in pox(web, "nobody@demo.test")[2]
    assert "<ErrorCode>600</ErrorCode>" in ask(web, "/autodiscover/autodiscover.xml")[2]


@pytest.mark.parametrize("path", ["/autodiscover/autodiscover.xml", "/autodiscover/autodiscover.svc"])
def test_nothing_without_a_user(web, path):
    status, head, body = ask(web, path, "--data-binary", POX % "alice@demo.test", user=None)
    assert status == 401 and "WWW-Authenticate" in head and "Alice" not in body


def test_soap(web):
    body = ('<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:a="%s"><s:Body>'
            '<a:GetUserSettingsRequestMessage><a:Request><a:Users><a:User><a:Mailbox>bob@demo.test</a:Mailbox></a:User>'
            '</a:Users><a:RequestedSettings><a:Setting>UserDisplayName</a:Setting><a:Setting>ExternalEwsUrl</a:Setting>'
            '</a:RequestedSettings></a:Request></a:GetUserSettingsRequestMessage></s:Body></s:Envelope>' % NS["a"])
    status, _, text = ask(web, "/autodiscover/autodiscover.svc", "-H", "Content-Type: text/xml", "--data-binary", body)
    assert status == 200
    root = ET.fromstring(text.encode())
    assert root.findtext(".//a:UserSetting/a:Value", namespaces=NS) == USERS["bob"][0]
    assert root.findtext(".//a:UserSettingError/a:SettingName", namespaces=NS) == "ExternalEwsUrl"
    status, _, text = ask(web, "/autodiscover/autodiscover.svc", "--data-binary", "<x/>")
    assert status == 500 and "Fault" in text


def test_json(web):
    """Open to all, so that it names no user."""
    answers = {ask(web, f"/autodiscover/autodiscover.json?Email={who}@demo.test&Protocol=AutodiscoverV1", user=None)[2]
               for who in ("alice", "nobody")}
    assert len(answers) == 1
    assert json.loads(answers.pop())["Url"] == f"https://127.0.0.1:{web.web['https']}/autodiscover/autodiscover.xml"
    below = ask(web, "/autodiscover/autodiscover.json/v1.0/alice@demo.test?Protocol=AutodiscoverV1", user=None)
    assert below[0] == 200
    assert ask(web, "/autodiscover/autodiscover.json?Protocol=Ews", user=None)[0] == 400


def test_redirect_before_a_password_is_asked_for(web):
    status, head, _ = ask(web, "/autodiscover/autodiscover.xml", user=None, port="http")
    assert status == 302 and "WWW-Authenticate" not in head
    assert re.search(rf"Location: https://127.0.0.1:{web.web['https']}/autodiscover/autodiscover.xml\s", head)


@pytest.mark.parametrize("body", ['<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + POX % "&x;",
                                  "<a>" * 5000, POX % ("a" * 100000), "\0" * 100])
def test_hostile_xml(web, body):
    file = web.state / "body.xml"
    file.write_text(body)
    status, _, text = ask(web, "/autodiscover/autodiscover.xml", "--data-binary", f"@{file}")
    assert status == 200 and re.search("<ErrorCode>(500|600)</ErrorCode>", text)
    assert "root:" not in text


def redirect(server, user, where):
    return run("user", "redirect", user, where, "--state", server.state)


def soap_of(*addresses):
    users = "".join(f"<a:User><a:Mailbox>{a}</a:Mailbox></a:User>" for a in addresses)
    return ('<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:a="%s"><s:Body><a:GetUserSettingsRequestMessage>'
            '<a:Request><a:Users>%s</a:Users><a:RequestedSettings><a:Setting>UserDisplayName</a:Setting></a:RequestedSettings>'
            '</a:Request></a:GetUserSettingsRequestMessage></s:Body></s:Envelope>' % (NS["a"], users))


@pytest.mark.parametrize("where, action, element", [
    ("bob@sub.demo.test", "redirectAddr", "RedirectAddr"),
    ("https://mail2.demo.test:444/autodiscover/autodiscover.xml", "redirectUrl", "RedirectUrl"),
])
def test_redirects(web, where, action, element):
    """Of one user, at once and by a server that runs, in both forms; the others' settings are as before."""
    redirect(web, "bob", where)
    root = ET.fromstring(pox(web, "bob@demo.test")[2].encode())
    assert root.findtext(".//r:Action", namespaces=NS) == action
    assert root.findtext(f".//r:{element}", namespaces=NS) == where and root.find(".//r:Protocol", NS) is None
    text = ask(web, "/autodiscover/autodiscover.svc", "--data-binary", soap_of("bob@demo.test", "zoe@demo.test"))[2]
    bob, zoe = ET.fromstring(text.encode()).iterfind(".//a:UserResponse", NS)
    assert bob.findtext("a:ErrorCode", namespaces=NS) == action[0].upper() + action[1:].replace("Addr", "Address")
    assert bob.findtext("a:RedirectTarget", namespaces=NS) == where and bob.find(".//a:UserSetting", NS) is None
    assert zoe.findtext("a:ErrorCode", namespaces=NS) == "NoError"
    redirect(web, "bob", "none")
    assert "<Action>settings</Action>" in pox(web, "bob@demo.test")[2]


def test_moved_mailboxes_redirect_too(serve):
    web = serve("--https-port", "0", "--moved", "bob=mail2.demo.test")
    assert "<RedirectUrl>https://mail2.demo.test/autodiscover/autodiscover.xml</RedirectUrl>" in pox(web, "bob@demo.test")[2]


@pytest.mark.parametrize("where", ["http://mail2.demo.test/", "https://a@evil.test/", "https://", "mail2", "x y@demo.test", "https://a/<b>"])
def test_redirects_that_are_none(web, where):
    done = run("user", "redirect", "bob", where, "--state", web.state, check=False)
    assert done.returncode != 0 and "neither a mail address nor a URL" in done.stderr
