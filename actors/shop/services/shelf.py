"""Stock, carts and orders, in one database: what is in a cart is reserved for a while, and sold once.

Sum of stock and of what was sold never changes. Each change is remembered under the envelope that asked for it, in the
same transaction, so that a second delivery gets the first one's answer and changes nothing.
"""

import json
import sqlite3
from typing import Any, Callable, Optional

from .serving import Refusal

# Seconds that stock is kept for a cart; each change of the cart begins anew.
RESERVED = 900
LARGEST_QUANTITY = 100

SCHEMA = """
CREATE TABLE IF NOT EXISTS products (id TEXT PRIMARY KEY, name TEXT NOT NULL, cents INTEGER NOT NULL, stock INTEGER
NOT NULL);
CREATE TABLE IF NOT EXISTS carts (user_id TEXT PRIMARY KEY, version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS lines (user_id TEXT, product_id TEXT, quantity INTEGER NOT NULL CHECK (quantity > 0),
    reserved_until REAL NOT NULL, PRIMARY KEY (user_id, product_id));
CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, user_id TEXT NOT NULL, state TEXT NOT NULL, lines TEXT NOT NULL,
    cents INTEGER NOT NULL, payment TEXT, created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS done (envelope TEXT, step TEXT, answer TEXT NOT NULL, PRIMARY KEY (envelope, step));
INSERT INTO products SELECT * FROM (VALUES
    ('p1', 'Wireless Headphones', 7999, 50), ('p2', 'Mechanical Keyboard', 12999, 30), ('p3', 'USB-C Hub', 3999, 100),
    ('p4', 'Monitor Stand', 4999, 25), ('p5', 'Webcam HD', 8999, 15)) WHERE NOT EXISTS (SELECT 1 FROM products)
"""


def once(database: sqlite3.Connection, envelope: str, step: str, change: Callable[[], dict]) -> dict:
    row = database.execute("SELECT answer FROM done WHERE envelope = ? AND step = ?", (envelope, step)).fetchone()
    if row:
        return json.loads(row["answer"])
    answer = change()
    database.execute("INSERT INTO done VALUES (?, ?, ?)", (envelope, step, json.dumps(answer)))
    return answer


def catalogue(database: sqlite3.Connection, now: float) -> list[dict]:
    """What nobody has in a cart counts as stock."""
    rows = database.execute(
        """SELECT id, name, cents, stock - COALESCE((
               SELECT sum(quantity) FROM lines WHERE product_id = products.id AND reserved_until > ?), 0) AS left
           FROM products ORDER BY id""", (now,))
    return [
        {"id": row["id"], "name": row["name"], "price": row["cents"] / 100, "stock": max(0, row["left"])}
        for row in rows]


def available(database: sqlite3.Connection, product: str, user: str, now: float) -> Optional[int]:
    """For this user: stock without what others have reserved. None: there is no such product."""
    row = database.execute(
        """SELECT stock - COALESCE((SELECT sum(quantity) FROM lines
               WHERE product_id = ?1 AND user_id <> ?2 AND reserved_until > ?3), 0) AS left
           FROM products WHERE id = ?1""", (product, user, now)).fetchone()
    return None if row is None else row["left"]


def add(database: sqlite3.Connection, user: str, product: str, quantity: int, now: float) -> dict:
    left = available(database, product, user, now)
    if left is None:
        raise Refusal(404, "unknown_product", f"there is no product '{product[:40]}'")
    row = database.execute(
        "SELECT quantity FROM lines WHERE user_id = ? AND product_id = ?", (user, product)).fetchone()
    wanted = quantity + (row["quantity"] if row else 0)
    if wanted > left:
        raise Refusal(409, "out_of_stock", f"there are {max(0, left)} of '{product}', {wanted} are wanted")
    database.execute(
        "INSERT INTO lines VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET quantity = ?3",
        (user, product, wanted, now + RESERVED))
    changed(database, user, now)
    return {"status": "added", "cart": items(database, user)}


def changed(database: sqlite3.Connection, user: str, now: float) -> None:
    database.execute(
        "INSERT INTO carts VALUES (?, 1) ON CONFLICT DO UPDATE SET version = version + 1", (user,))
    # Only those that still hold their stock: what has lapsed may be somebody else's by now.
    database.execute(
        "UPDATE lines SET reserved_until = ? WHERE user_id = ? AND reserved_until > ?", (now + RESERVED, user, now))


def items(database: sqlite3.Connection, user: str) -> list[dict]:
    rows = database.execute(
        """SELECT product_id, name, cents, quantity FROM lines JOIN products ON products.id = product_id
           WHERE user_id = ? ORDER BY product_id""", (user,))
    return [
        {"product_id": row["product_id"], "name": row["name"], "price": row["cents"] / 100,
         "quantity": row["quantity"]} for row in rows]


def cart(database: sqlite3.Connection, user: str) -> dict:
    found = items(database, user)
    return {"user_id": user, "items": found, "total": total(found) / 100}


def total(lines: list[dict]) -> int:
    """In cents."""
    return sum(round(line["price"] * 100) * line["quantity"] for line in lines)


def clear(database: sqlite3.Connection, user: str, now: float) -> dict:
    database.execute("DELETE FROM lines WHERE user_id = ?", (user,))
    changed(database, user, now)
    return {"status": "cleared", "user_id": user}


def open_order(database: sqlite3.Connection, user: str, now: float) -> dict:
    """The order of the cart as it is now: the same however often it is asked for, until the cart changes."""
    found = items(database, user)
    if not found:
        raise Refusal(400, "cart_is_empty", "Cart is empty")
    for line in found:
        left = available(database, line["product_id"], user, now)
        if left is None or line["quantity"] > left:
            raise Refusal(
                409, "out_of_stock", f"the reservation of '{line['product_id']}' has lapsed, and it is sold out")
    database.execute("UPDATE lines SET reserved_until = ? WHERE user_id = ?", (now + RESERVED, user))
    (version,) = database.execute("SELECT version FROM carts WHERE user_id = ?", (user,)).fetchone()
    order = f"{user}:{version}"
    database.execute(
        "INSERT OR IGNORE INTO orders VALUES (?, ?, 'open', ?, ?, NULL, ?)",
        (order, user, json.dumps(found), total(found), now))
    return {"id": order, "lines": found, "amount": total(found) / 100}


def pay_order(database: sqlite3.Connection, user: str, order: str, payment: dict[str, Any], now: float) -> dict:
    """Sells what the order holds, and takes it out of the cart. An order that is paid stays as it is."""
    row = database.execute("SELECT * FROM orders WHERE id = ? AND user_id = ?", (order, user)).fetchone()
    if row is None:
        raise Refusal(404, "unknown_order", "there is no such order")
    lines = json.loads(row["lines"])
    if row["state"] == "open":
        for line in lines:
            left = available(database, line["product_id"], user, now)
            if left is None or left < line["quantity"]:
                raise Refusal(409, "out_of_stock", f"'{line['product_id']}' was sold out before it was paid")
        for line in lines:
            key = (user, line["product_id"])
            database.execute(
                "UPDATE products SET stock = stock - ? WHERE id = ?", (line["quantity"], line["product_id"]))
            database.execute(
                "DELETE FROM lines WHERE user_id = ? AND product_id = ? AND quantity <= ?", (*key, line["quantity"]))
            database.execute(
                "UPDATE lines SET quantity = quantity - ? WHERE user_id = ? AND product_id = ?",
                (line["quantity"], *key))
        database.execute(
            "UPDATE orders SET state = 'paid', payment = ? WHERE id = ?", (json.dumps(payment), order))
        changed(database, user, now)
    else:
        payment = json.loads(row["payment"])
    return {"status": "paid", "order_id": order, "items": lines, "amount_usd": row["cents"] / 100, **payment}


def restock(database: sqlite3.Connection, least: int) -> dict:
    database.execute("UPDATE products SET stock = max(stock, ?)", (least,))
    return {"status": "restocked", "least": least}
