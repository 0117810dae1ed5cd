"""Addresses of people's own choices (decisions, item 9)."""

from django.urls import path

from apps.messaging.web import views

app_name = "consent"
urlpatterns = [path("<str:token>/", views.choices, name="choices")]
