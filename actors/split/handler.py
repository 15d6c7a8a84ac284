"""split: a document comes in, its sections go out, each as an envelope of its own.

    {"name": "GPL-3", "text": "..."}  ->  {"document": "GPL-3", "section": 1, "sections": 21, "title", "text"}, ...

A heading is a line after an empty one that continues the count ("3. Grant of Patent License. Subject to ..."), or
that stands alone and is written in capitals or indented like a title.
"""

import re
import textwrap

NUMBERED = re.compile(r"\s{0,4}(\d{1,2})\.\s+(\S.*)")
SENTENCE_END = re.compile(r"(?<=[^\W\d]{2})\.(\s|$)")
FRAME = re.compile(r"^\*(.*)\*\s*$")
RULE = re.compile(r"\s*[-*=_]{3,}\s*")
LONGEST_TITLE = 70
TITLE_INDENT = 8


def process(payload):
    name, text = document_of(payload)
    sections = split(text)
    return [
        {"document": name, "section": number, "sections": len(sections), "title": title, "text": body}
        for number, (title, body) in enumerate(sections, 1)
    ]


def document_of(payload):
    if not isinstance(payload, dict):
        raise ValueError("expected a document {'name', 'text'}, got %s" % json_type(payload))
    name, text = payload.get("name", "unnamed"), payload.get("text")
    if not isinstance(text, str):
        raise ValueError("document '%s' is not text: expected a string in 'text', got %s" % (name, json_type(text)))
    if "\0" in text:
        raise ValueError("document '%s' is not text: there is a NUL at character %d" % (name, text.index("\0") + 1))
    if not text.strip():
        raise ValueError("document '%s' is empty" % name)
    return name, text


def json_type(value):
    if value is None:
        return "null"
    names = {bool: "a boolean", str: "a string", list: "an array", dict: "an object"}
    return names.get(type(value), "a number")


def split(text):
    """A list of (title, body). A heading with nothing under it makes no section, a numbered paragraph does."""
    lines = [undecorated(line) for line in text.expandtabs().splitlines()]
    first = next((line.strip() for line in lines if line), "untitled")
    starts = headings(lines)
    ends = [start for start, _, _ in starts] + [len(lines)]
    sections = [section(first, lines[: ends[0]])]
    for (start, title, alone), end in zip(starts, ends[1:]):
        body = lines[start + 1 if alone else start : end]
        if not any(body) and title[0].isdigit():
            body = [lines[start]]  # no heading, but a paragraph of one line
        sections.append(section(title, body))
    with_body = [(title, body) for title, body in sections if body and body != first]
    return with_body or [(first, text.strip())]


def undecorated(line):
    """The line without a frame of asterisks; nothing if it is a rule."""
    if RULE.fullmatch(line):
        return ""
    inside = FRAME.sub(r"\1", line).rstrip()
    return "" if RULE.fullmatch(inside) else inside


def headings(lines):
    """A list of (line number, title, whether the title has the line for itself)."""
    found = []
    expected = (0, 1)
    for number, line in enumerate(lines):
        if not line or (number > 0 and lines[number - 1]):
            continue
        alone = number + 1 == len(lines) or not lines[number + 1]
        numbered = NUMBERED.fullmatch(line)
        if numbered and int(numbered.group(1)) in expected:
            expected = (int(numbered.group(1)) + 1,)
            found.append((number, numbered.group(1) + ". " + title_of(numbered.group(2)), alone))
        elif alone and is_title(line):
            found.append((number, line.strip(), True))
    return found


def is_title(line):
    text = line.strip()
    if len(text) > LONGEST_TITLE or sum(map(str.isalpha, text)) < 5:
        return False
    if text.upper().startswith(("APPENDIX", "ADDENDUM", "EXHIBIT")):
        return True
    return text[-1] not in ".,;:" and (text.isupper() or len(line) - len(text) >= TITLE_INDENT)


def title_of(text):
    """The first sentence of a numbered paragraph, or as much of it as fits."""
    end = SENTENCE_END.search(text)
    return textwrap.shorten(text[: end.start()] if end else text, LONGEST_TITLE, placeholder=" ...")


def section(title, lines):
    return title, textwrap.dedent("\n".join(lines)).strip()
