import Foundation

/// The files of the file provider, as they are on disk.
package struct DynamicFiles: Equatable, Sendable {
    /// A directory with more files, subdirectories included, is refused.
    package static let countMax = 10_000

    /// Sorted by path.
    package private(set) var files: [SourceText]
    /// The files that cannot be read, each with its reason. All are errors.
    package private(set) var diagnostics: [Diagnostic]

    package init(files: [SourceText] = [], diagnostics: [Diagnostic] = []) {
        self.files = files
        self.diagnostics = diagnostics
    }

    /// Reads a file, or all `.yml`, `.yaml` and `.toml` files in a directory and its subdirectories. Names that begin
    /// with a dot are skipped; symbolic links are followed.
    package static func read(_ source: FileProviderSettings.Source) -> DynamicFiles {
        var read = DynamicFiles()
        switch source {
        case .file(let path): read.readFile(path)
        case .directory(let path): for file in read.paths(in: path) { read.readFile(file) }
        }
        return read
    }

    /// Reads a file, whatever its extension; of a directory, the files that belong to it.
    package static func read(path: String) -> DynamicFiles {
        var isDirectory: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory)
        return read(exists && isDirectory.boolValue ? .directory(path) : .file(path))
    }

    private mutating func readFile(_ path: String) {
        do {
            let bytes = try FileContents.bytes(of: path, byteCountMax: ConfigurationFile.byteCountMax)
            guard let text = String(validating: bytes, as: UTF8.self) else {
                add("is not valid UTF-8", path)
                return
            }
            files.append(SourceText(name: path, text: text, role: .dynamic))
        } catch {
            add(error.reason, path)
        }
    }

    private mutating func paths(in directory: String) -> [String] {
        var paths: [String] = []
        var waiting = [(path: directory, above: Set<String>())]
        while let (path, above) = waiting.popLast() {
            let place = Self.place(of: path)
            guard !above.contains(place) else {
                add("is a link back to a directory above it", path)
                continue
            }
            let names: [String]
            do {
                names = try FileManager.default.contentsOfDirectory(atPath: path)
            } catch {
                add(FileContents.directoryFailure(path).reason, path)
                continue
            }
            for name in names where !name.hasPrefix(".") {
                let inner = path.hasSuffix("/") ? path + name : "\(path)/\(name)"
                if Self.isDirectory(inner) {
                    let above = above.union([place])
                    if above.count <= 16 {
                        waiting.append((inner, above))
                    } else {
                        add("is nested more than 16 directories deep", inner)
                    }
                } else if [".yml", ".yaml", ".toml"].contains(where: name.lowercased().hasSuffix) {
                    if FileContents.isFile(inner) { paths.append(inner) } else { add("is not a regular file", inner) }
                }
            }
            guard paths.count <= Self.countMax else {
                add("contains more than \(Self.countMax) files", directory)
                return []
            }
        }
        return paths.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// The path with symbolic links resolved, because links may form a cycle.
    private static func place(of path: String) -> String {
        URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    }

    private static func isDirectory(_ path: String) -> Bool {
        var isDirectory: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) && isDirectory.boolValue
    }

    private mutating func add(_ message: String, _ path: String) {
        diagnostics.append(Diagnostic(severity: .error, source: .file(path), place: nil, key: "", message: message))
    }
}
