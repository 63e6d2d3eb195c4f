"""The videos that `identify --annotate` writes play in a real browser."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import run_kyara
from playwright.sync_api import Browser
from videos import slide_example, write_video

PLAY = """async (source) => {
  const video = document.createElement('video');
  video.muted = true;
  video.src = source;
  document.body.append(video);
  await video.play();
  await new Promise((done, fail) => {
    video.onended = done;
    video.onerror = () => fail(video.error.message);
  });
  const shown = video.getVideoPlaybackQuality().totalVideoFrames;
  return [video.videoWidth, video.videoHeight, video.currentTime, shown];
}"""


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_an_annotated_video_plays_to_its_end(
    browser: Browser, tiny_bundle: Path, tmp_path: Path, suffix
):
    frames = slide_example(6)
    clip = write_video(tmp_path / "clip.mp4", frames, rate=10, sound=True)
    out = tmp_path / f"out{suffix}"
    run_kyara(
        "identify", clip, "--model", tiny_bundle, "--level", "0", "--every", "0.3", "--annotate", out
    )
    (tmp_path / "page.html").write_text("<!doctype html><title>Player</title>")
    page = browser.new_page()
    try:
        page.goto((tmp_path / "page.html").as_uri())
        width, height, time, shown = page.evaluate(PLAY, out.name)
    finally:
        page.close()
    assert (height, width) == frames[0].shape[:2]
    assert time == pytest.approx(0.6, abs=0.1)
    assert shown >= 3
