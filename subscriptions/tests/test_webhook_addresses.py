"""Where webhooks go: nowhere into private networks, to the address that was judged, and not for ever."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from subscriptions.tests.receivers import dripping, receiver
from subscriptions.types import Target
from subscriptions.webhooks import addresses, calling, signing
from subscriptions.webhooks.calling import call


def target(url: str) -> Target:
    return Target(
        delivery_pk=1,
        endpoint_pk=1,
        url=url,
        message_id="m-1",
        body=b"{}",
        secrets=(signing.new_secret(),),
        attempts=1,
        created_at=dt.datetime.now(dt.UTC),
    )


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "240.0.0.1",
        "::",
        "::1",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "fec0::1",
        "2001:db8::1",
    ],
)
def test_what_is_not_public(address: str) -> None:
    assert not addresses.is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1::1", "64:ff9b::5db8:d822"])
def test_what_is_public(address: str) -> None:
    assert addresses.is_public(ipaddress.ip_address(address))


def answers(*found: str) -> list[Any]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in found]


def test_a_name_with_one_private_address_is_not_called() -> None:
    with receiver() as server:
        outcome = call(target(server.url))  # localhost
    assert outcome.status is None
    assert "no public address" in outcome.error
    assert server.received == []


def test_of_several_addresses_all_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: answers("93.184.216.34", "10.0.0.1"))
    with pytest.raises(addresses.ForbiddenAddressError):
        addresses.resolve(addresses.place("https://two.example/"))


def test_a_name_within_and_none_at_all_are_told_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may register an address must not learn which names there are in our network."""

    def unknown(*_: Any, **__: Any) -> list[Any]:
        time.sleep(0.05)
        raise socket.gaierror(-2, "Name or service not known")

    outcomes = []
    for found in (unknown, lambda *_, **__: answers("10.0.0.1")):
        monkeypatch.setattr(socket, "getaddrinfo", found)
        outcomes.append(call(target("https://database.internal/")))
    assert outcomes[0] == outcomes[1]
    assert "no public address" in outcomes[0].error


def test_a_name_that_answers_otherwise_the_second_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: judged as public, then private. The connection goes to what was judged."""
    names = [answers("93.184.216.34"), answers("127.0.0.1")]
    connected = []

    def connect(address: tuple[str, int], *_: Any) -> None:
        connected.append(address)
        raise ConnectionRefusedError("no way out of a test")

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: names.pop(0))
    monkeypatch.setattr(socket, "create_connection", connect)
    assert call(target("https://rebind.example/")).status is None
    assert connected == [("93.184.216.34", 443)]
    assert len(names) == 1  # it was asked once
    with pytest.raises(addresses.ForbiddenAddressError):  # the second answer would have been refused
        addresses.resolve(addresses.place("https://rebind.example/"))


def test_an_answer_that_never_ends_is_cut_off(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WEBHOOK_INSECURE_TARGETS = True
    monkeypatch.setattr(calling, "WHOLE_SECONDS", 0.2)
    with dripping() as port:
        outcome = call(target(f"http://127.0.0.1:{port}/"))
    assert outcome.status is None
    assert outcome.error


def certificate(folder: Path) -> Path:
    """For ``localhost``, signed by itself; key and certificate in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "both.pem"
    path.write_bytes(pem + made.public_bytes(serialization.Encoding.PEM))
    return path


def test_over_tls_the_certificate_is_the_hosts(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.WEBHOOK_INSECURE_TARGETS = True
    path = certificate(tmp_path)
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(path)
    with receiver() as server:
        server.socket = own.wrap_socket(server.socket, server_side=True)
        url = f"https://localhost:{server.port}/"
        assert "certificate verify failed" in call(target(url)).error
        trusting = ssl.create_default_context(cafile=str(path))
        monkeypatch.setattr(calling, "_tls", lambda: trusting)
        assert call(target(url)).status == 204
        # The certificate is not for the address, though that is where the call goes.
        assert "certificate verify failed" in call(target(url.replace("localhost", "127.0.0.1"))).error
    assert len(server.received) == 1
