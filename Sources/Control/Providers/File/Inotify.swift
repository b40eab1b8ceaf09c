#if canImport(Glibc)
import Glibc
import NIOCore

/// What Linux tells of changes in directories (inotify(7)).
///
/// Owns a descriptor, by which directories are added and removed; events are read from a duplicate of it.
final class Inotify: Sendable {
    /// A directory, as the kernel numbers it.
    typealias Watch = Int32

    struct Event: Equatable {
        /// -1 where events were lost.
        let watch: Watch
        /// In the directory; nil where it happened to the directory itself.
        let name: String?
        /// Events were lost before this one.
        let isOverflow: Bool
    }

    struct Failure: Error, Equatable {
        let code: Int32
    }

    private static let mask = UInt32(
        IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE | IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF
            | IN_MOVE_SELF | Int32(IN_ONLYDIR))
    private static let headByteCount = 16

    private let descriptor: Int32

    /// - Throws: where the user has as many instances as the system allows.
    init() throws(Failure) {
        descriptor = inotify_init1(Int32(IN_NONBLOCK | IN_CLOEXEC))
        guard descriptor >= 0 else { throw Failure(code: errno) }
    }

    deinit { close(descriptor) }

    /// For the caller to read from, and to close.
    func duplicate() throws(Failure) -> Int32 {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
        guard copy >= 0 else { throw Failure(code: errno) }
        return copy
    }

    /// The same number as before for a directory that is watched already.
    func add(_ directory: String) throws(Failure) -> Watch {
        let watch = inotify_add_watch(descriptor, directory, Self.mask)
        guard watch >= 0 else { throw Failure(code: errno) }
        return watch
    }

    func remove(_ watch: Watch) {
        _ = inotify_rm_watch(descriptor, watch)
    }

    /// The events in what one read has given, which are always whole.
    static func events(in buffer: inout ByteBuffer) -> [Event] {
        var events: [Event] = []
        while buffer.readableBytes >= headByteCount,
            let watch = buffer.readInteger(endianness: .host, as: Int32.self),
            let mask = buffer.readInteger(endianness: .host, as: UInt32.self),
            buffer.readInteger(as: UInt32.self) != nil,
            let count = buffer.readInteger(endianness: .host, as: UInt32.self),
            let name = buffer.readBytes(length: Int(count))
        {
            let text = String(decoding: name.prefix { $0 != 0 }, as: UTF8.self)
            let isOverflow = mask & UInt32(IN_Q_OVERFLOW) != 0
            events.append(Event(watch: watch, name: text.isEmpty ? nil : text, isOverflow: isOverflow))
        }
        return events
    }
}
#endif
