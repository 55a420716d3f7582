"""The http part of bench/run."""
import json
import pathlib
import re
import sys
import tempfile

from common import LOAD_CORE, PASSWORD, PROGRAM, ROOT, USER, Server, generate, make_state, median, output_of

GROUP = "/o=DEMO/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn="


class Web(Server):
    def __init__(self, *words):
        super().__init__(*words)
        self.web = {name: int(port) for name, port in re.findall(r"; (https|monitor) (\d+)", self.line)}


def execute_calls(table, quick):
    seconds, rounds = (0.05, 1) if quick else (0.4, 9)
    with tempfile.TemporaryDirectory() as directory, \
            Web(make_state(pathlib.Path(directory)), "--https-port", "0", "--monitor-port", "0") as server:
        for connections in (1, 64):
            ours, page, busy = [], [], []
            for _ in range(rounds):
                one = generate("execute", server.web["https"], connections, seconds, f"DEMO\\{USER}", PASSWORD,
                               GROUP + USER, program="bench-http")
                two = generate("metrics", server.web["monitor"], connections, seconds, program="bench-http")
                ours.append(one["rate"])
                page.append(two["rate"])
                busy.append(one["busy"])
            ratio = median(a / b for a, b in zip(ours, page))
            table.add(f"Execute without ROPs, {connections} connection{'s' if connections > 1 else ''}, TLS",
                      f"{median(ours):,.0f} calls/s (generator {median(busy):.0%} busy)",
                      f"GET /metrics, no TLS, {median(page):,.0f}/s", f"{ratio:.2f}", "0.5", ratio >= 0.5)


def parked_waits(table, quick):
    users, each = (2, 5) if quick else (80, 63)
    with tempfile.TemporaryDirectory() as directory:
        state = make_state(pathlib.Path(directory))
        for number in range(users):
            output_of(PROGRAM, "user", "add", f"user{number}@demo.test", "--state", state, "--password-file",
                      state / "password")
        with Web(state, "--https-port", "0") as server:
            made = json.loads(output_of(sys.executable, ROOT / "bench/park.py", server.web["https"], server.process.pid,
                                        users, each, core=LOAD_CORE))
    table.add(f"{made['parked']:,} parked NotificationWaits, TLS", f"{made['bytes'] / 1000:.1f} KB each", "", "",
              "below 60 KB", made["bytes"] < 60000)


def run(table, quick):
    execute_calls(table, quick)
    parked_waits(table, quick)
