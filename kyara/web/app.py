"""The Flask application factory: wiring, headers, errors. No model code.

    flask --debug run                     development
    gunicorn --threads 8 'app:create_app()'   what `make run` does

Every setting is a field of `settings.Settings`, read from the environment as KYARA_NAME.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from apiflask import APIFlask
from flask_babel import Babel
from flask_bootstrap import Bootstrap5
from werkzeug.middleware.proxy_fix import ProxyFix

import kyara
from kyara.dataset.review.reports import ReportStore
from kyara.registry import find_taught, open_models
from kyara.storage.events import Events
from kyara.storage.files import Files, open_files
from kyara.storage.paths import INSTANCE_FOLDER, ROOT
from kyara.web.documents import require_json, set_up_body_room
from kyara.web.operator import gallery_api
from kyara.web.operator.blueprints import set_up_operator_pages
from kyara.web.ops import readiness
from kyara.web.ops.assets import set_up_assets
from kyara.web.ops.cors import set_up_cors
from kyara.web.ops.headers import set_up_headers
from kyara.web.ops.limits import set_up_limits
from kyara.web.ops.logs import set_up_logs
from kyara.web.ops.monitoring import set_up_monitoring
from kyara.web.ops.openapi import complete_document
from kyara.web.problems import register_errors
from kyara.web.public import api, characters, detector, explanations, pages, pictures, reports, workers
from kyara.web.public.picture_schemas import describe_bodies
from kyara.web.schemas import ProblemOut
from kyara.web.secrets import check_operator_token
from kyara.web.serving.model_queue import ModelQueue, set_up_queue
from kyara.web.serving.model_watch import ModelWatch
from kyara.web.settings import DEFAULTS, Settings, make_config

DESCRIPTION = "Who is this anime character? Send pictures or face crops, get the most likely characters."


def create_app(config: Mapping[str, Any] | None = None) -> APIFlask:
    """Build the application.

    Args:
        config: overrides of `DEFAULTS`; they win over KYARA_* in the environment.

    Returns:
        A ready WSGI application. Without a usable model it starts all the same and answers 503.

    Raises:
        BadInputError: a setting makes no sense.
    """
    app = APIFlask(
        "app",
        title="Kyara",
        version=kyara.__version__,
        spec_path="/api/openapi.json",
        docs_path=None,
        root_path=str(ROOT),  # of `templates/` and `static/`
        instance_path=str(INSTANCE_FOLDER),
    )
    app.config.from_mapping(DEFAULTS)
    app.config.update(make_config(Settings.read()))
    app.config.update(config or {})
    app.config["DESCRIPTION"] = DESCRIPTION
    app.config["HTTP_ERROR_SCHEMA"] = ProblemOut
    app.config["VALIDATION_ERROR_SCHEMA"] = ProblemOut
    set_up_logs(app.config["LOG_FORMAT"])
    set_up_monitoring(app)  # first, so that a request has its id before anybody refuses it
    set_up_headers(app)
    set_up_cors(app)
    set_up_limits(app)
    set_up_body_room(app)
    Bootstrap5(app)
    set_up_assets(app)
    Babel(app, locale_selector=pages.select_locale)
    app.extensions["kyara_model"] = _load_model(app)
    app.extensions["kyara_reports"] = ReportStore(
        Path(app.config["REPORT_FOLDER"]),
        app.config["REPORT_DATABASE_URL"] or app.config["DATABASE_URL"] or None,
        quota_bytes=app.config["REPORT_QUOTA_BYTES"],
        files_in=_open_files(app, "user_report", "REPORT_FOLDER"),
        patient=True,  # the site is still good for everything else
    )
    visitors = (pages, characters, workers, detector, api, pictures, explanations, reports)
    for module in (*visitors, readiness):
        app.register_blueprint(module.blueprint)
    if check_operator_token(app.config["OPERATOR_TOKEN"]):
        app.config["SECURITY_SCHEMES"] = gallery_api.SECURITY_SCHEMES
        app.register_blueprint(gallery_api.blueprint)
    set_up_operator_pages(app)
    if proxies := app.config["TRUSTED_PROXIES"]:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=proxies)
    set_up_queue(app)
    app.before_request(require_json)
    bodies = {"/api/pictures": describe_bodies()}
    app.spec_processor(lambda spec: complete_document(spec, bodies))
    register_errors(app)
    return app


def _open_files(app: APIFlask, name: str, folder_key: str) -> Files:
    config = app.config
    return open_files(config["FILES_URL"], name, Path(config[folder_key]), config["FILES_ENDPOINT_URL"])


def _load_model(app: APIFlask) -> ModelQueue:
    folder = Path(app.config["MODEL_FOLDER"])
    taught = find_taught(
        folder, place=app.config["TAUGHT_DATABASE"], database_url=app.config["DATABASE_URL"]
    )
    queue = ModelQueue(
        app.config["MAX_QUEUED"],
        running_places=app.config["MAX_RUNNING"],
        deadline_s=app.config["REQUEST_DEADLINE_S"],
    )
    events = app.extensions["kyara_events"] = Events(app.config["REDIS_URL"])
    models = app.extensions["kyara_models"] = open_models(folder, app.config, events)
    watch = ModelWatch(queue, models, taught, events, app.config["INDEX_FROM"])
    queue.on_use = watch.start  # again in a worker that was forked off
    watch.start()
    return queue
