"""Programs built on libmapiwire's header and libraries, as a user of it would."""
import pathlib
import re
import shutil
import subprocess

import pytest
from conftest import SOURCE_ROOT, program


@pytest.fixture
def library():
    where = pathlib.Path(program()).parent / "include"
    if not (where / "libmapiwire.so").exists():
        pytest.skip("libmapiwire.so was not built beside the program")
    return where


def sanitizers(library):
    imported = subprocess.run(["nm", "-D", library / "libmapiwire.so"], capture_output=True, text=True,
                              check=True).stdout
    return ["-fsanitize=address,undefined"] if "__asan_init" in imported else []


def private_libraries(library):
    """What the pkg-config file tells programs that link the static library."""
    described = (library.parent / "meson-private" / "mapiwire.pc").read_text(encoding="utf-8")
    return re.search(r"^Libs.private: (.*)$", described, re.M).group(1).split()


def build(library, source, target, kind="shared"):
    """Compiles one C file against the shared or the static library."""
    compiler = shutil.which("cc")
    if not compiler:
        pytest.skip("no C compiler is installed")
    libs = ([f"-L{library}", "-lmapiwire", f"-Wl,-rpath,{library}"] if kind == "shared" else
            [str(library / "libmapiwire.a"), *private_libraries(library)])
    subprocess.run([compiler, "-std=c11", "-D_POSIX_C_SOURCE=200809L", "-Wall", "-Wextra", "-Werror",
                    *sanitizers(library), f"-I{SOURCE_ROOT / 'include'}", "-o", target, source, *libs], check=True)
    return target
