"""The five services. Who depends on whom is in the routes: a call that needs the database passes through it.

    {"op": "process_payment", "user_id": 1, "amount": 25.0}  along api_gateway, user_service, database_service, ...

A service reads what the one before it has answered, and asks the next one by `query`. What a service cannot do is an
error, with which the call fails: nothing comes back from behind a service that is down.
"""

import random
import time

from services import database, health, stress

READS = {"users", "payments", "balance", "profile"}


class Rejected(ValueError):
    """The call itself is wrong, or was declined; no service is ill."""


def process(payload, context):
    service = context.route["actors"][context.route["current"]]
    op = payload.get("op") if isinstance(payload, dict) else None
    if op == "health":
        found = health.report(service)
        context.emit("health", found)
        return {**payload, "hops": [*payload.get("hops", []), found]}
    if op == "stress":
        return stress.command(payload)
    chance = random.Random(f"{context.id}/{service}/{op}")
    return {
        "api_gateway": api_gateway, "user_service": user_service, "payment_service": payment_service,
        "database_service": database_service, "echo_service": echo_service,
    }[service](payload, context, chance)


def api_gateway(payload, context, chance):
    known = READS | {"process_payment", "create_user"}
    if payload.get("op") not in known:
        raise Rejected(f"op {payload.get('op')!r}: expected one of {', '.join(sorted(known))}")
    return {**payload, "called_at": time.time()}


def user_service(payload, context, chance):
    op = payload["op"]
    if op == "create_user":
        name = payload.get("name")
        if not isinstance(name, str) or not 0 < len(name) <= 100:
            raise Rejected("name: expected a text of 1 to 100 characters")
        return {**payload, "query": {"insert_user": {"name": name}}}
    if op in ("process_payment", "profile", "balance"):
        return {**payload, "query": {"find_user": whole(payload, "user_id")}}
    return {**payload, "query": {"users": True}}


def payment_service(payload, context, chance):
    op = payload["op"]
    if op == "balance":
        return {**payload, "query": {"balance": whole(payload, "user_id")}}
    if op != "process_payment":
        return {**payload, "query": {"payments": True}}
    amount = payload.get("amount")
    if isinstance(amount, bool) or not isinstance(amount, (int, float)) or not 0 < amount <= 1e6:
        raise Rejected("amount: expected a number, above 0, up to 1000000")
    time.sleep(chance.uniform(0.1, 0.3))
    # As banks are. The same envelope is always told the same.
    if chance.random() >= 0.9:
        raise Rejected("402: the payment was declined")
    return {**payload, "query": {"insert_payment": {"user_id": payload["user_id"], "amount": round(amount, 2)}}}


def database_service(payload, context, chance):
    query = payload.get("query")
    if not isinstance(query, dict) or len(query) != 1:
        raise Rejected("query: expected an object with one member")
    time.sleep(chance.uniform(0.01, 0.05))
    try:
        answer = database.run(query, context.id)
    except database.NotThere as error:
        raise Rejected(f"404: {error}") from None
    return {**{name: value for name, value in payload.items() if name != "query"}, **answer}


def echo_service(payload, context, chance):
    return {"echo": payload, "headers": {name: value for name, value in context.headers.items() if name != "traceparent"}}


def whole(payload, name):
    value = payload.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1 << 53:
        raise Rejected(f"{name}: expected a whole number from 1")
    return value
