"""The API's addresses of this app (interfaces.md)."""

from django.urls import path

from apps.rewards.api import views

urlpatterns = [
    path("coupons/<str:code>/", views.CouponOne.as_view(), name="api-coupon"),
    path("coupons/<str:code>/redeem/", views.CouponRedeem.as_view(), name="api-coupon-redeem"),
]
