"""Addresses to which providers push in their own formats."""

from django.urls import path

from apps.messaging.api import hooks

urlpatterns = [
    path("hooks/wechat/<slug:code>/", hooks.wechat, name="api-hook-wechat"),
    path("hooks/aliyun/<slug:code>/<str:token>/", hooks.aliyun, name="api-hook-aliyun"),
]
