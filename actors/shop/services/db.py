"""db-service: the shop's store, in a SQLite file.

    products; cart_view, cart_add {product_id, quantity}, cart_clear; checkout, whose route comes here twice: for the
    order of what is in the cart, and for its end when it is paid
"""

import time

from .. import state
from . import shelf
from .serving import Call, serve, unknown


def process(envelope):
    return serve("db-service", envelope, answer)


def answer(call: Call) -> dict:
    user, now = call.user(), time.time()
    with state.transaction("shop", shelf.SCHEMA) as database:
        if call.operation == "products":
            return {"products": shelf.catalogue(database, now)}
        if call.operation == "cart_view":
            return shelf.cart(database, user)
        if call.operation == "cart_add":
            product, quantity = call.text("product_id", 40), call.count("quantity", shelf.LARGEST_QUANTITY)
            return shelf.once(
                database, call.id, "add", lambda: shelf.add(database, user, product, quantity, now))
        if call.operation == "cart_clear":
            return shelf.once(database, call.id, "clear", lambda: shelf.clear(database, user, now))
        if call.operation == "restock" and user == "load-run":
            return shelf.restock(database, call.count("least", 1_000_000))
        if call.operation == "checkout" and "payment" not in call.answer:
            return {"order": shelf.once(
                database, call.id, "order", lambda: shelf.open_order(database, user, now))}
        if call.operation == "checkout":
            order, payment = call.answer["order"]["id"], call.answer["payment"]
            return shelf.once(
                database, call.id, "pay", lambda: shelf.pay_order(database, user, order, payment, now))
        raise unknown(call)
