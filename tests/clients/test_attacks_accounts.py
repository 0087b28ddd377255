"""The accounts API under attack: forged tokens, replayed nonces, places for secrets."""

import base64
import hashlib
import hmac
import json
import time
import urllib.request

import jwt
import pytest
from cognite.client.data_classes.postgres_gateway import UserUpdate, UserWrite
from cognite.client.exceptions import CogniteAPIError
from cryptography.hazmat.primitives import serialization
from support.binary import PROJECT
from support.two_projects import OTHER, USERS, TwoProjects

pytestmark = pytest.mark.gateway_only


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    two = TwoProjects(tmp_path_factory.mktemp("two"))
    yield two
    two.stop()


@pytest.fixture(autouse=True)
def good_client(two):
    """Whatever was tried, a good client is served right after."""
    yield
    two.serve_a_good_client()


def hs256(two, claims):
    """Signed with the public key as the secret."""
    with urllib.request.urlopen(f"{two.cdf.url}/a-tenant/discovery/v2.0/keys", timeout=20) as answer:
        key = json.loads(answer.read())["keys"][0]

    def part(value):
        return base64.urlsafe_b64encode(value).rstrip(b"=").decode()

    head = part(json.dumps({"alg": "HS256", "kid": key["kid"]}).encode())
    message = f"{head}.{part(json.dumps(claims).encode())}"
    pem = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    secret = jwt.PyJWK(key).key.public_bytes(*pem)
    return f"{message}.{part(hmac.digest(secret, message.encode(), hashlib.sha256))}"


FORGED = {
    "expired": {"lifetime_s": -3_600},
    "not valid yet": {"claims": {"nbf": 4_000_000_000}},
    "no signature": {"signature": "absent"},
    "a damaged signature": {"signature": "damaged"},
    "another key": {"signature": "wrong_key"},
    "a key that nobody published": {"signature": "unknown_key"},
    "another's kid": {"header": {"kid": "of-another-issuer"}},
    "another audience": {"audience": "https://graph.microsoft.com"},
    "no audience": {"claims": {"aud": None}},
}


@pytest.mark.parametrize("forgery", [*FORGED, "the public key for a secret"])
def test_a_forged_token_opens_no_path(two, forgery):
    owner = {"client_id": two.loader.client_id, "groups": [two.loader.source_id]}
    assert two.gateway.call("GET", USERS, two.cdf.emulator.mint_token(**owner)).status == 200
    if forgery in FORGED:
        token = two.cdf.emulator.mint_token(**owner, **FORGED[forgery])
    else:
        token = hs256(
            two, {"aud": two.cdf.url, "groups": [two.loader.source_id], "exp": int(time.time()) + 600}
        )
    name = two.ours.username
    for method, path, body in [
        ("GET", USERS, None),
        ("POST", USERS, {"items": [{"credentials": {"nonce": "n"}}]}),
        ("POST", f"{USERS}/delete", {"items": [{"username": name}]}),
        ("GET", f"{USERS}/tables/{name}", None),
        ("POST", "/create", {"project": PROJECT, "auth": {}}),
        ("GET", f"/user/{name}/tables", None),
    ]:
        answer = two.gateway.call(method, path, token, body)
        assert answer.status == 401, (method, path, answer)
        assert token not in json.dumps(answer.body)


def test_a_nonce_gives_one_session_whatever_it_is_used_for(two):
    user, sdk = two.ours, two.our_sdk
    credentials = two.cdf.nonce(two.loader)
    used = sdk.users.update(UserUpdate(user.username).credentials.set(credentials))
    change = {"username": user.username, "update": {"credentials": {"set": {"nonce": credentials.nonce}}}}
    for path, item in [
        (f"{USERS}/update", change),
        (USERS, {"credentials": {"nonce": credentials.nonce}}),
    ]:
        answer = two.gateway.call("POST", path, two.cdf.token(two.loader), {"items": [item]})
        assert answer.status == 400
        assert "older than a minute or was used before" in answer.body["error"]["message"]
        assert credentials.nonce not in json.dumps(answer.body)
    assert sdk.users.retrieve(user.username).session_id == used.session_id


def test_a_nonce_of_another_project_makes_no_user(two):
    with pytest.raises(CogniteAPIError):
        two.our_sdk.users.create(UserWrite(two.cdf.nonce(two.stranger, OTHER)))


def creation(two, application, **changes):
    auth = {
        "token_url": two.cdf.token_url,
        "client_id": application.client_id,
        "client_secret": application.client_secret,
        "scope": f"{two.cdf.url}/.default",
    }
    return {"auth": auth | changes, "project": PROJECT}


TOKEN_URLS = [
    "{evil}/token",
    "{allowed}@{evil_host}/token",
    "https://login.microsoftonline.com@{evil_host}/token",
    "https://login.microsoftonline.com:443@{evil_host}/token",
    "https://login.microsoftonline.com%2f@{evil_host}/token",
    "https://login.microsoftonline.com.evil.example/token",
    "https://evil-login.microsoftonline.com/token",
    "https://login.microsoftonline.com./token",
    "http://login.microsoftonline.com/token",
    "https://login.microsoftonline.com:8443/token",
    "ftp://login.microsoftonline.com/token",
    "file:///etc/passwd",
    "data:application/json,%7B%22access_token%22:%22x%22%7D",
    "http://{evil_host}\\@{allowed_host}/token",
    "http://{evil_host}#@{allowed_host}/token",
    "http://{evil_host}?@{allowed_host}/token",
    "http://{evil_host}/{allowed}",
    "//{evil_host}/token",
    "http:{evil_host}/token",
    "http://localhost/token",
    "http://[::1]/token",
    "http://2130706433/token",
    "http://169.254.169.254/latest/meta-data",
    "\t{evil}/token",
    " ",
]


@pytest.mark.parametrize("token_url", TOKEN_URLS)
def test_a_secret_is_sent_to_no_other_place_whatever_its_address_looks_like(two, token_url):
    places = {"evil": two.evil.url, "evil_host": two.evil.host}
    places |= {"allowed": two.cdf.url, "allowed_host": two.cdf.url.removeprefix("http://")}
    body = creation(two, two.loader, token_url=token_url.format(**places))
    answer = two.gateway.call("POST", "/create", two.cdf.token(two.loader), body)
    assert answer.status == 400 and "is not accepted" in answer.body["error"]["message"], answer
    assert two.loader.client_secret not in json.dumps(answer.body)
    assert two.evil.heard == []
    assert (
        two.gateway.call("POST", "/create", two.cdf.token(two.loader), creation(two, two.loader)).status
        == 200
    )


def test_a_secret_does_not_follow_a_redirect(two):
    body = creation(two, two.loader, token_url=f"{two.redirecting.url}/token")
    answer = two.gateway.call("POST", "/create", two.cdf.token(two.loader), body)
    assert answer.status in (400, 503), answer
    assert two.loader.client_secret not in json.dumps(answer.body)
    # The one that is accepted has it, as it must.
    assert two.loader.client_secret in two.redirecting.heard[-1]
    assert two.evil.heard == []
