"""The wrapper round a command, with real servers in directories of its own."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from flightbook.embedded import places
from flightbook.embedded.environment import add_first_run_settings, kept_secret
from flightbook.embedded.failures import EmbeddedError
from flightbook.embedded.processes import end_stale

CHECKOUT = Path(__file__).resolve().parents[2]
DEADLINE = 60.0
ASK = """
import os, psycopg2, redis, urllib.parse as u
host = dict(u.parse_qsl(u.urlsplit(os.environ["DATABASE_URL"]).query))["host"]
connection = psycopg2.connect(host=host, user="flightbook", dbname="flightbook")
connection.autocommit = True
cursor = connection.cursor()
def ask(statement):
    cursor.execute(statement)
    return cursor.fetchone()[0] if cursor.description else None
cache = redis.Redis.from_url(os.environ["REDIS_URL"])
"""


@pytest.fixture(scope="module")
def var() -> Iterator[Path]:
    """A ``var/`` for this file, kept from test to test: a new data directory costs a second each."""
    with own_var() as path:
        yield path


@pytest.fixture
def fresh_var() -> Iterator[Path]:
    """A ``var/`` for one test."""
    with own_var() as path:
        yield path


@contextmanager
def own_var() -> Iterator[Path]:
    """A ``var/`` whose servers and data are gone afterwards."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "var")
        yield path
        run(var=path, options=("--reset",))
        home = places.home(path)
        assert servers_of(home) == []
        if os.geteuid() == 0:
            shutil.rmtree(home)


def wrapped(*command: str, var: Path, options: tuple[str, ...] = ()) -> list[str]:
    words = [sys.executable, "-m", "flightbook.embedded", "--var", str(var), *options]
    return [*words, "--", *command] if command else words


def environment(**variables: str) -> dict[str, str]:
    """This process's, without what leads to the servers and keys that the tests themselves use."""
    own = ("DATABASE_URL", "REDIS_URL", "TOKEN_KEYS_DIR")
    kept = {name: value for name, value in os.environ.items() if name not in own}
    return kept | variables


def run(
    *command: str, var: Path, options: tuple[str, ...] = (), **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        wrapped(*command, var=var, options=options),
        cwd=CHECKOUT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )


def python(program: str) -> tuple[str, str, str]:
    return (sys.executable, "-c", ASK + program)


def start(*command: str, var: Path, shell: str = "exec") -> subprocess.Popen[str]:
    """Starts the wrapper and returns once the command has said ``up``."""
    process = subprocess.Popen(
        ["sh", "-c", f'{shell} "$@"', "sh", *wrapped(*command, var=var)],
        cwd=CHECKOUT,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    watchdog = threading.Timer(DEADLINE, process.kill)
    watchdog.start()
    assert process.stdout.readline() == "up\n"
    watchdog.cancel()
    return process


def servers_of(home: Path) -> list[int]:
    """The process numbers of the servers whose command lines name ``home``."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(home) in words and b"flightbook.embedded" not in words:
            found.append(int(entry.name))
    return found


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_data_outlives_the_run_and_the_exit_status_is_the_commands(var: Path) -> None:
    made = run(*python("ask('CREATE TABLE kept (n int)'); cache.set('a', 1); raise SystemExit(7)"), var=var)
    assert (made.returncode, made.stderr) == (7, "")
    assert servers_of(places.home(var)) == []

    questions = "print(ask(\"SELECT to_regclass('kept')\"), ask('SHOW fsync'), ask('SHOW listen_addresses'))"
    asked = run(*python(questions), var=var)
    assert asked.stdout == "kept on \n"


def test_ephemeral_servers_are_fresh_and_leave_nothing(var: Path) -> None:
    run(*python("ask('CREATE TABLE kept (n int)')"), var=var)
    home = places.home(var)
    program = "import os; print(ask(\"SELECT to_regclass('kept')\"), os.environ['TOKEN_KEYS_DIR'])"
    asked = run(*python(program), var=var, options=("--ephemeral",))
    table, keys = asked.stdout.split()
    assert table == "None"
    assert keys.startswith(str(home / "ephemeral"))
    assert list((home / "ephemeral").iterdir()) == []


def test_a_deep_checkout_and_odd_characters(fresh_var: Path) -> None:
    deep = fresh_var / ('it\'s, a "deep" one ' * 5) / ("d" * 100)
    asked = run(*python("print(ask('SELECT 1'), cache.ping())"), var=deep, options=("--ephemeral",))
    assert asked.stdout == "1 True\n", asked.stderr
    if os.geteuid() == 0:
        shutil.rmtree(places.home(deep))


def test_a_socket_directory_is_short_private_and_the_same_for_every_run(tmp_path: Path) -> None:
    one, other = (places.socket_directory(tmp_path / (letter * 100), None) for letter in "ab")
    try:
        assert len(str(one / ".s.PGSQL.5432.lock")) < 104
        assert one.stat().st_mode & 0o777 == 0o700
        assert places.socket_directory(tmp_path / ("a" * 100), None) == one != other
    finally:
        one.rmdir()
        other.rmdir()


@pytest.mark.parametrize(
    ("signum", "shell"),
    [(signal.SIGTERM, "exec"), (signal.SIGINT, "trap '' INT; exec")],
)
def test_a_signal_ends_the_command_and_the_servers(var: Path, signum: signal.Signals, shell: str) -> None:
    program = python("import time; print('up', flush=True); time.sleep(600)")
    process = start(*program, var=var, shell=shell)
    assert len(servers_of(places.home(var))) >= 2
    process.send_signal(signum)
    assert process.wait(DEADLINE) == 128 + signal.SIGTERM
    assert servers_of(places.home(var)) == []


def test_nothing_outlives_a_killed_wrapper_and_the_next_run_starts(var: Path) -> None:
    process = start(*python("print('up', flush=True); import time; time.sleep(600)"), var=var)
    process.kill()
    process.wait()
    if sys.platform == "linux":  # elsewhere the kernel sends nothing, and the next run ends them
        assert eventually(lambda: servers_of(places.home(var)) == [])
    asked = run(*python("print(ask('SELECT 1'), cache.ping())"), var=var)
    assert (asked.stdout, asked.stderr) == ("1 True\n", "")


def test_a_second_run_joins_the_first_and_leaves_its_servers(var: Path) -> None:
    waiting = python("print('up', flush=True); import time; time.sleep(600)")
    first = start(*waiting, var=var)
    asked = run(*python("print(ask('SELECT 1'), cache.ping())"), var=var)
    assert asked.stdout == "1 True\n", asked.stderr
    assert len(servers_of(places.home(var))) >= 2
    refused = run(var=var, options=("--reset",))
    assert "in use by another run" in refused.stderr
    first.terminate()
    first.wait(DEADLINE)


def test_a_second_run_takes_over_when_the_first_ends(var: Path) -> None:
    first = start(*python("print('up', flush=True); import time; time.sleep(600)"), var=var)
    program = """
started = ask("SELECT pg_postmaster_start_time()")
print("up", flush=True)
while True:
    try:
        connection = psycopg2.connect(host=host, user="flightbook", dbname="flightbook")
        cursor = connection.cursor()
        if ask("SELECT pg_postmaster_start_time()") != started:
            break
    except psycopg2.OperationalError:
        continue
"""
    second = start(*python(program), var=var)
    first.terminate()
    assert second.wait(DEADLINE) == 0
    first.wait(DEADLINE)
    assert servers_of(places.home(var)) == []


def test_a_server_that_dies_is_started_again(var: Path) -> None:
    program = """
import signal
killed = cache.info("server")["process_id"]
os.kill(killed, signal.SIGKILL)
while True:
    try:
        if cache.info("server")["process_id"] != killed:
            break
    except redis.ConnectionError:
        continue
print("again")
"""
    asked = run(*python(program), var=var)
    assert asked.stdout == "again\n"
    assert asked.stderr == "flightbook: Valkey has died and is started again.\n"


def test_given_urls_are_used_and_nothing_is_started(fresh_var: Path) -> None:
    asked = run(
        "sh",
        "-c",
        'echo "$DATABASE_URL $REDIS_URL $PAYMENT_GATEWAY"',
        var=fresh_var,
        DATABASE_URL="postgres://there/db",
        REDIS_URL="redis://there/1",
    )
    assert asked.stdout == "postgres://there/db redis://there/1 sandbox\n"
    assert not (places.home(fresh_var) / "postgresql").exists()


def test_unusable_data_is_one_line(fresh_var: Path) -> None:
    run("true", var=fresh_var)
    data = places.home(fresh_var) / "postgresql" / "data"
    (data / "global" / "pg_control").unlink()
    broken = run("true", var=fresh_var)
    assert (broken.returncode, broken.stderr.count("\n")) == (1, 1)
    assert "PostgreSQL did not start: " in broken.stderr
    assert "pg_control" in broken.stderr

    (data / "PG_VERSION").write_text("17\n")
    other = run("true", var=fresh_var)
    assert (other.returncode, other.stderr.count("\n")) == (1, 1)
    assert "no data directory of PostgreSQL 18 (its version: 17)" in other.stderr


def test_a_command_that_is_not_there_is_one_line(var: Path) -> None:
    refused = run("no-such-command", var=var, options=("--no-servers",))
    assert refused.returncode == 127
    assert refused.stderr == "flightbook: no-such-command cannot be run: No such file or directory.\n"


def test_a_pid_file_that_names_a_stranger_is_removed_and_the_stranger_lives(tmp_path: Path) -> None:
    pid_file = tmp_path / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n/somewhere\n")
    end_stale(pid_file, "/no/such/data", signal.SIGKILL, 1)
    assert not pid_file.exists()


def test_a_stale_server_is_ended(tmp_path: Path) -> None:
    program = "import time; print('up', flush=True); time.sleep(600)"
    stale = subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE)
    assert stale.stdout
    assert stale.stdout.readline() == b"up\n"
    pid_file = tmp_path / "server.pid"
    pid_file.write_text(f"{stale.pid}\n")
    end_stale(pid_file, str(tmp_path), signal.SIGTERM, DEADLINE)
    assert stale.wait(DEADLINE) == -signal.SIGTERM


def test_somebody_elses_socket_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "sockets").symlink_to(tmp_path / "mine")
    with pytest.raises(EmbeddedError, match="somebody else's"):
        places.private_directory(tmp_path / "sockets", None)


def test_the_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    secret = kept_secret(tmp_path / "keys" / "secret_key")
    assert len(secret) >= 50
    assert kept_secret(tmp_path / "keys" / "secret_key") == secret
    assert (tmp_path / "keys" / "secret_key").stat().st_mode & 0o777 == 0o600


def test_the_environments_own_settings_win_unless_empty(tmp_path: Path) -> None:
    settings = {"EMAIL_URL": "smtp://mail", "ALLOWED_HOSTS": ""}
    add_first_run_settings(settings, tmp_path)
    assert settings["EMAIL_URL"] == "smtp://mail"
    assert settings["ALLOWED_HOSTS"] == "127.0.0.1,localhost,[::1]"
