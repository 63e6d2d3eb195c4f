"""The operator's session cookie: signed, for `/operator/` alone, and made only if operators exist."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path
from typing import Any

from flask import Flask, Request, request
from flask.sessions import SecureCookieSessionInterface
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.wrappers import Response

from kyara.errors import BadInputError, KyaraError
from kyara.web.operator.accounts import SECRET_FILE
from kyara.web.secrets import check_secret_key

PREFIX = "/operator"
DEVICE_COOKIE = "operator_device"
DEVICE_LIFE_S = 180 * 24 * 3600


def is_operator_path(path: str) -> bool:
    """Tell whether an address belongs to operators."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


class OperatorSessions(SecureCookieSessionInterface):
    """Flask's signed cookie, which visitors neither get nor send."""

    def open_session(self, app: Flask, request: Request) -> Any:
        """Read the cookie; None (no session) for everybody but operators."""
        if not is_operator_path(request.path) or not self._has_operators(app):
            return None
        if not app.secret_key:  # made when the first operator comes, not with every site
            app.secret_key = load_secret_key(Path(app.config["INSTANCE_FOLDER"]))
        return super().open_session(app, request)

    def _has_operators(self, app: Flask) -> bool:
        try:
            return app.extensions["kyara_accounts"].exist()
        except KyaraError:  # the guard finds it again, where it can be answered
            return False

    def get_cookie_path(self, app: Flask) -> str:
        """Return the address below which browsers send it."""
        return f"{PREFIX}/"

    def get_cookie_secure(self, app: Flask) -> bool:
        """Return True behind TLS, or if the configuration says so."""
        return bool(app.config["SESSION_COOKIE_SECURE"] or request.is_secure)


def load_secret_key(folder: Path) -> str:
    """Return the key in a folder's file, making it if there is none; all processes get the same one.

    Raises:
        BadInputError: the file cannot be written or read, is weak, or others may read it.
    """
    path = folder / SECRET_FILE
    try:
        if not path.exists():
            _make_key(path)
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise BadInputError(
                f"Others may read {path}: `chmod 600` it, or remove it, and every operator logs in anew."
            )
        return check_secret_key(path.read_text(encoding="ascii").strip() or "?")
    except (OSError, UnicodeError) as error:
        raise BadInputError(
            f"The secret key {path} cannot be used ({error}): set INSTANCE_FOLDER to a folder that may "
            "be written, or set KYARA_SECRET_KEY."
        ) from error


def _make_key(path: Path) -> None:
    """Write a key whole or not at all; of several processes that do so at once the first one wins."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_urlsafe(48) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(part, path)
    finally:
        part.unlink(missing_ok=True)


def read_device(app: Flask, name: str) -> str | None:
    """Return the id of this browser, where this account has logged in with it before."""
    try:
        known = _device_signer(app).loads(request.cookies.get(DEVICE_COOKIE, ""), max_age=DEVICE_LIFE_S)
    except BadData:
        return None
    return known["id"] if isinstance(known, dict) and known.get("name") == name.strip().lower() else None


def remember_device(app: Flask, response: Response, name: str) -> None:
    """Let this browser be known the next time: strangers' wrong passwords do not hold it up."""
    value = _device_signer(app).dumps({"name": name, "id": secrets.token_hex(16)})
    response.set_cookie(
        DEVICE_COOKIE,
        value if isinstance(value, str) else value.decode(),
        max_age=DEVICE_LIFE_S,
        path=f"{PREFIX}/login",
        secure=OperatorSessions().get_cookie_secure(app),
        httponly=True,
        samesite="Strict",
    )


def _device_signer(app: Flask) -> URLSafeTimedSerializer:
    assert app.secret_key
    return URLSafeTimedSerializer(app.secret_key, salt="kyara-operator-device")
