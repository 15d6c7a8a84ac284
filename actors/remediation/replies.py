"""A language model's answer as a Decision. Only what fits the schema passes; the model never gets to say anything else."""

import json
from graphlib import CycleError, TopologicalSorter
from typing import Collection

from .model import Action, Decision, Malformed, members, number, text

MOST_ACTIONS = 5
LONGEST_TEXT = 500

SCHEMA = """{"root_cause": "one sentence", "confidence": 0.0 to 1.0, "evidence": ["what points to it", ...],
 "actions": [{"id": "a1", "tool": "...", "target": "...", "depends_on": []}, ...]}"""


def read(reply: str, tools: Collection[str], targets: Collection[str]) -> Decision:
    """Raises Malformed, which says what does not fit."""
    value = members(json_in(reply), "reply")
    found = value.get("actions")
    if not isinstance(found, list) or not 1 <= len(found) <= MOST_ACTIONS:
        raise Malformed(f"reply.actions: expected a list of 1 to {MOST_ACTIONS}")
    actions: dict[str, Action] = {}
    needs: dict[str, list[str]] = {}
    for index, one in enumerate(found):
        where = f"reply.actions[{index}]"
        one = members(one, where)
        id = one.get("id", str(index))
        if not isinstance(id, str) or id in actions:
            raise Malformed(f"{where}.id: expected a text of its own")
        tool, target = text(one, "tool", where), text(one, "target", where)
        if tool not in tools:
            raise Malformed(f"{where}.tool: '{tool[:50]}' is none of {', '.join(sorted(tools))}")
        if target not in targets:
            raise Malformed(f"{where}.target: '{target[:50]}' is none of {', '.join(sorted(targets))}")
        actions[id] = Action(tool, target)
        needs[id] = one.get("depends_on") or []
        if not isinstance(needs[id], list) or not all(isinstance(need, str) for need in needs[id]):
            raise Malformed(f"{where}.depends_on: expected a list of ids")
    for id, ids in needs.items():
        unknown = [need for need in ids if need not in actions]
        if unknown:
            raise Malformed(f"action '{id}' depends on '{unknown[0][:50]}', which is not there")
    try:
        order = list(TopologicalSorter(needs).static_order())
    except CycleError:
        raise Malformed("reply.actions wait for each other") from None
    confidence = number(value, "confidence", "reply")
    if not 0 <= confidence <= 1:
        raise Malformed(f"reply.confidence is {confidence:g}: expected 0 to 1")
    evidence = value.get("evidence", [])
    if not isinstance(evidence, list) or not all(isinstance(one, str) for one in evidence):
        raise Malformed("reply.evidence: expected a list of texts")
    return Decision(
        text(value, "root_cause", "reply")[:LONGEST_TEXT], confidence, tuple(actions[id] for id in order),
        tuple(one[:LONGEST_TEXT] for one in evidence[:20]), "llm")


def json_in(reply: str) -> object:
    """Models like to put a fence, or a word, around it."""
    begin, end = reply.find("{"), reply.rfind("}")
    if begin < 0 or end < begin:
        raise Malformed("the reply has no JSON object")
    try:
        return json.loads(reply[begin:end + 1])
    except (ValueError, RecursionError):
        raise Malformed("the reply is no JSON") from None
