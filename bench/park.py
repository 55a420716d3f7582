#!/usr/bin/env python3
"""Parks NotificationWaits over TLS and says what each holds.

usage: bench/park.py PORT PID USERS EACH    (users user0, user1 ... with the password of bench/run)

Prints one JSON object. Each parked wait is a TLS connection, a session context and a session of the store."""
import base64
import http.client
import json
import pathlib
import ssl
import struct
import sys
import time

PASSWORD = "Wonderland-1"
GROUP = "/o=DEMO/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn="
CONTEXT = ssl.create_default_context()
CONTEXT.check_hostname, CONTEXT.verify_mode = False, ssl.CERT_NONE


class Client:
    def __init__(self, port, user):
        self.http = http.client.HTTPSConnection("127.0.0.1", port, context=CONTEXT)
        self.user, self.cookies = user, {}

    def send(self, kind, body):
        basic = base64.b64encode(f"DEMO\\{self.user}:{PASSWORD}".encode()).decode()
        fields = {"Authorization": f"Basic {basic}", "Content-Type": "application/mapi-http", "X-RequestType": kind,
                  "X-RequestId": "1", "X-ClientInfo": "bench"}
        if self.cookies:
            fields["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        self.http.request("POST", "/mapi/emsmdb/", body, fields)

    def ask(self, kind, body):
        self.send(kind, body)
        answer = self.http.getresponse()
        data = answer.read()
        assert answer.status == 200 and answer.headers["X-ResponseCode"] == "0", data
        for cookie in answer.headers.get_all("Set-Cookie", []):
            name, value = cookie.split(";")[0].split("=", 1)
            self.cookies[name] = value
        return data.split(b"\r\n\r\n", 1)[1]

    def connect(self):
        body = self.ask("Connect", (GROUP + self.user).encode() + b"\0" + struct.pack("<5I", 0, 1252, 0x409, 0x409, 0))
        assert body[:4] == b"\0" * 4, body
        return self


def resident(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024


def main():
    port, pid, users, each = (int(word) for word in sys.argv[1:5])
    writers = [Client(port, f"user{u}").connect() for u in range(users)]  # mailboxes are open from here on
    before = resident(pid)
    parked = []
    for n in range(users * each):
        client = Client(port, f"user{n % users}").connect()
        client.send("NotificationWait", struct.pack("<2I", 0, 0))
        parked.append(client)
    time.sleep(3)
    held = (resident(pid) - before) / len(parked)
    print(json.dumps({"parked": len(parked), "bytes": held, "writers": len(writers)}))


if __name__ == "__main__":
    main()
