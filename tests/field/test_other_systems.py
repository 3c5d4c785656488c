"""Names that Windows lacks are guarded by a check before use."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import recurra

ROOT = Path(recurra.__file__).parent
MODULES = {"fcntl", "resource", "termios", "tty", "pty", "pwd", "grp", "syslog", "readline", "curses"}
NAMES = {
    "os": {
        "chown", "chroot", "confstr", "ctermid", "fchdir", "fchmod", "fchown", "fdatasync", "fork", "forkpty",
        "getegid", "geteuid", "getgid", "getgroups", "getloadavg", "getpgid", "getpgrp", "getpriority", "getsid",
        "getuid", "getxattr", "kill", "killpg", "lockf", "memfd_create", "mkfifo", "mknod", "nice", "openpty", "pipe2",
        "posix_fadvise", "posix_fallocate", "posix_spawn", "pread", "preadv", "pwrite", "pwritev", "readv",
        "register_at_fork", "sched_getaffinity", "sched_setaffinity", "sched_yield", "sendfile", "setpriority",
        "setsid", "setxattr", "statvfs", "sync", "sysconf", "tcgetpgrp", "ttyname", "uname", "wait", "waitid",
        "writev", "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "O_SYNC", "PRIO_PROCESS", "WNOHANG",
    },
    "signal": {
        "SIGALRM", "SIGCHLD", "SIGCONT", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGQUIT", "SIGSTOP", "SIGTSTP", "SIGTTIN",
        "SIGTTOU", "SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGXCPU", "SIGXFSZ", "alarm", "pause", "pthread_kill",
        "pthread_sigmask", "setitimer", "siginterrupt", "sigwait",
    },
    "socket": {"AF_UNIX", "SO_REUSEPORT"},
    "time": {"clock_gettime", "tzset"},
}  # fmt: skip


def unguarded(source: str) -> Iterator[str]:
    """Return the names that Windows lacks and that are used without a check of the name or the system."""
    tree = ast.parse(source)
    places = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    others = [node for node in tree.body if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    for place in [*places, *others]:
        text = ast.unparse(place)
        has_system = any(guard in text for guard in ("os.name", "sys.platform", "platform.system()"))
        for node in ast.walk(place):
            match node:
                case ast.Attribute(value=ast.Name(id=module), attr=name) if name in NAMES.get(module, ()):
                    if not has_system and f"hasattr({module}, '{name}')" not in text:
                        yield f"{module}.{name}"
                case ast.Import(names=names):
                    found = MODULES & {alias.name for alias in names}
                    if not has_system and "except ImportError" not in text:
                        yield from found


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda path: str(path.relative_to(ROOT)))
def test_names_missing_on_windows_are_guarded(path: Path) -> None:
    assert list(unguarded(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import os\ndef f():\n    os.nice(19)", ["os.nice"]),
        ("import os\nclass C:\n    def f(self):\n        os.fork()", ["os.fork"]),
        ("import os\nos.nice(19)", ["os.nice"]),
        ("def f():\n    import fcntl", ["fcntl"]),
        ("import signal\nSTOPS = signal.SIGHUP", ["signal.SIGHUP"]),
        ("import os\ndef f():\n    if hasattr(os, 'nice'):\n        os.nice(19)", []),
        ("import os, sys\ndef f():\n    if sys.platform == 'linux':\n        os.nice(19)", []),
        ("def f():\n    try:\n        import fcntl\n    except ImportError:\n        return", []),
    ],
)
def test_unguarded_name_is_detected(source: str, found: list[str]) -> None:
    assert list(unguarded(source)) == found
