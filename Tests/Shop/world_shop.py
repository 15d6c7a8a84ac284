"""The shop as somebody runs it: a copy of its project in a folder of its own, with the Python that its requirements
ask for."""

import json
import shutil
import sys
import uuid
from pathlib import Path
from typing import Optional

REPOSITORY = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(REPOSITORY / "deploy" / "local"), str(REPOSITORY / "Tests" / "Dev")]

import venvs  # noqa: E402
from pipeline_dev import Dev, check  # noqa: E402

PASSWORD = "secure123"
SIGNED_IN = ["auth-service", "db-service", "product-service"]
CHECKOUT = ["auth-service", "db-service", "payment-service", "db-service"]


def requirements() -> list[str]:
    return (REPOSITORY / "actors" / "shop" / "requirements.txt").read_text().split()


def use_scikit_learn() -> None:
    """For tests that import the detector themselves."""
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    sys.path.insert(0, str(venvs.install("venv-shop", requirements()) / "lib" / python / "site-packages"))


def project(folder: Path) -> Path:
    actors = folder / "actors"
    ignored = shutil.ignore_patterns("__pycache__", ".troupe", ".venv")
    for name in ("shop", "remediation"):
        shutil.copytree(REPOSITORY / "actors" / name, actors / name, ignore=ignored)
    (actors / "shop" / ".venv").symlink_to(venvs.install("venv-shop", requirements()))
    return actors / "shop"


class Customer:
    """Somebody who uses the shop through the gateway."""

    def __init__(self, dev: Dev, email: str):
        self.dev = dev
        self.email = email
        self.token = ""

    def submit(self, operation: str, id: Optional[str] = None, **request: object) -> str:
        route = {"signup": ["auth-service"], "login": ["auth-service"], "validate": ["auth-service"],
                 "checkout": CHECKOUT}.get(operation, SIGNED_IN)
        if operation in ("signup", "login"):
            request = {"email": self.email, "password": PASSWORD, **request}
        else:
            request = {"token": self.token, **request}
        id = id or uuid.uuid4().hex
        self.dev.request("POST", "/envelopes", {
            "id": id, "route": {"actors": route}, "payload": {"operation": operation, **request}})
        return id

    def ask(self, operation: str, **request: object) -> dict:
        envelope = self.dev.result(self.submit(operation, **request))
        check(envelope["status"] == "succeeded", envelope)
        return envelope["result"]

    def sign_up(self) -> "Customer":
        self.token = self.ask("signup")["access_token"]
        return self


def tool(dev: Dev, name: str, **arguments: object) -> str:
    """The envelope's id."""
    answer = dev.request("POST", "/tools/call", {"name": name, "arguments": arguments})
    check(not answer.get("isError"), answer)
    return json.loads(answer["content"][0]["text"])["envelope_id"]
