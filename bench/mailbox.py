"""The store under load: a folder of many messages read, messages saved, searches, a large attachment, many mailboxes on
one and two loops, idle sessions. bench-rops has the sessions, bench-store the mailbox without a server."""
import json
import os
import pathlib
import re
import subprocess
import tempfile

from common import BUILD, LOAD_CORE, PASSWORD, PROGRAM, SERVER_CORE, USER, Failure, Server, make_state, median, output_of

GROUP = "/o=DEMO/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn="
GROMOX_READ, GROMOX_SAVE = 214, 143  # /s: a folder of few messages read; saves of four writers
MESSAGES, USERS = 100_000, 100


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
        filled = json.loads(output_of(BUILD / "bench/bench-store", "fill", state, guid, count))
        looked = json.loads(output_of(BUILD / "bench/bench-store", "tables", state, guid))
        ratio = filled["file"] / filled["messages"]
        table.add(f"disk, {count:,} messages of 2 KB", f"{filled['file'] / 1e6:.0f} MB", f"the messages {filled['messages'] / 1e6:.0f} MB",
                  f"{ratio:.2f}", "1.25", ratio <= 1.25)
        first = max(looked["delivery_ms"], looked["subject_ms"])
        table.add("first 50 rows, sorted by time or subject, in the store", f"{first:.2f} ms", "", "", "1 ms", first < 1)
        table.add("all narrowed by a flag", f"{looked['restrict_flag_ms']:.0f} ms for {looked['flag_rows']:,} rows")
        table.add("by a word in the subject", f"{looked['restrict_subject_ms']:.0f} ms for {looked['subject_rows']:,} rows")
        table.add("by a part of a word in the body", f"{looked['restrict_body_ms']:.0f} ms for {looked['body_rows']:,} rows")
        table.add("by the beginning of a word in the body, indexed", f"{looked['word_ms']:.0f} ms for {looked['word_rows']:,} rows")
        with Server(state, "--encryption", "optional") as server:
            many = median(rops("read", server.store, names, 1, seconds)["rate"] for _ in range(rounds))
            table.add("folder opened, table, order, 20 rows, released: 0 messages there", f"{few:,.0f}/s",
                      f"Gromox {GROMOX_READ}/s (measured before)", f"{few / GROMOX_READ:.1f}")
            table.add(f"the same, {count:,} messages there", f"{many:,.0f}/s", f"Gromox {GROMOX_READ}/s (measured before)",
                      f"{many / GROMOX_READ:.1f}", "20", many >= 20 * GROMOX_READ)
            saves, plains = [], []
            for _ in range(rounds):
                saves.append(rops("save", server.store, names, 4, seconds)["rate"])
                made = json.loads(output_of(BUILD / "bench/bench-store", "plain", state / "plain", seconds, 4, core=SERVER_CORE))
                plains.append(made["saves"] / made["seconds"])
            part = median(a / b for a, b in zip(saves, plains))
            table.add("messages of 2 KB saved, 4 writers", f"{median(saves):,.0f}/s (Gromox {GROMOX_SAVE})",
                      f"SQLite {median(plains):,.0f}/s", f"{part:.2f}", "0.6", part >= 0.6)
            attachment(table, server, names, 4 if quick else 100)


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
