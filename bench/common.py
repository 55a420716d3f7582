"""What the parts of bench/run share: programs on their cores, the load generator, the table."""
import json
import os
import pathlib
import re
import resource
import statistics
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / "build-release"
PROGRAM = BUILD / "mapiwire"
READY = re.compile(r"mapiwire serves on \S+: mapper (\d+), rfr (\d+), nspi (\d+), store (\d+);")
CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[0], CORES[-1]
USER, PASSWORD = "alice", "Wonderland-1"


class Failure(Exception):
    pass


def build():
    for command in ([] if (BUILD / "build.ninja").exists() else
                    [["meson", "setup", str(BUILD), "--buildtype=debugoptimized"]]) + [
            ["ninja", "-C", str(BUILD), "mapiwire", "bench/bench-generator", "bench/bench-echo",
             "bench/bench-multiply", "bench/bench-micro", "bench/bench-replay", "bench/bench-store",
             "bench/bench-rops", "bench/bench-opened", "bench/bench-http", "bench/bench-transport"]]:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            raise Failure(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")


def on_core(*cores, first=True):
    """For a child: these cores alone, before other programs where that is wished and allowed, and all descriptors."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]

    def prepare():
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        os.sched_setaffinity(0, cores)
        try:
            if first:
                os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
        except PermissionError:
            pass
    return prepare


def output_of(*words, core=None, **more):
    done = subprocess.run([str(w) for w in words], stdout=subprocess.PIPE, text=True,
                          preexec_fn=None if core is None else on_core(core), **more)
    if done.returncode:
        raise Failure(f"{words[0]} {words[1]} ended with {done.returncode}")
    return done.stdout


class Background:
    """A server on its core: what it prints first tells that it is ready."""

    def __init__(self, *words, core=SERVER_CORE):
        self.process = subprocess.Popen([str(w) for w in words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True, preexec_fn=None if core is None else on_core(core))
        self.line = self.process.stdout.readline()

    def __enter__(self):
        if not self.line:
            raise Failure("a server did not start")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(timeout=30)


class Server(Background):
    def __init__(self, state, *options, core=SERVER_CORE):
        super().__init__(PROGRAM, "serve", "--state", state, "--epm-port", "0", "--loops", "1", *options, core=core)
        ready = READY.match(self.line)
        if not ready:
            raise Failure("mapiwire serve did not start")
        self.epm, self.rfr, self.nspi, self.store = map(int, ready.groups())


def make_state(directory):
    secret = directory / "password"
    secret.write_text(PASSWORD + "\n", encoding="utf-8")
    output_of(PROGRAM, "user", "add", f"{USER}@demo.test", "--state", directory, "--password-file", secret)
    return directory


def generate(*words, program="bench-generator"):
    made = json.loads(output_of(BUILD / "bench" / program, *words, core=LOAD_CORE))
    time.sleep(made["seconds"] / 4)  # the kernel takes a core from SCHED_FIFO after 0.95 s of a second
    made["rate"] = made["calls"] / made["seconds"]
    made["busy"] = made["cpu"] / made["seconds"]
    return made


def median(values):
    return statistics.median(values)


class Table:
    def __init__(self):
        self.rows = [("what", "measured", "against", "ratio", "goal", "")]

    def add(self, what, measured, against="", ratio="", goal="", reached=None):
        self.rows.append((what, measured, against, ratio, goal,
                          "" if reached is None else "reached" if reached else "missed"))

    def print(self):
        widths = [max(len(row[i]) for row in self.rows) for i in range(6)]
        for number, row in enumerate(self.rows):
            print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |")
            if number == 0:
                print("| " + " | ".join("-" * max(width, 3) for width in widths) + " |")
