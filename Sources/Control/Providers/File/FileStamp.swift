#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Shows, without reading it, that a file or directory has changed.
struct FileStamp: Equatable {
    private let device: UInt64
    private let inode: UInt64
    private let size: Int64
    /// Nanoseconds since 1970. Zero for directories, whose time changes with every entry.
    private let modified: Int64

    /// Nil if nothing exists at the path. Does not follow a symbolic link.
    init?(path: String) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return nil }
        let isDirectory = status.st_mode & S_IFMT == S_IFDIR
        device = UInt64(truncatingIfNeeded: status.st_dev)
        inode = UInt64(status.st_ino)
        size = isDirectory ? 0 : Int64(status.st_size)
        #if canImport(Darwin)
        let time = status.st_mtimespec
        #else
        let time = status.st_mtim
        #endif
        modified = isDirectory ? 0 : Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}

extension WatchPlan {
    /// The stamps of everything in the plan, keyed by path.
    var stamps: [String: FileStamp] {
        var stamps: [String: FileStamp] = [:]
        for (directory, interest) in directories {
            let names: any Sequence<String> =
                switch interest {
                case .names(let names): names
                case .all: Self.names(in: directory)
                }
            for name in names {
                let path = Self.join(directory, name)
                stamps[path] = FileStamp(path: path)
            }
        }
        return stamps
    }
}
