"""What an operator's tools see: a request id, a log line and numbers for each request, and `/metrics`.

Nothing here holds a picture, a label or an address of a visitor: numbers are by route, reason, verdict.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
import re
import time
import uuid
from collections.abc import Iterable, Iterator

from apiflask import APIBlueprint, APIFlask
from flask import Response, current_app, g, request
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from werkzeug.exceptions import NotFound

from kyara.errors import BadInputError, BusyError, KyaraError
from kyara.recognition.classifier import Classifier
from kyara.web.secrets import check_metrics_token
from kyara.web.serving.model_queue import find_model
from kyara.web.serving.process import ARRIVED, FIELDS, REQUEST_ID_HEADER

METRICS_FROM = ("loopback", "off")
LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20)
_REQUEST_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_REFUSALS = frozenset({429, 503, 507})
_PROXY_HEADERS = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")

logger = logging.getLogger("kyara.requests")
blueprint = APIBlueprint("monitoring", __name__)


class Metrics:
    """The numbers of one application, in a registry of its own."""

    def __init__(self, app: APIFlask) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "kyara_requests",
            "Requests answered",
            ["route", "method", "status"],
            registry=self.registry,
        )
        self.seconds = Histogram(
            "kyara_request_duration_seconds",
            "From the last byte of a request to its answer, waiting included",
            ["route"],
            buckets=LATENCY_BUCKETS_S,
            registry=self.registry,
        )
        self.refusals = Counter(
            "kyara_refusals", "Requests refused for the time being", ["reason"], registry=self.registry
        )
        self.verdicts = Counter("kyara_verdicts", "Faces answered", ["verdict"], registry=self.registry)
        self.registry.register(_Moment(app))
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)


class _Moment(Collector):
    """What is asked only when somebody looks: the queue, the model, the reports."""

    def __init__(self, app: APIFlask) -> None:
        self._app = app

    def describe(self) -> Iterable[Metric]:
        """Tell nothing before somebody looks."""
        return ()

    def collect(self) -> Iterator[Metric]:
        with self._app.app_context():
            yield from _describe_queue()
            classifier = _find_classifier()
            if classifier is not None:
                yield from _describe_model(classifier)
            yield from _describe_reports(self._app)


def _find_classifier() -> Classifier | None:
    try:
        return find_model().classifier
    except KyaraError:
        return None


def _describe_queue() -> Iterator[Metric]:
    queue = find_model().count()
    yield GaugeMetricFamily("kyara_queue_waiting", "Requests that wait for the model", queue.waiting)
    yield GaugeMetricFamily("kyara_queue_running", "Requests that the model works on", queue.running)
    yield GaugeMetricFamily("kyara_queue_running_places", "Most that may run", queue.running_places)
    yield GaugeMetricFamily("kyara_queue_places", "Most that may run or wait", queue.places)


def _describe_model(classifier: Classifier) -> Iterator[Metric]:
    info = GaugeMetricFamily("kyara_model_info", "The model that serves", labels=["name", "version"])
    info.add_metric([classifier.bundle.name, classifier.bundle.version], 1)
    yield info
    yield GaugeMetricFamily(
        "kyara_characters", "Characters that can be answered", len(classifier.characters)
    )
    references = sum(classifier.count_references().values())
    yield GaugeMetricFamily("kyara_gallery_references", "Reference faces in the gallery", references)


def _describe_reports(app: APIFlask) -> Iterator[Metric]:
    by_state = GaugeMetricFamily("kyara_reports", "Reports that visitors sent", labels=["state"])
    answers = GaugeMetricFamily("kyara_report_database_up", "Whether the report database answers")
    try:
        for state, count in app.extensions["kyara_reports"].count_by_state().items():
            by_state.add_metric([str(state)], count)
        answers.add_metric([], 1)
        yield by_state
    except Exception:  # a trouble of the database is one of the things to be seen here
        answers.add_metric([], 0)
    yield answers


def set_up_monitoring(app: APIFlask) -> None:
    """Give every request an id, a log line and its place in the numbers; add `/metrics`.

    Raises:
        BadInputError: the configuration makes no sense.
    """
    check_metrics_settings(app.config["METRICS"], app.config["METRICS_TOKEN"])
    app.extensions["kyara_metrics"] = Metrics(app)
    app.register_blueprint(blueprint)
    app.before_request(begin_request)
    app.after_request(end_request)


def check_metrics_settings(mode: object, token: object) -> None:
    """Refuse settings that make no sense.

    Raises:
        BadInputError: they do not.
    """
    if mode not in METRICS_FROM:
        raise BadInputError(f"KYARA_METRICS is one of {', '.join(METRICS_FROM)}; received {mode!r}.")
    check_metrics_token(token)


def begin_request() -> None:
    """Take the client's request id, where it is a sound one, or make one."""
    sent = request.headers.get(REQUEST_ID_HEADER, "")
    g.request_id = sent if _REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex
    g.began = request.environ.get(ARRIVED) or time.monotonic()


def end_request(response: Response) -> Response:
    """Count and log a request."""
    if "began" not in g:  # something refused it before it began
        begin_request()
    response.headers[REQUEST_ID_HEADER] = g.request_id
    took_s = time.monotonic() - g.began
    known = request.url_rule is not None
    route = request.url_rule.rule if request.url_rule is not None else "unknown"
    method = request.method if known else "any"
    metrics: Metrics = current_app.extensions["kyara_metrics"]
    metrics.requests.labels(route, method, str(response.status_code)).inc()
    metrics.seconds.labels(route).observe(took_s)
    fields = {
        "method": method,
        "route": route,
        "status": response.status_code,
        "took_ms": round(took_s * 1000, 1),
    }
    if "refusal" in g:
        fields["refusal"] = g.refusal
    words = f"{method} {route} {response.status_code} {fields['took_ms']} ms"
    logger.info(words, extra={FIELDS: fields})
    return response


def count_refusal(error: KyaraError) -> None:
    """Count an error that says "not now", by its reason."""
    if error.status in _REFUSALS:
        titled = error.title.lower().replace(" ", "_")
        g.refusal = error.reason if isinstance(error, BusyError) else titled
        current_app.extensions["kyara_metrics"].refusals.labels(g.refusal).inc()


def count_verdicts(verdicts: Iterable[str]) -> None:
    """Count what faces were answered."""
    for verdict in verdicts:
        current_app.extensions["kyara_metrics"].verdicts.labels(verdict).inc()


@blueprint.get("/metrics")
@blueprint.doc(hide=True)
def show_metrics() -> Response:
    """Tell the numbers to Prometheus: to who has the token, or on this machine where there is none."""
    if not may_read_metrics():
        raise NotFound
    text = generate_latest(current_app.extensions["kyara_metrics"].registry)
    return Response(text, content_type=CONTENT_TYPE_LATEST, headers={"Cache-Control": "no-store"})


def may_read_metrics() -> bool:
    """Tell whether this client may read the numbers."""
    if current_app.config["METRICS"] == "off":
        return False
    token = current_app.config["METRICS_TOKEN"]
    if token:
        sent = request.authorization
        given = sent.token if sent is not None and sent.type == "bearer" and sent.token else ""
        return hmac.compare_digest(given.encode(), token.encode())
    if any(name in request.headers for name in _PROXY_HEADERS):
        return False  # through a proxy everybody comes from this machine
    try:
        return ipaddress.ip_address(request.remote_addr or "").is_loopback
    except ValueError:
        return False
