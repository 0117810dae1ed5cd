"""Addresses of the setting-up, below /admin/setup/."""

from django.contrib import admin
from django.urls import path

from feedback_crm.setup import views

urlpatterns = [
    path("", admin.site.admin_view(views.index), name="setup"),
    path("<slug:code>/", admin.site.admin_view(views.step), name="setup_step"),
]
