"""Unwraps key transfer packages with pyca/cryptography, checks each key, and prints its digest: one JSON line a key."""
import base64
import hashlib
import json
import pathlib
import sys

from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

folder = pathlib.Path(sys.argv[1])
keks = {}


def kek(name):
    if name not in keks:
        keks[name] = serialization.load_pem_private_key((folder / f"{name}.pem").read_bytes(), None)
    return keks[name]


def b64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def fits(kind, key):
    """The size or curve that the type names; loading has checked that private and public half belong together."""
    if kind.startswith("rsa-"):
        return isinstance(key, rsa.RSAPrivateKey) and key.key_size == int(kind[4:])
    return isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == "secp" + kind[7:] + "r1"


for line in (folder / "batch.jsonl").read_text().splitlines():
    item = json.loads(line)
    package = json.loads(item["package"])
    assert package["schema_version"] == "1.0.0" and package["header"]["enc"] == "CKM_RSA_AES_KEY_WRAP"
    private = kek(item["kek"])
    blob = b64url(package["ciphertext"])
    size = private.key_size // 8
    aes = private.decrypt(blob[:size], padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None))
    assert len(aes) == 32
    target = keywrap.aes_key_unwrap_with_padding(aes, blob[size:])
    if item["type"] == "aes256-gcm96":
        assert len(target) == 32
        shown = target
    else:
        key = serialization.load_der_private_key(target, None)
        assert fits(item["type"], key), item["type"]
        shown = key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    print(json.dumps({"id": item["id"], "digest": hashlib.sha256(shown).hexdigest()}))
