/// Where handlers run: the folder of the `troupe.yaml` that names them, with the Python that it asks for.
public struct Home: Sendable, Hashable {
    /// As messages name it.
    public var file: String
    public var folder: String
    /// The interpreter of Python handlers; `nil` where the file doesn't say.
    public var python: String?

    public init(file: String, folder: String, python: String? = nil) {
        self.file = file
        self.folder = folder
        self.python = python
    }
}

extension Project {
    /// Of its own actors.
    public var home: Home { Home(file: file, folder: folder, python: python) }

    /// Its own, and those of the projects that it includes.
    public var homes: [Home] { [home] + included }

    public func home(of actor: ProjectActor) -> Home { actor.home ?? home }
}
