internal import Envelopes
internal import Hummingbird
internal import NIOCore

/// Takes in envelopes line by line, and answers in the same order.
struct BulkSubmission {
    private let gateway: GatewayRouter
    private let request: Request
    private let principal: Principal
    private let key: IdempotencyKey?
    private var splitter: LineSplitter
    private var accepted = 0
    private var refused = 0

    /// One statement's worth.
    private static let lineLimit = 200
    private static let byteLimit = 4 << 20

    init(_ gateway: GatewayRouter, _ request: Request, _ principal: Principal, _ key: IdempotencyKey?) {
        self.gateway = gateway
        self.request = request
        self.principal = principal
        self.key = key
        splitter = LineSplitter(limit: gateway.reading.bodyLimit)
    }

    /// A line that was read, and what it asks for.
    private struct Entry {
        var line: Int
        var submission: Result<Submission, Problem>
    }

    /// - Returns: the answers to the lines that these bytes have completed.
    /// - Throws: what keeps all further lines from being accepted, too.
    mutating func take(_ bytes: ByteBufferView, to writer: inout JSONWriter) async throws {
        splitter.append(bytes)
        while true {
            let batch = nextBatch()
            if batch.isEmpty { return }
            try await accept(batch, to: &writer)
        }
    }

    /// The last line may have no end.
    mutating func finish(to writer: inout JSONWriter) async throws {
        if let line = splitter.rest() { try await accept([entry(line)], to: &writer) }
    }

    mutating func writeSums(to writer: inout JSONWriter) {
        writer.beginObject()
        writer.member("lines", number: Double(accepted + refused))
        writer.member("accepted", number: Double(accepted))
        writer.member("refused", number: Double(refused))
        writer.endObject()
        writer.endLine()
    }

    private mutating func nextBatch() -> [Entry] {
        var batch: [Entry] = []
        var size = 0
        while batch.count < Self.lineLimit, size < Self.byteLimit, let line = splitter.next() {
            size += line.bytes?.count ?? 0
            batch.append(entry(line))
        }
        return batch
    }

    private func entry(_ line: LineSplitter.Line) -> Entry {
        do throws(Problem) {
            guard let bytes = line.bytes else {
                throw Problem(.bodyTooLarge, "the line is larger than \(gateway.reading.bodyLimit) bytes")
            }
            let members = try gateway.reading.members(of: bytes)
            guard members["parent_id"] == nil else {
                throw Problem(.invalidRequest, "children can't be registered in bulk", at: "/parent_id")
            }
            var submission = try gateway.submission(
                SubmissionRequest(members, tools: gateway.tools), from: request, by: principal)
            submission.key = key?.line(line.number, bytes)
            submission.answer = submission.acceptance
            return Entry(line: line.number, submission: .success(submission))
        } catch {
            return Entry(line: line.number, submission: .failure(error))
        }
    }

    private mutating func accept(_ batch: [Entry], to writer: inout JSONWriter) async throws {
        // A statement takes each id once: the second one of the same is a duplicate.
        var ids: Set<String> = []
        let submissions = batch.compactMap { entry -> Submission? in
            guard case .success(let submission) = entry.submission, ids.insert(submission.id).inserted else {
                return nil
            }
            return submission
        }
        let outcomes = submissions.isEmpty ? [] : try await gateway.accept(submissions)
        var rest = outcomes[...]
        for entry in batch {
            do throws(Problem) {
                let submission = try entry.submission.get()
                let isFirst = ids.remove(submission.id) != nil
                let outcome = isFirst ? rest.popFirst() ?? .duplicate : .duplicate
                let answer = try submission.answer(after: outcome)
                writer.write(line: entry.line, answer)
                accepted += 1
            } catch {
                writer.write(line: entry.line, problem: error)
                refused += 1
            }
        }
    }
}

extension JSONWriter {
    fileprivate mutating func write(line: Int, _ answer: RawJSON) {
        beginObject()
        member("line", number: Double(line))
        for member in answer.members { append(member) }
        endObject()
        endLine()
    }

    /// - Parameter line: `nil` for what keeps the rest of an upload from being accepted.
    mutating func write(line: Int?, problem: Problem) {
        beginObject()
        member("line", number: line.map(Double.init))
        name("error")
        problem.write(to: &self)
        endObject()
        endLine()
    }
}
