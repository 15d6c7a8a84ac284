internal import Envelopes
internal import HTTPTypes
internal import Hummingbird

/// What sidecars tell over HTTP. The same reports over the broker take the same way from `ReportWriter` on.
extension GatewayRouter {
    var reportEndpoints: [Endpoint] {
        let status: Schema =
            #"{"type":"object","required":["status"],"properties":{"status":{"const":"ok"},"progress_percent":{"type":"number"}}}"#
        let errors: [ErrorCode] = [.invalidReport, .unknownEnvelope]
        return [
            Endpoint(
                method: .post, path: "/envelopes/{id}/progress", name: "reportProgress", access: .scope(.internal),
                summary: "Report a step of an envelope", body: .init(schema: .named("ProgressReport")),
                answers: [.init(status: .ok, text: "Taken", schema: status)], errors: errors, listeners: [.inside],
                handler: postProgress),
            Endpoint(
                method: .post, path: "/envelopes/{id}/final", name: "reportEnd", access: .scope(.internal),
                summary: "Report the end of an envelope", body: .init(schema: .named("FinalReport")),
                answers: [.init(status: .ok, text: "Taken", schema: status)], errors: errors, listeners: [.inside],
                handler: postFinal),
        ]
    }

    /// `POST /envelopes/{id}/progress`
    func postProgress(_ request: Request, _ context: Context) async throws -> Response {
        let percent = try await write(.progress, request, context)
        return Response { writer in
            writer.beginObject()
            writer.member("status", "ok")
            writer.member("progress_percent", number: percent)
            writer.endObject()
        }
    }

    /// `POST /envelopes/{id}/final`
    func postFinal(_ request: Request, _ context: Context) async throws -> Response {
        _ = try await write(.final, request, context)
        return Response { writer in
            writer.beginObject()
            writer.member("status", "ok")
            writer.endObject()
        }
    }

    private func write(_ kind: StatusReport.Kind, _ request: Request, _ context: Context) async throws -> Double {
        let id = try reading.envelopeID(context)
        let body = try await reading.bytes(of: request)
        // Its grammar first: a broken text is another mistake than a wrong report.
        do throws(JSONError) { _ = try RawJSON(body, limits: reading.limits) } catch { throw Problem(error) }
        let report: ReadReport
        do throws(StatusReportError) {
            report = try ReadReport(StatusReport(parsing: body, kind: kind, envelopeID: id, limits: reading.limits))
        } catch {
            throw Problem(.invalidReport, error.message)
        }
        switch try await reportWriter.write([report]).first {
        case .applied(let percent), .ignored(let percent, _): return percent
        case .unknown, nil: throw unknownEnvelope(id)
        }
    }
}
