"""The files of a deployment agree with each other: compose, swarm, Kubernetes, Prometheus."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from flightbook.firstrun.__main__ import _commands
from flightbook.firstrun.address import Address

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
GATEWAY = DOCKER / "nginx" / "gateway.conf.template"
BASE = DOCKER / "kubernetes" / "base"


def script(name: str) -> ModuleType:
    loader = SourceFileLoader(f"docker_{name}", str(DOCKER / name))
    spec = importlib.util.spec_from_loader(loader.name, loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[loader.name] = module  # dataclasses look themselves up there
    loader.exec_module(module)
    return module


COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
POOLS = {
    name
    for name, body in COMPOSE["services"].items()
    if "HTTP" in body or body.get("image", "").startswith("${")
}
POOLS -= {"migrate"}


def kubernetes(kind: str) -> dict[str, dict[str, Any]]:
    documents = [one for path in sorted(BASE.glob("*.yaml")) for one in yaml.safe_load_all(path.read_text())]
    found = {
        d["metadata"]["name"]: d
        for d in documents
        if d.get("kind") == kind and d["metadata"]["name"] != "any"
    }
    assert found, kind
    return found


def test_every_pool_is_known_to_every_tool() -> None:
    assert {"users", "booking", "realtime", "relay", "worker"} <= POOLS
    assert set(script("rollout").POOLS) == POOLS
    assert set(script("stack").REPLICAS) == POOLS
    assert set(script("restore").POOLS) == POOLS | {"gateway"}
    jobs = yaml.safe_load((DOCKER / "monitoring" / "prometheus.yml").read_text())["scrape_configs"]
    assert {job["job_name"].removeprefix("flightbook-") for job in jobs} == POOLS
    for kind in ("Deployment", "HorizontalPodAutoscaler", "PodDisruptionBudget"):
        assert set(kubernetes(kind)) == POOLS | {"gateway"}, kind


@pytest.mark.parametrize("pool", sorted(POOLS))
def test_a_pool_runs_the_same_in_compose_and_kubernetes(pool: str) -> None:
    composed, [container] = (
        COMPOSE["services"][pool],
        kubernetes("Deployment")[pool]["spec"]["template"]["spec"]["containers"],
    )
    assert container["args"] == composed["command"]
    own = {one["name"]: one["value"] for one in container["env"]}
    shared = COMPOSE["x-environment"]
    given = {name: value for name, value in composed["environment"].items() if shared.get(name) != value}
    assert own | {"TOKEN_KEYS_DIR": ""} == given | {"TOKEN_KEYS_DIR": ""}
    signs = own["TOKEN_KEYS_DIR"] == "/keys/signing"
    assert signs == (pool == "users") == any("signing-keys" in volume for volume in composed["volumes"])


def test_daphne_gives_a_crowd_time_to_be_let_in() -> None:
    """Its own 5 s are over before thousands of sockets that come back at once were authenticated."""
    ours = _commands(Address("127.0.0.1", 8000))["server"]
    for command in (ours, COMPOSE["services"]["realtime"]["command"]):
        assert command[command.index("--websocket_connect_timeout") + 1] == "20"


def test_only_the_gateway_is_published() -> None:
    assert [name for name, body in COMPOSE["services"].items() if body.get("ports")] == ["gateway"]
    assert "location = /metrics { return 404; }" in GATEWAY.read_text()


def _gateway_sends_again(*, sent: str, reads: bool, status: str) -> bool:
    """By the patterns of its map; what it is told is what nginx keeps of a request's tries."""
    [table] = re.findall(r"\$send_again \{(.*?)\n\}", GATEWAY.read_text(), re.DOTALL)
    patterns = re.findall(r'^ +"~(.+)" 1;$', table, re.MULTILINE)
    assert len(patterns) == 2
    said = f"sent={sent} safe={'1' if reads else ''} status={status}"
    return any(re.search(pattern, said) for pattern in patterns)


@pytest.mark.parametrize(
    ("sent", "status"), [("0", "504"), ("-", "502"), ("0, 0", "502, 504"), ("0, -", "504, 502")]
)
def test_the_gateway_sends_again_what_no_replica_was_sent(sent: str, status: str) -> None:
    assert _gateway_sends_again(sent=sent, reads=False, status=status)
    assert _gateway_sends_again(sent=sent, reads=True, status=status)


@pytest.mark.parametrize("sent", ["1", "10", "0, 731", "731, 0", "731, -"])
def test_the_gateway_repeats_no_sale_that_a_replica_may_have(sent: str) -> None:
    for status in ("502", "504", "502, 502", "504, 502"):
        assert not _gateway_sends_again(sent=sent, reads=False, status=status)


def test_the_gateway_repeats_a_read_whose_connection_ended_and_none_that_is_slow() -> None:
    assert _gateway_sends_again(sent="731", reads=True, status="502")
    assert not _gateway_sends_again(sent="731", reads=True, status="504")


def test_every_path_to_a_pool_names_it_for_the_second_time() -> None:
    passed = re.findall(
        r"^.*proxy_pass http://(?:users|booking|realtime);.*$", GATEWAY.read_text(), re.MULTILINE
    )
    assert len(passed) > 20
    for line in passed:
        assert re.search(r"set \$pool (\w+); proxy_pass http://\1;", line), line


def test_every_pool_is_traced_under_its_own_name() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.tracing.yml").read_text())["services"]
    jaeger = services.pop("jaeger")
    assert {name: body["environment"]["OTEL_SERVICE_NAME"] for name, body in services.items()} == {
        pool: f"flightbook-{pool}" for pool in POOLS
    }
    places = {body["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] for body in services.values()}
    assert places == {"http://jaeger:4318"}
    assert all(port.startswith("127.0.0.1:") for port in jaeger["ports"])
    policy = yaml.safe_load((DOCKER / "kubernetes" / "tracing" / "network.yaml").read_text())
    [who] = policy["spec"]["podSelector"]["matchExpressions"]
    assert set(who["values"]) == POOLS


def test_upper_bounds_stay_within_the_databases_connections() -> None:
    each = {"users": 8, "booking": 16, "realtime": 7, "relay": 2, "worker": 1, "notices": 2, "gateway": 0}
    scalers = kubernetes("HorizontalPodAutoscaler")
    most = sum(each[name] * one["spec"]["maxReplicas"] for name, one in scalers.items())
    command = COMPOSE["services"]["postgres"]["command"]
    [allowed] = [int(word.partition("=")[2]) for word in command if word.startswith("max_connections=")]
    assert most <= allowed - 3


def test_a_stack_of_what_compose_renders() -> None:
    """As `docker compose config` gives it: mounts in their long form, numbers for limits, text for ports."""
    bind = {
        "type": "bind",
        "source": str(DOCKER / "nginx" / "gateway.js"),
        "target": "/x.js",
        "read_only": True,
    }
    volume = {"type": "volume", "source": "keys", "target": "/keys", "volume": {}}
    limits = {"resources": {"limits": {"cpus": 2, "memory": "805306368"}}}
    app = {
        "image": "i",
        "environment": {"A": "1"},
        "deploy": limits,
        "volumes": [volume],
        "depends_on": {"migrate": {}},
        "tmpfs": ["/tmp", "/run:size=1m"],
    }
    services = {
        "booking": app | {"networks": {"inside": None}},
        "migrate": dict(app),
        "postgres": {"image": "p", "shm_size": "1", "networks": {"inside": None}},
        "gateway": {
            "image": "n",
            "volumes": [bind],
            "ports": [{"target": 8080, "published": "80", "mode": "ingress"}],
        },
    }
    compose = {
        "name": "flightbook",
        "services": services,
        "networks": {"inside": {"internal": True}},
        "volumes": {"keys": None},
    }
    stack = json.loads(json.dumps(script("stack").render(compose, script("stack").REPLICAS, one_node=False)))

    booking = stack["services"]["booking"]
    assert booking["deploy"]["update_config"]["order"] == "start-first"
    assert booking["deploy"]["resources"]["limits"]["cpus"] == "2"
    assert booking["environment"]["START_WAIT_FOR_SCHEMA"] == "true"
    assert not {"depends_on", "build", "restart", "tmpfs"} & booking.keys()
    assert {"type": "tmpfs", "target": "/tmp"} in booking["volumes"]
    assert {"type": "tmpfs", "target": "/run", "tmpfs": {"size": 1048576}} in booking["volumes"]
    assert stack["services"]["migrate"]["deploy"]["mode"] == "replicated-job"
    assert "START_WAIT_FOR_SCHEMA" not in stack["services"]["migrate"]["environment"]
    assert stack["services"]["postgres"]["deploy"]["placement"]["constraints"]
    [config] = stack["services"]["gateway"]["configs"]
    assert stack["configs"][config["source"]]["file"] == bind["source"]
    assert stack["services"]["gateway"]["ports"] == [{"target": 8080, "published": 80, "mode": "host"}]
    assert "name" not in stack


def test_secrets_are_not_in_the_files() -> None:
    example = (DOCKER / "kubernetes" / "example" / "secrets.env").read_text()
    assert all(line.endswith("=") or line.startswith("#") for line in example.splitlines() if line)


class Members:
    """What `docker/promote` has to do with, as it asks Docker: each answers with its state and its log."""

    def __init__(self, **held: str) -> None:
        self.held = held  # "timeline position" of a standby, or "primary"
        self.said: list[str] = []

    def docker(self, *words: str, seconds: float = 0) -> str:
        self.said.append(" ".join(words))
        if words[0] == "compose":
            return "".join(f"{member} id-{member}\n" for member in ("postgres", "postgres2", "postgres3"))
        held = self.held.get(words[1].removeprefix("id-"))
        if words[0] == "exec" and held is None:
            raise PROMOTE.Failed("it is not running")
        if "pg_promote" in words[-1]:
            return "t"
        if "pg_is_in_recovery" in words[-1]:
            return "primary" if held == "primary" else "standby"
        if "pg_ls_waldir" in words[-1]:
            return f"{held} t"
        return "1" if "pg_stat_replication" in words[-1] else "0"

    def changed(self) -> list[str]:
        changes = ("stop", "kill", "pg_promote", "ALTER")
        return [words for words in self.said if any(change in words for change in changes)]


PROMOTE = script("promote")


@pytest.mark.parametrize(
    ("second", "third", "promoted"),
    [
        ("00000001 500", "00000001 400", "postgres2"),
        ("00000001 400", "00000001 500", "postgres3"),
        ("00000001 900", "00000002 100", "postgres3"),
    ],
)
def test_the_standby_that_has_most_is_promoted(
    monkeypatch: pytest.MonkeyPatch, second: str, third: str, promoted: str
) -> None:
    members = Members(postgres="primary", postgres2=second, postgres3=third)
    monkeypatch.setattr(PROMOTE, "docker", members.docker)
    PROMOTE.promote(accept_loss=False)
    first, *others = members.changed()
    assert first == "stop --time 60 id-postgres", "the primary is stopped before anything else"
    [taken] = [words for words in others if "pg_promote" in words]
    assert taken.startswith(f"exec id-{promoted} ")
    assert all("primary_conninfo = ''" in words for words in others[:2]), (
        "both are cut off before one is chosen"
    )
    assert f"host={promoted} " in others[-1]


def test_one_standby_alone_is_promoted_only_where_the_loss_is_accepted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    members = Members(postgres3="00000001 500")
    monkeypatch.setattr(PROMOTE, "docker", members.docker)
    with pytest.raises(PROMOTE.Failed, match="--accept-loss"):
        PROMOTE.promote(accept_loss=False)
    assert not members.changed()
    PROMOTE.promote(accept_loss=True)
    assert any("pg_promote" in words for words in members.changed())
