import Envelopes
import Testing

@testable import troupe

@Suite("Many lines")
struct BulkTests {
    private let template = SubmissionTemplate(
        actors: ["a", "b"], members: [.init(name: "timeout", value: RawJSON(string: "5m"))])

    private func outputs(_ text: String, piece: Int = .max, _ template: SubmissionTemplate?) -> [LineChunker.Output] {
        var chunker = LineChunker(template)
        var outputs: [LineChunker.Output] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            chunker.append(Array(rest.prefix(piece)))
            rest = rest.dropFirst(piece)
            while let output = chunker.next() { outputs.append(output) }
        }
        if let output = chunker.finish() { outputs.append(output) }
        if let output = chunker.flush() { outputs.append(output) }
        return outputs
    }

    private func chunks(_ outputs: [LineChunker.Output]) -> [LineChunk] {
        outputs.compactMap { if case .chunk(let chunk) = $0 { chunk } else { nil } }
    }

    @Test("a payload becomes a submission, byte for byte")
    func wrapped() throws {
        let chunk = try #require(chunks(outputs("{\"n\": 1.50}\r\n\n 7", template)).first)
        #expect(chunk.numbers == [1, 3])
        #expect(
            String(decoding: chunk.body, as: UTF8.self) == """
                {"route":{"actors":["a","b"],"current":0},"payload":{"n": 1.50},"timeout":"5m"}
                {"route":{"actors":["a","b"],"current":0},"payload":7,"timeout":"5m"}

                """)
    }

    @Test(
        "what is no JSON can't break out of its payload, and keeps no other line from being sent",
        arguments: [1, 3, .max])
    func refusals(piece: Int) throws {
        let outputs = outputs("1\n2},\"id\":{\n\u{1}\n{\"a\":\n3", piece: piece, template)
        #expect(chunks(outputs).flatMap(\.numbers) == [1, 5])
        let refused = outputs.compactMap { if case .refusal(let refusal) = $0 { refusal.line } else { nil } }
        #expect(refused == [2, 3, 4])
    }

    @Test("pieces are the same however the input comes")
    func samePieces() {
        let text = (1...1700).map { "{\"n\":\($0)}\n" }.joined() + "\"\(String(repeating: "x", count: 2 << 20))\"\n5\n"
        let whole = chunks(outputs(text, template))
        #expect(
            whole.map(\.numbers.count) == [500, 500, 500, 201, 1]
                && whole.map(\.firstLine) == [1, 501, 1001, 1501, 1702])
        #expect(whole.last?.inputEnd == text.utf8.count)
        for piece in [100_003, 1 << 20] { #expect(chunks(outputs(text, piece: piece, template)) == whole) }
    }

    @Test("the gateway's answer, whole and broken off")
    func answer() {
        let lines = """
            {"line":1,"id":"x","status":"pending"}
            {"line":2,"error":{"code":"unknown_tool","detail":"there is no tool 't'"}}

            """
        let whole = BulkAnswer(Array((lines + #"{"lines":2,"accepted":1,"refused":1}"#).utf8))
        #expect(whole.isComplete && whole.lines.map(\.place) == [1, 2])
        guard case .accepted("x") = whole.lines[0].line, case .refused("there is no tool 't'") = whole.lines[1].line
        else {
            Issue.record("\(whole)")
            return
        }
        #expect(!BulkAnswer(Array(lines.utf8)).isComplete)
        let stopped = BulkAnswer(Array((lines + #"{"error":{"code":"overloaded","detail":"too many"}}"#).utf8))
        #expect(!stopped.isComplete && stopped.trouble == "too many")
        #expect(!BulkAnswer([]).isComplete && !BulkAnswer(Array("{\"li".utf8)).isComplete)
    }

    @Test("ends count once, also those that come before the answer")
    func ledger() {
        var ledger = BulkLedger(isWaiting: true, inputSize: 100)
        ledger.sending(3)
        let early = [ledger.ended("b", .failed), ledger.ended("stranger", .succeeded)]
        #expect(early == [false, false])
        let accepted = [ledger.accepted("a"), ledger.accepted("b")]
        #expect(accepted == [nil, .failed])
        let isNews = ledger.ended("b", .failed)
        #expect(isNews)
        ledger.refused()
        ledger.answered(inputEnd: 50)
        #expect(ledger.fraction == 0.25)
        #expect(ledger.summary == "2 accepted, 1 refused, 1 failed, 1 on their way")
        let late = [ledger.ended("a", .succeeded), ledger.ended("a", .succeeded), ledger.ended("stranger", .failed)]
        #expect(late == [true, false, false])
        ledger.completed()
        #expect(ledger.isDone && ledger.fraction == 1 && ledger.exit == .badInput)
        #expect(ledger.summary == "2 accepted, 1 refused, 1 succeeded, 1 failed")
    }

    @Test("who doesn't wait keeps no ids")
    func notWaiting() {
        var ledger = BulkLedger(isWaiting: false, inputSize: nil)
        ledger.sending(1)
        _ = ledger.accepted("a")
        ledger.answered(inputEnd: 5)
        #expect(ledger.open.isEmpty && ledger.fraction == nil)
        ledger.completed()
        #expect(ledger.isDone && ledger.exit == .ok && ledger.summary == "1 accepted")
    }

    @Test("the total, wide and narrow")
    func lines() {
        var ledger = BulkLedger(isWaiting: false, inputSize: 10)
        ledger.sending(5)
        _ = ledger.accepted("a")
        ledger.answered(inputEnd: 5)
        #expect(
            ledger.lines(trouble: nil, columns: 80).map { $0.text(color: false) } == [
                "████████████████████░░░░░░░░░░░░░░░░░░░░ 50%", "5 sent, 1 accepted",
            ])
        #expect(
            ledger.lines(trouble: "busy", columns: 14).map { $0.text(color: false) } == [
                "████░░░░ 50%", "5 sent, 1", "accepted", "busy",
            ])
    }
}
