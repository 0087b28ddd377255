"""Groups, sessions and enforced access through Cognite's Python SDK, unpatched.

The emulator runs with `--enforce-access`: an administrator makes groups, and what an
application may do is what they say.
"""

import json
import time
import urllib.error
import urllib.request

import jwt
import pytest
from cognite.client import global_config
from cognite.client.credentials import OAuthClientCredentials, Token
from cognite.client.data_classes import (
    AssetWrite,
    ClientCredentials,
    DataSetWrite,
    EventWrite,
    ExtractionPipelineRunWrite,
    ExtractionPipelineWrite,
    FileMetadataWrite,
    GroupWrite,
    LabelDefinitionWrite,
    RelationshipWrite,
    SequenceColumnWrite,
    SequenceWrite,
    TimeSeriesWrite,
)
from cognite.client.data_classes.capabilities import (
    AssetsAcl,
    DataModelInstancesAcl,
    DataModelsAcl,
    DataSetsAcl,
    EventsAcl,
    ExtractionPipelinesAcl,
    ExtractionsRunAcl,
    FilesAcl,
    GroupsAcl,
    LabelsAcl,
    PostgresGatewayAcl,
    ProjectsAcl,
    RawAcl,
    RelationshipsAcl,
    SequencesAcl,
    SessionsAcl,
    TimeSeriesAcl,
)
from cognite.client.data_classes.data_modeling import NodeApply, SpaceApply
from cognite.client.exceptions import (
    CogniteAPIError,
    CogniteAuthorizationError,
    CogniteNotFoundError,
    CogniteProjectAccessError,
)
from support.local_cdf import LocalCdf

pytestmark = pytest.mark.gateway_only

SOURCE = "0f6e7d1c-operators"
HIDDEN = "Resource not found. This may also be due to insufficient access rights."


@pytest.fixture(scope="module")
def cdf(tmp_path_factory):
    """An emulator that enforces access, with an administrator."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(global_config, "disable_pypi_version_check", True)
        patch.setattr(global_config, "max_retries", 0)
        local = LocalCdf(
            tmp_path_factory.mktemp("enforcing") / "log",
            "--enforce-access",
            *("--admin-client-id", "admin", "--admin-client-secret", "admin secret"),
        )
        yield local
        local.stop()


def signed_in(cdf, client_id, secret):
    scope = "https://westeurope-1.cognitedata.com/.default"
    return cdf.client(OAuthClientCredentials(cdf.token_url, client_id, secret, [scope]))


@pytest.fixture
def admin(cdf):
    """The administrator of an empty project."""
    cdf.forget()
    cdf.admin("DELETE", "access")
    cdf.admin("POST", "identity/reset")
    cdf.admin("PUT", "identity/applications", application())
    return signed_in(cdf, "admin", "admin secret")


def application(*secrets):
    return {"client_id": "loader", "secrets": list(secrets or ["loader secret"]), "groups": [SOURCE]}


@pytest.fixture
def loader(cdf, admin):
    """An application that is in no group yet."""
    return signed_in(cdf, "loader", "loader secret")


def grant(admin, *capabilities):
    """Makes the application's group, in the place of the one that it had."""
    mine = [group.id for group in admin.iam.groups.list(all=True) if group.source_id == SOURCE]
    if mine:
        admin.iam.groups.delete(mine)
    return admin.iam.groups.create(
        GroupWrite(name="Operators", source_id=SOURCE, capabilities=list(capabilities))
    )


def everywhere(acl, *actions):
    return acl([acl.Action[action] for action in actions], acl.Scope.All())


def exchange(cdf, body):
    """What CDF's services do with a nonce; the SDK has no call for it."""
    request = urllib.request.Request(
        f"{cdf.url}/api/v1/projects/plant/sessions/token",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


# --- groups ----------------------------------------------------------------------------


def test_a_group_comes_back_as_it_was_made(admin):
    made = admin.iam.groups.create(
        GroupWrite(
            name="Operators",
            source_id=SOURCE,
            metadata={"shift": "night"},
            capabilities=[
                AssetsAcl([AssetsAcl.Action.Read], AssetsAcl.Scope.DataSet([7])),
                RawAcl([RawAcl.Action.Read], RawAcl.Scope.Table({"db": ["t"], "whole": []})),
                PostgresGatewayAcl(
                    [PostgresGatewayAcl.Action.Read, PostgresGatewayAcl.Action.Write],
                    PostgresGatewayAcl.Scope.UsersScope(["u1"]),
                ),
            ],
        )
    )
    listed = admin.iam.groups.list(all=True)
    assert made.dump() in listed.dump()
    assert made.source_id == SOURCE and made.metadata == {"shift": "night"}
    assert made.is_deleted is False
    admin.iam.groups.delete(made.id)
    assert made.id not in [group.id for group in admin.iam.groups.list(all=True)]
    with pytest.raises(CogniteNotFoundError) as caught:
        admin.iam.groups.delete(made.id)
    assert caught.value.missing == [{"id": made.id}]


def test_only_those_who_may_list_groups_see_all(admin, loader):
    mine = grant(admin, everywhere(AssetsAcl, "Read"))
    assert [group.id for group in loader.iam.groups.list()] == [mine.id]
    with pytest.raises(CogniteAPIError) as caught:
        loader.iam.groups.list(all=True)
    assert caught.value.code == 403
    grant(admin, everywhere(GroupsAcl, "List"))
    assert len(loader.iam.groups.list(all=True)) == 2


# --- tokens ----------------------------------------------------------------------------


def test_inspect_shows_what_the_token_may_do(admin, loader):
    gateway = everywhere(PostgresGatewayAcl, "Read", "Write")
    projects = everywhere(ProjectsAcl, "List")
    mine = grant(admin, gateway, projects)
    shown = loader.iam.token.inspect()
    assert shown.subject == "loader"
    assert [(one.url_name, one.groups) for one in shown.projects] == [("plant", [mine.id])]
    assert [one.capability for one in shown.capabilities] == [gateway, projects]
    assert loader.iam.verify_capabilities(gateway) == []
    missing = loader.iam.verify_capabilities(everywhere(SessionsAcl, "Create"))
    assert missing == [everywhere(SessionsAcl, "Create")]


def test_a_token_is_checked_by_the_published_keys(cdf, admin):
    minted = cdf.admin(
        "POST",
        "identity/tokens",
        {"user": "alice@plant", "tenant": "t1", "audience": "https://ossrdbms-aad.database.windows.net"},
    )
    discovery = f"{cdf.url}/t1/v2.0/.well-known/openid-configuration"
    with urllib.request.urlopen(discovery, timeout=20) as answer:
        provider = json.loads(answer.read())
    keys = jwt.PyJWKClient(provider["jwks_uri"])
    key = keys.get_signing_key_from_jwt(minted["token"])
    claims = jwt.decode(
        minted["token"],
        key,
        algorithms=["ES256"],
        audience="https://ossrdbms-aad.database.windows.net",
        issuer=provider["issuer"],
        options={"require": ["exp", "nbf", "iat", "iss", "aud", "sub"]},
    )
    assert claims["preferred_username"] == "alice@plant" and claims["tid"] == "t1"
    assert claims["exp"] > time.time()
    forged = cdf.admin("POST", "identity/tokens", {"user": "alice@plant", "signature": "wrong_key"})
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(forged["token"], key, algorithms=["ES256"], options={"verify_aud": False})


def test_a_token_for_somebody_else_opens_nothing(cdf, admin):
    grant(admin, everywhere(AssetsAcl, "Read"))
    order = {"client_id": "loader", "audience": "https://ossrdbms-aad.database.windows.net"}
    stranger = cdf.client(Token(cdf.admin("POST", "identity/tokens", order)["token"]))
    with pytest.raises(CogniteProjectAccessError):
        stranger.assets.list()
    fitting = cdf.client(Token(cdf.admin("POST", "identity/tokens", {"client_id": "loader"})["token"]))
    assert len(fitting.assets.list()) == 0


# --- sessions --------------------------------------------------------------------------


def test_a_session_is_made_bound_listed_and_revoked(cdf, admin, loader):
    grant(
        admin,
        everywhere(SessionsAcl, "Create", "List", "Delete"),
        everywhere(AssetsAcl, "Read"),
    )
    made = loader.iam.sessions.create()
    assert (made.type, made.status, made.client_id) == ("CLIENT_CREDENTIALS", "READY", "loader")
    status, bound = exchange(cdf, {"nonce": made.nonce})
    assert status == 200 and bound["id"] == made.id
    service = cdf.client(Token(bound["accessToken"]))
    assert len(service.assets.list()) == 0
    shown = loader.iam.sessions.retrieve(made.id)
    assert shown.status == "ACTIVE" and shown.expiration_time > shown.creation_time
    assert [one.id for one in loader.iam.sessions.list("ACTIVE")] == [made.id]
    for _ in range(2):
        assert loader.iam.sessions.revoke(made.id).status == "REVOKED"
    with pytest.raises(CogniteProjectAccessError):
        service.assets.list()
    key = {"sessionId": made.id, "sessionKey": bound["sessionKey"]}
    assert exchange(cdf, key)[0] == 400


def test_a_nonce_is_good_once_and_for_a_minute(cdf, admin):
    first, second = admin.iam.sessions.create(), admin.iam.sessions.create()
    assert exchange(cdf, {"nonce": first.nonce})[0] == 200
    status, refused = exchange(cdf, {"nonce": first.nonce})
    assert (status, refused["error"]["code"]) == (400, 400)
    cdf.admin("PUT", "identity/clock", {"advance_ms": 60_000})
    status, refused = exchange(cdf, {"nonce": second.nonce})
    assert (status, refused["error"]["message"]) == (400, "Nonce has expired")
    assert admin.iam.sessions.retrieve(second.id).status == "CANCELLED"


def test_a_session_ends_with_the_secret_behind_it(cdf, admin):
    grant(admin, everywhere(AssetsAcl, "Read"))
    credentials = ClientCredentials("loader", "loader secret")
    made = admin.iam.sessions.create(credentials, session_type="CLIENT_CREDENTIALS")
    _, bound = exchange(cdf, {"nonce": made.nonce})
    service = cdf.client(Token(bound["accessToken"]))
    assert len(service.assets.list()) == 0
    cdf.admin("PUT", "identity/applications", application("another"))
    with pytest.raises(CogniteProjectAccessError):
        service.assets.list()
    assert admin.iam.sessions.retrieve(made.id).status == "ACCESS_LOST"
    with pytest.raises(CogniteAPIError) as caught:
        admin.iam.sessions.create(credentials, session_type="CLIENT_CREDENTIALS")
    assert (caught.value.code, caught.value.message) == (403, HIDDEN)


@pytest.mark.parametrize("kind", ["TOKEN_EXCHANGE", "ONESHOT_TOKEN_EXCHANGE"])
def test_a_session_is_made_of_the_callers_own_token(cdf, admin, kind):
    made = admin.iam.sessions.create(session_type=kind)
    assert made.type == kind and made.client_id is None
    status, bound = exchange(cdf, {"nonce": made.nonce})
    assert status == 200
    assert ("sessionKey" in bound) == (kind == "TOKEN_EXCHANGE")
    shown = cdf.client(Token(bound["accessToken"])).iam.token.inspect()
    assert shown.subject == "admin" and shown.projects


# --- enforcement -----------------------------------------------------------------------

RELATIONSHIP = RelationshipWrite(
    external_id="r",
    source_external_id="a",
    source_type="asset",
    target_external_id="b",
    target_type="asset",
)
WRITES = {
    AssetsAcl: lambda sdk: sdk.assets.create(AssetWrite(name="n")),
    EventsAcl: lambda sdk: sdk.events.create(EventWrite(type="t")),
    TimeSeriesAcl: lambda sdk: sdk.time_series.create(TimeSeriesWrite(name="n")),
    SequencesAcl: lambda sdk: sdk.sequences.create(SequenceWrite(columns=[SequenceColumnWrite("c")])),
    FilesAcl: lambda sdk: sdk.files.create(FileMetadataWrite(name="f")),
    # The SDK fails to show a label that it could not create.
    LabelsAcl: lambda sdk: sdk.labels.delete("there"),
    RelationshipsAcl: lambda sdk: sdk.relationships.create(RELATIONSHIP),
    DataSetsAcl: lambda sdk: sdk.data_sets.create(DataSetWrite(name="d")),
    RawAcl: lambda sdk: sdk.raw.rows.insert("db", "t", {"k": {"c": 1}}, ensure_parent=True),
    DataModelsAcl: lambda sdk: sdk.data_modeling.spaces.apply(SpaceApply("mine")),
    DataModelInstancesAcl: lambda sdk: sdk.data_modeling.instances.apply(NodeApply("there", "n")),
}
READS = {
    AssetsAcl: lambda sdk: sdk.assets.list(),
    EventsAcl: lambda sdk: sdk.events.list(),
    TimeSeriesAcl: lambda sdk: sdk.time_series.list(),
    SequencesAcl: lambda sdk: sdk.sequences.list(),
    FilesAcl: lambda sdk: sdk.files.list(),
    LabelsAcl: lambda sdk: sdk.labels.list(),
    RelationshipsAcl: lambda sdk: sdk.relationships.list(),
    DataSetsAcl: lambda sdk: sdk.data_sets.list(),
    ExtractionPipelinesAcl: lambda sdk: sdk.extraction_pipelines.list(),
    ExtractionsRunAcl: lambda sdk: sdk.extraction_pipelines.runs.list(external_id="p"),
    RawAcl: lambda sdk: sdk.raw.rows.list("there", "t", limit=5),
    DataModelsAcl: lambda sdk: sdk.data_modeling.spaces.list(),
    DataModelInstancesAcl: lambda sdk: sdk.data_modeling.instances.list(),
}
ALL = sorted(WRITES.keys() | READS.keys(), key=lambda acl: acl.__name__)


def refused(call, sdk):
    with pytest.raises((CogniteAPIError, CogniteAuthorizationError)) as caught:
        call(sdk)
    assert caught.value.code == 403
    return caught.value.message


CALLS = [(acl, "Write", call) for acl, call in WRITES.items()]
CALLS += [(acl, "Read", call) for acl, call in READS.items()]


@pytest.mark.parametrize(
    ("acl", "action", "call"), CALLS, ids=[f"{acl.__name__}-{action}" for acl, action, _ in CALLS]
)
def test_a_call_is_refused_without_its_capability(admin, loader, acl, action, call):
    admin.data_modeling.spaces.apply(SpaceApply("there"))
    admin.raw.rows.insert("there", "t", {"k": {"c": 1}}, ensure_parent=True)
    admin.labels.create(LabelDefinitionWrite("there", name="there"))
    data_set = admin.data_sets.create(DataSetWrite(name="Set"))
    admin.extraction_pipelines.create(ExtractionPipelineWrite("p", "p", data_set.id))
    others = [
        everywhere(other, verb)
        for other in ALL
        for verb in ("Read", "Write")
        if (other, verb) != (acl, action)
    ]
    grant(admin, *others)
    assert refused(call, loader)
    grant(admin, everywhere(acl, action))
    call(loader)


def test_runs_take_a_capability_of_their_own(admin, loader):
    data_set = admin.data_sets.create(DataSetWrite(name="Set"))
    admin.extraction_pipelines.create(ExtractionPipelineWrite("p", "p", data_set.id))
    run = ExtractionPipelineRunWrite("p", "success")
    grant(admin, everywhere(ExtractionPipelinesAcl, "Read", "Write"))
    assert refused(lambda sdk: sdk.extraction_pipelines.runs.create(run), loader)
    grant(admin, everywhere(ExtractionsRunAcl, "Write"))
    loader.extraction_pipelines.runs.create(run)


def test_datapoints_are_open_to_those_who_may_write_series(admin, loader):
    admin.time_series.create(TimeSeriesWrite(external_id="s"))
    points = [(1_700_000_000_000, 1.5)]
    grant(admin, everywhere(TimeSeriesAcl, "Read"))
    message = refused(lambda sdk: sdk.time_series.data.insert(points, external_id="s"), loader)
    assert message == HIDDEN
    assert len(loader.time_series.data.retrieve(external_id="s")) == 0
    grant(admin, everywhere(TimeSeriesAcl, "Write"))
    loader.time_series.data.insert(points, external_id="s")
    refused(lambda sdk: sdk.time_series.data.retrieve(external_id="s"), loader)


def test_a_data_set_scope_reaches_what_is_in_it(admin, loader):
    inside, outside = (admin.data_sets.create(DataSetWrite(name=name)) for name in ("in", "out"))
    scope = AssetsAcl.Scope.DataSet([inside.id])
    grant(admin, AssetsAcl([AssetsAcl.Action.Read, AssetsAcl.Action.Write], scope))
    admin.assets.create(AssetWrite(name="n", external_id="theirs", data_set_id=outside.id))
    loader.assets.create(AssetWrite(name="n", external_id="mine", data_set_id=inside.id))
    assert [asset.external_id for asset in loader.assets.list()] == ["mine"]
    assert refused(lambda sdk: sdk.assets.delete(external_id="theirs"), loader) == HIDDEN
    assert refused(lambda sdk: sdk.assets.create(AssetWrite(name="n")), loader) == HIDDEN


def test_without_a_group_the_project_is_closed(admin, loader):
    with pytest.raises(CogniteProjectAccessError):
        loader.assets.list()
    assert loader.iam.token.inspect().projects == []
    grant(admin, everywhere(AssetsAcl, "Read"))
    assert len(loader.assets.list()) == 0
