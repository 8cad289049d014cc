"""A payment gateway of our own, for tests: a process apart, with its own ledger and faults on demand.

It speaks the part of Stripe's HTTP API that `bookings.payments.stripe` uses, so that the product needs
nothing for it but an address:

    python -m bench.gateway --port 8210 --ledger /tmp/gateway.sqlite \\
        --webhook http://127.0.0.1:8000/payment-events/stripe --secret whsec_test --faults answer_lost=0.05

    PAYMENT_GATEWAY=stripe STRIPE_API_BASE=http://127.0.0.1:8210 STRIPE_SECRET_KEY=sk_test \\
        STRIPE_WEBHOOK_SECRET=whsec_test gunicorn ...

The ledger is a SQLite file (WAL, each answer committed before it is sent): a gateway that is killed and
started again on the same file goes on where it was. It prints `gateway: http://127.0.0.1:PORT` once it
listens.

Tokens (a request's `paymentToken`): `pm_declined` is declined, `pm_needs_action` wants 3-D Secure, any other
is good. `pm_FAULT`, where FAULT is one of those below, is good and meets that fault once, on its first
request under its key (`pm_capture_refused`, `pm_captured_before_void` and `pm_refund_refused`: whenever it
comes to that).

Faults, each with its share of the requests (0 to 1):

    answer_lost           done, and the connection closed without an answer
    reset                 the connection reset; nothing done
    delay                 `delay_seconds` (2) pass first; the key is in use for as long
    fault_before          500; nothing done, and the key still free
    fault_stored          500; nothing done, but that answer kept under the key
    fault_after           done, then 500, and that answer kept under the key
    capture_refused       402 for a capture, for good
    captured_before_void  somebody captures it in the dashboard: the cancellation comes too late
    refund_refused        400 for a refund, for good
    keys_forgotten        the idempotency key is not looked at (what the guard is for)
    webhook_duplicate, webhook_late (by `late_seconds`, 3), webhook_lost

`--faults a=0.1,b=0.2` at the start, `POST /faults` with a JSON object of them at any time (it replaces them
all; `{}` ends them). `GET /faults` answers `{"rates": {...}, "struck": {fault: how often}}`.

`GET /ledger` answers all that was ever asked, by our keys, in minor units:

    {"payments": [{"key", "id", "status", "amount", "currency", "refunded", "token"}, ...],
     "refunds": [{"key", "id", "payment_key", "status", "amount"}, ...]}

where `status` is Stripe's: `requires_capture`, `succeeded` (captured), `canceled`, `requires_payment_method`
(declined); a refund's `succeeded`. More than one payment under a key is what must not be.
"""
