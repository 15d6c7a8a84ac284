"""Is a service as it usually is? Pure: vectors in, incidents out.

Two votes must agree: scikit-learn's IsolationForest, and a z-score. Both look one way only, since nobody needs help
with a shop that has become faster. One odd poll is nothing: `needed` of the last `polls` open an incident. What the
votes learn from, the *baseline*, gets a vector only when it has left that window and no incident came of it; so neither
the beginning of an outage nor the outage itself is ever learnt as usual.
"""

from dataclasses import dataclass, field
from typing import NamedTuple, Optional, Sequence

import numpy
from sklearn.ensemble import IsolationForest


class Vector(NamedTuple):
    # Calls that failed, of those that ended: 0...1
    failure_ratio: float = 0
    # Seconds from arrival to end.
    p95: float = 0
    # Seconds since anything was heard of the oldest envelope whose turn it is there.
    queue_age: float = 0
    # Cores.
    cpu: float = 0


@dataclass(frozen=True)
class Parameters:
    """The original's, where it has one."""

    window: int = 720
    least_samples: int = 12
    contamination: float = 0.1
    trees: int = 50
    seed: int = 42
    z_limit: float = 2.0
    # Above this nobody else is asked: a forest is blind to what never varied, as failures of a healthy service.
    z_certain: float = 6.0
    cooldown_seconds: float = 20
    # Above the mean by less than this is no deviation.
    deviations: Vector = Vector(0.0005, 0.005, 0.5, 0.0025)
    # Where nothing ever varied, the first variation would be infinitely odd.
    least_std: Vector = Vector(0.01, 0.02, 0.5, 0.01)
    needed: int = 4
    polls: int = 6
    # A forest grows again when so much of the baseline is new.
    regrow: int = 12


@dataclass(frozen=True)
class Judgement:
    is_odd: bool
    forest: bool
    z: Vector
    # The feature with the largest z.
    culprit: str
    mean: Vector


@dataclass
class Watch:
    """One service. What is in it can be written as JSON and read again."""

    baseline: list[Vector] = field(default_factory=list)
    # Those of the last polls that are not in the baseline, each with whether it was odd.
    recent: list[tuple[Vector, bool]] = field(default_factory=list)
    is_open: bool = False
    # When the last incident began or ended.
    changed_at: float = float("-inf")
    learnt: int = 0
    _forest: Optional[IsolationForest] = field(default=None, repr=False, compare=False)
    _grown_at: int = field(default=0, repr=False, compare=False)

    def observe(self, vector: Vector, now: float, parameters: Parameters = Parameters()) -> tuple[str, Judgement]:
        """"open" or "close", when an incident begins or ends; else "learning", "usual" or "odd"."""
        judgement = self.judge(vector, parameters)
        self.recent.append((vector, judgement.is_odd))
        if self.is_open:
            del self.recent[: -parameters.polls]
            if len(self.recent) == parameters.polls and not any(odd for _, odd in self.recent):
                self.is_open, self.changed_at = False, now
                return "close", judgement
        elif sum(odd for _, odd in self.recent) >= parameters.needed:
            if now - self.changed_at >= parameters.cooldown_seconds:
                for kept, odd in self.recent:
                    if not odd:
                        self.learn(kept, parameters)
                self.recent, self.is_open, self.changed_at = [], True, now
                return "open", judgement
            del self.recent[: -parameters.polls]
        elif len(self.recent) >= parameters.polls:
            self.learn(self.recent.pop(0)[0], parameters)
        ready = len(self.baseline) >= parameters.least_samples
        return ("odd" if judgement.is_odd else "usual") if ready else "learning", judgement

    def settle(self, now: float) -> None:
        """Somebody else has found that the incident is over: the next one may begin."""
        self.recent, self.is_open, self.changed_at = [], False, now

    def learn(self, vector: Vector, parameters: Parameters) -> None:
        self.baseline.append(vector)
        del self.baseline[: -parameters.window]
        self.learnt += 1

    def judge(self, vector: Vector, parameters: Parameters) -> Judgement:
        if len(self.baseline) < parameters.least_samples:
            return Judgement(False, False, Vector(), Vector._fields[0], Vector())
        known = numpy.array(self.baseline)
        mean = known.mean(axis=0)
        deviation = numpy.array(vector) - mean
        z = deviation / numpy.maximum(known.std(axis=0), parameters.least_std)
        deviates = deviation > numpy.array(parameters.deviations)
        z_vote = bool(numpy.any((z > parameters.z_limit) & deviates))
        # Asked only where it can matter: nothing is odd without the other vote.
        certain = bool(numpy.any((z > parameters.z_certain) & deviates))
        forest = z_vote and not certain and self.is_outlier(vector, parameters)
        return Judgement(
            certain or forest, forest, Vector(*map(float, z)), Vector._fields[int(numpy.argmax(z))],
            Vector(*map(float, mean)))

    def is_outlier(self, vector: Vector, parameters: Parameters) -> bool:
        if self._forest is None or self.learnt - self._grown_at >= parameters.regrow:
            self._forest = IsolationForest(
                n_estimators=parameters.trees, contamination=parameters.contamination, random_state=parameters.seed)
            self._forest.fit(numpy.array(self.baseline))
            self._grown_at = self.learnt
        return bool(self._forest.predict(numpy.array([vector]))[0] == -1)

    def payload(self) -> dict:
        return {
            "baseline": self.baseline, "recent": self.recent, "is_open": self.is_open,
            "changed_at": self.changed_at if self.changed_at > float("-inf") else None, "learnt": self.learnt}

    @classmethod
    def read(cls, value: dict) -> "Watch":
        return cls(
            [Vector(*one) for one in value["baseline"]], [(Vector(*one), odd) for one, odd in value["recent"]],
            value["is_open"], float("-inf") if value["changed_at"] is None else value["changed_at"], value["learnt"])


def p95(values: Sequence[float]) -> float:
    """Nearest rank; 0 of nothing."""
    ordered = sorted(values)
    return ordered[-(-95 * len(ordered) // 100) - 1] if ordered else 0.0
