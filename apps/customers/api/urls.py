"""The API's addresses of this app (interfaces.md)."""

from django.urls import path

from apps.customers.api import views

urlpatterns = [
    path("customers/", views.CustomerList.as_view(), name="api-customers"),
    path("customers/<int:pk>/", views.CustomerOne.as_view(), name="api-customers-one"),
    path("orders/", views.OrderList.as_view(), name="api-orders"),
    path("orders/<int:pk>/", views.OrderOne.as_view(), name="api-orders-one"),
]
