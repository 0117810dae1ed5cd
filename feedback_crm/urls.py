"""Addresses."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from apps.core import health

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("i18n/", include("django.conf.urls.i18n")),
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("api/v1/", include("feedback_crm.api")),
    path("f/", include("apps.feedback.web.urls")),
    path("admin/", admin.site.urls),
]
