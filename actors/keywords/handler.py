"""keywords: adds to a section the terms that it is about.

    {"title", "text", ...}  ->  the same with "keywords": [{"term": "patent", "score": 3.398}, ...]

A term's score is 1 + ln(its weight): the tenth occurrence tells less than the second. A word of the title weighs
as much as three in the text. Equal scores are in alphabetical order, so the same text always gives the same list.
"""

import math
import re
from collections import Counter

MOST = 8
TITLE_WEIGHT = 3
WORD = re.compile(r"[^\W\d_]{3,}")
STOP_WORDS = frozenset(
    """
    about above after again against all also although among and another any are because been before being below
    between both but can cannot could did does doing don done down during each either else etc even ever every few for
    from further had has have having hence her here hereby herein hers him his how however into its itself just least
    less like made make makes many may might more most much must neither nor not notwithstanding now off once one only
    onto other others otherwise our ours out over own per provided same shall she should since some such than that the
    their theirs them then there thereof these they this those though through thus too two under unless until upon use
    used using very via was were what when where whether which while who whole whom whose why will with within without
    would yet you your yours
    """.split()
)


def process(payload):
    text, title = payload.get("text"), payload.get("title", "")
    if not isinstance(text, str):
        raise ValueError("expected a section with a string in 'text'; the section has: %s" % ", ".join(payload))
    return dict(payload, keywords=keywords(text, title))


def keywords(text, title):
    weights = Counter(terms(text))
    for term in terms(title):
        weights[term] += TITLE_WEIGHT
    scored = [{"term": term, "score": round(1 + math.log(weight), 3)} for term, weight in weights.items()]
    return sorted(scored, key=lambda keyword: (-keyword["score"], keyword["term"]))[:MOST]


def terms(text):
    return [word for word in WORD.findall(text.lower()) if word not in STOP_WORDS]
