"""libmapiwire from outside: its symbols, and a program built on its header alone."""
import pathlib
import re
import shutil
import subprocess

import pytest
from conftest import SOURCE_ROOT, program

PROGRAM = r"""
#include <mapiwire.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	struct mapiwire_options o = {.host = "127.0.0.1", .mapper_port = (uint16_t)atoi(argv[1]), .domain = "DEMO",
	                             .user = "alice", .password = argv[2]};
	struct mapiwire_interface interface;
	struct mapiwire *m = NULL;
	uint16_t port = 0;
	char *server = NULL;
	if (argc != 3 || mapiwire_new(&o, &m) < 0 || mapiwire_interface_named("rfr", &interface) < 0)
		return 1;
	if (mapiwire_map(m, &interface, &port) < 0 || mapiwire_referral(m, port, "", &server) < 0) {
		fprintf(stderr, "%s\n", mapiwire_error(m)->sentence);
		return 2;
	}
	printf("%u %s\n", port, server);
	free(server);
	return mapiwire_free(&m) < 0;
}
"""


@pytest.fixture
def library():
    where = pathlib.Path(program()).parent / "include"
    if not (where / "libmapiwire.so").exists():
        pytest.skip("libmapiwire.so was not built beside the program")
    return where


def symbols(*words):
    lines = subprocess.run(["nm", *words], capture_output=True, text=True, check=True).stdout.splitlines()
    return {line.split()[-1].split("@")[0] for line in lines if len(line.split()) == 3}


def test_exports(library):
    shared = symbols("-D", "--defined-only", str(library / "libmapiwire.so")) - {"MAPIWIRE_0"}
    static = symbols("-g", "--defined-only", str(library / "libmapiwire.a"))
    assert shared and all(name.startswith("mapiwire_") for name in shared)
    assert {name for name in static if not name.startswith("__odr_asan")} == shared


def sanitizers(library):
    imported = subprocess.run(["nm", "-D", library / "libmapiwire.so"], capture_output=True, text=True,
                              check=True).stdout
    return ["-fsanitize=address,undefined"] if "__asan_init" in imported else []


def private_libraries(library):
    """What the pkg-config file tells programs that link the static library."""
    described = (library.parent / "meson-private" / "mapiwire.pc").read_text(encoding="utf-8")
    return re.search(r"^Libs.private: (.*)$", described, re.M).group(1).split()


@pytest.mark.parametrize("kind", ["shared", "static"])
def test_program(library, server, tmp_path, kind):
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler is installed")
    (tmp_path / "p.c").write_text(PROGRAM)
    libs = ([f"-L{library}", "-lmapiwire", f"-Wl,-rpath,{library}"] if kind == "shared" else
            [str(library / "libmapiwire.a"), *private_libraries(library)])
    subprocess.run([compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", *sanitizers(library),
                    f"-I{SOURCE_ROOT / 'include'}", "-o", tmp_path / "p", tmp_path / "p.c", *libs], check=True)
    password = (server.state / "alice.password").read_text().strip()
    done = subprocess.run([tmp_path / "p", str(server.epm), password], capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == str(server.rfr)


def test_header_is_cxx_too(tmp_path):
    compiler = shutil.which("c++")
    if not compiler:
        pytest.skip("no C++ compiler is installed")
    (tmp_path / "p.cc").write_text("#include <mapiwire.h>\nint main() { mapiwire *m = nullptr; return mapiwire_free(&m); }\n")
    subprocess.run([compiler, "-fsyntax-only", "-Wall", "-Wextra", "-Werror", f"-I{SOURCE_ROOT / 'include'}",
                    tmp_path / "p.cc"], check=True)
