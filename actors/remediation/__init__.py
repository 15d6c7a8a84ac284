"""Remediation: from an incident to a checked, typed action. Pure decisions, without any world's names.

    model       Incident, Action, Decision: what travels in an incident's envelope
    policy      whether an action may be done now: judge(...)
    topology    the root cause among unhealthy services: the deepest one
    replies     a language model's answer as a Decision, or why it is none
    chat        one call of an OpenAI-compatible chat API
    ledger      what was opened, done and approved, in an SQLite file
    gateway     the REST calls that a handler needs
    routes      on, back and again along a route

Standard library only. Projects import it with `PYTHONPATH: ..` in their actors' `environment`.
"""
