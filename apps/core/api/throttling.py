"""How much a token may ask."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle


class TokenThrottle(SimpleRateThrottle):
    """A rate for each token (API_THROTTLE, default 6000/min), counted in fixed windows.

    DRF keeps the moment of every request of the window in one cache entry, which at 6,000 a minute costs more
    than the request; one counter per window costs an increment, and Redis counts it right for several
    processes.
    """

    scope = "token"

    def get_cache_key(self, request: Request, view: Any) -> str | None:
        """One key per token; anonymous requests (schema, webhooks) are not counted."""
        pk = getattr(request.user, "pk", None)
        return f"throttle:token:{pk}" if pk else None

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count this request; False once the window is full."""
        key = self.get_cache_key(request, view)
        if self.rate is None or key is None:
            return True
        self.now = self.timer()
        key = f"{key}:{int(self.now // self.duration)}"
        self.cache.add(key, 0, self.duration * 2)
        try:
            return self.cache.incr(key) <= self.num_requests
        except ValueError:
            # The entry was evicted between the two calls: this one is the first.
            return True

    def wait(self) -> float:
        """Seconds until the next window."""
        return self.duration - self.now % self.duration
