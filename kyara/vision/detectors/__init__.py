"""Face detectors: pixels → boxes with scores. One module a detector."""
