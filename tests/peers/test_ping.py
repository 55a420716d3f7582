"""`mapiwire ping`: what the mapper has, whether each port answers, and how fast."""
import json
import re

import pytest
from awkward import Between, Silent, Web, closed_port, hand_out
from conftest import run

NSPI = "f5cc5a18-4264-101a-8c59-08002b2f8426"


def ping(port, *words, check=False):
    return run("ping", f"127.0.0.1:{port}", *words, "--timeout", "1", check=check)


def test_lists_all(server):
    rows = [json.loads(line) for line in ping(server.epm, "--json", check=True).stdout.splitlines()]
    found = {row["iface"]: row for row in rows}
    assert {"rfr", "nspi", "emsmdb", "asyncemsmdb"} <= set(found)
    assert found["nspi"]["endpoint"] == str(server.nspi) and found["nspi"]["uuid"] == NSPI
    assert found["nspi"]["version"] == "56.0" and found["nspi"]["protocol"] == "ncacn_ip_tcp"
    assert found["emsmdb"]["endpoint"] == found["asyncemsmdb"]["endpoint"] == str(server.store)
    assert all(row["answers"] and 0 < row["min"] <= row["median"] <= row["p99"] for row in rows)


def test_endpoints_behind_the_proxy(serve):
    """Ports of RPC over HTTP are the proxy's to reach: that they are closed is no failure."""
    server = serve("--https-port", "0")
    rows = [json.loads(line) for line in ping(server.epm, "--json", check=True).stdout.splitlines()]
    http = [row for row in rows if row["protocol"] == "ncacn_http"]
    assert {row["endpoint"] for row in http} == {"6001", "6002", "6004"}
    assert all(row["behind_proxy"] is True and row["answers"] is False for row in http)
    assert all("behind_proxy" not in row for row in rows if row not in http)
    text = ping(server.epm, check=True).stdout
    assert re.search(r"^nspi +56\.0 +ncacn_http +:6004 +behind the RPC proxy: try --transport rpc-http  ", text, re.M), text


def test_list_reads_well(server):
    text = ping(server.epm, check=True).stdout
    assert text.startswith(f"The endpoint mapper answers on port {server.epm}; ")
    assert re.search(rf"^nspi +56\.0 +ncacn_ip_tcp +:{server.nspi} +\d+\.\d+ ms  \S", text, re.M), text


@pytest.mark.parametrize("name", ["nspi", NSPI, NSPI.upper() + "/56.0", "NSPI"])
def test_one_interface(server, name):
    row = json.loads(ping(server.epm, name, "-n", "50", "--json", check=True).stdout)
    assert row["port"] == server.nspi and row["listening"] is True and row["count"] == 50
    assert 0 < row["min"] <= row["median"] <= row["p99"]


@pytest.mark.parametrize("name", ["epm", "rfr", "store", "asyncemsmdb"])
def test_every_interface(server, name):
    assert ", listening, " in ping(server.epm, name, check=True).stdout


@pytest.mark.parametrize("make, words, code", [
    (closed_port, [], 11), (closed_port, ["nspi"], 11),
])
def test_nobody_there(make, words, code):
    done = ping(make(), *words)
    assert done.returncode == code and done.stdout == "" and done.stderr.count("\n") == 1


def test_not_rpc():
    web = Web()
    done = ping(web.port)
    assert done.returncode == 15 and "not with RPC" in done.stderr
    web.close()


def test_not_registered(server):
    done = ping(server.epm, "11111111-2222-3333-4444-555555555555/1.0")
    assert done.returncode == 16 and "11111111-2222" in done.stderr


def test_blocked_and_refused_ports_in_the_list(server):
    silent = Silent()
    gone = closed_port()

    def change(data):
        return hand_out(server.rfr, gone)(hand_out(server.nspi, silent.port)(data))

    mapper = Between(server.epm, to_client=change)
    done = ping(mapper.port)
    assert done.returncode == 13, done.stdout
    assert re.search(rf"^rfr .*:{gone} +connection refused", done.stdout, re.M)
    assert re.search(rf"^nspi .*:{silent.port} +no answer to SYN", done.stdout, re.M)
    assert re.search(rf"^emsmdb .*:{server.store} +\d", done.stdout, re.M)
    for thing in (mapper, silent):
        thing.close()


@pytest.mark.parametrize("words", [[], ["host", "nonsense"], ["host", "nspi", "-n", "0"], ["host", "nspi", "x"]])
def test_usage(words):
    done = run("ping", *words, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
