"""product-service: what the store has found, checked before a customer sees it. A catalogue that makes no sense is
the store's failure and says so; the customer gets an error instead of a product without a name for -1 dollar.
"""

from numbers import Real

from .serving import Call, serve, unknown


class CorruptedData(Exception):
    """db-service has sent what cannot be."""


def process(envelope):
    return serve("product-service", envelope, answer)


def answer(call: Call) -> dict:
    if call.operation not in ("products", "cart_view", "cart_add", "cart_clear"):
        raise unknown(call)
    found = call.answer
    for product in checked_list(found, "products") + checked_list(found, "items") + checked_list(found, "cart"):
        check(product)
    if call.operation == "products" and not found.get("products"):
        raise CorruptedData("db-service sent no products")
    return found


def checked_list(found: dict, name: str) -> list:
    value = found.get(name, [])
    if not isinstance(value, list):
        raise CorruptedData(f"db-service sent no list of {name}")
    return value


def check(product: object) -> None:
    if not isinstance(product, dict):
        raise CorruptedData("db-service sent a product that is no object")
    name = product.get("id") or product.get("product_id")
    if not isinstance(product.get("name"), str) or not product["name"]:
        raise CorruptedData(f"db-service sent product '{name}' without a name")
    price = product.get("price")
    if isinstance(price, bool) or not isinstance(price, Real) or price < 0:
        raise CorruptedData(f"db-service sent product '{name}' with an impossible price")
