"""The same signatures as bridge.senders makes, made by other people's code: vendors' libraries and openssl.

Fixtures are signed with these, and what our `sign` makes is checked by them.
"""

import atexit
import base64
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from gidgethub import ValidationFailure
from gidgethub.sansio import validate_event
from hubspot.utils.signature import Signature
from requests.auth import _basic_auth_str
from shopify_app.verify.webhook import verify_webhook_req
from standardwebhooks import Webhook
from stripe import WebhookSignature

PADDLE = "paddle-python-sdk==1.16.1"
PADDLE_SIGNS = """
import sys
from paddle_billing.Notifications.PaddleSignature import PaddleSignature
print(PaddleSignature.calculate_hmac(sys.argv[1], sys.stdin.buffer.read()).hexdigest())
"""


def stripe_header(body: bytes, secret: str, seconds: int) -> str:
    """The whole Stripe-Signature."""
    return WebhookSignature.generate_signature_header(body.decode(), secret, seconds)


def hubspot_signature(
    version: str, secret: str, body: bytes, url: str = "", *, method: str = "POST", milliseconds: str = ""
) -> str:
    """HubSpot's own library decodes nothing in the URL. The time must be its text: a float signs `.0` along with it."""
    return Signature.get_signature(secret, body.decode(), version, url, method, milliseconds)


def standard_signature(body: bytes, secret: str, message_id: str, seconds: int) -> str:
    """`v1,<base64>`"""
    return Webhook(secret).sign(message_id, datetime.fromtimestamp(seconds, UTC), body.decode())


def openssl_mac(message: bytes, key: bytes, algorithm: str = "sha256") -> bytes:
    command = ["openssl", "dgst", f"-{algorithm}", "-mac", "HMAC", "-macopt", f"hexkey:{key.hex()}", "-binary"]
    return subprocess.run(command, input=message, capture_output=True, check=True).stdout


def openssl_hex(message: bytes, secret: str, algorithm: str = "sha256") -> str:
    return openssl_mac(message, secret.encode(), algorithm).hex()


def openssl_base64(message: bytes, secret: str, algorithm: str = "sha256") -> str:
    return base64.b64encode(openssl_mac(message, secret.encode(), algorithm)).decode()


def basic_header(user: str, password: str) -> str:
    """requests writes text as Latin-1; UTF-8, as our challenge asks for, has to be given as bytes."""
    return _basic_auth_str(user.encode(), password.encode())


#: What stands before the 32 bytes of an Ed25519 key in PKCS #8: https://www.rfc-editor.org/rfc/rfc8410#section-7
PKCS8_ED25519 = bytes.fromhex("302e020100300506032b657004220420")


def openssl_ed25519(message: bytes, seed: bytes) -> bytes:
    """openssl signs files only, because it has to read them twice."""
    with tempfile.TemporaryDirectory() as folder:
        key, file = Path(folder, "key.der"), Path(folder, "message")
        key.write_bytes(PKCS8_ED25519 + seed)
        file.write_bytes(message)
        command = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", key, "-keyform", "DER", "-in", file]
        return subprocess.run(command, capture_output=True, check=True).stdout


def github_accepts(body: bytes, signature: str, secret: str) -> bool:
    """By gidgethub, which cannot sign. It takes `sha1=` too, as Intercom writes it."""
    try:
        validate_event(body, signature=signature, secret=secret)
    except ValidationFailure:
        return False
    return True


def shopify_accepts(body: bytes, headers: Mapping[str, str], secret: str, old_secret: str | None = None) -> bool:
    """By Shopify's own package, which cannot sign."""
    config = {"client_secret": secret, **({"old_client_secret": old_secret} if old_secret else {})}
    return verify_webhook_req({"method": "POST", "headers": dict(headers), "body": body.decode()}, config).ok


def paddle_header(body: bytes, secret: str, seconds: int) -> str:
    """The whole Paddle-Signature. For recipes only: it installs Paddle's package."""
    command = [str(paddle_python()), "-c", PADDLE_SIGNS, secret]
    done = subprocess.run(command, input=f"{seconds}:".encode() + body, capture_output=True, check=True)
    return f"ts={seconds};h1={done.stdout.decode().strip()}"


@cache
def paddle_python() -> Path:
    """An environment of its own: the package also installs `tests`, which would stand before ours."""
    folder = Path(tempfile.mkdtemp(prefix="paddle-"))
    atexit.register(shutil.rmtree, folder)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([folder / "bin" / "pip", "install", "-q", "--disable-pip-version-check", PADDLE], check=True)
    return folder / "bin" / "python"
