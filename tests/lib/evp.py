# SPDX-License-Identifier: Apache-2.0
"""Signature checks by OpenSSL's library, for tests that check thousands; one at a time the openssl program will do."""
import ctypes
import ctypes.util

_lib = ctypes.CDLL(ctypes.util.find_library("crypto") or "libcrypto.so.3")
for _name in ("d2i_PUBKEY", "EVP_MD_CTX_new", "EVP_sha256", "EVP_sha384"):
    getattr(_lib, _name).restype = ctypes.c_void_p

RSA_PKCS1_PSS_PADDING = 6
ED25519_SPKI = bytes.fromhex("302a300506032b6570032100")


class PublicKey:
    def __init__(self, spki):
        at = ctypes.c_char_p(spki)
        self.key = ctypes.c_void_p(_lib.d2i_PUBKEY(None, ctypes.byref(at), ctypes.c_long(len(spki))))
        if not self.key:
            raise ValueError("not a public key")

    def verify(self, form, data, signature):
        """form: a format of POLICY.md; raw-ecdsa-sha384 is raw-ecdsa of a P-384 key."""
        context = ctypes.c_void_p(_lib.EVP_MD_CTX_new())
        parameters = ctypes.c_void_p()
        md = {"raw-ed25519": None, "raw-ecdsa-sha384": _lib.EVP_sha384()}.get(form, _lib.EVP_sha256())
        try:
            if _lib.EVP_DigestVerifyInit(context, ctypes.byref(parameters), ctypes.c_void_p(md), None, self.key) != 1:
                return False
            if form == "raw-rsa-pss-sha256" and (
                    _lib.EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) != 1 or
                    _lib.EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, 32) != 1):
                return False
            return _lib.EVP_DigestVerify(context, signature, ctypes.c_size_t(len(signature)), data,
                                         ctypes.c_size_t(len(data))) == 1
        finally:
            _lib.EVP_MD_CTX_free(context)


def ed25519(raw):
    return PublicKey(ED25519_SPKI + raw)
