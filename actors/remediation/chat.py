"""One call of an OpenAI-compatible chat API: LM Studio, Gemini's and Groq's compatible endpoints, and others."""

import json
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Mapping, Optional

LARGEST_ANSWER = 1 << 20


class ChatBusy(Exception):
    """Too many requests, a fault of the server, no answer in time: another attempt may help."""

    def __init__(self, reason: str, retry_after: Optional[float] = None):
        super().__init__(reason)
        self.retry_after = retry_after


class ChatRefused(Exception):
    """The key, the model or the request is wrong, or what answers speaks no chat API: no attempt helps."""


@dataclass(frozen=True)
class Chat:
    # As far as before /chat/completions
    url: str = "http://127.0.0.1:1234/v1"
    model: str = "local-model"
    key: Optional[str] = None
    timeout: float = 30
    temperature: float = 0.3
    max_tokens: int = 1000

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Chat":
        key = environment.get("LLM_API_KEY")
        if not key and environment.get("LLM_API_KEY_FILE"):
            with open(environment["LLM_API_KEY_FILE"]) as file:
                key = file.read().strip()
        try:
            timeout = float(environment.get("LLM_TIMEOUT") or cls.timeout)
        except ValueError:
            timeout = -1
        if not 0 < timeout <= 600:
            raise ValueError(f"LLM_TIMEOUT is {environment['LLM_TIMEOUT']!r}: expected seconds, up to 600")
        return cls(
            (environment.get("LLM_URL") or cls.url).rstrip("/"), environment.get("LLM_MODEL") or cls.model, key or None,
            timeout)

    def ask(self, system: str, user: str) -> str:
        """The text of the answer. Raises ChatBusy or ChatRefused; neither has the key or the question in it."""
        body = {
            "model": self.model, "temperature": self.temperature, "max_tokens": self.max_tokens,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
        }
        request = urllib.request.Request(
            self.url + "/chat/completions", json.dumps(body).encode(), {"Content-Type": "application/json"})
        if self.key:
            request.add_header("Authorization", "Bearer " + self.key)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as response:
                answer = response.read(LARGEST_ANSWER)
        except urllib.error.HTTPError as error:
            if error.code in (408, 425, 429) or error.code >= 500:
                raise ChatBusy(f"HTTP {error.code}", seconds(error.headers.get("Retry-After"))) from None
            raise ChatRefused(f"HTTP {error.code}") from None
        except OSError as error:
            raise ChatBusy(str(getattr(error, "reason", None) or error) or type(error).__name__) from None
        try:
            text = json.loads(answer)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError):
            raise ChatRefused("the answer is none of a chat API") from None
        if not isinstance(text, str):
            raise ChatRefused("the answer has no text")
        return text


def seconds(text: Optional[str]) -> Optional[float]:
    try:
        return max(0.0, float(text))
    except (TypeError, ValueError):
        return None
