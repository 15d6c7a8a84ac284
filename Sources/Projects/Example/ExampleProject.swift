internal import FoundationEssentials

/// The small project that `troupe init` writes: it says in three sentences what a text is about.
public struct ExampleProject: Sendable {
    private let withSwift: Bool

    public init(withSwift: Bool = false) { self.withSwift = withSwift }

    /// - Parameter path: a folder, made where it isn't there; of its parents, all must be.
    /// - Returns: the files, relative to the folder.
    /// - Throws: when the name is none for a project, or a file is there already: nothing is written then.
    public func write(to path: String) throws(ExampleError) -> [String] {
        let files = FileManager.default
        let name = path.split(separator: "/").last.map(String.init) ?? ""
        if path != ".", !Self.isName(name) {
            throw ExampleError(
                "'\(name)' is no name for a project: A-Z a-z 0-9 . _ - are allowed, a letter or digit first",
                isUsage: true)
        }
        let contents = try self.contents()
        // What belongs to a folder that is there already may stay as it is.
        let kept = ["README.md", ".gitignore"].filter { files.fileExists(atPath: "\(path)/\($0)") }
        let wanted = contents.filter { !kept.contains($0.name) }
        let taken = wanted.map(\.name).filter { files.fileExists(atPath: "\(path)/\($0)") }
        if !taken.isEmpty {
            throw ExampleError("nothing was written: there is already \(taken.joined(separator: ", "))", isUsage: true)
        }
        for file in wanted {
            let target = "\(path)/\(file.name)"
            do {
                let folder = String(target[..<(target.lastIndex(of: "/") ?? target.endIndex)])
                try files.createDirectory(atPath: folder, withIntermediateDirectories: true)
                try Data(file.text.utf8).write(to: URL(filePath: target), options: .withoutOverwriting)
            } catch {
                throw ExampleError("cannot write '\(target)': may you write there?", isUsage: false)
            }
        }
        return wanted.map(\.name)
    }

    private func contents() throws(ExampleError) -> [(name: String, text: String)] {
        var files = [
            ("troupe.yaml", ExampleTexts.project(withSwift: withSwift)),
            ("handlers/read.py", ExampleTexts.read), ("handlers/summarise.py", ExampleTexts.summarise),
            ("tests/test_handlers.py", ExampleTexts.test(withSwift: withSwift)),
            ("README.md", ExampleTexts.readme(withSwift: withSwift)), (".gitignore", ExampleTexts.gitignore),
        ]
        if withSwift {
            guard let sources = Self.sources() else {
                throw ExampleError(
                    "--swift needs Troupe's sources, for ActorKit: use a `troupe` that was built from them",
                    isUsage: false)
            }
            files.insert(("Package.swift", ExampleTexts.package(sources)), at: 3)
            files.insert(("Sources/measure/Measure.swift", ExampleTexts.measureInSwift), at: 4)
        } else {
            files.insert(("handlers/measure.py", ExampleTexts.measure), at: 3)
        }
        return files
    }

    private static func isName(_ name: String) -> Bool {
        (1...100).contains(name.utf8.count) && !"._-".contains(name.prefix(1))
            && name.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
    }

    /// Those that this program was built from.
    private static func sources() -> String? {
        let files = FileManager.default
        var folder = (try? files.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        while let slash = folder.lastIndex(of: "/") {
            folder = String(folder[..<slash])
            if files.fileExists(atPath: folder + "/Sources/ActorKit") { return folder }
        }
        return nil
    }
}

public struct ExampleError: Error, Sendable, CustomStringConvertible {
    public let message: String
    /// Whether another name would do.
    public let isUsage: Bool

    init(_ message: String, isUsage: Bool) {
        self.message = message
        self.isUsage = isUsage
    }

    public var description: String { message }
}
