from __future__ import annotations

from django.urls import path

from accounts import views

urlpatterns = [
    path("register", views.RegisterView.as_view()),
    path("login", views.LoginView.as_view()),
    path("token/refresh", views.RefreshView.as_view()),
    path("logout", views.LogoutView.as_view()),
    path("ws-ticket", views.SocketTicketView.as_view()),
]
