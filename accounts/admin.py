"""The admin of users, sessions and mail. Nothing here shows a hash or a secret, or undoes an end."""

from __future__ import annotations

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from accounts.mail import retry_failed_mail
from accounts.models import Mail, RefreshToken, Session, SocketTicket, User
from accounts.sessions import end_sessions


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic when it runs
    """Rows that only operations write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class UserAddForm(AdminUserCreationForm):  # type: ignore[type-arg]  # Django's is not generic at run time
    class Meta:
        model = User
        fields = ("username", "email")


class UserEditForm(UserChangeForm):  # type: ignore[type-arg]  # Django's is not generic at run time
    class Meta:
        model = User
        fields = "__all__"


@admin.register(User)
class UserAdmin(DjangoUserAdmin):  # type: ignore[type-arg]  # Django's is not generic at run time
    form = UserEditForm
    add_form = UserAddForm
    list_display = (
        "username",
        "public_id",
        "email",
        "given_name",
        "family_name",
        "is_active",
        "is_staff",
        "date_joined",
    )
    list_filter = ("is_active", "is_staff", "is_superuser", "groups", "date_joined")
    search_fields = ("username", "email", "given_name", "family_name", "public_id")
    ordering = ("username",)
    readonly_fields = ("public_id", "date_joined", "last_login")
    fieldsets = (
        (None, {"fields": ("username", "password", "public_id")}),
        ("Person", {"fields": ("given_name", "family_name", "email")}),
        ("Powers", {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        ("Dates", {"fields": ("date_joined", "last_login")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": ("username", "email", "usable_password", "password1", "password2"),
            },
        ),
    )

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False  # bookings name them: switch them off


@admin.register(Session)
class SessionAdmin(ReadOnlyAdmin):
    list_display = ("user", "created_at", "expires_at", "ended_at", "end_reason")
    list_filter = (("ended_at", admin.EmptyFieldListFilter), "end_reason", "created_at", "expires_at")
    list_select_related = ("user",)
    search_fields = ("user__username", "user__email", "user__public_id")
    exclude = ("sid",)
    date_hierarchy = "created_at"
    actions = ("end_chosen",)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_session")

    @admin.action(description="End the chosen sessions", permissions=["end"])
    def end_chosen(self, request: HttpRequest, queryset: QuerySet[Session]) -> None:
        count = end_sessions(sids=queryset.values_list("sid", flat=True), reason="staff")
        self.message_user(request, f"{count} sessions ended.", messages.SUCCESS)


@admin.register(RefreshToken)
class RefreshTokenAdmin(ReadOnlyAdmin):
    list_display = ("user", "session", "created_at", "expires_at", "used_at")
    list_filter = (("used_at", admin.EmptyFieldListFilter), "created_at", "expires_at")
    list_select_related = ("session__user",)
    search_fields = ("session__user__username", "session__user__public_id")
    exclude = ("token_hash",)

    @admin.display(ordering="session__user__username")
    def user(self, token: RefreshToken) -> User:
        return token.session.user


@admin.register(SocketTicket)
class SocketTicketAdmin(ReadOnlyAdmin):
    list_display = ("user", "session", "expires_at")
    list_filter = ("expires_at",)
    list_select_related = ("session__user",)
    search_fields = ("session__user__username", "session__user__public_id")
    exclude = ("ticket_hash",)

    @admin.display(ordering="session__user__username")
    def user(self, ticket: SocketTicket) -> User:
        return ticket.session.user


@admin.register(Mail)
class MailAdmin(ReadOnlyAdmin):
    list_display = ("subject", "to", "state", "attempts", "created_at", "due_at", "sent_at")
    list_filter = ("state", "created_at", "sent_at")
    search_fields = ("to", "subject", "key")
    date_hierarchy = "created_at"
    actions = ("try_again",)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("accounts.change_mail")

    @admin.action(description="Try the chosen failed mails again", permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Mail]) -> None:
        count = retry_failed_mail(pks=queryset.values_list("pk", flat=True))
        self.message_user(request, f"{count} mails will be tried again.", messages.SUCCESS)
