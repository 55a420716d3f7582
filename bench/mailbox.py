"""The store under load: a folder of many messages read, messages saved, searches, a large attachment, many mailboxes on
one and two loops, idle sessions. bench-rops has the sessions, bench-store the mailbox without a server."""
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time

from common import BUILD, LOAD_CORE, PASSWORD, PROGRAM, ROOT, SERVER_CORE, USER, Failure, Server, make_state, median, output_of

GROUP = "/o=DEMO/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn="
GROMOX_READ, GROMOX_SAVE = 214, 143  # /s: a folder of few messages read; saves of four writers
MESSAGES, FEW, USERS = 100_000, 1000, 100


def add_users(state, count):
    """That many users, and the file that names them for bench-rops."""
    lines = []
    for i in range(count):
        name = USER if i == 0 else f"user{i}"
        if i > 0:
            output_of(PROGRAM, "user", "add", f"{name}@demo.test", "--state", state, "--password-file", state / "password")
        lines.append(f"DEMO\\{name} {PASSWORD} {GROUP}{name}")
    names = state / f"users.{count}"
    names.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return names


def rops(*words, core=LOAD_CORE):
    made = json.loads(output_of(BUILD / "bench/bench-rops", *words, core=core))
    if "calls" in made:
        made["rate"] = made["calls"] / made["seconds"]
    return made


def cpu_of(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_now(pid, what="VmRSS"):
    return int(re.search(rf"{what}:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) / 1024


def full_mailbox(table, quick):
    count, seconds, rounds = (2000, 0.1, 1) if quick else (MESSAGES, 1, 5)
    with tempfile.TemporaryDirectory() as directory:
        state = make_state(pathlib.Path(directory))
        names = add_users(state, 1)
        guid = next((state / "mailboxes").glob("*.sqlite")).stem
        with Server(state, "--encryption", "optional") as server:
            few = median(rops("read", server.store, names, 1, seconds)["rate"] for _ in range(rounds))
        output_of(BUILD / "bench/bench-store", "fill", state, guid, FEW)
        with Server(state, "--encryption", "optional") as server:
            some = median(rops("read", server.store, names, 1, seconds)["rate"] for _ in range(rounds))
        filled = json.loads(output_of(BUILD / "bench/bench-store", "fill", state, guid, count - FEW))
        looked = json.loads(output_of(BUILD / "bench/bench-store", "tables", state, guid))
        ratio = filled["file"] / filled["messages"]
        table.add(f"disk, {count:,} messages of 2 KB", f"{filled['file'] / 1e6:.0f} MB", f"the messages {filled['messages'] / 1e6:.0f} MB",
                  f"{ratio:.2f}", "1.25", ratio <= 1.25)
        first = max(looked["delivery_ms"], looked["subject_ms"])
        table.add("first 50 rows, sorted by time or subject, in the store", f"{first:.2f} ms", "", "", "1 ms", first < 1)
        table.add("the same by subject, before it is indexed", f"{looked['behind_ms']:.0f} ms, in slices")
        table.add("all indexed: words and orders", f"{looked['index_s']:.0f} s, when nobody writes")
        table.add("all narrowed by a flag", f"{looked['restrict_flag_ms']:.0f} ms for {looked['flag_rows']:,} rows")
        table.add("by a word in the subject", f"{looked['restrict_subject_ms']:.0f} ms for {looked['subject_rows']:,} rows")
        table.add("by a part of a word in the body", f"{looked['restrict_body_ms']:.0f} ms for {looked['body_rows']:,} rows")
        table.add("by the beginning of a word in the body, indexed", f"{looked['word_ms']:.0f} ms for {looked['word_rows']:,} rows")
        with Server(state, "--encryption", "optional") as server:
            many = median(rops("read", server.store, names, 1, seconds)["rate"] for _ in range(rounds))
            table.add("folder opened, table, order, 20 rows, released: 0 messages there", f"{few:,.0f}/s",
                      f"Gromox {GROMOX_READ}/s (measured before)", f"{few / GROMOX_READ:.1f}")
            table.add(f"the same, {FEW:,} messages there", f"{some:,.0f}/s", f"Gromox {GROMOX_READ}/s (measured before)",
                      f"{some / GROMOX_READ:.1f}", "20", some >= 20 * GROMOX_READ)
            table.add(f"the same, {count:,} messages there", f"{many:,.0f}/s", f"{FEW:,} messages {some:,.0f}/s",
                      f"{many / some:.2f}", "flat", many >= 0.9 * some)
            held_loop(table, server, count)
            saves, plains = [], []
            for _ in range(rounds):
                saves.append(rops("save", server.store, names, 4, seconds)["rate"])
                made = json.loads(output_of(BUILD / "bench/bench-store", "plain", state / "plain", seconds, 4, core=SERVER_CORE))
                plains.append(made["saves"] / made["seconds"])
            part = median(a / b for a, b in zip(saves, plains))
            table.add("messages of 2 KB saved, 4 writers", f"{median(saves):,.0f}/s (Gromox {GROMOX_SAVE})",
                      f"SQLite {median(plains):,.0f}/s", f"{part:.2f}", "0.6", part >= 0.6)
            woken_waits(table, server, 50 if quick else 2000)
            attachment(table, server, names, 4 if quick else 100)


def tests_client():
    """The tests' client, which speaks ROPs one by one."""
    sys.path.insert(0, str(ROOT / "tests" / "peers"))
    import rops as client  # pylint: disable=import-outside-toplevel
    import rops_more as more  # pylint: disable=import-outside-toplevel
    return client, more


@contextlib.contextmanager
def before_others():
    """This process goes before other programs, as the server does; where that is allowed."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        pass
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {LOAD_CORE})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def logged_on(client, server):
    store = client.Store(server, USER, "connect")
    store.log_on()
    return store


def woken_waits(table, server, rounds):
    """From the request that saves to the readiness of the parked wait's socket."""
    client, _ = tests_client()
    time.sleep(2)  # whatever else the mailbox has to do
    watcher, saver = logged_on(client, server), logged_on(client, server)
    inbox = watcher.folders[4]
    watcher.one(client.register_notification(0x04, folder=inbox), [watcher.root, client.NO_HANDLE])
    waiter, took = client.Waiter(watcher), []
    with before_others():
        for _ in range(rounds):
            waiter.park()
            start = time.perf_counter()
            saver.save_message(inbox, {client.SUBJECT_W: "news"})
            if not waiter.is_answered(2):
                raise Failure("a wait was not woken")
            took.append((time.perf_counter() - start) * 1000)
            waiter.answer()
            watcher.run([], [watcher.root])
    took.sort()
    p99 = took[len(took) * 99 // 100]
    table.add("from a save to the woken wait, median and p99", f"{median(took):.1f} and {p99:.1f} ms", "", "", "5 ms", p99 < 5)
    watcher.close()
    saver.close()


def held_loop(table, server, count):
    """The longest that a call of one session takes while another narrows the folder by its subjects."""
    client, more = tests_client()
    busy, other = logged_on(client, server), logged_on(client, server)
    words = more.content(client.SUBJECT_W, "bout 7", low=1)  # a substring that begins in a word, whatever its case
    took, narrowing = [], []

    def narrow():
        start = time.perf_counter()
        _, handles = busy.run([client.open_folder(busy.folders[4]), client.contents_table(), client.set_columns([client.MID]),
                               more.restrict(words, at=2)], [busy.root, client.NO_HANDLE, client.NO_HANDLE])
        busy.run([client.query_rows(50, at=0)], [handles[2]])
        narrowing.append((time.perf_counter() - start) * 1000)
    time.sleep(1)  # the kernel takes a core from SCHED_FIFO after 0.95 s of a second
    with before_others():
        thread = threading.Thread(target=narrow)
        thread.start()
        while thread.is_alive():
            start = time.perf_counter()
            other.run([], [other.root])
            took.append((time.perf_counter() - start) * 1000)
        thread.join()
    table.add(f"{count:,} messages narrowed by a part of the subject, by ROPs", f"{narrowing[0]:.0f} ms")
    table.add("a call of another session meanwhile, at most", f"{max(took):.1f} ms", f"median {median(took):.1f} ms", "", "10 ms",
              max(took) < 10)
    busy.close()
    other.close()


def attachment(table, server, names, megabytes):
    before = memory_now(server.process.pid)
    made = rops("stream", server.store, names, megabytes)
    more = memory_now(server.process.pid, "VmHWM") - before
    table.add(f"attachment of {megabytes} MB written, and read", f"{megabytes / made['write_s']:.0f} and {megabytes / made['read_s']:.0f} MB/s")
    table.add("memory that it took more", f"{more:.1f} MiB", "", "", "8 MiB", more < 8)


def many_mailboxes(table, quick):
    count, seconds, rounds = (4, 0.1, 1) if quick else (64, 1, 3)
    cost = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as directory:
        state = make_state(pathlib.Path(directory))
        names = add_users(state, count)
        for _ in range(rounds):
            for loops, measured in cost.items():
                with Server(state, "--encryption", "optional", "--loops", loops, core=None) as server:
                    rops("read", server.store, names, count, 0.1)
                    start = cpu_of(server.process.pid)
                    calls = rops("read", server.store, names, count, seconds, core=None)["calls"]
                    measured.append((cpu_of(server.process.pid) - start) / calls * 1e6)
    one, two = median(cost[1]), median(cost[2])
    table.add(f"CPU a read, {count} mailboxes, 2 loops", f"{two:.0f} us", f"1 loop {one:.0f} us", f"{two / one:.2f}", "1.1",
              two <= 1.1 * one)


def idle_sessions(table, quick):
    users, sessions = (4, 40) if quick else (USERS, 10_000)
    with tempfile.TemporaryDirectory() as directory:
        state = make_state(pathlib.Path(directory))
        names = add_users(state, users)
        with Server(state, "--encryption", "optional") as server:
            before = memory_now(server.process.pid)
            with subprocess.Popen([str(BUILD / "bench/bench-rops"), "idle", str(server.store), str(names), str(sessions)],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as clients:
                if not clients.stdout.readline():
                    raise Failure("the idle sessions did not come")
                each = (memory_now(server.process.pid) - before) * 1024 / sessions
                clients.stdin.close()
    table.add(f"memory a session, {sessions:,} on {users} mailboxes", f"{each:.1f} KiB", "Gromox 22 to 74 (measured before)", "",
              "40 KiB", each < 40)


def run(table, quick):
    full_mailbox(table, quick)
    many_mailboxes(table, quick)
    idle_sessions(table, quick)
