"""What a thread does for one message: ask the application, or refuse it in the application's words."""

from __future__ import annotations

import json
import logging
import uuid
from typing import Any

from waitress.task import ErrorTask, Task, WSGITask

from kyara.web.serving.process import ARRIVED, FIELDS, REQUEST_ID_HEADER, stopping

logger = logging.getLogger("kyara.requests")


class _WholeTask(Task):
    """Answers in one piece, and tells the client that the connection ends, while the process does."""

    channel: Any

    def build_response_header(self) -> bytes:
        """Return the header; from now on nothing else may be sent before it."""
        self.channel.answer_began = True
        if stopping.is_set():
            self.set_close_on_finish()
        return super().build_response_header()

    def write(self, data: bytes) -> None:
        """Write a part of the answer; one that is all of it goes together with the header.

        So a process that is killed has sent all or nothing; after nothing nginx asks the next server.
        """
        if self.wrote_header or self.content_length != len(data) or not self.has_body:
            super().write(data)
            return
        self.channel.write_soon(self.build_response_header() + data)
        self.wrote_header = True
        self.content_bytes_written = len(data)


class Answer(_WholeTask, WSGITask):
    """Asks the application, and tells it when the request was here."""

    def get_environment(self) -> dict[str, Any]:
        environ = super().get_environment()
        request: Any = self.request
        environ[ARRIVED] = request.arrived
        return environ


class Refusal(_WholeTask, ErrorTask):
    """What a request gets that never reaches the application: problem details, as from there."""

    def execute(self) -> None:
        request: Any = self.request
        error = request.error
        self.status = f"{error.code} {error.reason}"
        request_id = uuid.uuid4().hex
        problem = {
            "type": "about:blank",
            "title": error.reason,
            "status": error.code,
            "detail": f"The request was refused before it was read: {error.reason.lower()}.",
            "request_id": request_id,
        }
        body = json.dumps(problem).encode()
        self.response_headers = [
            ("Content-Type", "application/problem+json"),
            ("X-Content-Type-Options", "nosniff"),
            (REQUEST_ID_HEADER, request_id),
        ]
        fields = {"request_id": request_id, "status": error.code}
        logger.info("refused unread %s", error.code, extra={FIELDS: fields})
        self.channel.refused = True
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)
