"""The API's addresses of this app (interfaces.md)."""

from django.urls import path

from apps.shop.api import views

urlpatterns = [
    path("stock/", views.StockList.as_view(), name="api-stock"),
    path("stock/<int:pk>/", views.StockOne.as_view(), name="api-stock-one"),
]
