"""Addresses."""

from typing import Any

from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

from apps.compliance.admin.try_text import try_view
from apps.core import health
from apps.feedback.admin.team_life import digest_view
from apps.feedback.admin.words import words_view

ICON = "core/icon.svg"


class Icon(RedirectView):
    """Browsers and bookmarks ask for it at this address, whatever the page says."""

    def get_redirect_url(self, *args: Any, **kwargs: Any) -> str:
        """Asked for late: in production the name carries a hash of the file."""
        return static(ICON)


urlpatterns = [
    path("favicon.ico", Icon.as_view()),
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("api/v1/", include("feedback_crm.api")),
    path("f/", include("apps.feedback.web.urls")),
    path("u/", include("apps.messaging.web.urls")),
    path("admin/digest/", admin.site.admin_view(digest_view), name="digest"),
    path("admin/feedback/words/", admin.site.admin_view(words_view), name="feedback_words"),
    path("admin/compliance/try/", admin.site.admin_view(try_view), name="compliance_try"),
    path("admin/setup/", include("feedback_crm.setup.urls")),
    path("admin/", admin.site.urls),
]
