/// What stands in the files of the example.
enum ExampleTexts {
    static func project(withSwift: Bool) -> String {
        """
        # Actors, the ways between them, and the tools that send work on its way.
        # `troupe dev` runs it, `troupe validate` says what is wrong with it.

        actors:
          read: handlers/read.py:process              # a file, and the function in it
          summarise:
            handler: handlers/summarise.py:process
            retry: {attempts: 3, initialDelay: 1s}    # what fails is tried again
            scale: {min: 1, max: 4, queueLength: 5}   # a replica for every 5 envelopes that wait
          measure:
            \(withSwift ? "swift: measure                            # a target of Package.swift" : "handler: handlers/measure.py:process")

        routes:
          digest: [read, summarise, measure]

        tools:
          - name: digest
            description: Says in a few sentences what a text file of this project is about.
            route: digest
            parameters:
              path:
                type: string
                description: The file, from the project's folder.
                required: true
                default: README.md

        """
    }

    static let read = #"""
        """read: takes the name of a file, {"path"}, and adds what stands in it: {"path", "title", "text"}."""

        from pathlib import Path

        PROJECT = Path.cwd().resolve()


        def process(payload):
            path = (PROJECT / payload["path"]).resolve()
            if PROJECT not in path.parents:
                raise ValueError("'%s' is not in this project" % payload["path"])
            text = path.read_text(encoding="utf-8")
            return dict(payload, title=title(text), text=text)


        def title(text):
            """The first line that is not empty."""
            lines = (line.strip("# ") for line in text.splitlines())
            return next((line for line in lines if line), "")

        """#

    static let summarise = #"""
        """summarise: adds the sentences that say most, {"summary"}: their words come up most often in the text."""

        import re
        from collections import Counter

        SENTENCES = 3
        WORD = re.compile(r"[^\W\d_]{4,}")
        SENTENCE = re.compile(r"[A-Z][^.!?]{20,}[.!?](?=\s|$)")


        def process(payload):
            sentences = SENTENCE.findall(" ".join(prose(payload["text"])))
            weights = Counter(word for sentence in sentences for word in words(sentence))

            def weight(sentence):
                own = words(sentence)
                return sum(weights[word] for word in own) / (len(own) + 5)

            best = sorted(sentences, key=weight, reverse=True)[:SENTENCES]
            return dict(payload, summary=[sentence for sentence in sentences if sentence in best])


        def prose(text):
            """The lines that are no headings, lists, tables or code."""
            code = False
            for line in text.splitlines():
                if line.startswith("```"):
                    code = not code
                elif not code and not line.startswith(("#", "|", "-", "    ")):
                    yield line


        def words(sentence):
            return {word.lower() for word in WORD.findall(sentence)}

        """#

    static let measure = #"""
        """measure: says how long the text is, {"words", "minutes"}, and lets go of it."""

        WORDS_PER_MINUTE = 230


        def process(payload):
            words = len(payload.pop("text").split())
            return dict(payload, words=words, minutes=round(words / WORDS_PER_MINUTE, 1))

        """#

    static let measureInSwift = #"""
        import ActorKit

        /// Says how long the text is, and lets go of it.
        @main
        struct Measure: Handler {
            static let wordsPerMinute = 230.0

            struct Text: Codable, Sendable {
                var path, title, text: String
                var summary: [String]
            }

            struct Digest: Codable, Sendable {
                var path, title: String
                var summary: [String]
                var words: Int
                var minutes: Double
            }

            func handle(_ input: Text, _ context: Context) async throws -> Digest {
                let words = input.text.split(whereSeparator: \.isWhitespace).count
                let minutes = (Double(words) / Self.wordsPerMinute * 10).rounded() / 10
                return Digest(path: input.path, title: input.title, summary: input.summary, words: words, minutes: minutes)
            }
        }

        """#

    /// - Parameter sources: the folder of Troupe's.
    static func package(_ sources: String) -> String {
        """
        // swift-tools-version: 6.2
        import PackageDescription

        let package = Package(
            name: "handlers",
            dependencies: [.package(name: "troupe", path: "\(sources)")],
            targets: [
                .executableTarget(name: "measure", dependencies: [.product(name: "ActorKit", package: "troupe")])
            ]
        )

        """
    }

    static func test(withSwift: Bool) -> String {
        #"""
        """The handlers are functions: `python3 -m unittest tests/*.py` calls them, without a pipeline around them."""

        import unittest

        from handlers import \#(withSwift ? "" : "measure, ")read, summarise


        class Digest(unittest.TestCase):
            def test_a_file_is_summarised(self):
                digest = {"path": "README.md"}
                for actor in [read, summarise\#(withSwift ? "" : ", measure")]:
                    digest = actor.process(digest)
                self.assertTrue(digest["title"])
                self.assertTrue(0 < len(digest["summary"]) <= 3)

            def test_files_of_others_are_not_read(self):
                with self.assertRaisesRegex(ValueError, "not in this project"):
                    read.process({"path": "../secrets.txt"})

        """#
    }

    static func readme(withSwift: Bool) -> String {
        """
        # A first pipeline

        Three actors read a text, pick the sentences that say most, and measure how long it is. Each actor is a function behind
        a queue. An envelope carries its payload and its own route from one actor to the next, and nothing that was accepted
        is lost on the way: not when a handler fails, not when it is restarted, not when the machine is switched off.

        ```sh
        troupe dev                                      # runs all of it here, until Ctrl-C
        troupe call digest --arg path=README.md --watch # in a second terminal
        python3 -m unittest tests/*.py                  # the handlers alone
        ```

        | | |
        | --- | --- |
        | `troupe.yaml` | the actors, their route, and the tool that starts it |
        | `handlers/read.py` | the text of a file |
        | `handlers/summarise.py` | its most telling sentences |
        | \(withSwift ? "`Sources/measure/Measure.swift`" : "`handlers/measure.py`") | how long it is |

        While `troupe dev` runs, change a handler and save it: it is started again with the change, and the envelope that it was
        working on comes to it once more. `http://127.0.0.1:8080/mcp` offers the tool to agents that speak MCP. Envelopes and
        results are kept in `.troupe/`, until somebody removes that folder.

        """
    }

    static let gitignore = """
        .troupe/
        .build/
        .venv/
        __pycache__/

        """
}
