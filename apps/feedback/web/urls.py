"""Addresses of the public feedback entry (decisions, item 9). None holds personal data."""

from django.urls import path

from apps.feedback.web import views

app_name = "entry"
urlpatterns = [
    path("", views.choose, name="choose"),
    path("status/", views.status, name="status"),
    path("status/add/", views.add, name="add"),
    path("<slug:code>/", views.say, name="say"),
]
