"""payment-service: a checkout session for an order.

There is one mode, `SHOP_PAYMENT_MODE=simulated`: no money moves, and each answer says so. The session's id comes
from the order's, so that asking again opens no second one.
"""

import os
import uuid

from .serving import Call, Refusal, serve, unknown

SESSIONS = uuid.UUID("7d3ee4a8-52c8-4b43-9a53-0c2b7d5d9a31")

MODE = os.environ.get("SHOP_PAYMENT_MODE", "simulated")
if MODE != "simulated":
    raise ValueError(f"SHOP_PAYMENT_MODE is {MODE!r}: expected 'simulated', the only mode that there is")


def process(envelope):
    return serve("payment-service", envelope, answer)


def answer(call: Call) -> dict:
    if call.operation != "checkout":
        raise unknown(call)
    call.user()
    order = call.answer["order"]
    if not order["amount"] > 0:
        raise Refusal(400, "nothing_to_pay", "the amount must be above 0")
    session = uuid.uuid5(SESSIONS, order["id"])
    payment = {
        "mode": MODE, "session_id": f"cs_sim_{session.hex}", "checkout_url": f"https://mock.stripe.com/{session}"}
    return {**call.answer, "payment": payment}
