"""kill -9 in the middle of saves, copies, deletions and marks: what a client was told is there afterwards."""
import os
import threading
import time

import pytest

pytest.importorskip("impacket", reason="python3-impacket is not installed")
import sqlite3  # noqa: E402

from conftest import Server  # noqa: E402
import rops_more as more  # noqa: E402
from rops import (MID, NO_HANDLE, SUBJECT_W, Store, contents_table, open_folder, query_rows,  # noqa: E402
                  set_columns)

INBOX, SAVES = 4, 1000
# How often the server is killed, and for how long at most: more in `make soak`.
CRASHES, SECONDS = int(os.environ.get("CRASHES", "4")), float(os.environ.get("CRASH_SECONDS", "18"))


class Writer(threading.Thread):
    """Saves until the server is gone, and remembers what it was told."""

    def __init__(self, server, name):
        super().__init__(daemon=True)
        self.store, self.told, self.prefix = Store(server), {}, name
        self.gone, self.maybe = set(), set()
        self.store.log_on()

    def run(self):
        for i in range(SAVES):
            subject = f"{self.prefix}-{i}"
            try:
                self.told[self.store.save_message(self.store.folders[INBOX], {SUBJECT_W: subject})] = subject
                if i % 4 == 3:
                    self.change(i)
            except Exception:  # pylint: disable=broad-except  # whatever impacket makes of a closed connection
                return

    def change(self, i):
        """Something else with one of the last messages: marked unread, copied (its copy has the same subject), or deleted."""
        mid = list(self.told)[-2]
        inbox = self.store.one(open_folder(self.store.folders[INBOX]), [self.store.root, NO_HANDLE])[1][1]
        if i % 16 == 7:
            self.store.run([more.set_read_flags(4, [mid])], [inbox])
        elif i % 16 == 11:
            self.store.run([more.move_copy_messages([mid], copy=1)], [inbox, inbox])
        else:
            self.maybe.add(mid)
            answer = self.store.run([more.delete_messages([mid])], [inbox])[0][0]
            if (answer["status"], answer["partial"]) == (0, 0):
                self.gone.add(mid)

    def end(self):
        """impacket reads the end of a connection over and over; a closed socket it understands."""
        self.join(0.1)
        self.store.rpc.get_rpc_transport().get_socket().close()
        self.join(20)
        assert not self.is_alive()


def everything(server):
    store = Store(server)
    store.log_on()
    found, more = {}, True
    _, table = store.run([open_folder(store.folders[INBOX]), contents_table(), set_columns([MID, SUBJECT_W])],
                         [store.root, NO_HANDLE, NO_HANDLE])
    while more:
        rows = store.one(query_rows(500), table)[0]["row_list"]
        more = bool(rows)
        found.update((row[MID], row[SUBJECT_W]) for row in rows)
    store.close()
    return found


def check_files(state):
    for path in (state / "mailboxes").glob("*.sqlite"):
        with sqlite3.connect(path) as database:
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def test_no_save_that_was_told_is_lost(state):
    told, gone, maybe, rounds, end = {}, set(), set(), 0, time.monotonic() + SECONDS
    while (len(told) < SAVES or rounds < CRASHES) and time.monotonic() < end:
        server = Server(state, "--loops", "2")
        writers = [Writer(server, f"{rounds}.{n}") for n in range(3)]
        for writer in writers:
            writer.start()
        wanted = SAVES // 4 + 37 * (rounds % 10)
        while sum(len(w.told) for w in writers) < wanted and time.monotonic() < end:
            time.sleep(0.001)
        server.kill()
        for writer in writers:
            writer.end()
            told.update(writer.told)
            gone |= writer.gone
            maybe |= writer.maybe
        rounds += 1
        assert len(set(told.values())) == len(told)
    server = Server(state)
    found = everything(server)
    server.stop()
    assert rounds >= 2 and len(told) >= 200
    kept = {mid: subject for mid, subject in told.items() if mid not in maybe}
    assert {mid: found.get(mid) for mid in kept} == kept
    assert not gone & set(found)
    copies = len(found) - len(set(found.values()))
    assert copies <= len(told) // 8
    assert len(set(found.values())) <= len(told) + 3 * rounds  # at most what each writer was not told of
    check_files(state)
