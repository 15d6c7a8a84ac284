internal import Envelopes
internal import HTTPTypes
internal import Hummingbird

extension GatewayRouter {
    /// `POST /envelopes/bulk`: JSON Lines in, JSON Lines out, while they come.
    func postEnvelopes(_ request: Request, _ context: Context) async throws -> Response {
        // Said before anything is read; what is to come can still be refused line by line.
        try gate.enter(0)
        let key = try IdempotencyKey(request, body: [])
        // The body is written when the request's own scope is left already.
        let scope = RequestScope.current
        let body = ResponseBody { writer in
            try await RequestScope.$current.withValue(scope) {
                try await take(request, BulkSubmission(self, request, context.principal, key), &writer)
            }
        }
        return Response(status: .ok, headers: [.contentType: "application/x-ndjson"], body: body)
    }

    private func take(
        _ request: Request, _ bulk: BulkSubmission, _ writer: inout any ResponseBodyWriter
    ) async throws {
        var bulk = bulk
        do {
            for try await buffer in request.body {
                try await writer.write { try await bulk.take(buffer.readableBytesView, to: &$0) }
            }
            try await writer.write { lines in
                try await bulk.finish(to: &lines)
                bulk.writeSums(to: &lines)
            }
        } catch let problem as Problem {
            // Without the sums the caller knows that this is not the end.
            try await writer.write { $0.write(line: nil, problem: problem) }
        } catch let error as StoreError {
            try await writer.write { $0.write(line: nil, problem: Problem(error)) }
        }
        try await writer.finish(nil)
    }
}

extension ResponseBodyWriter {
    fileprivate mutating func write(_ make: (inout JSONWriter) async throws -> Void) async throws {
        var lines = JSONWriter()
        do {
            try await make(&lines)
        } catch {
            // What has been accepted is told in any case.
            if !lines.bytes.isEmpty { try await write(ByteBuffer(bytes: lines.bytes)) }
            throw error
        }
        if !lines.bytes.isEmpty { try await write(ByteBuffer(bytes: lines.bytes)) }
    }
}
