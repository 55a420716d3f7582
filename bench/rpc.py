"""The part `rpc` of bench/run: the RPC runtime against a bare echo server, Samba, ciphers and copies. What each is stands in
docs/benchmarks.md.

Every ratio is of two things that were measured in turns, in this run; the medians of short runs count."""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from common import (BUILD, LOAD_CORE, PASSWORD, SERVER_CORE, USER, Background, Failure, Server, generate, make_state, median,
                    on_core, output_of)

ROOT = pathlib.Path(__file__).resolve().parents[1]
CONNECTIONS = (1, 64, 1024)
ECHO_GOAL, SAMBA_GOAL, PLAIN_GOAL, CIPHER_GOAL, IDLE_GOAL = 0.8, 5, 0.7, 0.6, 12 << 10
IDLE = 10_000


def own_seconds(process):
    """Processor time of all its threads, by the scheduler's nanoseconds."""
    tasks = pathlib.Path(f"/proc/{process.pid}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9


def ratio_row(table, what, ours, theirs, name, goal):
    ratio = median(a / b for a, b in zip(ours, theirs))
    table.add(what, f"{median(ours):,.0f} calls/s", f"{name} {median(theirs):,.0f}/s", f"{ratio:.2f}", f"{goal}",
              ratio >= goal)


# ---- Samba's endpoint mapper ----


class Samba:
    """A domain controller of Samba's in a network namespace, as the tests start it, on the server's core."""

    def __init__(self, directory):
        sys.path.insert(0, str(ROOT / "tests" / "peers"))
        from namespace import Namespace
        from samba_dc import DomainController
        self.network = Namespace()
        self.controller = DomainController(directory, self.network)
        pid = self.controller.process.pid
        os.sched_setaffinity(pid, {SERVER_CORE})
        os.sched_setscheduler(pid, os.SCHED_FIFO, os.sched_param(1))
        import resource
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (8192, 8192))

    def map(self, connections, seconds):
        with self.network:
            return generate("map", 135, connections, seconds, "drsuapi")

    def stop(self):
        self.controller.stop()


def start_samba(directory):
    """It, or None and why not."""
    if os.geteuid() != 0:
        return None, "needs root"
    try:
        return Samba(directory), ""
    except BaseException as why:  # pytest.skip's is no Exception
        if isinstance(why, KeyboardInterrupt):
            raise
        return None, str(why).splitlines()[0][:60]


# ---- The endpoint mapper ----


def with_own_time(process, measure):
    """What was measured, with the processor time that the server took for each call."""
    before = own_seconds(process)
    made = measure()
    made["own"] = (own_seconds(process) - before) / made["calls"]
    return made


def map_rounds(server, echo, samba, sizes, connections, seconds, rounds):
    measured = {"ours": [], "echo": [], "samba": []}
    for _ in range(rounds):
        measured["ours"].append(with_own_time(server.process, lambda: generate("map", server.epm, connections, seconds)))
        measured["echo"].append(with_own_time(echo.process, lambda: generate(
            "echo", int(echo.line), connections, seconds, sizes["request"], sizes["answer"])))
        if samba:
            measured["samba"].append(with_own_time(samba.controller.process, lambda: samba.map(connections, seconds)))
    return measured


def map_row(table, what, ours, theirs, name, goal):
    """The ratio of what the generator got; in brackets that of the servers' own processor time, whatever limits the rest."""
    def of(made, key):
        return median(one[key] for one in made)
    ratio = median(a["rate"] / b["rate"] for a, b in zip(ours, theirs))
    own = median(b["own"] / a["own"] for a, b in zip(ours, theirs))
    table.add(what, f"{of(ours, 'rate'):,.0f} calls/s (generator {of(ours, 'busy'):.0%} busy)",
              f"{name} {of(theirs, 'rate'):,.0f}/s ({of(theirs, 'busy'):.0%})", f"{ratio:.2f} ({own:.2f})", f"{goal}",
              ratio >= goal)


def mapper(table, quick, server, directory):
    seconds, rounds = (0.05, 1) if quick else (0.4, 7)
    samba, why = start_samba(directory / "samba")
    sizes = generate("map", server.epm, 1, 0.05)
    try:
        with Background(BUILD / "bench/bench-echo", sizes["request"], sizes["answer"]) as echo:
            for connections in CONNECTIONS:
                m = map_rounds(server, echo, samba, sizes, connections, seconds, rounds)
                name = f"ept_map, {connections:,} connection{'s' if connections > 1 else ''}"
                map_row(table, name, m["ours"], m["echo"], "echo", ECHO_GOAL)
                if samba:
                    map_row(table, name, m["ours"], m["samba"], "Samba", SAMBA_GOAL)
    finally:
        if samba:
            samba.stop()
        else:
            table.add("ept_map against Samba", f"left out: {why}")


# ---- Sealed calls ----


def micro(*words):
    made = json.loads(output_of(BUILD / "bench/bench-micro", *words, core=LOAD_CORE))
    time.sleep(float(words[-1] if words[0] != "sealed" else words[3]) / 4)
    return made


def rate(made):
    return made["calls"] / made["seconds"]


def start_realm(directory):
    """A KDC and a service's keytab, as the tests make them; or None."""
    sys.path.insert(0, str(ROOT / "tests" / "peers"))
    try:
        from realm import KDC, Realm
    except ImportError:
        return None
    directory.mkdir()
    return Realm(directory) if KDC else None


def sealed(table, quick, directory):
    seconds, rounds = (0.05, 1) if quick else (0.3, 5)
    realm = start_realm(directory / "realm")
    providers = {"ntlm": ()}
    if realm:
        os.environ["KRB5_CONFIG"] = realm.env["KRB5_CONFIG"]
        from realm import PASSWORD as password, REALM, STORE
        providers["kerberos"] = (realm.keytab, STORE, "alice", REALM, password)
    try:
        for provider, more in providers.items():
            plain, ours, cipher = [], [], []
            for _ in range(rounds):
                plain.append(rate(micro("sealed", "none", SERVER_CORE, seconds)))
                ours.append(rate(micro("sealed", provider, SERVER_CORE, seconds, *more)))
                cipher.append(rate(micro("cipher", provider, seconds)))
            name = f"calls of 32 KiB each way, {'NTLM' if provider == 'ntlm' else 'Kerberos AES'} privacy"
            ratio_row(table, name, ours, plain, "plain", PLAIN_GOAL)
            ratio_row(table, name, ours, cipher, "cipher alone", CIPHER_GOAL)
    finally:
        if realm:
            realm.stop()
        else:
            table.add("the same with Kerberos", "left out: krb5-kdc is not installed")


# ---- NDR ----


def rows(table, quick):
    made = micro("rows", 0.05 if quick else 2)
    for way in ("decode", "encode"):
        table.add(f"NDR: {way} 50 address book rows ({made['size']:,} bytes)", f"{made[way] / 1e9:.2f} GB/s",
                  f"memcpy {made['copy'] / 1e9:.1f} GB/s", f"{made[way] / made['copy']:.3f}")


# ---- Connections ----


def resident(server):
    with open(f"/proc/{server.process.pid}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def held_idle(server, count, *words):
    """Resident bytes for each of so many more connections."""
    before = resident(server)
    command = [BUILD / "bench/bench-generator", "idle", *words[:1], count, *words[1:]]
    with subprocess.Popen([str(w) for w in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          preexec_fn=on_core(LOAD_CORE, first=False)) as process:
        if process.stdout.readline() != "ready\n":
            raise Failure(f"{count} connections could not be opened")
        time.sleep(0.2)
        out = (resident(server) - before) / count
        process.stdin.close()
    return out


def idle(table, quick, state):
    count = 100 if quick else IDLE
    for name, words in (("bound to the mapper", ("mapper",)), ("logged on, NTLM privacy", ("nspi", f"DEMO\\{USER}", PASSWORD))):
        with Server(state) as server:
            generate("map", server.epm, 8, 0.05)
            each = held_idle(server, count, server.epm if words[0] == "mapper" else server.nspi, *words)
        table.add(f"{count:,} connections held idle, {name}", f"{each:,.0f} resident bytes each", "", "",
                  f"{IDLE_GOAL:,}", each < IDLE_GOAL)


def logons(table, quick, server):
    seconds, rounds, at_once = (0.1, 1, 2) if quick else (0.8, 3, 4)
    rates, generators, servers = [], [], []
    words = [str(w) for w in (BUILD / "bench/bench-generator", "logon", server.epm, 1, seconds, f"DEMO\\{USER}", PASSWORD)]
    for _ in range(rounds):
        before = own_seconds(server.process)
        running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True, preexec_fn=on_core(LOAD_CORE, first=False))
                   for _ in range(at_once)]
        made = [json.loads(process.communicate()[0]) for process in running]
        rates.append(sum(rate(each) for each in made))
        generators.append(sum(each["cpu"] for each in made) / seconds)
        servers.append((own_seconds(server.process) - before) / seconds)
    per_core = median(a / max(b, 0.01) for a, b in zip(rates, servers))
    table.add("new connections with NTLM and one sealed call", f"{median(rates):,.0f}/s (generator {median(generators):.0%}, "
              f"server {median(servers):.0%} of a core: {per_core:,.0f}/s a core)")


def run(table, quick):
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        (directory / "state").mkdir()
        (directory / "samba").mkdir()
        state = make_state(directory / "state")
        with Server(state) as server:
            mapper(table, quick, server, directory)
            logons(table, quick, server)
        sealed(table, quick, directory)
        rows(table, quick)
        idle(table, quick, state)
