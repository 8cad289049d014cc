"""What must always hold among users, sessions and mail."""

from __future__ import annotations

from flightbook.invariants import Check

INVARIANTS = (
    Check(
        name="accounts.one_refresh_token",
        rule="a session has one unused refresh token at most",
        rows="""
        SELECT format('session %%s: %%s unused', s.id, count(t.id)), count(t.id) <= 1
          FROM accounts_session AS s
          LEFT JOIN accounts_refreshtoken AS t ON t.session_id = s.id AND t.used_at IS NULL
         GROUP BY s.id
        """,
    ),
    Check(
        name="accounts.disabled_users_are_out",
        rule="a user who was switched off has no live session",
        rows="""
        SELECT format('user %%s', u.id),
               NOT EXISTS (SELECT FROM accounts_session AS s
                            WHERE s.user_id = u.id AND s.ended_at IS NULL AND s.expires_at > %(now)s)
          FROM accounts_user AS u
         WHERE NOT u.is_active
        """,
    ),
    Check(
        name="accounts.sent_mail_has_its_time",
        rule="a mail has the time of sending if and only if it was sent",
        rows="""
        SELECT format('mail %%s: %%s', id, state), (state = 'sent') = (sent_at IS NOT NULL)
          FROM accounts_mail
        """,
    ),
)


def invariants() -> tuple[Check, ...]:
    """What the auditor looks at."""
    return INVARIANTS
