"""Every setting of the site and its default. The key NAME is read from the environment as KYARA_NAME."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kyara.registry import MODEL_FOLDER
from kyara.storage.paths import INSTANCE_FOLDER, ROOT
from kyara.web.ops.limits import DEFAULT_LIMITS

DEFAULTS: Mapping[str, Any] = {
    "MAX_CONTENT_LENGTH": 8 * 1024 * 1024,
    "MODEL_FOLDER": str(MODEL_FOLDER),
    "DATABASE_URL": "",
    "TAUGHT_DATABASE": "",
    "OPERATOR_TOKEN": "",
    "OPERATOR_DATABASE_URL": "",
    "INSTANCE_FOLDER": str(INSTANCE_FOLDER),
    "SECRET_KEY": "",
    "SESSION_COOKIE_SECURE": False,
    "TRUSTED_PROXIES": 0,
    "HSTS_SECONDS": 0,
    "RATE_LIMITS": DEFAULT_LIMITS,
    "REDIS_URL": "",
    "MAX_QUEUED": 40,
    "MAX_RUNNING": 0,
    "REQUEST_DEADLINE_S": 10,
    "LOG_FORMAT": "text",
    "METRICS": "loopback",
    "METRICS_TOKEN": "",
    "DATASET_FOLDER": str(ROOT / "dataset"),
    "RUN_FOLDER": str(ROOT / "runs"),
    "REPORT_FOLDER": str(ROOT / "user_report"),
    "REPORT_DATABASE_URL": "",
    "CACHE_FOLDER": "",
    "FILES_URL": "",
    "FILES_ENDPOINT_URL": "",
    "REPORT_VOTE": False,
    "REPORT_QUOTA_BYTES": 2 * 1024**3,
    "REPORT_SENDER_QUOTA": 500,
    "BOOTSTRAP_SERVE_LOCAL": True,
    "BABEL_DEFAULT_LOCALE": "en",
    "BABEL_TRANSLATION_DIRECTORIES": str(ROOT / "translations"),
    "AUTO_404_RESPONSE": False,
    "VALIDATION_ERROR_STATUS_CODE": 422,
}
