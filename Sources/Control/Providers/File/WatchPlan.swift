import Configuration

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The directories to watch: a file, or the contents of a directory, can change only if something happens in one of
/// them.
///
/// The plan contains every directory on the path, with the name of the next entry. So it detects a symbolic link
/// anywhere on the path that now points elsewhere, and a directory that is replaced as a whole.
struct WatchPlan: Equatable {
    /// Which entries of a directory matter.
    enum Interest: Equatable {
        case names(Set<String>)
        case all
    }

    /// The limit for watched directories.
    static let watchedMax = 1024
    /// The limit for polled directories, used if the system does not report changes: one for each file that may be in
    /// them.
    static let lookedAtMax = DynamicFiles.countMax
    /// The most entries that are read from one directory.
    static let entriesMax = 65536
    /// Linux has the same limit.
    private static let linksMax = 40

    /// Keyed by path, with symbolic links resolved.
    private(set) var directories: [String: Interest] = [:]
    /// Whether directories were left out because of the limit.
    private(set) var isCut = false
    private let directoriesMax: Int

    /// - Parameter directoriesMax: the most directories below the sources; further ones are left out.
    init(_ sources: [FileProviderSettings.Source], directoriesMax: Int = watchedMax) {
        self.directoriesMax = directoriesMax
        for source in sources {
            switch source {
            case .file(let path):
                _ = follow(path)
            case .directory(let path):
                if let directory = follow(path) { addAll(in: directory) }
            }
        }
    }

    init(_ source: FileProviderSettings.Source, directoriesMax: Int = watchedMax) {
        self.init([source], directoriesMax: directoriesMax)
    }

    /// Whether a change of this entry in this directory matters. Nil means the directory itself.
    func concerns(_ name: String?, in directory: String) -> Bool {
        switch directories[directory] {
        case .all: true
        case .names(let names): name.map(names.contains) ?? true
        case nil: false
        }
    }

    // MARK: The path

    /// Adds all directories on the way to `path`.
    ///
    /// - Returns: the resolved path; nil if it cannot be resolved.
    private mutating func follow(_ path: String) -> String? {
        var (place, links) = ("/", 0)
        var rest = Array(Self.parts(path.hasPrefix("/") ? path : Self.workingDirectory + "/" + path).reversed())
        while let name = rest.popLast() {
            if name == ".." {
                place = Self.parent(of: place)
                continue
            }
            add(name, in: place)
            let next = Self.join(place, name)
            if let target = Self.target(of: next) {
                links += 1
                guard links <= Self.linksMax else { return nil }
                if target.hasPrefix("/") { place = "/" }
                rest += Self.parts(target).reversed()
            } else {
                place = next
            }
        }
        return place
    }

    private mutating func add(_ name: String, in directory: String) {
        switch directories[directory] {
        case .all: break
        case .names(var names):
            names.insert(name)
            directories[directory] = .names(names)
        case nil: directories[directory] = .names([name])
        }
    }

    /// Adds a directory with all its subdirectories, and the paths to files that are symbolic links in them.
    private mutating func addAll(in top: String) {
        var waiting = [top]
        while let directory = waiting.popLast() {
            guard directories[directory] != .all else { continue }
            guard directories.count < directoriesMax else {
                isCut = true
                return
            }
            directories[directory] = .all
            for name in Self.names(in: directory) {
                let path = Self.join(directory, name)
                switch Self.kind(of: path) {
                case .directory: waiting.append(path)
                case .link: addTarget(of: path, to: &waiting)
                case .other: break
                }
            }
        }
    }

    private mutating func addTarget(of link: String, to waiting: inout [String]) {
        guard let target = follow(link), Self.kind(of: target) == .directory else { return }
        waiting.append(target)
    }

    // MARK: The file system

    private enum Kind {
        case directory, link, other
    }

    /// At most ``entriesMax`` names.
    static func names(in directory: String) -> [String] {
        guard let stream = opendir(directory) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while names.count < entriesMax, let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    private static func kind(of path: String) -> Kind {
        var status = stat()
        guard lstat(path, &status) == 0 else { return .other }
        return switch status.st_mode & S_IFMT {
        case S_IFDIR: .directory
        case S_IFLNK: .link
        default: .other
        }
    }

    /// Nil if the path is not a symbolic link.
    private static func target(of path: String) -> String? {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink(path, &bytes, bytes.count)
        return count > 0 ? String(decoding: bytes[..<count].map(UInt8.init(bitPattern:)), as: UTF8.self) : nil
    }

    private static var workingDirectory: String {
        var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
        return getcwd(&bytes, bytes.count).map { String(cString: $0) } ?? "/"
    }

    private static func parts(_ path: String) -> [String] {
        path.split(separator: "/").filter { $0 != "." }.map(String.init)
    }

    static func join(_ directory: String, _ name: String) -> String {
        directory == "/" ? "/" + name : directory + "/" + name
    }

    private static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
        return String(path[..<slash])
    }
}
