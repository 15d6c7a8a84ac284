internal import FoundationEssentials
internal import Gateways

/// Where a handler in Python is: `handlers/split.py:process`, `handlers/split.py:Splitter.process`, or as Python would
/// import it, `handlers.split.process`.
enum HandlerPath {
    struct Problem: Error {
        let message: String
    }

    /// - Parameter folder: of the project.
    static func parse(_ text: String, in folder: String) throws(Problem) -> PythonHandler {
        guard text.contains("/") || text.contains(":") || text.hasSuffix(".py") else { return try module(text, folder) }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].hasSuffix(".py") else {
            throw Problem(
                message: text.hasSuffix(".py")
                    ? "'\(text)' names no function: write \(text):process"
                    : "'\(text)' must be a file and a function, like handlers/split.py:process")
        }
        let file = parts[0].hasPrefix("./") ? String(parts[0].dropFirst(2)) : String(parts[0])
        let function = String(parts[1])
        guard function.split(separator: ".", omittingEmptySubsequences: false).allSatisfy(\.isIdentifier) else {
            throw Problem(message: "'\(function)' is no function: it must be like process, or Class.process")
        }
        let steps = file.dropLast(3).split(separator: "/", omittingEmptySubsequences: false)
        guard !file.hasPrefix("/"), !steps.contains("..") else {
            throw Problem(message: "'\(file)' must be in the project's folder, and named from there")
        }
        if let step = steps.first(where: { !$0.isIdentifier }) {
            throw Problem(
                message:
                    "Python cannot import '\(file)': '\(step)' must have letters, digits and _ only, no digit first")
        }
        try checkFile(file, in: folder)
        return PythonHandler(module: steps.joined(separator: "."), function: function, file: file)
    }

    private static func checkFile(_ file: String, in folder: String) throws(Problem) {
        if FileManager.default.fileExists(atPath: "\(folder)/\(file)") { return }
        let parent = file.lastIndex(of: "/").map { String(file[...$0]) } ?? ""
        let names = (try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/\(parent)")) ?? []
        let files = names.filter { $0.hasSuffix(".py") }.sorted().map { parent + $0 }
        throw Problem(message: "there is no file '\(file)'\(Suggestion.words(for: file, among: files))")
    }

    /// Longest first, what of it is a file of the project.
    private static func module(_ text: String, _ folder: String) throws(Problem) -> PythonHandler {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count > 1, parts.allSatisfy(\.isIdentifier) else {
            throw Problem(
                message: "'\(text)' must be a file and a function, like handlers/split.py:process, "
                    + "or as Python imports it, like handlers.split.process")
        }
        for count in (1..<parts.count).reversed() {
            let file = parts[..<count].joined(separator: "/") + ".py"
            guard FileManager.default.fileExists(atPath: "\(folder)/\(file)") else { continue }
            return PythonHandler(
                module: parts[..<count].joined(separator: "."), function: parts[count...].joined(separator: "."),
                file: file)
        }
        return PythonHandler(
            module: parts.dropLast().joined(separator: "."), function: String(parts[parts.count - 1]), file: nil)
    }
}

extension Substring {
    /// In Python.
    fileprivate var isIdentifier: Bool {
        first.map { $0.isLetter || $0 == "_" } == true && allSatisfy { $0.isLetter || $0.isNumber || $0 == "_" }
    }
}
