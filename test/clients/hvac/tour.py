"""The tour with hvac. Its keymgmt requests are its generic ones: it has no class for that engine."""

import os
import re
import time

import hvac
import hvac.exceptions

ADDRESS = os.environ["VAULT_ADDR"]
CREDENTIALS = {
    "tenant_id": os.environ["AZURE_TENANT_ID"],
    "client_id": os.environ["AZURE_CLIENT_ID"],
    "client_secret": os.environ["AZURE_CLIENT_SECRET"],
}
VAULT = os.environ["KEY_VAULT_NAME"]
client = hvac.Client(url=ADDRESS, token=os.environ["VAULT_TOKEN"])


def same(found, expected):
    if found != expected:
        raise AssertionError(f"{found!r} is not {expected!r}")


def refused(kind, words, call, *args, **options):
    """That a call is refused with hvac's exception of this kind, in words that match."""
    try:
        answer = call(*args, **options)
    except kind as error:
        if not re.search(words, str(error)):
            raise AssertionError(f"{error} does not match {words}") from error
        return
    raise AssertionError(f"not refused: {answer!r}")


def with_token(token, namespace=None):
    return hvac.Client(url=ADDRESS, token=token, namespace=namespace)


def login():
    same(client.is_authenticated(), True)
    same(client.auth.token.lookup_self()["data"]["policies"], ["root"])
    same(with_token("wrong").is_authenticated(), False)
    refused(hvac.exceptions.Forbidden, "permission denied", with_token("wrong").read, "keymgmt/key/none")
    same(client.sys.is_initialized(), True)
    same(client.sys.is_sealed(), False)
    same(client.sys.read_health_status(method="GET")["sealed"], False)
    same(client.sys.read_health_status(method="HEAD").status_code, 200)
    same(client.sys.read_leader_status()["ha_enabled"], False)


def mounts():
    client.sys.enable_secrets_engine("keymgmt", path="tour", description="a tour", config={"max_lease_ttl": "2h"})
    listed = client.sys.list_mounted_secrets_engines()
    same(listed["data"]["tour/"]["type"], "keymgmt")
    same(listed["tour/"]["description"], "a tour")
    client.sys.tune_mount_configuration("tour", description="tuned", default_lease_ttl="1h")
    tuned = client.sys.read_mount_configuration("tour")["data"]
    same([tuned["description"], tuned["default_lease_ttl"], tuned["max_lease_ttl"]], ["tuned", 3600, 7200])
    client.sys.disable_secrets_engine("tour")
    refused(hvac.exceptions.InvalidPath, "no handler for route", client.write_data, "tour/key/k", data={})


def keys():
    same(client.read("keymgmt/key/none"), None)
    same(client.list("keymgmt/key"), None)
    client.write("keymgmt/key/orders", type="rsa-3072")
    client.write_data("keymgmt/key/card", data={"type": "ecdsa-p256"})
    same(client.list("keymgmt/key")["data"]["keys"], ["card", "orders"])
    key = client.read("keymgmt/key/orders")["data"]
    same([key["type"], key["latest_version"], key["deletion_allowed"]], ["rsa-3072", 1, False])
    same(key["versions"]["1"]["public_key"].startswith("-----BEGIN PUBLIC KEY-----\n"), True)
    client.write("keymgmt/key/card/rotate")
    client.write("keymgmt/key/card", min_enabled_version="2")
    same(list(client.read("keymgmt/key/card")["data"]["versions"]), ["2"])
    refused(hvac.exceptions.InvalidRequest, "deletion_allowed", client.delete, "keymgmt/key/card")
    client.write("keymgmt/key/card", deletion_allowed=True)
    client.delete("keymgmt/key/card")
    same(client.read("keymgmt/key/card"), None)
    refused(hvac.exceptions.InvalidRequest, "unsupported key type", client.write, "keymgmt/key/odd", type="rsa-1024")


def kms():
    client.write_data(
        "keymgmt/kms/prod",
        data={"provider": "azurekeyvault", "key_collection": VAULT, "credentials": CREDENTIALS},
    )
    shown = client.read("keymgmt/kms/prod")["data"]
    same([shown["provider"], shown["key_collection"]], ["azurekeyvault", VAULT])
    same(CREDENTIALS["client_secret"] in repr(shown), False)
    same(client.list("keymgmt/kms")["data"]["keys"], ["prod"])
    pairs = [f"{name}={value}" for name, value in CREDENTIALS.items()]
    client.write("keymgmt/kms/prod", provider="azurekeyvault", credentials=pairs)
    refused(
        hvac.exceptions.InvalidRequest,
        "cannot be changed",
        client.write_data,
        "keymgmt/kms/prod",
        data={"key_collection": "another"},
    )


def copies():
    client.write("keymgmt/kms/prod/key/orders", purpose="encrypt,decrypt", protection="hsm")
    copy = client.read("keymgmt/kms/prod/key/orders")["data"]
    same([copy["purpose"], copy["protection"], list(copy["versions"])], ["decrypt,encrypt", "hsm", ["1"]])
    same(re.fullmatch(r"orders-\d+", copy["name"]) is not None, True)
    same(client.list("keymgmt/kms/prod/key")["data"]["keys"], ["orders"])
    same(client.list("keymgmt/key/orders/kms")["data"]["keys"], ["prod"])
    client.write("keymgmt/key/orders/rotate")
    rotated = client.read("keymgmt/kms/prod/key/orders")["data"]
    same([rotated["name"], list(rotated["versions"])], [copy["name"], ["1", "2"]])
    refused(hvac.exceptions.InvalidRequest, "1 key", client.delete, "keymgmt/kms/prod")
    client.delete("keymgmt/kms/prod/key/orders")
    same(client.read("keymgmt/kms/prod/key/orders"), None)
    same(client.read("keymgmt/key/orders")["data"]["latest_version"], 2)
    client.delete("keymgmt/kms/prod")
    client.write("keymgmt/key/orders", deletion_allowed="true")
    client.delete("keymgmt/key/orders")


def tokens():
    made = client.auth.token.create(policies=["default"], ttl="1h", display_name="tour", meta={"team": "a"})["auth"]
    same(made["lease_duration"], 3600)
    found = client.auth.token.lookup(made["client_token"])["data"]
    same([found["meta"], found["policies"], found["creation_ttl"]], [{"team": "a"}, ["default"], 3600])
    same(client.auth.token.lookup_accessor(made["accessor"])["data"]["id"], "")
    same(made["accessor"] in client.auth.token.list_accessors()["data"]["keys"], True)
    same(client.auth.token.renew(made["client_token"], increment="30m")["auth"]["client_token"], made["client_token"])
    same(with_token(made["client_token"]).auth.token.renew_self()["auth"]["renewable"], True)
    client.auth.token.revoke(made["client_token"])
    same(with_token(made["client_token"]).is_authenticated(), False)
    other = client.auth.token.create_orphan(policies=["default"], ttl="1h")["auth"]
    same(with_token(other["client_token"]).auth.token.lookup_self()["data"]["orphan"], True)
    client.auth.token.revoke_accessor(other["accessor"])
    same(with_token(other["client_token"]).is_authenticated(), False)


def policies():
    text = """
        path "keymgmt/key/*" { capabilities = ["read", "create"] }
        path "keymgmt/key/closed" { capabilities = ["deny"] }
    """
    client.sys.create_or_update_acl_policy("tour", text)
    same(client.sys.read_acl_policy("tour")["data"]["policy"].strip(), text.strip())
    same("tour" in client.sys.list_acl_policies()["data"]["keys"], True)
    client.sys.create_or_update_policy("old", {"path": {"keymgmt/key/*": {"capabilities": ["list"]}}})
    same("old" in client.sys.list_policies()["data"]["policies"], True)
    client.sys.delete_policy("old")
    child = with_token(client.auth.token.create(policies=["tour"], ttl="5m")["auth"]["client_token"])
    child.write("keymgmt/key/open", type="aes256-gcm96")
    client.write("keymgmt/key/closed", type="aes256-gcm96")
    same(child.read("keymgmt/key/open")["data"]["name"], "open")
    for call, path in ((child.read, "closed"), (child.delete, "open"), (child.write, "open")):
        refused(hvac.exceptions.Forbidden, "permission denied", call, f"keymgmt/key/{path}")
    paths = ["keymgmt/key/open", "keymgmt/key/closed"]
    able = child.sys.get_capabilities(paths)["data"]
    same([sorted(able[path]) for path in paths], [["create", "read"], ["deny"]])
    client.sys.delete_acl_policy("tour")
    refused(hvac.exceptions.Forbidden, "permission denied", child.read, "keymgmt/key/open")


def namespaces():
    client.sys.create_namespace("team")
    same(client.sys.list_namespaces()["data"]["keys"], ["team/"])
    inside = with_token("root", namespace="team")
    inside.sys.enable_secrets_engine("keymgmt")
    inside.write("keymgmt/key/theirs", type="aes256-gcm96")
    same(client.read("keymgmt/key/theirs"), None)
    same(client.read("team/keymgmt/key/theirs")["data"]["name"], "theirs")
    same(inside.list("keymgmt/key")["data"]["keys"], ["theirs"])
    token = inside.auth.token.create(policies=["default"], ttl="5m")["auth"]["client_token"]
    same(with_token(token, namespace="team").auth.token.lookup_self()["data"]["namespace_path"], "team/")
    client.sys.delete_namespace("team")
    refused(hvac.exceptions.InvalidPath, "no handler for route", client.write, "team/keymgmt/key/theirs")


def wrapping():
    client.write("keymgmt/key/wrapped", type="ecdsa-p384")
    wrapped = client.read("keymgmt/key/wrapped", wrap_ttl="60s")["wrap_info"]
    same([wrapped["ttl"], wrapped["creation_path"]], [60, "keymgmt/key/wrapped"])
    same(client.sys.unwrap(wrapped["token"])["data"]["type"], "ecdsa-p384")
    refused(hvac.exceptions.InvalidRequest, "wrapping token", client.sys.unwrap, wrapped["token"])
    kept = client.sys.wrap({"a": "b"}, ttl=60)["wrap_info"]["token"]
    same(with_token(kept).sys.unwrap()["data"], {"a": "b"})


def approle():
    client.sys.enable_auth_method("approle")
    same(client.sys.list_auth_methods()["data"]["approle/"]["type"], "approle")
    client.sys.create_or_update_acl_policy("robot", 'path "keymgmt/key" { capabilities = ["list"] }')
    client.auth.approle.create_or_update_approle("robot", token_policies=["robot"], token_ttl="10m")
    same(client.auth.approle.read_role("robot")["data"]["token_policies"], ["robot"])
    same(client.auth.approle.list_roles()["data"]["keys"], ["robot"])
    role_id = client.auth.approle.read_role_id("robot")["data"]["role_id"]
    secret_id = client.auth.approle.generate_secret_id("robot")["data"]["secret_id"]
    robot = hvac.Client(url=ADDRESS)
    refused(hvac.exceptions.InvalidRequest, "invalid role or secret ID", robot.auth.approle.login, role_id, "wrong")
    auth = robot.auth.approle.login(role_id, secret_id)["auth"]
    same([auth["lease_duration"], auth["policies"]], [600, ["default", "robot"]])
    same("wrapped" in robot.list("keymgmt/key")["data"]["keys"], True)
    robot.logout(revoke_token=True)
    same(with_token(auth["client_token"]).is_authenticated(), False)
    client.sys.disable_auth_method("approle")


def system():
    client.sys.enable_secrets_engine("keymgmt", path="here")
    client.write_data("here/key/k", data={"type": "aes256-gcm96"})
    client.sys.move_backend("here", "moved/there")
    for _ in range(50):
        if "moved/there/" in client.sys.list_mounted_secrets_engines()["data"]:
            break
        time.sleep(0.1)
    same(client.read("moved/there/key/k")["data"]["name"], "k")
    refused(hvac.exceptions.InvalidPath, "no handler for route", client.write_data, "here/key/k", data={})
    same(client.sys.list_enabled_audit_devices()["data"], {})
    same(client.read("sys/internal/ui/mounts/keymgmt")["data"]["path"], "keymgmt/")


for step in (login, mounts, keys, kms, copies, tokens, policies, namespaces, wrapping, approle, system):
    step()
    print("ok", step.__name__, flush=True)
