"""The http part of bench/run."""
import pathlib
import re
import subprocess
import tempfile
import time

from common import BUILD, LOAD_CORE, PASSWORD, PROGRAM, USER, Failure, Server, generate, make_state, median, on_core, output_of

GROUP = "/o=DEMO/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn="
WHO = (f"DEMO\\{USER}", PASSWORD, GROUP + USER)
NAMES = {"rpch": "RPC over HTTP", "mapi": "MAPI over HTTP"}


class Web(Server):
    def __init__(self, *words):
        super().__init__(*words)
        self.web = {name: int(port) for name, port in re.findall(r"; (https|monitor) (\d+)", self.line)}


def counted(connections):
    return f"{connections} connection{'s' if connections > 1 else ''}"


def own_time(ours, theirs):
    """The ratio that no generator limits: of the server's own time for a call."""
    return median((b["server_cpu"] / b["calls"]) / (a["server_cpu"] / a["calls"]) for a, b in zip(ours, theirs))


def transports(table, server, seconds, rounds):
    """The same calls of the store over each transport, in turns."""
    ports = {"tcp": server.store, "rpch": server.web["https"], "mapi": server.web["https"]}
    for what, words, goal in (("noop", "EcDoRpcExt2 without ROPs", 0.6), ("read", "30,000 bytes of an attachment read", 0.8)):
        for connections in (1, 64):
            made = {name: [] for name in ports}
            for _ in range(rounds):
                for name, port in ports.items():
                    made[name].append(generate(what, name, port, connections, seconds, *WHO, server.process.pid,
                                               program="bench-transport"))
            for name in NAMES:
                rates = {n: [one["rate"] for one in made[n]] for n in (name, "tcp")}
                ratio = median(a / b for a, b in zip(rates[name], rates["tcp"]))
                busy = median(one["busy"] for one in made[name])
                shown = {n: f"{median(r):,.0f} calls/s" + (f", {median(r) * 0.03:,.0f} MB/s" if what == "read" else "")
                         for n, r in rates.items()}
                table.add(f"{words}, {NAMES[name]} in TLS, {counted(connections)}",
                          f"{shown[name]} (generator {busy:.0%} busy)", f"plain TCP {shown['tcp']}",
                          f"{ratio:.2f} (server's time {own_time(made[name], made['tcp']):.2f})", str(goal), ratio >= goal)


def execute_calls(table, server, seconds, rounds):
    for connections in (1, 64):
        ours, page = [], []
        for _ in range(rounds):
            ours.append(generate("noop", "mapi", server.web["https"], connections, seconds, *WHO, server.process.pid,
                                 program="bench-transport"))
            page.append(generate("page", server.web["https"], connections, seconds, server.process.pid, program="bench-http"))
        ratio = median(a["rate"] / b["rate"] for a, b in zip(ours, page))
        table.add(f"Execute without ROPs, MAPI over HTTP in TLS, {counted(connections)}",
                  f"{median(one['rate'] for one in ours):,.0f} calls/s",
                  f"GET / (1 KB, always the same) in TLS {median(one['rate'] for one in page):,.0f}/s",
                  f"{ratio:.2f} (server's time {own_time(ours, page):.2f})", "0.5", ratio >= 0.5)


def others(table, server, seconds, rounds):
    https = server.web["https"]
    sessions = median(generate("sessions", https, seconds, *WHO, program="bench-http")["rate"] for _ in range(rounds))
    table.add("new sessions: TLS, NTLM, Connect, Disconnect, one after the other", f"{sessions:,.0f}/s",
              "Gromox 110 to 211/s (measured before)", f"{sessions / 211:.1f}")
    for connections in (1, 64):
        rate = median(generate("autodiscover", https, connections, seconds, *WHO[:2], f"{USER}@demo.test", program="bench-http")["rate"]
                      for _ in range(rounds))
        table.add(f"Autodiscover (POX) in TLS, {counted(connections)}", f"{rate:,.0f} answers/s")


# ---- Parked waits ----

def resident(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024


class Parker:
    """bench-transport park, a step at a time."""

    def __init__(self, *words):
        self.process = subprocess.Popen([str(w) for w in (BUILD / "bench/bench-transport", "park", *words)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, preexec_fn=on_core(LOAD_CORE))

    def hears(self, word):
        if self.process.stdout.readline() != word + "\n":
            raise Failure("bench-transport park ended")

    def go_on(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def rest(self):
        out, _ = self.process.communicate("\n", timeout=120)
        if self.process.returncode:
            raise Failure("bench-transport park ended")
        return [line.split() for line in out.splitlines()]


def parked(table, transport, quick):
    users, each, rounds = (2, 5, 1) if quick else (80, 63, 40)
    with tempfile.TemporaryDirectory() as directory:
        state = make_state(pathlib.Path(directory))
        names = state / "users"
        for number in range(users):
            output_of(PROGRAM, "user", "add", f"user{number}@demo.test", "--state", state, "--password-file",
                      state / "password", stderr=subprocess.DEVNULL)
        names.write_text("".join(f"DEMO\\user{n} {PASSWORD} {GROUP}user{n}\n" for n in range(users)))
        with Web(state, "--https-port", "0", "--encryption", "optional") as server:
            parker = Parker(transport, server.web["https"], names, users * each, rounds)
            parker.hears("open")
            before = resident(server.process.pid)
            parker.go_on()
            parker.hears("parked")
            time.sleep(2)
            held = (resident(server.process.pid) - before) / (users * each)
            lines = parker.rest()
    wakes = sorted(float(us) for word, us in lines if word == "wake")
    saves = [float(us) for word, us in lines if word == "save"]
    what = "parked NotificationWaits" if transport == "mapi" else "parked OUT channels (each with its IN channel)"
    table.add(f"{users * each:,} {what}, TLS", f"{held / 1000:.1f} KB each", "", "", "below 60 KB", held < 60000)
    table.add(f"the same: news to {each} of them, from the save's request on",
              f"p50 {wakes[len(wakes) // 2] / 1000:.1f} ms, p99 {wakes[len(wakes) * 99 // 100] / 1000:.1f} ms",
              f"the save itself {median(saves) / 1000:.1f} ms")


def run(table, quick):
    seconds, rounds = (0.05, 1) if quick else (0.4, 9)
    with tempfile.TemporaryDirectory() as directory, \
            Web(make_state(pathlib.Path(directory)), "--https-port", "0", "--encryption", "optional") as server:
        transports(table, server, seconds, rounds)
        execute_calls(table, server, seconds, rounds)
        others(table, server, seconds, rounds)
    for transport in "mapi", "rpch":
        parked(table, transport, quick)
