#if canImport(Glibc)
import Configuration
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The directories in which something must happen before a file, or what is in a directory, can read differently.
///
/// Every directory on the way is there, with the name that leads on: so a symbolic link that is pointed elsewhere is
/// seen, wherever on the way it stands, and a directory that is replaced as a whole.
struct WatchPlan: Equatable {
    /// What of a directory matters.
    enum Interest: Equatable {
        case names(Set<String>)
        case all
    }

    /// Directories that are watched.
    static let watchedMax = 1024
    /// Directories that are looked at, where the system does not tell: one for each file that may be in them.
    static let lookedAtMax = DynamicFiles.countMax
    /// Entries of one directory that are looked at.
    static let entriesMax = 65536
    /// As Linux follows.
    private static let linksMax = 40

    /// By path, without symbolic links.
    private(set) var directories: [String: Interest] = [:]
    /// Whether there were more.
    private(set) var isCut = false
    private let directoriesMax: Int

    /// - Parameter directoriesMax: below the source; further ones are left out.
    init(_ source: FileProviderSettings.Source, directoriesMax: Int = watchedMax) {
        self.directoriesMax = directoriesMax
        switch source {
        case .file(let path):
            _ = follow(path)
        case .directory(let path):
            if let directory = follow(path) { addAll(in: directory) }
        }
    }

    /// Whether a change of that name in that directory matters. Nil: the directory itself.
    func concerns(_ name: String?, in directory: String) -> Bool {
        switch directories[directory] {
        case .all: true
        case .names(let names): name.map(names.contains) ?? true
        case nil: false
        }
    }

    // MARK: The way

    /// Adds all directories on the way to `path`.
    ///
    /// - Returns: where it leads; nil where it leads nowhere.
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

    /// Adds a directory with all below it, and the ways to the files that stand there as symbolic links.
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

    /// At most ``entriesMax``.
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

    /// Nil where it is no symbolic link.
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
