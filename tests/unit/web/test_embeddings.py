"""Embeddings over HTTP: only where they are asked for, and whole names."""

from __future__ import annotations

import base64

import numpy as np
import pytest


def test_embeddings_come_only_where_they_are_asked_for(client, crop):
    plain = client.post("/api/identify", json={"crops": [crop]}).json
    assert "embedding" not in plain["faces"][0]
    assert {"network", "ranking"}.isdisjoint(plain["model"])
    assert "score" not in plain["faces"][0]["answers"][0]
    asked = client.post("/api/identify", json={"crops": [crop], "embeddings": True}).json
    (face,) = asked["faces"]
    vector = np.frombuffer(base64.b64decode(face["embedding"]), "<f4")
    assert float(np.linalg.norm(vector)) == pytest.approx(1, abs=1e-5)
    assert len(asked["model"]["network"]) == 16
    assert len(asked["model"]["ranking"]["weights"]) == 5
    assert [answer["label"] for answer in face["answers"]] == [
        answer["label"] for answer in plain["faces"][0]["answers"]
    ]
    assert face["answers"][0]["references"] > 0


@pytest.mark.parametrize("value", ["true", 1, None, [], "yes"])
def test_only_true_and_false_ask_for_embeddings(client, crop, value):
    answer = client.post("/api/identify", json={"crops": [crop], "embeddings": value})
    assert answer.status_code == 422


def test_32_faces_with_embeddings_are_one_short_answer(client, crop):
    answer = client.post("/api/identify", json={"crops": [crop] * 32, "embeddings": True})
    assert answer.status_code == 200
    size = len(answer.json["faces"][0]["embedding"])
    assert len(answer.data) < 32 * (size + 2_000)


@pytest.mark.parametrize("query", ["ribbon aka", "赤リボン", "aka_ribbon"])
def test_a_whole_name_finds_its_character_in_any_language_and_order(client, query):
    found = client.get("/api/characters", query_string={"query": query, "whole": "true"}).json
    assert [one["label"] for one in found["characters"]] == ["aka_ribbon"]
    part = client.get("/api/characters", query_string={"query": "ribbon", "whole": "true"}).json
    assert part["characters"] == []
    odd = client.get("/api/characters", query_string={"query": query, "whole": "perhaps"})
    assert odd.status_code == 422
