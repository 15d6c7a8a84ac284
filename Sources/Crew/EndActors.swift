internal import ActorKit
internal import FoundationEssentials

/// Who closes a route.
enum EndRole: Sendable {
    case happyEnd, errorEnd
}

struct HappyEnd: EndHandler {
    private let keeper: Keeper

    init() async throws { keeper = try Keeper(.happyEnd, environment: ProcessInfo.processInfo.environment) }

    func handle(_ message: RawJSON, _ context: Context) async throws { try await keeper.keep(message, context) }
}

struct ErrorEnd: EndHandler {
    private let keeper: Keeper

    init() async throws { keeper = try Keeper(.errorEnd, environment: ProcessInfo.processInfo.environment) }

    func handle(_ message: RawJSON, _ context: Context) async throws { try await keeper.keep(message, context) }
}
