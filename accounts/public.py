"""What other apps may ask of accounts.

Users travel between apps as their `pk` (an int) and are known outside by their `public_id`, the contract's
`userId`. Whatever is wrong with a token or a ticket is one `TokenInvalid`; whatever is not the user's own is
`NotFound`. `invariants` is for the auditor.
"""

from accounts.invariants import invariants
from accounts.keys import key_ring
from accounts.mail import deliver_due_mail, mail_backlog, mail_to_queue, queue_mail
from accounts.operations import create_staff_account, purge_expired
from accounts.queries import (
    account,
    account_by_public_id,
    account_of,
    authenticate_access_token,
    live_sessions,
    own_user_pk,
    user_named_by,
)
from accounts.sessions import redeem_socket_ticket
from accounts.types import Account, SessionHandle

__all__ = [
    "Account",
    "SessionHandle",
    "account",
    "account_by_public_id",
    "account_of",
    "authenticate_access_token",
    "create_staff_account",
    "deliver_due_mail",
    "invariants",
    "key_ring",
    "live_sessions",
    "mail_backlog",
    "mail_to_queue",
    "own_user_pk",
    "purge_expired",
    "queue_mail",
    "redeem_socket_ticket",
    "user_named_by",
]
