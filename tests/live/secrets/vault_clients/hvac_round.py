# The whole round that a program makes with hvac, unmodified: log in with an identity, then write,
# read, list, delete and wrap. Told by the environment: ROWLOCK_ADDR, ROWLOCK_JWT (of an instance of
# the job web, which may do everything under app/), ROWLOCK_TOKEN (which may only read there).
import os

import hvac
import hvac.exceptions


def fails(kind, words, call, *args, **named):
    try:
        call(*args, **named)
    except kind as error:
        assert words in str(error), f"{words!r} is not in {error!r}"
        return
    raise AssertionError(f"{call.__name__} did not fail with {kind.__name__}")


def ask_the_state(client):
    assert client.sys.is_initialized()
    assert not client.sys.is_sealed()
    assert client.sys.read_health_status().status_code == 200
    assert client.sys.read_health_status(method="GET")["sealed"] is False
    assert not client.is_authenticated()


def log_in(client):
    answer = client.auth.jwt.jwt_login(role="web", jwt=os.environ["ROWLOCK_JWT"], path="jwt")
    assert answer["auth"]["metadata"]["role"] == "web"
    assert answer["auth"]["policies"] == ["app"]
    assert client.is_authenticated()
    fails(hvac.exceptions.InvalidRequest, "role", client.auth.jwt.jwt_login, role="api",
          jwt=os.environ["ROWLOCK_JWT"], path="jwt", use_token=False)


def write_and_read(kv):
    fails(hvac.exceptions.InvalidPath, "", kv.read_secret_version, path="app/db")
    made = kv.create_or_update_secret(path="app/db", secret={"user": "u", "port": 1}, cas=0)
    assert made["data"]["version"] == 1
    fails(hvac.exceptions.InvalidRequest, "check-and-set parameter did not match the current version",
          kv.create_or_update_secret, path="app/db", secret={}, cas=0)
    read = kv.read_secret_version(path="app/db")
    assert read["data"]["data"] == {"user": "u", "port": 1}
    assert read["data"]["metadata"]["version"] == 1
    kv.patch(path="app/db", secret={"port": 2})
    assert kv.read_secret_version(path="app/db")["data"]["data"] == {"user": "u", "port": 2}
    assert kv.read_secret_version(path="app/db", version=1)["data"]["data"]["port"] == 1
    kv.create_or_update_secret(path="app/sub/x", secret={"a": "b"})
    assert kv.list_secrets(path="app")["data"]["keys"] == ["db", "sub/"]
    fails(hvac.exceptions.InvalidPath, "", kv.list_secrets, path="app/none")


def keep_otherwise(kv):
    kv.update_metadata(path="app/db", max_versions=4, cas_required=True, delete_version_after="3h")
    metadata = kv.read_secret_metadata(path="app/db")["data"]
    assert metadata["max_versions"] == 4 and metadata["cas_required"] is True
    assert metadata["delete_version_after"] == "3h0m0s"
    assert sorted(metadata["versions"]) == ["1", "2"]
    fails(hvac.exceptions.InvalidRequest, "check-and-set parameter required for this call",
          kv.create_or_update_secret, path="app/db", secret={})
    kv.update_metadata(path="app/db", cas_required=False)


def delete_and_bring_back(kv):
    kv.delete_latest_version_of_secret(path="app/db")
    fails(hvac.exceptions.InvalidPath, "", kv.read_secret_version, path="app/db")
    kv.undelete_secret_versions(path="app/db", versions=[2])
    assert kv.read_secret_version(path="app/db")["data"]["data"]["port"] == 2
    kv.delete_secret_versions(path="app/db", versions=[1, 2])
    kv.destroy_secret_versions(path="app/db", versions=[1])
    assert kv.read_secret_metadata(path="app/db")["data"]["versions"]["1"]["destroyed"] is True
    kv.delete_metadata_and_all_versions(path="app/db")
    fails(hvac.exceptions.InvalidPath, "", kv.read_secret_metadata, path="app/db")


def stay_within_policies(client, kv):
    fails(hvac.exceptions.Forbidden, "permission denied", kv.read_secret_version, path="other/x")
    fails(hvac.exceptions.Forbidden, "permission denied", kv.read_configuration)
    assert "read" in client.sys.get_capabilities(["secret/data/app/x"])["data"]["secret/data/app/x"]
    reader = hvac.Client(url=os.environ["ROWLOCK_ADDR"], token=os.environ["ROWLOCK_TOKEN"])
    assert reader.secrets.kv.v2.read_secret_version(path="app/sub/x")["data"]["data"] == {"a": "b"}
    fails(hvac.exceptions.Forbidden, "permission denied",
          reader.secrets.kv.v2.create_or_update_secret, path="app/sub/x", secret={})
    fails(hvac.exceptions.Forbidden, "permission denied", reader.create_token)


def wrap(client):
    wrapped = client.read("secret/data/app/sub/x", wrap_ttl="60s")
    token = wrapped["wrap_info"]["token"]
    assert wrapped["wrap_info"]["creation_path"] == "secret/data/app/sub/x"
    stranger = hvac.Client(url=os.environ["ROWLOCK_ADDR"])
    assert stranger.sys.unwrap(token)["data"]["data"] == {"a": "b"}
    fails(hvac.exceptions.InvalidRequest, "wrapping token is not valid", client.sys.unwrap, token)


def end(client):
    assert client.renew_self_token()["auth"]["lease_duration"] > 0
    assert client.lookup_token()["data"]["display_name"] == "web-0"
    client.revoke_self_token()
    assert not client.is_authenticated()


client = hvac.Client(url=os.environ["ROWLOCK_ADDR"])
ask_the_state(client)
log_in(client)
write_and_read(client.secrets.kv.v2)
keep_otherwise(client.secrets.kv.v2)
delete_and_bring_back(client.secrets.kv.v2)
stay_within_policies(client, client.secrets.kv.v2)
wrap(client)
end(client)
print("hvac: all good")
