"""How many examples Hypothesis tries: few with `make test`, many with `make fuzz`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]

settings.register_profile("kyara", max_examples=25, deadline=None, suppress_health_check=_SLOW)
settings.register_profile("many", max_examples=600, deadline=None, suppress_health_check=_SLOW)
settings.load_profile(os.environ.get("HYPOTHESIS_EXAMPLES", "kyara"))
