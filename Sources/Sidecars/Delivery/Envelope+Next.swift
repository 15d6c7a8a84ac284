internal import Envelopes

extension Envelope {
    /// The envelope that goes on with one of a handler's results.
    ///
    /// Payload, route and headers are the result's; what the handler did not say stays as it was. What lies behind the
    /// handler in the route cannot be changed any more.
    /// - Throws: `HandlerError` `runtime_error` for a result that cannot go on.
    func next(_ result: RuntimeReply.Result, index: Int, of count: Int) throws(RuntimeReply.HandlerError) -> Envelope {
        func invalid(_ reason: String) -> RuntimeReply.HandlerError {
            .init(code: "runtime_error", message: "Invalid output envelope[\(index + 1)/\(count)]: \(reason)")
        }
        guard let payload = result.payload else { throw invalid("Missing required field 'payload' in envelope") }
        var next = self
        next.payload = payload
        do throws(EnvelopeError) {
            if let route = result.route { next.route = try Route(route) } else { next.route.current += 1 }
            if let headers = result.headers { next.headers = try Headers(headers).keeping(headers: self.headers) }
        } catch { throw invalid(error.message) }

        guard next.route.actors.starts(with: route.actors.prefix(route.current + 1)) else {
            throw invalid(
                "Route modification error: already-processed actors cannot be erased (they are \(route.actors.prefix(route.current + 1)))"
            )
        }
        for member in result.unknown {
            guard let name = member.name else { continue }
            next.unknown.removeAll { $0.isNamed(name) }
            next.unknown.append(member)
        }
        // They belong to the step that has now succeeded.
        next.headers["troupe-attempts"] = nil
        if count > 1 || isFanOutOfOne {
            next.id = childID(index)
            next.parentID = index == 0 ? parentID : id
            next.headers.fanOuts = index == 0 ? headers.fanOuts + 1 : 0
            next.headers.enterFanOut(FanOutPlace(parentID: id, round: headers.fanOuts, index: index, count: count))
        } else {
            // Whatever the handler made of it: ids of later children depend on it.
            next.headers.fanOuts = headers.fanOuts
        }
        // So do the reports' ids, which must not come twice.
        next.headers.loops = headers.loops + (next.route.current > route.current ? 0 : 1)
        next.headers.replays = headers.replays
        return next
    }

    /// Whether a single result is a fan-out too. Nobody can tell by looking at it, but a fan-in within another one must
    /// know: the submitter says which actors fan out, `{"troupe-fan-in": {"splits": ["chapters", "pages"]}}`.
    private var isFanOutOfOne: Bool {
        guard let splits = headers["troupe-fan-in"]?["splits"], let actor = route.currentActor else { return false }
        return splits.elements.contains { $0.string == actor }
    }
}

extension Headers {
    /// A handler may replace its headers, but lose neither the trace, nor what makes results one, nor its place in a
    /// fan-out.
    fileprivate func keeping(headers earlier: Headers) -> Headers {
        var kept = self
        for name in ["traceparent", "tracestate", "baggage", "troupe-submitted-at", Headers.fanOut]
        where kept[name] == nil {
            kept[name] = earlier[name]
        }
        // Said by who has joined the outermost fan-out.
        if let places = kept[Headers.fanOut], places.kind == .array, places.elements.isEmpty {
            kept[Headers.fanOut] = nil
        }
        return kept
    }
}
