"""The API's addresses of this app."""

from django.urls import path

from apps.repairs.api import showcase

urlpatterns = [path("showcases/<slug:code>/", showcase.ShowcaseOne.as_view(), name="api-showcase")]
