"""Unwraps key transfer packages inside SoftHSM 2 through PKCS#11, and prints the digest of each key: one JSON line a key.

CKM_RSA_AES_KEY_WRAP is done in its two halves, which PKCS#11 v2.40 2.1.21 defines it by: C_UnwrapKey with CKM_RSA_PKCS_OAEP (SHA-1)
gives the AES key, C_UnwrapKey with CKM_AES_KEY_WRAP_PAD under it the target. The private keys never leave the token: what they are is
read from their public attributes, and each signs once, which the public half checks.
"""
import base64
import hashlib
import json
import pathlib
import sys

import PyKCS11
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from PyKCS11 import LowLevel as low

folder = pathlib.Path(sys.argv[1])
publics = {line.split()[0]: line.split()[1] for line in (folder / "publics.txt").read_text().splitlines()}
lib = PyKCS11.PyKCS11Lib()
lib.load(sys.argv[2])
session = lib.openSession(lib.getSlotList(tokenPresent=True)[0], low.CKF_SERIAL_SESSION | low.CKF_RW_SESSION)
session.login("1234")
oaep = PyKCS11.RSAOAEPMechanism(low.CKM_SHA_1, low.CKG_MGF1_SHA1)
CKM_AES_KEY_WRAP_PAD = 0x210A
CURVES = {"ecdsa-p256": "06082a8648ce3d030107", "ecdsa-p384": "06052b81040022", "ecdsa-p521": "06052b81040023"}


def b64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(value):
    size = (value.bit_length() + 7) // 8
    return value.to_bytes(size, "big")


def load_kek(name):
    key = serialization.load_pem_private_key((folder / f"{name}.pem").read_bytes(), None)
    n = key.private_numbers()
    template = [
        (low.CKA_CLASS, low.CKO_PRIVATE_KEY), (low.CKA_KEY_TYPE, low.CKK_RSA), (low.CKA_TOKEN, False),
        (low.CKA_UNWRAP, True), (low.CKA_SENSITIVE, True), (low.CKA_EXTRACTABLE, False),
        (low.CKA_MODULUS, number(n.public_numbers.n)), (low.CKA_PUBLIC_EXPONENT, number(n.public_numbers.e)),
        (low.CKA_PRIVATE_EXPONENT, number(n.d)), (low.CKA_PRIME_1, number(n.p)), (low.CKA_PRIME_2, number(n.q)),
        (low.CKA_EXPONENT_1, number(n.dmp1)), (low.CKA_EXPONENT_2, number(n.dmq1)), (low.CKA_COEFFICIENT, number(n.iqmp)),
    ]
    return session.createObject(template), key.key_size // 8


def unwrapped(item):
    if item["kek"] not in keks:
        keks[item["kek"]] = load_kek(item["kek"])
    kek, size = keks[item["kek"]]
    blob = b64url(json.loads(item["package"])["ciphertext"])
    aes = session.unwrapKey(kek, blob[:size], [
        (low.CKA_CLASS, low.CKO_SECRET_KEY), (low.CKA_KEY_TYPE, low.CKK_AES), (low.CKA_TOKEN, False), (low.CKA_UNWRAP, True),
    ], oaep)
    pad = PyKCS11.Mechanism(CKM_AES_KEY_WRAP_PAD, None)
    kind = item["type"]
    if kind == "aes256-gcm96":
        target = session.unwrapKey(aes, blob[size:], [
            (low.CKA_CLASS, low.CKO_SECRET_KEY), (low.CKA_KEY_TYPE, low.CKK_AES), (low.CKA_TOKEN, False),
            (low.CKA_SENSITIVE, False), (low.CKA_EXTRACTABLE, True),
        ], pad)
        value = bytes(session.getAttributeValue(target, [low.CKA_VALUE])[0])
        digest = hashlib.sha256(value).hexdigest()
    else:
        target = session.unwrapKey(aes, blob[size:], [
            (low.CKA_CLASS, low.CKO_PRIVATE_KEY), (low.CKA_TOKEN, False), (low.CKA_SIGN, True), (low.CKA_SENSITIVE, True),
            (low.CKA_KEY_TYPE, low.CKK_RSA if kind.startswith("rsa-") else low.CKK_EC),
        ], pad)
        digest = proven(item, target)
    session.destroyObject(target)
    session.destroyObject(aes)
    return digest


def proven(item, target):
    """The key in the token signs; the public key that was announced for it checks. Then that one is what is inside."""
    announced = serialization.load_der_public_key(base64.b64decode(publics[str(item["id"])]))
    message = hashlib.sha256(str(item["id"]).encode()).digest()
    if isinstance(announced, rsa.RSAPublicKey):
        modulus = bytes(session.getAttributeValue(target, [low.CKA_MODULUS])[0])
        assert int.from_bytes(modulus, "big") == announced.public_numbers().n
        signature = bytes(session.sign(target, message, PyKCS11.Mechanism(low.CKM_SHA256_RSA_PKCS, None)))
        announced.verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    else:
        curve = bytes(session.getAttributeValue(target, [low.CKA_EC_PARAMS])[0])
        assert curve.hex() == CURVES[item["type"]]
        signature = bytes(session.sign(target, message, PyKCS11.Mechanism(low.CKM_ECDSA, None)))
        half = len(signature) // 2
        der = utils.encode_dss_signature(int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
        announced.verify(der, message, ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    return hashlib.sha256(base64.b64decode(publics[str(item["id"])])).hexdigest()


keks = {}
for line in (folder / "batch.jsonl").read_text().splitlines():
    item = json.loads(line)
    print(json.dumps({"id": item["id"], "digest": unwrapped(item)}))
