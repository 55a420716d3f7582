"""A stage for faults: a network of its own with the mapper on port 135, tcpdump on it, and a line that delays and loses."""
import contextlib
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import pytest

from conftest import USERS, run, wait_for

HERE, THERE = "10.9.0.1", "10.9.0.2"
MARK = b"here the stage ends"


class Line:
    """10.9.0.2 is this machine again, behind a line of its own: a TUN device whose packets come back with their addresses
    exchanged, which leaves every checksum as it is. They are late by `delay`, or lost where `loses` says so."""

    def __init__(self, delay=0.0, loses=lambda packet: False):
        self.delay, self.loses, self.waiting, self.over = delay, loses, [], threading.Event()
        try:
            self.device = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(self.device, 0x400454CA, struct.pack("16sH22x", b"line", 0x1001))  # TUNSETIFF: TUN, no header
        except OSError as error:
            pytest.skip(f"no TUN device: {error}")
        subprocess.run(["ip", "addr", "add", f"{HERE}/24", "dev", "line"], check=True)
        subprocess.run(["ip", "link", "set", "line", "up"], check=True)
        self.threads = [threading.Thread(target=self.read), threading.Thread(target=self.write)]
        for thread in self.threads:
            thread.start()

    def read(self):
        while not self.over.is_set():
            if not select.select([self.device], [], [], 0.05)[0]:
                continue
            packet = os.read(self.device, 65536)
            if packet[0] >> 4 == 4 and not self.loses(packet):
                self.waiting.append((time.monotonic() + self.delay, packet[:12] + packet[16:20] + packet[12:16] + packet[20:]))

    def write(self):
        while not self.over.is_set():
            if not self.waiting:
                time.sleep(0.0005)
                continue
            due, packet = self.waiting.pop(0)
            time.sleep(max(0.0, due - time.monotonic()))
            os.write(self.device, packet)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join()
        os.close(self.device)


class Stage:
    """What goes over `device` from start to look() is captured; the lens is asked what is wrong with it."""

    def __init__(self, path, state, serve):
        self.path, self.state, self.serve_with = path, state, serve
        self.capture = path / "fault.pcap"
        self.secrets = path / "secrets"
        self.secrets.write_text("".join(f"password DEMO\\{name} {password}\n" for name, (_, password) in USERS.items()))
        self.dump = self.server = None

    def serve(self, *options):
        self.server = self.serve_with("--epm-port", "135", *options)
        return self.server

    def watch(self, device="lo", only="tcp"):
        if not shutil.which("tcpdump"):
            pytest.skip("tcpdump is not installed")
        self.dump = subprocess.Popen(["tcpdump", "-i", device, "-U", "--immediate-mode", "-B", "16384", "-s", "0", "-w", self.capture,
                                      f"udp or ({only})"],
                                     stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.where = "127.0.0.1" if device == "lo" else THERE
        line = self.dump.stderr.readline()
        if "listening" not in line:
            pytest.skip(f"tcpdump does not listen: {line.strip()}")

    def walk(self, *options, user="alice", password=None, host="127.0.0.1", timeout="5"):
        secret = self.path / "password"
        secret.write_text((password or USERS[user][1]) + "\n")
        return run("walk", host, "-U", f"DEMO\\{user}", "--password-file", secret, "--timeout", timeout, *options,
                   check=False)

    def look(self, *options):
        """Findings by cause, of what was captured so far. A machine that is busy is no fault, unless the test asks for it."""
        if "--slow" not in options:
            options += ("--slow", "4000,5000,20000,30000")
        if self.dump:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(MARK, (self.where, 9))
            assert wait_for(lambda: MARK in self.capture.read_bytes()), "tcpdump has not seen the last packet"
            self.dump.send_signal(signal.SIGINT)
            self.dump.communicate(timeout=20)
            self.dump = None
        done = run("look", "--problems", "--json", "--secrets", self.secrets, *options, self.capture)
        assert "Sanitizer" not in done.stderr, done.stderr
        self.text = run("look", "--problems", "--secrets", self.secrets, *options, self.capture).stdout
        found = {}
        for line in done.stdout.splitlines():
            finding = json.loads(line)
            found.setdefault(finding["finding"], finding)
        return found

    def events(self):
        done = run("look", "--json", "--secrets", self.secrets, self.capture)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def freeze(self):
        self.server.process.send_signal(signal.SIGSTOP)
        tasks = f"/proc/{self.server.process.pid}/task"
        assert wait_for(lambda: all(open(f"{tasks}/{t}/stat").read().split(") ")[1][0] == "T" for t in os.listdir(tasks)))

    def thaw(self):
        self.server.process.send_signal(signal.SIGCONT)

    @contextlib.contextmanager
    def frozen(self, seconds):
        """The server takes nothing for so long, from now on."""
        self.freeze()
        timer = threading.Timer(seconds, self.thaw)
        timer.start()
        yield
        timer.join()

    def close(self):
        if self.server and self.server.process.poll() is None:
            self.thaw()
        if self.dump:
            self.dump.kill()
            self.dump.communicate()


class Idle:
    """In front of a port: resets both sides once nothing has passed for so long, as firewalls and load balancers do."""

    def __init__(self, port, seconds):
        self.behind, self.seconds = port, seconds
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.relay, args=(client,), daemon=True).start()

    def relay(self, client):
        server = socket.create_connection(("127.0.0.1", self.behind))
        ends = {client: server, server: client}
        while ready := select.select(list(ends), [], [], self.seconds)[0]:
            for end in ready:
                data = end.recv(65536)
                if not data:
                    client.close()
                    server.close()
                    return
                ends[end].sendall(data)
        for end in ends:
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            end.close()

    def close(self):
        self.listener.close()
