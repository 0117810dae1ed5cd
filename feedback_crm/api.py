"""The API's addresses (interfaces.md)."""

from django.urls import include, path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

urlpatterns = [
    path(
        "schema/",
        SpectacularAPIView.as_view(authentication_classes=[], permission_classes=[]),
        name="api-schema",
    ),
    path(
        "docs/",
        SpectacularSwaggerView.as_view(
            url_name="api-schema", authentication_classes=[], permission_classes=[]
        ),
        name="api-docs",
    ),
    path("", include("apps.messaging.api.urls")),
    path("", include("apps.feedback.api.urls")),
    path("", include("apps.customers.api.urls")),
    path("", include("apps.shop.api.urls")),
    path("", include("apps.rewards.api.urls")),
    path("", include("apps.repairs.api.urls")),
]
