/// Messages for a model, with places for arguments.
struct Prompt: Sendable, Hashable {
    var name: String
    /// For people.
    var title: String?
    var description: String
    var arguments: [Argument]
    var messages: [Message]

    struct Argument: Sendable, Hashable {
        var name: String
        var title: String?
        var description: String?
        var isRequired = false
        /// The values that are allowed; empty for all.
        var options: [String] = []
    }

    struct Message: Sendable, Hashable {
        var role = Role.user
        var content: Content
    }

    enum Role: String, Sendable, CaseIterable {
        case user, assistant
    }

    enum Content: Sendable, Hashable {
        case text(Template)
        case media(Media)
        /// One that can be read here, as it is when the prompt is asked for.
        case resource(Template)
        /// One that comes with the prompt.
        case embedded(uri: Template, mimeType: String, ResourceBody)
    }

    /// An image or a sound.
    struct Media: Sendable, Hashable {
        var kind: Kind
        /// Base64.
        var data: String
        var mimeType: String

        enum Kind: String, Sendable, CaseIterable {
            case image, audio
        }
    }
}
