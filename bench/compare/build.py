"""Compiles the benches' C sources at first use into build/bench/: a folder per source, flags and compiler.

The folder name is a hash of all three, so a checkout seen from two systems never runs the other's program.
"""

import hashlib
import platform
import subprocess
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
BUILD = BENCH.parent / "build" / "bench"


def compile_c(source: Path, *flags: str, compiler: str = "cc") -> Path:
    """Compile one C file with -O2 and return the result; CalledProcessError when it does not build."""
    try:
        banner = subprocess.run([compiler, "--version"], capture_output=True, check=True).stdout
    except FileNotFoundError:
        raise SystemExit(f"No C compiler: {compiler!r} was not found. Install one: apt install gcc.") from None
    identity = [source.read_bytes(), " ".join(flags).encode(), banner, repr(platform.libc_ver()).encode()]
    target = BUILD / hashlib.sha256(b"\0".join(identity)).hexdigest()[:16] / source.stem
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".partial")
        subprocess.run(
            [compiler, "-O2", "-o", str(partial), str(source), *flags],
            check=True,
            capture_output=True,
            text=True,
        )
        partial.rename(target)
    return target


def load_program() -> tuple[Path, bool]:
    """Return the load generator and whether it speaks TLS (it does where OpenSSL's headers are installed)."""
    source = BENCH / "compare" / "load.c"
    try:
        return compile_c(source, "-DLOAD_TLS", "-lssl", "-lcrypto"), True
    except subprocess.CalledProcessError:
        return compile_c(source), False


def c_server() -> Path:
    """Return the plain C echo server."""
    return compile_c(BENCH / "compare" / "epoll_echo.c")
