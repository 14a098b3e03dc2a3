"""An OpenID Connect provider in a thread, which lets in at once whoever it is told to."""

import base64
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "dobae", "only-in-this-test"


class Provider:
    """Serves discovery, keys, a sign-in without questions, and tokens.

    Attributes:
        account: Claims of whoever signs in next.
    """

    def __init__(self) -> None:
        self.account: dict[str, Any] = {}
        self._key = RSAKey.generate_key(2048, {"kid": "1", "alg": "RS256", "use": "sig"})
        self._codes: dict[str, dict[str, Any]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                path, query = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query))
                if path == "/authorize":
                    self.send_response(302)
                    self.send_header("Location", provider.signed_in(query))
                    self.end_headers()
                else:
                    self._send(provider.keys() if path == "/keys" else provider.discovery())

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                given = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
                assert given == f"{CLIENT}:{SECRET}"
                self._send(provider.token(form["code"][0]))

            def _send(self, what: object) -> None:
                raw = json.dumps(what).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - as the base class names it
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def discovery(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
        }

    def keys(self) -> dict[str, Any]:
        return {"keys": [self._key.as_dict(private=False)]}

    def signed_in(self, asked: dict[str, str]) -> str:
        """Returns where the browser goes on to, with a code for the account."""
        code = secrets.token_hex(8)
        self._codes[code] = {"nonce": asked["nonce"], "aud": asked["client_id"], **self.account}
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, code: str) -> dict[str, Any]:
        now = int(time.time())
        claims = {"iss": self.url, "sub": code, "iat": now, "exp": now + 300, **self._codes.pop(code)}
        signed = jwt.encode({"alg": "RS256", "kid": "1"}, claims, self._key)
        return {"access_token": "x", "token_type": "Bearer", "expires_in": 300, "id_token": signed}
