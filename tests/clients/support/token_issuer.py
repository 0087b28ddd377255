"""An identity provider: RSA keys, signed tokens, and a server of the public halves.

Owns the keys and a thread that serves them, with an OpenID configuration. Makes tokens with
whatever claims a test wants, also ones that nobody should accept.
"""

from __future__ import annotations

import http.server
import json
import threading
import time

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

AUDIENCE = "https://ossrdbms-aad.database.windows.net"
CDF_AUDIENCE = "https://westeurope-1.cognitedata.com"
TENANT = "5f2a7b1c-tenant"
ADA = "ada@example.com"


class TokenIssuer:
    def __init__(self):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.kid = "key-1"
        self.tokens: list[str] = []
        issuer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps(issuer._documents().get(self.path, {})).encode()
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def discovery_url(self) -> str:
        return f"{self.url}/.well-known/openid-configuration"

    @property
    def public_pem(self) -> bytes:
        return self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def _documents(self) -> dict[str, dict]:
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        key |= {"kid": self.kid, "use": "sig", "alg": "RS256"}
        return {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
            "/keys": {"keys": [key]},
        }

    def claims(self, **changes) -> dict:
        """Ada's claims with some changed; None takes a claim out."""
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "tid": TENANT,
            "oid": "ada-object-id",
            "sub": "ada-subject",
            "upn": ADA,
            "appid": "a-tool",
            "scp": "user_impersonation",
            "groups": ["group-1"],
            "nbf": now,
            "iat": now,
            "exp": now + 3600,
        } | changes
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, key=None, algorithm="RS256", **changes) -> str:
        headers = {"kid": self.kid}
        token = jwt.encode(self.claims(**changes), key or self.key, algorithm=algorithm, headers=headers)
        self.tokens.append(token)
        return token

    def section(self) -> dict:
        """What a gateway's configuration says of it."""
        return {
            "name": "entra",
            "iss": [self.url],
            "audiences": [AUDIENCE],
            "cdf_audiences": [CDF_AUDIENCE],
            "tenant": TENANT,
        }
