"""The API's addresses of this app (interfaces.md)."""

from django.urls import path

from apps.feedback.api import hooks, knowledge, views

urlpatterns = [
    path("feedback/", views.FeedbackList.as_view(), name="api-feedback"),
    path("feedback/bulk/", views.FeedbackBulk.as_view(), name="api-feedback-bulk"),
    path("feedback/<int:pk>/", views.FeedbackOne.as_view(), name="api-feedback-one"),
    path("feedback/<int:pk>/moves/", views.FeedbackMoves.as_view(), name="api-feedback-moves"),
    path("knowledge/", knowledge.Suggest.as_view(), name="api-knowledge"),
    path("hooks/<slug:channel>/", hooks.Hook.as_view(), name="api-hook"),
]
