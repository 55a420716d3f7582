"""A network of its own for a test: nothing but a loopback interface, on which every port is free and a firewall may stand."""
import contextlib
import ctypes
import os
import shutil
import subprocess
import threading

import pytest

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def _call(function, *arguments):
    if function(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


class Namespace:
    """Lives as long as this object or a process in it does. `with namespace:` takes the thread there, and what it starts."""

    def __init__(self):
        self.handle = None
        made = threading.Thread(target=self._make)
        made.start()
        made.join()
        if self.handle is None:
            pytest.skip(f"cannot make a network namespace: {self.error}")
        self.before = []
        with self:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)

    def _make(self):
        """In a thread that ends: the test's own stays where it is."""
        try:
            _call(LIBC.unshare, CLONE_NEWNET)
            self.handle = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            self.error = error

    def __enter__(self):
        self.before.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC))
        _call(LIBC.setns, self.handle, CLONE_NEWNET)
        return self

    def __exit__(self, *_):
        home = self.before.pop()
        _call(LIBC.setns, home, CLONE_NEWNET)
        os.close(home)

    def close(self):
        os.close(self.handle)

    def wall(self, port, verdict):
        """From now on this happens to what comes for this TCP port: nft's "drop", "reject with tcp reset" and such."""
        if not shutil.which("nft"):
            pytest.skip("nft is not installed: apt-get install nftables")
        rules = (f"add table inet wall; add chain inet wall in {{ type filter hook input priority 0; }}; "
                 f"add rule inet wall in tcp dport {port} {verdict}")
        with self:
            done = subprocess.run(["nft", rules], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"the kernel has no firewall for nft: {done.stderr.strip()}")


@contextlib.contextmanager
def new_namespace():
    """Skips, with the reason, where the test may not make one."""
    if not shutil.which("ip"):
        pytest.skip("ip is not installed: apt-get install iproute2")
    made = Namespace()
    try:
        yield made
    finally:
        made.close()
