"""The handlers of the demo pipeline, called as functions."""

import importlib.util
import os
import unittest

ACTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "actors")
LICENCES = "/usr/share/common-licenses"


def load(actor):
    # Both modules are called handler: loaded by path, they don't get in each other's way.
    spec = importlib.util.spec_from_file_location(actor, os.path.join(ACTORS, actor, "handler.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


split = load("split").process
keywords = load("keywords").process

DOCUMENT = """\
                         THE LICENCE
                        Version 2, 1999

 Everyone may copy it.

                            Preamble

  It is free.

                    TERMS AND CONDITIONS

  0. Scope. This applies to
any work. See section
    7. which is a reference, not a heading.

  1. You may copy and distribute verbatim copies of everything that there is in it

************
*          *
* 2. Box   *
* ------   *
************

In the box.

NO WARRANTY

  4. Not the next number.

APPENDIX: How to apply.

Like this.
"""


class Split(unittest.TestCase):
    def titles(self, text):
        return [section["title"] for section in split({"name": "d", "text": text})]

    def test_headings(self):
        self.assertEqual(
            self.titles(DOCUMENT),
            [
                "THE LICENCE",
                "Preamble",
                "0. Scope",
                "1. You may copy and distribute verbatim copies of everything that ...",
                "2. Box",
                "NO WARRANTY",
                "APPENDIX: How to apply.",
            ],
        )

    def test_a_section(self):
        self.assertEqual(
            split({"name": "d", "text": DOCUMENT})[2],
            {
                "document": "d",
                "section": 3,
                "sections": 7,
                "title": "0. Scope",
                "text": "0. Scope. This applies to\nany work. See section\n    7. which is a reference, not a heading.",
            },
        )

    def test_a_document_without_headings_is_one_section(self):
        for text in ("Just a line.", "****", "NO WARRANTY", "two\nlines", "\r\nwindows\r\n"):
            with self.subTest(text=text):
                (section,) = split({"name": "d", "text": text})
                self.assertEqual(section["text"], text.strip())

    @unittest.skipUnless(os.path.isdir(LICENCES), "Debian's licence texts are not on this machine")
    def test_the_licences_of_the_demo(self):
        for name in sorted(os.listdir(LICENCES)):
            with self.subTest(name=name), open(os.path.join(LICENCES, name), encoding="utf-8") as file:
                text = file.read()
                sections = split({"name": name, "text": text})
                self.assertIn(len(sections), range(1, 31))
                words = sum(len(section["text"].split()) for section in sections)
                self.assertGreater(words, 0.9 * len(text.split()), "text was lost")
                self.assertTrue(all(keywords(section)["keywords"] for section in sections))

    def test_what_is_no_text_is_refused(self):
        for payload, message in (
            (
                {"name": "logo.png", "text": None, "bytes": [137, 80]},
                "document 'logo.png' is not text: expected a string in 'text', got null",
            ),
            ({"name": "d"}, "document 'd' is not text: expected a string in 'text', got null"),
            ({"text": 3}, "document 'unnamed' is not text: expected a string in 'text', got a number"),
            ({"name": "d", "text": "a\0b"}, "document 'd' is not text: there is a NUL at character 2"),
            ({"name": "d", "text": " \n"}, "document 'd' is empty"),
            ([], "expected a document {'name', 'text'}, got an array"),
        ):
            with self.subTest(payload=payload), self.assertRaises(ValueError) as caught:
                split(payload)
            self.assertEqual(str(caught.exception), message)


class Keywords(unittest.TestCase):
    def test_scores(self):
        section = {"title": "Patents", "text": "The patent, and the patents. Works; WORKS of a zebra.", "section": 4}
        self.assertEqual(
            keywords(section),
            dict(
                section,
                keywords=[
                    {"term": "patents", "score": 2.386},
                    {"term": "works", "score": 1.693},
                    {"term": "patent", "score": 1.0},
                    {"term": "zebra", "score": 1.0},
                ],
            ),
        )

    def test_at_most_eight(self):
        text = " ".join(chr(letter) * 4 for letter in range(ord("a"), ord("p")))
        self.assertEqual([k["term"] for k in keywords({"text": text})["keywords"]][-1], "hhhh")

    def test_a_section_without_text_is_refused(self):
        with self.assertRaisesRegex(ValueError, "string in 'text'; the section has: title"):
            keywords({"title": "x"})


if __name__ == "__main__":
    unittest.main()
